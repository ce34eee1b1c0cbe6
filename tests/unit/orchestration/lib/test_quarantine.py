"""Quarantine: refused records are counted, and heard again under today's rules and parsers."""

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_maintenance import Limits, compact
from orchestration.lib.quarantine import summarise, unseen
from orchestration.lib.quarantine_replay import NO_PARSER, WAITS_FOR_IMPORT, replay
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import QUARANTINE_COLUMNS, find_dataset
from orchestration.sources.validation import DISAGREEING, Rejected, UnreadableValueError, validate

FEAR_GREED = find_dataset("alternative_me", "fear_greed")
MARKETS = find_dataset("coingecko", "markets")
REFUSED_AT = datetime(2025, 1, 6, 1, tzinfo=UTC)
LATER = REFUSED_AT + timedelta(days=30)
REASON = "value is outside 0-100"


def row(day: int, value: object = 50) -> dict[str, object]:
    return {"market_date": f"2025-01-{day:02}", "value": value, "classification": None}


def refuse(store, *records, reason=REASON, day=5, hours=0, data_source="live", partition=None, dataset=FEAR_GREED):
    store.write_quarantine(
        dataset,
        [Rejected.of(reason, record) for record in records],
        data_source=data_source,
        partition=partition or f"2025-01-{day:02}",
        loaded_at=REFUSED_AT + timedelta(hours=hours),
    )


def land(store, values, *, hours=0):
    days = [date(2025, 1, day) for day in values]
    frame = pl.DataFrame({"market_date": days, "value": list(values.values())}, schema_overrides=FEAR_GREED.columns)
    store.write(
        FEAR_GREED,
        frame.with_columns(classification=pl.lit(None, pl.String)),
        data_source="live",
        partition="2025-01-05",
        loaded_at=REFUSED_AT + timedelta(hours=hours),
        lag_hours=0.0,
    )


def run(store, parsers=None, *, dataset=FEAR_GREED, at=LATER):
    return replay(store, dataset, parsers or {}, loaded_at=at, lag_hours=0.0)


def landed(store):
    return dict(store.newest(FEAR_GREED).select("market_date", "value").rows())


def view(store, sql, *, cutoff=datetime(2100, 1, 1, tzinfo=UTC)):
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_schemas(connection)
        create_raw_views(connection, store.root, input_cutoff=cutoff)
        return connection.sql(sql).fetchall()


@pytest.fixture
def store(tmp_path):
    return LandingStore(tmp_path)


def test_records_are_counted_by_dataset_and_reason_most_open_ones_first(store):
    refuse(store, {"id": None}, reason="id is missing", dataset=MARKETS)
    refuse(store, row(1, 101), row(2, 102))
    refuse(store, row(3, 103), hours=5)

    counts = summarise(store)

    assert counts.rows() == [
        ("alternative_me", "fear_greed", REASON, 3, 0, REFUSED_AT + timedelta(hours=5)),
        ("coingecko", "markets", "id is missing", 1, 0, REFUSED_AT),
    ]
    assert summarise(store, MARKETS).height == 1


def test_an_empty_quarantine_counts_nothing(store):
    assert summarise(store).is_empty()
    assert view(store, "select count(*) from raw.quarantine") == [(0,)]
    assert run(store).records == 0
    assert not list(store.root.rglob("*"))


def test_the_warehouse_shows_all_records_with_the_day_they_were_refused_for(store):
    refuse(store, row(1, 101), day=4)
    refuse(store, {"id": None}, dataset=MARKETS, hours=2)

    columns = [name for name, *_ in view(store, "describe raw.quarantine")]
    rows = view(store, "select dataset, payload, landing_partition, resolved_at from raw.quarantine order by 1")
    early = view(store, "select dataset from raw.quarantine", cutoff=REFUSED_AT + timedelta(hours=1))

    assert columns == [*QUARANTINE_COLUMNS, "landing_partition", "resolved_at"]
    assert rows == [
        ("fear_greed", json.dumps(row(1, 101), sort_keys=True), "2025-01-04", None),
        ("markets", '{"id": null}', "2025-01-05", None),
    ]
    assert early == [("fear_greed",)]


