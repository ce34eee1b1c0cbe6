"""The command line on a data folder of its own, and the runs that several tests look at.

A run costs most of a minute, so it is made once a session; a test that changes a folder works on a copy of it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import settings

from orchestration.settings import ProviderSettings, Settings
from tests.corrected import Corrected, correct_and_kill
from tests.examples import QUICK
from tests.watching import LONGEST_RUN_SECONDS, dagster_runs, log_of, tree_of, wait_until

settings.load_profile(QUICK)

REPOSITORY = Path(__file__).resolve().parents[1]
TOKENS = 130
"""Of the simulated market: the fewest that settings allow, so that 50 are eligible long enough for a first model."""

WEEK = date(2025, 1, 6)
NEXT_WEEK = date(2025, 1, 13)

SOURCES_DOWN = {"TIDEMARK_SIMULATION__FAULTS": "coinmetrics:unavailable:1.0,alternative_me:html_page:1.0"}
"""Settings of a week in which two sources are down: one fails, one answers with a page."""

MARK = "5e0c2b71a9d4"
"""Ends every key that no provider gave; it stands nowhere else."""

CANARIES = {
    f"TIDEMARK_{provider.upper()}__{part}": f"canary+{provider}/{part.lower()}={MARK}"
    for provider, field in Settings.model_fields.items()
    if field.annotation is ProviderSettings
    for part in ("API_KEY", "API_SECRET")
}
"""Keys that no provider gave, two for every one: tests look for their mark in all that a run writes, encoded as well."""

READER = """
import json, sys, time
from pathlib import Path
import duckdb

path, stop, log, result = sys.argv[1], *map(Path, sys.argv[2:])
reads, errors, weeks, is_publishing = 0, [], [], False
while not stop.exists():
    try:
        with duckdb.connect(path, read_only=True) as connection:
            week = str(connection.execute("select max(as_of_week) from api.trader_grades").fetchone()[0])
            connection.execute("select count(*), sum(price_usd) from api.daily").fetchall()
    except Exception as error:
        errors.append(repr(error))
    else:
        reads += 1
        weeks += [] if week in weeks else [week]
    if not is_publishing:
        is_publishing = log.exists() and "published__warehouse - STEP_START" in log.read_text()
        time.sleep(0.5)
result.write_text(json.dumps({"reads": reads, "errors": errors, "weeks": weeks}))
"""
"""A second process that opens the published warehouse, reads and closes it: twice a second, and as often as it can once the run
publishes. All the time would take one of two cores from the run."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        """Everything, for the message of a failed assertion."""
        return f"exit {self.code} after {self.seconds:.0f} s\n{self.out}\n{self.err}"


def hear_interrupts() -> None:
    """Treat SIGINT as a terminal's programs do, whatever the test runner inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Started:
    """A command that runs in a process group of its own, its output in files."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    began: float

    def wait(self) -> Finished:
        code = self.process.wait(timeout=LONGEST_RUN_SECONDS)
        return Finished(code, self.out.read_text(), self.err.read_text(), time.monotonic() - self.began)

    def kill_group(self) -> None:
        """SIGKILL for the command and all its children, as when the machine takes them."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill(self) -> None:
        """`kill -9 <pid>`: children that nobody kills stay behind."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Tidemark:
    """The command line as a user calls it, on one data folder."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def with_settings(self, **settings: str) -> "Tidemark":
        return replace(self, settings=self.settings | settings)

    def call(self, *arguments: str, **settings: str) -> Finished:
        """Run a command to its end."""
        began = time.monotonic()
        done = subprocess.run(
            self._command(arguments),
            cwd=REPOSITORY,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN_SECONDS,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def run(self, **settings: str) -> Finished:
        """The weekly job; fails the test where it fails."""
        finished = self.call("run", **settings)
        assert finished.code == 0, finished.said
        return finished

    @contextmanager
    def started(self, *arguments: str, **settings: str) -> Iterator[Started]:
        """A command in the background; nothing of it outlives the block."""
        logs = self.folder.parent
        out, err = logs / f"{self.folder.name}.out", logs / f"{self.folder.name}.err"
        with out.open("wb") as written, err.open("wb") as complaints:
            process = subprocess.Popen(
                self._command(arguments),
                cwd=REPOSITORY,
                env=self.environment(**settings),
                stdout=written,
                stderr=complaints,
                start_new_session=True,
                # A shell starts what it puts in the background deaf to Ctrl-C, and children inherit that from the test runner.
                preexec_fn=hear_interrupts,
            )
        try:
            yield Started(process, out, err, time.monotonic())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def environment(self, **settings: str) -> dict[str, str]:
        """The caller's environment without its own settings; one thread for training, since tests run beside others."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("TIDEMARK_", "DAGSTER_"))}
        own = {
            "TIDEMARK_DATA_DIR": str(self.folder),
            "TIDEMARK_SIMULATION__TOKENS": str(TOKENS),
            "OMP_THREAD_LIMIT": "1",
        }
        return inherited | own | self.settings | settings

    @property
    def published(self) -> Path:
        return self.folder / "published" / "warehouse.duckdb"

    def query(self, sql: str, *values: object) -> pl.DataFrame:
        """Ask the published warehouse, as a reader would."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql, list(values)).pl()

    def ledger(self, where: str = "true", *values: object) -> pl.DataFrame:
        """Versions in the published ledger, in a fixed order."""
        order = "order by table_name, unit, version"
        return self.query(f"select * from quality.unit_versions where {where} {order}", *values)

    def manifests(self) -> list[dict[str, Any]]:
        """All manifests of the chain, oldest first."""
        kept = sorted((self.folder / "published" / "manifests").glob("*.json"))
        return [json.loads(path.read_text()) for path in kept]

    def copy(self, to: Path) -> "Tidemark":
        """The same on a copy of the folder."""
        shutil.copytree(self.folder, to)
        return replace(self, folder=to)

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "orchestration.cli", *arguments]


