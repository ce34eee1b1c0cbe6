"""Retention: everything is kept unless settings say otherwise, and what is dropped changes no answer of the kept span."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.landing import LandingError, LandingStore
from orchestration.lib.landing_maintenance import Limits, compact
from orchestration.lib.quarantine import summarise
from orchestration.lib.quarantine_replay import replay
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import Rejected
from tests.examples import examples

FEAR_GREED = find_dataset("alternative_me", "fear_greed")
ASSETS = find_dataset("coingecko", "assets")
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = FIRST + 100 * DAY


def land(store, values, *, at, data_source="live", partition="2025", lag_hours=0.0):
    days = [date(2025, 1, 1) + timedelta(days=day) for day in values]
    frame = pl.DataFrame({"market_date": days, "value": list(values.values())}, schema_overrides=FEAR_GREED.columns)
    store.write(
        FEAR_GREED,
        frame.with_columns(classification=pl.lit("x")),
        data_source=data_source,
        partition=partition,
        loaded_at=at,
        lag_hours=lag_hours,
    )


def run(store, **limits):
    return compact(store, now=NOW, limits=Limits(**limits), switch_readers=lambda: None, report=lambda _step: None)


def raw(store, cutoff):
    """The newest row of every key that a build with this cut-off reads."""
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_raw_views(connection, store.root, input_cutoff=cutoff)
        return connection.sql(
            "select market_date, value from raw.alternative_me__fear_greed "
            "qualify row_number() over (partition by market_date order by load_id desc) = 1 order by 1"
        ).fetchall()


def landed_rows(store):
    return sum(load.rows for load in store.loads())


def test_by_default_superseded_rows_and_old_quarantine_stay(tmp_path):
    store = LandingStore(tmp_path)
    for number in range(4):
        land(store, {0: number}, at=FIRST + number * DAY)
    store.write_quarantine(
        FEAR_GREED, [Rejected("bad", "{}")], data_source="live", partition="2025-01-01", loaded_at=FIRST
    )

    results = run(store)

    assert landed_rows(store) == 4
    assert summarise(store)["open_records"].to_list() == [1]
    assert [each.rows_dropped for each in results] == [0, 0]


def test_rows_superseded_before_the_limit_go_and_what_held_at_the_limit_stays(tmp_path):
    store = LandingStore(tmp_path)
    for number in range(4):
        land(store, {0: number, 10 + number: 7}, at=FIRST + number * DAY)
    limit = FIRST + 2.5 * DAY
    at_limit, newest, fingerprint = raw(store, limit), raw(store, NOW), store.inputs_hash(NOW)

    (result,) = run(store, superseded_before=limit)

    assert result.rows_dropped == 2  # the loads of day 0 and 1, which that of day 2 superseded
    assert landed_rows(store) == 6
    assert (raw(store, limit), raw(store, NOW), store.inputs_hash(NOW)) == (at_limit, newest, fingerprint)
    assert len(store.loads()) == 4


def test_a_state_that_needs_dropped_rows_is_refused_by_name(tmp_path):
    store = LandingStore(tmp_path)
    for number in range(3):
        land(store, {0: number}, at=FIRST + number * DAY)
    run(store, superseded_before=FIRST + 1.5 * DAY)

    with pytest.raises(LandingError, match=r"SUPERSEDED_DAYS.*cannot be built"):
        raw(store, FIRST + DAY)


def test_another_data_source_or_another_time_of_knowledge_supersedes_nothing(tmp_path):
    store = LandingStore(tmp_path)
    land(store, {0: 1}, at=FIRST, data_source="archive")
    land(store, {0: 2}, at=FIRST + DAY)
    land(store, {0: 3}, at=FIRST + 2 * DAY, lag_hours=24.0)
    for number in range(2):
        row = dict.fromkeys(ASSETS.columns) | {"coin_id": "polygon", "name": f"name {number}"}
        store.write(
            ASSETS,
            pl.DataFrame([row], schema=ASSETS.columns),
            data_source="live",
            partition=f"2025-01-0{1 + number}",
            loaded_at=FIRST + number * DAY,
            lag_hours=0.0,
        )

    results = run(store, superseded_before=NOW)

    assert [each.rows_dropped for each in results] == [0, 0]
    assert landed_rows(store) == 5


@examples(3, many=8)
@given(
    loads=st.lists(
        st.tuples(st.dictionaries(st.integers(0, 4), st.integers(0, 9), min_size=1), st.booleans()),
        min_size=1,
        max_size=7,
    ),
    limit=st.integers(0, 8),
)
def test_no_state_after_the_limit_changes_whatever_is_dropped(tmp_path_factory, loads, limit):
    store = LandingStore(tmp_path_factory.mktemp("landing"))
    for number, (values, is_yearly) in enumerate(loads):
        land(store, values, at=FIRST + number * DAY, partition="2025" if is_yearly else "2025-01-01")
    cutoffs = [FIRST + (limit + later) * DAY for later in (0, 2, 9)]
    before = [raw(store, cutoff) for cutoff in cutoffs]
    changed = store.changed_rows(FEAR_GREED, store.newest(FEAR_GREED).with_columns(value=pl.lit(3, pl.Int64)))

    run(store, superseded_before=FIRST + limit * DAY)

    assert [raw(store, cutoff) for cutoff in cutoffs] == before
    again = store.changed_rows(FEAR_GREED, store.newest(FEAR_GREED).with_columns(value=pl.lit(3, pl.Int64)))
    assert again.equals(changed)


def test_old_quarantine_goes_with_the_notes_that_it_was_resolved(tmp_path):
    store = LandingStore(tmp_path)
    row = '{"market_date": "2025-01-0%d", "value": 5, "classification": null}'
    for number in (1, 2):
        store.write_quarantine(
            FEAR_GREED,
            [Rejected("fixed since", row % number)],
            data_source="live",
            partition=f"2025-01-0{number}",
            loaded_at=FIRST + number * DAY,
        )
    replay(store, FEAR_GREED, {}, loaded_at=FIRST + 50 * DAY, lag_hours=0.0)
    fingerprint = store.inputs_hash(NOW)

    results = run(store, quarantine_before=FIRST + 1.5 * DAY)

    assert {each.area: each.rows_dropped for each in results} == {"landing": 0, "quarantine": 1, "resolved": 1}
    assert summarise(store).select("open_records", "resolved_records").rows() == [(0, 1)]
    assert store.inputs_hash(NOW) == fingerprint
    assert [each.rows_dropped for each in run(store, quarantine_before=NOW)] == [0, 1, 1]
    assert summarise(store).is_empty()
