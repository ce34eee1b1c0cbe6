"""Reproducing: a recorded unit is built again from landed inputs in a scratch warehouse, and the hashes are compared.

Belongs here: the scratch warehouse as it stood when a version was recorded, and the comparison.
Does not: how units are built (`calls.py`, `index_weeks.py`, `screen_weeks.py`), hashes (`content_hash.py`).

Version n of a unit is built from the loads that had ended by its recorded cut-off, with the frozen model it names, and from
the versioned rows of earlier weeks as they were recorded then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import duckdb

from models_ml.indices.definition import load_definitions
from models_ml.learning.actions import ActionRules
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.plan import PlanSettings
from models_ml.screens.scam_filter.token_warnings import FilterSettings
from orchestration.lib.action_weeks import build_actions
from orchestration.lib.base_rate_weeks import build_base_rates
from orchestration.lib.calls import CALL_TABLES, build_calls
from orchestration.lib.chance_weeks import build_chances
from orchestration.lib.content_hash import hash_units, unit_texts
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.dbt_translator import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.lib.errors import TidemarkError
from orchestration.lib.evaluation_weeks import EVALUATED_HEADS, EVALUATED_TRADER, EvaluatedHead, evaluate
from orchestration.lib.explained_weeks import EXPLAINED_TABLES, build_explanations
from orchestration.lib.index_weeks import append_indices, compute_indices, read_market
from orchestration.lib.migrations import columns_added, recorded_with, require_current
from orchestration.lib.monitored_weeks import MONITOR_TABLES, build_monitor
from orchestration.lib.outcome_weeks import build_outcomes
from orchestration.lib.published_copy import attach
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.resources import EVERY_DAY, dbt_environment
from orchestration.lib.run_context import BUILDS, RunContext
from orchestration.lib.screen_judgements import SCREEN_JUDGEMENTS
from orchestration.lib.screen_weeks import SCREEN_TABLES, build_moonshots
from orchestration.lib.versioned_tables import (
    BASE_RATES,
    CALL_OUTCOMES,
    COMPOSITIONS,
    DAILY_GRADES,
    DAILY_SIGNALS,
    GRADE_EXPLANATIONS,
    LEVELS,
    MOONSHOT_CHANCES,
    REBALANCES,
    TRADE_ACTIONS,
    VERSIONED_TABLES,
    VersionedTable,
)
from orchestration.lib.versions import create_versioned_tables, read_rows
from orchestration.lib.warehouse import connect, create_raw_views, create_schemas
from orchestration.lib.warning_weeks import WARNING_TABLES, build_warnings
from orchestration.lib.weeks import WEEK, instant_of, mondays
from orchestration.settings import load_settings

DAILY = (DAILY_GRADES, DAILY_SIGNALS)
"""A week of these rests on the week before and no earlier one."""

INDICES = (COMPOSITIONS, REBALANCES, LEVELS)

EVALUATED: Mapping[VersionedTable, EvaluatedHead] = MappingProxyType({head.table: head for head in EVALUATED_HEADS})


class ReproduceError(TidemarkError):
    """What was asked for is not recorded, or cannot be built."""


@dataclass(frozen=True)
class Reproduced:
    """One version of one unit, built again.

    Attributes:
        table_name: `schema.name`.
        unit: JSON text of the unit.
        version: Version.
        recorded_hash: Hash in the ledger.
        built_hash: Hash of what was built now; None where nothing was.
    """

    table_name: str
    unit: str
    version: int
    recorded_hash: str
    built_hash: str | None

    @property
    def is_equal(self) -> bool:
        """Whether the hashes are equal."""
        return self.recorded_hash == self.built_hash

    def line(self) -> str:
        """One line for the terminal."""
        mark = "equal" if self.is_equal else "DIFFERENT"
        return (
            f"{self.table_name} {self.unit} version {self.version}: recorded {self.recorded_hash[:16]}, "
            f"built {(self.built_hash or 'nothing')[:16]}: {mark}"
        )


def reproduce_units(
    folder: DataFolder, *, week: date, table_name: str, version: int | None, report: Callable[[str], object]
) -> list[Reproduced]:
    """Build the recorded versions of a table's week again and compare hashes.

    Args:
        folder: The data folder; only read.
        week: The week, a Monday.
        table_name: `schema.name` of a versioned table.
        version: One version, or None for all.
        report: Told what is being built.

    Raises:
        ReproduceError: The table is unknown, or has no such version of that week.
    """
    table = next((each for each in VERSIONED_TABLES if each.full_name == table_name), None)
    if table is None:
        known = ", ".join(each.full_name for each in VERSIONED_TABLES)
        raise ReproduceError(f"TABLE={table_name} is no versioned table; there are {known}")
    if not folder.warehouse.exists():
        raise ReproduceError(f"{folder.root} has no warehouse; run make run first")
    with connect(folder.warehouse, read_only=True) as connection:
        require_current(connection)
        added = columns_added(connection, table)
        ledger = connection.execute(
            """select unit, version, content_hash, recorded_at, input_cutoff, run_id, inputs_hash, code_version, version_reason
            from quality.unit_versions where table_name = ? and as_of_week = ? and (? is null or version = ?)
            order by unit, version""",
            [table_name, week, version, version],
        ).pl()
        weeks = connection.execute(
            "select min(as_of_week), max(as_of_week) from quality.unit_versions where table_name = ?", [table_name]
        ).fetchone()
    if ledger.is_empty():
        asked = f"version {version} of " if version else ""
        span = f"; its weeks run from {weeks[0]} to {weeks[1]}" if weeks and weeks[0] else "; it has no week yet"
        raise ReproduceError(f"{asked}{table_name} of week {week} is not recorded{span}")
    results = []
    for (cutoff, recorded_at), units in ledger.partition_by(
        "input_cutoff", "recorded_at", as_dict=True, maintain_order=True
    ).items():
        report(
            f"building {table_name} of {week} from loads up to {cutoff:%Y-%m-%d %H:%M:%S} UTC in a scratch warehouse"
        )
        first = units.row(0, named=True)
        with _scratch(folder, table, week=week, cutoff=cutoff, recorded_at=recorded_at) as (connection, until):
            context = RunContext(
                build_id="reproduce",
                as_of_week=until,
                data_source=load_settings().source,
                input_cutoff=cutoff,
                inputs_hash=first["inputs_hash"],
                code_version=first["code_version"],
                changed_from=None,
                rebuild_from=None,
                rebuild_to=None,
                version_reason="reproduce",
                correction_weeks=0,
                recorded_at=recorded_at + timedelta(microseconds=1),
            )
            _build(connection, folder, table, week, context)
            built = _hashes(connection, table, week, with_columns_of=recorded_with(table, added, recorded_at))
        results += [
            Reproduced(table_name, row["unit"], row["version"], row["content_hash"], built.get(row["unit"]))
            for row in units.iter_rows(named=True)
        ]
    return results


@contextmanager
def _scratch(
    folder: DataFolder, table: VersionedTable, *, week: date, cutoff: datetime, recorded_at: datetime
) -> Iterator[tuple[duckdb.DuckDBPyConnection, date]]:
    """A warehouse built from the loads of a cut-off, with the versioned rows recorded by an instant and before the week.

    Yields the open warehouse and the week it knows up to: an evaluation needs the labels of its week to have ended.
    """
    judged = EVALUATED_TRADER if table is CALL_OUTCOMES else EVALUATED.get(table)
    until = week + judged.evaluated_after if judged else week
    root = Path(tempfile.mkdtemp(prefix=".reproduce-", dir=folder.root))
    scratch = DataFolder(root, is_scratch=True)
    try:
        with connect(scratch.warehouse) as connection:
            create_schemas(connection)
            create_versioned_tables(connection)
            connection.execute(BUILDS)
            create_raw_views(connection, folder.landing, input_cutoff=cutoff)
        _run_dbt(scratch, as_of=instant_of(until))
        with connect(scratch.warehouse) as connection:
            _copy_recorded(connection, folder.warehouse, table, week=week, recorded_at=recorded_at)
            yield connection, until
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _hashes(
    connection: duckdb.DuckDBPyConnection, table: VersionedTable, week: date, *, with_columns_of: VersionedTable
) -> dict[str, str]:
    """Hash of each unit of a week as it was built now, over the columns that the recorded version has."""
    ledger = dict(
        connection.execute(
            "select unit, content_hash from quality.unit_versions where table_name = ? and as_of_week = ?",
            [table.full_name, week],
        ).fetchall()
    )
    if with_columns_of is table:
        return ledger
    rows = read_rows(connection, table, where="superseded_at is null")
    units = rows.select(table.unit_columns).unique()
    rows = rows.join(units.with_columns(unit_texts(units)), on=list(table.unit_columns), how="left")
    hashed = hash_units(rows, with_columns_of, by=["unit"])
    return ledger | {unit: text for unit, text, _ in hashed.iter_rows() if unit in ledger}


def _run_dbt(scratch: DataFolder, *, as_of: datetime) -> None:
    """Build everything up to the marts, without tests: what is built is compared, not published."""
    with dbt_environment(scratch, as_of=as_of, rebuilt=EVERY_DAY):
        environment = {
            **os.environ,
            "DBT_TARGET_PATH": str(scratch.root / "target"),
            "DBT_LOG_PATH": str(scratch.root),
            "DBT_PROFILES_DIR": str(DBT_PROJECT),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [
                str(DBT_EXECUTABLE),
                "--quiet",
                "build",
                "--exclude",
                "tidemark.api",
                "--resource-type",
                "model",
                "--resource-type",
                "seed",
            ],
            cwd=DBT_PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ReproduceError(f"dbt failed in the scratch warehouse: {(done.stdout + done.stderr).strip()[-800:]}")


def _copy_recorded(
    connection: duckdb.DuckDBPyConnection, warehouse: Path, table: VersionedTable, *, week: date, recorded_at: datetime
) -> None:
    """Copy the versioned rows a unit of the week may rest on, as they were current when it was recorded.

    Tables that come before it in the chain (grades for signals' screens and indices) include the week itself.
    """
    attach(connection, warehouse, alias="recorded")
    for each in VERSIONED_TABLES:
        is_upstream = (
            (each in CALL_TABLES and table not in CALL_TABLES)
            or (each is GRADE_EXPLANATIONS and table is TRADE_ACTIONS)  # whose ledger says which weeks are explained
            or (each in SCREEN_JUDGEMENTS and table in SCREEN_TABLES)
        )
        if not (is_upstream or each in CALL_TABLES or each is table or (each in INDICES and table in INDICES)):
            continue
        last = week if is_upstream else week - WEEK
        first = week - WEEK if each in DAILY or each in SCREEN_JUDGEMENTS else date.min
        current = (
            "as_of_week >= ? and as_of_week <= ? and recorded_at <= ? and (superseded_at is null or superseded_at > ?)"
        )
        columns = ", ".join(f'"{column}"' for column in each.columns if column != "superseded_at")
        connection.execute(
            f"insert into {each.sql_name} ({columns}) select {columns} from recorded.{each.sql_name} where {current}",
            [first, last, recorded_at, recorded_at],
        )
        connection.execute(
            f"""insert into quality.unit_versions select * replace (null as superseded_at)
            from recorded.quality.unit_versions where table_name = ? and {current}""",
            [each.full_name, first, last, recorded_at, recorded_at],
        )
    connection.execute("detach recorded")


def _build(
    connection: duckdb.DuckDBPyConnection, folder: DataFolder, table: VersionedTable, week: date, context: RunContext
) -> None:
    """Build the week of the table with the code of the weekly run."""
    if table in CALL_TABLES:
        build_calls(connection, ModelRegistry(folder.models), context, weeks=[week])
    elif table in EXPLAINED_TABLES:
        build_explanations(connection, ModelRegistry(folder.models), context, weeks=[week])
    elif table in MONITOR_TABLES:
        build_monitor(connection, ModelRegistry(folder.models), context, weeks=[week])
    elif table is TRADE_ACTIONS:
        build_actions(connection, ModelRegistry(folder.models), context, ActionRules(), weeks=[week])
    elif table is CALL_OUTCOMES:
        build_outcomes(connection, context, weeks=[week])
    elif table in EVALUATED:
        evaluate(connection, context, EVALUATED[table], weeks=[week])
    elif table in SCREEN_TABLES:
        build_moonshots(connection, context, MoonshotSettings(), PlanSettings(), weeks=[week])
    elif table is BASE_RATES:
        build_base_rates(connection, context, MoonshotSettings(), weeks=[week])
    elif table in WARNING_TABLES:
        build_warnings(connection, context, FilterSettings(), weeks=[week])
    elif table is MOONSHOT_CHANCES:
        build_chances(connection, ModelRegistry(folder.models), context, MoonshotSettings(), weeks=[week])
    else:
        definitions = load_definitions(*load_settings().indices_folders)
        market = read_market(connection, definitions, until=week)
        computed = compute_indices(
            connection, definitions, market, context, weeks_of=lambda index_id: _weeks(connection, index_id, week)
        )
        append_indices(connection, computed, context)


def _weeks(connection: duckdb.DuckDBPyConnection, index_id: str, week: date) -> list[date]:
    """The week alone where the index has a recorded past; an index in its first week is built from its beginning."""
    rows = connection.execute(
        "select count(*) from quality.unit_versions where table_name = ? and json_extract_string(unit, '$.index_id') = ?",
        [COMPOSITIONS.full_name, index_id],
    ).fetchone()
    if rows is not None and rows[0]:
        return [week]
    first = connection.execute("select min(market_date) from marts.fct_daily").fetchone()
    return mondays(first[0] + timedelta(days=1), week) if first else [week]
