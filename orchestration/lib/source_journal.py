"""The journal of loads: what came of every attempt to ask a source, its failures included.

Belongs here: writing and reading the journal, one JSON line a dataset and attempt in `source_journal.jsonl` of the data folder.
Does not: what landed (the landing files say that), what it means for a week (`source_health.py`).

The journal tells the one thing that landing cannot: why nothing came. A line is written in one go and flushed, so a kill leaves
whole lines, at worst a last one that does not parse and is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from orchestration.lib.ingestion import Ingested
from orchestration.sources.datasets import Dataset
from orchestration.sources.json_text import read_json

NAME = "source_journal.jsonl"
LONGEST_REASON = 500

Status = Literal["answered", "partly", "down"]


@dataclass(frozen=True)
class Attempt:
    """One attempt to load a dataset.

    Attributes:
        at: UTC instant it ended, ISO 8601.
        run_id: Run that made it.
        source: Provider.
        dataset: Dataset of the provider.
        status: `answered`; `partly` where some tokens or markets failed; `down` where nothing could be had.
        received: Rows the provider gave.
        landed: Rows that were news.
        quarantined: Records refused.
        failed: Tokens, markets or feeds that could not be fetched.
        reason: First failure in words; empty when all answered.
    """

    at: str
    run_id: str
    source: str
    dataset: str
    status: Status
    received: int = 0
    landed: int = 0
    quarantined: int = 0
    failed: int = 0
    reason: str = ""

    @classmethod
    def of(cls, result: Ingested, *, run_id: str, at: datetime) -> Self:
        """The attempt that had a result."""
        first = next(iter(result.failures.items()), None)
        return cls(
            at=at.isoformat(),
            run_id=run_id,
            source=result.dataset.source,
            dataset=result.dataset.name,
            status="partly" if result.failures else "answered",
            received=result.received,
            landed=result.landed,
            quarantined=result.quarantined,
            failed=len(result.failures),
            reason=f"{first[0]}: {first[1]}"[:LONGEST_REASON] if first else "",
        )

    @classmethod
    def failed_whole(cls, dataset: Dataset, error: Exception, *, run_id: str, at: datetime) -> Self:
        """The attempt that ended in an error of the source."""
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        return cls(at.isoformat(), run_id, dataset.source, dataset.name, status="down", reason=reason)


class SourceJournal:
    """The journal of one data folder.

    Args:
        root: The data folder.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is created before the first attempt."""
        self.path = root / NAME

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Append attempts, durably and in one write."""
        lines = "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in attempts)
        if not lines:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, lines.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def attempts(self) -> Sequence[Attempt]:
        """All attempts, oldest first; a line torn by a kill is left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(Attempt(**read_json(line)))
            except (ValueError, TypeError):
                continue
        return found
