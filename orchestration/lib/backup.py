"""A consistent copy of a data folder, and the way back: what `tidemark backup` and `tidemark restore` do.

    BackupError (TidemarkError)    what stands in the way, and what to do

Most of a folder never changes once written (landing, models), so that is copied first, beside a run that may be under way. The rest is
copied under the run lock, during which no run starts: the warehouse, the published copy, journals, what came or went meanwhile. Dagster's
SQLite files, which its daemon writes at any time, are copied by SQLite itself. `backup.json` names every file with its sha256 and is
written last: a copy without it is none.

Belongs here: copying, checking, what is left out. Does not: saying it (`commands_backup.py`), the chain of manifests (`verification.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.lib.data_folder import MARKER, RESTORING, DataFolder, nearest_there
from orchestration.lib.errors import TidemarkError
from orchestration.lib.manifest import published_week
from orchestration.lib.run_lock import RunLock, RunLockedError
from orchestration.lib.warehouse import connect
from orchestration.lib.whole_file import write_whole

BACKUP_NAME: Final = "backup.json"
DATA_NAME: Final = "data"

LEFT_OUT: Final = ("dbt", "run.lock", "run.holder.json", "serve.lock", "serve.json", "alerts.lock", RESTORING)
"""Made anew by every run, or only of use to a process that lives."""

SAME_FOR_GOOD: Final = ("landing", "models")
"""Files below these are published by rename and never written again, so they can be copied while a run adds others."""

CHUNK_BYTES: Final = 4 * 2**20
LOOK_SECONDS: Final = 2.0


class BackupError(TidemarkError):
    """A backup cannot be made or brought back."""


class Copied(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size_bytes: int


class Backup(BaseModel):
    """What `backup.json` says.

    Attributes:
        made_at: When the last file was copied, UTC.
        kind: simulated or real.
        week: The newest published week; None before the first.
        files: By path relative to the data folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_at: datetime
    kind: str
    week: date | None
    files: dict[str, Copied]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files.values())


