"""What exchanges give: candles, tickers, order books, funding rates, open interest; the same columns for each venue.

Belongs here: datasets of exchanges. Does not: which exchanges are asked, and in which order (`settings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    HIGHEST_PRICE,
    MARKET_DATE,
    OBSERVED_AT,
    SEEN_DATE,
    Column,
    Dataset,
    Rule,
    above,
    below_zero,
    count,
    flag,
    not_above_zero,
    number,
    text,
)

EXCHANGES: Final = ("binance", "okx", "coinbase", "kucoin", "gate", "kraken", "bitstamp")
"""Venues with a spot adapter, in the order of their word where several have a market."""

DERIVATIVES: Final = ("binance", "okx", "kucoin", "gate")
"""Venues whose perpetuals are asked for funding and open interest."""

CANDLE_FIELDS: Final[Mapping[str, Column]] = {
    "market_id": Column(pl.String, "", "market as the source names it, BTC/USDT; for coinmarketcap the slug"),
    "symbol": Column(pl.String, "", "ticker, upper case; null where the source has none to trust", nullable=True),
    "quote": Column(pl.String, "", "currency that prices are in, upper case: USDT, USD"),
    "name": Column(pl.String, "", "full name of the base token", nullable=True),
    "market_date": MARKET_DATE,
    "open_quote": Column(pl.Float64, "quote per token", "first price of the day"),
    "high_quote": Column(pl.Float64, "quote per token", "highest price of the day"),
    "low_quote": Column(pl.Float64, "quote per token", "lowest price of the day"),
    "close_quote": Column(pl.Float64, "quote per token", "last price of the day"),
    "volume_base": Column(pl.Float64, "tokens per day", "traded in units of the base token", nullable=True),
    "volume_quote": Column(pl.Float64, "quote per day", "traded in units of the quote currency", nullable=True),
    "market_cap_usd": Column(
        pl.Float64, "USD", "market capitalisation at the close; unknown is null, never 0", nullable=True
    ),
}

ONE_NANO_ABOVE, ONE_NANO_BELOW = "1.000000001", "0.999999999"  # 1e-9 relative: the last digit of rounded text feeds

CANDLE_RULES: Final = (
    not_above_zero(("open_quote", "high_quote", "low_quote", "close_quote")),
    above(("open_quote", "high_quote", "low_quote", "close_quote"), HIGHEST_PRICE),
    Rule("high_quote is below low_quote", "high_quote < low_quote"),
    Rule(
        "close_quote is outside [low_quote, high_quote]",
        f"close_quote > high_quote * {ONE_NANO_ABOVE} OR close_quote < low_quote * {ONE_NANO_BELOW}",
    ),
    below_zero(("volume_base", "volume_quote", "market_cap_usd")),
)


def candles(source: str, description: str) -> Dataset:
    """Daily candles of one venue or collection."""
    return Dataset(
        source=source,
        name="candles_daily",
        fields=CANDLE_FIELDS,
        key=("market_id", "market_date"),
        description=f"One row per market and finished UTC day. {description}",
        rules=CANDLE_RULES,
    )


def tickers(source: str) -> Dataset:
    """Rolling 24 hours of one venue."""
    return Dataset(
        source=source,
        name="tickers",
        fields={
            "market_id": CANDLE_FIELDS["market_id"],
            "symbol": CANDLE_FIELDS["symbol"],
            "quote": CANDLE_FIELDS["quote"],
            "market_date": SEEN_DATE,
            "observed_at": OBSERVED_AT,
            "last_quote": number("quote per token", "last traded price", nullable=False),
            "bid_quote": number("quote per token", "best bid; null when the book is empty"),
            "ask_quote": number("quote per token", "best ask; null when the book is empty"),
            "volume_base": number("tokens per 24 h", "traded over the rolling day, base units"),
            "volume_quote": number("quote per 24 h", "traded over the rolling day, quote units"),
        },
        key=("market_id", "market_date"),
        description="One row per market and day: the rolling 24 hours at the time of reading, for spreads and liquidity. "
        "Coinbase tells the last price only; the rest is null there.",
        rules=(not_above_zero(("last_quote",)), below_zero(("bid_quote", "ask_quote", "volume_base", "volume_quote"))),
    )


def order_books(source: str) -> Dataset:
    """Depth and spread of one venue."""
    return Dataset(
        source=source,
        name="order_books",
        fields={
            "market_id": CANDLE_FIELDS["market_id"],
            "symbol": CANDLE_FIELDS["symbol"],
            "quote": CANDLE_FIELDS["quote"],
            "market_date": SEEN_DATE,
            "observed_at": OBSERVED_AT,
            "mid_quote": number("quote per token", "middle of best bid and best ask", nullable=False),
            "spread": number("fraction of the mid", "(best ask - best bid) / mid", nullable=False),
            "bid_depth_2pct_quote": number("quote", "resting bids at or above 98 % of the mid", nullable=False),
            "ask_depth_2pct_quote": number("quote", "resting asks at or below 102 % of the mid", nullable=False),
            "is_depth_complete": flag(
                "whether the answer reached 2 % on both sides; else the depth is a lower bound", nullable=False
            ),
        },
        key=("market_id", "market_date"),
        description="One row per market and day: the order book at the time of reading, out to 2 % of the mid. Read of the "
        "tokens of the largest turnover, each at the one exchange where it trades most.",
        rules=(
            not_above_zero(("mid_quote",)),
            below_zero(("bid_depth_2pct_quote", "ask_depth_2pct_quote")),
            Rule("spread is negative: the book is crossed", "spread < 0"),
        ),
    )


def funding_rates(source: str) -> Dataset:
    """Funding of one venue's perpetuals."""
    return Dataset(
        source=source,
        name="funding_rates",
        fields={
            "market_id": text("perpetual as ccxt names it, BTC/USDT:USDT"),
            "symbol": CANDLE_FIELDS["symbol"],
            "market_date": MARKET_DATE,
            "funding_rate": number(
                "fraction per funding interval",
                "mean over the day's settlements; longs pay when positive",
                nullable=False,
            ),
            "interval_hours": number("hours", "between two settlements; null where not said, usually 8"),
            "settlements": count("settlements", "in the day; null where only one value a day is known"),
        },
        key=("market_id", "market_date"),
        description="One row per perpetual and finished UTC day, of the tokens of the largest turnover, each at one exchange; "
        "a payment at 00:00 closes the day before. Asked again when a week old.",
        rules=(
            Rule("funding_rate is beyond 25 % an interval", "abs(funding_rate) > 0.25"),
            Rule("interval_hours is not above zero", "interval_hours <= 0"),
        ),
    )


