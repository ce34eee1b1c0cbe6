"""Why a weight is what it is, in the words that users read.

Belongs here: the wording of every reason, and the codes of the tests that keep a token out.
Does not: the decisions behind them (`selection.py`, `limits.py`, `rotation.py`, `decision.py`).
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from models_ml.features.wording import in_words
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.feature_rules import COLUMN_PREFIX, FeatureCondition, Tilt
from models_ml.indices.limits import Bounds, Group, LimitKind
from models_ml.indices.sections import Eligibility, Universe

ROTATED = "rotated into stables"  # opens the reason of a stablecoin held by rotation; `is_rotation` reads it back
LEFT_OUT = (
    "left out"  # opens the reason of a chosen token that a screened index does not hold; `is_left_out` reads it back
)
SAME_WEIGHT = 1e-9
ACRONYMS = frozenset({"btc", "ema", "eth", "macd", "mvrv", "nvt", "rsi", "sma", "tvl", "vix", "vwap", "wma"})
CEILINGS: dict[LimitKind, str] = {
    "cap": "",
    "flexible": ", half way from its present weight to the cap",
    "liquidity": " by its liquidity",
    "core": "",
    "volatility": " by its volatility",
}


def is_rotation(reason: str) -> bool:
    """Whether a target's reason says that the rotation holds it."""
    return reason.startswith(ROTATED)


def rotated(*, share: float, because: str) -> str:
    """A stablecoin that takes weight out of the market."""
    return f"{ROTATED}: {percent(share)} of the index, {because}"


def entered(*, rank: int, is_base: bool, replaces: str | None) -> str:
    """A token that was not held."""
    if is_base:
        return f"entered at the base (rank {rank})"
    return f"entered (rank {rank})" + (f", replaces {replaces}" if replaces else "")


def stays(*, rank: int | None, count: int) -> str:
    """A token that was held and still is; without a rank it is held to the next review although it fails a test now."""
    if rank is None:
        return "stays until the next review"
    return f"stays (rank {rank}{', inside the exit buffer' if rank > count else ''})"


def core(weight: float) -> str:
    """A token that the definition names as part of the core."""
    return f"core, fixed at {percent(weight)}"


def unpriced_core(token_id: str, since: dt.date | None) -> str:
    """A rebalance that could not be made because nobody could buy the core."""
    return f"core token {token_id}: {no_price(since)}"


def left(*, why: str, replaced_by: str | None) -> str:
    """A token that goes."""
    clause = f"left {why}" if why.startswith("(") else f"left: {why}"
    return clause + (f", replaced by {replaced_by}" if replaced_by else "")


def is_left_out(reason: str) -> bool:
    """Whether a target's reason says that its token was chosen and then left out as one of the worst."""
    return reason.startswith(LEFT_OUT)


def among_the_worst(*, share: float, score: float) -> str:
    """Why a chosen token is left out of a screened index."""
    return f"among the worst-graded {percent(share)} of the chosen (score {score:.4g} at the close before)"


def left_out(*, why: str | None) -> str:
    """A chosen token that a screened index does not hold; without a reason it was left out at a review before and waits for the next."""
    return f"{LEFT_OUT}: {why}" if why else f"{LEFT_OUT} until the next review"


def no_price(since: dt.date | None) -> str:
    """A token whose trading stopped."""
    return f"no price since {since}" if since else "no price so far"


def empty_places(definition: IndexDefinition, *, filled: int, passed: int, judged: int) -> str:
    """Places that no token fills.

    Args:
        definition: An index that parks their weight.
        filled: Places that are filled.
        passed: Tokens that could have filled one.
        judged: Tokens that were asked for the bounds on features.
    """
    count, conditions = definition.selection.count, definition.eligibility.features
    empty = f"{count - filled} of {count} places {'is' if count - filled == 1 else 'are'} empty"
    if not conditions:
        return f"{empty}: {passed} eligible {'token' if passed == 1 else 'tokens'}"
    asked = " and ".join(_asked(condition) for condition in conditions)
    return f"{empty}: {passed} of {judged} tokens pass ({asked})"


def some_filled(*, filled: int, count: int) -> str:
    """How much of an index with empty places is invested."""
    return f"{filled} of {count} places filled"


def tilted(factor: float, tilt: Tilt, *, unknown: Collection[str] = ()) -> str:
    """What a tilt did to the weight of one constituent, before limits; `unknown` are the features that are not known of it."""
    known = [feature_name(name) for name in tilt.features if name not in unknown]
    lacking = [feature_name(name) for name in tilt.features if name in unknown]
    if not known:
        return f"not tilted, unknown: {', '.join(lacking)}"
    return f"tilted by {factor:.2f} ({', '.join(known)}{'; unknown: ' + ', '.join(lacking) if lacking else ''})"


