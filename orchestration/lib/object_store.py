"""Paths in an S3-compatible store, as far as the landing store asks of a path.

Belongs here: what a path does where there are no folders and no renaming: one put makes an object whole, under its name at once.
Does not: names of landed files (`landing_files.py`), where the store is (`orchestration/settings.py`).

Requests go through pyarrow's S3 file system, which comes with pyarrow; DuckDB reads the same addresses with its extension httpfs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PosixPath
from typing import IO, TYPE_CHECKING, Any, Final, cast

from orchestration.lib.sql_quoting import sql_text
from orchestration.settings import ObjectStoreSettings, load_settings

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem

SCHEME: Final = "s3://"


class ObjectPath(PosixPath):
    """A path `s3://bucket/name` with the operations of `pathlib` that landing uses; a folder is a common beginning of names.

    What is not here fails: the operating system knows no path of this kind.
    """

    @classmethod
    def from_url(cls, url: str) -> ObjectPath:
        """The path of an address `s3://bucket/prefix`."""
        return cls(url.removeprefix(SCHEME))

    def __str__(self) -> str:
        """The address."""
        return SCHEME + self.key

    def __fspath__(self) -> str:
        """The address, which is no file of this machine."""
        return str(self)

    @property
    def key(self) -> str:
        """Bucket and name, as pyarrow writes them."""
        return "/".join(self.parts)

    def open(self, mode: str = "r", *_: Any, **__: Any) -> IO[Any]:  # type: ignore[override]
        """Open for reading bytes.

        Raises:
            FileNotFoundError: There is no such object.
            ValueError: Another mode; an object is written with `put`.
        """
        if mode != "rb":
            raise ValueError(f"{self}: an object is opened with mode rb, not {mode}; write it whole with put()")
        return cast("IO[Any]", file_system().open_input_file(self.key))

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The whole object as text."""
        with self.open("rb") as file:
            return bytes(file.read()).decode(encoding or "utf-8", errors or "strict")

    def put(self, content: bytes) -> None:
        """Write the object, whole or not at all."""
        # Without writes in the background an object of up to 5 MB is one request; a larger one appears when its last part is there.
        with file_system().open_output_stream(self.key) as stream:
            stream.write(content)

    def upload(self, source: Path) -> None:
        """Write a file as the object, whole or not at all."""
        self.put(source.read_bytes())

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        try:
            file_system().delete_file(self.key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def exists(self, **_: Any) -> bool:
        """Whether there is such an object, or one below it."""
        return self._info().type.name != "NotFound"

    def is_dir(self) -> bool:
        """Whether there are objects below it."""
        return bool(self._info().type.name == "Directory")

    def stat(self, **_: Any) -> os.stat_result:
        """Size and time of the object, the rest zero."""
        info = self._info()
        if info.type.name != "File":
            raise FileNotFoundError(str(self))
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, info.size, *(int(info.mtime.timestamp()),) * 3))

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing: there are no folders."""

    def rmdir(self) -> None:
        """Nothing: a folder ends with its last object."""

    def below(self) -> list[ObjectPath]:
        """All objects below, at any depth: one request a thousand."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self.key, recursive=True, allow_not_found=True)
        return [ObjectPath(info.path) for info in file_system().get_file_info(selector) if info.type.name == "File"]

    def glob(self, pattern: str, **_: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """Objects, and the folders they are in, whose path below this one matches a pattern without `**`."""
        depth = len(pattern.split("/"))
        heads = {ObjectPath(self, *each.relative_to(self).parts[:depth]) for each in self.below()}
        return (each for each in sorted(heads) if each.match(pattern) and len(each.relative_to(self).parts) == depth)

    def rglob(self, pattern: str, **_: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """Objects at any depth whose name matches."""
        return (each for each in self.below() if each.match(pattern))

    def _info(self) -> FileInfo:
        return file_system().get_file_info(self.key)


@cache
def file_system() -> S3FileSystem:
    """The store of the settings, for the life of the process."""
    return object_store(load_settings().object_store)


def object_store(settings: ObjectStoreSettings) -> S3FileSystem:
    """The store that settings name."""
    from pyarrow.fs import S3FileSystem

    key, secret = settings.access_key, settings.secret_key
    return S3FileSystem(
        access_key=key.get_secret_value() if key else None,
        secret_key=secret.get_secret_value() if secret else None,
        endpoint_override=settings.host,
        scheme=settings.scheme,
        region=settings.region,
        background_writes=False,
    )


def s3_secret_sql(settings: ObjectStoreSettings) -> str | None:
    """Statement that tells a DuckDB connection of the store; None where nothing was set."""
    if settings.access_key is None or settings.secret_key is None:
        return None
    values = {
        "key_id": settings.access_key.get_secret_value(),
        "secret": settings.secret_key.get_secret_value(),
        "region": settings.region,
    }
    if settings.host:
        values |= {"endpoint": settings.host, "url_style": "path"}
    told = ", ".join(f"{name} {sql_text(value)}" for name, value in values.items())
    return f"create or replace secret tidemark (type s3, {told}, use_ssl {str(settings.scheme == 'https').lower()})"
