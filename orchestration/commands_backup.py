"""The commands `backup` and `restore`.

Belongs here: what is said, and the check after it. Does not: copying (`lib/backup.py`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import sys
import time
from pathlib import Path

from orchestration.lib.backup import Backup, bring_back, make_backup
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.serve_lock import refuse_served
from orchestration.settings import load_settings


def backup(target: Path, *, wait_minutes: float) -> int:
    """Copy the data folder into an empty folder, then hold the copy against its own hashes and its chain of manifests."""
    folder, began = DataFolder(load_settings().folder), time.monotonic()
    made = make_backup(
        folder, target.expanduser(), wait_seconds=wait_minutes * 60, say=lambda line: print(line, flush=True)
    )
    code = _verified(target.expanduser() / "data" / "published", made)
    print(f"{target}: {_said(made)}; {time.monotonic() - began:.0f} s")
    return code


def restore(source: Path) -> int:
    """Copy a backup into the data folder, which must be empty, and verify what was published."""
    folder, began = DataFolder(load_settings().folder), time.monotonic()
    if folder.root.exists():
        refuse_served(folder.root)
    made = bring_back(source.expanduser(), folder)
    code = _verified(folder.published, made)
    print(f"{folder.root}: {_said(made)}, of {made.made_at:%Y-%m-%d %H:%M} UTC; {time.monotonic() - began:.0f} s")
    return code


def _said(made: Backup) -> str:
    week = f"up to week {made.week}" if made.week else "nothing published yet"
    return f"{made.kind} data, {week}, {len(made.files):,} files, {made.size_bytes / 2**20:,.0f} MB"


def _verified(published: Path, made: Backup) -> int:
    """Walk the chain of manifests of a copy, where something was published."""
    from orchestration.lib.verification import VerificationError, verify_chain

    if made.week is None:
        return 0
    try:
        print(f"{published}: {verify_chain(published)}")
    except VerificationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
