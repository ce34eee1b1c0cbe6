"""The doctor finds what is wrong with a folder and its surroundings, and changes nothing of it."""

import fcntl
import json
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.commands_doctor import doctor
from orchestration.doctor import contents, folder, machine, service
from orchestration.doctor.checks import CHECKS
from orchestration.doctor.finding import Finding, Patient, examine
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.failure_pages import PAGE, SECTIONS
from orchestration.lib.migrations import MIGRATIONS, Migration, adding, migrate
from orchestration.lib.registry import CARD
from orchestration.lib.run_history import create_run_history
from orchestration.lib.run_lock import HOLDER_NAME, LOCK_NAME
from orchestration.lib.source_journal import Attempt, SourceJournal
from orchestration.settings import REPOSITORY_ROOT, Settings

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MONDAY = NOW.date()


@pytest.fixture
def patient(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path / "data"))

    def build(*, source="simulated", environment=None, now=NOW, **settings) -> Patient:
        made = Settings(source=source, **settings)
        return Patient(made, "", DataFolder(made.folder), environment or {}, REPOSITORY_ROOT, now, is_online=False)

    return build


@pytest.fixture
def root(tmp_path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


def found(check, patient) -> Finding:
    (finding,) = examine(patient, [check])
    return finding


def snapshot(root: Path):
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))}


def whole_folder(root: Path) -> None:
    """A folder with a bit of everything the doctor opens, most of it broken."""
    DataFolder(root).claim("simulated", start_date=MONDAY)
    (root / "warehouse.duckdb").write_bytes(b"this is no database")
    (root / "published" / "manifests").mkdir(parents=True)
    (root / "published" / "manifest.json").write_text("{")
    (root / "models" / "trader" / "2026-10-05").mkdir(parents=True)
    (root / "models" / "trader" / "2026-10-05" / CARD).write_text("{}")
    (root / "source_journal.jsonl").write_text("torn")
    for name in ("schedules/schedules.db", "history/runs.db"):
        path = root / "dagster" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"nor is this")


def test_an_empty_folder_has_no_problem(patient):
    findings = examine(patient(), [check for check in CHECKS if check.__module__ != machine.__name__])

    assert [each for each in findings if each.level != "ok"] == []


def test_a_folder_that_is_broken_everywhere_is_examined_to_the_end(patient, root):
    whole_folder(root)

    findings = {each.check: each for each in examine(patient(), CHECKS)}

    assert {name for name, each in findings.items() if each.level == "problem"} >= {
        "warehouse",
        "published_copy",
        "models",
    }
    assert len(findings) == len(CHECKS)
    assert all("Traceback" not in each.value and "\n" not in each.value for each in findings.values())


def test_nothing_is_written_wherever_it_looks(patient, root, capsys):
    whole_folder(root)
    (root / "warehouse.duckdb").unlink()
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        migrate(connection)
    before = snapshot(root)

    examine(patient(source="live"), CHECKS)
    doctor(is_json=True, is_online=False)

    assert snapshot(root) == before
    assert json.loads(capsys.readouterr().out)["problems"] >= 1


def test_a_folder_of_a_later_release_is_named_as_such(patient, root):
    later = Migration(len(MIGRATIONS) + 1, "tomorrow", adding("a.b", {}))
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        migrate(connection, migrations=[*MIGRATIONS, later])

    finding = found(contents.warehouse, patient())

    assert finding.level == "problem"
    assert f"schema version {later.number} (tomorrow;" in finding.value
    assert finding.page.endswith("#the-warehouse-is-of-another-version")


