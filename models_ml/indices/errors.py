"""Exceptions of the index package.

IndicesError
├── DefinitionError      a YAML file is wrong: every problem with file, line, field and remedy
├── InfeasibleCapError   limits under which weights cannot sum to 1: ceilings, floors, groups, liquidity
├── OptimiserError       past returns from which no risk-based weights could be found
├── MarketDataError      a frame handed in lacks columns, repeats a key or holds what it must not
└── StateError           rows and week do not fit together (another index, or a week already published)

Belongs here: the tree, nothing else. An index that lacks constituents or prices is no error: it is `unavailable`.
"""


class IndicesError(Exception):
    """Root of everything this package raises on purpose."""


class DefinitionError(IndicesError, ValueError):
    """One or more index definitions are wrong; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, so that a user corrects the files in one go."""
        self.problems = problems
        super().__init__("\n".join(problems))


class InfeasibleCapError(IndicesError, ValueError):
    """No weights inside the given limits sum to 1."""


class OptimiserError(IndicesError, RuntimeError):
    """An optimiser found no weights for the constituents of a rebalance."""


class MarketDataError(IndicesError, ValueError):
    """A frame of market data does not have the shape the engine needs."""


class StateError(IndicesError, ValueError):
    """An index state cannot be advanced to the week asked for."""
