"""The moonshot screen for the weeks of a build: picks with plan, words and card, and the candidates they were chosen from.

Belongs here: what other tables of the week say of its tokens, the screen, the versions it becomes.
Does not: snapshots of weeks (`screen_inputs.py`), checklist, plan and words (`models_ml.screens`), Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.screens.moonshots import MoonshotSettings, screen_universe, with_evidence
from models_ml.screens.plan import PlanSettings, plan_picks
from models_ml.screens.rationale import rationale
from models_ml.screens.research_card import research_card
from models_ml.screens.universe import NAMED_BY_CONTRACT
from orchestration.lib.dex_inputs import dex_contracts, dex_snapshots
from orchestration.lib.run_context import RunContext
from orchestration.lib.screen_inputs import average_ranges, links_of, week_snapshots
from orchestration.lib.screen_judgements import with_base_rates, with_chances, with_warnings
from orchestration.lib.versioned_tables import MOONSHOT_CANDIDATES, MOONSHOTS, TRADER_GRADES, VersionedTable
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_versions import append_weeks, weeks_behind

SCREEN_TABLES = (MOONSHOTS, MOONSHOT_CANDIDATES)
UNIT_AND_TOKEN = ["as_of_week", "token_id"]


def build_moonshots(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    settings: MoonshotSettings,
    plan: PlanSettings,
    *,
    weeks: Sequence[date] | None = None,
) -> Mapping[VersionedTable, Appended]:
    """Picks and candidates of the weeks a build has to compute, all of them at once; a week without picks is a unit too.

    Args:
        connection: The warehouse; grades and calls of the weeks are recorded, and chances, warnings and base rates where they are made.
        context: The build.
        settings: Universe, thresholds and size of the screen.
        plan: Rules of the plan.
        weeks: Weeks to screen instead of those the context chooses.
    """
    if weeks is None:
        behind = {week for table in SCREEN_TABLES for week in weeks_behind(connection, context, table, TRADER_GRADES)}
        weeks = sorted(behind)
    if not weeks:
        return {table: Appended.nothing(table) for table in SCREEN_TABLES}
    snapshot = pl.concat(
        [week_snapshots(connection, weeks, settings), dex_snapshots(connection, weeks, settings)], how="diagonal"
    )
    snapshot = with_warnings(connection, with_chances(connection, snapshot))
    universe = screen_universe(snapshot, settings=settings)
    # Without a chance those of the pools come last; there are few, and a reader wants to know why each is no pick.
    candidates = universe.filter(
        (pl.col("place") <= settings.max_candidates)
        | (pl.col("place").is_not_null() & pl.col("token_id").str.starts_with(NAMED_BY_CONTRACT))
    )
    rows = {
        MOONSHOTS: picks_of(connection, universe, snapshot, settings, plan),
        MOONSHOT_CANDIDATES: candidates.with_columns(model_version="chance_model_version"),
    }
    return {
        table: append_weeks(connection, table, _typed(table, rows[table]), weeks, context) for table in SCREEN_TABLES
    }


def picks_of(
    connection: duckdb.DuckDBPyConnection,
    universe: pl.DataFrame,
    snapshot: pl.DataFrame,
    settings: MoonshotSettings,
    plan: PlanSettings,
) -> pl.DataFrame:
    """The picks of a screened universe with everything that is published of them.

    Args:
        connection: The warehouse.
        universe: Rows of `screen_universe`.
        snapshot: What it was screened from, with name, data_source and average_move_14d.
        settings: Of the screen.
        plan: Rules of the plan.

    Returns:
        One row a week and pick: the columns of `screens.moonshots`, and model_version where a model ranked it.
    """
    picks = with_evidence(universe.filter("is_pick"), settings)
    picks = picks.join(
        snapshot.select(*UNIT_AND_TOKEN, "name", "data_source", "average_move_14d"),
        on=UNIT_AND_TOKEN,
        how="left",
        maintain_order="left",
    ).join(average_ranges(connection, picks), on=UNIT_AND_TOKEN, how="left", maintain_order="left")
    picks = plan_picks(with_base_rates(connection, picks), plan)
    linked = pl.concat([links_of(connection, picks), dex_contracts(connection, picks)])
    links = {key: group.to_dicts() for key, group in linked.partition_by(UNIT_AND_TOKEN, as_dict=True).items()}
    rows = picks.to_dicts()
    cards = [research_card(row, links.get((row["as_of_week"], row["token_id"]), [])) for row in rows]
    return picks.with_columns(
        rationale=pl.Series([rationale(row) for row in rows], dtype=pl.String),
        research_card=pl.Series(cards, dtype=pl.String),
        model_version="chance_model_version",
    )


def _typed(table: VersionedTable, rows: pl.DataFrame) -> pl.DataFrame:
    """Counts as the table has them."""
    integers = [column for column, kind in table.content_columns.items() if kind == "INTEGER"]
    return rows.with_columns(pl.col(column).cast(pl.Int32) for column in integers)
