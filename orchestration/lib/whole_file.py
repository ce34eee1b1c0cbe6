"""Files that readers see as they were or as they are, never half written.

Belongs here: writing one under a temporary name, what puts it on the disk, and its hash. Does not: folders (`whole_folder.py`), files
that several writers make at once (`landing_files.py`).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_whole(path: Path, text: str, *, is_durable: bool = False) -> None:
    """Write a text in UTF-8 in the place of what the file held; one process at a time writes it.

    Args:
        path: The file; its folder is there.
        text: All that it holds.
        is_durable: Whether it must survive a power cut, which takes a wait for the disk.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    if is_durable:
        flush(temporary)
    temporary.replace(path)


def flush(path: Path) -> None:
    """Put a file or the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
