"""Weeks of scheduled runs through the real service, at accelerated time: `make soak [WEEKS=13] [FOLDER=...]`.

`tidemark serve` runs on the simulated market with a clock that this drill sets (`set_clock.c`): to ten seconds before the schedule of the
next Monday, then as fast as the machine goes until the week is published and its run has ended, then on. Nothing else is touched: the
daemon starts the runs. With a folder given, a drill that was interrupted goes on where it stopped. It writes docs/results/three-months.md.

Belongs here: setting the clock, waiting, measuring. Does not: judging and writing (`report.py`).
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psutil

from orchestration.lib.manifest import MANIFEST_NAME, MANIFESTS_FOLDER, read_manifest
from orchestration.lib.verification import VerificationError, verify_chain
from tests.processes import free_port
from tests.soak.report import PARTS, Week, problems_of, write_page

REPOSITORY = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).with_name("set_clock.c")
FIRST_WEEK = date(2025, 1, 6)
TOKENS = "130"
LEAD = timedelta(seconds=10)
LONGEST_WEEK_SECONDS = 7200
SCHEDULE = timedelta(hours=1, minutes=15)
DAILY = timedelta(minutes=45)


class Clock:
    """The wall clock of the service: the machine's plus the seconds in a file."""

    def __init__(self, folder: Path) -> None:
        self.path, self.shim, self.latest = folder / "clock", folder / "set_clock.so", folder / "latest"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self.shim, SHIM, "-ldl"], check=True)

    def set(self, instant: datetime) -> None:
        """Let it be an instant from now on; it goes on from there."""
        content = struct.pack("q", int(instant.timestamp() - time.time()))
        if not self.path.exists():
            self.path.write_bytes(content)
        with self.path.open("r+b") as stream:  # in place, since processes have the file mapped
            stream.write(content)

    def go_on(self, instant: datetime) -> None:
        """Let it be an instant, or what it last was where that is later: a clock that goes back would hide what has landed since."""
        seen = datetime.fromisoformat(self.latest.read_text()) if self.latest.exists() else instant
        self.set(max(instant, seen))

    def note(self) -> None:
        """Remember what it is, for a drill that goes on after it was interrupted."""
        (shift,) = struct.unpack("q", self.path.read_bytes())
        instant = datetime.fromtimestamp(time.time() + shift, UTC)
        temporary = self.latest.with_suffix(".tmp")
        temporary.write_text(instant.isoformat())
        temporary.replace(self.latest)

    def environment(self) -> dict[str, str]:
        """What a program needs to go by it."""
        return {"LD_PRELOAD": str(self.shim), "TIDEMARK_CLOCK_FILE": str(self.path)}


