"""The warehouse as a lake: tables as Parquet files anywhere, their catalogue in a database that admits many writers (DuckLake).

Belongs here: attaching the lake, what DuckLake does not know of DuckDB, repeating what another writer contested, naming snapshots.
Does not: which tables there are, nor a second way of writing them: the statements are those of a warehouse file.

A warehouse that is a file is opened by its path. In its place stands `warehouse.ducklake`, a file that says in JSON where the lake
is, without a password; it appears with the first write, as the warehouse file does. `TIDEMARK_LAKE__CATALOGUE` and
`TIDEMARK_LAKE__DATA` say where the lake is; docs/how-to/more-than-one-machine.md says the rest.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from orchestration.lib.duckdb_memory import memory_limit
from orchestration.lib.errors import TidemarkError
from orchestration.lib.object_store import s3_secret_sql
from orchestration.lib.sql_quoting import quoted, sql_text
from orchestration.settings import LakeSettings, load_settings
from orchestration.sources.redaction import without_password

SUFFIX: Final = ".ducklake"
ALIAS: Final = "warehouse"
"""Name of the lake as a database: that of a warehouse file, which dbt's nodes and stored views know."""

EXTENSIONS: Final = ("ducklake", "postgres_scanner", "httpfs")
MOST_ATTEMPTS: Final = 40
"""Times something contested is tried before it fails."""

TURNS: Final = "raw.turns"
"""One row, changed by every transaction that records versions."""

CONTESTED: Final = re.compile(r"conflict", re.IGNORECASE)
KEY_CLAUSE: Final = re.compile(r",?\s*\bprimary\s+key(\s*\([^)]*\))?", re.IGNORECASE)

Result = TypeVar("Result")


class LakeError(TidemarkError):
    """The lake cannot be reached or used."""


def is_lake_path(path: Path) -> bool:
    """Whether a warehouse is a lake, by the name of what stands in the data folder."""
    return path.suffix == SUFFIX


def is_lake(connection: duckdb.DuckDBPyConnection, alias: str | None = None) -> bool:
    """Whether a database of a connection is a lake, by default the one it uses."""
    row = connection.execute(
        "select type from duckdb_databases() where database_name = coalesce(?, current_database())", [alias]
    ).fetchone()
    return row is not None and row[0] == "ducklake"


