import hashlib
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib.content_hash import hash_units
from orchestration.lib.ledger import read_ledger
from orchestration.lib.versioned_tables import (
    BULL_BEAR,
    COMPOSITIONS,
    MODEL_EVALUATION,
    REBALANCES,
    TRADER_GRADES,
    TRADING_SIGNALS,
    VERSIONED_TABLES,
)
from orchestration.lib.versions import (
    ClockError,
    InvalidRowsError,
    Provenance,
    TableLayoutError,
    VersionError,
    append_versions,
    as_recorded,
    create_versioned_tables,
)
from tests.examples import examples

ROOT = Path(__file__).parents[4]
WEEK = date(2025, 1, 6)
MONDAY_MORNING = datetime(2025, 1, 6, 1, tzinfo=UTC)


def hashes(connection, table=BULL_BEAR):
    return read_ledger(connection, table.full_name)["content_hash"].to_list()


def test_a_second_identical_call_writes_nothing(connection, provenance, bull_bear, weeks):
    rows = bull_bear({"broad": 0.5, "liquid": 0.4})
    first = append_versions(connection, BULL_BEAR, rows, provenance=provenance(), units=weeks())

    second = append_versions(
        connection, BULL_BEAR, rows.reverse(), provenance=provenance(run_id="run-2"), units=weeks()
    )

    assert (first.new_units, first.new_versions, first.unchanged_units, first.rows) == (1, 0, 0, 2)
    assert (second.new_units, second.new_versions, second.unchanged_units, second.rows) == (0, 0, 1, 0)
    assert read_ledger(connection, BULL_BEAR.full_name).height == 1


def test_a_correction_adds_a_version_and_supersedes_the_one_before(connection, provenance, bull_bear, weeks):
    later = MONDAY_MORNING + timedelta(days=9)
    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())

    appended = append_versions(
        connection,
        BULL_BEAR,
        bull_bear({"broad": 0.6}),
        provenance=provenance(later, version_reason="correction"),
        units=weeks(),
    )

    stored = connection.sql(
        "select version, bullish_share, superseded_at, origin, version_reason from learning.bull_bear order by version"
    ).pl()
    assert appended.new_versions == 1
    assert stored["version"].to_list() == [1, 2]
    assert stored["bullish_share"].to_list() == [0.5, 0.6]
    assert stored["superseded_at"].to_list() == [later, None]
    assert stored["origin"].to_list() == ["published", "backfilled"]
    assert stored["version_reason"].to_list() == ["scheduled", "correction"]
    assert connection.sql("select bullish_share from learning.bull_bear_current").fetchall() == [(0.6,)]


def test_only_changed_units_of_a_call_get_a_version(connection, provenance, bull_bear, weeks):
    mondays = [WEEK - timedelta(weeks=1), WEEK]
    both = pl.concat([bull_bear({"broad": 0.5}, week=week) for week in mondays])
    append_versions(connection, BULL_BEAR, both, provenance=provenance(), units=weeks(*mondays))

    changed = pl.concat([bull_bear({"broad": 0.5}, week=mondays[0]), bull_bear({"broad": 0.7}, week=mondays[1])])
    appended = append_versions(connection, BULL_BEAR, changed, provenance=provenance(), units=weeks(*mondays))

    assert appended.units == ('{"as_of_week": "2025-01-06"}',)
    assert (appended.new_versions, appended.unchanged_units) == (1, 1)


def test_values_that_go_back_are_a_version_of_their_own(connection, provenance, bull_bear, weeks):
    for share in (0.5, 0.6, 0.5):
        append_versions(connection, BULL_BEAR, bull_bear({"broad": share}), provenance=provenance(), units=weeks())

    first, second, third = hashes(connection)

    assert first == third
    assert first != second


