"""The weekly run by the number of tokens: every step's time and memory, a first run and the week after it.

Belongs here: runs of the command on simulated markets of several sizes, what is sampled beside them, and the tables made of it.
Does not: single parts beside other libraries (`features.py`, `candles.py`, `optimiser.py`).
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import psutil

from orchestration.lib.run_history import RUN_STEPS
from orchestration.sources.datasets import DATASETS

REPOSITORY = Path(__file__).resolve().parent.parent
MEASURED = REPOSITORY / "docs" / "results" / "weekly-run.csv"
"""Every step of every run measured last; a size that is measured alone takes the place of its own rows only."""

SIZES = (250, 1000, 6000)
START = date(2021, 1, 4)
WEEK = date(2025, 1, 6)
YEARS = 4

LANDING, HISTORY_OF_MODELS = "landing", "models and scores of the past"
GROUPS = {
    LANDING: ("landing__history",),
    HISTORY_OF_MODELS: (
        *("learning__models", "calls", "explanations", "call_outcomes", "model_evaluation", "monitor", "trade_actions"),
        *("base_rate_weeks", "chance_weeks"),
    ),
}
"""What stands apart from the way from landed data to a published week: reading the providers, and going through the models' past."""

FIRST, NEXT = "first run", "next week"
DAGSTER_ITSELF, DBT_ITSELF = "(Dagster and start-up)", " (dbt itself)"
"""What is no work on data: the command outside all steps, and a step of dbt while no model or test of it ran."""
SHOWN_SECONDS = 2.0
"""Steps that take less at the largest size are shown as one."""

GIB = 2**30
SAMPLE_SECONDS = 0.2
PROBE_BYTES = 2**30


@dataclass(frozen=True)
class Cost:
    """What a step of a run took.

    Attributes:
        tokens: Size of the market.
        run: `FIRST` or `NEXT`.
        step: Name of the step; `""` is the whole command.
        seconds: By the clock.
        processor_seconds: Of the command and its children.
        peak_gib: Most resident memory of the command and its children while it ran.
        token_days: Rows of the panel of features after the run.
        started_at: When the command was started (UTC).
        load: Load of the machine then.
    """

    tokens: int
    run: str
    step: str
    seconds: float
    processor_seconds: float
    peak_gib: float
    token_days: int
    started_at: str
    load: float


@dataclass(frozen=True)
class Sample:
    """The command and its children at an instant: seconds since the epoch, processor seconds so far, bytes resident."""

    at: float
    processor: float
    resident: int


class Sampler(threading.Thread):
    """Looks at a process and its children several times a second until it ends."""

    def __init__(self, pid: int, dbt_results: Path) -> None:
        """Watch a process.

        Args:
            pid: The process.
            dbt_results: The file that each run of dbt ends with, kept as it changes.
        """
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._dbt_results = dbt_results
        self._seen = dbt_results.stat().st_mtime if dbt_results.exists() else 0.0
        self.samples: list[Sample] = []
        self.dbt_busy: list[tuple[float, float]] = []

    def run(self) -> None:
        """Sample until the process has ended."""
        self._sample()
        self._read_dbt()

    def _read_dbt(self) -> None:
        if not self._dbt_results.exists() or (changed := self._dbt_results.stat().st_mtime) == self._seen:
            return
        try:
            results = json.loads(self._dbt_results.read_text())["results"]
        except json.JSONDecodeError:
            return  # being written; the next look reads it whole
        self._seen = changed
        for timing in (timing for result in results for timing in result["timing"]):
            begin, end = (datetime.fromisoformat(timing[key]).timestamp() for key in ("started_at", "completed_at"))
            self.dbt_busy.append((begin, end))

    def _sample(self) -> None:
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            processor, resident = 0.0, 0
            for process in self._family():
                try:
                    times = process.cpu_times()
                    processor += sum((times.user, times.system, times.children_user, times.children_system))
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue  # it ended between two looks; its parent has its seconds now
            if resident:
                self.samples.append(Sample(time.time(), processor, resident))
            self._read_dbt()
            time.sleep(SAMPLE_SECONDS)

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def measure(tokens: int, folder: Path) -> list[Cost]:
    """A first run in an empty folder, and the week after it."""
    return [*_measured(tokens, FIRST, folder, WEEK), *_measured(tokens, NEXT, folder, WEEK + timedelta(days=7))]


