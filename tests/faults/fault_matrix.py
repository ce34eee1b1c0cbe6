"""The fault matrix: every step of ingestion under every way in which a provider fails.

Each step is loaded once undisturbed, then under each kind of fault: struck a few times (it should get over it), and struck at
every request. Steps of exchanges, which read lists first, are struck a third time at the requests for the data alone. What may
come of it: all rows after repeated requests, refused records in quarantine, or one clear error. What may not: a crash, a hang, a
row that differs from the undisturbed one.

An exchange is alone in its loads, since each token is asked at one venue and some venues would have nothing to give.

Run `python -m tests.faults.fault_matrix` to write docs/results/fault-matrix.md.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from orchestration.lib.connections import open_connections
from orchestration.lib.ingestion import Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import steps_of
from orchestration.lib.loads.step import Outcome, Step
from orchestration.lib.source_journal import SourceJournal
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.lies import LIES as WHOLE_LIES
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import Settings
from orchestration.sources.http import HttpLimits
from tests.limits import QUICK

START, END = date(2024, 1, 1), date(2024, 9, 1)
LAST = date(2024, 8, 25)
FIRST = date(2024, 6, 1)
NOW = datetime(2024, 8, 26, 0, 45, tzinfo=UTC)
LONGEST_CELL_SECONDS = 30.0
STRUCK_TIMES = 2

PATIENT = replace(QUICK, attempts=4, longest_pause_seconds=2.0, failures_to_open=2, cool_down_seconds=0.5)
"""Waits between requests cut, so that a matrix takes minutes; the order of events is that of a real run."""

IMPATIENT = replace(PATIENT, connect_seconds=2.0, read_seconds=0.25, total_seconds=0.6)
"""For `SLOW` kinds alone: an answer that is fed slowly takes longer than this."""

SLOW = (FaultKind.TIMEOUT, FaultKind.DRIP)
SLOW_ANSWER_SECONDS = 1.5

HOW_FOUND = ("found_as",)
"""Columns that say by which of several lists a row came; a pool refused in one may stand in the other."""

LIES = (FaultKind.IMPOSSIBLE_VALUES, FaultKind.FUTURE_TIMESTAMPS)
"""Kinds that change values. A zero where zero is possible, a negative rate, an unlock ten years on cannot be told from a fact at
landing; how many such rows pass is counted and shown. Every other kind must leave each landed row as it was."""

KINDS = tuple(kind for kind in FaultKind if kind not in WHOLE_LIES)
"""Kinds of the matrix: lies in good form say nothing wrong of one load, and are drilled on whole runs (`tests/faults/drills/lies.py`)."""

DATA_PATHS = {
    "binance": ("/klines", "/depth", "/fundingRate"),
    "okx": ("/candles", "/books-full", "/funding-rate-history"),
    "coinbase": ("/candles", "/book"),
    "kucoin": ("/market/candles", "/orderbook", "/funding-rates"),
    "gate": ("/candlesticks", "/order_book", "/funding_rate"),
    "kraken": ("/OHLC", "/Depth"),
    "bitstamp": ("/ohlc", "/order_book"),
}
"""By venue, what the paths of requests for candles, order books and funding rates hold."""

REPORT = Path(__file__).parents[2] / "docs" / "results" / "fault-matrix.md"


@dataclass(frozen=True)
class Cell:
    """What came of one step under one fault.

    Attributes:
        outcome: `all rows`, `part` (some rows, the rest refused or failed, and said so), `error` (none, one clear error).
        quarantined: Records refused.
        seconds: How long it took.
        wrong: Rows that say something else than the undisturbed load; must be 0 but for `LIES`.
        said: The error, empty where there was none.
    """

    outcome: str
    quarantined: int
    seconds: float
    wrong: int
    said: str

    @property
    def shown(self) -> str:
        """For the table."""
        return f"{self.outcome} ({self.quarantined} refused)" if self.quarantined else self.outcome


class FaultLab:
    """A small simulated market, its undisturbed load, and loads under faults."""

    def __init__(self, sandbox: RunningSandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        key = "canary-of-the-fault-matrix"
        self.settings = Settings(
            source="simulated",
            reddit={
                "base_url": "https://oauth.reddit.com",
                "hosts": {"token": "https://www.reddit.com"},
                "min_interval_seconds": 0,
                "api_key": key,
                "api_secret": key,
            },
        )
        self.steps = steps_of(self.settings)
        self.reach = Reach(now=NOW, first=FIRST, last=LAST, partition="day")
        self.base = LandingStore(folder / "base")
        self.hosts: dict[str, set[str]] = {}
        for step in self.steps:
            self._load_undisturbed(step)
        for step in self.steps:
            if self._empty(step):  # some look at what later steps have landed
                self._load_undisturbed(step)
            if empty := self._empty(step):
                raise AssertionError(f"{step.name} lands no rows of {empty}, so a fault could cost none")

    def data_path(self, step: Step) -> str | None:
        """What the paths of a step's requests for data hold; None for steps that ask for nothing else first."""
        paths = DATA_PATHS.get(step.provider)
        return (
            paths
            and paths[("candles_daily", "quotes", "derivatives").index(step.name.removeprefix(f"{step.provider}_"))]
        )

    def _load_undisturbed(self, step: Step) -> None:
        before = len(self.sandbox.requests)
        outcome = self.attempt(step, self.base)
        if outcome.down or any(result.failures for result in outcome.results):
            raise AssertionError(f"{step.name} failed undisturbed: {outcome}")
        self.hosts[step.name] = {request.host for request in self.sandbox.requests[before:]}

    def _empty(self, step: Step) -> list[str]:
        return [dataset.label for dataset in step.datasets if self.base.newest(dataset).is_empty()]

    def attempt(self, step: Step, store: LandingStore, *, limits: HttpLimits = PATIENT) -> Outcome:
        """Run one step as a run does."""
        is_exchange = step.provider in DATA_PATHS
        alone = self.settings.model_copy(update={"exchanges": (step.provider,)}) if is_exchange else self.settings
        with open_connections(alone, _silent, sandbox=self.sandbox, limits=limits) as connections:
            return step.attempt(
                connections.ingestion(store),
                connections,
                self.reach,
                journal=SourceJournal(store.root),
                run_id="matrix",
            )

    def strike(self, step: Step, kind: FaultKind, *, times: int | None, path: str = "") -> Cell:
        """Load a step while its provider misbehaves, at all requests or at those whose path holds something."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            store = LandingStore(Path(name))
            for dataset in self._known_before(step):
                source = self.base.root / "landing" / dataset.source / dataset.name
                if source.exists():
                    target = store.root / "landing" / dataset.source / dataset.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.symlink_to(source)  # only read: the step writes none of them
            for host in sorted(self.hosts[step.name]):
                self.sandbox.faults.add(
                    FaultRule(
                        kind=kind,
                        host=host,
                        path_contains=path,
                        times=times,
                        retry_after_seconds=1,
                        delay_seconds=SLOW_ANSWER_SECONDS,
                    )
                )
            began = time.monotonic()
            try:
                outcome = self.attempt(step, store, limits=IMPATIENT if kind in SLOW else PATIENT)
            finally:
                struck = self.sandbox.faults.struck
                self.sandbox.faults.clear()
            seconds = time.monotonic() - began
            if not struck:
                raise AssertionError(f"{step.name} met no {kind}")
            return self._judge(outcome, store, seconds=seconds)

    def _known_before(self, step: Step) -> list:
        """Datasets of other steps: a load looks at what has landed to know what to ask."""
        own = {dataset.label for dataset in step.datasets}
        return [dataset for other in self.steps for dataset in other.datasets if dataset.label not in own]

    def _judge(self, outcome: Outcome, store: LandingStore, *, seconds: float) -> Cell:
        wrong = missing = landed = 0
        for result in outcome.results:
            columns = list(result.dataset.columns)
            expected = self.base.newest(result.dataset).select(columns)
            found = store.newest(result.dataset).select(columns)
            landed += found.height
            wrong += _wrong_rows(found, expected, key=result.dataset.key)
            missing += expected.join(found, on=columns, how="anti", nulls_equal=True).height
        failures = {name: said for result in outcome.results for name, said in result.failures.items()}
        said = outcome.down or "; ".join(failures.values())[:300]
        quarantined = sum(result.quarantined for result in outcome.results)
        if outcome.down and not landed:
            name = "error"
        elif missing == 0 and not outcome.down:
            name = "all rows"
        else:
            name = "part"
        return Cell(name, quarantined, seconds, wrong, said)


def _wrong_rows(found: pl.DataFrame, expected: pl.DataFrame, *, key: tuple[str, ...]) -> int:
    """Rows that say something else than the undisturbed ones; a value that is missing says nothing."""
    both = found.join(expected, on=key, how="left", suffix="__expected", nulls_equal=True)
    values = [name for name in found.columns if name not in key and name not in HOW_FOUND]
    differs = [pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"{name}__expected")) for name in values]
    invented = found.join(expected, on=key, how="anti", nulls_equal=True).height
    known = both.join(expected.select(key), on=key, how="semi", nulls_equal=True)
    return invented + (known.filter(pl.any_horizontal(differs)).height if differs else 0)


@contextmanager
def open_lab() -> Iterator[FaultLab]:
    """A lab on a market of its own."""
    market = simulate_market(SimulationSettings(tokens=40, start=START, end=END, seed=11))
    with tempfile.TemporaryDirectory() as name, running_sandbox(market, NOW) as sandbox:
        yield FaultLab(sandbox, Path(name))


def strike_all(lab: FaultLab, step: Step, kind: FaultKind) -> list[Cell]:
    """A step struck twice, always, and for exchanges always where data are asked for."""
    cells = [lab.strike(step, kind, times=STRUCK_TIMES), lab.strike(step, kind, times=None)]
    path = lab.data_path(step)
    return cells if path is None else [*cells, lab.strike(step, kind, times=None, path=path)]


def table(lab: FaultLab, cells: dict[tuple[str, FaultKind], list[Cell]]) -> str:
    """The matrix as Markdown: steps down, kinds across; struck twice / always / always at the data."""
    kinds = list(KINDS)
    lines = [
        "| step | " + " | ".join(kind.value.replace("_", " ") for kind in kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for step in lab.steps:
        shown = [" / ".join(cell.shown for cell in cells[step.name, kind]) for kind in kinds]
        lines.append(f"| {step.name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main(only: list[str]) -> int:
    """Run the whole matrix and write the report; with names of steps, run and print those alone."""
    began = time.monotonic()
    logging.getLogger("orchestration.sources").setLevel(logging.ERROR)  # thousands of repeated requests, on purpose
    with open_lab() as lab:
        cells: dict[tuple[str, FaultKind], list[Cell]] = {}
        for step in [each for each in lab.steps if not only or each.name in only]:
            for kind in KINDS:
                struck = cells[step.name, kind] = strike_all(lab, step, kind)
                sys.stdout.write(
                    f"{step.name:32} {kind:26} {' / '.join(cell.shown for cell in struck):60} "
                    f"{sum(cell.seconds for cell in struck):5.1f} {sum(cell.wrong for cell in struck)} {struck[-1].said[:80]}\n"
                )
            sys.stdout.flush()
        if only:
            return 0
        text = table(lab, cells)
    loads = [(kind, cell) for (_, kind), struck in cells.items() for cell in struck]
    slow = [cell for _, cell in loads if cell.seconds > LONGEST_CELL_SECONDS]
    wrong = sum(cell.wrong for kind, cell in loads if kind not in LIES)
    lies = sum(cell.wrong for kind, cell in loads if kind in LIES)
    REPORT.write_text(
        f"""# Fault matrix

Written by `make fault-matrix`. Every step of ingestion against a sandbox that misbehaves; in each cell first what came of it
when the provider was struck {STRUCK_TIMES} times, then when it was struck at every request, and of exchanges, which read lists
first, when it was struck at every request for candles, order books or funding rates. An exchange is alone in its loads.

- **all rows**: everything landed after repeated requests.
- **part**: some rows landed, each saying what the undisturbed one says; what is missing was refused into quarantine or named as failed.
- **error**: nothing landed, and one clear error says why.

{len(loads)} loads; rows that say something else than the undisturbed load: {wrong};
loads over {LONGEST_CELL_SECONDS:g} s: {len(slow)}; crashes: 0
(a crash ends the command). Under *impossible values* and *future timestamps* the provider lies: {lies} rows passed that nothing at
landing can tell from a fact, such as a zero where zero is possible or an unlock ten years on; the warehouse's cleaning sees them next.

{text}
""",
        encoding="utf-8",
    )
    sys.stdout.write(f"{len(loads)} loads in {time.monotonic() - began:.0f} s, {wrong} wrong rows: {REPORT}\n")
    return 1 if wrong or slow else 0


def _silent(_text: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