def limited(bounds: Bounds, *, position: int, before: Sequence[float], after: Sequence[float]) -> str | None:
    """What the limits did to the weight of one constituent; None where they did not meet it.

    Args:
        bounds: Limits of all constituents.
        position: Which constituent.
        before: Weights before limits, in the order of `bounds`.
        after: Weights after limits.
    """
    lower, upper = float(bounds.lower[position]), float(bounds.upper[position])
    clauses = [
        _bounded(before[position], after[position], cap=upper, floor=lower, by=CEILINGS[bounds.kinds[position]]),
        *(_grouped(group, before, after) for group in bounds.groups if group.members[position]),
    ]
    return "; ".join(filter(None, clauses)) or None


def moved_in_part(*, before: float, wanted: float, after: float, max_turnover: float) -> str | None:
    """What the turnover limit left of the way to a weight; None for one that arrived."""
    if abs(wanted - after) <= SAME_WEIGHT:
        return None
    if abs(after - before) <= SAME_WEIGHT:
        return f"kept at {percent(before)} on the way to {percent(wanted)} ({_turnover(max_turnover)})"
    return (
        f"moved from {percent(before)} to {percent(after)} on the way to {percent(wanted)} ({_turnover(max_turnover)})"
    )


def leaves_in_part(*, before: float, after: float, why: str, max_turnover: float) -> str:
    """A token that goes, but not all at once."""
    clause = f"leaves {why}" if why.startswith("(") else f"leaves: {why}"
    return f"{clause}; moved from {percent(before)} to {percent(after)} on the way out ({_turnover(max_turnover)})"


def refused(*, error: Exception, day: dt.date) -> str:
    """A rebalance for which no weights were found."""
    return f"no weights at the close of {day}: {error}"


def in_component(index_id: str, *, share: float, reason: str) -> str:
    """What one index within an index does to a token; `share` is what it makes the token weigh, 0 where it left."""
    return f"in {index_id} ({percent(share)} of the index): {reason}" if share > 0 else f"in {index_id}: {reason}"


def looked_through(clauses: Sequence[str], *, is_set_back: bool) -> str:
    """A token of an index of indices, from `in_component` of all that hold it or gave it up."""
    told = clauses or ["left: in no component any more"]
    return "; ".join(["component weights set back", *told] if is_set_back else told)


def held_since(effective_at: dt.datetime, *, reason: str, priced_on: dt.date | None, close_date: dt.date) -> str:
    """A holding that did not trade this week."""
    clauses = [f"held since {effective_at.date()}, weight drifted with prices"]
    if ROTATED in reason:  # of the index, or of an index that it holds
        clauses = [f"held since {effective_at.date()}; {reason}"]
    if priced_on != close_date:
        clauses.append(f"{no_price(priced_on)}, valued at its last one")
    return "; ".join(clauses)


def too_few(*, found: int, needed: int, day: dt.date, left_out: int = 0) -> str:
    """A rebalance that could not be made."""
    worst = f", {left_out} of them left out as the worst-graded" if left_out else ""
    return f"{found} eligible constituents at the close of {day}{worst}, at least {needed} needed"


def nothing_left_out(chosen: int, *, share: float, has_scores: bool, day: dt.date) -> str:
    """A screened index that could leave nothing out and therefore does not start."""
    if not has_scores:
        return f"no scores known before the close of {day}, with which the worst-graded could be left out"
    return f"{percent(share)} of the {chosen} tokens chosen at the close of {day} is less than one to leave out"


def too_few_by_calls(*, found: int, needed: int, left_out: int, calls: Sequence[str]) -> str:
    """An index that goes into stablecoins because of its tokens' calls."""
    return f"{left_out} of its tokens are called {' or '.join(calls)}, which leaves {found}, at least {needed} needed"


def nothing_to_tilt_by(tilt: Tilt, *, day: dt.date) -> str:
    """A rebalance whose weights could not be tilted at all."""
    names = " and ".join(feature_name(feature) for feature in tilt.features)
    verb = "is" if len(tilt.features) == 1 else "are"
    return f"{names} {verb} known of no constituent at the close of {day}, so nothing could be tilted"


def too_few_judged(*, found: int, needed: int, day: dt.date) -> str:
    """A rebalance that could not be made, of an index that parks empty places."""
    return f"{found} tokens could be judged at the close of {day}, at least {needed} needed"


def feature_name(feature: str) -> str:
    """A feature of the catalogue in words."""
    return " ".join(word.upper() if word in ACRONYMS else word for word in in_words(feature).split(" "))