def _measured(tokens: int, run: str, folder: Path, week: date) -> list[Cost]:
    environment = os.environ | {
        "TIDEMARK_SOURCE": "simulated",
        "TIDEMARK_DATA_DIR": str(folder),
        "TIDEMARK_AS_OF": week.isoformat(),
        "TIDEMARK_SIMULATION__TOKENS": str(tokens),
        "TIDEMARK_SIMULATION__START": START.isoformat(),
        "DAGSTER_HOME": str(REPOSITORY),
        "DBT_PROFILES_DIR": str(REPOSITORY / "dbt_project"),
        "PYTHONPATH": str(REPOSITORY),
        "TIDEMARK_LIVE_UNIVERSE": str(tokens),
        "TIDEMARK_QUIET": "1",
    }
    load, started = os.getloadavg()[0], time.time()
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run"], env=environment, cwd=REPOSITORY
    ) as process:
        sampler = Sampler(process.pid, folder / "dbt" / "target" / "run_results.json")
        sampler.start()
        code = process.wait()
    ended = time.time()
    sampler.join()
    if code:
        raise SystemExit(
            f"bench: the {run} of {tokens} tokens in {folder} ended with exit code {code}; see its run.log"
        )
    steps = _steps(folder, started)
    token_days = _token_days(folder)
    at = datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds")

    def cost(step: str, figures: tuple[float, float, float]) -> Cost:
        return Cost(tokens, run, step, *figures, token_days, at, round(load, 1))

    whole = _within(sampler.samples, started, ended)
    spans = {step: _within(sampler.samples, begin, end) for step, begin, end in steps}
    outside = tuple(round(whole[place] - sum(span[place] for span in spans.values()), 2) for place in (0, 1))
    costs = [
        cost("", whole),
        cost(DAGSTER_ITSELF, (*outside, 0.0)),
        *(cost(step, span) for step, span in spans.items()),
    ]
    for step, begin, end in steps:
        if step.startswith("dbt_"):
            idle = round(end - begin - covered(sampler.dbt_busy, begin, end), 2)
            costs.append(cost(step + DBT_ITSELF, (idle, 0.0, 0.0)))
    return costs


