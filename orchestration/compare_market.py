"""`python -m orchestration.compare_market`: the simulated market beside the real one, in one table and one picture.

Reads the shared data, which may not be redistributed, and writes aggregates of it only.

Belongs here: which figures there are, how each is measured, how they are written down. Does not: what they mean for a
user (docs/explanation/simulated-market.md), the simulation (`orchestration/sandbox`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.settings import REPOSITORY_ROOT

Floats = NDArray[np.float64]
Terciles = tuple[Floats, Floats, Floats]

SHARED_DATA = REPOSITORY_ROOT.parent / "shared" / "data"
DOCS = REPOSITORY_ROOT / "docs"
FIRST_DAY, LAST_DAY = date(2021, 1, 1), date(2024, 6, 30)

SHORTEST_HISTORY_DAYS = 180
LARGEST_CREDIBLE_MOVE = np.log(10.0)  # of a day; in the real data most larger ones are errors of the feed
TAIL_SHARE = 0.05
LARGEST_LAG_DAYS = 30
HORIZON_DAYS = 14
SIZE_BOUNDS_USD = (1e8, 1e9)
_COLOURS = {"real": "#1f4e79", "simulated": "#d9822b"}


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


# -- reading ------------------------------------------------------------------------------------------------------------


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
        or (np.nanstd(token.log_returns) > 0.01 and _correlation(token.log_returns, bitcoin) < 0.97)
    ]


# -- measures -----------------------------------------------------------------------------------------------------------


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
    return np.array([_correlation(token.log_returns, bitcoin) for token in tokens if token.coin_id != "bitcoin"])


def autocorrelation_of_sizes(token: Token, lag_days: int) -> float:
    """Correlation of the absolute daily return with that of `lag_days` before."""
    sizes = np.abs(token.log_returns)
    return _correlation(sizes[lag_days:], sizes[:-lag_days])


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


def _correlation(one: Floats, other: Floats) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[known], other[known])[0, 1]) if known.sum() > 60 else np.nan


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


# -- writing ------------------------------------------------------------------------------------------------------------


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


def render_table(real: Figures, simulated: Figures, *, pumps_2018_to_2020: float) -> str:
    """The comparison in Markdown: medians with quartiles, and simulated by real."""
    rows: list[tuple[str, ...]] = [("tokens", str(real.tokens), str(simulated.tokens), "")]

    def add(name: str, one: Floats, other: Floats, form: Callable[[float], str]) -> None:
        cells = [_with_quartiles(values, form) for values in (one, other)]
        is_known = np.isfinite(one).any() and np.isfinite(other).any()
        rows.append((name, *cells, f"{np.nanmedian(other) / np.nanmedian(one):.2f}" if is_known else ""))

    for place, size in enumerate(("smallest", "middle", "largest")):
        add(f"market cap, {size} third, USD", real.cap[place], simulated.cap[place], _money)
    for place, size in enumerate(("smallest", "middle", "largest")):
        add(f"daily volatility, {size} third", real.volatility[place], simulated.volatility[place], _percent)
    for place, size in enumerate(("below 100 M", "100 M to 1 B", "above 1 B")):
        add(
            f"daily volatility, cap {size}",
            real.volatility_by_size[place],
            simulated.volatility_by_size[place],
            _percent,
        )
    add("tail index (Hill, largest 5 %)", real.tail_index, simulated.tail_index, _plain)
    add("correlation with BTC, daily", real.correlation, simulated.correlation, _plain)
    for lag in (1, 7, 20):
        add(
            f"autocorrelation of absolute returns, {lag} d",
            real.autocorrelation[lag],
            simulated.autocorrelation[lag],
            _plain,
        )
    for place, size in enumerate(("smallest", "middle", "largest")):
        add(f"daily turnover, {size} third", real.turnover[place], simulated.turnover[place], _percent)
    add("dispersion of 14-day returns", real.dispersion, simulated.dispersion, _percent)
    ratio = simulated.pumps / real.pumps if real.pumps else np.nan
    rows.append(("pumps per 100 token-years", f"{real.pumps:.1f}", f"{simulated.pumps:.1f}", f"{ratio:.2f}"))
    rows.append(("the same, CoinMarketCap 2018 to 2020", f"{pumps_2018_to_2020:.1f}", "", ""))
    deaths = [
        f"{_percent(rate.a_year)} ({_percent(rate.low)} - {_percent(rate.high)})"
        for rate in (real.deaths, simulated.deaths)
    ]
    rows.append(("deaths a year", *deaths, f"{simulated.deaths.a_year / real.deaths.a_year:.2f}"))
    lines = ["figure|real|simulated|simulated / real", "-|-|-|-", *("|".join(row) for row in rows)]
    return "\n".join(f"|{line}|" for line in lines)


def draw_picture(real: Figures, simulated: Figures, path: Path) -> None:
    """Eight panels, real beside simulated."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(14, 6.2), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    both = {"real": real, "simulated": simulated}
    for offset, (name, figures) in zip((-0.08, 0.08), both.items(), strict=True):
        colour = _COLOURS[name]
        for panel, parts in ((panels[0], figures.volatility), (panels[1], figures.turnover)):
            quartiles = np.array([np.nanpercentile(part, [25, 50, 75]) for part in parts])
            middle = quartiles[:, 1]
            bars = [middle - quartiles[:, 0], quartiles[:, 2] - middle]
            panel.errorbar(np.arange(3) + offset, middle, yerr=bars, fmt="o", capsize=4, color=colour, label=name)
        lags = list(figures.autocorrelation)
        panels[2].plot(
            lags, [np.nanmedian(figures.autocorrelation[lag]) for lag in lags], "o-", ms=3, color=colour, label=name
        )
        for panel, values, bins in (
            (panels[4], figures.correlation, np.linspace(-0.1, 1.0, 45)),
            (panels[5], figures.tail_index, np.linspace(1.0, 7.0, 45)),
            (panels[6], figures.dispersion, np.linspace(0.05, 0.5, 46)),
        ):
            kept = values[np.isfinite(values)]
            panel.hist(kept, bins, weights=np.full(kept.size, 1 / kept.size), alpha=0.55, color=colour, label=name)
    rates = [figures.deaths for figures in both.values()]
    bounds = np.array([[rate.a_year - rate.low, rate.high - rate.a_year] for rate in rates]).T
    panels[3].bar(list(both), [figures.pumps for figures in both.values()], color=list(_COLOURS.values()), width=0.5)
    panels[7].bar(
        list(both), [rate.a_year for rate in rates], yerr=bounds, capsize=4, color=list(_COLOURS.values()), width=0.5
    )
    titles = (
        "Daily volatility by size (quartiles)",
        "Daily turnover, volume / cap (quartiles)",
        "Autocorrelation of absolute returns",
        "Pumps per 100 token-years",
        "Correlation with BTC",
        "Tail index (Hill; smaller is fatter)",
        "Dispersion of 14-day returns, weekly",
        "Deaths a year (real: 2018 to 2020)",
    )
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, fontsize=10)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        panel.set_axisbelow(True)
    for panel in panels[:2]:
        panel.set_xticks(range(3), ["smallest third", "middle", "largest"])
        panel.set_ylim(bottom=0)
    for panel in (panels[0], panels[1], panels[7]):
        panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panels[2].set_xlabel("lag in days", fontsize=8)
    panels[2].set_ylim(bottom=0)
    panels[6].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for panel, of in zip(panels[4:7], ("tokens", "tokens", "weeks"), strict=True):
        panel.set_ylabel(f"share of the {of}", fontsize=8)
    panels[0].legend(fontsize=9)
    figure.suptitle(
        f"Real ({real.tokens} tokens, 2021-01 to 2024-06) and simulated ({simulated.tokens} tokens, default market)",
        fontsize=11,
    )
    figure.savefig(path, dpi=110)


