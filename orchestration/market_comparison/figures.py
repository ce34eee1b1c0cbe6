"""The figures that two markets are compared by, each measured in one way on both.

Belongs here: which figures there are, how each is measured. Does not: how they are shown (`page.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from orchestration.market_comparison.tokens import LARGEST_CREDIBLE_MOVE, Floats, Token, correlation
from orchestration.sandbox.market import SimulatedMarket

Terciles = tuple[Floats, Floats, Floats]

TAIL_SHARE = 0.05
LARGEST_LAG_DAYS = 30
HORIZON_DAYS = 14
SIZE_BOUNDS_USD = (1e8, 1e9)


def daily_volatility(token: Token) -> float:
    """Standard deviation of the daily log return."""
    return float(np.nanstd(token.log_returns))


def turnover(token: Token) -> float:
    """Median over days of the volume as a fraction of the market cap."""
    return float(np.nanmedian(token.volume / token.cap)) if np.isfinite(token.volume / token.cap).any() else np.nan


def tail_index(token: Token) -> float:
    """Hill's estimate from the largest 5 % of absolute standardised daily returns; smaller means fatter tails.

    Source: Hill, A simple general approach to inference about the tail of a distribution, Annals of Statistics 3 (1975).
    """
    returns = token.log_returns[np.isfinite(token.log_returns)]
    sizes = np.sort(np.abs(returns - returns.mean()) / returns.std())[::-1]
    count = max(round(TAIL_SHARE * sizes.size), 10)
    return float(1.0 / np.mean(np.log(sizes[:count] / sizes[count])))


def correlation_with_bitcoin(tokens: Sequence[Token]) -> Floats:
    """Of daily log returns, one value for every token but bitcoin."""
    bitcoin = next(token for token in tokens if token.coin_id == "bitcoin").log_returns
    return np.array([correlation(token.log_returns, bitcoin) for token in tokens if token.coin_id != "bitcoin"])


def autocorrelation_of_sizes(token: Token, lag_days: int) -> float:
    """Correlation of the absolute daily return with that of `lag_days` before."""
    sizes = np.abs(token.log_returns)
    return correlation(sizes[lag_days:], sizes[:-lag_days])


def count_pumps(token: Token) -> int:
    """Price up by 100 % or more in 3 days on 5 times the usual volume, and half of it gone within 10 days of the top.

    The usual volume is the median of the 30 days before; the volume of the rise is the mean of its 3 days. After a
    pump the next one is looked for 30 days later.
    """
    price, volume, count, day = token.price, token.volume, 0, 33
    with np.errstate(invalid="ignore"):
        gain = price[3:] / price[:-3] - 1.0
        rises = {int(found) + 3 for found in np.flatnonzero((gain >= 1.0) & (gain <= 30.0))}
    while day < len(price) - 10:
        before, during = volume[day - 33 : day - 2], volume[day - 2 : day + 1]
        if day in rises and np.isfinite(before).any() and np.isfinite(during).any():
            is_lively = np.nanmean(during) >= 5.0 * np.nanmedian(before)
            peak = day + int(np.nanargmax(price[day : day + 4]))
            after, base = price[peak + 1 : peak + 11], price[day - 3]
            if is_lively and np.isfinite(after).any() and np.nanmin(after) <= base + (price[peak] - base) / 2.0:
                count += 1
                day += 30
        day += 1
    return count


def pumps_per_100_token_years(tokens: Sequence[Token]) -> float:
    """See `count_pumps`."""
    years = sum(np.isfinite(token.price).sum() for token in tokens) / 365
    return float(100.0 * sum(count_pumps(token) for token in tokens) / years)


def dispersion(tokens: Sequence[Token]) -> Floats:
    """Standard deviation across tokens of the log return of 14 days, one value a week."""
    logs = np.log(np.stack([token.price for token in tokens]))
    moved = logs[:, HORIZON_DAYS:] - logs[:, :-HORIZON_DAYS]
    moved[~(np.abs(moved) <= 2 * LARGEST_CREDIBLE_MOVE)] = np.nan
    weekly = moved[:, ::7]
    enough = np.isfinite(weekly).sum(axis=0) >= 30
    return np.asarray(np.nanstd(weekly[:, enough], axis=0))


@dataclass(frozen=True)
class DeathRate:
    """Share of the tokens that die in a year, with a 95 % interval; the real one from who was still listed later."""

    a_year: float
    low: float
    high: float


def real_death_rate(data: Path) -> DeathRate:
    """Coins that CoinMarketCap listed in June 2018 and no longer in December 2020.

    The later file lacks about two of five coins that did live, because it kept one coin a ticker. Which share it has is
    measured on coins of 2018 that appear in CoinMarketCap's monthly top 200 from 2021 on, so lived for certain.
    """
    candles = pl.read_parquet(data / "candles_daily_cmc.parquet", columns=["source", "slug", "date"]).drop_nulls("slug")
    snapshots = pl.read_parquet(data / "market_cap_snapshots_cmc.parquet")
    early = candles.filter(source="cmc_2018h1").group_by("slug").agg(pl.col("date").max())
    early_slugs = set(early.filter(pl.col("date") >= date(2018, 6, 1))["slug"])
    late_slugs = set(candles.filter(source="cmc_to_2020")["slug"])
    lived = early_slugs & {_slug(name) for name in snapshots.filter(pl.col("date") >= date(2021, 1, 1))["name"]}
    covered = len(lived & late_slugs) / len(lived)
    present = len(early_slugs & late_slugs) / len(early_slugs)
    years = (date(2020, 12, 16) - date(2018, 7, 1)).days / 365.25
    error = 1.96 * np.sqrt((1 - covered) / covered / len(lived) + (1 - present) / present / len(early_slugs))

    def rate(surviving: float) -> float:
        return float(1.0 - min(surviving, 1.0) ** (1.0 / years))

    surviving = present / covered
    return DeathRate(rate(surviving), rate(surviving * np.exp(error)), rate(surviving * np.exp(-error)))


def simulated_death_rate(market: SimulatedMarket) -> DeathRate:
    """Deaths by years lived."""
    lifetimes = market.lifetimes
    deaths, years = int(lifetimes.is_dead.sum()), float((lifetimes.last - lifetimes.birth + 1).sum()) / 365
    error = float(1.96 * np.sqrt(deaths) / years)
    return DeathRate(deaths / years, deaths / years - error, deaths / years + error)


def terciles(tokens: Sequence[Token], measure: Callable[[Token], float]) -> Terciles:
    """A measure of the smallest, the middle and the largest third of the tokens by median market cap."""
    ordered = sorted(tokens, key=lambda token: token.median_cap)
    third = len(ordered) / 3
    bounds = [0, round(third), round(2 * third), len(ordered)]
    small, middle, large = (
        np.array([measure(token) for token in ordered[first:stop]]) for first, stop in pairwise(bounds)
    )
    return small, middle, large


def by_size(tokens: Sequence[Token], measure: Callable[[Token], float]) -> Terciles:
    """A measure of the tokens with a median market cap below 100 million, below 1 billion, and from there on."""
    low, high = SIZE_BOUNDS_USD
    parts = (
        [token for token in tokens if token.median_cap < low],
        [token for token in tokens if low <= token.median_cap < high],
        [token for token in tokens if token.median_cap >= high],
    )
    small, middle, large = (np.array([measure(token) for token in part]) for part in parts)
    return small, middle, large


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@dataclass(frozen=True)
class Figures:
    """Everything that is compared, of one market. Terciles are by median market cap, the smallest third first.

    `volatility_by_size` is by the bounds of `by_size` instead, the same in both markets.
    """

    tokens: int
    cap: Terciles
    volatility: Terciles
    volatility_by_size: Terciles
    turnover: Terciles
    tail_index: Floats
    correlation: Floats
    autocorrelation: dict[int, Floats]
    dispersion: Floats
    pumps: float
    deaths: DeathRate


def measure(tokens: Sequence[Token], deaths: DeathRate) -> Figures:
    """All figures of one market."""
    return Figures(
        tokens=len(tokens),
        cap=terciles(tokens, lambda token: token.median_cap),
        volatility=terciles(tokens, daily_volatility),
        volatility_by_size=by_size(tokens, daily_volatility),
        turnover=terciles(tokens, turnover),
        tail_index=np.array([tail_index(token) for token in tokens]),
        correlation=correlation_with_bitcoin(tokens),
        autocorrelation={
            lag: np.array([autocorrelation_of_sizes(token, lag) for token in tokens])
            for lag in range(1, LARGEST_LAG_DAYS + 1)
        },
        dispersion=dispersion(tokens),
        pumps=pumps_per_100_token_years(tokens),
        deaths=deaths,
    )
