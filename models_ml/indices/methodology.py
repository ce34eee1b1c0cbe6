"""The methodology of an index as a document, written from its definition.

Every value of the definition stands in it with its path. What a rule means is said by a sentence from `SENTENCES`; a field
without one, such as one the language learns later, is shown with its value and what the language says of it, so no rule can
be left out. Fields at a default that does nothing are listed as not used.

Belongs here: the words and their order. Does not: values and versions (`definition_versions.py`), instants (`timetable.py`), what is
done (`engine.py`; the treatments repeat its docstring).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.definition_versions import Field, fields_of
from models_ml.indices.engine import MIN_PRICED_WEIGHT
from models_ml.indices.market import STALE_AFTER_DAYS
from models_ml.indices.reasons import percent, usd
from models_ml.indices.state import midnight
from models_ml.indices.timetable import Timing, timings
from models_ml.indices.weighting_rules import OPTIMISED_METHODS

Sentence = Callable[[Any, IndexDefinition], str | None]

MOST_INSTANTS, FIRST_INSTANTS = 12, 4
"""Rebalances of a year that are listed; of a weekly index the first ones."""

IDENTITY = ("index_id", "name", "kind", "methodology")
"""Values that open the document."""

HEADINGS = {
    "universe": "Universe",
    "eligibility": "Eligibility",
    "ranking": "Ranking",
    "selection": "Selection",
    "weighting": "Weights and limits",
    "calendar": "Calendar",
    "rotation": "Rotation into stablecoins",
    "costs": "Costs assumed",
    "base": "Base",
}
OTHER = "Further rules"

METHODS = {
    "market_cap": "market cap",
    "free_float_cap": "market cap x free-float share, the market cap where no share is known",
    "sqrt_market_cap": "the square root of market cap",
    "equal": "nothing: all weigh the same",
    "rank": "n, n - 1 down to 1 by rank",
    "volume": "median volume of 30 days",
    "grade_conviction": "points of the Trader Grade above 50, at least 1",
    "inverse_volatility": "1 / standard deviation of daily returns",
    "risk_parity": "what makes every constituent contribute the same variance",
    "hierarchical_risk_parity": "inverse variance down a tree of constituents that move alike",
    "minimum_variance": "what makes the variance smallest, long only",
}
CAPPING = {
    "iterative": "An excess is shared in proportion among the others until every limit holds",
    "single_pass": "An excess is shared among the others once, so that a weight may end above its ceiling",
    "flexible": "An excess is shared once, and a constituent above its ceiling goes only half way down from its present weight",
}
RANKED_BY = {
    "market_cap_usd": "market cap",
    "trader_grade": "Trader Grade",
    "score": "the Trader model's score",
    "feature": "a feature of the catalogue",
}
DAYS = {
    "first": "at 00:00 UTC of the first day of the month",
    "first_business_day": "at the close (24:00 UTC) of the first day of the month from Monday to Friday",
    "last_business_day": "at the close (24:00 UTC) of the last day of the month from Monday to Friday",
}
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
UNDATED = {
    "is_stable": "which tokens are stablecoins",
    "is_wrapped": "which tokens are wrapped",
    "is_fiat_backed": "which stablecoins an issuer backs with dollars",
    "sector": "the sector of a token",
}


@dataclass(frozen=True)
class Change:
    """One line of the change log.

    Attributes:
        version: `major.minor`.
        first_week: as_of_week of the build that used it first.
        content_hash: Hash of its values.
        changes: What changed, one sentence a value; empty for the first version.
    """

    version: str
    first_week: dt.date
    content_hash: str
    changes: tuple[str, ...]


def methodology_document(
    definition: IndexDefinition, *, log: Sequence[Change], year: int, undated: Sequence[str] | None = None
) -> str:
    """The methodology in Markdown.

    Args:
        definition: The index.
        log: Its versions, newest first; at least one.
        year: Calendar year whose rebalances are listed.
        undated: Undated inputs, those of components included; None for the definition's own.

    Raises:
        ValueError: `log` is empty.
    """
    if not log:
        raise ValueError(f"{definition.index_id}: no version is recorded; a methodology without a version is none")
    newest, fields = log[0], list(fields_of(definition))
    parts = [
        f"# {definition.name}: methodology",
        f"Version {newest.version}, in force since the week of {newest.first_week}, content hash `{newest.content_hash}`. Written from the "
        "definition; changes are at the end.",
        "\n".join(
            f"- `{field.path}`: {' '.join(shown(field.value).split())}" for field in fields if field.path in IDENTITY
        ),
        *_rules(definition),
        "## Determination, announcement, effective time",
        *_timetable(definition, year),
        "## Treatments",
        *_treatments(definition, definition.undated_inputs if undated is None else undated),
        "## Versions",
        *_log(log),
    ]
    return "\n\n".join(parts) + "\n"


def shown(value: Any) -> str:
    """A value for reading: no quotes, large numbers in groups of three, sections as `key value`."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}" if abs(value) >= 10_000 else str(value)
        case float():
            return f"{value:,.0f}" if abs(value) >= 10_000 and value.is_integer() else f"{value:g}"
        case dict():
            return ", ".join(f"{name} {shown(each)}" for name, each in value.items())
        case list() | tuple():
            return "; ".join(shown(each) for each in value) or "none"
    return str(value)