def make_backup(
    folder: DataFolder,
    target: Path,
    *,
    wait_seconds: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Backup:
    """Copy a data folder.

    Args:
        folder: What to copy.
        target: An empty folder, or one that is not there yet; it may not lie in the data folder.
        wait_seconds: How long to wait for a run that is under way.
        say: Told progress in words.
        sleep: Waits some seconds.

    Raises:
        BackupError: There is nothing to copy, the target is not empty or too small, or the run did not end in time.
        WarehouseError: The warehouse cannot be opened for reading: another program writes it, or it is damaged.
    """
    kind = folder.kind()
    if kind is None:
        raise BackupError(f"{folder.root} was never used, so there is nothing to back up; set TIDEMARK_DATA_DIR")
    if (folder.root / RESTORING).exists():
        raise BackupError(f"{folder.root} is half restored; repeat make restore first")
    _refuse_filled(target)
    if folder.root.resolve() in (target.resolve(), *target.resolve().parents):
        raise BackupError(
            f"{target} lies in the data folder {folder.root}; give a folder elsewhere, best on another disk"
        )
    _refuse_full(target, sum(path.stat().st_size for path in _files(folder.root)))
    data = target / DATA_NAME
    data.mkdir(parents=True)
    copied: dict[str, tuple[tuple[int, int], Copied]] = {}
    for name in SAME_FOR_GOOD:
        for path in _files(folder.root / name):
            _copy_new(path, folder.root, data, copied)
    lock = _lock_of(folder.root, wait_seconds=wait_seconds, say=say, sleep=sleep)
    try:
        # A reader of the warehouse keeps every writer out, somebody's SQL shell too.
        with connect(folder.warehouse, read_only=True) if folder.warehouse.exists() else nullcontext():
            present = set()
            for path in _files(folder.root):
                present.add(_copy_new(path, folder.root, data, copied))
        for name in set(copied) - present:  # compaction took it away since
            (data / name).unlink()
            del copied[name]
        week = published_week(folder.published)
    finally:
        lock.release()
    backup = Backup(
        made_at=datetime.now(UTC), kind=kind, week=week, files={name: copied[name][1] for name in sorted(copied)}
    )
    write_whole(target / BACKUP_NAME, backup.model_dump_json(indent=1) + "\n")
    return backup


def read_backup(source: Path) -> Backup:
    """What a backup says of itself.

    Raises:
        BackupError: It is none, or was cut short.
    """
    path = source / BACKUP_NAME
    try:
        backup = Backup.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BackupError(
            f"{source} has no {BACKUP_NAME}, so it is no backup, or one that was cut short; give another"
        ) from None
    except ValidationError:
        raise BackupError(f"{path} cannot be read; the backup is damaged, give another") from None
    for name in backup.files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BackupError(f"{path} names {name!r}, which lies outside of it; the backup is not ours")
    return backup


def bring_back(source: Path, folder: DataFolder) -> Backup:
    """Copy a backup into an empty data folder, every file held against its hash.

    A restore that is cut short leaves `.restoring` behind: runs refuse the folder, and a repeated restore begins anew.

    Raises:
        BackupError: The folder is not empty, or a file of the backup is missing or damaged; nothing can run in the folder then.
    """
    backup = read_backup(source)
    root, unfinished = folder.root, folder.root / RESTORING
    if unfinished.exists():
        for entry in root.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    _refuse_filled(root)
    _refuse_full(root, backup.size_bytes)
    unfinished.mkdir(parents=True)
    for name, expected in backup.files.items():
        path = source / DATA_NAME / name
        if not path.is_file():
            raise BackupError(f"{path} is missing from the backup; give another")
        found = _copy(path, unfinished / name)
        if found != expected:
            raise BackupError(
                f"{path} is damaged: sha256 {found.sha256[:12]}, {expected.sha256[:12]} when it was backed up; give another backup"
            )
    # The marker last: without it no run takes the folder for one that has data.
    for entry in sorted(unfinished.iterdir(), key=lambda path: path.name == MARKER):
        entry.replace(root / entry.name)
    unfinished.rmdir()
    return backup


def _lock_of(root: Path, *, wait_seconds: float, say: Callable[[str], None], sleep: Callable[[float], None]) -> RunLock:
    """The run lock, taken as soon as the run under way has ended."""
    lock, waited, has_said = RunLock(root, command="tidemark backup"), 0.0, False
    while True:
        try:
            lock.acquire()
        except RunLockedError as error:
            if waited >= wait_seconds:
                raise BackupError(
                    f"{error}; the backup waited {waited / 60:.0f} minutes for it (WAIT=minutes)"
                ) from None
            if not has_said:
                say(f"a run is under way ({error.holder or 'not known yet'}); waiting for its end")
                has_said = True
            sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
        else:
            return lock


def _files(root: Path) -> Iterator[Path]:
    """Files to copy, in order; what SQLite keeps beside its files is part of their copy, and what begins with a dot is unfinished."""
    if root.name in LEFT_OUT:
        return
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        is_beside = path.name.endswith(("-wal", "-shm", "-journal"))
        if path.name in LEFT_OUT or is_beside or path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _copy_new(path: Path, root: Path, data: Path, copied: dict[str, tuple[tuple[int, int], Copied]]) -> str:
    """Copy a file that was not copied yet or has changed since; returns its name."""
    name = path.relative_to(root).as_posix()
    state = path.stat()
    seen = (state.st_size, state.st_mtime_ns)
    if name not in copied or copied[name][0] != seen:
        is_sqlite = name.startswith("dagster/") and path.suffix == ".db"
        copied[name] = (seen, _copy_sqlite(path, data / name) if is_sqlite else _copy(path, data / name))
    return name


def _copy(source: Path, target: Path) -> Copied:
    """Copy a file and its time; what came is hashed while it is read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    shutil.copystat(source, target)
    return Copied(sha256=digest.hexdigest(), size_bytes=size)


def _copy_sqlite(source: Path, target: Path) -> Copied:
    """Copy a database that others may write to meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as read,
        closing(sqlite3.connect(target)) as written,
    ):
        read.backup(written)
        written.execute("pragma journal_mode = delete")
    return Copied(sha256=hashlib.sha256(target.read_bytes()).hexdigest(), size_bytes=target.stat().st_size)


def _refuse_filled(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is not an empty folder; give one that is empty or not there yet")


def _refuse_full(target: Path, needed: int) -> None:
    free = shutil.disk_usage(nearest_there(target)).free
    if free < needed * 1.05:
        raise BackupError(
            f"{target} needs {needed / 2**20:,.0f} MB and its disk has {free / 2**20:,.0f} MB left; give another disk"
        )
