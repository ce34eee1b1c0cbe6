"""The frame a model reads: cross-sectional ranks of the features, ratios of volatility, and the state of the market.

Belongs here: which columns a model may see and how they are scaled.
Does not: labels (`labels.py`), training (`ranking.py`, `moves.py`, `price_ranges.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import polars as pl

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.learning.labels import FORWARD_PREFIX
from models_ml.learning.places import place_among

MINIMUM_TOKENS = 50
"""Weeks with fewer eligible tokens neither train nor count: a rank among ten says little."""


def _log_ratio(numerator: str, denominator: str) -> pl.Expr:
    """Logarithm of a quotient; null where either is unknown, and where it has none."""
    quotient = pl.col(numerator) / pl.col(denominator)
    return pl.when((quotient > 0) & quotient.is_finite()).then(quotient.log())


def _further(expressions: Mapping[str, pl.Expr]) -> tuple[str, ...]:
    """Features the expressions read that are no model inputs of their own, in alphabetical order."""
    read = {name for expression in expressions.values() for name in expression.meta.root_names()}
    return tuple(sorted(read - set(MODEL_INPUT_NAMES) - set(MARKET_COLUMNS)))


MARKET_COLUMNS = (
    "btc_return_7d",
    "btc_return_30d",
    "btc_return_90d",
    "btc_volatility_30d",
    "btc_drawdown_365d",
    "btc_to_sma_100d",
    "btc_to_sma_200d",
    "breadth_50d",
    "median_return_7d",
    "median_return_30d",
    "dispersion_7d",
    "median_volatility_30d",
    "median_volume_surge",
    "fear_greed",
)

RATIOS: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "log_volatility_7d_to_30d": _log_ratio("volatility_7d", "volatility_30d"),
        "log_volatility_14d_to_30d": _log_ratio("volatility_14d", "volatility_30d"),
        "log_volatility_30d_to_90d": _log_ratio("volatility_30d", "volatility_90d"),
        "log_ewma_to_volatility_30d": _log_ratio("ewma_volatility", "volatility_30d"),
        "log_btc_to_own_volatility_30d": _log_ratio("btc_volatility_30d", "volatility_30d"),
        "log_volatility_30d": pl.col("volatility_30d").log(),
        "best_day_to_volatility_30d": pl.col("best_day_30d") / pl.col("volatility_30d"),
        "worst_day_to_volatility_30d": pl.col("worst_day_30d") / pl.col("volatility_30d"),
        "jump_share_30d": pl.col("jump_share_30d"),
        "kurtosis_90d": pl.col("kurtosis_90d"),
        "volume_surge_7d_30d": pl.col("volume_surge_7d_30d"),
        "correlation_btc_90d": pl.col("correlation_btc_90d"),
        "bollinger_bandwidth_20d": pl.col("bollinger_bandwidth_20d"),
    }
)
"""How a token's volatility stands to its own past and to bitcoin's: values as they are, not ranks, since all may rise together."""

RATIO_COLUMNS = tuple(RATIOS)

READ_FEATURES = (*MODEL_INPUT_NAMES, *_further(RATIOS))
"""Features of a token that the models' columns are made of."""

RANK_COLUMNS = tuple(f"rank_{name}" for name in MODEL_INPUT_NAMES)

MODEL_COLUMNS = (*RANK_COLUMNS, *MARKET_COLUMNS)


KEYS = ("as_of_week", "market_date", "token_id")
"""What tells the rows of a frame apart: weekly frames go without the day."""


class LeakError(AssertionError):
    """A column that looks ahead stands among the features."""


def refuse_forward_columns(names: Iterable[str]) -> None:
    """Refuse columns that carry the prefix of forward quantities.

    Raises:
        LeakError: At least one does.
    """
    leaks = [name for name in names if FORWARD_PREFIX in name]
    if leaks:
        raise LeakError(
            f"{leaks} look ahead and cannot stand among the features; drop them from the frame, or rename the feature"
        )


def keys_of(frame: pl.DataFrame) -> list[str]:
    """The key columns that a frame has, in the order of `KEYS`."""
    return [name for name in KEYS if name in frame.columns]


def model_frame(rows: pl.DataFrame, *, by: str = "as_of_week") -> pl.DataFrame:
    """Ranks within each day, ratios and market columns, for the tokens of the broad universe.

    Args:
        rows: One row a day and eligible token: the column `by`, token_id, `READ_FEATURES`, `MARKET_COLUMNS`. Further columns are
            dropped, but for the other keys.
        by: Column of the day among whose rows ranks are taken: as_of_week in weekly frames, market_date in daily ones.

    Returns:
        The keys, `MODEL_COLUMNS` and `RATIO_COLUMNS` as Float32, by day and token. Ranks run from 0 to 1 among the day's known
        values; an unknown value stays null, which the trees treat as a branch of its own.

    Raises:
        LeakError: A column of the frame or of the model carries the prefix of forward quantities.
    """
    refuse_forward_columns([*rows.columns, *MODEL_COLUMNS])
    ranks = [place_among(pl.col(name), by).cast(pl.Float32).alias(f"rank_{name}") for name in MODEL_INPUT_NAMES]
    market = [pl.col(name).cast(pl.Float32) for name in MARKET_COLUMNS]
    ratios = [expression.cast(pl.Float32).alias(name) for name, expression in RATIOS.items()]
    return rows.select(*keys_of(rows), *ranks, *market, *ratios).sort(by, "token_id")
