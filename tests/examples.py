"""How many examples hypothesis tries: few with the tests, many with the drills.

Examples are drawn anew each time, so what few of them miss in one run a later one finds; `make drills` repeats every test of
properties with the profile `deep`.
"""

from hypothesis import settings

QUICK, DEEP = "quick", "deep"
"""Names of the profiles."""

# No deadline: how long an example takes says how busy the machine is.
settings.register_profile(QUICK, max_examples=50, deadline=None)
settings.register_profile(DEEP, max_examples=200, deadline=None)


def examples(few: int, *, many: int) -> settings:
    """Settings for a test whose examples cost much: `few` of them with the tests, `many` with the drills."""
    return settings(max_examples=many if settings.get_current_profile_name() == DEEP else few, deadline=None)
