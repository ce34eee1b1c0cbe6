"""Weights of the constituents of one rebalance, within their limits and as far as the turnover limit lets them go.

Belongs here: asking `weighting.py` and `limits.py` for a rebalance, and what their limits did in words.
Does not: the methods and limits themselves, who is a constituent (`decision.py`), targets with their reasons (`member_targets.py`).
"""

import datetime as dt
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.feature_rules import Tilt, feature_column
from models_ml.indices.limits import bounds_on, part_of_the_way
from models_ml.indices.market import MarketData
from models_ml.indices.past_returns import past_returns
from models_ml.indices.state import SAME_SHARE, Holding
from models_ml.indices.tilting import tilt_factors
from models_ml.indices.weighting import weigh


@dataclass(frozen=True)
class MemberWeights:
    """Weights of the invested part, summing to 1, by token_id.

    `wanted` is what the constituents should weigh, `reached` what the turnover limit allows, leaving tokens among them;
    `before` is what was held and can be traded. `clauses` tell what the other limits did.
    """

    wanted: Mapping[str, float]
    reached: Mapping[str, float]
    before: Mapping[str, float]
    clauses: Mapping[str, str | None]

    def aims(self, *, invested: float) -> dict[str, float]:
        """Wanted weights of the whole index; none where nothing is invested."""
        return {token_id: weight * invested for token_id, weight in self.wanted.items() if invested > SAME_SHARE}


def weigh_members(
    definition: IndexDefinition,
    members: pl.DataFrame,
    *,
    held: Sequence[Holding],
    filled: float,
    data: MarketData,
    day: dt.date,
) -> MemberWeights:
    """Weigh the constituents, then see how far the turnover limit lets them go.

    The limit is one of the invested part: what a rotation moves does not count. A holding without a recent price cannot
    be traded; it goes at once, at its last price, and the limit is held against the others.
    """
    weighting, token_ids = definition.weighting, members["token_id"].to_list()
    before = shares_held(held)
    if not token_ids:
        return MemberWeights({}, {}, before, {})
    past = functools.cache(functools.partial(past_returns, data.lookup, token_ids, day))  # weights and limits ask
    shares, weights = weigh(members, weighting, past=past, held=before, filled=filled)
    bounds = bounds_on(members, shares, weighting, held=before, past=past)
    of_places = [(numbers * filled).to_list() for numbers in (shares, weights)]
    clauses = {
        token_id: reasons.limited(bounds, position=position, before=of_places[0], after=of_places[1])
        for position, token_id in enumerate(token_ids)
    }
    if weighting.tilt is not None:
        others = members.filter(~pl.col("token_id").is_in(list(weighting.core_weights)))
        clauses |= _with_tilt(clauses, others, weighting.tilt)
    wanted = dict(zip(token_ids, weights.to_list(), strict=True))
    priced = priced_tokens((holding.token_id for holding in held), data=data, day=day)
    tradable = shares_held(holding for holding in held if holding.token_id in priced)
    if weighting.max_turnover is None or not tradable:
        return MemberWeights(wanted, wanted, before, clauses)
    reached = part_of_the_way(tradable, wanted, max_turnover=weighting.max_turnover)
    return MemberWeights(wanted, reached, tradable, clauses)


def priced_tokens(token_ids: Iterable[str], *, data: MarketData, day: dt.date) -> set[str]:
    """Those with a recent close, without which they cannot be traded."""
    names = list(token_ids)
    return {
        token_id for token_id, has_price in zip(names, data.lookup.are_priced(names, day), strict=True) if has_price
    }


def _with_tilt(clauses: Mapping[str, str | None], members: pl.DataFrame, tilt: Tilt) -> dict[str, str | None]:
    """Clauses opened by what the tilt did, which came before the limits."""
    factors = tilt_factors(members, tilt).to_list()
    told: dict[str, str | None] = {}
    for row, factor in zip(members.iter_rows(named=True), factors, strict=True):
        unknown = [feature for feature in tilt.features if row[feature_column(feature)] is None]
        clause = reasons.tilted(factor, tilt, unknown=unknown)
        told[row["token_id"]] = "; ".join(filter(None, [clause, clauses[row["token_id"]]]))
    return told


def shares_held(held: Iterable[Holding]) -> dict[str, float]:
    """Fractions of the invested part, summing to 1; nothing where all is in stables."""
    weights = {holding.token_id: holding.weight for holding in held if not holding.is_rotation}
    total = math.fsum(weights.values())
    return {token_id: weight / total for token_id, weight in weights.items()} if total > 0 else {}
