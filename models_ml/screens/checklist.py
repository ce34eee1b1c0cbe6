"""The moonshot checklist: each item a question that a snapshot answers with yes, no or null, and the evidence for it.

Belongs here: the items, their thresholds, the text and the date of the evidence.
Does not: who is screened and how answers become a score (`moonshots.py`), reading the sources (`orchestration/lib/screen_inputs.py`).

An item rests on one or more measures. Most items need all of theirs; the community, developers, large holders and listings are
seen through several sources of which any may be absent, so there half of the measures that are known decide.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field


class ChecklistThresholds(BaseModel):
    """When an item is true. Fractions unless the name says otherwise; frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min_trader_grade: float = Field(default=85.0, ge=0, le=100)
    min_momentum_score: float = Field(default=80.0, ge=0, le=100)
    """Mean place (0-100) of the returns of 7, 30 and 90 days among the graded tokens of the day."""
    min_momentum_change_7d: float = Field(default=10.0, ge=-100, le=100)
    """Points that place has gained in a week: high momentum alone is often old."""
    min_sector_rank_gain_7d: int = 1
    """Places the sector has gained in a week in the order of 30-day returns."""
    min_sector_volume_share_change_7d: float = 0.0
    """Change of the sector's share of the market's volume, above which money moves in."""
    min_sector_return_less_btc_7d: float = 0.0
    max_sector_return_90d: float = 1.0
    """A sector that has gained more in 90 days is no early narrative."""
    min_active_addresses_growth_30d: float = 0.10
    min_watchlist_growth_28d: float = 0.05
    min_reddit_subscribers_growth_28d: float = 0.02
    min_mention_surge: float = Field(default=2.0, gt=0)
    """Share of the week's headlines that name the token over its share of 90 days, a ratio."""
    min_holders_growth_28d: float = 0.05
    min_commits_growth_12w: float = 0.10
    min_authors_growth_12w: float = 0.10
    min_top_10_holder_share_change_28d: float = 0.01
    min_exchange_outflow_7d: float = 0.005
    """Fraction of the supply that left exchanges, net, in a week."""
    min_volume_surge: float = Field(default=1.5, gt=0)
    min_bullish_closes_7d: int = Field(default=3, ge=1, le=7)
    max_days_listed: int = Field(default=30, ge=0)
    max_cliff_unlock_share_30d: float = Field(default=0.01, ge=0, le=1)
    """A cliff reaches the market in one day; the same tokens released day by day weigh less."""
    max_linear_unlock_share_30d: float = Field(default=0.03, ge=0, le=1)


@dataclass(frozen=True)
class Measure:
    """One figure an item looks at.

    Attributes:
        column: Column of the snapshot that is shown as evidence.
        rule: When it speaks for the token, in words.
        holds: The same as an expression.
        dated_by: Day (UTC) of the fact it rests on, as an expression.
        is_known: Whether it can be judged; by default where the column is not null.
    """

    column: str
    rule: str
    holds: pl.Expr
    dated_by: pl.Expr
    is_known: pl.Expr | None = None

    @property
    def known(self) -> pl.Expr:
        """Whether the measure can be judged, never null."""
        is_known = pl.col(self.column).is_not_null() if self.is_known is None else self.is_known
        return is_known.fill_null(value=False)


@dataclass(frozen=True)
class ChecklistItem:
    """One item: all its measures must be known and hold, or, where `needs_all` is false, half of those that are known."""

    name: str
    measures: tuple[Measure, ...]
    needs_all: bool = True
    is_hindsight: bool = False
    """Whether it rests on an undated list, which counts as known since the token's first price."""

    @property
    def rule(self) -> str:
        """Its threshold in words."""
        if self.needs_all:
            return " and ".join(measure.rule for measure in self.measures)
        return "half of the known: " + ", ".join(measure.rule for measure in self.measures)

    @property
    def date_column(self) -> str:
        """Name of the column with the date of its evidence."""
        return f"{self.name}_date"


PRICE_DATE, CALLS_DATE = "priced_date", "calls_date"

