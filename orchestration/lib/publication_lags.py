"""Publication lags: how long after the end of its day a fact of a dataset becomes known.

Belongs here: reading the seed file, and the refusal to guess. Does not: `available_at` itself (`landing_rows.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from orchestration.lib.landing_files import LandingError
from orchestration.sources.datasets import Dataset


def read_lags(path: Path) -> dict[tuple[str, str], float]:
    """Read the publication lags in hours by (source, dataset) from the seed file.

    Raises:
        LandingError: A row lacks a column, repeats a dataset, or its lag is no number of at least 0.
    """
    lags: dict[tuple[str, str], float] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(_rows(file, path), start=2):
            try:
                key, hours = (row["source"], row["dataset"]), float(row["lag_hours"])
            except (KeyError, TypeError, ValueError):
                raise LandingError(f"{path}, line {number}: needs source, dataset, lag_hours; it holds {row}") from None
            if key in lags or not 0 <= hours < float("inf"):
                raise LandingError(f"{path}, line {number}: {key} is repeated or its lag {hours:g} is below 0")
            lags[key] = hours
    return lags


def _rows(file: TextIO, path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from csv.DictReader(file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LandingError(f"{path} is no CSV of UTF-8 text ({error})") from None


def find_lag(lags: Mapping[tuple[str, str], float], dataset: Dataset) -> float:
    """Publication lag of a dataset in hours.

    Raises:
        LandingError: It has none, and guessing one could leak the future.
    """
    try:
        return lags[dataset.source, dataset.name]
    except KeyError:
        raise LandingError(
            f"{dataset.label} has no publication lag; add it to dbt_project/seeds/publication_lags.csv"
        ) from None
