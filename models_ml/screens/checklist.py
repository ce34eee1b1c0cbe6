"""The moonshot checklist: each item a question that a snapshot answers with yes, no or null, and the evidence for it.

Belongs here: the items, their thresholds and the text of the evidence.
Does not: who is screened and how answers become a score (`moonshots.py`).
"""

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
    min_return_7d: float = 0.05
    min_return_30d: float = 0.20
    min_sector_rank: float = Field(default=0.75, ge=0, le=1)
    min_active_addresses_growth_30d: float = 0.10
    min_commits_growth_30d: float = 0.10
    min_large_holder_inflow_30d: float = 0.01
    min_volume_surge: float = Field(default=1.5, gt=0)
    min_bullish_signals_4w: int = Field(default=2, ge=1, le=4)
    max_days_listed: int = Field(default=30, ge=0)
    max_unlock_share_30d: float = Field(default=0.02, ge=0, le=1)


@dataclass(frozen=True)
class ChecklistItem:
    """One item: `answer` is null where `inputs` are; `rule` is its threshold in words."""

    name: str
    inputs: tuple[str, ...]
    rule: str
    answer: pl.Expr


OPTIONAL_INPUTS: dict[str, pl.DataType] = {
    "commits_growth_30d": pl.Float64(),
    "large_holder_inflow_30d": pl.Float64(),
    "unlock_share_next_30d": pl.Float64(),
}
"""Inputs of items whose sources many installations lack; a snapshot without the column answers null.

`commits_growth_30d`: change of commits over the 30 days before. `large_holder_inflow_30d`: net inflow to large holders
as a fraction of the supply. `unlock_share_next_30d`: tokens unlocked in the next 30 days as a fraction of the supply.
"""


def checklist(thresholds: ChecklistThresholds, *, as_of_week: dt.date) -> tuple[ChecklistItem, ...]:
    """The ten items, in the order they are shown.

    Args:
        thresholds: When an item is true.
        as_of_week: The Monday of the week; a listing is dated against its close, the day before.
    """
    limits = thresholds
    newest = as_of_week - dt.timedelta(days=1)
    days_listed = (pl.lit(newest) - pl.col("exchange_listed_at")).dt.total_days()
    # A token that no covered exchange ever listed is not newly listed; without exchange data nobody can tell.
    is_newly_listed = pl.when(pl.col("has_exchange_data")).then(
        (days_listed <= limits.max_days_listed).fill_null(value=False)
    )
    return (
        _at_least("is_grade_high", "trader_grade", limits.min_trader_grade),
        ChecklistItem(
            "is_momentum_surging",
            ("return_7d", "return_30d"),
            f"return_7d >= {limits.min_return_7d:g} and return_30d >= {limits.min_return_30d:g}",
            (pl.col("return_7d") >= limits.min_return_7d) & (pl.col("return_30d") >= limits.min_return_30d),
        ),
        _at_least("is_narrative_early", "sector_return_30d_rank", limits.min_sector_rank),
        _at_least("is_community_growing", "active_addresses_growth_30d", limits.min_active_addresses_growth_30d),
        _at_least("is_developer_activity_rising", "commits_growth_30d", limits.min_commits_growth_30d),
        _at_least("is_large_holder_inflow", "large_holder_inflow_30d", limits.min_large_holder_inflow_30d),
        ChecklistItem(
            "is_volume_surging_with_price",
            ("volume_surge_7d_30d", "return_7d"),
            f"volume_surge_7d_30d >= {limits.min_volume_surge:g} and return_7d > 0",
            (pl.col("volume_surge_7d_30d") >= limits.min_volume_surge) & (pl.col("return_7d") > 0),
        ),
        _at_least("is_bullish_repeated", "bullish_signals_4w", limits.min_bullish_signals_4w),
        ChecklistItem(
            "is_newly_listed",
            ("has_exchange_data",),
            f"exchange_listed_at within {limits.max_days_listed} days of {newest}",
            is_newly_listed,
        ),
        ChecklistItem(
            "is_free_of_major_unlock",
            ("unlock_share_next_30d",),
            f"unlock_share_next_30d < {limits.max_unlock_share_30d:g}",
            pl.col("unlock_share_next_30d") < limits.max_unlock_share_30d,
        ),
    )


def answered(item: ChecklistItem) -> pl.Expr:
    """The item's column: null as soon as one of its inputs is, even where the others would settle it."""
    is_known = pl.all_horizontal(pl.col(column).is_not_null() for column in item.inputs)
    return pl.when(is_known).then(item.answer).alias(item.name)


def evidence_text(items: tuple[ChecklistItem, ...], row: Mapping[str, Any]) -> str:
    """JSON object with one entry an item: its answer, the values it rests on and its threshold."""
    entries = {}
    for item in items:
        shown = (*item.inputs, "exchange_listed_at") if item.name == "is_newly_listed" else item.inputs
        entries[item.name] = {
            "answer": row[item.name],
            "values": {column: _plain(row[column]) for column in shown},
            "threshold": item.rule,
        }
    return json.dumps(entries, sort_keys=True)


def _at_least(name: str, column: str, threshold: float) -> ChecklistItem:
    return ChecklistItem(name, (column,), f"{column} >= {threshold:g}", pl.col(column) >= threshold)


def _plain(value: Any) -> Any:
    """A value as JSON takes it; digits beyond the sixth tell a reader nothing."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(f"{value:.6g}") if isinstance(value, float) else value
