"""Dagster's records in SQLite, with connections that stay open: a run writes some two thousand events.

Dagster's own SQLite storage sets up a database engine for every access to its event log and closes the connection after it,
whereupon SQLite empties its write-ahead log into the file: 11 ms of processor time and several waits for the disk an event,
together a tenth of a first run. Folders, files and tables are Dagster's, so a data folder can go from one storage to the other
and back.

Belongs here: how connections to the event log are kept. Does not: what is recorded; where it lies (`dagster.yaml`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, SqliteStorageConfig
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

FILES_KEPT_OPEN = 4
"""The index, the events of the run that is executed, those that belong to no run, and one that somebody reads."""


class KeptEventLog(SqliteEventLogStorage):
    """Dagster's event log, a file a run and an index over all, whose files used last stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the log.

        Args:
            base_dir: Folder of the files.
            inst_data: What Dagster made the object from.
        """
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Write an event, and tell who watches the run: they watch its file, which SQLite leaves alone while it is open."""
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run, and its file, which Dagster leaves empty and as large as it was."""
        super().delete_events(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(self.path_for_shard(run_id) + suffix).unlink(missing_ok=True)

    def wipe(self) -> None:
        """Delete all events, with no file open that is deleted."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close the files; SQLite puts its write-ahead logs into them."""
        self._close()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction on a file, one at a time in this process, as in the class above."""
        with self._db_lock:
            engine = self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine_of(self, shard: str) -> Engine:
        """The engine of a file; the one used longest ago makes room for a new one."""
        engine = self._engines.pop(shard, None) or _open_engine(self.conn_string_for_shard(shard))
        self._engines[shard] = engine
        if len(self._engines) > FILES_KEPT_OPEN:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class KeptSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with an event log that keeps its files open; `dagster.yaml` names it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the storage.

        Args:
            base_dir: Folder below which runs, events and schedules have their files.
            inst_data: What Dagster made the object from.
        """
        super().__init__(base_dir, inst_data)
        made = self._event_log_storage
        made.dispose()
        self._event_log_storage = KeptEventLog(made._base_dir)

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: SqliteStorageConfig,  # type: ignore[override]  # as the class above has it
    ) -> "KeptSqliteStorage":
        """Made from what stands in `dagster.yaml`; the class above would make one of its own kind."""
        return cls.from_local(config_value["base_dir"], inst_data)


def _open_engine(address: str) -> Engine:
    """An engine that keeps one connection.

    A transaction is safe from the end of the process once SQLite has it in its write-ahead log, `kill -9` included; only a machine
    that loses its power may lose the newest events, never the file (SQLite, *Write-Ahead Logging*, on `synchronous=NORMAL`).
    """
    engine = create_engine(
        address, poolclass=QueuePool, pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def no_wait_for_the_disk(connection: Any, _record: object) -> None:
        connection.execute("pragma synchronous = normal")

    return engine
