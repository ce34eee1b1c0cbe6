"""What a campaign looks for; alone in a module, so that it can be named before anything that atheris is to watch is loaded."""


class DefectError(AssertionError):
    """A parser broke the property."""
