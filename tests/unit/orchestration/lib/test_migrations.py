"""A warehouse of an earlier release is brought up to this one, and what it recorded stays as it was signed."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.ledger import hash_ledger, read_ledger
from orchestration.lib.migrations import (
    MIGRATIONS,
    Migration,
    SchemaError,
    adding,
    columns_added,
    migrate,
    migrate_file,
    require_current,
    schema_version,
)
from orchestration.lib.publishing import PublicationInfo, publish, verify_chain
from orchestration.lib.run_context import last_completed
from orchestration.lib.verification import VerificationError
from orchestration.lib.versioned_tables import MOONSHOTS, TRADING_SIGNALS
from orchestration.lib.versions import Provenance, append_versions, create_versioned_tables

EARLIER = Path(__file__).parent / "earlier_warehouses" / "commit_7751fb6.sql"
SIGNED_THEN = {
    TRADING_SIGNALS: "1ddc208b66e8efef37ae95f1053589e3804a0300c711754edd9ae57705c00217",
    MOONSHOTS: "8288d587bb6217eaf992ba567aa7a76215872325ed9ce97a6f240b9fabc42a01",
}
"""What that release's manifest signs of each table: its hash_ledger on its own warehouse."""

UPGRADE = datetime(2026, 11, 16, 1, tzinfo=UTC)
NEXT_WEEK = date(2026, 11, 16)
FIRST_WEEK = date(2026, 11, 2)


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory) -> Path:
    """The earlier warehouse, migrated, with the tables that came since. Copied, never changed."""
    path = tmp_path_factory.mktemp("earlier") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(EARLIER.read_text())
        migrate(connection, now=UPGRADE)
        create_versioned_tables(connection)
    return path


@pytest.fixture
def warehouse(upgraded, tmp_path) -> Path:
    return Path(shutil.copy(upgraded, tmp_path))


@pytest.fixture
def earlier():
    with duckdb.connect() as connection:
        connection.execute(EARLIER.read_text())
        yield connection


def calls(week, *, since):
    return pl.DataFrame(
        {
            "as_of_week": [week],
            "token_id": ["bitcoin"],
            "symbol": ["BTC"],
            "signal": [1],
            "signal_since_date": [since],
            "p_bullish": [0.5],
            "p_neutral": [0.3],
            "p_bearish": [0.2],
        },
        schema_overrides={"signal": pl.Int8, "signal_since_date": pl.Date},
    )


def record(path, week, *, since, recorded_at):
    provenance = Provenance(recorded_at, "run-new", "0.2.0+abc", "inputs", recorded_at, "calls-2026-10-05")
    with duckdb.connect(str(path)) as connection:
        return append_versions(
            connection,
            TRADING_SIGNALS,
            calls(week, since=since),
            provenance=provenance,
            units=pl.DataFrame({"as_of_week": [week]}),
        )


def publish_to(path, folder, *, created_at, week=NEXT_WEEK):
    info = PublicationInfo(
        created_at=created_at,
        data_source="archive",
        as_of_week=week,
        code_version="0.2.0+abc",
        model_versions={},
        inputs_hash="inputs",
        input_cutoff=created_at,
        loads={},
        attribution={},
    )
    return publish(path, folder, info=info, tables=tuple(SIGNED_THEN))


def test_the_earlier_warehouse_has_not_the_columns_of_today(earlier):
    with pytest.raises(Exception, match="no migration leads"):
        create_versioned_tables(earlier, tables=[TRADING_SIGNALS])


def test_a_migrated_table_is_laid_out_as_one_that_is_made_today(warehouse):
    with duckdb.connect() as fresh, duckdb.connect(str(warehouse), read_only=True) as migrated:
        create_versioned_tables(fresh)

        layout = "select schema_name, table_name, sql from duckdb_tables() where table_name <> 'schema_versions' order by all"
        made = {row[:2]: row[2] for row in fresh.execute(layout).fetchall()}
        found = {row[:2]: row[2] for row in migrated.execute(layout).fetchall() if row[:2] in made}

    assert found == made


def test_old_versions_keep_their_rows_and_what_was_signed_of_them(earlier):
    before = {table: earlier.execute(f"from {table.sql_name} order by all").pl() for table in SIGNED_THEN}

    applied = migrate(earlier, now=UPGRADE)

    assert [each.number for each in applied] == [each.number for each in MIGRATIONS]
    assert earlier.execute("select signal_since_date from learning.trading_signals").fetchall() == [(None,)] * 9
    for table, rows in before.items():
        after = earlier.execute(f"select {', '.join(rows.columns)} from {table.sql_name} order by all").pl()
        assert after.equals(rows)
        (signed,) = hash_ledger(read_ledger(earlier, table.full_name), at=[UPGRADE])
        assert signed.sha256 == SIGNED_THEN[table]