def _rules(definition: IndexDefinition) -> list[str]:
    """A heading and its rules by section, then what is not used."""
    sections: dict[str, list[str]] = {}
    unused = []
    for field in fields_of(definition):
        if field.path in IDENTITY:
            continue
        section = field.path.split(".")[0]
        sentence = SENTENCES.get(field.path)
        text = sentence(field.value, definition) if sentence is not None else _generic(field)
        if field.is_default and definition.components:
            text = None  # an index of indices selects and weighs no tokens itself
        if text is None and field.is_default:
            unused.append(f"`{field.path}` ({shown(field.value)})")
            continue
        heading = HEADINGS.get(section, section.replace("_", " ").capitalize() if "." in field.path else OTHER)
        rule = f"- {text or _generic(field, always=True)} (`{field.path}`: {shown(field.value)})"
        sections.setdefault(heading, []).append(rule)
    ordered = sorted(sections, key=lambda heading: heading == OTHER)
    parts = [part for heading in ordered for part in (f"## {heading}", "\n".join(sections[heading]))]
    return [*parts, "## Not used", f"At the default, where it does nothing: {', '.join(unused)}."] if unused else parts


def _generic(field: Field, *, always: bool = False) -> str | None:
    """A field that no sentence was written for; None where it is at its default."""
    if field.is_default and not always:
        return None
    name = field.path.split(".")[-1].replace("_", " ")
    return f"{name.capitalize()} is {shown(field.value)}." + (f" {field.description}" if field.description else "")


def _timetable(definition: IndexDefinition, year: int) -> list[str]:
    instants = timings(definition, midnight(dt.date(year - 1, 12, 31)), midnight(dt.date(year, 12, 31)))
    said = (
        "Decided on Monday 00:00 UTC from what was known then, announced by the run of that Monday, effective at Tuesday 00:00 UTC; "
        "trades are priced at the close that ends then."
        + (
            " Between two Mondays it may leave a stablecoin that lost its peg"
            + (" or follow Bitcoin" if definition.rotation.trigger == "daily" else "")
            + ": determined at a close, effective at the next one, announced by the run of the Monday after."
            if definition.rotation is not None
            else ""
        )
        if definition.is_model_driven
        else "Determined and effective at the same close: the trades are priced at the close that the decision rests on. Announced by the "
        "weekly run of the Monday on or after it; the pro-forma composition shows before it what the newest close would give."
    )
    if definition.components:
        said = (
            "At these instants the indices that it holds are set back to their shares; between them it trades what they trade, at the "
            "same closes. Announced by the weekly run of the Monday on or after it."
        )
    listed = instants if len(instants) <= MOST_INSTANTS else instants[:FIRST_INSTANTS]
    rows = "\n".join(_row(timing) for timing in listed)
    more = f"In {year}" if listed is instants else f"The first {len(listed)} of {len(instants)} in {year}"
    table = f"| determined at | announced from | effective at | members |\n| --- | --- | --- | --- |\n{rows}"
    return [said, f"{more} (UTC):", table]


def _row(timing: Timing) -> str:
    days = (timing.determined_at, timing.announced_from, timing.effective_at)
    members = "chosen anew" if timing.is_review else "those of before"
    return f"| {' | '.join(f'{day:%Y-%m-%d %H:%M}' for day in days)} | {members} |"


