"""The machine and the environment: Python, packages, dbt's picture of the project, DuckDB, memory, clock.

Belongs here: checks that look at no data. Does not: the folder (`folder.py`, `contents.py`).
"""

from __future__ import annotations

import os
import platform
import re
import time
import tomllib
from datetime import timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version

from orchestration.doctor.finding import FAILS, OPERATE, Finding, Patient

PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$"
)
NEEDED_EXTENSIONS = ("core_functions", "icu", "json", "parquet")
CLOCK_TOLERANCE = timedelta(seconds=60)


def python(patient: Patient) -> Finding:
    """The version of Python is one that the project supports."""
    from packaging.specifiers import SpecifierSet

    asked = tomllib.loads((patient.repository / "pyproject.toml").read_text())["project"]["requires-python"]
    found = platform.python_version()
    if SpecifierSet(asked).contains(found, prereleases=True):
        return Finding("ok", f"{found}, {platform.system()} {platform.machine()}")
    return Finding(
        "problem", f"{found}, and {asked} is asked", "make clean, then make setup PYTHON=python3.11", OPERATE
    )


def packages(patient: Patient) -> Finding:
    """What is installed is what requirements.lock pins."""
    from packaging.markers import Marker

    lock = patient.repository / "requirements.lock"
    if not lock.exists():
        return Finding("warning", "there is no requirements.lock to compare with", "run from a clone of the project")
    other, missing, count = [], [], 0
    for line in lock.read_text().splitlines():
        pinned = PINNED.match(line)
        if pinned is None or (pinned["marker"] and not Marker(pinned["marker"].strip()).evaluate()):
            continue
        count += 1
        try:
            found = version(pinned["name"])
        except PackageNotFoundError:
            missing.append(pinned["name"])
            continue
        if found != pinned["version"]:
            other.append(f"{pinned['name']} {found} instead of {pinned['version']}")
    if other:
        return Finding(
            "problem",
            f"{len(other)} of {count} differ from the lock: {', '.join(other[:5])}",
            "make setup, after make clean if it stays",
        )
    if missing:
        return Finding(
            "warning", f"{len(missing)} of {count} are not installed: {', '.join(missing[:5])}", "make setup"
        )
    return Finding("ok", f"{count} packages as requirements.lock pins them")


def dbt_project(patient: Patient) -> Finding:
    """Dbt's picture of the project is there and newer than its files."""
    manifest = patient.repository / "dbt_project" / "target" / "manifest.json"
    if not manifest.exists():
        return Finding("problem", "dbt_project/target/manifest.json is not there", "make setup", f"{FAILS}#dbt-failed")
    made = manifest.stat().st_mtime
    sources = [patient.repository / "dbt_project" / name for name in ("dbt_project.yml", "profiles.yml")]
    for part in ("models", "macros", "seeds"):
        sources += (patient.repository / "dbt_project" / part).rglob("*.*")
    newer = sorted(path.name for path in sources if path.is_file() and path.stat().st_mtime > made)
    if newer:
        return Finding(
            "warning",
            f"{len(newer)} files are newer than dbt's picture of them, e.g. {newer[0]}",
            "make setup",
            f"{FAILS}#dbt-failed",
        )
    return Finding("ok", f"parsed, {manifest.stat().st_size / 1e6:.1f} MB")


def duckdb_engine(patient: Patient) -> Finding:
    """DuckDB has the extensions that the pipeline uses."""
    import duckdb

    with duckdb.connect() as connection:
        there = {
            row[0]
            for row in connection.execute("select extension_name from duckdb_extensions() where installed").fetchall()
        }
    missing = [name for name in NEEDED_EXTENSIONS if name not in there]
    if missing:
        return Finding(
            "problem", f"DuckDB {duckdb.__version__} lacks {', '.join(missing)}", "make clean, then make setup"
        )
    return Finding("ok", f"{duckdb.__version__} with {', '.join(NEEDED_EXTENSIONS)}")


def memory(patient: Patient) -> Finding:
    """The machine has more memory than the last runs took."""
    from orchestration.doctor.contents import asked_of_warehouse

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    peak = asked_of_warehouse(
        patient, "select max(peak_memory_mb) from (from quality.run_steps order by started_at desc limit 500)"
    )
    if not peak:
        return Finding("ok", f"{total / 1e3:.1f} GB; no run has been measured here yet")
    said = f"{total / 1e3:.1f} GB, and the last runs took up to {peak / 1e3:.1f} GB"
    if peak > 0.85 * total:
        return Finding(
            "warning",
            said,
            "fewer tokens (TIDEMARK_LIVE_UNIVERSE) or more memory",
            f"{FAILS}#the-machine-ran-out-of-memory",
        )
    return Finding("ok", said)


def clock(patient: Patient) -> Finding:
    """The clock is not behind what was recorded, nor, asked online, apart from a provider's."""
    from orchestration.doctor.contents import asked_of_warehouse
    from orchestration.doctor.service import first_date_header

    newest = asked_of_warehouse(patient, "select max(recorded_at) from quality.unit_versions")
    zone = f"{patient.now:%Y-%m-%d %H:%M:%S} UTC, time zone {patient.environment.get('TZ') or '/'.join(time.tzname)}"
    if newest is not None and newest > patient.now + CLOCK_TOLERANCE:
        return Finding(
            "problem",
            f"{zone}, and the newest version was recorded at {newest:%Y-%m-%d %H:%M:%S}, later than now",
            "correct the clock: nothing can be recorded before that instant",
            f"{FAILS}#the-clock-went-back",
        )
    if header := first_date_header(patient):
        off = parsedate_to_datetime(header) - patient.now
        if abs(off) > CLOCK_TOLERANCE:
            return Finding(
                "problem",
                f"{zone}, {off.total_seconds():+.0f} s from a provider's",
                "set the clock (timedatectl set-ntp true)",
            )
        return Finding("ok", f"{zone}, {abs(off.total_seconds()):.0f} s from a provider's")
    return Finding("ok", f"{zone}; everything is computed in UTC")
