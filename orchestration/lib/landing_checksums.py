"""Checksums on read: nothing is built from a landed file whose bytes are not those that landed.

Belongs here: comparing every file that counts with the checksum noted for it, and saying what to do about one that differs.
Does not: noting checksums of new files (`landing_files.py`), loads that vanished with their checksums (`raw_views.py`).

    LandingError
    `-- DamagedFilesError      files are changed, cut off, empty or lost

A file from before there were checksums (or from a kill between its two renames) gets one when it is first read, after it
proved to be a whole Parquet file: from then on a change is found.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.lib.landing_files import (
    AREAS,
    COMPACTED_SUFFIX,
    LandingError,
    checksum_path,
    read_checksum,
    read_footer,
    write_checksum,
)
from orchestration.lib.landing_listing import DatasetFiles, list_files
from orchestration.lib.whole_file import sha256_of

DIGITS_SHOWN = 16
FORGET = "tidemark compact --forget-lost"
"""Command that accepts the loss of files."""


class DamagedFilesError(LandingError):
    """Landed files are not as they landed.

    Attributes:
        problems: Each file with what was expected and found.
    """

    def __init__(self, problems: list[str]) -> None:
        """One line: the first file, how many more there are, and what to do."""
        more = f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""
        super().__init__(
            f"{problems[0]}{more}. Restore the file from a backup; or move it away, run {FORGET}, and land its days again"
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of all checksums read.

    Attributes:
        folders: The files that count of every dataset folder, all as they landed.
        bytes: Their size.
        adopted: Among them those that had no checksum and have one now.
        seconds: Time it took.
    """

    folders: Mapping[Path, DatasetFiles]
    bytes: int
    adopted: int
    seconds: float

    @property
    def files(self) -> int:
        """How many files that is."""
        return sum(len(files.live) for files in self.folders.values())

    def __str__(self) -> str:
        """For logs."""
        speed = self.bytes / 1e6 / max(self.seconds, 1e-9)
        return f"{self.files} landed files, {self.bytes / 1e6:.1f} MB as they landed ({speed:,.0f} MB/s)"


def verify(root: Path) -> Verified:
    """Compare every file that counts with its checksum.

    Args:
        root: The data folder.

    Raises:
        DamagedFilesError: Files are changed, cut off, empty or lost; all are looked at before it is raised.
        LandingError: See `list_files`.
    """
    began = time.monotonic()
    problems: list[str] = []
    folders: dict[Path, DatasetFiles] = {}
    size, adopted = 0, 0
    for folder in dataset_folders(root):
        # Compacted files first: which others count is read from them.
        damaged = _damaged(sorted(folder.glob(f"*/*{COMPACTED_SUFFIX}")), root)
        if damaged:
            problems += damaged
            continue
        files = folders[folder] = list_files(folder)
        plain = list(files.plain.values())
        adopted += sum(read_checksum(path) is None for path in plain)
        problems += _damaged(plain, root)
        problems += [f"{path.relative_to(root)}: has landed and is no longer there" for path in files.lost]
        with suppress(FileNotFoundError):  # compacted meanwhile: a reproduction runs beside the run lock
            size += sum(path.stat().st_size for path in files.live)
    if problems:
        raise DamagedFilesError(problems)
    return Verified(folders, size, adopted, time.monotonic() - began)


def _damaged(paths: list[Path], root: Path) -> list[str]:
    problems = []
    for path in paths:
        with suppress(FileNotFoundError):  # compacted meanwhile
            problems.append(find_damage(path, root))
    return [problem for problem in problems if problem is not None]


def find_damage(path: Path, root: Path) -> str | None:
    """Say what is wrong with a file, None if nothing is; a file without checksum gets one."""
    name, found, size = path.relative_to(root), sha256_of(path), path.stat().st_size
    expected = read_checksum(path)
    if expected is not None:
        if expected == found:
            return None
        shown = f"sha256 {found[:DIGITS_SHOWN]} found in {size} bytes"
        return f"{name}: {shown}, {expected[:DIGITS_SHOWN]} expected, as it landed"
    try:
        read_footer(path)
    except LandingError:
        return f"{name}: a whole Parquet file expected, {size} bytes found that are none (cut off or overwritten)"
    write_checksum(path, found)
    return None


def forget_lost(root: Path) -> list[str]:
    """Accept that files are lost: their checksums are removed. Returns their names."""
    lost = [path for folder in dataset_folders(root) for path in list_files(folder).lost]
    for path in lost:
        checksum_path(path).unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            path.parent.rmdir()
    return [str(path.relative_to(root)) for path in lost]


def dataset_folders(root: Path) -> list[Path]:
    """Folders of all datasets in all areas."""
    return sorted(path for area in AREAS for path in (root / area).glob("*/*") if path.is_dir())
