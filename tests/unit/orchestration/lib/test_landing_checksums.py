"""Checksums on read: a build refuses files that are not as they landed, and says which and what to do."""

import hashlib
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_checksums import DamagedFilesError, forget_lost, verify
from orchestration.lib.landing_maintenance import Limits, compact
from orchestration.lib.raw_views import forget_lost_loads
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import Rejected

FEAR_GREED = find_dataset("alternative_me", "fear_greed")
LOADED_AT = datetime(2025, 1, 6, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def land(store, day, value=50, *, hours=0):
    frame = pl.DataFrame({"market_date": [day], "value": [value], "classification": ["x"]})
    at = LOADED_AT + timedelta(hours=hours)
    return store.write(FEAR_GREED, frame, data_source="live", partition=day.isoformat(), loaded_at=at, lag_hours=0.0)


@pytest.fixture
def store(tmp_path):
    store = LandingStore(tmp_path / "data")
    for number in range(4):
        land(store, date(2025, 1, 1 + number), hours=number)
    return store


@pytest.fixture
def warehouse(tmp_path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        create_schemas(connection)
        yield connection


def build(warehouse, store):
    create_raw_views(warehouse, store.root, input_cutoff=LATEST)
    return warehouse.sql("select count(*) from raw.alternative_me__fear_greed").fetchone()[0]


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def test_the_checksum_of_a_landed_file_lies_beside_it_and_sha256sum_reads_it(store):
    (path, *_) = store.files(FEAR_GREED)

    noted = path.with_name(path.name + ".sha256").read_text()

    assert noted == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-c", f"{path.name}.sha256"], cwd=path.parent, capture_output=True)
        assert done.returncode == 0


@pytest.mark.parametrize("damage", [cut_off, flip_a_byte, empty])
def test_a_build_refuses_a_changed_file_in_one_line(store, warehouse, damage):
    path = store.files(FEAR_GREED)[1]
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    damage(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(DamagedFilesError) as caught:
        build(warehouse, store)

    said = str(caught.value)
    assert "\n" not in said
    assert f"landing/alternative_me/fear_greed/2025-01-02/{path.name}" in said
    assert f"{found[:16]} found in {path.stat().st_size} bytes, {expected[:16]} expected" in said
    assert "Restore the file from a backup" in said
    assert "raw.alternative_me" not in str(warehouse.sql("select * from duckdb_views() where schema_name = 'raw'"))


def test_all_damaged_files_are_found_at_once(store, warehouse):
    first, _, third, _ = store.files(FEAR_GREED)
    flip_a_byte(first)
    empty(third)

    with pytest.raises(DamagedFilesError, match=r"and 1 more files") as caught:
        build(warehouse, store)

    assert [name in problem for name, problem in zip((first.name, third.name), caught.value.problems, strict=True)]


def test_a_damaged_quarantine_file_is_refused_too(store, warehouse):
    load = store.write_quarantine(
        FEAR_GREED, [Rejected("bad", "{}")], data_source="live", partition="2025-01-01", loaded_at=LOADED_AT
    )
    cut_off(load.path)

    with pytest.raises(DamagedFilesError, match=r"quarantine/alternative_me"):
        build(warehouse, store)


def test_a_lost_file_is_found_by_its_checksum_and_can_be_given_up(store, warehouse):
    store.files(FEAR_GREED)[2].unlink()

    with pytest.raises(DamagedFilesError, match=r"2025-01-03/.*: has landed and is no longer there"):
        build(warehouse, store)

    (name,) = forget_lost(store.root)
    assert "2025-01-03" in name
    assert build(warehouse, store) == 3


def test_a_load_that_vanished_with_its_checksum_is_found_by_the_warehouse_that_read_it(store, warehouse):
    assert build(warehouse, store) == 4
    gone = store.files(FEAR_GREED)[3]
    shutil.rmtree(gone.parent)

    with pytest.raises(DamagedFilesError, match=r"a build has read it") as caught:
        build(warehouse, store)

    assert gone.name.removesuffix(".parquet") in str(caught.value)
    assert len(forget_lost_loads(warehouse, store.root)) == 1
    assert build(warehouse, store) == 3
    assert build(warehouse, store) == 3


def test_compaction_makes_no_load_vanish(store, warehouse):
    assert build(warehouse, store) == 4

    compact(store, now=LATEST, limits=Limits(), switch_readers=lambda: None, report=lambda _step: None)

    assert build(warehouse, store) == 4
    assert len(store.files(FEAR_GREED)) == 1


@pytest.mark.parametrize("damage", [cut_off, flip_a_byte, empty])
def test_a_damaged_compacted_file_is_named_before_anything_reads_it(store, warehouse, damage):
    compact(store, now=LATEST, limits=Limits(), switch_readers=lambda: None, report=lambda _step: None)
    (path,) = store.files(FEAR_GREED)
    damage(path)

    with pytest.raises(DamagedFilesError, match=path.name):
        build(warehouse, store)


def test_files_from_before_there_were_checksums_get_one_and_are_guarded_from_then_on(store, warehouse):
    for path in store.root.rglob("*.sha256"):
        path.unlink()

    verified = verify(store.root)

    assert (verified.files, verified.adopted) == (4, 4)
    assert verify(store.root).adopted == 0
    assert build(warehouse, store) == 4
    flip_a_byte(store.files(FEAR_GREED)[0])
    with pytest.raises(DamagedFilesError):
        build(warehouse, store)


def test_a_file_without_checksum_that_is_no_whole_parquet_file_is_refused(store, warehouse):
    path = store.files(FEAR_GREED)[0]
    path.with_name(path.name + ".sha256").unlink()
    cut_off(path)

    with pytest.raises(DamagedFilesError, match=r"a whole Parquet file expected, \d+ bytes found"):
        build(warehouse, store)


def test_a_folder_copied_to_another_place_is_as_it_landed(store, tmp_path):
    copied = tmp_path / "elsewhere"
    shutil.copytree(store.root, copied)

    verified = verify(copied)

    assert (verified.files, verified.adopted) == (4, 0)
    assert verified.bytes == sum(path.stat().st_size for path in store.files(FEAR_GREED))


def test_a_build_reads_the_loads_it_checked_and_none_that_land_meanwhile(store, warehouse):
    assert build(warehouse, store) == 4

    land(store, date(2025, 1, 9), hours=9)

    assert warehouse.sql("select count(*) from raw.alternative_me__fear_greed").fetchone() == (4,)
    assert build(warehouse, store) == 5


def test_a_column_that_a_dataset_gained_later_is_null_in_older_files(store, warehouse):
    (path, *_) = store.files(FEAR_GREED)
    older = pl.read_parquet(path).drop("classification").with_columns(market_date=pl.lit(date(2024, 1, 1)))
    with store.new_file("landing", FEAR_GREED, partition="2024-01-01", load_id=store.new_load_id(LOADED_AT)) as (
        file,
        _,
    ):
        older.with_columns(load_id=pl.lit("20240101T000000000000Z-0-0")).write_parquet(file)

    assert build(warehouse, store) == 5
    assert store.newest(FEAR_GREED)["classification"].to_list() == [None, "x", "x", "x", "x"]
    assert store.changed_rows(FEAR_GREED, store.newest(FEAR_GREED)).is_empty()