def open_interest(source: str) -> Dataset:
    """Open interest of one venue's perpetuals."""
    return Dataset(
        source=source,
        name="open_interest",
        fields={
            "market_id": text("perpetual as ccxt names it, BTC/USDT:USDT"),
            "symbol": CANDLE_FIELDS["symbol"],
            "market_date": MARKET_DATE,
            "open_interest_usd": number("USD", "value of the open positions at the close, one side", nullable=False),
            "open_interest_base": number("tokens", "the same in tokens, where the venue says so"),
        },
        key=("market_id", "market_date"),
        description="One row per perpetual and day. Venues give 30 days back at most: history grows by asking daily.",
        rules=(below_zero(("open_interest_usd", "open_interest_base")),),
    )


_CANDLE_NOTES = {
    "binance": "Spot markets; volume_quote is exact.",
    "okx": "Spot markets; volume_quote is exact.",
    "coinbase": "Spot markets against USD; volume_quote is volume_base times close.",
    "kucoin": "Spot markets; volume_quote is exact.",
    "gate": "Spot markets; volume_quote is exact.",
    "kraken": "Spot markets; the venue serves the newest 720 days only; volume_quote is volume_base times the day's mean price.",
    "bitstamp": "Spot markets against USD; volume_quote is volume_base times close.",
}

DATASETS: Final = (
    *(candles(source, _CANDLE_NOTES.get(source, "Spot markets.")) for source in EXCHANGES),
    *map(tickers, EXCHANGES),
    *map(order_books, EXCHANGES),
    *map(funding_rates, DERIVATIVES),
    *map(open_interest, DERIVATIVES),
)