def _with_quartiles(values: Floats, form: Callable[[float], str]) -> str:
    if not np.isfinite(values).any():
        return "none"
    low, middle, high = (form(float(value)) for value in np.nanpercentile(values, [25, 50, 75]))
    return f"{middle} ({low} - {high})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _money(value: float) -> str:
    return f"{value / 1e6:,.1f} M" if value < 1e7 else f"{value / 1e6:,.0f} M"


INTRODUCTION = """# Simulated against real

Written by `python -m orchestration.compare_market`. Medians over tokens (of the dispersion: over weeks) with quartiles in
brackets. What the simulation is for, and what its being off means, stands in
[the simulated market](../explanation/simulated-market.md).

![Simulated against real](../images/simulated-against-real.png)

"""

DEFINITIONS = f"""

- **Real**: CoinGecko's daily history of the shared data, {FIRST_DAY} to {LAST_DAY}, without stablecoins, wrapped coins and
  coins with less than {SHORTEST_HISTORY_DAYS} days. **Survivorship**: these are coins that were large in July 2025. What died is
  missing, so volatility, tails, pumps and dispersion are probably understated, most of all for small coins. One-day moves
  beyond 10x are left out.
- **Simulated**: the default market (seed 7), its true prices, without pegged tokens and the one with a fake cap.
- **Terciles** are by a token's median market cap, within each market; they are not equally large in both (first rows).
- **Tail index**: Hill's estimator on the largest 5 % of a token's absolute standardised daily log returns.
- **Turnover**: a token's median of daily volume by market cap. Real volumes are as reported, wash trading included.
- **Dispersion**: standard deviation across tokens of the log return of {HORIZON_DAYS} days, one value a week.
- **Pump**: up by 100 % or more in 3 days, on 5 times the median volume of the 30 days before, half of the gain gone within 10
  days of the top. The second row is CoinMarketCap's history of coins listed in December 2020, micro caps among them, and the
  start and the end of the boom of 2018 with them.
- **Deaths a year**, real: of the coins on CoinMarketCap in June 2018, the share no longer there in December 2020, by year. The
  later file has only one coin a ticker; its coverage is measured on coins that certainly lived, which are large, so the figure is
  rough. 95 % intervals from counting alone in brackets.
"""


def main() -> None:
    """Measure both markets and write the table and the picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the shared data")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder that holds results/ and images/")
    chosen = parser.parse_args()
    market = simulate_market()
    real = measure(read_real(chosen.data), real_death_rate(chosen.data))
    simulated = measure(read_simulated(market), simulated_death_rate(market))
    table = render_table(
        real, simulated, pumps_2018_to_2020=pumps_per_100_token_years(read_cmc_2018_to_2020(chosen.data))
    )
    (chosen.docs / "results" / "simulated-against-real.md").write_text(INTRODUCTION + table + DEFINITIONS)
    draw_picture(real, simulated, chosen.docs / "images" / "simulated-against-real.png")
    print(table)


if __name__ == "__main__":
    main()
