"""The ranges head: between which prices a token will probably stand in 7, 14, 30 and 90 days.

Belongs here: the forecast of the scale of a return, and the conformal multiplier that makes a range of it.
Does not: which rows may be used (`walk_forward.py`), prices (the api view multiplies).

How far a token moves can be forecast, where to hardly: a fitted median lost against "no change" at every horizon out of sample (mean
pinball loss 2020-01 to 2024-06 at 90 days 0.171 with it, 0.162 without), so the median is today's price and the range is symmetric in logs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.boosters import Floats, apply, boost
from models_ml.learning.calendar import RANGE_HORIZONS_DAYS
from models_ml.learning.dataset import RATIO_COLUMNS, keys_of, refuse_forward_columns
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.training_profile import data_hash
from models_ml.learning.walk_forward import purged_folds

RANGES = "ranges"
"""Name of the head in the registry and in model versions."""

COVERAGE = 0.8
"""Share of outcomes that a range is to hold: from the 10 % to the 90 % quantile."""

RANGE_COLUMNS = (
    *RATIO_COLUMNS,
    "rank_log_market_cap",
    "rank_age_days",
    "rank_turnover_30d",
    "rank_amihud_illiquidity_30d",
    "rank_volume_trend_30d_90d",
    "rank_volume_volatility_30d",
    "rank_volatility_30d",
    "rank_idiosyncratic_volatility_90d",
    "rank_tracking_error_btc_90d",
    "rank_skewness_90d",
    "rank_return_7d",
    "rank_return_30d",
    "rank_drawdown_365d",
    "rank_trend_efficiency_30d",
)
"""What the scale may depend on: volatility, its course, size and liquidity."""

ROUNDS = 60
PARAMETERS = {
    "objective": "regression",
    "learning_rate": 0.08,
    "num_leaves": 15,
    "min_data_in_leaf": 400,
    "lambda_l2": 10.0,
}

SMALLEST_RATIO = 0.05
"""Added to |return| / volatility before its logarithm is taken, so that a day without a move is no minus infinity."""

FOLDS = 4
CALIBRATION_WEEKS = 104
"""The multiplier rests on the newest two years of the window: how far tokens move beyond what their past says drifts slowly. With the
whole window, outcomes of 2020 to 2024 fell inside 90-day ranges in 78 % to 84 % of cases by year, with these in 76 % to 82 %."""


def train_ranges(rows: Mapping[int, pl.DataFrame], labels: pl.DataFrame, *, refit: date) -> FrozenModel:
    """Train the scale of each horizon and its conformal multiplier.

    The scale is a booster of ln(|r| / (sigma * sqrt(days / 365)) + 0.05), r the log return of the horizon and sigma the volatility
    of 90 days (of 30 where the token is younger). The multiplier is the 80 % quantile of |r| over the scale, each quarter of the
    weeks scored by a booster of the others, purged (cross-conformal; Vovk 2015, Annals of Mathematics and AI 74, 9-28).

    Args:
        rows: By horizon, the rows whose label of that horizon has ended before the refit: as_of_week, token_id, `RANGE_COLUMNS`.
        labels: Forward returns of the rows (`labels.forward_returns`).
        refit: Refit date the model is for.

    Returns:
        The frozen model: boosters `scale_<n>d`, constants `multiplier_<n>d`.

    Raises:
        LeakError: A frame has a forward column.
    """
    boosters: dict[str, str] = {}
    constants = {}
    weeks: set[date] = set()
    hashes = []
    trained = 0
    for horizon in RANGE_HORIZONS_DAYS:
        refuse_forward_columns(rows[horizon].columns)
        name = f"forward_return_{horizon}d"
        joined = (
            rows[horizon]
            .join(labels.select("as_of_week", "token_id", name), on=["as_of_week", "token_id"], maintain_order="left")
            .filter(pl.col(name).is_not_null() & pl.col("log_volatility_30d").is_not_null())
            .sort("as_of_week", "token_id")
        )
        moves = _log_return(joined[name]) / _prior(joined, horizon)
        scale = f"scale_{horizon}d"
        boosters |= _fit(joined, moves, name=scale)
        constants[f"multiplier_{horizon}d"] = _multiplier(joined, moves, horizon=horizon)
        hashes.append(data_hash(joined, [*RANGE_COLUMNS, name]))
        weeks |= set(joined["as_of_week"])
        trained = max(trained, joined.height)
    return FrozenModel(
        head=RANGES,
        refit=refit,
        boosters=boosters,
        columns=RANGE_COLUMNS,
        training_weeks=(min(weeks), max(weeks)),
        training_rows=trained,
        constants=constants,
        data_hash=hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
    )


def predict_ranges(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Ranges of a frame, from the 10 % to the 90 % quantile.

    Args:
        model: The model in force.
        frame: One row a day and token with the model's columns.

    Returns:
        One row a row of the frame and horizon: its keys, horizon_days, return_low, return_median, return_high (fractions). Rows
        without a volatility are left out.

    Raises:
        ValueError: The frame lacks columns of the model.
    """
    model.refuse_missing_columns(frame)
    known = frame.filter(pl.col("log_volatility_30d").is_not_null())
    parts = []
    for horizon in RANGE_HORIZONS_DAYS:
        scale = np.exp(apply(model.boosters[f"scale_{horizon}d"], known)) * _prior(known, horizon)
        reach = pl.Series(scale * model.constants[f"multiplier_{horizon}d"], dtype=pl.Float64)
        parts.append(
            known.select(keys_of(known)).with_columns(
                horizon_days=pl.lit(horizon, dtype=pl.Int32),
                return_low=(-reach).exp() - 1,
                return_median=pl.lit(0.0),
                return_high=reach.exp() - 1,
            )
        )
    return pl.concat(parts).sort(*keys_of(known), "horizon_days")