def test_the_other_kind_of_data_is_a_problem(patient, root):
    DataFolder(root).claim("real", start_date=MONDAY)

    finding = found(folder.folder_kind, patient())

    assert (finding.level, "holds real data" in finding.value) == ("problem", True)


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [
        ("TIDEMARK_COINGEKO__API_KEY", "warning", "did you mean TIDEMARK_COINGECKO__API_KEY?"),
        ("TIDEMARK_SIMULATION__TOKEN", "warning", "did you mean TIDEMARK_SIMULATION__TOKENS?"),
        ("TIDEMARK_ZEBRA", "warning", "TIDEMARK_ZEBRA is read by nothing"),
        ("TIDEMARK_OKX__MIN_INTERVAL_SECONDS", "ok", ""),
        ("TIDEMARK_DEFILLAMA__HOSTS", "ok", ""),
        ("TIDEMARK_QUIET", "ok", ""),
        ("PATH", "ok", ""),
    ],
)
def test_a_setting_that_nothing_reads_is_found_with_the_one_that_was_meant(patient, name, level, said):
    finding = found(service.unknown_settings, patient(environment={name: "1"}))

    assert finding.level == level
    assert said in finding.value


def test_every_name_that_the_code_reads_is_known():
    read = re.compile(r"TIDEMARK_[A-Z][A-Z_]+[A-Z]")
    code = [
        path
        for part in ("orchestration", "dbt_project/models", "dbt_project/macros")
        for path in (REPOSITORY_ROOT / part).rglob("*.*")
    ]
    code += [
        REPOSITORY_ROOT / "Makefile",
        REPOSITORY_ROOT / "dagster.yaml",
        REPOSITORY_ROOT / "dbt_project" / "profiles.yml",
    ]
    names = {
        name
        for path in code
        if path.suffix in {".py", ".sql", ".yml", ".yaml", ""} and path.is_file()
        for name in read.findall(path.read_text(encoding="utf-8"))
    }

    assert names - service.setting_names() - service.NOT_SETTINGS == set()
    assert names & service.NOT_SETTINGS