def out_of_bounds(condition: FeatureCondition, value: float | None) -> str:
    """Why a token fails a bound on a feature."""
    whose = "the market's" if condition.is_market_wide else "its"
    name = f"{whose} {feature_name(condition.feature)}"
    if value is None:
        return f"{name} is unknown"
    is_low = condition.at_least is not None and value < condition.at_least
    bound = condition.at_least if is_low else condition.at_most
    return f"{name} is {value:.3g}, {'below' if is_low else 'above'} {bound:g}"


def ineligible(code: str, row: Mapping[str, Any], definition: IndexDefinition) -> str:
    """Why a candidate may not be a constituent; `code` comes from `selection.judge`, `row` is its snapshot row."""
    if code.startswith(COLUMN_PREFIX):
        (condition,) = (each for each in definition.eligibility.features if each.column == code)
        return out_of_bounds(condition, row[code])
    universe: Universe = definition.universe
    limits: Eligibility = definition.eligibility
    cap, volume = row["market_cap_usd"], row["volume_30d_median_usd"]
    ranking = definition.ranking
    unranked_by = feature_name(ranking.feature) if ranking.feature is not None else ranking.by
    texts: dict[str, Callable[[], str]] = {
        "core": lambda: "it is part of the core",
        "stable": lambda: "it is a stablecoin",
        "wrapped": lambda: "it is a wrapped token",
        "named": lambda: "the methodology names it as left out",
        "left_out_sector": lambda: f"its sector {row['sector']} is left out",
        "sector": lambda: f"its sector is {row['sector'] or 'unknown'}, not {universe.sector}",
        "no_market_cap": lambda: "its market cap is unknown",
        "small": lambda: f"market cap {usd(cap)} below {usd(limits.min_market_cap_usd)}",
        "large": lambda: f"market cap {usd(cap)} above {usd(limits.max_market_cap_usd or 0.0)}",
        "no_volume": lambda: "its volume is unknown",
        "zero_volume": lambda: "it has no volume",
        "thin": lambda: f"30-day volume {usd(volume)} below {usd(limits.min_volume_30d_usd)}",
        "fake_cap": lambda: f"volume over market cap {volume / cap:.2g} below {limits.min_volume_to_cap:g}",
        "young": lambda: f"first price {row['age_days'] or 0} days ago, {limits.min_price_age_days} needed",
        "short_history": lambda: f"fewer than {universe.min_history_days} daily closes",
        "bearish": lambda: "it turned bearish",
        "neutral": lambda: "it is no longer called bullish",
        "unranked": lambda: f"it has no {unranked_by}",
        "ungraded": lambda: "it has no trader_grade",
        "outside_pool": lambda: f"not among the {definition.ranking.among_largest} largest",
        "unpriced": lambda: "no recent price",
    }
    return texts[code]()


def _bounded(before: float, after: float, *, cap: float, floor: float, by: str) -> str | None:
    if before > cap + SAME_WEIGHT and after < before:
        return f"capped from {percent(before)} to {percent(after)}{by}"
    if before < floor - SAME_WEIGHT and after > before:
        return f"raised from {percent(before)} to {percent(after)} by the floor"
    if cap < 1 and abs(after - cap) <= SAME_WEIGHT and before < after - SAME_WEIGHT:
        return f"held at the cap of {percent(cap)}{by}"
    return None


def _grouped(group: Group, before: Sequence[float], after: Sequence[float]) -> str | None:
    """What its ceiling did to a group; told of each of its members."""
    inside = np.flatnonzero(group.members).tolist()
    was, is_now = sum(before[each] for each in inside), sum(after[each] for each in inside)
    if is_now < group.cap - SAME_WEIGHT or abs(was - is_now) <= SAME_WEIGHT:
        return None
    if was > group.cap:
        return f"sector {group.name} capped from {percent(was)} to {percent(is_now)}"
    return f"sector {group.name} held at its cap of {percent(group.cap)}"


def _asked(condition: FeatureCondition) -> str:
    low, high = condition.at_least, condition.at_most
    bounds = [f"at least {low:g}" if low is not None else None, f"at most {high:g}" if high is not None else None]
    return f"{feature_name(condition.feature)} {' and '.join(filter(None, bounds))}"


def _turnover(limit: float) -> str:
    return f"turnover limit {percent(limit)}"


def percent(fraction: float) -> str:
    """A fraction for reading, one decimal."""
    return f"{100 * fraction:.1f} %"


def usd(amount: float) -> str:
    """An amount for reading, three digits and a unit."""
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(amount) >= size:
            return f"{amount / size:.3g}{unit} USD"
    return f"{amount:.3g} USD"