def open_lake(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a database in memory whose default is the lake.

    Args:
        path: `warehouse.ducklake` of the data folder; made where it is missing and the lake is opened for writing.
        read_only: Whether nothing is to be written.

    Raises:
        LakeError: Settings or extensions are missing.
        duckdb.Error: The catalogue cannot be reached.
    """
    connection = duckdb.connect(config={"threads": 2, "memory_limit": memory_limit()})
    try:
        attach_lake(connection, alias=ALIAS, read_only=read_only)
        connection.execute(f"use {ALIAS}")
    except BaseException:
        connection.close()
        raise
    if not read_only and not path.exists():
        settings = lake_settings()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps({"catalogue": settings.shown_catalogue, "data": settings.data}) + "\n")
        temporary.replace(path)
    return connection


def attach_lake(connection: duckdb.DuckDBPyConnection, *, alias: str, read_only: bool) -> None:
    """Attach the lake of the settings to a connection under a name.

    Raises:
        LakeError: Settings or extensions are missing.
        duckdb.Error: The catalogue cannot be reached; without its password, which DuckDB says.
    """
    settings = lake_settings()
    prepare(connection)
    options = f"data_path {sql_text(settings.data)}" + (", read_only" if read_only else "")
    try:
        connection.execute(f"attach {sql_text(attachment(settings))} as {quoted(alias)} ({options})")
    except duckdb.Error as error:
        # Its chain is cut: a stack trace would show the text that is taken out here.
        raise type(error)(without_password(str(error))) from None


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Tell a connection where its extensions are, how it reaches the object store, and how patient it is with other writers."""
    connection.execute(f"set extension_directory = {sql_text(str(extension_directory()))}")
    connection.execute("load ducklake")
    for setting, value in {"max_retry_count": 60, "retry_wait_ms": 25, "retry_backoff": 1.1}.items():
        connection.execute(f"set ducklake_{setting} = {value}")
    if secret := s3_secret_sql(load_settings().object_store):
        connection.execute("load httpfs")
        connection.execute(secret)


def attachment(settings: LakeSettings) -> str:
    """What `attach` is given: `ducklake:` and the catalogue."""
    assert settings.catalogue is not None  # noqa: S101 - lake_settings refuses it
    return f"ducklake:{settings.catalogue.get_secret_value()}"


def lake_settings() -> LakeSettings:
    """The settings of the lake.

    Raises:
        LakeError: There are none.
    """
    settings = load_settings().lake
    if settings.catalogue is None:
        raise LakeError(
            "the warehouse of this data folder is a lake, and TIDEMARK_LAKE__CATALOGUE is not set; set it as it was when the folder "
            f"was made (warehouse{SUFFIX} shows it without its password), or choose another TIDEMARK_DATA_DIR"
        )
    return settings


@cache
def extension_directory() -> Path:
    """A folder laid out as DuckDB looks for extensions, with links to those that came as Python packages.

    Raises:
        LakeError: They are not installed.
    """
    row = duckdb.sql("pragma platform").fetchone()
    folder = Path(tempfile.gettempdir()) / f"tidemark-duckdb-{os.getuid()}" / f"v{duckdb.__version__}"
    inside = folder / str(row[0] if row else "")
    inside.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in EXTENSIONS:
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        found = [
            file
            for place in (spec.submodule_search_locations or () if spec else ())
            for file in Path(place).glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")
        ]
        if not found:
            raise LakeError(
                f"DuckDB's extension {name} for {duckdb.__version__} is not installed; install the group `distributed`: "
                "pip install --require-hashes -r requirements-distributed.lock"
            )
        temporary = inside / f".{name}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(found[0])
        temporary.replace(inside / found[0].name)
    return folder.parent


def without_keys(connection: duckdb.DuckDBPyConnection, create: str) -> str:
    """A `create table` as its database takes it: a lake has no keys, so what writes a table sees to them (it replaces by key)."""
    return KEY_CLAUSE.sub("", create) if is_lake(connection) else create


def uncontested(connection: duckdb.DuckDBPyConnection, work: Callable[[], Result]) -> Result:
    """Do something that ends in one transaction, anew from its first read where another writer came first.

    A warehouse file has one writer, so there it is done once.

    Raises:
        duckdb.TransactionException: Contested as often as it was tried.
    """
    if not is_lake(connection):
        return work()
    for attempt in range(1, MOST_ATTEMPTS):
        try:
            return work()
        except duckdb.TransactionException as error:
            if not CONTESTED.search(str(error)):
                raise
            time.sleep(random.uniform(0, 0.05 * min(attempt, 10)))
    return work()


def create_turns(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what `take_turn` changes, in a lake; a warehouse file needs none."""
    if is_lake(connection):
        connection.execute("create schema if not exists raw")
        connection.execute(f"create table if not exists {TURNS} (turns bigint)")
        connection.execute(f"insert into {TURNS} select 0 where not exists (from {TURNS})")


def take_turn(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the current transaction fail where another that took a turn has committed since it began: nothing it read is stale.

    A lake notices when two transactions change one row, but not when both add the first version of one unit.
    """
    if is_lake(connection):
        connection.execute(f"update {TURNS} set turns = turns + 1")


def name_snapshot(connection: duckdb.DuckDBPyConnection, *, run_id: str, message: str) -> None:
    """Say of the snapshot that the current transaction makes which run made it; a warehouse file has none.

    `select snapshot_id from warehouse.snapshots() where commit_extra_info = '<run>'` finds it, `at (version => n)` reads it.
    """
    if is_lake(connection):
        connection.execute(f"call {ALIAS}.set_commit_message('tidemark', ?, extra_info => ?)", [message, run_id])


def dbt_variables(warehouse: Path) -> dict[str, str]:
    """Environment by which dbt's profile `lake` finds the lake; nothing where the warehouse is a file."""
    if not is_lake_path(warehouse):
        return {}
    settings = lake_settings()
    return {
        "TIDEMARK_DBT_TARGET": "lake",
        "DBT_ENV_SECRET_TIDEMARK_LAKE": attachment(settings),
        "TIDEMARK_LAKE_DATA": settings.data,
    }
