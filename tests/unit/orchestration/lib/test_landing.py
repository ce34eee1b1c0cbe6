"""The landing store: whole files or none, corrections, time, and many writers."""

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.landing import LandingError, LandingStore, find_lag, loaded_at_of, read_lags
from orchestration.sources.datasets import QUARANTINE_COLUMNS, find_dataset
from orchestration.sources.validation import Rejected
from tests.examples import examples

REPOSITORY = Path(__file__).parents[4]
FEAR_GREED = find_dataset("alternative_me", "fear_greed")
ASSETS = find_dataset("coingecko", "assets")
MARKET_DAILY = find_dataset("coingecko", "market_daily")
LOADED_AT = datetime(2025, 1, 6, 1, tzinfo=UTC)


def days(*values: tuple[date, int]) -> pl.DataFrame:
    columns = {"market_date": [day for day, _ in values], "value": [value for _, value in values]}
    return pl.DataFrame(columns).with_columns(classification=pl.lit("Neutral"))


def write(store: LandingStore, frame: pl.DataFrame, **changes):
    options = {"data_source": "live", "partition": "2025-01-05", "loaded_at": LOADED_AT, "lag_hours": 0.0}
    return store.write(FEAR_GREED, frame, **(options | changes))


def test_rows_land_typed_with_the_common_columns(tmp_path):
    store = LandingStore(tmp_path)

    load = write(store, days((date(2025, 1, 5), 53)), lag_hours=24.0)

    landed = pl.read_parquet(load.path)
    assert load.path.parent == tmp_path / "landing" / "alternative_me" / "fear_greed" / "2025-01-05"
    assert landed.schema == FEAR_GREED.landed_columns
    row = landed.row(0, named=True)
    assert row["available_at"] == datetime(2025, 1, 7, tzinfo=UTC)
    assert (row["source"], row["data_source"], row["load_id"]) == ("alternative_me", "live", load.load_id)
    assert row["loaded_at"] == LOADED_AT == loaded_at_of(load.load_id)


def test_an_empty_frame_writes_nothing(tmp_path):
    assert write(LandingStore(tmp_path), FEAR_GREED.empty()) is None
    assert list(tmp_path.rglob("*")) == []


def test_undated_tables_are_available_from_the_day_they_were_seen_or_unknown(tmp_path):
    store = LandingStore(tmp_path)
    frame = pl.DataFrame({"coin_id": ["bitcoin"]}, schema_overrides=ASSETS.columns)
    frame = frame.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in list(ASSETS.columns.items())[1:]
    )
    options = {"loaded_at": LOADED_AT, "lag_hours": 0.0}

    archived = store.write(ASSETS, frame, data_source="archive", partition="undated", **options)
    seen = store.write(ASSETS, frame, data_source="live", partition="2025-01-05", **options)

    assert pl.read_parquet(archived.path)["available_at"].to_list() == [None]
    assert pl.read_parquet(seen.path)["available_at"].to_list() == [datetime(2025, 1, 6, tzinfo=UTC)]
    with pytest.raises(LandingError, match="undated or the day seen"):
        store.write(ASSETS, frame, data_source="live", partition="2025", **options)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (days((date(2025, 1, 5), 53)).drop("value", "classification"), "columns value, classification are missing"),
        (days((date(2025, 1, 5), 53)).with_columns(value=pl.lit("high")), "does not fit its type"),
        (days((date(2025, 1, 5), 53)).with_columns(value=pl.lit(None, pl.Int64)), "hold nulls {'value': 1}"),
        (days((date(2025, 1, 5), 53), (date(2025, 1, 5), 54)), "occurs twice"),
    ],
)
def test_unfit_frames_are_refused_by_name_and_leave_nothing(tmp_path, frame, said):
    with pytest.raises(LandingError, match=r"alternative_me/fear_greed") as caught:
        write(LandingStore(tmp_path), frame)

    assert said in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    "changes",
    [{"partition": "2025-1-5"}, {"partition": "../x"}, {"data_source": "real"}, {"loaded_at": datetime(2025, 1, 6)}],  # noqa: DTZ001 - the mistake under test
)
def test_malformed_destinations_are_refused(tmp_path, changes):
    with pytest.raises(LandingError):
        write(LandingStore(tmp_path), days((date(2025, 1, 5), 53)), **changes)


def test_nan_becomes_null_where_a_value_may_lack_and_is_refused_elsewhere(tmp_path):
    store = LandingStore(tmp_path)
    row = {"coin_id": "x", "symbol": None, "market_date": date(2025, 1, 5), "volume_24h_usd": 1.0}
    options = {"data_source": "live", "partition": "2025-01-05", "loaded_at": LOADED_AT, "lag_hours": 0.0}

    load = store.write(
        MARKET_DAILY, pl.DataFrame([row | {"price_usd": 1.0, "market_cap_usd": float("nan")}]), **options
    )

    assert pl.read_parquet(load.path)["market_cap_usd"].to_list() == [None]
    with pytest.raises(LandingError, match="price_usd"):
        store.write(MARKET_DAILY, pl.DataFrame([row | {"price_usd": float("nan"), "market_cap_usd": 1.0}]), **options)


