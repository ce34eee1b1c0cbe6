"""How many requests a run makes of whom: a first run and the next day's, counted at the sandbox.

Belongs here: the two runs and the table, `docs/results/request-budget.md`. Does not: what is asked (`lib/loads`).

The runs are shaped like live ones: the history is that of a free plan, and nothing but the requests decides what is known.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from orchestration.lib.connections import open_connections
from orchestration.lib.ingestion import Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import steps_of
from orchestration.lib.source_journal import SourceJournal
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import REPOSITORY_ROOT, Settings

TOKENS = 500
FIRST, LAST = date(2022, 1, 3), date(2025, 1, 5)
MOST_FIRST, MOST_DAILY = 4000, 800
REPORT = REPOSITORY_ROOT / "docs" / "results" / "request-budget.md"


@dataclass(frozen=True)
class Budget:
    """Requests by step.

    Attributes:
        first: Of the first run, history and first day.
        daily: Of the next day's run.
        down: Steps whose source was down; a budget with any says nothing.
    """

    first: Counter[str]
    daily: Counter[str]
    down: tuple[str, ...]


def measure(tokens: int = TOKENS, *, first: date = FIRST, last: date = LAST) -> Budget:
    """Run the loads of a first run and of the next day against a sandbox, and count.

    Args:
        tokens: Tokens of the simulated market, and of the universe.
        first: First day of history.
        last: Last day of the first run.
    """
    settings = Settings(source="simulated", live_universe=tokens)
    market = simulate_market(SimulationSettings(tokens=tokens, start=first, end=last + timedelta(days=30)))
    with (
        tempfile.TemporaryDirectory() as name,
        running_sandbox(market, _after_close(last), full_history=False) as sandbox,
    ):
        store = LandingStore(Path(name))
        down: list[str] = []
        history = Reach(now=_after_close(last), first=first, last=last, partition="year")
        day = Reach(now=_after_close(last), first=first, last=last, partition="day")
        counted_first = _requests(settings, sandbox, store, [history, day], down)
        tomorrow = last + timedelta(days=1)
        sandbox.clock.now = _after_close(tomorrow)
        next_day = Reach(now=_after_close(tomorrow), first=first, last=tomorrow, partition="day")
        counted_daily = _requests(settings, sandbox, store, [next_day], down)
    return Budget(counted_first, counted_daily, tuple(down))


def table(budget: Budget) -> str:
    """The budget as Markdown, one row a step."""
    lines = ["| step | first run | next day |", "|---|---:|---:|"]
    for step in sorted(budget.first.keys() | budget.daily.keys()):
        lines.append(f"| {step} | {budget.first[step]:,} | {budget.daily[step]:,} |")
    total_first, total_daily = budget.first.total(), budget.daily.total()
    return "\n".join([*lines, f"| **all** | **{total_first:,}** | **{total_daily:,}** |"])


def main() -> int:
    """Measure, print and write the report."""
    budget = measure()
    text = table(budget)
    print(text)
    for reason in budget.down:
        print(f"down: {reason}")
    REPORT.write_text(
        f"""# Requests a run makes

Written by `make request-budget`: counted at the sandbox, {TOKENS} tokens, {FIRST} to {LAST}, with the history of a free plan
(CoinGecko: 365 days), every keyless source on, and GitHub with its free token; without one it is asked for eight repositories.
Limits that were set: {MOST_FIRST:,} for the first run, {MOST_DAILY:,} for a day.

{text}

A Monday asks more than other days: each coin's chart is read again once a week (one request a coin), for late and revised closes.
""",
        encoding="utf-8",
    )
    is_kept = budget.first.total() < MOST_FIRST and budget.daily.total() < MOST_DAILY and not budget.down
    return 0 if is_kept else 1


def _requests(
    settings: Settings, sandbox: RunningSandbox, store: LandingStore, reaches: Sequence[Reach], down: list[str]
) -> Counter[str]:
    """Requests by step of the loads of one run."""
    counted: Counter[str] = Counter()
    with open_connections(settings, _silent, sandbox=sandbox) as connections:
        ingestion, journal = connections.ingestion(store), SourceJournal(store.root)
        for reach in reaches:
            for step in steps_of(settings):
                if reach.partition == "year" and not step.has_history:
                    continue
                before = len(sandbox.requests)
                outcome = step.attempt(ingestion, connections, reach, journal=journal, run_id="budget")
                counted[step.name] += len(sandbox.requests) - before
                if outcome.down:
                    down.append(f"{step.name}: {outcome.down}")
    return counted


def _after_close(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 0, 45, tzinfo=UTC) + timedelta(days=1)


def _silent(_text: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