OPTIONAL_INPUTS: dict[str, pl.DataType] = {
    "sector_rank_gain_7d": pl.Int64(),
    "sector_volume_share_change_7d": pl.Float64(),
    "sector_return_less_btc_7d": pl.Float64(),
    "sector_return_90d": pl.Float64(),
    "sector_date": pl.Date(),
    "active_addresses_growth_30d": pl.Float64(),
    "onchain_date": pl.Date(),
    "watchlist_growth_28d": pl.Float64(),
    "reddit_subscribers_growth_28d": pl.Float64(),
    "community_date": pl.Date(),
    "news_mention_surge_7d_90d": pl.Float64(),
    "mentions_date": pl.Date(),
    "holders_growth_28d": pl.Float64(),
    "top_10_holder_share": pl.Float64(),
    "top_10_holder_share_change_28d": pl.Float64(),
    "holders_date": pl.Date(),
    "commits_growth_12w": pl.Float64(),
    "authors_growth_12w": pl.Float64(),
    "developers_date": pl.Date(),
    "exchange_net_inflow_7d": pl.Float64(),
    "cliff_unlock_30d_share": pl.Float64(),
    "linear_unlock_30d_share": pl.Float64(),
    "unlocks_date": pl.Date(),
    "exchange_listed_at": pl.Date(),
    "has_exchange_data": pl.Boolean(),
    "dex_listed_at": pl.Date(),
    "has_dex_data": pl.Boolean(),
}
"""Inputs of items whose sources many installations lack; a snapshot without the column answers null.

`top_10_holder_share_change_28d`: change of the share of the supply that the ten largest holders of the token's largest contract have,
between two readings at least 28 days apart. `exchange_net_inflow_7d`: fraction of the supply that came to exchanges, net. The unlock
shares: tokens released in the next 30 days over those in circulation, at once and day by day. `exchange_listed_at` and
`dex_listed_at`: the newest listing on a followed exchange, the first pool on a decentralised one; null where there is none, which is
an answer where `has_exchange_data` and `has_dex_data` say that somebody looked.
"""


def checklist(thresholds: ChecklistThresholds) -> tuple[ChecklistItem, ...]:
    """The ten items, in the order they are shown."""
    limits = thresholds
    return (
        ChecklistItem("is_grade_high", (_at_least("trader_grade", limits.min_trader_grade, "grade_date"),)),
        ChecklistItem(
            "is_momentum_surging",
            (
                _at_least("momentum_score", limits.min_momentum_score, PRICE_DATE),
                _at_least("momentum_score_change_7d", limits.min_momentum_change_7d, PRICE_DATE),
            ),
        ),
        ChecklistItem(
            "is_narrative_early",
            (
                _at_least("sector_rank_gain_7d", limits.min_sector_rank_gain_7d, "sector_date"),
                _above("sector_volume_share_change_7d", limits.min_sector_volume_share_change_7d, "sector_date"),
                _above("sector_return_less_btc_7d", limits.min_sector_return_less_btc_7d, "sector_date"),
                _below("sector_return_90d", limits.max_sector_return_90d, "sector_date"),
            ),
            is_hindsight=True,
        ),
        ChecklistItem(
            "is_community_growing",
            (
                _at_least("active_addresses_growth_30d", limits.min_active_addresses_growth_30d, "onchain_date"),
                _at_least("watchlist_growth_28d", limits.min_watchlist_growth_28d, "community_date"),
                _at_least("reddit_subscribers_growth_28d", limits.min_reddit_subscribers_growth_28d, "community_date"),
                _at_least("holders_growth_28d", limits.min_holders_growth_28d, "holders_date"),
                _at_least("news_mention_surge_7d_90d", limits.min_mention_surge, "mentions_date"),
            ),
            needs_all=False,
        ),
        ChecklistItem(
            "is_developer_activity_rising",
            (
                _at_least("commits_growth_12w", limits.min_commits_growth_12w, "developers_date"),
                _at_least("authors_growth_12w", limits.min_authors_growth_12w, "developers_date"),
            ),
            needs_all=False,
        ),
        ChecklistItem(
            "is_large_holder_inflow",
            (
                _at_least("top_10_holder_share_change_28d", limits.min_top_10_holder_share_change_28d, "holders_date"),
                _at_most("exchange_net_inflow_7d", -limits.min_exchange_outflow_7d, "onchain_date"),
            ),
            needs_all=False,
        ),
        ChecklistItem(
            "is_volume_surging_with_price",
            (
                _at_least("volume_surge_7d_30d", limits.min_volume_surge, PRICE_DATE),
                _above("return_7d", 0.0, PRICE_DATE),
            ),
        ),
        ChecklistItem(
            "is_bullish_repeated", (_at_least("bullish_closes_7d", limits.min_bullish_closes_7d, CALLS_DATE),)
        ),
        ChecklistItem(
            "is_newly_listed",
            (
                _listed("exchange_listed_at", "has_exchange_data", limits.max_days_listed),
                _listed("dex_listed_at", "has_dex_data", limits.max_days_listed),
            ),
            needs_all=False,
        ),
        ChecklistItem(
            "is_free_of_major_unlock",
            (
                _below("cliff_unlock_30d_share", limits.max_cliff_unlock_share_30d, "unlocks_date"),
                _below("linear_unlock_30d_share", limits.max_linear_unlock_share_30d, "unlocks_date"),
            ),
        ),
    )


