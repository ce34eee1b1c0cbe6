"""What a run says at its end: the week, the grades, the indices, the screen, and where to look.

Belongs here: reading the published copy and printing it. Does not: deciding what is published.
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import duckdb

from orchestration.lib.data_docs import DATA_DOCS
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.text_table import table_lines
from orchestration.settings import SHIPPED_INDICES
from orchestration.site import SITE

SHOWN_TABLES = 6
SHOWN_STEPS = 8
LARGEST = 5
"""Constituents of an index that are named; the others are counted."""

TOLD = frozenset({"ai_top100", "hodl10", "balanced_mix"})
"""Shipped indices that are told of, beside every one of the user's own; the others are counted."""


def print_steps(events: Sequence[dg.DagsterEvent]) -> None:
    """Print where the time of a run went and what it made: a row for each of the longest steps, one for all others."""
    done = steps_of(events)
    print()
    print(*table_lines(("step", "assets", "rows", "seconds"), step_rows(done)), sep="\n")


@dataclass(frozen=True)
class StepDone:
    """A step that succeeded.

    Attributes:
        name: Its name.
        assets: Assets it materialised, a count.
        rows: Rows of those assets that said how many they have.
        seconds: How long it took.
    """

    name: str
    assets: int
    rows: int
    seconds: float


def steps_of(events: Sequence[dg.DagsterEvent]) -> list[StepDone]:
    """The steps of a run that succeeded, in their order."""
    assets: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    done: dict[str, float] = {}
    for event in events:
        step = str(event.step_key)
        if event.is_step_materialization:
            assets[step] += 1
            count = event.step_materialization_data.materialization.metadata.get("dagster/row_count")
            if count is not None and isinstance(count.value, int):
                rows[step] += count.value
        elif event.event_type_value == "STEP_SUCCESS":
            done[step] = event.step_success_data.duration_ms / 1000
    return [StepDone(step, assets[step], rows[step], seconds) for step, seconds in done.items()]


def step_rows(done: Sequence[StepDone]) -> list[tuple[str, int, int, str]]:
    """Rows of the table: the longest steps, longest first, then the others together, then all."""
    longest = sorted(done, key=lambda step: -step.seconds)[:SHOWN_STEPS]
    others = [step for step in done if step not in longest]
    groups = [(step.name, [step]) for step in longest]
    groups += [(f"{len(others)} others", others)] if others else []
    return [
        (
            name,
            sum(step.assets for step in steps),
            sum(step.rows for step in steps),
            f"{sum(step.seconds for step in steps):,.1f}",
        )
        for name, steps in [*groups, ("all", list(done))]
    ]


