"""What a trade costs: the venue's fee, half the spread, and the price it moves.

Belongs here: the cost of a trade by its size, and what the cost needs to know of a token on a day.
Does not: which trades are made (`net_levels.py`), costs by liquidity alone for portfolios of scores
(`learning/evaluation/costs.py`).

cost of a trade, a fraction of it = fee + half spread + impact x daily volatility x sqrt(trade / average daily volume)

Impact: the square-root law (Almgren, Thum, Hauptmann, Li 2005, Direct Estimation of Equity Market Impact, Risk 18(7);
Tóth et al. 2011, Physical Review X 1; for bitcoin Donier, Bonart 2015, A Million Metaorder Analysis of Market Impact on
the Bitcoin, Market Microstructure and Liquidity 1(2)), with the coefficient 1 that these find within a factor of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.errors import BacktestDataError, with_columns_of
from models_ml.features.feature import enough

Floats = npt.NDArray[np.float64]

DAILY_SCHEMA: dict[str, pl.DataType] = {
    "market_date": pl.Date(),
    "token_id": pl.String(),
    "price_usd": pl.Float64(),
    "trusted_volume_24h_usd": pl.Float64(),
}
RANGE_SCHEMA: dict[str, pl.DataType] = {"high_usd": pl.Float64(), "low_usd": pl.Float64()}
QUOTE_SCHEMA: dict[str, pl.DataType] = {"bid_ask_spread": pl.Float64()}

WINDOW_DAYS = 30  # of the average volume, the volatility and the quoted spreads
SPREAD_WINDOW_DAYS = 90
"""A day's estimate of a spread is mostly noise, a few per cent wide; the mean of a quarter still errs by some 0.2 %."""

HALF_SPREAD_FLOORS = ((0.0, 0.0100), (5e5, 0.0050), (5e6, 0.0020), (5e7, 0.0005), (1e9, 0.0001))
"""(average daily volume in USD a bucket begins at, smallest half spread, a fraction), ascending from 0.

An assumption near what the estimator gives for daily candles of CoinMarketCap of 2018 to 2020: medians of 1.2 %, 0.5 %
and 0.25 % in the three lower buckets. In the upper two it cannot tell a spread from none, and order books of such
tokens quote a few hundredths of a per cent. Edges as in `learning/evaluation/costs.py`, with one for the largest.
"""

ESTIMATED_BELOW_USD = 5e7
"""Average daily volume below which a spread is estimated from highs and lows; above it the floor stands.

Bitcoin's estimate is -0.2 % in the mean of 29 quarters of CoinMarketCap's candles, with a standard deviation of 0.4 % from quarter to
quarter, where its book quotes a few thousandths of a per cent: the positive half of that noise would be charged as a cost.
"""

UNKNOWN_DAILY_VOLATILITY = 0.10
"""Assumed where too few closes are known: what a small token does, so that youth is not cheap."""


@dataclass(frozen=True)
class TradingCosts:
    """Parameters of the cost of a trade.

    Attributes:
        venue_fee: Fraction of each trade that the venue keeps; 0.10 % is what Binance lists for small spot trades.
        half_spread_floors: (average daily volume in USD a bucket begins at, smallest half spread), ascending from 0.
        estimated_below_usd: Average daily volume below which ranges tell the half spread, where they say more than the floor.
        impact: Coefficient of the square-root law, at least 0.

    Raises:
        BacktestDataError: A parameter is negative, or a volume has no bucket.
    """

    venue_fee: float = 0.001
    half_spread_floors: tuple[tuple[float, float], ...] = HALF_SPREAD_FLOORS
    estimated_below_usd: float = ESTIMATED_BELOW_USD
    impact: float = 1.0

    def __post_init__(self) -> None:
        """Refuse parameters under which a trade would pay, or buckets that leave a volume without a floor."""
        edges = [edge for edge, _ in self.half_spread_floors]
        if not edges or edges[0] != 0 or edges != sorted(set(edges)):
            raise BacktestDataError(f"half_spread_floors begin at {edges}; they must ascend, and the first begin at 0")
        if (
            min(self.venue_fee, self.impact, self.estimated_below_usd, *(floor for _, floor in self.half_spread_floors))
            < 0
        ):
            raise BacktestDataError(f"{self} holds a negative cost; give fractions of at least 0")

    @property
    def unknown_linear_cost(self) -> float:
        """Linear cost of a token that nothing is known of: that of the least liquid bucket, moving the price a day."""
        return self.venue_fee + self.half_spread_floors[0][1] + self.impact * UNKNOWN_DAILY_VOLATILITY


