"""A lost or damaged warehouse gets its recorded versions back from the published copy, and nothing is recorded anew."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.ledger import LEDGER_COLUMNS
from orchestration.lib.migrations import MIGRATIONS, Migration, adding, migrate
from orchestration.lib.run_context import last_completed
from orchestration.lib.versioned_tables import TRADER_GRADES
from orchestration.lib.warehouse_restore import RestoreError, restore_if_missing, restore_warehouse
from tests.unit.orchestration.lib_publishing.conftest import TABLES, verified

WEEK = date(2025, 1, 6)
NOW = datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def folder(three_publications, tmp_path):
    """A data folder with three published weeks."""
    return DataFolder(shutil.copytree(three_publications.parent, tmp_path / "data"))


def recorded(path):
    """The ledger and all rows of the versioned tables, in a fixed order."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        ledger = connection.execute(
            f"select {', '.join(LEDGER_COLUMNS)} from quality.unit_versions order by all"
        ).fetchall()
        rows = {
            table.full_name: connection.execute(f"select * from {table.sql_name} order by all").fetchall()
            for table in TABLES
        }
    return ledger, rows


def test_every_version_comes_back_as_it_was_recorded_units_without_rows_included(folder):
    before = recorded(folder.warehouse)
    folder.warehouse.write_bytes(b"no database")

    restored = restore_warehouse(folder, now=NOW, tables=TABLES)

    assert recorded(folder.warehouse) == before
    assert restored.versions == len(before[0])
    assert restored.rows == sum(map(len, before[1].values()))
    assert {row[5] for row in before[0]} >= {0}, "the case of a unit without rows is among them"


def test_what_an_earlier_release_published_comes_back_with_its_columns_and_is_migrated(folder):
    before = recorded(folder.warehouse)
    later = replace(
        TRADER_GRADES,
        value_columns={**TRADER_GRADES.value_columns, "later_usd": "double"},
        value_descriptions={**TRADER_GRADES.value_descriptions, "later_usd": "A column of the next release, USD."},
    )
    tables = [later if table is TRADER_GRADES else table for table in TABLES]
    folder.warehouse.unlink()

    restore_warehouse(folder, now=NOW, tables=tables)

    assert recorded(folder.warehouse) == before
    step = Migration(len(MIGRATIONS) + 1, "a later column", adding(TRADER_GRADES.full_name, {"later_usd": "double"}))
    with duckdb.connect(str(folder.warehouse)) as connection:
        assert migrate(connection, migrations=(*MIGRATIONS, step), tables=tables) == [step]


def test_the_damaged_file_is_set_aside_with_its_log(folder):
    folder.warehouse.write_bytes(b"no database")
    folder.warehouse.with_name("warehouse.duckdb.wal").write_bytes(b"its log")

    restored = restore_warehouse(folder, now=NOW, tables=TABLES)

    assert restored.set_aside.name == "warehouse.duckdb.damaged-20250203T040506Z"
    assert restored.set_aside.read_bytes() == b"no database"
    assert restored.set_aside.with_name(f"{restored.set_aside.name}.wal").read_bytes() == b"its log"
    assert not folder.warehouse.with_name("warehouse.duckdb.wal").exists()


def test_the_next_publication_goes_on_with_the_chain(folder, publish_into):
    folder.warehouse.unlink()
    restore_if_missing(folder, now=NOW)
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table marts_stand_in as select 1 as one")

    publication = publish_into(folder.root, 3)

    assert publication.manifest.sequence == 4
    assert verified(folder.published).manifests == 4


def test_the_same_content_recorded_again_is_no_new_version(folder, record):
    folder.warehouse.unlink()
    restore_if_missing(folder, now=NOW)
    before = recorded(folder.warehouse)

    with duckdb.connect(str(folder.warehouse)) as connection:
        record(connection, WEEK + timedelta(weeks=2), days_later=1)

    assert recorded(folder.warehouse) == before


def test_the_published_build_counts_as_completed(folder):
    folder.warehouse.unlink()

    restored = restore_if_missing(folder, now=NOW)

    with duckdb.connect(str(folder.warehouse)) as connection:
        build = last_completed(connection)
    assert build["as_of_week"] == restored.manifest.as_of_week
    assert build["input_cutoff"] == restored.manifest.inputs.input_cutoff


def test_a_warehouse_that_is_there_is_left_alone(folder):
    content = folder.warehouse.read_bytes()

    assert restore_if_missing(folder, now=NOW) is None
    assert folder.warehouse.read_bytes() == content


def test_a_folder_that_published_nothing_has_nothing_to_restore(tmp_path):
    folder = DataFolder(tmp_path)

    assert restore_if_missing(folder, now=NOW) is None
    with pytest.raises(RestoreError, match="nothing was published"):
        restore_warehouse(folder, now=NOW, tables=TABLES)


@pytest.mark.parametrize("name", ["learning.trader_grades", "quality.unit_versions"])
def test_a_changed_file_is_refused_and_the_old_warehouse_stays(folder, name):
    path = folder.published / "parquet" / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-4] + b"PAR0")
    content = folder.warehouse.read_bytes()

    with pytest.raises(RestoreError, match=rf"{name}.parquet is not the file that manifest.json signed"):
        restore_warehouse(folder, now=NOW, tables=TABLES)

    assert folder.warehouse.read_bytes() == content
    assert not list(folder.root.glob(".restoring*"))


def test_rows_that_the_chain_did_not_sign_are_refused(folder, monkeypatch):
    """Rows exchanged together with the sum in the newest manifest: the hash of the ledger tells."""
    monkeypatch.setattr(
        "orchestration.lib.warehouse_restore._signed", lambda published, _manifest, name: published / name
    )
    path = folder.published / "parquet" / f"{TRADER_GRADES.full_name}.parquet"
    duckdb.sql(f"copy (select * replace (0.5 as score) from '{path}') to '{path}.new' (format parquet)")
    path.with_name(f"{path.name}.new").replace(path)

    with pytest.raises(RestoreError, match=r"learning.trader_grades: rows do not match their content_hash"):
        restore_warehouse(folder, now=NOW, tables=TABLES)


def test_a_publication_of_before_has_its_ledger_in_the_published_warehouse(folder, monkeypatch):
    before = recorded(folder.warehouse)
    monkeypatch.setattr(
        "orchestration.lib.warehouse_restore.LEDGER", "quality.unit_versions_of_before"
    )  # a name that no file has: as in a folder published by an earlier release

    folder.warehouse.unlink()
    restore_if_missing(folder, now=NOW)

    assert recorded(folder.warehouse) == before