def print_summary(folder: DataFolder, week: date, *, seconds: float) -> None:
    """Print the outcome of a week from the published copy, as a reader would see it."""
    path = folder.published / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")

        def rows(sql: str, *values: object) -> list[tuple[Any, ...]]:
            return connection.execute(sql, list(values)).fetchall()

        # Of the build, as closes may be left out of the copy.
        kinds = rows("select data_source from quality.builds order by completed_at desc nulls last limit 1")
        print(f"\nWeek {week} ({', '.join(str(row[0]) for row in kinds)} data)")
        graded = rows("select count(*), median(trader_grade) from api.trader_grades where as_of_week = ?", week)[0]
        print(f"Tokens graded: {graded[0]}" + (f", median grade {graded[1]:.0f}" if graded[0] else ""))
        best = rows(
            """select symbol, trader_grade, signal from api.trader_grades
            join api.trading_signals using (as_of_week, token_id, symbol)
            where as_of_week = ? order by trader_grade desc, token_id limit 5""",
            week,
        )
        calls = {1: "bullish", 0: "neutral", -1: "bearish"}
        print("Top 5 by Trader Grade: " + ", ".join(f"{s} {grade:.1f} ({calls[signal]})" for s, grade, signal in best))
        patient = rows(
            """select symbol, investor_grade from api.investor_grades
            where as_of_week = ? order by investor_grade desc, token_id limit 5""",
            week,
        )
        if patient:
            listed = ", ".join(f"{symbol} {grade:.1f}" for symbol, grade in patient)
            print(f"Top 5 by Investor Grade (90 days, a long-horizon price grade): {listed}")
        spans = rows(
            """select symbol, price_low_usd, price_high_usd from api.price_ranges
            where as_of_week = ? and token_id in ('bitcoin', 'ethereum') and horizon_days = 14 order by symbol""",
            week,
        )
        if spans:
            text = ", ".join(f"{symbol} {low:,.0f} to {high:,.0f} USD" for symbol, low, high in spans)
            print(f"In 14 days with a chance of four in five: {text}")
        mood = rows("select bullish_share, bearish_share from api.bull_bear where as_of_week = ?", week)
        if mood:
            print(f"Bull-bear: {mood[0][0]:.0%} bullish, {mood[0][1]:.0%} bearish")
        indices = rows("select index_id, name from api.indices order by index_id")
        shipped = {path.stem for path in SHIPPED_INDICES.glob("*.yaml")}
        told = [(index_id, name) for index_id, name in indices if index_id in TOLD or index_id not in shipped]
        for index_id, name in told:
            held = rows(
                """select symbol, weight from api.index_compositions where as_of_week = ? and index_id = ?
                order by weight desc, token_id""",
                week,
                index_id,
            )
            level = rows(
                "select level from api.index_levels where index_id = ? and date < ? order by date desc limit 1",
                index_id,
                week,
            )
            largest = ", ".join(f"{symbol} {weight:.1%}" for symbol, weight in held[:LARGEST])
            others = f" and {len(held) - LARGEST} more" if len(held) > LARGEST else ""
            text = largest + others or "unavailable this week"
            value = f" at {level[0][0]:,.1f}" if level and level[0][0] is not None else ""
            print(f"Index {index_id} ({name}){value}: {text}")
        if len(indices) > len(told):
            print(f"and {len(indices) - len(told)} more indices: select * from api.index_fact_sheet")
        picks = rows(
            "select rank, symbol, p_2x_90d, score, checks_true, checks_known from api.moonshots where as_of_week = ? order by rank",
            week,
        )
        text = ", ".join(
            f"{rank}. {symbol} {f'score {score:.0f}' if chance is None else f'{chance:.0%} to double'} ({true} of {known} known)"
            for rank, symbol, chance, score, true, known in picks
        )
        print(f"Moonshot screen: {text or 'no token passes this week'}")
        for (verdict,) in rows(
            "select distinct verdict from api.moonshots where as_of_week = ? and verdict is not null", week
        ):
            print(f"Its picks so far: {verdict}")
        skill = rows(
            """select metric, avg(value), count(*) from api.model_evaluation
            where model = 'trader' and universe = 'broad' and metric in ('rank_ic', 'rank_ic_lag1')
            group by metric order by metric"""
        )
        if skill:
            print(
                "Out of sample so far: "
                + ", ".join(f"mean {metric} {value:.3f} over {n} weeks" for metric, value, n in skill)
            )
        checks = rows("select tier, is_passed, table_name from api.check_results where as_of_week = ?", week)
        if checks:
            print(_checks_line(checks))
        print(_sources_line(rows("select source, dataset, status from api.source_health where as_of_week = ?", week)))
    print(f"\nPublished warehouse: {path}")
    site = folder.published / SITE / "index.html"
    if site.exists():
        print(f"Weekly report (open it in a browser): {site}")
    docs = folder.published / DATA_DOCS / "index.html"
    if docs.exists():
        print(f"Data Docs (what was checked, with the rows that failed): {docs}")
    print(
        f"Took {seconds:.0f} s. Look at it: make dev (Dagster UI on http://127.0.0.1:3000), or SQL: select * from api.trader_grades"
    )
    print("Research, not financial advice.")


def _checks_line(rows: list[tuple[Any, ...]]) -> str:
    """How many checks of the week held, by tier, and the tables of those that did not."""
    tiers = ", ".join(f"{sum(tier == each for tier, _, _ in rows)} {each}" for each in sorted({row[0] for row in rows}))
    failed = sorted({table for _, is_passed, table in rows if not is_passed})
    held = sum(bool(row[1]) for row in rows)
    shown = ", ".join(failed[:SHOWN_TABLES]) + (
        f" and {len(failed) - SHOWN_TABLES} more" if len(failed) > SHOWN_TABLES else ""
    )
    return f"Checks: {held} of {len(rows)} held ({tiers})" + (
        f"; not in {shown} (select * from api.check_results where not is_passed)" if failed else ""
    )


def _sources_line(rows: list[tuple[Any, ...]]) -> str:
    """How many sources were well, and the names of those that were not."""
    troubled: dict[str, list[str]] = {}
    for source, dataset, status in sorted(rows):
        if status in ("down", "stale"):
            troubled.setdefault(status, []).append(f"{source}/{dataset}")
    well = sum(status not in ("down", "stale", "ended") for _, _, status in rows)
    parts = [f"{well} of {len(rows)} datasets up to date"]
    parts += [f"{status}: {', '.join(names)}" for status, names in sorted(troubled.items())]
    return "Sources: " + "; ".join(parts) + (" (select * from api.source_health)" if troubled else "")
