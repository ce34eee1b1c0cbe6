"""Labels: what happened after a week's close, as returns, ranks and barrier outcomes.

Belongs here: forward quantities, the end of a token among them. Nothing here may enter a feature frame: `FORWARD_PREFIX` marks every
column.
Does not: features, training.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, LAG_DAYS, RANGE_HORIZONS_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.places import place_among

FORWARD_PREFIX = "forward_"

FEED_END_TOKENS = 10
FEED_END_SHARE = 0.01
"""Where at least this many tokens, and this share of a week's, lose their price on one day, a feed has ended and not they: on real
history CoinMarketCap's file ends for 215 tokens at once, and a free data feed drops 117."""

UNSELLABLE_VOLUME_USD = 10_000.0
SELLABLE_ROWS = 7
"""Median daily volume of a token's last seven priced days below which its holder could not sell before the price stopped."""

EndedLabel = Literal["sold", "last_price", "missing"]
"""What the return of a token is whose price stops: its last price and -100 % where it could not be sold, its last price, or none."""


def forward_returns(weeks: pl.DataFrame, prices: pl.DataFrame, *, ended: EndedLabel = "sold") -> pl.DataFrame:
    """Returns after the close before each week's Monday.

    A window whose end lies in `prices` has a return even where the token's own price stopped before: the token is taken to be sold at
    its last price, and lost (-100 %) where hardly anything was traded by then. Where many tokens stop on one day the feed has ended,
    and nothing is known. Both are decided from the window itself, so later data change no label that has ended.

    Args:
        weeks: One row a week and token: as_of_week, token_id, volatility_30d (annual), beta_btc_90d.
        prices: One row a token and day: token_id, market_date, price_usd, and volume_24h_usd (nullable) where the ends of tokens
            are to be judged by it; without the column no token counts as unsellable.
        ended: How the end of a token is labelled.

    Returns:
        `weeks`' keys with forward_return_<n>d for 7, 14, 30 and 90 days; forward_return_14d_lag1 and forward_return_90d_lag1 (bought
        one day late); forward_residual_14d (less beta times bitcoin's); all fractions, null where nothing is known; forward_barrier:
        1, -1 or 0 for the first of +-sigma * sqrt(14) that a close passes within 14 days, null where the window is incomplete; and
        forward_has_ended_14d and _90d: whether the price stopped within the lagged window.
    """
    # Tokens as numbers in the order of their ids: a dozen joins over all closes hash and compare these instead of text.
    numbered = pl.Enum(sorted({*weeks["token_id"].unique(), *prices["token_id"].unique(), "bitcoin"}))
    closes = _closes(prices.with_columns(pl.col("token_id").cast(numbered)))
    result = weeks.select(
        "as_of_week", pl.col("token_id").cast(numbered), "volatility_30d", "beta_btc_90d"
    ).with_columns(close_date=pl.col("as_of_week") - timedelta(days=1))
    windows = [
        *((f"forward_return_{days}d", 0, days) for days in RANGE_HORIZONS_DAYS),
        *((f"forward_return_{days}d_lag1", LAG_DAYS, days) for days in (TRADER_HORIZON_DAYS, INVESTOR_HORIZON_DAYS)),
    ]
    for name, lag, horizon in windows:
        result = _with_return(result, closes, name=name, lag=lag, horizon=horizon, ended=ended)
    result = _with_barrier(result, closes)
    bitcoin = result.filter(pl.col("token_id") == "bitcoin").select("as_of_week", bitcoin_return="forward_return_14d")
    return (
        result.join(bitcoin, on="as_of_week", how="left")
        .with_columns(
            forward_residual_14d=pl.col("forward_return_14d")
            - pl.col("beta_btc_90d").cast(pl.Float64).clip(0, 2).fill_null(1.0) * pl.col("bitcoin_return"),
            forward_has_ended_14d=pl.col("forward_return_14d_lag1_ended"),
            forward_has_ended_90d=pl.col("forward_return_90d_lag1_ended"),
        )
        .select(
            "as_of_week",
            pl.col("token_id").cast(pl.String),
            *(name for name, _, _ in windows),
            "forward_residual_14d",
            "forward_barrier",
            "forward_has_ended_14d",
            "forward_has_ended_90d",
        )
        .sort("as_of_week", "token_id")
    )


def centred_rank(column: str) -> pl.Expr:
    """Rank of a column among the non-null rows of its week, from -0.5 to 0.5."""
    return place_among(pl.col(column), "as_of_week") - 0.5


def _closes(prices: pl.DataFrame) -> pl.DataFrame:
    """Closes by token and day, each with whether its token could still be sold: token_id, market_date, price_usd, is_sellable."""
    ordered = prices.sort("token_id", "market_date")
    if "volume_24h_usd" not in ordered.columns:
        return ordered.select("token_id", "market_date", "price_usd", is_sellable=pl.lit(value=True))
    traded = pl.col("volume_24h_usd").cast(pl.Float64).rolling_median(SELLABLE_ROWS, min_samples=1).over("token_id")
    return ordered.select(
        "token_id", "market_date", "price_usd", is_sellable=(traded >= UNSELLABLE_VOLUME_USD).fill_null(value=True)
    )


