"""Checks between the sections of an index definition: each names the field, the values that do not fit and the way out.

Belongs here: what no section can tell by itself. Does not: sections (`sections.py`, `weighting_rules.py`), the wording of pydantic's own
problems and line numbers (`definition_problems.py`).
"""

import datetime as dt
import math
from typing import TYPE_CHECKING

from models_ml.indices.component_rules import component_problems
from models_ml.indices.definition_problems import FieldProblem
from models_ml.indices.feature_rules import condition_problems
from models_ml.indices.risk_modes import risk_problems
from models_ml.indices.sections import EVERY_MONTH
from models_ml.indices.strict import TOLERANCE
from models_ml.indices.weighting_rules import weighting_problems

if TYPE_CHECKING:
    from models_ml.indices.definition import IndexDefinition


def problems_between(definition: "IndexDefinition") -> list[FieldProblem]:
    """All that does not fit together in a definition whose sections are valid; empty where all does."""
    if definition.components:
        return _component_problems(definition)
    return [
        *_weighting_problems(definition),
        *_selection_problems(definition),
        *_timing_problems(definition),
        *_feature_problems(definition),
        *_empty_place_problems(definition),
        *_risk_problems(definition),
    ]


def _component_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    problems = component_problems(
        definition.components,
        index_id=definition.index_id,
        given=definition.model_fields_set,
        rule=definition.calendar.rule,
        has_reviews=definition.calendar.review_months is not None,
    )
    return list(problems)


def _risk_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    if definition.risk_mode is None:
        return []
    sections = definition.model_dump(include={"rotation", "weighting"})
    return list(risk_problems(definition.risk_mode, sections, is_weekly=definition.is_model_driven))


def _weighting_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    count = definition.selection.count
    # Limits are fractions of all places, filled or not, so empty ones make none of them harder to meet.
    fewest = count if definition.parks_empty_places else min(definition.minimum_constituents, count)
    problems = list(
        weighting_problems(definition.weighting, count=count, fewest=fewest, sector=definition.universe.sector)
    )
    left_out = sorted({*definition.universe.exclude_tokens} & definition.weighting.core_weights.keys())
    if left_out:
        problems.append(
            FieldProblem(
                "weighting.core",
                f"universe.exclude_tokens leaves out {left_out[0]}",
                "take it out of one of the two; a token of the core is never selected a second time",
            )
        )
    if definition.weighting.core and definition.parks_empty_places:
        problems.append(
            FieldProblem(
                "weighting.core",
                "has a fixed share of what is invested, which selection.empty_places stablecoins would lower with every empty place",
                "leave one of the two out",
            )
        )
    if definition.weighting.max_turnover is not None and definition.calendar.review_months is not None:
        problems.append(
            FieldProblem(
                "weighting.max_turnover",
                "a token that leaves by parts would be weighed again between reviews (calendar.review_months), "
                "because all that is held is",
                "leave one of the two out",
            )
        )
    return problems


def _selection_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    selection, pool = definition.selection, definition.ranking.among_largest
    problems = []
    if definition.minimum_constituents > selection.smallest_count and not definition.parks_empty_places:
        left = " less those left out as the worst" if selection.smallest_count < selection.count else ""
        problems.append(
            FieldProblem(
                "minimum_constituents",
                f"{definition.minimum_constituents} exceeds selection.count {selection.count}{left}, so the index never starts",
                f"set at most {selection.smallest_count}",
            )
        )
    if selection.leave_out_worst > 0 and selection.smallest_count == selection.count:
        problems.append(
            FieldProblem(
                "selection.leave_out_worst",
                f"{selection.leave_out_worst:g} of selection.count {selection.count} is less than one token, so none is left out",
                f"raise it to at least {1 / selection.count:.4g}, or select more tokens",
            )
        )
    limits = definition.eligibility
    if limits.max_market_cap_usd is not None and limits.max_market_cap_usd <= limits.min_market_cap_usd:
        problems.append(
            FieldProblem(
                "eligibility.max_market_cap_usd",
                f"{limits.max_market_cap_usd:g} is not above min_market_cap_usd {limits.min_market_cap_usd:g}",
                "raise it, lower the other, or leave it out",
            )
        )
    if selection.exit_rank is not None and selection.exit_rank < selection.count:
        problems.append(
            FieldProblem(
                "selection.exit_rank",
                f"{selection.exit_rank} lies below selection.count {selection.count}, so no buffer is left",
                f"set at least {selection.count}, or leave it out",
            )
        )
    if selection.entry_rank is not None and selection.entry_rank > selection.count:
        problems.append(
            FieldProblem(
                "selection.entry_rank",
                f"{selection.entry_rank} exceeds selection.count {selection.count}, so more would enter than fit",
                f"set at most {selection.count}, or leave it out",
            )
        )
    if pool is not None and pool < max(selection.count, selection.exit_rank or 0):
        problems.append(
            FieldProblem(
                "ranking.among_largest",
                f"{pool} is less than selection.count {selection.count} or exit_rank {selection.exit_rank}",
                f"set at least {max(selection.count, selection.exit_rank or 0)}",
            )
        )
    return problems


