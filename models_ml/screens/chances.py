"""The chance model: how likely a small token doubles, or trebles, within 90 days and holds it for three closes.

Belongs here: what the boosters see, training, calibration, probabilities.
Does not: what counts as doubling (`outcomes.py`), the universe (`universe.py`), reading and writing (`orchestration/lib`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import numpy as np
import polars as pl

from models_ml.learning.boosters import Floats, apply, boost
from models_ml.learning.calibration import logit_line, on_logit_line
from models_ml.learning.dataset import refuse_forward_columns
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.labels import FORWARD_PREFIX
from models_ml.learning.places import place_among
from models_ml.learning.training_profile import data_hash
from models_ml.screens.outcomes import HORIZON_DAYS, MULTIPLES

CHANCES: Final = "chances"
"""Name of the head in the registry and in model versions."""

MINIMUM_TOKENS: Final = 20
"""Weeks with fewer tokens in the universe neither train nor count."""

RANKED_FEATURES: Final = (
    *("return_7d", "return_14d", "return_30d", "return_60d", "return_90d", "return_180d"),
    *("price_to_sma_50d", "price_to_sma_200d", "rsi_14d", "trend_efficiency_30d", "up_day_share_30d"),
    *("volatility_7d", "volatility_30d", "volatility_90d", "downside_volatility_30d", "volatility_ratio_7d_30d"),
    *(
        "idiosyncratic_volatility_90d",
        "jump_share_30d",
        "best_day_30d",
        "worst_day_30d",
        "skewness_90d",
        "kurtosis_90d",
    ),
    *("drawdown_90d", "drawdown_365d", "rebound_30d", "beta_btc_90d", "correlation_btc_90d"),
    *("turnover_7d", "turnover_30d", "volume_surge_7d_30d", "volume_trend_30d_90d", "volume_volatility_30d"),
    *("amihud_illiquidity_30d", "volume_return_correlation_30d", "supply_growth_90d", "age_days", "log_market_cap"),
    *("active_addresses_growth_30d", "transactions_growth_30d", "exchange_net_inflow_7d"),
    *("commits_growth_12w", "watchlist_growth_28d", "news_mention_surge_7d_90d"),
)
"""Features of the catalogue that the model sees as places among the universe of the week: it compares tokens, not weeks."""

VALUES: Final = MappingProxyType(
    {
        "log_volatility_90d": pl.when(pl.col("volatility_90d") > 0).then(pl.col("volatility_90d").log()),
        "fall_from_high_365d": pl.col("drawdown_365d"),
    }
)
"""Features that it sees as they are, too: in calm weeks nobody doubles, which no place can tell."""

CHANCE_COLUMNS: Final = (*(f"rank_{name}" for name in RANKED_FEATURES), *VALUES)
READ_FEATURES: Final = tuple(dict.fromkeys((*RANKED_FEATURES, "volatility_90d", "drawdown_365d")))

PARAMETERS: Final = MappingProxyType(
    {
        "objective": "regression",
        "learning_rate": 0.03,
        "num_leaves": 15,
        "min_data_in_leaf": 200,
        "lambda_l2": 10.0,
    }
)
"""Few small trees: rows of a token in neighbouring weeks share most of their outcome, so there is far less to learn than rows."""

ROUNDS: Final = 100

LEAST_CHANCE: Final = 0.001
"""No token is given less, nor more than 1 less it."""

FEWEST_CALIBRATION_WEEKS: Final = 52
"""Past weeks with ended outcomes below which the probabilities stay as they are."""

FITTED_SHARE: Final = 2 / 3
"""Share of those weeks, the oldest, on which a calibration is fitted that is judged on the others."""


@dataclass(frozen=True)
class Line:
    """A calibration: factor and shift of the logit; 1 and 0 leave a probability as it is."""

    factor: float = 1.0
    shift: float = 0.0


def chance_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """What the boosters see, for the tokens of the low-cap universe.

    Args:
        rows: One row a week and token: as_of_week, token_id, `READ_FEATURES`. Further columns are dropped.

    Returns:
        The keys and `CHANCE_COLUMNS` as Float32, by week and token. Ranks run from 0 to 1 among the week's known values; an unknown
        value stays null.

    Raises:
        LeakError: A column carries the prefix of forward quantities.
    """
    refuse_forward_columns([*rows.columns, *CHANCE_COLUMNS])
    known = rows.with_columns(pl.col(READ_FEATURES).cast(pl.Float64).fill_nan(None))
    ranks = [place_among(pl.col(name), "as_of_week").cast(pl.Float32).alias(f"rank_{name}") for name in RANKED_FEATURES]
    values = [value.cast(pl.Float32).alias(name) for name, value in VALUES.items()]
    return known.select("as_of_week", "token_id", *ranks, *values).sort("as_of_week", "token_id")


def train_chances(
    frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date, past: pl.DataFrame | None = None
) -> FrozenModel:
    """Train a booster a multiple on rows that the caller has already purged.

    Args:
        frame: `chance_frame` of the training weeks.
        labels: as_of_week, token_id, forward_is_2x, forward_is_3x (`outcomes.labels_of_multiples`).
        refit: Refit date the model is for.
        past: What earlier models said in weeks whose outcome has ended before the refit: as_of_week, token_id, raw_2x, raw_3x. On
            them it is decided whether the probabilities are calibrated. None or few weeks: they are not.

    Returns:
        The frozen model; its constants hold the base rates and the calibration of each multiple.

    Raises:
        LeakError: The frame has a forward column.
        ValueError: No row has a label.
    """
    refuse_forward_columns(frame.columns)
    names = [_label(multiple) for multiple in MULTIPLES]
    joined = (
        frame.join(labels, on=["as_of_week", "token_id"], how="inner", maintain_order="left")
        .drop_nulls(names)
        .sort("as_of_week", "token_id")
    )
    if joined.is_empty():
        raise ValueError(f"no row of the {frame.height} for the refit {refit} has an outcome; land more history")
    # How far a token stands from the share of its week: what a whole market does in 90 days no place in a week can tell, and with it in
    # the label the trees learn good and bad weeks by heart.
    apart = {f"p_{multiple}x": _apart_from_week(joined, multiple) for multiple in MULTIPLES}
    boosters = boost(joined, apart, columns=CHANCE_COLUMNS, parameters=PARAMETERS, rounds=ROUNDS)
    constants = {f"base_{multiple}x": float(_outcome(joined, multiple).mean()) for multiple in MULTIPLES}
    for multiple in MULTIPLES:
        line = choose_line(past, labels, multiple) if past is not None else Line()
        constants |= {f"factor_{multiple}x": line.factor, f"shift_{multiple}x": line.shift}
    return FrozenModel(
        head=CHANCES,
        refit=refit,
        boosters=boosters,
        columns=CHANCE_COLUMNS,
        training_weeks=(joined["as_of_week"].min(), joined["as_of_week"].max()),  # type: ignore[arg-type]  # dates by schema
        training_rows=joined.height,
        constants=constants,
        data_hash=data_hash(joined.with_columns(pl.col(names).cast(pl.Float64)), [*CHANCE_COLUMNS, *names]),
    )


def choose_line(past: pl.DataFrame, labels: pl.DataFrame, multiple: int) -> Line:
    """The calibration of a multiple: a factor and a shift of the logit where they help on later weeks than they were fitted on.

    Args:
        past: As in `train_chances`.
        labels: As in `train_chances`.
        multiple: 2 or 3.

    Returns:
        The line fitted on all of the past, or the identity where there are too few weeks, where one outcome never occurred, or where a
        line fitted on the older two thirds raises the mean logarithmic loss of the others.
    """
    said, label = f"raw_{multiple}x", _label(multiple)
    known = past.join(labels, on=["as_of_week", "token_id"], how="inner").drop_nulls([said, label])
    known = known.sort("as_of_week", "token_id")
    weeks = known["as_of_week"].unique().sort().to_list()
    if len(weeks) < FEWEST_CALIBRATION_WEEKS:
        return Line()
    edge = weeks[int(len(weeks) * FITTED_SHARE)]
    # Outcomes of the older part end up to the horizon later: its last weeks would share theirs with the first of the newer part.
    gap = pl.duration(days=HORIZON_DAYS)
    older = known.filter(pl.col("as_of_week") < pl.lit(edge) - gap)
    newer = known.filter(pl.col("as_of_week") >= edge)
    if any(part[label].n_unique() < 2 for part in (older, newer)):
        return Line()
    fitted = _line(older, said, label)
    outcome, raw = newer[label].cast(pl.Float64).to_numpy(), newer[said].to_numpy()
    if _log_loss(on_logit_line(raw, factor=fitted.factor, shift=fitted.shift), outcome) >= _log_loss(raw, outcome):
        return Line()
    return _line(known, said, label)


def raw_chances(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Base rate of the training plus what the boosters add, before calibration: as_of_week, token_id, raw_2x, raw_3x (0-1).

    In the frame's order.

    Raises:
        ValueError: The frame lacks columns of the model, because the feature catalogue changed after its refit.
    """
    model.refuse_missing_columns(frame)
    said = {
        f"raw_{multiple}x": np.clip(
            model.constants[f"base_{multiple}x"] + apply(model.boosters[f"p_{multiple}x"], frame),
            LEAST_CHANCE,
            1 - LEAST_CHANCE,
        )
        for multiple in MULTIPLES
    }
    return frame.select("as_of_week", "token_id").with_columns(pl.Series(name, values) for name, values in said.items())


