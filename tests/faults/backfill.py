"""A backfill to be killed: `python -m tests.faults.backfill FOLDER` fills the history of every source into a folder.

It runs the loads of a real first run, against a sandbox in its own process. `began` on its output says that loading begins,
`ended` with the number of requests that it is done.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.lib.connections import open_connections
from orchestration.lib.ingestion import Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import steps_of
from orchestration.lib.source_journal import SourceJournal
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import Settings

FIRST, LAST = date(2023, 6, 1), date(2024, 8, 25)
NOW = datetime(2024, 8, 26, 0, 45, tzinfo=UTC)


def main(folder: Path) -> None:
    """Fill the history of every source."""
    settings = Settings(source="simulated")
    market = simulate_market(SimulationSettings(tokens=60, start=FIRST, end=date(2024, 9, 1), seed=5))
    reach = Reach(now=NOW, first=FIRST, last=LAST, partition="year")
    with (
        running_sandbox(market, NOW) as sandbox,
        open_connections(settings, lambda _text: None, sandbox=sandbox) as connections,
    ):
        store = LandingStore(folder)
        ingestion, journal = connections.ingestion(store), SourceJournal(folder)
        sys.stdout.write("began\n")
        sys.stdout.flush()
        for step in steps_of(settings):
            if step.has_history:
                outcome = step.attempt(ingestion, connections, reach, journal=journal, run_id="backfill")
                if outcome.down:
                    raise RuntimeError(f"{step.name}: {outcome.down}")
        sys.stdout.write(f"ended {len(sandbox.requests)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
