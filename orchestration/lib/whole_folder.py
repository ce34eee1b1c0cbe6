"""Folders that readers look at and that are replaced in whole, never page by page.

Belongs here: the swap. Does not: what a folder holds (`data_docs.py`, `orchestration/site/build.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` to write into; it takes the target's place once the block has ended well.

    What an interrupted swap left behind is cleared first; where the block fails, the target stays as it was.
    """
    new, old = (target.with_name(f".{target.name}-{kind}") for kind in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
