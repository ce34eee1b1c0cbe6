"""Scores of every day, each by the model then in force.

Belongs here: the daily features of the weeks of a build, and what every head says of them.
Does not: training (`training.py`), grades and calls as tables (`calls.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.learning.calendar import refit_in_force
from models_ml.learning.dataset import KEYS, model_frame
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.moves import CALLS, predict_moves
from models_ml.learning.price_ranges import RANGES, predict_ranges
from models_ml.learning.ranking import INVESTOR, TRADER, predict_ranking
from orchestration.lib.errors import TidemarkError
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.weekly_inputs import daily_features
from orchestration.lib.weeks import WEEK

DAY = timedelta(days=1)
DESCRIBING = ("symbol", "is_liquid", "coverage")

Predict = Callable[[FrozenModel, pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class DayScores:
    """What the heads say of every day and token of the broad universe.

    Attributes:
        rows: as_of_week, market_date, token_id, symbol, is_liquid, coverage; `trader` and `investor` (score_cross_section, null where
            the head has no model yet), p_move, p_up_given_move, base_bullish, base_bearish; `<head>_version`.
        ranges: Of the last day of each week: its keys, symbol, horizon_days, return_low, return_median, return_high, model_version.
    """

    rows: pl.DataFrame
    ranges: pl.DataFrame


def score_days(connection: duckdb.DuckDBPyConnection, weeks: Sequence[date], registry: ModelRegistry) -> DayScores:
    """Score the seven days before each of the weeks' Mondays, a quarter at a time so that memory stays bounded.

    Days before the first trader model are left out.

    Raises:
        TidemarkError: No model is in force for any of the weeks.
    """
    quarters: dict[date, list[date]] = {}
    for week in sorted(weeks):
        quarters.setdefault(refit_in_force(week), []).append(week)
    rows, ranges = [], []
    for quarter in quarters.values():
        features = daily_features(connection, first=quarter[0] - WEEK, last=quarter[-1] - DAY).filter(
            pl.col("as_of_week").is_in(quarter)
        )
        frame = model_frame(features, by="market_date")
        scored = (
            _of_head(registry, TRADER.name, frame, predict_ranking)
            .rename({"score_cross_section": TRADER.name})
            .join(features.select(*KEYS, *DESCRIBING), on=KEYS, how="left", maintain_order="left")
        )
        investor = _of_head(registry, INVESTOR.name, frame, predict_ranking).rename(
            {"score_cross_section": INVESTOR.name}
        )
        calls = _of_head(registry, CALLS, frame, _predict_calls)
        for other in (investor, calls):
            scored = scored.join(other, on=KEYS, how="left", maintain_order="left")
        rows.append(scored)
        closing = frame.filter(pl.col("market_date") == pl.col("as_of_week") - DAY)
        ranges.append(
            _of_head(registry, RANGES, closing, predict_ranges)
            .rename({f"{RANGES}_version": "model_version"})
            .join(features.select(*KEYS, "symbol"), on=KEYS, how="left", maintain_order="left")
        )
    all_rows = pl.concat(rows) if rows else None
    if all_rows is None or all_rows.is_empty():
        refits = registry.refits(TRADER.name)
        raise TidemarkError(
            f"no model is in force for {list(weeks)[:3]}; the first refit is {refits[0] if refits else 'missing'}"
        )
    return DayScores(all_rows, pl.concat(ranges))


def _predict_calls(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    return predict_moves(model, frame).with_columns(
        base_bullish=pl.lit(model.constants["bullish"]), base_bearish=pl.lit(model.constants["bearish"])
    )


def _of_head(registry: ModelRegistry, head: str, frame: pl.DataFrame, predict: Predict) -> pl.DataFrame:
    """Predictions of a frame's days by the models of a head, with `<head>_version`; days before its first model have no row.

    A day is scored at its close, which is known on the next day: a refit of that day is already in force.
    """
    refits = registry.refits(head)
    known_on = pl.col("market_date") + DAY
    predicted = []
    for number, refit in enumerate(refits):
        following = refits[number + 1] if number + 1 < len(refits) else date.max
        days = frame.filter((known_on >= refit) & (known_on < following))
        if days.is_empty():
            continue
        model = registry.load(head, refit)
        if model is None:
            raise TidemarkError(
                f"the {head} model of {refit} left the registry during the run; restore {registry.root} from a backup"
            )
        predicted.append(predict(model, days).with_columns(pl.lit(model.version).alias(f"{head}_version")))
    if predicted:
        return pl.concat(predicted)
    return _nothing(head)


_PREDICTED: Mapping[str, tuple[str, ...]] = {
    TRADER.name: ("score_cross_section",),
    INVESTOR.name: ("score_cross_section",),
    CALLS: ("p_move", "p_up_given_move", "base_bullish", "base_bearish"),
    RANGES: ("return_low", "return_median", "return_high"),
}


def _nothing(head: str) -> pl.DataFrame:
    """The columns of a head that has no model yet, without rows."""
    keys = {"as_of_week": pl.Date(), "market_date": pl.Date(), "token_id": pl.String()}
    values: dict[str, pl.DataType] = {"horizon_days": pl.Int32()} if head == RANGES else {}
    values |= {name: pl.Float64() for name in _PREDICTED[head]}
    return pl.DataFrame(schema={**keys, **values, f"{head}_version": pl.String()})
