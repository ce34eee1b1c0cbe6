"""What each run asks of whom: one module a source, each with its steps. A new source is one more module in `MODULES`.

Belongs here: from which day each token is asked, batching, what lands together.
Does not: wire formats (`orchestration/sources`), Dagster (`orchestration/defs/ingestion`).
"""

from __future__ import annotations

from orchestration.lib.loads import (
    alternative_me,
    coingecko,
    coinmetrics,
    defillama,
    exchanges,
    fred,
    geckoterminal,
    github,
    news,
    reddit,
    unlocks,
)
from orchestration.lib.loads.step import Step
from orchestration.settings import Settings

MODULES = (
    coingecko,
    exchanges,
    coinmetrics,
    alternative_me,
    github,
    defillama,
    unlocks,
    geckoterminal,
    fred,
    news,
    reddit,
)

STEPS: tuple[Step, ...] = tuple(step for module in MODULES for step in module.STEPS)
"""Every step there is, in the order in which a first run fills history."""


def steps_of(settings: Settings) -> tuple[Step, ...]:
    """The steps of a run with these settings."""
    return tuple(step for step in STEPS if step.is_on(settings))