def _prior(frame: pl.DataFrame, horizon: int) -> Floats:
    """Volatility over the horizon as the past 90 days have it (30 where that is unknown), in logs of the price."""
    log_volatility = frame.select(
        pl.col("log_volatility_30d").cast(pl.Float64)
        - pl.col("log_volatility_30d_to_90d").cast(pl.Float64).fill_null(0.0)
    ).to_series()
    return np.asarray(np.exp(log_volatility.to_numpy()) * np.sqrt(horizon / DAYS_A_YEAR), dtype=np.float64)


def _log_return(returns: pl.Series) -> Floats:
    """Log returns; a total loss counts as one of 99.9 %."""
    return np.asarray(np.log(np.maximum(1 + returns.to_numpy().astype(np.float64), 1e-3)), dtype=np.float64)


def _fit(rows: pl.DataFrame, moves: Floats, *, name: str) -> dict[str, str]:
    label = np.log(np.abs(moves) + SMALLEST_RATIO)
    return boost(rows, {name: label}, columns=RANGE_COLUMNS, parameters=PARAMETERS, rounds=ROUNDS)


def _multiplier(rows: pl.DataFrame, moves: Floats, *, horizon: int) -> float:
    """The 80 % quantile of |move| over the scale that the other folds foretell, over the newest `CALIBRATION_WEEKS`."""
    weeks = sorted(set(rows["as_of_week"]))
    newest = set(weeks[-CALIBRATION_WEEKS:])
    ratios: list[Floats] = []
    for block, kept in purged_folds(weeks, folds=FOLDS, horizon_days=horizon):
        judged = [week for week in block if week in newest]
        is_kept = rows["as_of_week"].is_in(kept)
        if not judged or not is_kept.any():
            continue
        text = _fit(rows.filter(is_kept), moves[is_kept.to_numpy()], name="scale")["scale"]
        is_judged = rows["as_of_week"].is_in(judged)
        scale = np.exp(apply(text, rows.filter(is_judged)))
        ratios.append(np.abs(moves[is_judged.to_numpy()]) / scale)
    return float(np.quantile(np.concatenate(ratios), COVERAGE))