DEFAULT_COSTS = TradingCosts()


def spread_of_two_days() -> pl.Expr:
    """Bid-ask spread, a fraction, from the highs and lows of a day and the day before; signed, null without both.

    b = ln(H1/L1)^2 + ln(H2/L2)^2, g = ln(max H / min L)^2,
    a = (sqrt(2b) - sqrt(b)) / (3 - 2 sqrt(2)) - sqrt(g / (3 - 2 sqrt(2))), spread = 2 (e^a - 1) / (1 + e^a).

    Two ranges of one day hold the spread twice, one range of two days holds it once, and the variance as often in both.
    The correction for gaps overnight is left out, because tokens trade around the clock. A day without a range
    (high = low) was not traded or is rounded, and says nothing. Within one token, rows in the order of days, columns
    `market_date`, `high_usd`, `low_usd`.

    Source: Corwin, Schultz (2012), A Simple Way to Estimate Bid-Ask Spreads from Daily High and Low Prices, J. Finance
    67(2); for tokens Brauneis, Mestel, Riordan, Theissen (2021), How to Measure the Liquidity of Cryptocurrency Markets?,
    J. Banking and Finance 124.
    """
    constant = 3 - 2 * math.sqrt(2)
    has_range = (pl.col("low_usd") > 0) & (pl.col("high_usd") > pl.col("low_usd")) & pl.col("high_usd").is_finite()
    high = pl.when(has_range).then(pl.col("high_usd").log())
    low = pl.when(has_range).then(pl.col("low_usd").log())
    is_next_day = (pl.col("market_date") - pl.col("market_date").shift(1)) == pl.duration(days=1)
    high_before = pl.when(is_next_day).then(high.shift(1))
    low_before = pl.when(is_next_day).then(low.shift(1))
    beta = (high - low) ** 2 + (high_before - low_before) ** 2
    highest = pl.when(high > high_before).then(high).otherwise(high_before)
    lowest = pl.when(low < low_before).then(low).otherwise(low_before)
    gamma = (highest - lowest) ** 2
    alpha = ((2 * beta).sqrt() - beta.sqrt()) / constant - (gamma / constant).sqrt()
    spread = 2 * (alpha.exp() - 1) / (1 + alpha.exp())
    return pl.when(has_range & high_before.is_not_null()).then(spread)


