"""docs/results/ai-index.md: the rules of the flagship, each chosen on the years before a date, and what came after.

Belongs here: the candidates, the criterion, the table of all that was tried, the price of the insurance.
Does not: indices in force and their benchmarks (`index_twins.py`), costs and figures (`models_ml.backtest`).

The candidates and the criterion (the highest Sharpe ratio after costs) were written down before the first run, and what is chosen here is
what `ai_top100.yaml` says; a test holds the two together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl

from models_ml.backtest.costs import TradingCosts
from models_ml.backtest.figures import largest_drawdown
from models_ml.backtest.insurance import price_of_insurance
from models_ml.backtest.net_levels import net_levels
from models_ml.backtest.statistics import summarise_levels
from models_ml.indices.definition import DEFINITIONS_FOLDER, FLAGSHIP, IndexDefinition, load_definitions
from models_ml.indices.engine import fold
from models_ml.indices.market import MarketData
from models_ml.indices.reasons import is_rotation
from models_ml.indices.state import new_state
from orchestration.lib.index_backtest import SMALL_CAPITAL_USD, traded_closes
from orchestration.lib.index_weeks import first_market_week, read_market
from orchestration.lib.metadata import markdown_table
from orchestration.lib.weeks import mondays

ROTATION_UNTIL = date(2018, 12, 31)
"""Last day that the choice of the rotation may see."""

SELECTION_UNTIL = date(2022, 12, 31)
"""Last day that the choice of members and weights may see."""

UNTIL = date(2024, 7, 1)
"""The real history thins out after."""

SHARES = ((0.5, 0.0), (1.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 0.5))
"""Shares in stablecoins while BTC closes below its 100-day and its 200-day average."""

TRIGGERS = ("weekly", "daily")
HOLD_DAYS = (0, 14)
COUNTS = (10, 20, 40)
WEIGHTINGS = ("market_cap", "sqrt_market_cap", "equal", "grade_conviction")
CALLS_LEFT_OUT: tuple[tuple[str, ...], ...] = ((), ("bearish",))

UNROTATED = "none"


@dataclass(frozen=True)
class Study:
    """Net levels of all candidates, and which was chosen.

    Attributes:
        levels: date, index_id, level: after costs with 10,000 USD.
        turnover: date, index_id, turnover.
        chosen: The candidate with the highest Sharpe ratio up to `until`.
        until: Last day the choice saw.
        first_parked: First day on which the chosen candidate held a stablecoin, None if it never did.
    """

    levels: pl.DataFrame
    turnover: pl.DataFrame
    chosen: str
    until: date
    first_parked: date | None = None


def page(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The page as Markdown, from a built warehouse of real history."""
    flagship = next(each for each in load_definitions(DEFINITIONS_FOLDER) if each.index_id == FLAGSHIP)
    rotations = rotation_candidates(flagship)
    selections = selection_candidates(flagship)
    market = read_market(connection, [flagship], until=UNTIL)
    first = first_market_week(connection, UNTIL)
    if first is None:
        return "# The rules of the AI index\n\nThe warehouse has no prices."
    weeks = mondays(first, UNTIL)
    insured = study(connection, rotations, market, weeks, until=ROTATION_UNTIL)
    selected = study(connection, selections, market, weeks, until=SELECTION_UNTIL)
    return "\n\n".join(
        [
            "# The rules of the AI index",
            "All figures are after costs with 10,000 USD (docs/explanation/backtest.md), with one day between decision and trade; "
            "a_year, volatility and drawdown are fractions. The criterion, written down before the first run: the highest Sharpe "
            f"ratio in the years the choice may see. Code {code}.",
            "## Rotation into stablecoins",
            f"The 20 largest tokens by market cap, none above 20 %, without the model, under {len(rotations) - 1} rules of rotation and "
            f"without one. Chosen on data up to {ROTATION_UNTIL}: **{insured.chosen}**.",
            markdown_table(tried(insured)),
            "## Price of the insurance",
            "The chosen rotation against the same index without it, by calendar year: `given_up` is what a holder without the insurance "
            "earned more. Years in which the uninsured index rose are where it costs. `api.index_insurance` has the same of every index "
            "with a rotation.",
            markdown_table(
                price_of_insurance(insured.levels, {insured.chosen: UNROTATED}).select(
                    "year",
                    "return_without",
                    "return_with",
                    "given_up",
                    "is_bull_year",
                    "max_drawdown_without",
                    "max_drawdown_with",
                )
            ),
            insurance_verdict(insured),
            "## Members and weights",
            f"With that rotation, the {len(selections)} candidates of members and weights. Chosen on data up to {SELECTION_UNTIL}: "
            f"**{selected.chosen}**." + kept_to(shipped_rule(flagship, selections), selected.chosen),
            markdown_table(tried(selected)),
            READING,
        ]
    )