def test_a_value_that_cannot_work_is_told_and_the_rest_still_examined(patient, monkeypatch, capsys):
    monkeypatch.setenv("TIDEMARK_SIMULATION__TOKENS", "3")

    assert doctor(is_json=True, is_online=False) == 1

    findings = {each["check"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["settings"]["level"] == "problem"
    assert "TIDEMARK_SIMULATION__TOKENS" in findings["settings"]["value"]
    assert len(findings) == len(CHECKS)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel's list of locks is Linux")
def test_a_lock_is_seen_and_not_touched(patient, root):
    holder = {"pid": 1, "command": "run abc", "started_at": NOW.isoformat()}
    (root / HOLDER_NAME).write_text(json.dumps(holder))
    lock = (root / LOCK_NAME).open("w")
    assert "ended without giving it back" in found(folder.run_lock, patient()).value

    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    finding = found(folder.run_lock, patient())
    assert finding.level == "warning"
    assert finding.value.startswith("held by process 1 (run abc)")
    lock.close()


def test_a_disk_too_small_for_the_next_run_is_a_problem(patient, root, monkeypatch):
    with (root / "warehouse.duckdb").open("wb") as file:
        file.truncate(10_000_000_000)  # takes no room
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda path: folder.shutil._ntuple_diskusage(0, 0, 500_000_000))

    finding = found(folder.disk, patient())

    assert (finding.level, finding.value) == ("problem", "0.5 GB free, the next run needs about 1.0 GB")


def test_a_week_that_is_late_is_a_problem_where_data_move_with_the_calendar(patient, monkeypatch):
    monkeypatch.setattr(contents.manifest, "published_week", lambda published: MONDAY - timedelta(weeks=2))

    live = found(contents.published_week, patient(source="live"))
    early = found(contents.published_week, patient(source="live", now=NOW.replace(hour=7, minute=14)))
    simulated = found(contents.published_week, patient())

    assert (live.level, live.value) == ("problem", "newest is 2026-11-16, 2 weeks behind 2026-11-30")
    assert early.value == "newest is 2026-11-16, 1 weeks behind 2026-11-23"
    assert simulated.level == "ok"


def test_a_run_that_failed_is_told_with_its_step_and_kind(patient, root):
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        connection.execute("create schema quality")
        create_run_history(connection)
        connection.execute(
            """insert into quality.run_steps (run_id, step, started_at, seconds, status, error)
            values ('run-one-1', 'a', '2026-11-23', 1, 'done', null),
            ('run-two-2', 'dbt_marts', '2026-11-30', 2, 'failed', 'MemoryError')"""
        )

    finding = found(contents.last_run, patient())

    assert finding.level == "warning"
    assert "run-two-" in finding.value
    assert "dbt_marts failed (MemoryError)" in finding.value


def test_a_clock_behind_what_was_recorded_is_a_problem(patient, root):
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        connection.execute("create schema quality")
        connection.execute(
            "create table quality.unit_versions as select '2026-12-24 00:00:00+00'::timestamptz as recorded_at"
        )

    assert found(machine.clock, patient()).level == "problem"
    assert found(machine.clock, patient(now=NOW + timedelta(weeks=5))).level == "ok"


def test_a_source_that_did_not_answer_at_last_is_told_in_a_live_folder(patient, root):
    answered = {"run_id": "r", "dataset": "d", "status": "answered"}
    SourceJournal(root).add(
        [
            Attempt(at="2026-11-30T01:00:00+00:00", source="okx", **answered),
            Attempt(at="2026-11-01T01:00:00+00:00", source="gate", **answered),
            Attempt(
                at="2026-11-30T01:00:00+00:00", source="fred", **(answered | {"status": "down", "reason": "no answer"})
            ),
        ]
    )

    finding = found(service.sources, patient(source="live", coingecko={"api_key": "CG-canary-123"}))

    assert finding.level == "warning"
    assert "with a key: coingecko" in finding.value
    assert "fred did not answer at last (no answer)" in finding.value
    assert "gate answered last on 2026-11-01" in finding.value
    assert "okx" not in finding.value
    assert "canary" not in finding.value


def test_a_schedule_without_a_daemon_is_a_problem(patient, root):
    for name, statements in {
        "schedules/schedules.db": (
            "create table instigators (status text, instigator_body text)",
            """insert into instigators values ('RUNNING', '{"name": "weekly_schedule"}')""",
        ),
        "history/runs.db": (
            "create table daemon_heartbeats (timestamp text)",
            "insert into daemon_heartbeats values ('2026-11-30 11:58:00.000000')",
        ),
    }.items():
        path = root / "dagster" / name
        path.parent.mkdir(parents=True)
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)

    assert found(service.schedules, patient()).value.startswith("on: weekly_schedule; daemon runs")
    assert found(service.schedules, patient(now=NOW + timedelta(hours=1))).level == "problem"


def test_packages_are_held_against_the_lock(patient, tmp_path):
    at = tmp_path / "clone"
    at.mkdir()
    (at / "requirements.lock").write_text(
        'duckdb==0.0.1 \\\n    --hash=sha256:abc\nnever-heard-of==1.0 ; sys_platform == "win32" \\\n    --hash=sha256:abc\n'
    )
    examined = patient()

    finding = found(machine.packages, Patient(**{**vars(examined), "repository": at}))

    assert finding.level == "problem"
    assert finding.value == f"1 of 1 differ from the lock: duckdb {duckdb.__version__} instead of 0.0.1"


def test_the_page_has_every_check_and_no_other_and_findings_lead_to_pages_that_are_there():
    operate = (REPOSITORY_ROOT / "docs/how-to/operate.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", operate.split("## Ask the doctor")[1].split("\n## ")[0], re.MULTILINE)
    code = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY_ROOT / "orchestration" / "doctor").glob("*.py")
    )

    assert listed == [check.__name__ for check in CHECKS]
    assert set(re.findall(r"\{FAILS\}#([\w-]+)", code)) <= set(SECTIONS)
    for page in {PAGE, *re.findall(r'"(docs/[\w/-]+\.md)', code)}:
        assert (REPOSITORY_ROOT / page).exists(), page


def test_the_command_line_knows_it():
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "doctor", "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY_ROOT,
    )

    assert done.returncode == 0
    assert "--online" in done.stdout