def _treatments(definition: IndexDefinition, undated_inputs: Sequence[str]) -> list[str]:
    found = "constituents" + (", or no weights inside its limits," if definition.weighting.may_be_refused else "")
    short = (
        "It is unavailable where one of the indices that it holds is."
        if definition.components
        else "Without a new target it keeps its basket; it does not start before it has one."
        if definition.is_model_driven
        else f"Where a rebalance finds fewer than {definition.minimum_constituents} {found} the index is unavailable until a "
        "Monday or an instant of its calendar on which it finds them; its level then continues from what the old basket has come to."
    )
    undated = [UNDATED.get(column, column) for column in undated_inputs]
    hindsight = (
        f"Rests on undated reference data, which counts as known since a token's first price (hindsight): {'; '.join(undated)}."
        if undated
        else "Rests on no undated reference data."
    )
    lines = (
        "Level: price return, units x price over a divisor, chained so that a rebalance never moves it; no fees, no staking, no airdrops.",
        f"Halts and delistings: a constituent without a price keeps its last one until the next rebalance and leaves at that price; "
        f"a price older than {STALE_AFTER_DAYS} days counts as none, and a token without one is not bought.",
        "Migrations and forks: a migrated token is a new token that must qualify by itself; the old one is treated as delisted. Coins of a "
        "fork are not credited.",
        f"A week in which a close has less than {percent(MIN_PRICED_WEIGHT)} of the weight priced is unavailable as a "
        "whole; the level continues after.",
        short,
        "Corrections: a published week is never rewritten. One that a correction changes gets a new version beside the old one; "
        "docs/explanation/index-governance.md has the policy.",
        hindsight,
    )
    return ["\n".join(f"- {line}" for line in lines)]


def _log(log: Sequence[Change]) -> list[str]:
    rows = "\n".join(
        f"| {each.version} | {each.first_week} | `{each.content_hash[:12]}` | "
        f"{'; '.join(each.changes).replace('|', '/') or 'first version'} |"
        for each in log
    )
    return [
        "Major versions change rules, minor ones words and benchmarks. A version holds for weeks computed since it was recorded; weeks "
        "published before stay as they are.",
        f"| version | since week | content hash | what changed |\n| --- | --- | --- | --- |\n{rows}",
    ]


def _months(numbers: Sequence[int]) -> str:
    return ", ".join(MONTHS[number - 1] for number in numbers)


def _method(method: str, definition: IndexDefinition) -> str | None:
    if definition.weighting.blend:
        return None
    return f"Weights are in proportion to {METHODS.get(method, method)}."


def _blend(parts: Sequence[Mapping[str, Any]], _definition: IndexDefinition) -> str | None:
    if not parts:
        return None
    said = "; ".join(f"{percent(part['share'])} by {METHODS.get(part['method'], part['method'])}" for part in parts)
    return f"Weights are a blend: {said}."


def _capping(capping: str, definition: IndexDefinition) -> str | None:
    weighting = definition.weighting
    is_limited = (
        weighting.cap < 1
        or weighting.floor > 0
        or weighting.rank_caps
        or weighting.volatility_cap
        or weighting.group_caps
        or weighting.liquidity
    )
    return f"{CAPPING.get(capping, capping)}." if is_limited else None


def _covariance_days(days: int, definition: IndexDefinition) -> str | None:
    is_used = any(method in OPTIMISED_METHODS for method in definition.weighting.methods)
    return f"The covariance is that of {days} daily returns up to the snapshot." if is_used else None


def _group_cap(cap: float, _definition: IndexDefinition) -> str:
    return (
        f"All constituents of one group together weigh at most {percent(cap)}."
        if cap < 1
        else "Groups without an exception have no ceiling."
    )


def _leaning(definition: IndexDefinition) -> str:
    tilt = definition.weighting.tilt
    return "low" if tilt is not None and tilt.order == "ascending" else "high"


def _condition(condition: Mapping[str, Any]) -> str:
    """One bound on a feature: the values that the definition gives, in its own words."""
    return ", ".join(
        f"{name.replace('_', ' ')} {shown(value)}" for name, value in condition.items() if value is not None
    )


def _rotation_steps(steps: Sequence[Mapping[str, Any]], _definition: IndexDefinition) -> str:
    if not steps:
        return (
            "Nothing is moved into stablecoins because of Bitcoin; what follows holds for the places that are parked."
        )
    said = ", and ".join(
        f"{percent(step['share'])} while it closes below its {step['below_btc_average_days']}-day average"
        for step in steps
    )
    return f"Bitcoin decides how much of the index is moved into stablecoins: {said}; the steps add up."


def _when(text: str) -> Sentence:
    """A sentence for a number above zero, which stands in it as `{}`; not used at zero or null."""
    return lambda value, _definition: text.format(shown(value)) if value else None