READING = """Reading it: candidates beside the chosen one differ from it by less than the luck of six years (an interval of a
Sharpe ratio is about one wide), so the choice is one of several good ones, and only its figures after the choice count. Before the first
stablecoin with enough volume nothing could be parked, which is why the fall of 2014 stands in both columns. A first run of the rotation
study had the flagship's limits in dollars, which emptied the years before 2017, and would have chosen half below the 100-day and half
below the 200-day average, daily, held for 14 days; the limits were taken out for the sake of those years, not of the result."""


def rotation_candidates(flagship: IndexDefinition) -> dict[str, IndexDefinition]:
    """The index without a model under every rule of rotation, by the rule's name; one without any."""
    plain = {
        "ranking": {"by": "market_cap_usd", "among_largest": 100},
        "selection": {"count": 20, "exit_rank": 40},
        "weighting": {"method": "market_cap", "cap": 0.2},
        # Limits in dollars would empty the early years, which the choice of a rotation needs most.
        "eligibility": {"min_volume_to_cap": 0.0002, "min_price_age_days": 30},
        "rotation": None,
        "twin": None,
    }
    found = {UNROTATED: _variant(flagship, plain)}
    for (below_100, below_200), trigger, hold in itertools.product(SHARES, TRIGGERS, HOLD_DAYS):
        shares = ((100, below_100), (200, below_200))
        rotation = {
            "steps": [{"below_btc_average_days": days, "share": share} for days, share in shares if share],
            "trigger": trigger,
            "min_hold_days": hold,
        }
        name = f"{below_100:.0%} below 100 d, {below_200:.0%} below 200 d, {trigger}, hold {hold} d"
        found[name] = _variant(flagship, plain | {"rotation": rotation})
    return found


def selection_candidates(flagship: IndexDefinition) -> dict[str, IndexDefinition]:
    """The flagship with every choice of members and weights, by its name."""
    found = {}
    for count, method, calls in itertools.product(COUNTS, WEIGHTINGS, CALLS_LEFT_OUT):
        fields = {
            "selection": {"count": count, "exit_rank": 2 * count},
            "weighting": flagship.weighting.model_dump() | {"method": method},
            "eligibility": flagship.eligibility.model_dump() | {"leave_out_calls": calls},
            "minimum_constituents": min(10, count),
        }
        name = f"{count} by {method}" + (f" without {' and '.join(calls)}" if calls else "")
        found[name] = _variant(flagship, fields)
    return found


def shipped_rule(flagship: IndexDefinition, selections: Mapping[str, IndexDefinition]) -> str:
    """The name of the candidate that the flagship's members and weights are."""

    def rule(definition: IndexDefinition) -> tuple[Any, ...]:
        return definition.selection, definition.weighting, definition.eligibility, definition.minimum_constituents

    return next(name for name, each in selections.items() if rule(each) == rule(flagship))


def kept_to(shipped: str, chosen: str) -> str:
    """What to say where the criterion, measured anew, prefers another rule than the index has; empty where it does not."""
    if shipped == chosen:
        return ""
    return (
        f" The index keeps to **{shipped}**, which the same criterion chose on the data of its day: identities and costs have been "
        "corrected since, and a rule that moved with each correction would be chosen by what came after."
    )


