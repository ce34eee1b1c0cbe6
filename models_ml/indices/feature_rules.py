"""Features of the catalogue in an index definition: which there are, bounds on them, and weights tilted by them.

Belongs here: names and where their values are, the sections as a user writes them, and the checks that need no market.
Does not: formulas (`models_ml/features`), the test itself (`selection.py`), tilted weights (`tilting.py`).
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, WithJsonSchema

from models_ml.features.catalogue import FEATURE_NAMES
from models_ml.features.market import MARKET_FEATURES
from models_ml.features.relative import COMPARED, RANKED
from models_ml.indices.definition_problems import FieldProblem
from models_ml.indices.strict import Share, Strict

COLUMN_PREFIX = "feature:"
"""Opens the name of a candidate's column that holds a feature: some features have the name of another column."""

SECTOR_RELATIVE = "sector_relative_"
RELATIVE_FEATURES = (*(f"rank_{name}" for name in RANKED), *(f"{SECTOR_RELATIVE}{name}" for name in COMPARED))
TOKEN_FEATURES = (*FEATURE_NAMES, *RELATIVE_FEATURES)
MARKET_WIDE_FEATURES = tuple(feature.name for feature in MARKET_FEATURES)

FEATURE_MARTS: dict[str, str] = {
    **dict.fromkeys(FEATURE_NAMES, "feat_token_daily"),
    **dict.fromkeys(RELATIVE_FEATURES, "feat_token_relative_daily"),
    **dict.fromkeys(MARKET_WIDE_FEATURES, "feat_market_daily"),
}
"""The mart of every feature a definition may name; `feat_market_daily` has one row a day, the others one a token and day."""

Order = Literal["descending", "ascending"]


def feature_column(feature: str) -> str:
    """Column of the candidates with the values of a feature."""
    return f"{COLUMN_PREFIX}{feature}"


def _any_feature(name: str) -> str:
    return _checked(name, (*TOKEN_FEATURES, *MARKET_WIDE_FEATURES))


def _token_feature(name: str) -> str:
    if name in MARKET_WIDE_FEATURES:
        raise ValueError("must tell tokens apart, but this feature is one of the whole market, the same for all")
    return _checked(name, TOKEN_FEATURES)


def _checked(name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; nearest {'are' if len(near) > 1 else 'is'} {', '.join(near)}" if near else ""
    raise ValueError(f"must be a feature of docs/reference/features.md{hint}")


def _names(known: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


AnyFeature = Annotated[str, AfterValidator(_any_feature), _names((*TOKEN_FEATURES, *MARKET_WIDE_FEATURES))]
TokenFeature = Annotated[str, AfterValidator(_token_feature), _names(TOKEN_FEATURES)]


class FeatureCondition(Strict):
    """What one feature must be at the close of the snapshot; a token of which it is not known fails.

    A feature of the whole market (`docs/reference/features.md`) is the same for all tokens, so all pass or none.
    """

    feature: AnyFeature
    """Name in the catalogue."""
    at_least: float | None = None
    """Smallest value that passes, in the feature's unit; null for no lower bound."""
    at_most: float | None = None
    """Largest value that passes, in the feature's unit; null for no upper bound."""

    @property
    def column(self) -> str:
        """Column of the candidates that holds the values."""
        return feature_column(self.feature)

    @property
    def is_market_wide(self) -> bool:
        """Whether the value is the same for all tokens."""
        return self.feature in MARKET_WIDE_FEATURES


class Tilt(Strict):
    """Weights leaned towards constituents that stand high in some features.

    Each weight is multiplied by 1 + strength x (2 x place - 1), where place is the mean of the constituent's percentile ranks, 0-1, among
    the constituents; a feature that is not known counts as the middle, 0.5. Limits apply to what comes out.
    """

    features: tuple[TokenFeature, ...]
    """Names in the catalogue, all counting the same."""
    strength: Share
    """How far the weights lean: at 1 the highest weighs nearly twice as much as without, the lowest nearly nothing."""
    order: Order = "descending"
    """`descending` favours high values, `ascending` low ones (a valuation, say)."""


def condition_problems(conditions: Sequence[FeatureCondition]) -> Iterator[FieldProblem]:
    """What is wrong with `eligibility.features` whatever the market does."""
    for position, condition in enumerate(conditions):
        field = f"eligibility.features.{position}"
        low, high = condition.at_least, condition.at_most
        if low is None and high is None:
            yield FieldProblem(field, f"{condition.feature} has no bound", "give at_least, at_most or both")
        if low is not None and high is not None and low > high:
            yield FieldProblem(
                field, f"at_least {low:g} lies above at_most {high:g}, so no token passes", "exchange the two"
            )
    yield from _repeated("eligibility.features", [condition.feature for condition in conditions], "its bounds")


def tilt_problems(tilt: Tilt | None) -> Iterator[FieldProblem]:
    """What is wrong with `weighting.tilt` whatever the market does."""
    if tilt is not None and not tilt.features:
        yield FieldProblem("weighting.tilt.features", "names none", "name at least one feature, or leave the tilt out")
    if tilt is not None:
        yield from _repeated("weighting.tilt.features", tilt.features, "its name")


def _repeated(field: str, names: Sequence[str], what: str) -> Iterator[FieldProblem]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        yield FieldProblem(field, f"{repeated[0]} is there more than once", f"write {what} in one place")