def test_of_several_loads_of_a_key_the_newest_counts(tmp_path):
    store = LandingStore(tmp_path)
    write(store, days((date(2025, 1, 4), 50), (date(2025, 1, 5), 53)))

    write(store, days((date(2025, 1, 5), 60)), loaded_at=LOADED_AT + timedelta(hours=1))
    write(store, days((date(2025, 1, 4), 10)), loaded_at=LOADED_AT - timedelta(hours=1))

    assert store.newest(FEAR_GREED)["value"].to_list() == [50, 60]


def test_loads_of_the_same_instant_are_ordered_by_writing(tmp_path):
    store = LandingStore(tmp_path)

    for value in range(20):
        write(store, days((date(2025, 1, 5), value)))

    assert store.newest(FEAR_GREED)["value"].to_list() == [19]


def test_only_news_is_kept_of_rows_seen_again(tmp_path):
    store = LandingStore(tmp_path)
    write(store, days((date(2025, 1, 3), 1), (date(2025, 1, 4), 2)))
    write(store, days((date(2025, 1, 4), 3)), loaded_at=LOADED_AT + timedelta(hours=1))

    news = store.changed_rows(FEAR_GREED, days((date(2025, 1, 5), 9), (date(2025, 1, 3), 1), (date(2025, 1, 4), 2)))

    assert news.select("market_date", "value").rows() == [(date(2025, 1, 5), 9), (date(2025, 1, 4), 2)]


def test_null_and_null_are_no_change(tmp_path):
    store = LandingStore(tmp_path)
    frame = days((date(2025, 1, 5), 1)).with_columns(classification=pl.lit(None, pl.String))
    write(store, frame)

    assert store.changed_rows(FEAR_GREED, frame).is_empty()
    assert store.changed_rows(FEAR_GREED, days((date(2025, 1, 5), 1))).height == 1


@examples(8, many=25)  # each example writes files and opens DuckDB
@given(
    first=st.dictionaries(st.integers(0, 9), st.integers(0, 3)),
    second=st.dictionaries(st.integers(0, 9), st.integers(0, 3)),
)
def test_landing_the_news_twice_adds_nothing(tmp_path_factory, first, second):
    store = LandingStore(tmp_path_factory.mktemp("landing"))

    def frame(values: dict[int, int]) -> pl.DataFrame:
        rows = {"market_date": [date(2025, 1, 1 + day) for day in values], "value": list(values.values())}
        return pl.DataFrame(rows, schema_overrides=FEAR_GREED.columns).with_columns(classification=pl.lit("x"))

    for hour, values in enumerate((first, second)):
        write(store, store.changed_rows(FEAR_GREED, frame(values)), loaded_at=LOADED_AT + timedelta(hours=hour))

    assert store.changed_rows(FEAR_GREED, frame(second)).is_empty()
    landed = dict(store.newest(FEAR_GREED).select("market_date", "value").rows())
    assert landed == {date(2025, 1, 1 + day): value for day, value in (first | second).items()}


def test_the_newest_days_are_found_overall_and_by_key(tmp_path):
    store = LandingStore(tmp_path)
    rows = [("a", date(2025, 1, 3)), ("a", date(2025, 1, 4)), ("b", date(2025, 1, 2))]
    frame = pl.DataFrame(
        [
            {
                "coin_id": coin,
                "symbol": None,
                "market_date": day,
                "price_usd": 1.0,
                "market_cap_usd": None,
                "volume_24h_usd": None,
            }
            for coin, day in rows
        ]
    )

    before = store.newest_market_date(MARKET_DAILY)
    store.write(MARKET_DAILY, frame, data_source="live", partition="2025", loaded_at=LOADED_AT, lag_hours=0)

    assert before is None
    assert store.newest_market_date(MARKET_DAILY) == date(2025, 1, 4)
    assert store.newest_market_dates(MARKET_DAILY, by="coin_id") == {"a": date(2025, 1, 4), "b": date(2025, 1, 2)}
    with pytest.raises(LandingError, match="no key column"):
        store.newest_market_dates(MARKET_DAILY, by="symbol")
    with pytest.raises(LandingError, match="without market_date"):
        store.newest_market_date(ASSETS)


def test_the_fingerprint_of_inputs_sees_loads_up_to_the_cutoff_only(tmp_path):
    store = LandingStore(tmp_path)
    empty = store.inputs_hash(LOADED_AT)
    write(store, days((date(2025, 1, 4), 1)))
    first = store.inputs_hash(LOADED_AT)

    write(store, days((date(2025, 1, 5), 1)), loaded_at=LOADED_AT + timedelta(seconds=1))

    assert len({empty, first, store.inputs_hash(LOADED_AT + timedelta(seconds=1))}) == 3
    assert store.inputs_hash(LOADED_AT) == first
    assert [load.rows for load in store.loads()] == [1, 1]
    assert [load.partition for load in store.loads(FEAR_GREED)] == ["2025-01-05", "2025-01-05"]
    assert store.loads(ASSETS) == []