def _shares(parts: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """Parts of a whole, each as its share and its name."""
    return ", ".join(f"{percent(part['weight'])} {part[name]}" for part in parts)


def _usd(text: str) -> Sentence:
    return lambda value, _definition: text.format(usd(value)) if value else None


def _if_weekly(sentence: Sentence) -> Sentence:
    return lambda value, definition: sentence(value, definition) if definition.is_model_driven else None


def _if_monthly(sentence: Sentence) -> Sentence:
    return lambda value, definition: None if definition.is_model_driven else sentence(value, definition)


SENTENCES: Mapping[str, Sentence] = {
    "universe.exclude_stable": lambda value, _: (
        "Stablecoins are left out." if value else "Stablecoins may be constituents."
    ),
    "universe.exclude_wrapped": lambda value, _: (
        "Wrapped tokens are left out." if value else "Wrapped tokens may be constituents."
    ),
    "universe.sector": _when("Only tokens of the sector {} are considered."),
    "universe.exclude_sectors": _when("Tokens of these sectors are left out: {}."),
    "universe.exclude_tokens": _when("These tokens are left out by name: {}."),
    "universe.min_history_days": _when("A token needs at least {} daily closes so far."),
    "eligibility.min_market_cap_usd": _usd("A token needs a market cap of at least {} at the snapshot."),
    "eligibility.min_volume_30d_usd": _usd("A token needs a median 30-day volume of at least {} a day."),
    "eligibility.min_volume_to_cap": _when(
        "Its median 30-day volume is at least {} of its market cap, which keeps fake caps out."
    ),
    "eligibility.min_price_age_days": _when("Its first price is at least {} days old."),
    "eligibility.features": lambda value, _: (
        f"Of the tokens that the ranking looks at, those are held of which this is known and holds: {'; '.join(map(_condition, value))}."
        if value
        else None
    ),
    "eligibility.max_market_cap_usd": _usd("A constituent has a market cap of at most {}."),
    "eligibility.leave_out_calls": _when(
        "Tokens that the Trader model calls {} are not held; one without a call passes."
    ),
    "ranking.by": lambda value, _: (
        f"Eligible tokens are ranked by {RANKED_BY.get(value, value)}; ties by market cap, then by token_id."
    ),
    "ranking.feature": _when("The feature is {}."),
    "ranking.order": lambda value, _: "The lowest come first." if value == "ascending" else "The highest come first.",
    "ranking.among_largest": _when("Only the {} largest eligible tokens by market cap are ranked."),
    "selection.count": lambda value, definition: (
        f"{'At most' if definition.selection.count_rule != 'fixed' else 'The best'} {value} are held; fewer where fewer are eligible."
    ),
    "selection.entry_rank": _when(
        "A token that ranks {} or better enters even if a constituent inside the exit buffer must go for it."
    ),
    "selection.exit_rank": _when("A constituent stays while it ranks {} or better."),
    "selection.count_rule": lambda value, _: (
        None
        if value == "fixed"
        else "As few of the largest, in steps of five, as stand for the whole universe: Akaike's criterion stops falling there."
        if value == "aic"
        else None
    ),
    "selection.leave_out_worst": lambda value, _: (
        f"Of the chosen tokens {percent(value)}, rounded down, are left out again: those with the lowest score of the model at the close "
        "before the one the index trades at. Tokens without a score stay."
        if value
        else None
    ),
    "selection.empty_places": lambda value, definition: (
        f"The weight of a place that no token fills, 1 / {definition.selection.count} each, is parked in stablecoins."
        if value == "stablecoins"
        else "The weight of places that no token fills is shared among the constituents."
    ),
    "weighting.method": _method,
    "weighting.blend": _blend,
    "weighting.volatility_days": lambda value, definition: (
        f"Volatility is that of {value} daily returns up to the snapshot."
        if "inverse_volatility" in definition.weighting.methods or definition.weighting.volatility_cap
        else None
    ),
    "weighting.covariance_days": _covariance_days,
    "weighting.cap": lambda value, _: (
        f"No constituent weighs more than {percent(value)}." if value < 1 else "No ceiling on a constituent."
    ),
    "weighting.floor": lambda value, _: f"No constituent weighs less than {percent(value)}." if value else None,
    "weighting.rank_caps": lambda value, _: (
        f"The largest constituents have ceilings of their own, in their order: {', '.join(percent(cap) for cap in value)}."
        if value
        else None
    ),
    "weighting.volatility_cap": lambda value, _: (
        "The ceiling of a constituent that moves more than the median one is lowered in proportion." if value else None
    ),
    "weighting.capping": _capping,
    "weighting.group_caps.by": lambda value, _: (
        f"Constituents are grouped by {value}; those of no known {value} count together."
    ),
    "weighting.group_caps.cap": _group_cap,
    "weighting.group_caps.exceptions": lambda value, _: (
        f"Groups with a ceiling of their own: {', '.join(each['group'] + ' ' + percent(each['cap']) for each in value)}."
        if value
        else None
    ),
    "weighting.liquidity.capital_usd": _usd("Positions are limited as if {} followed the index."),
    "weighting.liquidity.max_volume_share": _when(
        "No position is larger than {} x the median 30-day volume of its token."
    ),
    "weighting.max_turnover": lambda value, _: (
        f"One rebalance trades at most {percent(value)} of the invested part (half the sum of changes); what leaves goes first, the rest "
        "of the way follows at the next ones."
        if value
        else None
    ),
    "weighting.tilt.features": lambda value, definition: (
        f"Weights lean towards constituents that stand {_leaning(definition)} in {', '.join(value)}, by the mean of their percentile ranks."
    ),
    "weighting.tilt.strength": lambda value, _: (
        f"Each weight is multiplied by 1 + {shown(value)} x (2 x that mean - 1) before limits; what is not known counts as the middle."
    ),
    "calendar.rule": lambda value, definition: (
        "Decided every Monday 00:00 UTC, effective a day later."
        if definition.is_model_driven
        else f"Rebalanced {DAYS.get(definition.calendar.day, definition.calendar.day)}."
    ),
    "calendar.day": _if_monthly(
        lambda value, _: (
            None
            if value == "first"
            else f"The day is the {value.replace('_', ' ')}; public holidays are not known here."
        )
    ),
    "calendar.months": _if_monthly(
        lambda value, _: "It trades in every month." if len(value) == len(MONTHS) else f"It trades in {_months(value)}."
    ),
    "calendar.review_months": _if_monthly(
        lambda value, _: (
            f"Members are chosen anew in {_months(value)}; in the other months those of before are weighted anew."
            if value
            else "Members are chosen anew at every rebalance."
        )
    ),
    "calendar.retrade": _if_weekly(
        lambda value, _: (
            "It trades only when a constituent or the share in stables changes, or a weight leaves its band."
            if value == "on_change"
            else "It trades to its targets every week."
        )
    ),
    "calendar.retrade_band": _if_weekly(
        lambda value, definition: (
            f"The band: a weight more than {percent(value)} of the index off its target makes it trade."
            if definition.calendar.retrade == "on_change"
            else None
        )
    ),
    "rotation": lambda _, __: None,
    "rotation.steps": _rotation_steps,
    "rotation.trigger": lambda value, _: (
        "Bitcoin is followed in the middle of the week, too: where a close asks for another share, all is decided anew from the newest "
        "Sunday's scores and traded one day after that close."
        if value == "daily"
        else "The share in stablecoins is decided with the rest, once a week or at each rebalance."
    ),
    "rotation.min_hold_days": _when("A share in stablecoins is kept for at least {} days."),
    "rotation.peg_tolerance": lambda value, _: (
        f"A stablecoin is bought only while it closes within {percent(value)} of 1 USD."
    ),
    "rotation.stables": _when("The {} largest stablecoins that an issuer backs with dollars are held, by market cap."),
    "rotation.leave_below_usd": _when(
        "One that closes below {} USD is left for the others at the next close, in the middle of the week too."
    ),
    "costs.venue_fee": lambda value, _: f"Figures after costs assume a venue's fee of {100 * value:g} % of each trade.",
    "costs.max_volume_share": lambda value, _: (
        f"They trade at most {percent(value)} of a token's daily volume and carry the rest to the next day."
    ),
    "base.level": _when("The level starts at {}."),
    "base.date": lambda value, _: (
        "It starts in the first week with enough constituents."
        if value == "auto"
        else f"The base is the close of {value}."
    ),
    "components": lambda value, _: (
        f"It holds other indices, whose tokens are published as its own: {_shares(value, name='index')}."
        if value
        else None
    ),
    "weighting.core": lambda value, _: (
        f"Always held at a fixed share of the invested part: {_shares(value, name='token_id')}." if value else None
    ),
    "rotation.floor_share": lambda value, _: (
        f"{percent(value)} of the index is in stablecoins all the time; the steps are shares of the rest."
        if value
        else None
    ),
    "risk_mode": _when("The risk mode {} sets what the fields say that belong to it."),
    "twin": _when("It is measured against its passive twin {}: the same universe and ceiling, without the model."),
    "minimum_constituents": lambda value, definition: (
        f"With fewer than {value} {'tokens that could be judged' if definition.parks_empty_places else 'constituents'} the index is not "
        "calculated."
    ),
    "market_cap_half_life_days": _when(
        "Market caps in ranking and weights are exponential averages with a half-life of {} days."
    ),
}
"""Words by path. A sentence returns None where the value does nothing for this index."""
