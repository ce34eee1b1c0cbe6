"""The folder of one warehouse: where its parts lie, and the memory of whether it is simulated or real.

Belongs here: paths, the marker `folder.json`, the refusal to mix kinds.
Does not: what the parts contain.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from orchestration.lib.errors import TidemarkError
from orchestration.lib.object_store import ObjectPath
from orchestration.lib.whole_file import write_whole
from orchestration.settings import is_set, load_settings
from orchestration.sources.json_text import read_json

MARKER = "folder.json"

RESTORING = ".restoring"
"""What a restore has copied so far; gone once it is done."""


class DataFolderError(TidemarkError):
    """The data folder cannot be used for this run."""


@dataclass(frozen=True)
class DataFolder:
    """Paths inside one data folder.

    Attributes:
        root: The folder itself.
        is_scratch: Whether it is thrown away; then its warehouse is a file, whatever the settings say.
    """

    root: Path
    is_scratch: bool = False

    @property
    def landing(self) -> Path:
        """Root of landing and quarantine: the folder itself, or a place in an object store."""
        url = load_settings().landing_url if is_set("LANDING_URL") else None
        return ObjectPath.from_url(url) if url else self.root

    @property
    def warehouse(self) -> Path:
        """The one DuckDB file that runs write; or what says which lake it is (`lake.py`), there from the first write on as well."""
        lake = self.root / "warehouse.ducklake"
        is_lake = not self.is_scratch and (is_set("LAKE__CATALOGUE") or lake.exists())
        return lake if is_lake else self.root / "warehouse.duckdb"

    @property
    def models(self) -> Path:
        """The model registry."""
        return self.root / "models"

    @property
    def published(self) -> Path:
        """What users read."""
        return self.root / "published"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    @property
    def marker(self) -> Path:
        """The file that remembers what kind of folder this is."""
        return self.root / MARKER

    def kind(self) -> str | None:
        """`simulated` or `real`; None for a folder that was never used."""
        return self._marked().get("kind")

    def start_date(self) -> date | None:
        """First day that daily ingestion covers; the history before it came in one load. None before the first run."""
        text = self._marked().get("start_date")
        return date.fromisoformat(text) if text else None

    def check(self, kind: Literal["simulated", "real"]) -> None:
        """Refuse what cannot work, writing nothing.

        Raises:
            DataFolderError: The folder holds the other kind of data, or cannot be written.
        """
        if (self.root / RESTORING).exists():
            raise DataFolderError(f"{self.root} is half restored, for a restore was cut short; repeat make restore")
        present = self.kind()
        if present is not None and present != kind:
            raise DataFolderError(
                f"{self.root} holds {present} data and this run is {kind}; the two never mix. "
                "Set TIDEMARK_DATA_DIR to another folder, or leave it unset."
            )
        nearest = nearest_there(self.root)
        if not nearest.is_dir():
            raise DataFolderError(
                f"{nearest} is a file, so the data folder {self.root} cannot be made; set TIDEMARK_DATA_DIR."
            )
        if not _can_be_written(nearest):
            raise DataFolderError(
                f"{nearest} cannot be written by this user; set TIDEMARK_DATA_DIR to a folder that can."
            )

    def claim(self, kind: Literal["simulated", "real"], *, start_date: date) -> None:
        """Make the folder and remember its kind and the day daily ingestion starts."""
        self.root.mkdir(parents=True, exist_ok=True)
        if self.marker.exists():
            return
        now = datetime.now(UTC).isoformat()
        self._remember({"kind": kind, "start_date": start_date.isoformat(), "created_at": now})

    def has_history(self) -> bool:
        """Whether the history before daily ingestion came whole; a fill that was killed has to go on."""
        return "history_filled_at" in self._marked()

    def remember_history(self) -> None:
        """Remember that the history before daily ingestion is there."""
        if not self.has_history():
            self._remember({**self._marked(), "history_filled_at": datetime.now(UTC).isoformat()})

    def _marked(self) -> dict[str, str]:
        """What the marker remembers; nothing before the first run."""
        if not self.marker.exists():
            return {}
        try:
            content = read_json(self.marker.read_text())
            return {str(name): str(value) for name, value in content.items()}
        except (ValueError, AttributeError):
            raise DataFolderError(
                f"{self.marker} cannot be read; it remembers whether the folder is simulated or real, and since when: bring it back "
                "from a backup, or set TIDEMARK_DATA_DIR to another folder."
            ) from None

    def _remember(self, content: Mapping[str, str]) -> None:
        write_whole(self.marker, json.dumps(content, indent=2) + "\n")


def nearest_there(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def _can_be_written(folder: Path) -> bool:
    """Whether a folder can be made in it, found by making one and removing it.

    Permissions do not tell: they allow root everything, yet a read-only mount, /proc or /sys still says no.
    """
    try:
        Path(tempfile.mkdtemp(prefix=".writable-", dir=folder)).rmdir()
    except OSError:
        return False
    return True