def test_quarantined_records_keep_reason_and_payload(tmp_path):
    store = LandingStore(tmp_path)
    options = {"data_source": "live", "partition": "2025-01-05", "loaded_at": LOADED_AT}

    load = store.write_quarantine(FEAR_GREED, [Rejected("value is outside 0-100", '{"value": 101}')], **options)

    kept = pl.read_parquet(load.path)
    assert kept.schema == QUARANTINE_COLUMNS
    assert kept.row(0, named=True)["payload"] == '{"value": 101}'
    assert load.path.is_relative_to(tmp_path / "quarantine" / "alternative_me" / "fear_greed" / "2025-01-05")
    assert store.write_quarantine(FEAR_GREED, [], **options) is None
    assert store.loads() == []


def test_a_kill_before_the_rename_leaves_nothing_to_see(tmp_path):
    script = f"""
        import os, signal
        from datetime import UTC, date, datetime
        from pathlib import Path
        import polars as pl
        from orchestration.lib.landing import LandingStore
        from orchestration.sources.datasets import find_dataset

        store = LandingStore(Path({str(tmp_path)!r}))
        dataset = find_dataset("alternative_me", "fear_greed")
        load_id = store.new_load_id(datetime.now(UTC))
        with store.new_file("landing", dataset, partition="2025", load_id=load_id) as (path, _):
            path.write_bytes(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    store = LandingStore(tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".tmp"]
    assert store.loads() == []
    assert store.newest_market_date(FEAR_GREED) is None
    assert store.newest(FEAR_GREED).is_empty()
    assert write(store, days((date(2025, 1, 5), 1))).rows == 1


def test_an_error_while_writing_removes_the_temporary_file(tmp_path):
    store = LandingStore(tmp_path)

    def fail() -> None:
        load_id = store.new_load_id(LOADED_AT)
        with store.new_file("landing", FEAR_GREED, partition="2025", load_id=load_id) as (path, _):
            path.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_cut_off_is_named(tmp_path):
    store = LandingStore(tmp_path)
    path = write(store, days((date(2025, 1, 5), 1))).path
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(LandingError, match=f"{path} is cut off or overwritten: .* bytes are no whole Parquet file"):
        store.loads()


@pytest.fixture
def full_after(monkeypatch):
    """Let a disk be full after so many files."""

    def limit(files: int) -> None:
        write_parquet, written = pl.DataFrame.write_parquet, []

        def write_or_fail(frame: pl.DataFrame, path: Path, **options) -> None:
            if len(written) == files:
                raise OSError("No space left on device")
            written.append(path)
            write_parquet(frame, path, **options)

        monkeypatch.setattr(pl.DataFrame, "write_parquet", write_or_fail)

    return limit


def test_a_disk_that_fills_up_between_the_days_of_a_load_leaves_none_of_them(tmp_path, full_after):
    store = LandingStore(tmp_path)
    week = {f"2025-01-0{day}": days((date(2025, 1, day), day)) for day in range(6, 10)}
    options = {"data_source": "simulated", "loaded_at": LOADED_AT, "lag_hours": 1}

    full_after(3)
    with pytest.raises(OSError, match="No space left"):
        store.write_parts(FEAR_GREED, week, **options)

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_days_of_a_load_get_their_names_from_the_first_on(tmp_path, monkeypatch):
    store = LandingStore(tmp_path)
    week = {f"2025-01-0{day}": days((date(2025, 1, day), day)) for day in range(6, 10)}
    rename, named = Path.rename, []
    monkeypatch.setattr(Path, "rename", lambda path, to: named.append(to.parent.name) or rename(path, to))

    loads = store.write_parts(FEAR_GREED, week, data_source="simulated", loaded_at=LOADED_AT, lag_hours=1)

    assert [load.partition for load in loads] == list(week)
    assert [load.load_id for load in loads] == sorted(load.load_id for load in loads)
    assert named == list(week)


def test_many_writers_at_once_lose_nothing(tmp_path):
    def land(number: int) -> None:
        write(LandingStore(tmp_path), days((date(2025, 1, 1) + timedelta(days=number), number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(land, range(64)))

    store = LandingStore(tmp_path)
    assert len({load.load_id for load in store.loads()}) == 64
    assert store.newest(FEAR_GREED)["value"].to_list() == list(range(64))


def test_the_lags_of_the_seed_are_read_and_a_missing_one_is_named():
    lags = read_lags(REPOSITORY / "dbt_project" / "seeds" / "publication_lags.csv")

    assert find_lag(lags, find_dataset("coinmetrics", "asset_metrics")) == 24.0
    with pytest.raises(LandingError, match=r"fear_greed has no publication lag.*publication_lags\.csv"):
        find_lag({}, FEAR_GREED)


@pytest.mark.parametrize("row", ["a,b,-1", "a,b,soon", "a,b,1\na,b,2", "a,b"])
def test_malformed_lags_are_refused_with_the_line(tmp_path, row):
    path = tmp_path / "lags.csv"
    path.write_text(f"source,dataset,lag_hours\n{row}\n")

    with pytest.raises(LandingError, match="line"):
        read_lags(path)
