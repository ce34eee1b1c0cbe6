"""Which files of the landing store count: those that hold every load once.

Belongs here: listing a dataset's folder, and the rule that a compacted file takes the place of the files whose loads it
lists, whether they are still there or not. Does not: names, writing and checksums (`landing_files.py`), making compacted
files (`landing_maintenance.py`).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from orchestration.lib.landing_files import CHECKSUM_SUFFIX, COMPACTED_SUFFIX, SUFFIX, LandingError, read_footer
from orchestration.lib.object_store import ObjectPath

LOADS_KEY: Final = "tidemark.loads"
SUPERSEDED_KEY: Final = "tidemark.superseded_before"
"""Keys of a compacted file's footer: its loads as JSON, and the instant before which superseded rows may be gone."""

MOST_LISTINGS: Final = 20
"""Times a folder is listed until two listings agree; a compaction under way changes a few files a second."""


@dataclass(frozen=True, slots=True)
class CompactedLoad:
    """A load inside a compacted file; `rows` is 0 where retention has dropped all of them."""

    load_id: str
    partition: str
    rows: int


@dataclass(frozen=True, slots=True)
class CompactedFile:
    """A file of many loads.

    Attributes:
        path: The file.
        loads: What it holds, oldest first.
        superseded_before: Rows that were superseded by this instant may be gone; None where all are kept.
    """

    path: Path
    loads: tuple[CompactedLoad, ...]
    superseded_before: datetime | None

    @property
    def load_ids(self) -> frozenset[str]:
        """Ids of the loads it holds."""
        return frozenset(load.load_id for load in self.loads)


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """The files of one dataset in one area.

    Attributes:
        plain: Files of one load each, by load id.
        compacted: Files of many loads that count.
        replaced: Files whose loads a compacted one holds; nobody reads them.
        lost: Files that have a checksum and are not there.
    """

    plain: dict[str, Path]
    compacted: tuple[CompactedFile, ...]
    replaced: tuple[Path, ...]
    lost: tuple[Path, ...]

    @property
    def live(self) -> list[Path]:
        """The files that hold every load once, oldest first load first."""
        first_ids = self.plain | {each.loads[0].load_id: each.path for each in self.compacted}
        return [first_ids[load_id] for load_id in sorted(first_ids)]

    @property
    def load_ids(self) -> list[str]:
        """All loads, oldest first."""
        return sorted([*self.plain, *(load.load_id for each in self.compacted for load in each.loads)])


def list_files(folder: Path) -> DatasetFiles:
    """List the files of a dataset's folder; temporary ones are not among them.

    Raises:
        LandingError: A compacted file cannot be read, or two of them hold the same load.
    """
    for _ in range(MOST_LISTINGS):
        with suppress(FileNotFoundError):  # replaced by a newer compacted file since it was listed
            return _resolve(folder, _stable_names(folder))
    raise LandingError(f"{folder}: files vanish while they are read; see what removes them, then run again")


def _resolve(folder: Path, names: dict[str, str]) -> DatasetFiles:
    """Tell the files that count from those that a compacted one replaced."""
    data = {name: partition for name, partition in names.items() if name.endswith(SUFFIX)}
    everything = [
        read_compacted(folder / data[name] / name) for name in sorted(data) if name.endswith(COMPACTED_SUFFIX)
    ]
    counting = tuple(
        one
        for number, one in enumerate(everything)
        if not any(one.load_ids <= other.load_ids for other in everything[number + 1 :])
        and not any(one.load_ids < other.load_ids for other in everything[:number])
    )
    held = [load.load_id for each in counting for load in each.loads]
    if len(held) > len(set(held)):
        paths = ", ".join(str(each.path) for each in counting)
        raise LandingError(f"compacted files hold a load twice: {paths}; move the one that does not belong here away")
    moved = frozenset(held)
    plain_names = {name for name in data if not name.endswith(COMPACTED_SUFFIX)}
    plain = {name.removesuffix(SUFFIX): folder / data[name] / name for name in plain_names}
    checked = {name.removesuffix(CHECKSUM_SUFFIX): at for name, at in names.items() if name.endswith(CHECKSUM_SUFFIX)}
    return DatasetFiles(
        plain={load_id: path for load_id, path in sorted(plain.items()) if load_id not in moved},
        compacted=counting,
        replaced=tuple(sorted(path for load_id, path in plain.items() if load_id in moved))
        + tuple(each.path for each in everything if each not in counting),
        lost=tuple(
            folder / partition / name
            for name, partition in sorted(checked.items())
            if name not in data and name.removesuffix(SUFFIX) not in moved
        ),
    )


@lru_cache(maxsize=4096)  # a file never changes, and its name is never given twice
def read_compacted(path: Path) -> CompactedFile:
    """Read from a compacted file's footer which loads it holds.

    Raises:
        LandingError: It cannot be read.
    """
    try:
        said = read_footer(path).metadata or {}
        loads = tuple(CompactedLoad(*entry) for entry in json.loads(said[LOADS_KEY.encode()]))
        before = said.get(SUPERSEDED_KEY.encode())
    except (KeyError, ValueError, TypeError):
        raise LandingError(f"{path} is damaged: its list of loads cannot be read; restore it from a backup") from None
    return CompactedFile(path, loads, datetime.fromisoformat(before.decode()) if before else None)


def _stable_names(folder: Path) -> dict[str, str]:
    """Names below a dataset's folder with their partitions.

    A listing that is taken while files are replaced could miss both the old ones and the new, so it counts once a second
    one agrees.
    """
    names = _names(folder)
    for _ in range(MOST_LISTINGS):
        again = _names(folder)
        if again == names:
            break
        names = again
    return names


def _names(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(folder, ObjectPath):
        return {each.name: each.parent.name for each in folder.below() if each.name.endswith((SUFFIX, CHECKSUM_SUFFIX))}
    try:
        partitions = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except FileNotFoundError:
        return found
    for partition in partitions:
        with suppress(FileNotFoundError):
            found |= {
                entry.name: partition
                for entry in os.scandir(folder / partition)
                if not entry.name.startswith(".") and entry.name.endswith((SUFFIX, CHECKSUM_SUFFIX))
            }
    return found