class Service:
    """`tidemark serve` on a data folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.port = free_port()
        self.clock, self.log = clock, folder / "serve.log"
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orchestration.cli", "serve"],
                cwd=REPOSITORY,
                env=environment(folder, clock, TIDEMARK_UI_PORT=str(self.port)),
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def ask(self, query: str) -> dict[str, Any]:
        """The answer of its UI."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - as above
            return json.load(answer)["data"]

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Runs of a job, newest first."""
        asked = "runId status startTime endTime tags {key value} stats {... on RunStatsSnapshot {stepsFailed stepsSucceeded}}"
        query = (
            f'{{runsOrError(filter: {{pipelineName: "{job}"}}, limit: 100) {{... on Runs {{results {{{asked}}}}}}}}}'
        )
        return self.ask(query)["runsOrError"]["results"]

    def wait_until(self, is_so: Any, *, what: str, seconds: float = LONGEST_WEEK_SECONDS) -> None:
        """Look every two seconds; errors of the connection are those of a UI that is busy or not there yet."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.clock.note()
            if self.process.poll() is not None:
                raise SystemExit(f"the service ended with exit code {self.process.returncode}; its log: {self.log}")
            with contextlib.suppress(OSError):
                if is_so():
                    return
            time.sleep(2)
        raise SystemExit(f"{what} was not seen within {seconds:.0f} s; the log of the service: {self.log}")

    def processes(self) -> list[psutil.Process]:
        """It and what it has started."""
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def megabytes(self) -> float:
        """Memory of the service between runs: its processes without those of a run."""
        return sum(process.memory_info().rss for process in self.processes()) / 2**20

    def processor_seconds(self) -> float:
        """What it and its runs have used so far, those that have ended among them."""
        return sum(sum(process.cpu_times()[:4]) for process in self.processes())

    def stop(self) -> int:
        """SIGTERM; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


def environment(folder: Path, clock: Clock, **more: str) -> dict[str, str]:
    """Of every program of the drill."""
    names = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_")}
    own = {"TIDEMARK_DATA_DIR": str(folder), "TIDEMARK_SOURCE": "simulated", "TIDEMARK_SIMULATION__TOKENS": TOKENS}
    return names | own | {"PYTHONPATH": str(REPOSITORY)} | clock.environment() | more


@contextlib.contextmanager
def serving(folder: Path, clock: Clock) -> Iterator[Service]:
    """A service until the end of the block, killed with all its children where it does not stop."""
    service = Service(folder, clock)
    try:
        yield service
        code = service.stop()
        if code != 0:
            raise SystemExit(f"the service ended with exit code {code} after SIGTERM; its log: {service.log}")
    finally:
        if service.process.poll() is None:
            service.process.terminate()
            service.process.wait(timeout=120)


def published_weeks(folder: Path) -> list[date]:
    """The week of every publication, oldest first."""
    manifests = sorted((folder / "published" / MANIFESTS_FOLDER).glob("*.json"))
    return [read_manifest(path).as_of_week for path in manifests]


def at(week: date, after: timedelta) -> datetime:
    """An instant after Monday 00:00 UTC."""
    return datetime(week.year, week.month, week.day, tzinfo=UTC) + after


def first_run(folder: Path, clock: Clock) -> None:
    """The history up to the first week, by hand, as docs/how-to/go-live.md has it."""
    if not (folder / "published" / MANIFEST_NAME).exists():
        clock.go_on(at(FIRST_WEEK, SCHEDULE))
        settings = environment(folder, clock, TIDEMARK_AS_OF=str(FIRST_WEEK))
        command = [sys.executable, "-m", "orchestration.cli", "run"]
        with subprocess.Popen(command, cwd=REPOSITORY, env=settings) as run:
            while run.poll() is None:
                clock.note()
                time.sleep(2)
        if run.returncode != 0:
            raise SystemExit(f"the first run ended with exit code {run.returncode}")


def go_through(service: Service, clock: Clock, folder: Path, week: date, *, is_daily: bool) -> Week:
    """Let a week pass and measure it."""
    ingested, used = len(service.runs("ingest_daily")), service.processor_seconds()
    if is_daily:
        for day in range(1, 7):
            clock.set(at(week - timedelta(days=7), timedelta(days=day) + DAILY - LEAD))
            wanted = ingested + day
            service.wait_until(
                lambda wanted=wanted: count_ended(service, "ingest_daily") >= wanted, what=f"day {day} before {week}"
            )
    clock.set(at(week, SCHEDULE - LEAD))
    service.wait_until(lambda: is_over(service, folder, week), what=f"week {week}")
    ingestions = len(service.runs("ingest_daily")) - ingested
    return measure(service, folder, week, ingestions=ingestions, processor_seconds=service.processor_seconds() - used)


def count_ended(service: Service, job: str) -> int:
    """Runs of a job that are over."""
    return sum(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in service.runs(job))


def is_over(service: Service, folder: Path, week: date) -> bool:
    """Whether a week is published and the run that did it has ended; a run that failed is waited for, since it is repeated."""
    return week in published_weeks(folder) and count_ended(service, "weekly") == len(service.runs("weekly"))


def measure(service: Service, folder: Path, week: date, *, ingestions: int, processor_seconds: float) -> Week:
    """What a week left."""
    runs = [run for run in service.runs("weekly") if {"key": "tidemark/week", "value": str(week)} in run["tags"]]
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        versions, repeated = connection.execute(
            "select count(*), count(*) filter (where version > 1) from quality.unit_versions where as_of_week = ?",
            [week],
        ).fetchone() or (0, 0)
        origins = connection.execute(
            "select list(distinct origin order by origin) from quality.unit_versions where as_of_week = ? and version = 1",
            [week],
        ).fetchone()
    try:
        verify_chain(folder / "published")
        chain = ""
    except VerificationError as error:
        chain = str(error)
    sizes = {part: megabytes_of(folder / path) for part, path in PARTS.items()}
    return Week(
        week=str(week),
        runs=len(runs),
        publications=published_weeks(folder).count(week),
        seconds=sum(run["endTime"] - run["startTime"] for run in runs),
        processor_seconds=processor_seconds,
        steps=runs[0]["stats"]["stepsSucceeded"] if runs else 0,
        steps_failed=sum(run["stats"]["stepsFailed"] for run in runs),
        ingestions=ingestions,
        versions=versions,
        repeated=repeated,
        origins=",".join(origins[0] or []) if origins else "",
        report_gaps=gaps_of(folder / "published" / "site", week),
        chain=chain,
        memory_mb=service.megabytes(),
        log_mb=service.log.stat().st_size / 2**20,
        landing_files=sum(1 for _ in (folder / "landing").rglob("*.parquet")),
        **sizes,
    )


def megabytes_of(path: Path) -> float:
    """Bytes on disk of a file or of all files below a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_blocks * 512 for each in files) / 2**20


