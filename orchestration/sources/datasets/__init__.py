"""The landing datasets: columns, types, units, keys and row rules, each stated once.

Belongs here: what a landed row looks like and which rows are refused, one module a subject. Live adapters check the
rules as polars expressions, the bulk import as DuckDB SQL; both read the same predicates, so they cannot drift apart.
Does not: how a provider spells its fields (its own module), where files lie (`orchestration/lib/landing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestration.sources.datasets import coingecko, defi, developers, dex, exchanges, history, macro, news, onchain
from orchestration.sources.datasets.base import (
    COMMON_COLUMNS,
    COMMON_DESCRIPTIONS,
    DATA_SOURCES,
    INSTANT,
    QUARANTINE_COLUMNS,
    Column,
    Dataset,
    Dtype,
    Rule,
)

__all__ = [
    "COMMON_COLUMNS",
    "COMMON_DESCRIPTIONS",
    "DATASETS",
    "DATA_SOURCES",
    "INSTANT",
    "QUARANTINE_COLUMNS",
    "Column",
    "Dataset",
    "Dtype",
    "Rule",
    "UnknownDatasetError",
    "find_dataset",
]


class UnknownDatasetError(LookupError):
    """No dataset is registered under that source and name."""


MODULES: Final = (exchanges, coingecko, history, onchain, defi, developers, macro, news, dex)

DATASETS: Final[Mapping[tuple[str, str], Dataset]] = {
    (entry.source, entry.name): entry for module in MODULES for entry in module.DATASETS
}


def find_dataset(source: str, name: str) -> Dataset:
    """Look a dataset up.

    Raises:
        UnknownDatasetError: It is not registered; the message lists those that are.
    """
    try:
        return DATASETS[source, name]
    except KeyError:
        known = ", ".join(sorted(entry.label for entry in DATASETS.values()))
        raise UnknownDatasetError(f"no dataset {source}/{name}; registered are: {known}") from None
