"""Exceptions of the optimiser.

SearchProblem
├── SearchError           a search or a goal that cannot be meant: every problem with field and remedy
├── UnsupportedRuleError  a definition with a rule that the fast walk does not know
└── TooLittleHistoryError too few weeks, variants or splits to say anything

Belongs here: the tree, nothing else. That no variant meets a goal is no error but an answer.
"""


class SearchProblem(Exception):  # noqa: N818 - the root names what all of them are
    """Root of everything this package raises on purpose."""


class SearchError(SearchProblem, ValueError):
    """A search or a goal is wrong."""


class UnsupportedRuleError(SearchProblem, ValueError):
    """The fast walk does not know a rule that a definition has."""


class TooLittleHistoryError(SearchProblem, ValueError):
    """There is not enough history, or there are not enough variants, for the figures asked for."""
