"""The data folder as a place: kind, rights, file system, disk, lock.

Belongs here: checks that open no database. Does not: what lies in it (`contents.py`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestration.doctor.finding import FAILS, Finding, Patient
from orchestration.lib.data_folder import DataFolderError, nearest_there
from orchestration.lib.run_lock import LOCK_NAME, RunLock

WITHOUT_LOCKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "afs", "vboxsf"}
)
"""File systems on which locks or renames are not what a local disk makes of them."""

EMPTY_FOLDER_NEEDS = 3e9
"""Bytes that a first run of the default size takes, rounded up: 0.7 GB simulated, 2.9 GB of real history without its archive."""

GROWTH = 0.1
"""Share by which a weekly run may make the warehouse and landing grow: an assumption, not measured over months yet."""


def folder_kind(patient: Patient) -> Finding:
    """The folder holds the kind of data that the settings ask for."""
    if not patient.folder.root.exists():
        return Finding("ok", f"{patient.folder.root} is not there yet; the first run makes it")
    try:
        kind = patient.folder.kind()
    except DataFolderError as error:
        return Finding("problem", str(error), "bring folder.json back", f"{FAILS}#the-data-folder-cannot-be-used")
    if kind is None:
        return Finding("ok", f"{patient.folder.root} was never used")
    if patient.settings is not None and kind != patient.settings.kind:
        return Finding(
            "problem",
            f"{patient.folder.root} holds {kind} data, and SOURCE={patient.settings.source} is {patient.settings.kind}",
            "set TIDEMARK_DATA_DIR to another folder, or SOURCE to what it holds",
            f"{FAILS}#the-data-folder-cannot-be-used",
        )
    return Finding("ok", f"{patient.folder.root}: {kind}, daily ingestion since {patient.folder.start_date()}")


def folder_rights(patient: Patient) -> Finding:
    """The user may write where the next run writes, by the rights and by how the disk is mounted."""
    nearest = nearest_there(patient.folder.root)
    if not nearest.is_dir():
        return Finding(
            "problem", f"{nearest} is a file", "set TIDEMARK_DATA_DIR", f"{FAILS}#the-data-folder-cannot-be-used"
        )
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        return Finding(
            "problem", f"{nearest} is mounted read-only", "remount it", f"{FAILS}#the-disk-is-full-or-read-only"
        )
    parts = [path for path in (nearest, *patient.folder.root.glob("*")) if not path.name.startswith(".")]
    barred = [str(path) for path in parts if not os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0))]
    if barred:
        return Finding(
            "problem",
            f"{', '.join(barred[:3])} cannot be written by this user",
            "chown it, or set TIDEMARK_DATA_DIR",
            f"{FAILS}#the-data-folder-cannot-be-used",
        )
    return Finding("ok", f"{nearest} can be written")


def file_system(patient: Patient) -> Finding:
    """The folder lies on a file system with locks."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return Finding("ok", "this system does not say; a local disk is needed")
    where = nearest_there(patient.folder.root)
    best, kind = "", ""
    for line in mounts.read_text().splitlines():
        _, point, each, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if where.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, each
    if kind in WITHOUT_LOCKS:
        return Finding(
            "problem",
            f"{kind} at {best}",
            "put the data folder on a local disk",
            f"{FAILS}#the-file-system-has-no-locks",
        )
    return Finding("ok", f"{kind or 'unknown'} at {best}")


def disk(patient: Patient) -> Finding:
    """There is room for what the next run needs: a second published copy while it publishes, and what a week adds."""
    free = shutil.disk_usage(nearest_there(patient.folder.root)).free
    published = sum(
        _size(path)
        for path in (patient.folder.published / "warehouse.duckdb", *patient.folder.published.glob("parquet/*"))
    )
    own = _size(patient.folder.warehouse)
    needed = published + GROWTH * own if own else EMPTY_FOLDER_NEEDS
    said = f"{free / 1e9:.1f} GB free, the next run needs about {needed / 1e9:.1f} GB"
    if free < needed:
        return Finding("problem", said, "free space, or move the folder", f"{FAILS}#the-disk-is-full-or-read-only")
    if free < 3 * needed:
        return Finding("warning", said, "free space before it is short", f"{FAILS}#the-disk-is-full-or-read-only")
    return Finding("ok", said)


def run_lock(patient: Patient) -> Finding:
    """Nobody, or a process that lives, holds the run lock."""
    holder = RunLock(patient.folder.root).holder()
    pid = _locked_by(patient.folder.root / LOCK_NAME)
    if pid is not None:
        return Finding(
            "warning",
            f"held by {holder or f'process {pid}'}",
            "wait for it: a second run is refused",
            f"{FAILS}#another-run-holds-the-lock",
        )
    if holder is None:
        return Finding("ok", "free")
    if holder.is_running and not Path("/proc/locks").exists():
        return Finding(
            "warning",
            f"named by {holder}",
            "wait for it: a second run is refused",
            f"{FAILS}#another-run-holds-the-lock",
        )
    return Finding(
        "warning",
        f"free; {holder} ended without giving it back",
        "nothing: the next run marks that run as failed",
        f"{FAILS}#the-run-was-stopped",
    )


def _locked_by(path: Path) -> int | None:
    """Process that holds the `flock` on a file, as the kernel tells; trying to take it would bar a run that begins meanwhile."""
    locks = Path("/proc/locks")
    if not path.exists() or not locks.exists():
        return None
    inode = path.stat().st_ino
    for line in locks.read_text().splitlines():
        parts = line.split()
        if "FLOCK" in parts and "->" not in parts and parts[-3].rsplit(":", 1)[-1] == str(inode):
            return int(parts[-4])
    return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
