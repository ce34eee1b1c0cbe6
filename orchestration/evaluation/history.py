"""The history that the pages of `make evaluate` rest on, read once from a warehouse.

Belongs here: features, labels, scores and sectors of every week, as frames.
Does not: figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from models_ml.learning.evaluation.performance import VOLUME
from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS
from orchestration.lib.training import labels_of
from orchestration.lib.warehouse import connect
from orchestration.lib.weekly_inputs import sectors_of_weeks, weekly_features

FIRST_WEEK = date(2020, 1, 1)
"""Figures start where the reference of the shared results does."""

KEYS = ["as_of_week", "token_id"]


@dataclass(frozen=True)
class History:
    """One warehouse's history.

    Attributes:
        warehouse: Its file.
        until: Newest graded week.
        weekly: `weekly_inputs.weekly_features`.
        labels: `labels.forward_returns` of the same rows.
        sectors: as_of_week, token_id, sector as it was known then.
    """

    warehouse: Path
    until: date
    weekly: pl.DataFrame
    labels: pl.DataFrame
    sectors: pl.DataFrame

    def query(self, sql: str) -> pl.DataFrame:
        """Rows of the warehouse."""
        with connect(self.warehouse, read_only=True) as connection:
            return connection.execute(sql).pl()

    def panel(self, scores: pl.DataFrame, *, first: date = FIRST_WEEK) -> pl.DataFrame:
        """One row a scored week and token from `first` on.

        Args:
            scores: as_of_week, token_id, score.
            first: First day.

        Returns:
            Keys, is_liquid, volume, the known factors, score, sector, and every forward quantity.
        """
        return (
            self.weekly.select(*KEYS, "is_liquid", VOLUME, *KNOWN_FACTORS)
            .join(scores, on=KEYS)
            .join(self.sectors, on=KEYS, how="left")
            .join(self.labels, on=KEYS, how="left")
            .filter(pl.col("as_of_week") >= first)
        )


def read_history(warehouse: Path) -> History:
    """Read the history of a warehouse with grades."""
    with connect(warehouse, read_only=True) as connection:
        until = _newest_week(connection)
        weekly = weekly_features(connection, until=until)
        sectors = sectors_of_weeks(connection, weekly["as_of_week"].unique().sort().to_list())
        return History(warehouse, until, weekly, labels_of(connection, weekly, until), sectors)


def _newest_week(connection: duckdb.DuckDBPyConnection) -> date:
    row = connection.execute("select max(as_of_week) from api.trader_grades").fetchone()
    return row[0] if row and row[0] else FIRST_WEEK
