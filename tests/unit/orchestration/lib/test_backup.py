"""A copy of a data folder beside a run, and the way back: on a folder made up of a few files."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date

import duckdb
import pytest

from orchestration.lib.backup import BACKUP_NAME, BackupError, bring_back, make_backup, read_backup
from orchestration.lib.data_folder import RESTORING, DataFolder, DataFolderError

HOLD_LOCK = """
import sys, time
from pathlib import Path
from orchestration.lib.run_lock import RunLock

root = Path(sys.argv[1])
with RunLock(root, command="run 4711"):
    print("held", flush=True)
    sys.stdin.readline()
    (root / "landing" / "late.parquet").write_bytes(b"landed by the run")
    (root / "landing" / "kept.parquet").unlink()
    (root / "published" / "data.parquet").write_bytes(b"second week")
"""

LOOK_DURING = """
import subprocess, sys
from pathlib import Path
from orchestration.lib import backup
from orchestration.lib.data_folder import DataFolder

RUN = '''
import sys
from pathlib import Path
from orchestration.lib.run_lock import RunLock, RunLockedError
try:
    RunLock(Path(sys.argv[1])).acquire()
except RunLockedError:
    print("refused")
'''
copy = backup._copy
def watched(source, target):
    if source.name == "warehouse.duckdb":
        subprocess.run([sys.executable, "-c", RUN, sys.argv[1]], check=True)
    return copy(source, target)
backup._copy = watched
backup.make_backup(DataFolder(Path(sys.argv[1])), Path(sys.argv[2]), wait_seconds=0, say=print)
"""
"""Asks for the run lock from another process, at the moment the warehouse is copied."""


@pytest.fixture
def folder(tmp_path):
    """A data folder with a little of everything."""
    made = DataFolder(tmp_path / "data")
    made.claim("simulated", start_date=date(2025, 1, 5))
    for name, content in {
        "landing/gate/kept.parquet": b"one",
        "landing/kept.parquet": b"two",
        "models/calls/1/model.txt": b"tree",
        "published/data.parquet": b"first week",
        "dbt/target/manifest.json": b"made anew",
        "dagster/compute_logs/step.out": b"said",
        "run.lock": b"",
        "landing/.unfinished.tmp": b"half",
    }.items():
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_bytes(content)
    with duckdb.connect(str(made.warehouse)) as connection:
        connection.execute("create table t as select 42 as answer")
    with closing(sqlite3.connect(made.dagster / "runs.db")) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table runs as select 'a' as id")
        connection.commit()
    return made


def backed_up(folder, target, **more):
    return make_backup(folder, target, **{"wait_seconds": 0.0, "say": lambda line: None, **more})


def contents(root):
    """Files by name, without what SQLite keeps beside its own while they are open."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_what_comes_back_is_what_was_there_without_what_runs_make_anew(folder, tmp_path):
    backed_up(folder, tmp_path / "backup")
    restored = DataFolder(tmp_path / "restored")

    bring_back(tmp_path / "backup", restored)

    before, after = contents(folder.root), contents(restored.root)
    left_out = {"dbt/target/manifest.json", "run.lock", "landing/.unfinished.tmp"}
    assert set(before) - set(after) == left_out
    assert all(after[name] == before[name] for name in after if not name.endswith(".db"))
    assert restored.kind() == "simulated"
    with duckdb.connect(str(restored.warehouse), read_only=True) as connection:
        assert connection.execute("select answer from t").fetchone() == (42,)


def test_sqlite_files_are_copied_whole_while_somebody_writes_to_them(folder, tmp_path):
    with closing(sqlite3.connect(folder.dagster / "runs.db")) as writer:
        writer.execute("insert into runs values ('b')")
        writer.commit()  # still in the write-ahead log, which stays open

        backed_up(folder, tmp_path / "backup")

    copy = tmp_path / "backup" / "data" / "dagster" / "runs.db"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("select id from runs order by id").fetchall() == [("a",), ("b",)]
    assert not copy.with_name("runs.db-wal").exists()


def test_a_backup_beside_a_run_waits_for_it_and_holds_what_the_run_left(folder, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        run.stdout.readline()
        said = []

        def let_it_end(seconds):
            if run.poll() is None:
                run.communicate("go on\n")

        backed_up(folder, tmp_path / "backup", wait_seconds=60.0, say=said.append, sleep=let_it_end)

    copied = contents(tmp_path / "backup" / "data")
    assert copied["landing/late.parquet"] == b"landed by the run"
    assert "landing/kept.parquet" not in copied
    assert copied["published/data.parquet"] == b"second week"
    assert set(read_backup(tmp_path / "backup").files) == set(copied)
    assert len(said) == 1
    assert "run 4711" in said[0]


def test_a_run_that_does_not_end_in_time_is_named_and_no_backup_is_left_that_looks_like_one(folder, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        run.stdout.readline()
        with pytest.raises(BackupError, match="run 4711"):
            backed_up(folder, tmp_path / "backup", wait_seconds=4.0, sleep=lambda seconds: None)
        run.kill()

    with pytest.raises(BackupError, match="cut short"):
        read_backup(tmp_path / "backup")


def test_no_run_starts_while_the_warehouse_is_copied(folder, tmp_path):
    asked = [sys.executable, "-c", LOOK_DURING, str(folder.root), str(tmp_path / "backup")]

    done = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "refused", done.stderr


@pytest.mark.parametrize("name", ["backup", "data/inside"])
def test_a_target_that_is_filled_or_lies_in_the_data_folder_is_refused(folder, tmp_path, name):
    target = tmp_path / name
    if name == "backup":
        target.mkdir()
        (target / "mine.txt").touch()

    with pytest.raises(BackupError):
        backed_up(folder, target)

    assert not (target / BACKUP_NAME).exists()


def test_a_folder_that_holds_anything_is_not_restored_into(folder, tmp_path):
    backed_up(folder, tmp_path / "backup")
    before = contents(folder.root)

    with pytest.raises(BackupError, match="not an empty folder"):
        bring_back(tmp_path / "backup", folder)

    assert contents(folder.root) == before


def test_a_damaged_file_is_found_and_the_folder_is_good_for_nothing_until_a_good_backup_is_brought_back(
    folder, tmp_path
):
    backed_up(folder, tmp_path / "backup")
    damaged, restored = tmp_path / "backup" / "data" / "models/calls/1/model.txt", DataFolder(tmp_path / "restored")
    good = damaged.read_bytes()
    damaged.write_bytes(b"TREE")

    with pytest.raises(BackupError, match=r"model.txt is damaged"):
        bring_back(tmp_path / "backup", restored)
    with pytest.raises(DataFolderError, match="half restored"):
        restored.check("simulated")

    damaged.write_bytes(good)
    bring_back(tmp_path / "backup", restored)
    restored.check("simulated")
    assert not (restored.root / RESTORING).exists()


def test_a_backup_that_names_files_outside_of_itself_is_refused(folder, tmp_path):
    backed_up(folder, tmp_path / "backup")
    path = tmp_path / "backup" / BACKUP_NAME
    content = json.loads(path.read_text())
    content["files"]["../outside"] = {"sha256": hashlib.sha256(b"").hexdigest(), "size_bytes": 0}
    path.write_text(json.dumps(content))

    with pytest.raises(BackupError, match="outside"):
        bring_back(tmp_path / "backup", DataFolder(tmp_path / "restored"))