def test_an_empty_unit_is_recorded_and_can_follow_a_filled_one(connection, provenance, bull_bear, weeks):
    append_versions(connection, BULL_BEAR, bull_bear({}), provenance=provenance(), units=weeks())
    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())

    appended = append_versions(connection, BULL_BEAR, bull_bear({}), provenance=provenance(), units=weeks())

    assert read_ledger(connection, BULL_BEAR.full_name)["row_count"].to_list() == [0, 1, 0]
    assert (appended.new_versions, appended.rows) == (1, 0)
    assert connection.sql("select * from learning.bull_bear_current").fetchall() == []


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        pytest.param(0.0, -0.0, True, id="negative zero is zero"),
        pytest.param(0.1 + 0.2, 0.3, True, id="beyond twelve digits"),
        pytest.param(0.123456789012, 0.123456789013, False, id="the twelfth digit"),
        pytest.param(None, 0.0, False, id="null is not zero"),
    ],
)
def test_hash_of_numbers(bull_bear, one, other, are_equal):
    first = hash_units(bull_bear({"broad": one}), BULL_BEAR, by=["as_of_week"])["content_hash"][0]
    second = hash_units(bull_bear({"broad": other}), BULL_BEAR, by=["as_of_week"])["content_hash"][0]

    assert (first == second) is are_equal


def reference_hash(rows: list[dict], table) -> str:
    """The same, slow and obvious."""

    def text(value: object) -> str:
        if value is None:
            return "\\N"
        if isinstance(value, float):
            return "%.11e" % (value + 0.0)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\x1f", "\\u")

    ordered = sorted(rows, key=lambda row: tuple(str(row[column]).encode() for column in table.key_columns))
    lines = ["\x1f".join(text(row[column]) for column in table.hashed_columns) for row in ordered]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["\\N", "a\nb", "a\x1fb", ""])
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"token_id": TEXTS, "symbol": st.none() | TEXTS, "weight": NUMBERS}),
        unique_by=lambda r: r["token_id"],
        min_size=1,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_hash_equals_the_reference_in_any_order(rows, seed):
    full = [{"as_of_week": WEEK, "index_id": "x", "weight_change": None, "reason": "r", **row} for row in rows]
    shuffled = seed.sample(full, len(full))
    types = {"as_of_week": pl.Date, "weight": pl.Float64, "weight_change": pl.Float64}
    frame = pl.DataFrame(shuffled, schema={name: types.get(name, pl.String) for name in COMPOSITIONS.content_columns})

    computed = hash_units(frame, COMPOSITIONS, by=["as_of_week", "index_id"])

    assert computed["content_hash"].to_list() == [reference_hash(full, COMPOSITIONS)]
    assert computed["row_count"].to_list() == [len(rows)]