def _with_return(
    keyed: pl.DataFrame, closes: pl.DataFrame, *, name: str, lag: int, horizon: int, ended: EndedLabel
) -> pl.DataFrame:
    """Add the return `name` from `lag` days after the close to `horizon` days later, and `<name>_ended`."""
    newest = closes["market_date"].max()
    entry = closes.select("token_id", entry_date="market_date", entry_price="price_usd")
    exits = closes.select("token_id", "market_date", "is_sellable", exit_price="price_usd", exit_date="market_date")
    windowed = (
        keyed.with_columns(entry_date=pl.col("close_date") + timedelta(days=lag))
        .with_columns(window_end=pl.col("entry_date") + timedelta(days=horizon))
        .join(entry, on=["token_id", "entry_date"], how="left")
        .sort("token_id", "window_end")
        .join_asof(
            exits,
            left_on="window_end",
            right_on="market_date",
            by="token_id",
            strategy="backward",
            check_sortedness=False,
        )
    )
    is_known = pl.col("entry_price").is_not_null() & (pl.col("window_end") <= newest)
    has_ended = is_known & (pl.col("exit_date") < pl.col("window_end")).fill_null(value=False)
    tokens = pl.len().over("as_of_week")
    together = pl.col("has_ended").sum().over("as_of_week", "exit_date")
    is_feed_end = (together >= FEED_END_TOKENS) & (together >= FEED_END_SHARE * tokens)
    gain = pl.col("exit_price") / pl.col("entry_price") - 1
    after_the_end = {
        "sold": pl.when("is_sellable").then(gain).otherwise(-1.0),
        "last_price": gain,
        "missing": pl.lit(None, dtype=pl.Float64),
    }[ended]
    return (
        windowed.with_columns(has_ended=has_ended)
        .with_columns(is_token_end=pl.col("has_ended") & ~is_feed_end)
        .with_columns(
            pl.when(is_known & ~pl.col("has_ended"))
            .then(gain)
            .when(pl.col("is_token_end"))
            .then(after_the_end)
            .alias(name),
            pl.when(is_known & (~pl.col("has_ended") | pl.col("is_token_end")))
            .then(pl.col("is_token_end"))
            .alias(f"{name}_ended"),
        )
        .drop("entry_date", "entry_price", "window_end", "market_date", "is_sellable", "exit_price", "exit_date")
        .drop("has_ended", "is_token_end", strict=False)
    )


def _with_barrier(keyed: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Add forward_barrier: which of +-sigma * sqrt(14) the closes of the next 14 days pass first; a lost token passes the lower one."""
    path = keyed.select("as_of_week", "token_id", "close_date", "volatility_30d", "forward_return_14d").with_columns(
        _closes_after(keyed, closes, days=TRADER_HORIZON_DAYS)
    )
    barrier = pl.col("volatility_30d").cast(pl.Float64) / DAYS_A_YEAR**0.5 * TRADER_HORIZON_DAYS**0.5
    outcome = pl.when(pl.col("forward_return_14d") <= -1).then(-1).otherwise(0).cast(pl.Int8)
    for days in range(TRADER_HORIZON_DAYS, 0, -1):  # from the last day to the first, so that the first passage wins
        move = (pl.col(f"close_{days}") / pl.col("close_0")).log()
        outcome = pl.when(move > barrier).then(1).when(move < -barrier).then(-1).otherwise(outcome).cast(pl.Int8)
    outcomes = path.select(
        "as_of_week",
        "token_id",
        forward_barrier=pl.when(pl.col("forward_return_14d").is_not_null() & barrier.is_not_null()).then(outcome),
    )
    return keyed.join(outcomes, on=["as_of_week", "token_id"], how="left")


def _closes_after(keyed: pl.DataFrame, closes: pl.DataFrame, *, days: int) -> list[pl.Series]:
    """The closes of the close's day and of so many days after it, close_0, close_1 ..., null where there is none.

    From a table of all tokens by all days, both frames having numbered their tokens alike: a join a day would take most of the time.
    """
    first = closes["market_date"].min()
    of_close, place = closes["token_id"].to_physical().to_numpy(), _days_since(first, closes["market_date"])
    token, start = keyed["token_id"].to_physical().to_numpy(), _days_since(first, keyed["close_date"])
    last = int(place.max(initial=-1))
    # One column more than there are days, which stays empty.
    table = np.full((1 + int(max(of_close.max(initial=0), token.max(initial=0))), last + 2), np.nan)
    table[of_close, place] = closes["price_usd"].to_numpy()
    after = [start + day for day in range(days + 1)]
    found = [table[token, np.where((each < 0) | (each > last), -1, each)] for each in after]
    return [pl.Series(f"close_{day}", values).fill_nan(None) for day, values in enumerate(found)]


def _days_since(first: object, dates: pl.Series) -> NDArray[np.int64]:
    return (dates - first).dt.total_days().fill_null(-1).to_numpy()