def gaps_of(site: Path, week: date) -> list[str]:
    """What is missing from a report: its week on the first page, and pages that its pages link to."""
    first = site / "index.html"
    if not first.exists() or str(week) not in first.read_text():
        return [f"index.html does not name week {week}"]
    gaps = set()
    for page in site.rglob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"#?:]+)(?:[#?][^"]*)?"', page.read_text()):
            if not (page.parent / target).resolve().exists():
                gaps.add(f"{page.relative_to(site)} links {target}")
    return sorted(gaps)[:5]


def main() -> int:
    """Run the drill; exit code 1 where a week was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--folder", type=Path, required=True, help="empty, or that of a drill to go on with")
    parser.add_argument(
        "--daily-weeks", type=int, default=0, help="weeks, from the first, with their daily runs as well"
    )
    chosen = parser.parse_args()
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        print(
            "the drill needs Linux and a C compiler (cc), with which it sets the clock of the service", file=sys.stderr
        )
        return 2
    chosen.folder.mkdir(parents=True, exist_ok=True)
    folder, kept = chosen.folder / "data", chosen.folder / "weeks.jsonl"
    folder.mkdir(exist_ok=True)
    clock = Clock(chosen.folder)
    first_run(folder, clock)
    known = {field.name for field in fields(Week)}
    weeks = [
        Week(**{name: value for name, value in json.loads(line).items() if name in known}) for line in read_lines(kept)
    ]
    clock.go_on(at(FIRST_WEEK + timedelta(days=7 * len(weeks)), SCHEDULE + timedelta(hours=1)))
    with serving(folder, clock) as service:
        service.wait_until(lambda: service.ask("{assetNodes {id}}")["assetNodes"], what="the UI with its definitions")
        while len(weeks) < chosen.weeks:
            week = FIRST_WEEK + timedelta(days=7 * (len(weeks) + 1))
            weeks.append(go_through(service, clock, folder, week, is_daily=len(weeks) < chosen.daily_weeks))
            with kept.open("a") as stream:
                stream.write(json.dumps(asdict(weeks[-1])) + "\n")
            print(f"{week}: {weeks[-1].seconds:.0f} s, {weeks[-1].steps_failed} steps failed", flush=True)
    page = write_page(weeks, REPOSITORY)
    problems = problems_of(weeks)
    print(f"{page}: {len(weeks)} weeks, {len(problems)} problems", *problems, sep="\n")
    return 1 if problems else 0


def read_lines(path: Path) -> list[str]:
    """Lines of a file, none where there is none."""
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
