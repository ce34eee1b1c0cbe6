"""The manifest of a published copy, and the chain that the manifests form.

`published/manifest.json` is the newest and the last thing a publication writes; `published/manifests/000001.json` and
so on keep all of them, the newest included, byte for byte. Each names the sha256 of the one before.

Belongs here: what a manifest says, reading and writing it, hashing files. Does not: deciding when there is a new one
(`publishing.py`), checking the chain (`verification.py`).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

MANIFEST_NAME = "manifest.json"
MANIFESTS_FOLDER = "manifests"
PARQUET_FOLDER = "parquet"
WAREHOUSE_NAME = "warehouse.duckdb"


Redistribution = Literal["with_attribution", "non_commercial", "not_stated", "restricted"]
"""What the terms of a source allow of its raw values: passing them on with its name, that but not in commerce, nothing that we
could find, or not passing them on."""

PublishFor = Literal["own_use", "non_commercial", "commercial"]
"""Whom a published copy is for: whoever runs the project, the public without commerce, or commerce too."""


class ManifestError(ValueError):
    """A manifest cannot be read, or is not a manifest."""


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


Instant = Annotated[AwareDatetime, BeforeValidator(_in_utc)]


class Strict(BaseModel):
    """Unknown keys forbidden, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceLoads(Strict):
    """What of one source had been loaded when the copy was published."""

    load_count: int
    newest_load_id: str | None = None
    newest_loaded_at: Instant | None = None


class InputVersions(Strict):
    """What the published numbers were computed from."""

    inputs_hash: str
    input_cutoff: Instant
    loads: dict[str, SourceLoads]


class FileEntry(Strict):
    """One published file; the key is its path relative to `published/`."""

    sha256: str
    size_bytes: int
    rows: int


class SourceTerms(Strict):
    """What a provider asks of those who show or pass on its data.

    Attributes:
        attribution: What is to be said where its data are shown.
        redistribution: What its terms allow of raw values.
        terms: The same in words.
    """

    attribution: str
    redistribution: Redistribution
    terms: str


class ObjectEntry(Strict):
    """One table or view of the published warehouse; rows of views are not counted."""

    kind: Literal["table", "view"]
    rows: int | None


class TableEntry(Strict):
    """One versioned table: its ledger as it was when the manifest was made."""

    ledger_sha256: str
    ledger_rows: int
    rows: int


@dataclass(frozen=True)
class PublicationInfo:
    """What the manifest says about the run behind a publication.

    Attributes:
        created_at: Instant of publishing, with a time zone; not before the newest recorded version.
        data_source: simulated, archive or live.
        as_of_week: Newest week (a Monday) that is published.
        code_version: Version of the code.
        model_versions: Models in force, by name.
        inputs_hash: Hash over all inputs that marts and models were built from.
        input_cutoff: Only loads that ended by this instant were read.
        loads: What had been loaded, by source.
        attribution: Texts that providers ask for, by source.
        terms: Attribution and redistribution terms, by source.
        publish_for: Whom the copy is for, by the settings.
    """

    created_at: datetime
    data_source: Literal["simulated", "archive", "live"]
    as_of_week: date
    code_version: str
    model_versions: dict[str, str]
    inputs_hash: str
    input_cutoff: datetime
    loads: dict[str, SourceLoads]
    attribution: dict[str, str]
    terms: dict[str, SourceTerms] = field(default_factory=dict)
    publish_for: PublishFor = "own_use"


class Manifest(Strict):
    """One publication.

    `left_out` names tables without rows (`api.daily`) and columns without values (`api.top_market_cap.price_usd`) with the
    reason. Manifests from before there were terms lack `terms`, `publish_for` and `left_out`.
    """

    format_version: Literal[1] = 1
    sequence: int
    created_at: Instant
    data_source: Literal["simulated", "archive", "live"]
    as_of_week: date
    code_version: str
    model_versions: dict[str, str]
    inputs: InputVersions
    attribution: dict[str, str]
    terms: dict[str, SourceTerms] = {}
    publish_for: PublishFor = "own_use"
    left_out: dict[str, str] = {}
    files: dict[str, FileEntry]
    versioned_tables: dict[str, TableEntry]
    objects: dict[str, ObjectEntry]
    content_fingerprint: str
    previous_manifest_sha256: str | None

    def as_bytes(self) -> bytes:
        """The manifest as it is written; the chain hashes exactly these bytes."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def manifest_path(published_dir: Path, sequence: int) -> Path:
    """Where the manifest of a sequence is kept for good."""
    return published_dir / MANIFESTS_FOLDER / f"{sequence:06d}.json"


def kept_manifests(published_dir: Path) -> list[Path]:
    """All numbered manifests, oldest first."""
    return sorted((published_dir / MANIFESTS_FOLDER).glob("[0-9]*.json"), key=lambda path: (len(path.name), path.name))


def read_manifest(path: Path) -> Manifest:
    """Read one manifest.

    Raises:
        ManifestError: It is missing or damaged.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such manifest; publish first, or restore it from a backup") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the text"
        raise ManifestError(f"{path}: not a manifest ({where}: {first['msg']}); restore it from a backup") from error


def published_week(published: Path) -> date | None:
    """The newest week of a published copy, None before its first.

    Raises:
        ManifestError: Its manifest is damaged.
    """
    path = published / MANIFEST_NAME
    return read_manifest(path).as_of_week if path.is_file() else None


def sha256_of_bytes(content: bytes) -> str:
    """Hexadecimal sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()
