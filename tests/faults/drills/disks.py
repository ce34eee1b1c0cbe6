"""Disk drills: no room left at several points of a run, folders that cannot be written.

Belongs here: mounts of our own where that is allowed (root), and what stands in for them where it is not.
Does not: damage to files (`damage.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Tidemark
from tests.faults.drills.ground import DrillError, Ground, Result, refusal, timed

MEGABYTE = 2**20
ROOM_MB = (1, 12, 90, 260)
"""Megabytes left on the full disk, one run each: while it lands, while it begins to build, while it builds, while it publishes."""

LARGEST_FILE_MB = 120
"""Where nothing can be mounted: no file may grow beyond it."""


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def _small_disk(folder: Path, *, megabytes: int) -> Iterator[None]:
    """A file system in memory, so large and no larger."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
        folder.rmdir()


def _used_mb(folder: Path) -> int:
    return -(-sum(path.stat().st_blocks * 512 for path in folder.rglob("*")) // MEGABYTE)


def full_disk(ground: Ground) -> Result:
    """Run the week on a disk that fills up, with ever more room, and at last with enough."""
    must = "The run fails and names the cause; what was published stays; with room again the run completes as an undisturbed one"
    if os.geteuid() != 0:
        return _limited_files(ground, must)
    disk = ground.root / "drill-full-disk"
    used = _used_mb(ground.first.folder)
    struck = []
    with timed() as seconds, _small_disk(disk, megabytes=used + 4):
        tidemark = Tidemark(shutil.copytree(ground.first.folder, disk / "data"))
        for room in ROOM_MB:
            _mount("-o", f"remount,size={_used_mb(tidemark.folder) + room}M", str(disk))
            finished = ground.call(tidemark)
            if finished.code == 0:
                struck.append(f"{room} MB were enough")
                break
            refusal(finished, names="No space left on device")
            ground.hold_untouched(tidemark)
            struck.append(f"{room} MB left: exit {finished.code} after {finished.seconds:.0f} s")
            ground.say(struck[-1])
        _mount("-o", "remount,size=4G", str(disk))
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "full disk",
            must,
            f"ENOSPC of a small tmpfs ({'; '.join(struck)}): named each time, the week before whole for readers and "
            "verified; then complete and "
            "equal",
            seconds(),
        )


def _limited_files(ground: Ground, must: str) -> Result:
    """The same where nothing can be mounted: files that cannot grow."""
    with timed() as seconds, ground.copy("full-disk") as tidemark:
        finished = ground.call(tidemark, "prlimit", f"--fsize={LARGEST_FILE_MB * MEGABYTE}")
        refusal(finished, names="File too large")
        ground.hold_untouched(tidemark)
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "full disk",
            must,
            f"NOT a full disk: without root nothing can be mounted, so no file could grow beyond {LARGEST_FILE_MB} MB "
            "(RLIMIT_FSIZE, EFBIG in "
            "the place of ENOSPC); named, the week before whole and verified; then complete and equal",
            seconds(),
        )


@contextmanager
def _read_only(folder: Path) -> Iterator[str]:
    """Make a folder unwritable for whoever runs this; yields how."""
    if os.geteuid() == 0:  # root is stopped by no mode bits
        _mount("--bind", str(folder), str(folder))
        try:
            _mount("-o", "remount,ro,bind", str(folder))
            yield "mounted read-only"
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
        return
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    try:
        for path, mode in modes.items():
            path.chmod(mode & ~0o222)
        yield "without write permission"
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def read_only_folder(ground: Ground) -> Result:
    """Run the week in a data folder, then beside a published folder, that nobody can write."""
    with timed() as seconds, ground.copy("read-only") as tidemark:
        with _read_only(tidemark.folder) as how:
            finished = ground.call(tidemark)
            line = refusal(finished, names="cannot be written")
            if finished.seconds > 60:
                raise DrillError(f"refused only after {finished.seconds:.0f} s: {line}")
            ground.hold_untouched(tidemark)
        with _read_only(tidemark.folder / "published"):
            refusal(
                ground.call(tidemark),
                names="Read-only file system" if how == "mounted read-only" else "Permission denied",
            )
            ground.hold_untouched(tidemark)
        again = ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "read-only folder",
            "A data folder that cannot be written is refused in one line before anything; a published folder, when it comes to it",
            f"{how}: refused after {finished.seconds:.0f} s; with published/ alone the run failed where it publishes "
            "and readers kept the week "
            f"before; writable again it was complete after {again.seconds:.0f} s and equal",
            seconds(),
        )