@dataclass(frozen=True)
class WatchedRun:
    """A run during which others wanted to run and to read."""

    tidemark: Tidemark
    finished: Finished
    refused: Finished
    runs_before_refusal: int
    runs_after_refusal: int
    reads: int
    read_errors: list[str]
    weeks_read: list[str]


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Tidemark]]:
    """Gives folders that do not exist yet, removed at the end of the session."""
    given: list[Path] = []

    def give() -> Tidemark:
        given.append(tmp_path_factory.mktemp("folder") / "data")
        return Tidemark(given[-1])

    yield give
    for folder in given:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def first(new_folder: Callable[[], Tidemark]) -> Tidemark:
    """A first run of the simulated market at its default week. Only read: tests that change it take `own`."""
    tidemark = new_folder().with_settings(**CANARIES)
    finished = tidemark.run()
    (tidemark.folder.parent / "first.out").write_text(finished.out + finished.err)
    return tidemark


@pytest.fixture(scope="session")
def first_output(first: Tidemark) -> str:
    """What the first run printed."""
    return (first.folder.parent / "first.out").read_text()


@pytest.fixture
def own(first: Tidemark, tmp_path: Path) -> Iterator[Tidemark]:
    """A copy of the first run's folder, for a test to change."""
    yield first.copy(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Tidemark]:
    """A folder that does not exist yet."""
    tidemark = Tidemark(tmp_path / "data")
    yield tidemark
    shutil.rmtree(tidemark.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def next_week(first: Tidemark, new_folder: Callable[[], Tidemark]) -> WatchedRun:
    """A copy of the first run moved on by a week, while two sources are down, a second run wants in and a reader reads."""
    folder = new_folder().folder
    around = folder.parent
    tidemark = first.copy(folder).with_settings(TIDEMARK_AS_OF=NEXT_WEEK.isoformat(), **SOURCES_DOWN)
    stop, result = around / "stop", around / "reads.json"
    log = folder / "run.log"
    log.unlink()  # it tells of the first run's steps, and this run has not begun before its own
    reads = [str(path) for path in (tidemark.published, stop, log, result)]
    reader = subprocess.Popen([sys.executable, "-c", READER, *reads])
    try:
        with tidemark.started("run") as running:
            wait_until(lambda: "STEP_START" in log_of(folder), what="the first step")
            before = len(dagster_runs(tidemark.folder))
            refused = tidemark.call("run")
            after = len(dagster_runs(tidemark.folder))
            finished = running.wait()
    finally:
        stop.touch()
        reader.wait(timeout=60)
    assert finished.code == 0, finished.said
    seen = json.loads(result.read_text())
    return WatchedRun(tidemark, finished, refused, before, after, seen["reads"], seen["errors"], seen["weeks"])


@pytest.fixture(scope="session")
def corrected(first: Tidemark, new_folder: Callable[[], Tidemark]) -> Corrected:
    """A copy of the first run in which facts were corrected, run again once a run was killed."""
    return correct_and_kill(first, new_folder().folder)


@pytest.fixture(scope="session")
def canaries() -> list[str]:
    """The keys the first run was given."""
    return list(CANARIES.values())


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, tuple[int, int]]]:
    """How to note the files of a folder, to see whether anything was written."""
    return tree_of


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """How to wait until something holds."""
    return wait_until
