"""Dagster's event log with files that stay open: the same records as Dagster's own, for other processes at once and after a kill."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from orchestration.lib.dagster_storage import FILES_KEPT_OPEN, KeptEventLog, KeptSqliteStorage
from orchestration.settings import REPOSITORY_ROOT

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.orchestration.lib.test_dagster_storage import KeptEventLog, materialised

log = KeptEventLog(sys.argv[1])
for number in range(20):
    log.store_event(materialised("killed", number))
os.kill(os.getpid(), signal.SIGKILL)
"""


def materialised(run_id: str, number: int) -> dg.EventLogEntry:
    """An event as a step writes it for every asset it has made."""
    made = dg.AssetMaterialization(["marts", f"table_{number}"], metadata={"rows": number})
    event = dg.DagsterEvent(
        event_type_value="ASSET_MATERIALIZATION",
        job_name="weekly",
        step_key="dbt_marts",
        event_specific_data=dg._core.events.StepMaterializationData(made),
    )
    return dg.EventLogEntry(
        error_info=None,
        level="debug",
        user_message="",
        run_id=run_id,
        timestamp=1_700_000_000.0 + number,
        step_key="dbt_marts",
        job_name="weekly",
        dagster_event=event,
    )


def tables_of(log: SqliteEventLogStorage, run_id: str) -> list[str]:
    """Assets that a run has made, in the order of its events."""
    return [
        record.event_log_entry.dagster_event.asset_key.path[-1]
        for record in log.get_records_for_run(run_id, limit=1000).records
        if record.event_log_entry.dagster_event and record.event_log_entry.dagster_event.asset_key
    ]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[KeptEventLog]:
    kept = KeptEventLog(str(tmp_path))
    yield kept
    kept.dispose()


def test_dagsters_own_storage_reads_the_events_while_they_are_written(log: KeptEventLog, tmp_path: Path):
    own = SqliteEventLogStorage(str(tmp_path))

    for number in range(3):
        log.store_event(materialised("run", number))

        assert tables_of(own, "run") == [f"table_{one}" for one in range(number + 1)]
    assert {key.path[-1] for key in own.all_asset_keys()} == {"table_0", "table_1", "table_2"}


def test_events_that_dagsters_own_storage_wrote_are_there_and_more_can_follow(log: KeptEventLog, tmp_path: Path):
    own = SqliteEventLogStorage(str(tmp_path))
    own.store_event(materialised("run", 0))

    log.store_event(materialised("run", 1))

    assert tables_of(log, "run") == ["table_0", "table_1"]
    assert tables_of(own, "run") == ["table_0", "table_1"]


def test_a_killed_process_leaves_every_event_it_wrote(tmp_path: Path):
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=REPOSITORY_ROOT, check=False)

    assert ended.returncode == -signal.SIGKILL
    log = KeptEventLog(str(tmp_path))
    assert tables_of(log, "killed") == [f"table_{number}" for number in range(20)]
    assert len(log.all_asset_keys()) == 20
    log.dispose()


def test_whoever_watches_a_run_is_told_of_its_events_while_the_file_is_open(log: KeptEventLog, tmp_path: Path):
    log.store_event(materialised("run", 0))
    watching = KeptEventLog(str(tmp_path))
    seen: list[str] = []
    is_told = threading.Event()

    def told(entry: dg.EventLogEntry, _cursor: str) -> None:
        seen.append(entry.dagster_event.asset_key.path[-1])
        if len(seen) == 2:
            is_told.set()

    watching.watch("run", None, told)
    log.store_event(materialised("run", 1))

    assert is_told.wait(10)
    assert seen == ["table_0", "table_1"]
    watching.end_watch("run", told)
    watching.dispose()


def test_files_used_last_stay_open_and_no_more_of_them(log: KeptEventLog, tmp_path: Path):
    for number in range(FILES_KEPT_OPEN + 3):
        log.store_event(materialised(f"run_{number}", number))

    # SQLite takes the write-ahead log of a file away when nobody has it open any more.
    still_open = {path.name.removesuffix(".db-wal") for path in tmp_path.glob("*.db-wal")}
    assert "index" in still_open
    assert f"run_{FILES_KEPT_OPEN + 2}" in still_open
    assert len(still_open) == FILES_KEPT_OPEN

    log.dispose()

    assert not list(tmp_path.glob("*.db-wal"))


def test_deleted_events_of_a_run_are_gone_with_its_file(log: KeptEventLog, tmp_path: Path):
    for run_id in ("old", "new"):
        log.store_event(materialised(run_id, 0))

    log.delete_events("old")

    assert not list(tmp_path.glob("old.db*"))
    assert tables_of(log, "new") == ["table_0"]
    assert tables_of(log, "old") == []


def test_wiped_events_are_gone_and_new_ones_can_be_written(log: KeptEventLog):
    log.store_event(materialised("run", 0))

    log.wipe()
    log.store_event(materialised("run", 1))

    assert tables_of(log, "run") == ["table_1"]


def test_dagster_yaml_names_the_storage_and_a_folder_of_dagsters_own_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TIDEMARK_DAGSTER_DIR", str(tmp_path))
    before = DagsterSqliteStorage.from_local(str(tmp_path))
    before.event_log_storage.store_event(materialised("run", 0))

    with dg.DagsterInstance.from_config(str(REPOSITORY_ROOT)) as instance:
        storage = instance.event_log_storage

        assert isinstance(instance._ref.storage, KeptSqliteStorage)
        assert tables_of(storage, "run") == ["table_0"]
