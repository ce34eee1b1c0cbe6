"""The optimiser on a warehouse: the market and walk-forward grades it reads, and the files it leaves.

Belongs here: which weeks are searched, reading them, writing page, table and the chosen definition.
Does not: the search itself (`models_ml.optimiser`), arguments (`orchestration/commands_optimise.py`).

Grades are `learning.trader_grades_current`: every score was made by a model trained before its week, so the variants of the past
know what an index of that week would have known. Definitions are the user's of today, and that is what the page judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import yaml

from models_ml.indices.definition import IndexDefinition
from models_ml.optimiser.answer import Answer, optimise
from models_ml.optimiser.errors import SearchProblem
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.page import page, variants_table
from models_ml.optimiser.search import Search
from orchestration.lib.errors import TidemarkError
from orchestration.lib.index_weeks import read_market
from orchestration.lib.weeks import mondays

PROCESSES = 2


class IndexSearchError(TidemarkError):
    """A search cannot be run on this warehouse, or says nothing on it."""


@dataclass(frozen=True)
class WrittenAnswer:
    """Files of an answer: a page for people, one row a variant as Parquet, and the chosen definition as YAML."""

    page: Path
    table: Path
    definition: Path


def search_index(
    connection: duckdb.DuckDBPyConnection,
    definition: IndexDefinition,
    *,
    search: Search,
    goal: Goal,
    cost_bps: float,
    processes: int = PROCESSES,
) -> Answer:
    """Try the variants of an index on all weeks that have grades.

    Args:
        connection: A warehouse with grades.
        definition: A model-driven index.
        search: What varies.
        goal: What is asked.
        cost_bps: Cost of trades in basis points of what is bought and of what is sold.
        processes: How many share the work.

    Raises:
        IndexSearchError: There are no grades, or the search cannot be run; says which and what to do.
    """
    first, last = graded_weeks(connection)
    market = read_market(connection, [definition], until=last)
    try:
        return optimise(
            definition,
            market,
            mondays(first, last),
            search=search,
            goal=goal,
            cost_bps=cost_bps,
            processes=processes,
        )
    except SearchProblem as error:
        raise IndexSearchError(str(error)) from error


def graded_weeks(connection: duckdb.DuckDBPyConnection) -> tuple[date, date]:
    """First and newest week with grades.

    Raises:
        IndexSearchError: There are none.
    """
    try:
        row = connection.execute(
            "select min(as_of_week), max(as_of_week) from learning.trader_grades_current where score is not null"
        ).fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[0] is None:
        raise IndexSearchError(
            "the warehouse has no grades yet, and the optimiser searches weeks that have; make run first"
        )
    return row[0], row[1]


def write_answer(
    answer: Answer, definition: IndexDefinition, folder: Path, *, left_out: Sequence[str] = ()
) -> WrittenAnswer:
    """Write the files, in place of those of an earlier search of the index.

    Args:
        answer: The answer.
        definition: What was varied.
        folder: Made where it is not there.
        left_out: Rules of the published index that no variant has; the page opens with them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    named = definition.index_id
    written = WrittenAnswer(
        page=folder / f"{named}.md", table=folder / f"{named}.parquet", definition=folder / f"{named}_chosen.yaml"
    )
    chosen = answer.definitions[answer.chosen]
    content = chosen.model_dump(mode="json", exclude_unset=True) | {"index_id": f"{named}_chosen"}
    text = page(answer, index_id=named, name=definition.name)
    if left_out:
        told = f"No variant is the published index: these rules of it are left out here: {'; '.join(left_out)}."
        text = text.replace("\n\n", f"\n\n**{told}**\n\n", 1)
    written.page.write_text(text, encoding="utf-8")
    variants_table(answer).write_parquet(written.table)
    written.definition.write_text(
        "# Chosen by median rank over halves of history; read the page beside it before running it.\n"
        + yaml.safe_dump(content, sort_keys=False, allow_unicode=True),
        encoding="utf-8",
    )
    return written