def _timing_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    problems = _calendar_problems(definition)
    start = definition.base.date
    if definition.is_model_driven and isinstance(start, dt.date) and start.weekday() != 0:
        monday = start + dt.timedelta(days=7 - start.weekday())
        problems.append(
            FieldProblem(
                "base.date",
                f"{start} is no Monday, but calendar.rule weekly_model first trades at the close of a Monday",
                f"set {monday}, or auto",
            )
        )
    if definition.eligibility.leave_out_calls and not definition.is_model_driven:
        problems.append(
            FieldProblem(
                "eligibility.leave_out_calls",
                "calls are known a day after the close they rest on, but calendar.rule monthly trades at that close",
                "set calendar.rule to weekly_model, or leave it out",
            )
        )
    if definition.rotation is not None:
        if definition.rotation.trigger == "daily" and not definition.is_model_driven:
            problems.append(
                FieldProblem(
                    "rotation.trigger",
                    "daily needs a close between decision and trade, but calendar.rule monthly trades at the close it decides on",
                    "set calendar.rule to weekly_model, or rotation.trigger to weekly",
                )
            )
        total = math.fsum(step.share for step in definition.rotation.steps)
        if total > 1 + TOLERANCE:
            problems.append(
                FieldProblem("rotation.steps", f"shares add up to {total:g}", "lower them to a sum of 1 or less")
            )
        if not definition.rotation.steps and not definition.rotation.floor_share and not definition.parks_empty_places:
            problems.append(
                FieldProblem(
                    "rotation.steps",
                    "has no step, so nothing is ever moved into stables",
                    "add a step, set a floor_share, set selection.empty_places to stablecoins, or leave the rotation out",
                )
            )
    if definition.parking is not None and not definition.universe.exclude_stable:
        problems.append(
            FieldProblem(
                "rotation" if definition.rotation is not None else "selection.empty_places",
                "universe.exclude_stable is false, so a stablecoin could be constituent and refuge at once",
                "set universe.exclude_stable to true, or park nothing",
            )
        )
    return problems


def _feature_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    problems = list(condition_problems(definition.eligibility.features))
    ranking = definition.ranking
    if ranking.by == "feature" and ranking.feature is None:
        problems.append(FieldProblem("ranking.by", "feature names none", "add ranking.feature"))
    if ranking.by != "feature" and ranking.feature is not None:
        problems.append(
            FieldProblem(
                "ranking.feature",
                f"{ranking.feature} is not looked at, because ranking.by is {ranking.by}",
                "set ranking.by to feature, or leave it out",
            )
        )
    return problems


def _empty_place_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    if not definition.parks_empty_places:
        return []
    pool, weighting = definition.ranking.among_largest, definition.weighting
    field = "selection.empty_places"
    problems = []
    if not definition.is_model_driven:
        problems.append(
            FieldProblem(
                field,
                f"stablecoins are watched in the middle of the week, but calendar.rule is {definition.calendar.rule}",
                "set calendar.rule to weekly_model",
            )
        )
    if pool is not None and definition.minimum_constituents > pool:
        problems.append(
            FieldProblem(
                "minimum_constituents",
                f"{definition.minimum_constituents} exceeds ranking.among_largest {pool}, so the index never starts",
                f"set at most {pool}",
            )
        )
    if definition.selection.count_rule == "aic":
        problems.append(
            FieldProblem(
                field,
                "selection.count_rule aic changes the number of places, so none is ever empty",
                "set share_out",
            )
        )
    if weighting.max_turnover is not None or weighting.capping == "flexible":
        problems.append(
            FieldProblem(
                field,
                "weighting.max_turnover and weighting.capping flexible compare with the invested part of before, "
                "which grows and shrinks with the places that are filled",
                "leave them out, or set share_out",
            )
        )
    if definition.rotation is not None and definition.rotation.trigger == "daily":
        problems.append(
            FieldProblem(
                "rotation.trigger",
                "places are filled and emptied on Sundays only, so the share in stables cannot follow the middle of the week",
                "set weekly, or selection.empty_places to share_out",
            )
        )
    if definition.rotation is not None and definition.rotation.min_hold_days > 0:
        problems.append(
            FieldProblem(
                "rotation.min_hold_days",
                f"a share in stables that changes with the places that are filled cannot be held for "
                f"{definition.rotation.min_hold_days} days",
                "set 0, or selection.empty_places to share_out",
            )
        )
    return problems


def _calendar_problems(definition: "IndexDefinition") -> list[FieldProblem]:
    calendar = definition.calendar
    unknown = [month for month in calendar.review_months or () if month not in calendar.months]
    problems = []
    if unknown:
        problems.append(
            FieldProblem(
                "calendar.review_months",
                f"{unknown} are not in calendar.months {list(calendar.months)}, so nothing is reviewed then",
                "name only months in which the index trades",
            )
        )
    if definition.is_model_driven and definition.selection.leave_out_worst > 0:
        problems.append(
            FieldProblem(
                "selection.leave_out_worst",
                "belongs to rule monthly, but calendar.rule is weekly_model, which can rank by the score itself",
                "set ranking.by to score, or calendar.rule to monthly",
            )
        )
    if definition.is_model_driven and (calendar.months, calendar.review_months, calendar.day) != (
        EVERY_MONTH,
        None,
        "first",
    ):
        problems.append(
            FieldProblem(
                "calendar",
                "day, months and review_months belong to rule monthly, but the rule is weekly_model",
                "leave them out, or set rule to monthly",
            )
        )
    return problems