def test_hash_is_the_same_in_another_process(bull_bear):
    rows = bull_bear({"broad": 1 / 3, "liquid": None})
    program = f"""
import io, polars as pl
from orchestration.lib.content_hash import hash_units
from orchestration.lib.versioned_tables import BULL_BEAR
rows = pl.read_json(io.StringIO({rows.with_columns(pl.col("as_of_week").cast(pl.String)).write_json()!r}))
print(hash_units(rows, BULL_BEAR, by=["as_of_week"])["content_hash"][0])
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == hash_units(rows, BULL_BEAR, by=["as_of_week"])["content_hash"][0]


@settings(examples(8, many=30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(
        st.dictionaries(st.sampled_from(["broad", "liquid", "large"]), st.none() | st.floats(0, 1, width=16)),
        min_size=1,
        max_size=6,
    )
)
def test_any_past_state_can_be_asked_for(history, bull_bear, weeks):
    with duckdb.connect() as connection:
        create_versioned_tables(connection)
        moments = [MONDAY_MORNING + timedelta(hours=place) for place in range(len(history))]
        for moment, shares in zip(moments, history, strict=True):
            origin = Provenance(moment, "run", "abc", "in", moment)
            append_versions(connection, BULL_BEAR, bull_bear(shares), provenance=origin, units=weeks())

        states = [as_recorded(connection, BULL_BEAR, moment) for moment in moments]

        changes = [shares for place, shares in enumerate(history) if place == 0 or shares != history[place - 1]]
        ledger = read_ledger(connection, BULL_BEAR.full_name)
        assert [dict(zip(state["universe"], state["bullish_share"], strict=True)) for state in states] == history
        assert ledger["version"].to_list() == list(range(1, len(changes) + 1))
        assert ledger["superseded_at"].null_count() == 1
        assert as_recorded(connection, BULL_BEAR, moments[0] - timedelta(microseconds=1)).is_empty()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda f: f.drop("tokens"), "columns missing: tokens", id="missing column"),
        pytest.param(lambda f: f.with_columns(extra=1), "columns unknown: extra", id="unknown column"),
        pytest.param(lambda f: pl.concat([f, f]), "2 rows share their key", id="duplicate key"),
        pytest.param(
            lambda f: f.with_columns(universe=pl.lit(None, pl.String)), "universe is null in 1", id="null key"
        ),
        pytest.param(lambda f: f.with_columns(as_of_week=date(2025, 1, 7)), "not a Monday", id="not a Monday"),
        pytest.param(lambda f: f.with_columns(as_of_week=date(2025, 1, 13)), "not among the expected", id="other unit"),
        pytest.param(lambda f: f.with_columns(tokens=1.5), "tokens is Float64, but INTEGER", id="fraction for a count"),
        pytest.param(lambda f: f.with_columns(tokens=pl.lit(2**40)), "outside the range of INTEGER", id="overflow"),
        pytest.param(lambda f: f.with_columns(bullish_share=float("nan")), "bullish_share is NaN", id="not a number"),
        pytest.param(lambda f: f.with_columns(bullish_share=pl.lit("0.5")), "bullish_share is String", id="text"),
    ],
)
def test_rows_that_are_wrong_are_refused_before_anything_is_written(
    connection, provenance, bull_bear, weeks, change, message
):
    rows = change(bull_bear({"broad": 0.5}))

    with pytest.raises(InvalidRowsError, match=message):
        append_versions(connection, BULL_BEAR, rows, provenance=provenance(), units=weeks())

    assert hashes(connection) == []
    assert connection.sql("select * from learning.bull_bear").fetchall() == []


def test_all_problems_of_a_frame_are_named_at_once(connection, provenance, bull_bear, weeks):
    rows = bull_bear({"broad": float("inf")}, week=date(2025, 1, 7))

    with pytest.raises(InvalidRowsError) as caught:
        append_versions(connection, BULL_BEAR, rows, provenance=provenance(), units=weeks())

    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("units", "message"),
    [
        pytest.param(pl.DataFrame({"week": [WEEK]}), "columns missing: as_of_week", id="other column"),
        pytest.param(pl.DataFrame({"as_of_week": [date(2025, 1, 8)]}), "not a Monday", id="not a Monday"),
        pytest.param(pl.DataFrame({"as_of_week": [WEEK, None]}), "as_of_week is null", id="null"),
    ],
)
def test_units_that_are_wrong_are_refused(connection, provenance, bull_bear, units, message):
    with pytest.raises(InvalidRowsError, match=message):
        append_versions(connection, BULL_BEAR, bull_bear({}), provenance=provenance(), units=units)


def test_whole_numbers_and_categories_are_taken_where_nothing_is_lost(connection, provenance, weeks):
    rows = pl.DataFrame(
        {
            "as_of_week": [WEEK],
            "token_id": ["a"],
            "symbol": pl.Series(["A"], dtype=pl.Categorical),
            "signal": [-1],
            "signal_since_date": [WEEK - timedelta(days=1)],
            "p_bullish": [0],
            "p_neutral": pl.Series([0.5], dtype=pl.Float32),
            "p_bearish": [0.5],
        }
    )

    append_versions(connection, TRADING_SIGNALS, rows, provenance=provenance(), units=weeks())

    stored = connection.sql("select symbol, signal, p_bullish, p_neutral from learning.trading_signals").fetchall()
    assert stored == [("A", -1, 0.0, 0.5)]


def test_a_call_that_fails_half_way_leaves_nothing(provenance, bull_bear, weeks):
    with duckdb.connect() as connection:
        create_versioned_tables(connection)
        append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())
        # A ledger that refuses its entry after the rows were inserted and the old ones superseded.
        connection.execute("create table ledger as from quality.unit_versions")
        connection.execute("drop table quality.unit_versions")
        columns = ", ".join(f"{name} {kind}" for name, kind, *_ in connection.sql("describe ledger").fetchall())
        connection.execute(f"create table quality.unit_versions ({columns}, check (version < 2))")
        connection.execute("insert into quality.unit_versions from ledger")

        with pytest.raises(duckdb.ConstraintException):
            append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.6}), provenance=provenance(), units=weeks())

        stored = connection.sql("select version, superseded_at from learning.bull_bear").fetchall()
        assert stored == [(1, None)]


@pytest.mark.parametrize(
    ("hours", "origin"),
    [(-1, "published"), (0, "published"), (48, "published"), (48.01, "backfilled"), (-49, "backfilled")],
)
def test_origin_is_published_within_48_hours_of_as_of(connection, bull_bear, provenance, weeks, hours, origin):
    recorded_at = datetime(2025, 1, 6, tzinfo=UTC) + timedelta(hours=hours)

    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(recorded_at), units=weeks())

    assert read_ledger(connection, BULL_BEAR.full_name)["origin"].to_list() == [origin]


def test_a_rebalance_belongs_to_the_week_that_recorded_it(connection, provenance):
    new_year = datetime(2025, 1, 1, tzinfo=UTC)
    instants = [new_year, datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 6, 0, 0, 1, tzinfo=UTC)]
    rows = pl.DataFrame(
        {
            "index_id": ["top_ten"],
            "effective_at": [new_year],
            "token_id": ["bitcoin"],
            "symbol": ["BTC"],
            "target_weight": [1.0],
            "reason": ["entered"],
            "as_of_week": [date(2025, 1, 13)],
        }
    )
    units = pl.DataFrame({"index_id": ["top_ten"] * 3, "effective_at": instants})

    append_versions(connection, REBALANCES, rows, provenance=provenance(), units=units)

    ledger = read_ledger(connection, REBALANCES.full_name)
    assert ledger["as_of_week"].to_list() == [date(2025, 1, 13), date(2025, 1, 6), date(2025, 1, 13)]
    assert ledger["unit"][0] == '{"index_id": "top_ten", "effective_at": "2025-01-01T00:00:00Z"}'


def test_a_rebalance_of_two_weeks_is_refused(connection, provenance):
    instant = datetime(2025, 1, 6, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "index_id": ["top_ten"] * 2,
            "effective_at": [instant] * 2,
            "token_id": ["bitcoin", "ethereum"],
            "symbol": ["BTC", "ETH"],
            "target_weight": [0.5, 0.5],
            "reason": ["entered"] * 2,
            "as_of_week": [WEEK, WEEK + timedelta(weeks=1)],
        }
    )

    with pytest.raises(InvalidRowsError, match="do not name exactly one as_of_week"):
        append_versions(
            connection, REBALANCES, rows, provenance=provenance(), units=rows.select("index_id", "effective_at")
        )


def test_the_model_of_a_row_comes_before_the_model_of_the_call(connection, provenance, weeks):
    rows = pl.DataFrame(
        {
            "as_of_week": [WEEK] * 3,
            "model": ["a", "b", "c"],
            "universe": ["broad"] * 3,
            "metric": ["rank_ic"] * 3,
            "value": [0.1, 0.2, None],
            "model_version": ["m2", None, "m1"],
        }
    )

    append_versions(connection, MODEL_EVALUATION, rows, provenance=provenance(model_version="m0"), units=weeks())

    stored = connection.sql("select model, model_version from learning.model_evaluation order by model").fetchall()
    assert stored == [("a", "m2"), ("b", "m0"), ("c", "m1")]
    assert read_ledger(connection, MODEL_EVALUATION.full_name)["model_version"].to_list() == ["m0, m1, m2"]


def test_ids_and_times_are_no_news(connection, provenance, bull_bear, weeks):
    rows = bull_bear({"broad": 0.5})
    append_versions(connection, BULL_BEAR, rows, provenance=provenance(), units=weeks())

    other = provenance(MONDAY_MORNING + timedelta(days=3), run_id="other", code_version="new", inputs_hash="other")
    appended = append_versions(connection, BULL_BEAR, rows, provenance=other, units=weeks())

    assert appended.unchanged_units == 1


def test_a_version_cannot_be_backdated(connection, provenance, bull_bear, weeks):
    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())
    earlier = provenance(MONDAY_MORNING - timedelta(seconds=1))

    with pytest.raises(ClockError, match="cannot be backdated"):
        append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.6}), provenance=earlier, units=weeks())


def test_instants_need_a_time_zone(connection):
    with pytest.raises(VersionError, match="no time zone"):
        Provenance(datetime(2025, 1, 6), "run", "abc", "in", MONDAY_MORNING)  # noqa: DTZ001 - what is refused
    with pytest.raises(VersionError, match="no time zone"):
        as_recorded(connection, BULL_BEAR, datetime(2025, 1, 6))  # noqa: DTZ001 - what is refused


def test_the_session_time_zone_changes_nothing(connection, provenance, bull_bear, weeks):
    connection.execute("set timezone = 'Asia/Tokyo'")
    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())

    stored = as_recorded(connection, BULL_BEAR, MONDAY_MORNING)

    assert stored["recorded_at"].to_list() == [MONDAY_MORNING]
    assert stored["as_of_week"].to_list() == [WEEK]


def test_creating_tables_again_keeps_rows_and_documents_every_column(connection, provenance, bull_bear, weeks):
    append_versions(connection, BULL_BEAR, bull_bear({"broad": 0.5}), provenance=provenance(), units=weeks())

    create_versioned_tables(connection)

    undocumented = connection.sql(
        "select table_name, column_name from duckdb_columns() where comment is null and not internal"
    ).fetchall()
    tables = connection.sql(
        "select schema_name || '.' || table_name from duckdb_tables() where comment is not null"
    ).fetchall()
    assert hashes(connection) != []
    assert undocumented == []
    assert {name for (name,) in tables} == {table.full_name for table in VERSIONED_TABLES} | {"quality.unit_versions"}


def test_a_table_of_another_layout_is_refused(connection):
    connection.execute("alter table learning.bull_bear add column surprise integer")

    with pytest.raises(TableLayoutError, match="surprise"):
        create_versioned_tables(connection)


def test_nine_years_of_weeks_are_appended_in_seconds(connection, provenance):
    mondays = [date(2016, 5, 23) + timedelta(weeks=place) for place in range(450)]
    count = 450 * 450
    numbers = np.random.default_rng(5)
    rows = pl.DataFrame(
        {
            "as_of_week": np.repeat(np.array(mondays, dtype="datetime64[D]"), 450),
            "token_id": [f"token-{place % 450}" for place in range(count)],
            "symbol": ["ABC"] * count,
            "is_grade_provisional": [True] * count,
            "universe": ["broad"] * count,
            **{name: numbers.random(count) for name, kind in TRADER_GRADES.value_columns.items() if kind == "DOUBLE"},
        }
    )
    started = time.process_time()

    appended = append_versions(
        connection, TRADER_GRADES, rows, provenance=provenance(), units=pl.DataFrame({"as_of_week": mondays})
    )

    assert (appended.new_units, appended.rows) == (450, count)
    assert time.process_time() - started < 6