def test_a_row_that_passes_todays_rules_lands_with_its_own_day_and_data_source(store):
    refuse(store, row(3, 53), row(4, 101))

    result = run(store)

    assert (result.records, result.accepted, result.landed, result.refused) == (2, 1, 1, {REASON: 1})
    (landed_row,) = store.newest(FEAR_GREED).rows(named=True)
    assert (landed_row["market_date"], landed_row["value"]) == (date(2025, 1, 3), 53)
    assert landed_row["data_source"] == "live"
    assert landed_row["loaded_at"] == LATER
    assert landed_row["available_at"] == datetime(2025, 1, 4, tzinfo=UTC)


def test_resolved_records_leave_the_open_count_and_stay_on_record(store):
    refuse(store, row(3, 53), row(4, 101))

    run(store)

    assert summarise(store).select("open_records", "resolved_records").rows() == [(1, 1)]
    assert view(store, "select resolved_at from raw.quarantine order by payload") == [(LATER,), (None,)]


def test_replaying_twice_lands_and_resolves_nothing_more(store):
    refuse(store, row(3, 53), row(3, 53), row(4, 101))
    first = run(store)
    files = sorted(store.root.rglob("*.parquet"))

    second = run(store, at=LATER + timedelta(days=1))

    assert (first.records, first.accepted, first.landed) == (3, 2, 1)
    assert (second.records, second.accepted, second.landed) == (1, 0, 0)
    assert sorted(store.root.rglob("*.parquet")) == files


def test_a_kill_before_the_note_leaves_the_record_open_and_lands_nothing_twice(store):
    refuse(store, row(3, 53))
    run(store)
    for path in (store.root / "resolved").rglob("*.parquet*"):
        path.unlink()

    result = run(store, at=LATER + timedelta(days=1))

    assert (result.records, result.accepted, result.landed) == (1, 1, 0)
    assert len(store.loads(FEAR_GREED)) == 1
    assert summarise(store).select("open_records", "resolved_records").rows() == [(0, 1)]


def test_a_record_never_overrides_what_a_later_load_said_of_its_key(store):
    land(store, {3: 10}, hours=-1)
    refuse(store, row(3, 53), row(4, 54))
    land(store, {3: 60}, hours=1)

    result = run(store)

    assert (result.accepted, result.landed) == (2, 1)
    assert landed(store) == {date(2025, 1, 3): 60, date(2025, 1, 4): 54}


def test_a_record_corrects_what_an_earlier_load_said_of_its_key(store):
    land(store, {3: 10}, hours=-1)
    refuse(store, row(3, 53))

    assert run(store).landed == 1
    assert landed(store) == {date(2025, 1, 3): 53}


def test_of_several_records_of_a_key_the_newest_lands(store):
    refuse(store, row(3, 53))
    refuse(store, row(3, 54), hours=2)

    result = run(store)

    assert (result.accepted, result.landed) == (2, 1)
    assert landed(store) == {date(2025, 1, 3): 54}


def test_rows_that_disagreed_within_an_answer_still_do(store):
    rows = [{"market_date": date(2025, 1, 3), "value": value, "classification": None} for value in (1, 2)]
    rejected = validate(FEAR_GREED, rows, now=REFUSED_AT).rejected
    store.write_quarantine(FEAR_GREED, rejected, data_source="live", partition="2025-01-05", loaded_at=REFUSED_AT)

    result = run(store)

    assert (result.accepted, result.refused) == (0, {"rows of one key disagree within one answer": 2})


def test_a_refused_record_is_kept_once_however_often_it_is_read(store):
    refuse(store, row(1, 101))
    again, other = Rejected.of(REASON, row(1, 101)), Rejected.of(REASON, row(2, 102))

    assert unseen(store, FEAR_GREED, [again, other]) == [other]