def predict_chances(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Probabilities of a frame: as_of_week, token_id, p_2x_90d, p_3x_90d (0-1), in the frame's order.

    Whoever holds the treble has held the double, so p_3x_90d never exceeds p_2x_90d.

    Raises:
        ValueError: As in `raw_chances`.
    """
    raw = raw_chances(model, frame)
    double, treble = (
        on_logit_line(
            raw[f"raw_{multiple}x"].to_numpy(),
            factor=model.constants[f"factor_{multiple}x"],
            shift=model.constants[f"shift_{multiple}x"],
        )
        for multiple in MULTIPLES
    )
    return raw.select("as_of_week", "token_id").with_columns(
        p_2x_90d=pl.Series(double, dtype=pl.Float64), p_3x_90d=pl.Series(np.minimum(double, treble), dtype=pl.Float64)
    )


def _label(multiple: int) -> str:
    return f"{FORWARD_PREFIX}is_{multiple}x"


def _outcome(rows: pl.DataFrame, multiple: int) -> Floats:
    return np.asarray(rows[_label(multiple)].cast(pl.Float64).to_numpy(), dtype=np.float64)


def _apart_from_week(rows: pl.DataFrame, multiple: int) -> Floats:
    happened = pl.col(_label(multiple)).cast(pl.Float64)
    apart = rows.select(apart=happened - happened.mean().over("as_of_week"))["apart"]
    return np.asarray(apart.to_numpy(), dtype=np.float64)


def _line(rows: pl.DataFrame, said: str, label: str) -> Line:
    factor, shift = logit_line(rows[said].to_numpy(), rows[label].cast(pl.Int8).to_numpy(), has_intercept=True)
    return Line(factor, shift)


def _log_loss(probability: Floats, outcome: Floats) -> float:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return float(-(outcome * np.log(clipped) + (1 - outcome) * np.log(1 - clipped)).mean())
