"""A clock that went back is refused before anything lands.

Loads, builds, versions and manifests are ordered by the clock of the machine. A run on a clock that is behind would land rows that lose to
older ones, and would not see what was landed after its own "now": it has to end before its first request.

Belongs here: the newest instant that a data folder has recorded. Does not: the order of versions (`versions.py`) and manifests
(`publishing.py`), which refuse for themselves.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.landing_files import SUFFIX, loaded_at_of
from orchestration.lib.manifest import MANIFEST_NAME, ManifestError, read_manifest


class ClockBehindError(TidemarkError):
    """The clock of this machine is before what it recorded."""


def check_clock(folder: DataFolder, *, now: datetime) -> None:
    """Refuse a clock that is before the newest load or the newest publication.

    Args:
        folder: The data folder; only read.
        now: What the clock says, with a time zone.

    Raises:
        ClockBehindError: It is; names both instants and what was recorded.
    """
    recorded = {"the newest landed load": _newest_load(folder), "the newest publication": _newest_publication(folder)}
    known = {what: at for what, at in recorded.items() if at is not None}
    if not known:
        return
    what, at = max(known.items(), key=lambda item: item[1])
    if now < at:
        raise ClockBehindError(
            f"the clock of this machine says {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which is before {what} of {folder.root} "
            f"({at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC); set the clock. If it ran ahead when that was recorded, wait until it has "
            "passed, or restore the folder from a backup"
        )


def _newest_load(folder: DataFolder) -> datetime | None:
    """When the newest plain landed file was loaded, from its name; a compacted file holds none that is newer."""
    names = [
        path.name.removesuffix(SUFFIX)
        for path in (folder.root / "landing").glob(f"*/*/*/[0-9]*{SUFFIX}")
        if path.name.count(".") == 1
    ]
    return loaded_at_of(max(names)) if names else None


def _newest_publication(folder: DataFolder) -> datetime | None:
    path = folder.published / MANIFEST_NAME
    with suppress(ManifestError):  # a damaged one is refused by the step that publishes, which says what to do
        return read_manifest(path).created_at if path.exists() else None
    return None