def study(
    connection: duckdb.DuckDBPyConnection,
    candidates: Mapping[str, IndexDefinition],
    market: MarketData,
    weeks: Sequence[date],
    *,
    until: date,
) -> Study:
    """Fold every candidate over the weeks, count its costs, and choose by the years up to `until`."""
    rebalances = pl.concat(
        [
            pl.concat([result.rebalances for result in fold(definition, new_state(definition), weeks, market)])
            .filter(pl.col("effective_at").dt.date() <= weeks[-1])
            .with_columns(index_id=pl.lit(name))
            for name, definition in candidates.items()
        ]
    )
    net = net_levels(
        rebalances,
        traded_closes(connection, rebalances, until=weeks[-1]),
        capitals_usd=[SMALL_CAPITAL_USD],
        costs=TradingCosts(),
        last_date=weeks[-1] - timedelta(days=1),
    )
    levels = net.select("date", "index_id", level="level_net")
    seen = levels.filter(pl.col("date") <= until)
    sharpe = _figures(seen).select("index_id", "sharpe").sort("sharpe", "index_id", descending=[True, False])
    chosen = str(sharpe["index_id"][0])
    parked = rebalances.filter(
        pl.col("index_id") == chosen,
        pl.col("target_weight") > 0,
        pl.col("reason").map_elements(is_rotation, return_dtype=pl.Boolean),
    )
    first_parked = parked["effective_at"].dt.date().sort().to_list()[:1]
    return Study(levels, net.select("date", "index_id", "turnover"), chosen, until, next(iter(first_parked), None))


def tried(found: Study) -> pl.DataFrame:
    """Every candidate before and after the choice, the best of before first."""
    before = _figures(found.levels.filter(pl.col("date") <= found.until), found.turnover)
    after = _figures(found.levels.filter(pl.col("date") >= found.until))
    return (
        before.join(after.drop("turnover_per_year"), on="index_id", suffix="_after")
        .sort("sharpe", descending=True)
        .rename({"index_id": "rule"})
    )


def insurance_verdict(found: Study) -> str:
    """The cut of the largest drawdown and the difference of the Sharpe ratios, over all years and after the choice."""
    lines = []
    spans = [("all years", found.levels), (f"after {found.until}", found.levels.filter(pl.col("date") >= found.until))]
    if found.first_parked is not None:
        since = found.levels.filter(pl.col("date") >= found.first_parked)
        spans.insert(1, (f"since {found.first_parked}, when there was first a stablecoin to hold", since))
    for title, levels in spans:
        depths = {
            index_id: largest_drawdown(levels.filter(pl.col("index_id") == index_id)["level"].to_numpy()).depth
            for index_id in (UNROTATED, found.chosen)
        }
        against = summarise_levels(
            levels.filter(pl.col("index_id").is_in([UNROTATED, found.chosen])), {found.chosen: [UNROTATED]}
        ).filter(pl.col("benchmark") == UNROTATED)
        row = against.filter(pl.col("metric") == "sharpe_difference").row(0, named=True)
        cut = 1 - depths[found.chosen] / depths[UNROTATED]
        difference = (
            "not defined"
            if row["value"] is None or row["low"] is None
            else f"{row['value']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f}, 95 %)"
        )
        lines.append(
            f"- {title}: largest drawdown {depths[UNROTATED]:.1%} without and {depths[found.chosen]:.1%} with it, cut by {cut:.0%}; "
            f"difference of the Sharpe ratios {difference}"
        )
    return "\n".join(lines)


def _figures(levels: pl.DataFrame, turnover: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row a series: index_id, a_year, volatility, sharpe, drawdown, turnover_per_year."""
    names = levels["index_id"].unique().to_list()
    summary = summarise_levels(levels, {name: [] for name in names}, turnover=turnover, draws=1)  # no use for intervals
    metrics = ("annual_return", "volatility", "sharpe", "max_drawdown", "turnover_per_year")
    return (
        summary.filter(pl.col("metric").is_in(metrics))
        .pivot(on="metric", index="index_id", values="value")
        .rename({"annual_return": "a_year", "max_drawdown": "drawdown"})
        .select("index_id", "a_year", "volatility", "sharpe", "drawdown", "turnover_per_year")
    )


def _variant(flagship: IndexDefinition, fields: Mapping[str, Any]) -> IndexDefinition:
    return IndexDefinition.model_validate(flagship.model_dump() | dict(fields))