def covered(intervals: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds between two instants on which at least one of the intervals lies."""
    total, reached = 0.0, begin
    for start, stop in sorted(intervals):
        start, stop = max(start, reached), min(stop, end)
        if stop > start:
            total += stop - start
            reached = stop
    return total


def _within(samples: Sequence[Sample], begin: float, end: float) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak of a span; the samples next to its ends stand for them."""
    inside = [sample for sample in samples if begin <= sample.at <= end]
    before = max((sample.processor for sample in samples if sample.at <= begin), default=0.0)
    after = max((sample.processor for sample in samples if sample.at <= end), default=before)
    near = inside or [min(samples, key=lambda sample: abs(sample.at - begin))]
    return round(end - begin, 2), round(after - before, 2), round(max(sample.resident for sample in near) / GIB, 2)


def _steps(folder: Path, since: float) -> list[tuple[str, float, float]]:
    """Name, start and end of each step that the runs since an instant wrote down (`orchestration/lib/run_history.py`)."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(
            f"""
            select step, epoch(started_at), epoch(started_at) + seconds
            from {RUN_STEPS}
            where status = 'done' and epoch(started_at) >= ?
            order by started_at
            """,
            [since],
        ).fetchall()


def _token_days(folder: Path) -> int:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute("select count(*) from marts.feat_token_daily").fetchone()
    return int(row[0]) if row else 0


def scale() -> list[str]:
    """Measure all sizes, or those that `TOKENS` names, and return the lines of the page."""
    sizes = [int(size) for size in os.environ.get("TOKENS", "").split()] or list(SIZES)
    keep = os.environ.get("BENCH_DIR")
    root = Path(keep) if keep else Path(tempfile.mkdtemp(prefix="tidemark-bench-"))
    root.mkdir(parents=True, exist_ok=True)
    kept = read(MEASURED)
    try:
        for tokens in sizes:
            folder = root / f"tokens-{tokens}"
            shutil.rmtree(folder, ignore_errors=True)
            costs = measure(tokens, folder)
            limits = machine_limit(folder)
            kept = [cost for cost in kept if cost.tokens != tokens] + costs
            write(MEASURED, kept)
            LIMITS.write_text(json.dumps(_limits() | {str(tokens): limits}, indent=1, sort_keys=True) + "\n")
            if not keep:
                shutil.rmtree(folder)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
    return page(kept, _limits())


LIMITS = MEASURED.with_name("weekly-run-limits.json")


def _limits() -> dict[str, dict[str, float]]:
    limits: dict[str, dict[str, float]] = json.loads(LIMITS.read_text()) if LIMITS.exists() else {}
    return limits


def machine_limit(folder: Path) -> dict[str, float]:
    """What no way could be faster than here: every landed byte read once, every byte of warehouse and published copy written once.

    Returns:
        gib_landed, gib_written, and the speed of the disk (written through to it, read past its cache) and of copies in memory in
        GiB a second.
    """
    block = os.urandom(2**20)
    probe = folder / "probe"
    started = time.perf_counter()
    with probe.open("wb", buffering=0) as file:
        for _ in range(PROBE_BYTES // len(block)):
            file.write(block)
        os.fsync(file.fileno())
    written = time.perf_counter() - started
    with probe.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        started = time.perf_counter()
        while file.read(len(block)):
            pass
        read_again = time.perf_counter() - started
    probe.unlink()
    memory = bytearray(PROBE_BYTES)
    started = time.perf_counter()
    bytes(memory)
    copied = time.perf_counter() - started
    size = PROBE_BYTES / GIB
    return {
        "gib_landed": _gib(folder / "landing"),
        "gib_written": round(_gib(folder / "warehouse.duckdb") + _gib(folder / "published"), 3),
        "disk_write": round(size / written, 2),
        "disk_read": round(size / read_again, 2),
        "memory": round(size / copied, 2),
    }


def _gib(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / GIB, 3)


def read(file: Path) -> list[Cost]:
    """The rows of a file, none where it is not there."""
    if not file.exists():
        return []
    with file.open(newline="") as rows:
        return [
            Cost(
                tokens=int(row["tokens"]),
                run=row["run"],
                step=row["step"],
                seconds=float(row["seconds"]),
                processor_seconds=float(row["processor_seconds"]),
                peak_gib=float(row["peak_gib"]),
                token_days=int(row["token_days"]),
                started_at=row["started_at"],
                load=float(row["load"]),
            )
            for row in csv.DictReader(rows)
        ]


def write(file: Path, costs: Iterable[Cost]) -> None:
    """Write rows, smallest market first."""
    with file.open("w", newline="") as rows:
        writer = csv.DictWriter(rows, [field.name for field in fields(Cost)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(cost) for cost in sorted(costs, key=lambda cost: (cost.tokens, cost.run)))


def page(costs: Sequence[Cost], limits: dict[str, dict[str, float]]) -> list[str]:
    """Lines of the page: whole runs, what a step costs, and how it grows."""
    sizes = sorted({cost.tokens for cost in costs})
    lines = [
        f"The weekly job on a simulated market of {YEARS} years, in an empty folder and then for the week after. Every step is in",
        "`results/weekly-run.csv`. Groups: landing is the requests to the providers' stand-in and what it writes;",
        f'"{HISTORY_OF_MODELS}" trains every quarter\'s refit (a booster learns from at most 300,000 token-weeks, a seeded sample) and',
        "scores every past week; what is left is the way from landed data to the published copy. Where the load at the start was above",
        "1, the clock counts what others took of the two processors, too; processor seconds hardly do.",
        "",
        "| tokens | run | token-days | whole, s | landing, s | models' past, s | landed to published, s | of it processor, s "
        "| peak GiB | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tokens in sizes:
        for run in (FIRST, NEXT):
            chosen = [cost for cost in costs if (cost.tokens, cost.run) == (tokens, run)]
            if not chosen:
                continue
            whole = next(cost for cost in chosen if not cost.step)
            groups = {name: [cost for cost in chosen if group_of(cost.step) == name] for name in GROUPS}
            left = whole.seconds - sum(cost.seconds for group in groups.values() for cost in group)
            work = whole.processor_seconds - sum(cost.processor_seconds for group in groups.values() for cost in group)
            landing, past = (sum(cost.seconds for cost in groups[name]) for name in GROUPS)
            lines.append(
                f"| {tokens:,} | {run} | {whole.token_days:,} | {whole.seconds:,.0f} | {landing:,.0f} | {past:,.0f} | {left:,.0f} "
                f"| {work:,.0f} | {whole.peak_gib:.1f} | {whole.load} |"
            )
    for run in (FIRST, NEXT):
        lines += ["", *_step_table(costs, sizes, run)]
    return [*lines, "", *_limit_table(costs, limits)]


def group_of(step: str) -> str | None:
    """The group of `GROUPS` a step belongs to; None on the way from landed data to published, and for the whole."""
    if step in GROUPS[HISTORY_OF_MODELS]:
        return HISTORY_OF_MODELS
    is_landing = step in GROUPS[LANDING] or step.startswith(PROVIDERS)
    return LANDING if is_landing else None


PROVIDERS = (*sorted({dataset.source for dataset in DATASETS.values()}), "unlock_")
"""How the names of ingestion's steps begin."""


def growth(smaller: Cost, larger: Cost) -> float | None:
    """The power of the number of token-days by which a step's processor seconds grow; None where it is too short to tell."""
    if min(smaller.processor_seconds, larger.processor_seconds) < 1 or smaller.token_days >= larger.token_days:
        return None
    return math.log(larger.processor_seconds / smaller.processor_seconds) / math.log(
        larger.token_days / smaller.token_days
    )


def _step_table(costs: Sequence[Cost], sizes: Sequence[int], run: str) -> list[str]:
    chosen = {(cost.tokens, cost.step): cost for cost in costs if cost.run == run and group_of(cost.step) != LANDING}
    largest = sizes[-1]
    long = [step for (tokens, step), cost in chosen.items() if tokens == largest and cost.seconds >= SHOWN_SECONDS]
    long.sort(key=lambda step: (bool(step), -chosen[largest, step].seconds))
    lines = [
        f"Steps of the {run}: seconds by the clock / processor seconds. Growth is the power of the number of token-days, from the "
        "second largest size to the largest.",
        "",
        f"| step | {' | '.join(f'{tokens:,} tokens' for tokens in sizes)} | growth | rows a second | peak GiB |",
        f"| --- | {' | '.join('---' for _ in sizes)} | --- | --- | --- |",
    ]
    for step in long:
        cells = [
            f"{cost.seconds:.1f} / {cost.processor_seconds:.1f}" if (cost := chosen.get((tokens, step))) else ""
            for tokens in sizes
        ]
        last = chosen[largest, step]
        before = chosen.get((sizes[-2], step)) if len(sizes) > 1 else None
        power = growth(before, last) if before else None
        lines.append(
            f"| {step or 'whole command'} | {' | '.join(cells)} | {'' if power is None else f'{power:.2f}'} "
            f"| {last.token_days / last.seconds:,.0f} | {last.peak_gib:.1f} |"
        )
    return lines


def _limit_table(costs: Sequence[Cost], limits: dict[str, dict[str, float]]) -> list[str]:
    lines = [
        "Distance to the machine's limit: every landed byte read once and every byte of the warehouse and the published copy written",
        "once, at the speed of the disk measured after the run (written through, read past the cache).",
        "",
        "| tokens | landed, GiB | written, GiB | disk reads, GiB/s | disk writes, GiB/s | memory copies, GiB/s | least, s "
        "| landed to published / least |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tokens, limit in sorted(limits.items(), key=lambda item: int(item[0])):
        run = [cost for cost in costs if (cost.tokens, cost.run) == (int(tokens), FIRST)]
        if not run:
            continue
        least = limit["gib_landed"] / limit["disk_read"] + limit["gib_written"] / limit["disk_write"]
        seconds = sum(
            cost.seconds if not cost.step else -cost.seconds for cost in run if not cost.step or group_of(cost.step)
        )
        lines.append(
            f"| {int(tokens):,} | {limit['gib_landed']} | {limit['gib_written']} | {limit['disk_read']} | {limit['disk_write']} "
            f"| {limit['memory']} | {least:.1f} | {seconds / least:,.0f} |"
        )
    return lines