def test_a_next_week_is_recorded_and_the_old_versions_still_verify(warehouse, tmp_path):
    published = tmp_path / "published"
    publish_to(warehouse, published, created_at=UPGRADE)

    appended = record(warehouse, NEXT_WEEK, since=date(2026, 11, 10), recorded_at=UPGRADE + timedelta(hours=1))
    publish_to(warehouse, published, created_at=UPGRADE + timedelta(hours=2))

    report = verify_chain(published, tables=tuple(SIGNED_THEN))
    assert (appended.new_units, report.manifests, report.versions) == (1, 2, 6)
    with duckdb.connect(str(warehouse)) as connection:
        assert last_completed(connection)["as_of_week"] == date(2026, 11, 9)


def test_an_old_week_that_is_built_again_gets_a_version_with_the_new_column(warehouse, tmp_path):
    record(warehouse, FIRST_WEEK, since=date(2026, 10, 30), recorded_at=UPGRADE + timedelta(hours=1))
    publish_to(warehouse, tmp_path / "published", created_at=UPGRADE + timedelta(hours=2))

    with duckdb.connect(str(warehouse), read_only=True) as connection:
        versions = connection.execute(
            "select version, signal_since_date from learning.trading_signals where as_of_week = ? and token_id = 'bitcoin' order by 1",
            [FIRST_WEEK],
        ).fetchall()
    assert versions == [(1, None), (2, None), (3, date(2026, 10, 30))]
    assert verify_chain(tmp_path / "published", tables=tuple(SIGNED_THEN)).is_ok


def test_an_old_version_that_gets_a_value_in_the_new_column_is_found(warehouse, tmp_path):
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update learning.trading_signals set signal_since_date = '2026-11-01' where version = 2")
    publish_to(warehouse, tmp_path / "published", created_at=UPGRADE + timedelta(hours=1))

    with pytest.raises(VerificationError, match="signal_since_date came on 2026-11-16 and is filled in earlier"):
        verify_chain(tmp_path / "published", tables=tuple(SIGNED_THEN))


def test_a_second_migration_changes_nothing(earlier):
    migrate(earlier, now=UPGRADE)

    assert migrate(earlier, now=UPGRADE + timedelta(days=1)) == []
    assert earlier.execute("select distinct applied_at = ? from quality.schema_versions", [UPGRADE]).fetchall() == [
        (True,)
    ]


def test_a_migration_that_fails_leaves_the_warehouse_as_it_was(earlier):
    broken = Migration(3, "fails", lambda connection: connection.execute("select no_such_column").fetchall())

    with pytest.raises(duckdb.Error, match="no_such_column"):
        migrate(earlier, migrations=[*MIGRATIONS, broken], now=UPGRADE)

    assert schema_version(earlier) == 0
    assert "signal_since_date" not in earlier.execute("from learning.trading_signals limit 0").pl().columns


def test_a_warehouse_that_has_the_columns_already_gets_none_added_and_its_hashes_cover_them():
    with duckdb.connect() as connection:
        create_versioned_tables(connection, tables=[TRADING_SIGNALS, MOONSHOTS])

        migrate(connection, now=UPGRADE)

        assert schema_version(connection) == len(MIGRATIONS)
        assert columns_added(connection, TRADING_SIGNALS) == {}


def test_a_warehouse_of_a_later_release_is_refused_in_one_line(tmp_path):
    later = Migration(
        len(MIGRATIONS) + 1, "something of tomorrow", adding("learning.trading_signals", {"mood": "varchar"})
    )
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        migrate(connection, migrations=[*MIGRATIONS, later], now=UPGRADE)

    with pytest.raises(
        SchemaError,
        match=rf"schema version {later.number} \(something of tomorrow; by .* this code knows {len(MIGRATIONS)}: take",
    ) as raised:
        migrate_file(path)

    assert "\n" not in str(raised.value)


def test_what_only_reads_asks_for_the_migration_first(earlier):
    with pytest.raises(SchemaError, match=f"has schema version 0 and this code needs {len(MIGRATIONS)}: make run"):
        require_current(earlier)


def test_numbers_count_from_one_and_names_tell_them_apart():
    assert [each.number for each in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    assert len({each.name for each in MIGRATIONS}) == len(MIGRATIONS)


def test_features_that_no_model_makes_any_more_are_dropped(earlier):
    earlier.execute("create schema intermediate; create table intermediate.int_features as select 1 as return_1d")
    earlier.execute("create table intermediate.int_price_features as select 1 as return_1d")

    migrate(earlier, now=UPGRADE)

    left = earlier.execute("select table_name from duckdb_tables() where schema_name = 'intermediate'").fetchall()
    assert left == [("int_price_features",)]


def test_what_python_models_handed_over_in_is_dropped_and_nothing_else(earlier):
    earlier.execute('create table "int_price_features__dbt_tmp20261130185133962477" as select 1 as return_1d')
    earlier.execute("create table mine as select 1 as a")

    migrate(earlier, now=UPGRADE)

    left = earlier.execute("select table_name from duckdb_tables() where schema_name = 'main'").fetchall()
    assert left == [("mine",)]
