"""`learning.known_contributions`: what each column added to a score, kept for the weeks that may be computed again.

A week is explained again when something a late fact touches may have moved it; most of its rows then look as they did. Contributions are
the dear part of it and follow from a row and a model alone, so those of rows that are known are taken over. Rows of other code, of other
libraries and of weeks out of reach are dropped. Nothing is lost with the table: what it lacks is computed.

Belongs here: the table, what of it still counts. Does not: contributions themselves (`models_ml.learning.explanations`).
"""

from __future__ import annotations

from importlib.metadata import version

import duckdb
import polars as pl

from models_ml.learning.dataset import keys_of
from models_ml.learning.explanations import score_contributions
from models_ml.learning.frozen_model import FrozenModel
from orchestration.lib.run_context import RunContext
from orchestration.lib.table_comments import create_described_table
from orchestration.lib.versioned_layout import transaction
from orchestration.lib.warehouse import table_exists
from orchestration.lib.weeks import WEEK

TABLE = "learning.known_contributions"
COLUMNS = {
    "made_by": ("varchar", "Versions of the code and of the libraries that computed the row."),
    "model_version": ("varchar", "Model whose score is taken apart."),
    "row_digest": ("ubigint", "Hash of the model's columns in the row, ranks and market columns."),
    "as_of_week": ("date", "Week the row was of when it was first computed."),
    "added": (
        "double[]",
        "What each column adds (expected rank, fractions of the universe), in the model's order; last the mean score.",
    ),
}
WEEKS_BEFORE_CORRECTIONS = 5
"""Weeks kept beyond those that corrections reach: what changed since a flip is told from up to four weeks before (`action_weeks.py`)."""


def create_contributions_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table where it is missing, with what its columns say."""
    create_described_table(connection, TABLE, COLUMNS)


def known_contributions(
    connection: duckdb.DuckDBPyConnection, model: FrozenModel, frame: pl.DataFrame, context: RunContext
) -> pl.DataFrame:
    """`score_contributions` of a model's rows; only those that are not known yet are computed, and are known from now on.

    Args:
        connection: The warehouse, open for writing, outside a transaction.
        model: A ranking model.
        frame: One row a day and token with the model's columns, at least one.
        context: The build.
    """
    if not table_exists(connection, *TABLE.split(".")):  # a scratch warehouse has only what it needs
        create_contributions_table(connection)
    names = [*model.columns, "expected"]
    made_by = _made_by(context)
    digests = frame.select(model.columns).hash_rows().alias("row_digest")
    known = connection.execute(
        f"select row_digest, added from {TABLE} where made_by = ? and model_version = ?", [made_by, model.version]
    ).pl()
    new = frame.hstack([digests]).join(known, on="row_digest", how="anti", maintain_order="left").unique("row_digest")
    if not new.is_empty():
        computed = score_contributions(model, new).select(added=pl.concat_list(names)).hstack([new["row_digest"]])
        _keep(connection, computed.hstack([new["as_of_week"]]), made_by=made_by, model_version=model.version)
        known = pl.concat([known, computed.select(known.columns)])
    rows = frame.select(keys_of(frame)).hstack([digests])
    added = rows.join(known, on="row_digest", how="left", maintain_order="left", validate="m:1")
    return added.select(*keys_of(frame), pl.col("added").list.to_struct(fields=names)).unnest("added")


def forget_contributions(connection: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Drop what no later build can take over: rows of other code, and of weeks that corrections no longer reach."""
    oldest = context.oldest_correction - WEEK * WEEKS_BEFORE_CORRECTIONS
    connection.execute(f"delete from {TABLE} where made_by <> ? or as_of_week < ?", [_made_by(context), oldest])


def _made_by(context: RunContext) -> str:
    # LightGBM's by name: definitions load without importing it.
    return f"{context.code_version}, lightgbm {version('lightgbm')}, polars {pl.__version__}"


def _keep(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, *, made_by: str, model_version: str) -> None:
    connection.register("new_contributions", rows.to_arrow())
    try:
        with transaction(connection):
            connection.execute(
                f"insert into {TABLE} by name select *, ? as made_by, ? as model_version from new_contributions",
                [made_by, model_version],
            )
    finally:
        connection.unregister("new_contributions")
