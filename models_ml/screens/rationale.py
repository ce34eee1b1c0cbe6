"""A pick in words: why it is there, what speaks against it, and the odds of tokens like it.

Belongs here: sentences made from a row, each number in them a column of that row.
Does not: the numbers (`checklist.py`, `moonshots.py`, `plan.py`), links and open questions (`research_card.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from models_ml.screens.base_rates import ALL
from models_ml.screens.moonshots import BY_CHANCE
from models_ml.screens.universe import NAMED_BY_CONTRACT

Row = Mapping[str, Any]

SUBJECTS: Final[dict[str, str]] = {
    "is_grade_high": "Trader Grade",
    "is_momentum_surging": "momentum",
    "is_narrative_early": "sector",
    "is_community_growing": "community",
    "is_developer_activity_rising": "developers",
    "is_large_holder_inflow": "large holders",
    "is_volume_surging_with_price": "volume",
    "is_bullish_repeated": "calls",
    "is_newly_listed": "listings",
    "is_free_of_major_unlock": "unlocks",
}
"""What each item of the checklist is about, in the order of the checklist."""


def rationale(row: Row) -> str:
    """Three sentences on a pick: why, what speaks against it and what is not known, and the odds of its bucket.

    Args:
        row: One planned pick: columns of `moonshots.screen_moonshots` and `plan.plan_picks`, `candidates` (tokens that were ranked), the
            buckets and the base rates of its week (null where there are none).
    """
    return " ".join((_why(row), _against(row), _odds(row)))


def _why(row: Row) -> str:
    if row["ranked_by"] == BY_CHANCE:
        triple = f", of tripling {_percent(row['p_3x_90d'])}" if row["p_3x_90d"] is not None else ""
        reason = f"by the model's chance of doubling within 90 days, {_percent(row['p_2x_90d'])}{triple}"
    else:
        reason = f"by the checklist's score of {row['score']:.0f}, as the week has no model of the chance of doubling"
    place = f"Ranked {row['rank']} of {_count(row['candidates'], 'candidate')} {reason}"
    reasons = [text(row) for name, text in _FOR.items() if row[name]]
    if not reasons:
        return f"{place}; no item of the checklist speaks for it."
    speak = "speaks" if len(reasons) == 1 else "speak"
    return f"{place}; {row['checks_true']} of {row['checks_known']} known items {speak} for it: {', '.join(reasons)}."


def _against(row: Row) -> str:
    reasons = [text(row) for name, text in _AGAINST.items() if row[name] is False]
    if row["risk_flags"]:
        reasons.append("warned of: " + row["risk_flags"].replace("_", " ").replace(",", ", "))
    if row["token_id"].startswith(NAMED_BY_CONTRACT):
        reasons.append("only pools of decentralised exchanges know it, so its market cap is fully diluted")
    if row["risk_marks"]:
        reasons.append(row["risk_marks"].replace("; ", ", "))
    unknown = [subject for name, subject in SUBJECTS.items() if row[name] is None]
    parts = [f"Against it: {'; '.join(reasons)}." if reasons else "Nothing that is known speaks against it."]
    if unknown:
        parts.append(f"Not known: {', '.join(unknown)}.")
    return " ".join(parts)


def _odds(row: Row) -> str:
    if row["base_rate_2x_90d"] is None:
        return "No odds yet: too few tokens of its volatility have been followed for 90 days before this week."
    half = f" and {_percent(row['base_rate_half_90d'])} lost half" if row["base_rate_half_90d"] is not None else ""
    kin = "volatility, of every size," if row["cap_bucket"] == ALL else "size and volatility"
    return (
        f"Of {row['base_rate_observations']:,} earlier weeks of tokens of its {kin} {_percent(row['base_rate_2x_90d'])} "
        f"doubled within 90 days{half}, with no stop set."
    )


_FOR: Final[dict[str, Callable[[Row], str]]] = {
    "is_grade_high": lambda row: f"Trader Grade {row['trader_grade']:.0f}",
    "is_momentum_surging": lambda row: (
        f"momentum {row['momentum_score']:.0f} of 100, {round(row['momentum_score_change_7d']):+d} in a week"
    ),
    "is_narrative_early": lambda row: (
        f"its sector {row['sector']} rose {_count(row['sector_rank_gain_7d'], 'place')} in a week and draws volume (sectors are known "
        "in hindsight)"
    ),
    "is_community_growing": lambda _: "a growing community",
    "is_developer_activity_rising": lambda _: "more work on its code",
    "is_large_holder_inflow": lambda _: "large holders adding",
    "is_volume_surging_with_price": lambda row: (
        f"volume {row['volume_surge_7d_30d']:.1f} times its usual with the price {_signed(row['return_7d'])} in a week"
    ),
    "is_bullish_repeated": lambda row: f"called bullish at {row['bullish_closes_7d']} of the last 7 closes",
    "is_newly_listed": lambda row: (
        f"newly listed ({max(date for date in (row['exchange_listed_at'], row['dex_listed_at']) if date is not None)})"
    ),
    "is_free_of_major_unlock": lambda _: "no major unlock in 30 days",
}

_AGAINST: Final[dict[str, Callable[[Row], str]]] = {
    "is_grade_high": lambda row: f"Trader Grade only {row['trader_grade']:.0f}",
    "is_momentum_surging": lambda row: (
        f"momentum {row['momentum_score']:.0f} of 100, {round(row['momentum_score_change_7d']):+d} in a week"
    ),
    "is_narrative_early": lambda row: f"its sector {row['sector']} is not turning up",
    "is_community_growing": lambda _: "no growth of its community",
    "is_developer_activity_rising": lambda _: "no more work on its code than before",
    "is_large_holder_inflow": lambda _: "large holders are not adding",
    "is_volume_surging_with_price": lambda row: (
        f"volume {row['volume_surge_7d_30d']:.1f} times its usual, price {_signed(row['return_7d'])} in a week"
    ),
    "is_bullish_repeated": lambda row: f"called bullish at {row['bullish_closes_7d']} of the last 7 closes",
    "is_free_of_major_unlock": lambda row: (
        f"{_percent(row['cliff_unlock_30d_share'] + row['linear_unlock_30d_share'])} of its supply unlocks within 30 days "
        f"({_percent(row['cliff_unlock_30d_share'])} at once)"
    ),
}
"""An old listing speaks against nothing."""


def _percent(fraction: float) -> str:
    if fraction < 0.0005:
        return "0 %"
    return f"{100 * fraction:.1f} %" if fraction < 0.1 else f"{100 * fraction:.0f} %"


def _signed(fraction: float) -> str:
    percent = round(100 * fraction)
    if percent == 0:
        return "unchanged"
    return f"{'up' if percent > 0 else 'down'} {abs(percent)} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