def answered(item: ChecklistItem) -> list[pl.Expr]:
    """The item's columns: its answer, null where too little is known to settle it, and the newest date of its evidence."""
    known = pl.sum_horizontal(measure.known.cast(pl.Int32) for measure in item.measures)
    holding = pl.sum_horizontal(
        (measure.known & measure.holds).fill_null(value=False).cast(pl.Int32) for measure in item.measures
    )
    is_answered = (known == len(item.measures)) if item.needs_all else (known > 0)
    answer = (holding == len(item.measures)) if item.needs_all else (2 * holding >= known)
    dates = [pl.when(measure.known).then(measure.dated_by) for measure in item.measures]
    return [
        pl.when(is_answered).then(answer).alias(item.name),
        pl.when(is_answered).then(pl.max_horizontal(dates)).alias(item.date_column),
    ]


def evidence_text(items: tuple[ChecklistItem, ...], row: Mapping[str, Any]) -> str:
    """JSON object with one entry an item: its answer, the values it rests on, the date of the newest and its threshold."""
    entries = {}
    for item in items:
        date = row[item.date_column]
        entries[item.name] = {
            "answer": row[item.name],
            "values": {measure.column: _plain(row[measure.column]) for measure in item.measures},
            "date": date.isoformat() if date is not None else None,
            "threshold": item.rule,
        }
        if item.is_hindsight:
            entries[item.name]["is_hindsight"] = True
    return json.dumps(entries, sort_keys=True)


def _at_least(column: str, threshold: float, dated_by: str) -> Measure:
    return Measure(column, f"{column} >= {threshold:g}", pl.col(column) >= threshold, pl.col(dated_by))


def _at_most(column: str, threshold: float, dated_by: str) -> Measure:
    return Measure(column, f"{column} <= {threshold:g}", pl.col(column) <= threshold, pl.col(dated_by))


def _above(column: str, threshold: float, dated_by: str) -> Measure:
    return Measure(column, f"{column} > {threshold:g}", pl.col(column) > threshold, pl.col(dated_by))


def _below(column: str, threshold: float, dated_by: str) -> Measure:
    return Measure(column, f"{column} < {threshold:g}", pl.col(column) < threshold, pl.col(dated_by))


def _listed(column: str, is_followed: str, days: int) -> Measure:
    """A listing within so many days of the close; a token that no followed place ever listed is not newly listed."""
    age = (pl.col("as_of_week") - dt.timedelta(days=1) - pl.col(column)).dt.total_days()
    return Measure(
        column,
        f"{column} within {days} days",
        age <= days,
        # Where there is no listing, the evidence is that there was none at the close.
        pl.coalesce(column, PRICE_DATE),
        is_known=pl.col(is_followed),
    )


def _plain(value: Any) -> Any:
    """A value as JSON takes it; digits beyond the sixth tell a reader nothing."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(f"{value:.6g}") if isinstance(value, float) else value
