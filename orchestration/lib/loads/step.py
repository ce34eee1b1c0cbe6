"""A step of ingestion: what is asked of one provider in one go, and the datasets it lands.

Belongs here: the type. Does not: the steps themselves (one module a source).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.source_journal import Attempt, SourceJournal
from orchestration.settings import Settings
from orchestration.sources.datasets import Dataset
from orchestration.sources.errors import SourceError

Load = Callable[[Ingestion, Connections, Reach], Sequence[Ingested]]


@dataclass(frozen=True)
class Outcome:
    """What came of a step.

    Attributes:
        results: One for each of its datasets, in their order.
        down: Why its source could not be read; None where it answered.
    """

    results: Sequence[Ingested]
    down: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of ingestion.

    Attributes:
        name: Name of the step in the UI.
        provider: Field of the settings that switches it on or off.
        load: Asks and lands; gives one `Ingested` for each of `datasets`. A provider that is down raises `SourceError`: the
            step then lands nothing, says so in `api.source_health`, and the run goes on without its features.
        datasets: What it lands.
        needs: Datasets that must have landed before.
        has_history: Whether the first run fills its past; a snapshot of now has none.
        needs_key: Whether it is absent without a key.
    """

    name: str
    provider: str
    load: Load
    datasets: tuple[Dataset, ...]
    needs: tuple[Dataset, ...] = ()
    has_history: bool = True
    needs_key: bool = False

    def attempt(
        self, ingestion: Ingestion, connections: Connections, reach: Reach, *, journal: SourceJournal, run_id: str
    ) -> Outcome:
        """Load, and write into the journal what came of it; a source that is down is an outcome and no error."""
        try:
            results = list(self.load(ingestion, connections, reach))
        except SourceError as error:
            for each in self.datasets:
                ingestion.settle(each, reach)
            at = datetime.now(UTC)
            journal.add(Attempt.failed_whole(each, error, run_id=run_id, at=at) for each in self.datasets)
            return Outcome([Ingested(each) for each in self.datasets], down=" ".join(str(error).split()))
        results = [result + ingestion.settle(result.dataset, reach) for result in results]
        at = datetime.now(UTC)
        journal.add(Attempt.of(result, run_id=run_id, at=at) for result in results)
        return Outcome(results)

    def is_on(self, settings: Settings) -> bool:
        """Whether a run with these settings has the step."""
        provider = getattr(settings, self.provider)
        return bool(provider.enabled and (provider.api_key is not None or not self.needs_key))
