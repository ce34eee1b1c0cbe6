"""The page of docs/results: figures of both markets side by side, in words, as a table and as a picture.

Belongs here: how figures are written and drawn. Does not: how they are measured (`figures.py`).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models_ml.indices.reasons import percent
from orchestration.market_comparison.figures import HORIZON_DAYS, Figures
from orchestration.market_comparison.tokens import FIRST_DAY, LAST_DAY, SHORTEST_HISTORY_DAYS, Floats

_COLOURS = {"real": "#1f4e79", "simulated": "#d9822b"}

INTRODUCTION = """# Simulated against real

Written by `python -m orchestration.market_comparison`. Medians over tokens (of the dispersion: over weeks) with quartiles in
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
        add(f"daily volatility, {size} third", real.volatility[place], simulated.volatility[place], percent)
    for place, size in enumerate(("below 100 M", "100 M to 1 B", "above 1 B")):
        add(
            f"daily volatility, cap {size}",
            real.volatility_by_size[place],
            simulated.volatility_by_size[place],
            percent,
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
        add(f"daily turnover, {size} third", real.turnover[place], simulated.turnover[place], percent)
    add("dispersion of 14-day returns", real.dispersion, simulated.dispersion, percent)
    ratio = simulated.pumps / real.pumps if real.pumps else np.nan
    rows.append(("pumps per 100 token-years", f"{real.pumps:.1f}", f"{simulated.pumps:.1f}", f"{ratio:.2f}"))
    rows.append(("the same, CoinMarketCap 2018 to 2020", f"{pumps_2018_to_2020:.1f}", "", ""))
    deaths = [
        f"{percent(rate.a_year)} ({percent(rate.low)} - {percent(rate.high)})"
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


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _money(value: float) -> str:
    return f"{value / 1e6:,.1f} M" if value < 1e7 else f"{value / 1e6:,.0f} M"
