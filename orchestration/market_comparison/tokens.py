"""Daily histories of tokens that two markets can be compared by, the real ones from the shared data.

Belongs here: what is read and what is left out of it. Does not: what is measured on it (`figures.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sandbox.market import SimulatedMarket

Floats = NDArray[np.float64]

FIRST_DAY, LAST_DAY = date(2021, 1, 1), date(2024, 6, 30)
SHORTEST_HISTORY_DAYS = 180
LARGEST_CREDIBLE_MOVE = np.log(10.0)  # of a day; in the real data most larger ones are errors of the feed


@dataclass(frozen=True)
class Token:
    """Daily history of one token; days without an observation are NaN.

    Attributes:
        coin_id: CoinGecko id or CoinMarketCap slug.
        price: Closes, USD.
        cap: Market caps, USD; NaN where unknown.
        volume: Traded in a day, USD; NaN where unknown.
    """

    coin_id: str
    price: Floats
    cap: Floats
    volume: Floats

    @property
    def log_returns(self) -> Floats:
        """Daily, one shorter than the prices; NaN beside a gap and where a move is not credible."""
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = np.diff(np.log(self.price))
        returns[~(np.abs(returns) <= LARGEST_CREDIBLE_MOVE)] = np.nan
        return returns

    @property
    def median_cap(self) -> float:
        """Market cap on a middling day."""
        return float(np.nanmedian(self.cap))


def read_real(data: Path) -> list[Token]:
    """Tokens of CoinGecko's history, 2021-01 to 2024-06, without stablecoins, wrapped coins and short histories.

    Survivorship: the file holds coins that were large in July 2025.
    """
    assets = pl.read_parquet(data / "assets_coingecko.parquet")
    ordinary = assets.filter(~pl.col("is_stablecoin"), ~pl.col("is_wrapped_coin"))["coin_id"].to_list()
    rows = (
        pl.read_parquet(data / "market_daily_coingecko.parquet")
        .filter(
            pl.col("close_date").is_between(FIRST_DAY, LAST_DAY),
            pl.col("obs_second_of_day") < 3_600,  # a few observations were not taken at midnight
            pl.col("coin_id").is_in(ordinary),
        )
        .sort("coin_id", "close_date")
        # A new coin's first two observations often repeat one price.
        .filter(pl.col("close_date") > pl.col("close_date").min().over("coin_id"))
        .select("coin_id", "close_date", "price_usd", "market_cap_usd", "volume_24h_usd")
    )
    return _without_pegs(list(_tokens(rows, first=FIRST_DAY, last=LAST_DAY)))


def read_cmc_2018_to_2020(data: Path) -> list[Token]:
    """Tokens of CoinMarketCap's history, 2018-01 to 2020-12; those listed in December 2020, micro caps among them."""
    first, last = date(2018, 1, 1), date(2020, 12, 16)
    rows = (
        pl.read_parquet(data / "candles_daily_cmc.parquet")
        .filter(
            pl.col("source") == "cmc_to_2020",
            ~pl.col("symbol_ambiguous"),
            pl.col("slug").is_not_null(),
            pl.col("date").is_between(first, last),
            pl.col("close") >= 0.0005,  # six decimals: below, rounding makes returns of its own
        )
        .unique(["slug", "date"])
        .sort("slug", "date")
        .select("slug", "date", "close", "market_cap_usd", "volume_24h_usd")
    )
    return _without_pegs(list(_tokens(rows, first=first, last=last)))


def read_simulated(market: SimulatedMarket) -> list[Token]:
    """The true market of the simulation, without pegged tokens and the one with a fake cap."""
    panel = market.panel
    return [
        Token(token.coin_id, panel.token(index).close, panel.token(index).cap, panel.token(index).volume)
        for index, token in enumerate(market.members)
        if token.pegged_to is None
        and not token.is_fake_cap
        and np.isfinite(panel.token(index).close).sum() >= SHORTEST_HISTORY_DAYS
    ]


def _tokens(rows: pl.DataFrame, *, first: date, last: date) -> Iterator[Token]:
    """Tokens from rows of id, day, price, cap and volume."""
    days = (last - first).days + 1
    for (coin_id,), history in rows.group_by(rows.columns[0], maintain_order=True):
        if history.height < SHORTEST_HISTORY_DAYS:
            continue
        place = (history.get_column(rows.columns[1]) - first).dt.total_days().to_numpy()
        columns = [np.full(days, np.nan) for _ in range(3)]
        for column, name in zip(columns, rows.columns[2:], strict=True):
            values = history.get_column(name).cast(pl.Float64).fill_null(np.nan).to_numpy()
            column[place] = np.where(values > 0, values, np.nan)  # 0 stands for unknown
        if np.isfinite(columns[1]).any():
            yield Token(str(coin_id), *columns)


def _without_pegs(tokens: list[Token]) -> list[Token]:
    """Drop what the flags miss: tokens that hardly move, and those that are bitcoin under another name."""
    bitcoin = next(token for token in tokens if token.coin_id == "bitcoin").log_returns
    return [
        token
        for token in tokens
        if token.coin_id == "bitcoin"
        or (np.nanstd(token.log_returns) > 0.01 and correlation(token.log_returns, bitcoin) < 0.97)
    ]


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, of the days that both have; NaN where these are 60 or fewer."""
    known = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[known], other[known])[0, 1]) if known.sum() > 60 else np.nan
