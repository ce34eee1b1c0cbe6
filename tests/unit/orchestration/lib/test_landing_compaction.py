"""Compaction: fewer files, the same answer to every question, whenever it is killed."""

import contextlib
import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.landing import LandingError, LandingStore, connect
from orchestration.lib.landing_checksums import DamagedFilesError
from orchestration.lib.landing_listing import list_files
from orchestration.lib.landing_maintenance import Limits, compact
from orchestration.lib.landing_rows import landed_sql
from orchestration.lib.quarantine import quarantine_sql
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import Rejected
from tests.examples import examples

FEAR_GREED = find_dataset("alternative_me", "fear_greed")
ASSETS = find_dataset("coingecko", "assets")
FIRST = datetime(2024, 12, 25, 1, tzinfo=UTC)
NOW = datetime(2025, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROBE = pl.DataFrame(
    {"market_date": [date(2024, 12, 20) + timedelta(days=day) for day in range(30)], "value": [1] * 30}
).with_columns(classification=pl.lit("x"))


class Killed(BaseException):
    """Stands for the end of the process: nobody handles it."""


def greed(values: dict[date, int]) -> pl.DataFrame:
    rows = {"market_date": list(values), "value": list(values.values())}
    return pl.DataFrame(rows, schema_overrides=FEAR_GREED.columns).with_columns(classification=pl.lit("x"))


def land(store: LandingStore, values: dict[date, int], *, at: datetime, partition: str | None = None) -> None:
    store.write(
        FEAR_GREED,
        greed(values),
        data_source="live",
        partition=partition or f"{next(iter(values))}",
        loaded_at=at,
        lag_hours=0.0,
    )


def land_days(store: LandingStore, days: int = 6) -> None:
    """A daily load and, with each, the corrected value of the day before."""
    for number in range(days):
        day = date(2024, 12, 29) + timedelta(days=number)
        land(store, {day: 10 + number, day - timedelta(days=1): 50 + number}, at=FIRST + number * timedelta(days=1))


def refuse(store: LandingStore, *payloads: str, day: date, at: datetime) -> None:
    rejected = [Rejected("value is outside 0-100", payload) for payload in payloads]
    store.write_quarantine(FEAR_GREED, rejected, data_source="live", partition=day.isoformat(), loaded_at=at)


def run(
    store: LandingStore,
    *,
    limits: Limits | None = None,
    now: datetime = NOW,
    report=lambda _step: None,
    switch=lambda: None,
):
    return compact(store, now=now, limits=limits or Limits(), switch_readers=switch, report=report)


def raw_views(root: Path, cutoff: datetime) -> dict[str, list[tuple]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_schemas(connection)
        create_raw_views(connection, root, input_cutoff=cutoff)
        names = ("alternative_me__fear_greed", "coingecko__assets", "quarantine")
        return {name: connection.sql(f"select * from raw.{name} order by all").fetchall() for name in names}


CUTOFFS = [FIRST - HOUR, FIRST + timedelta(days=2), FIRST + timedelta(days=4), NOW + timedelta(days=100)]


def rows_of(store: LandingStore) -> list[list[tuple]]:
    """Every landed and every quarantined row, as the raw views select them."""
    with connect() as connection:
        sources = [landed_sql(FEAR_GREED, store.files(FEAR_GREED)), quarantine_sql(store)]
        return [connection.sql(f"select * from {source} order by all").fetchall() for source in sources]


def answers(store: LandingStore) -> dict[str, object]:
    """What the store says, and the raw views, today and at past cut-offs."""
    return store_answers(store) | {"raw": [raw_views(store.root, cutoff) for cutoff in CUTOFFS]}


def store_answers(store: LandingStore) -> dict[str, object]:
    """What the store says, today and at past cut-offs."""
    return {
        "rows": rows_of(store),
        "hashes": [store.inputs_hash(cutoff) for cutoff in CUTOFFS],
        "loads": [(load.source, load.dataset, load.partition, load.load_id, load.rows) for load in store.loads()],
        "newest": store.newest(FEAR_GREED).rows(),
        "newest assets": store.newest(ASSETS).rows(),
        "newest day": store.newest_market_date(FEAR_GREED),
        "newest days": store.newest_market_dates(FEAR_GREED, by="market_date"),
        "changed": store.changed_rows(FEAR_GREED, PROBE).rows(),
    }


def parquet_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.parquet"))


def test_daily_files_become_one_a_calendar_year_and_every_answer_stays(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    refuse(store, '{"value": 101}', '{"value": 102}', day=date(2024, 12, 31), at=FIRST)
    refuse(store, '{"value": 103}', day=date(2025, 1, 2), at=FIRST + HOUR)
    refuse(store, '{"value": 104}', day=date(2025, 1, 3), at=FIRST + 2 * HOUR)
    before = answers(store)

    results = run(store)

    assert answers(store) == before
    assert [(each.area, each.files_before, each.files_after) for each in results] == [
        ("landing", 6, 2),
        ("quarantine", 3, 2),
    ]
    folders = sorted(path.parent.name for path in parquet_files(tmp_path / "landing"))
    assert folders == ["2024", "2025"]
    assert not list(tmp_path.rglob(".*.tmp"))
    assert before["raw"][-1]["quarantine"][0][-2] == "2024-12-31"


def test_compacting_again_changes_nothing_until_something_lands(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    run(store)
    files = {path: path.read_bytes() for path in parquet_files(tmp_path)}

    run(store, now=NOW + HOUR)

    assert {path: path.read_bytes() for path in parquet_files(tmp_path)} == files


def test_what_lands_after_a_compaction_joins_the_file_of_its_year(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    run(store)
    land(store, {date(2025, 1, 3): 99}, at=FIRST + timedelta(days=20))
    before = answers(store)

    run(store, now=NOW + HOUR)

    assert answers(store) == before
    assert len(parquet_files(tmp_path)) == 2
    assert store.newest(FEAR_GREED)["value"].to_list()[-1] == 99


def test_reference_tables_keep_the_days_they_were_seen(tmp_path):
    store = LandingStore(tmp_path)
    for number, name in enumerate(["Matic", "Pol"]):
        row = dict.fromkeys(ASSETS.columns) | {"coin_id": "polygon", "name": name}
        day = f"2025-01-0{number + 1}"
        store.write(
            ASSETS,
            pl.DataFrame([row], schema=ASSETS.columns),
            data_source="live",
            partition=day,
            loaded_at=FIRST + number * HOUR,
            lag_hours=0.0,
        )

    run(store)

    assert [load.partition for load in store.loads(ASSETS)] == ["2025-01-01", "2025-01-02"]
    assert [row[-3].day for row in raw_views(tmp_path, NOW)["coingecko__assets"]] == [2, 3]
    assert len(store.files(ASSETS)) == 1


@examples(4, many=10)
@given(
    loads=st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, 12), st.integers(0, 3), min_size=1, max_size=4),
            st.integers(0, 5 * 24),
            st.booleans(),
        ),
        min_size=2,
        max_size=8,
    ),
    cut=st.integers(1, 7),
    kill_at=st.integers(1, 25),
    second_kill_at=st.integers(1, 25),
)
def test_a_compaction_killed_anywhere_changes_no_answer(tmp_path_factory, loads, cut, kill_at, second_kill_at):
    store = LandingStore(tmp_path_factory.mktemp("landing"))

    def land_all(part):
        for values, hours, is_daily in part:
            days = {date(2024, 12, 25) + timedelta(days=day): value for day, value in values.items()}
            first = next(iter(days))
            land(store, days, at=FIRST + hours * HOUR, partition=None if is_daily else str(first.year))
            refuse(store, f'{{"value": {hours}}}', day=first, at=FIRST + hours * HOUR)

    def run_until(step):
        steps = iter(range(1, step))

        def report(_said):
            if next(steps, None) is None:
                raise Killed

        with contextlib.suppress(Killed):
            run(store, report=report)

    land_all(loads[:cut])
    before = store_answers(store)
    run_until(kill_at)
    assert store_answers(store) == before

    land_all(loads[cut:])
    before = store_answers(store)
    run_until(second_kill_at)
    assert store_answers(store) == before
    run(store)
    assert store_answers(store) == before
    assert all(len(list_files(folder).live) <= 2 for folder in store.folders("landing"))


def test_files_that_come_back_from_a_backup_double_nothing(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    backup = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    before = answers(store)
    run(store)

    for path, content in backup.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    assert answers(store) == before
    run(store, now=NOW + HOUR)
    assert answers(store) == before
    assert len(parquet_files(tmp_path)) == 2


def test_nothing_is_removed_before_those_who_list_files_took_the_new_list(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    old = parquet_files(tmp_path)
    there = []

    run(store, switch=lambda: there.append([path.exists() for path in old]))

    assert there == [[True] * 6]
    assert not any(path.exists() for path in old)


def test_a_reader_that_cannot_switch_leaves_the_old_files(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    old, before = parquet_files(tmp_path), answers(store)

    def fail():
        raise OSError("warehouse is open elsewhere")

    with pytest.raises(OSError, match="open elsewhere"):
        run(store, switch=fail)

    assert all(path.exists() for path in old)
    assert answers(store) == before


def test_a_load_that_lands_while_files_are_put_together_is_left_alone(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)

    def report(step):
        if "become one" in step and "2024" in step:
            land(store, {date(2024, 12, 31): 77}, at=FIRST + timedelta(days=30))

    run(store, report=report)

    assert store.newest(FEAR_GREED).filter(pl.col("market_date") == date(2024, 12, 31))["value"].to_list() == [77]
    assert len(store.loads(FEAR_GREED)) == 7
    assert len(raw_views(tmp_path, NOW)["alternative_me__fear_greed"]) == 13


def test_a_writer_whose_folder_is_removed_under_it_lands_all_the_same(tmp_path):
    store = LandingStore(tmp_path)
    load_id = store.new_load_id(FIRST)

    with store.new_file("landing", FEAR_GREED, partition="2025-01-01", load_id=load_id) as (temporary, path):
        temporary.write_bytes(b"rows")
        path.parent.mkdir()
        path.parent.rmdir()

    assert path.read_bytes() == b"rows"


def test_a_damaged_file_stops_compaction_before_anything_is_written(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    files = parquet_files(tmp_path)
    files[2].write_bytes(files[2].read_bytes()[:-10])

    with pytest.raises(DamagedFilesError, match=files[2].name):
        run(store)

    assert parquet_files(tmp_path) == files


def test_two_compacted_files_with_a_common_load_are_refused(tmp_path):
    store = LandingStore(tmp_path)
    land(store, {date(2025, 1, 1): 1}, at=FIRST)
    land(store, {date(2025, 1, 2): 2}, at=FIRST + HOUR)
    other = LandingStore(tmp_path / "copy")
    for path in parquet_files(tmp_path):
        copied = other.root / path.relative_to(tmp_path)
        copied.parent.mkdir(parents=True)
        copied.write_bytes(path.read_bytes())
    for each, day in ((store, 3), (other, 4)):
        land(each, {date(2025, 1, day): day}, at=FIRST + day * HOUR)
        run(each)
    (stray,) = parquet_files(other.root / "landing")
    (tmp_path / "landing/alternative_me/fear_greed/2025" / stray.name).write_bytes(stray.read_bytes())

    with pytest.raises(LandingError, match="hold a load twice"):
        store.newest(FEAR_GREED)


def test_temporary_files_of_killed_writers_go_and_those_of_today_stay(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store, 2)
    folder = tmp_path / "landing/alternative_me/fear_greed"
    old, young = folder / ".old.tmp", folder / ".young.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))

    run(store)

    assert (old.exists(), young.exists()) == (False, True)


def test_the_fingerprint_is_the_one_of_single_files(tmp_path):
    store = LandingStore(tmp_path)
    land_days(store)
    names = sorted(path.name.removesuffix(".parquet") for path in parquet_files(tmp_path))

    run(store)

    assert store.inputs_hash(NOW) == hashlib.sha256("\n".join(names).encode()).hexdigest()