def test_of_rows_that_disagree_no_side_is_kept_alone(store):
    refuse(store, row(1, 50), row(1, 60), reason=DISAGREEING)
    known, new = Rejected.of(DISAGREEING, row(1, 50)), Rejected.of(DISAGREEING, row(1, 70))

    assert unseen(store, FEAR_GREED, [known, new]) == [known, new]
    assert unseen(store, FEAR_GREED, [known]) == []


def test_time_that_passed_makes_no_timestamp_from_the_future_acceptable(store):
    refuse(store, row(20), day=5)
    refuse(store, row(20, 51), day=5, hours=2 * 365 * 24)  # a simulated run lands years after the day it is for

    assert run(store, at=LATER + timedelta(days=1000)).refused == {"market_date lies in the future": 2}


def test_raw_records_go_through_the_parser_of_their_dataset(store):
    refuse(store, {"when": 3, "points": "53"}, {"when": 4, "points": "many"}, reason="value is text")

    def parse(payload, now):
        assert now < REFUSED_AT + timedelta(days=2)
        if not payload["points"].isdigit():
            raise UnreadableValueError("points read as no number")
        return [{"market_date": date(2025, 1, payload["when"]), "value": int(payload["points"])}]

    result = run(store, {"alternative_me/fear_greed": parse})

    assert (result.accepted, result.landed, result.refused) == (1, 1, {"points read as no number": 1})
    assert landed(store) == {date(2025, 1, 3): 53}


def test_a_raw_record_that_holds_no_row_any_more_is_resolved(store):
    refuse(store, {"when": "now"}, reason="unreadable")

    result = run(store, {"alternative_me/fear_greed": lambda _payload, _now: []})

    assert (result.records, result.accepted, result.landed) == (1, 1, 0)
    assert run(store).records == 0


def test_records_that_nobody_can_read_stay_open_and_say_why(store):
    refuse(store, {"raw": 1}, [1, 2], "text", reason="record is no object")
    refuse(store, row(1), data_source="archive", partition="2025", hours=1)
    refuse(store, row(2, "53"), row(2, True), reason="value is text", hours=2)

    result = run(store)

    assert result.accepted == 0
    assert result.refused == {
        f"record is no object ({NO_PARSER})": 3,
        WAITS_FOR_IMPORT: 1,
        "value is '53', which is no Int64": 1,
        "value is True, which is no Int64": 1,
    }
    assert result.records == sum(result.refused.values())


def test_instants_and_nan_of_a_row_are_read_as_they_were_written(store):
    written = dict.fromkeys(MARKETS.columns) | {
        "coin_id": "bitcoin",
        "market_date": date(2025, 1, 5),
        "observed_at": datetime(2025, 1, 6, 0, 30, 0, 123, tzinfo=UTC),
        "price_usd": 9e4,
        "volume_24h_usd": float("nan"),
    }
    refuse(store, written, dataset=MARKETS, reason="a rule of old")

    run(store, dataset=MARKETS)

    (found,) = store.newest(MARKETS).rows(named=True)
    assert (found["observed_at"], found["volume_24h_usd"]) == (written["observed_at"], None)


def test_compaction_keeps_what_is_resolved_and_what_is_open(store):
    for hours in range(3):
        refuse(store, row(1 + hours, 50), row(1 + hours, 101), hours=hours)
    run(store)
    refuse(store, row(9, 50), day=9, hours=100)
    before = view(store, "select * from raw.quarantine order by all")

    compact(store, now=LATER, limits=Limits(), switch_readers=lambda: None, report=lambda _step: None)

    assert view(store, "select * from raw.quarantine order by all") == before
    assert summarise(store).select("open_records", "resolved_records").rows() == [(4, 3)]
    assert run(store, at=LATER + timedelta(days=1)).accepted == 1