def cost_inputs(daily: pl.DataFrame, costs: TradingCosts = DEFAULT_COSTS) -> pl.DataFrame:
    """What the cost of a trade at a close depends on, from that day and the days before it.

    Args:
        daily: One row per token and day, in the columns of `fct_daily`: market_date, token_id, price_usd,
            trusted_volume_24h_usd (without wash trading, nullable); where they are known also high_usd and low_usd of
            `fct_ranges_daily` and bid_ask_spread of `fct_liquidity_daily` (a fraction of the mid), all nullable.
        costs: Parameters.

    Returns:
        market_date, token_id,
        volume_usd (trusted volume of the day, null where unknown or 0),
        average_volume_usd (mean of the known volumes of 30 days, null without any),
        daily_volatility (standard deviation of log returns over 30 days, null below 15 returns),
        half_spread (fraction: half the mean spread that books quoted within 30 days, the floor or not; without a quote half
        the mean two-day estimate of 90 days where the average volume is below `estimated_below_usd`, a negative mean
        counting as 0, at least the floor of the bucket of the average volume),
        linear_cost (fraction: fee and half spread; where the average volume is unknown also the impact of trading a
        whole day's volume),
        impact_per_root_usd (impact x volatility / sqrt(average volume), so that a trade of x USD costs
        linear_cost + impact_per_root_usd x sqrt(x); 0 where the average volume is unknown); by token and day.

    Raises:
        BacktestDataError: A column is missing, or a token has a day twice.
    """
    optional = RANGE_SCHEMA | QUOTE_SCHEMA
    schema = DAILY_SCHEMA | {column: dtype for column, dtype in optional.items() if column in daily.columns}
    rows = with_columns_of(daily, schema, what="daily", key=("token_id", "market_date")).sort("token_id", "market_date")
    rows = rows.with_columns(
        pl.lit(None, dtype).alias(column) for column, dtype in optional.items() if column not in schema
    )
    is_next_day = (pl.col("market_date") - pl.col("market_date").shift(1)) == pl.duration(days=1)
    price = pl.when(pl.col("price_usd").is_finite() & (pl.col("price_usd") > 0)).then(pl.col("price_usd"))
    volume = pl.col("trusted_volume_24h_usd")
    rows = rows.with_columns(
        volume_usd=pl.when(volume.is_finite() & (volume > 0)).then(volume),
        log_return=pl.when(is_next_day).then(price.log().diff()).over("token_id"),
        spread=spread_of_two_days().over("token_id"),
        quoted=pl.when(pl.col("bid_ask_spread").is_finite() & (pl.col("bid_ask_spread") >= 0)).then("bid_ask_spread"),
    )
    window = f"{WINDOW_DAYS}d"
    rows = rows.with_columns(
        average_volume_usd=pl.col("volume_usd").rolling_mean_by("market_date", window, min_samples=1).over("token_id"),
        daily_volatility=pl.col("log_return")
        .rolling_std_by("market_date", window, min_samples=enough(WINDOW_DAYS))
        .over("token_id"),
        quote=pl.col("quoted").rolling_mean_by("market_date", window, min_samples=1).over("token_id"),
        estimate=pl.col("spread")
        .rolling_mean_by("market_date", f"{SPREAD_WINDOW_DAYS}d", min_samples=enough(SPREAD_WINDOW_DAYS))
        .over("token_id"),
    )
    volume = pl.col("average_volume_usd")
    is_estimated = (volume < costs.estimated_below_usd) | volume.is_null()
    estimate = pl.when(is_estimated).then(pl.col("estimate")).fill_null(0.0)
    rows = rows.with_columns(
        half_spread=pl.coalesce(pl.col("quote") / 2, pl.max_horizontal(estimate / 2, _floor(costs, volume)))
    )
    moved = costs.impact * pl.col("daily_volatility").fill_null(UNKNOWN_DAILY_VOLATILITY)
    is_known = pl.col("average_volume_usd").is_not_null()
    linear = costs.venue_fee + pl.col("half_spread")
    return rows.select(
        "market_date",
        "token_id",
        "volume_usd",
        "average_volume_usd",
        "daily_volatility",
        "half_spread",
        linear_cost=pl.when(is_known).then(linear).otherwise(linear + moved),
        impact_per_root_usd=pl.when(is_known).then(moved / pl.col("average_volume_usd").sqrt()).otherwise(0.0),
    )


def cost_fraction(trade_usd: Floats, *, linear_cost: Floats, impact_per_root_usd: Floats) -> Floats:
    """Cost of trades as a fraction of each, from the columns of `cost_inputs`; arrays of one shape, trades at least 0."""
    return np.asarray(linear_cost + impact_per_root_usd * np.sqrt(trade_usd), dtype=np.float64)


def _floor(costs: TradingCosts, volume: pl.Expr) -> pl.Expr:
    """Smallest half spread by average volume; an unknown volume has that of the least liquid bucket."""
    floor = pl.lit(costs.half_spread_floors[0][1])
    for edge, value in costs.half_spread_floors[1:]:  # ascending, so the highest edge below the volume wins
        floor = pl.when(volume >= edge).then(pl.lit(value)).otherwise(floor)
    return floor
