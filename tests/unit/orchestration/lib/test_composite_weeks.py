"""Indices of indices in a warehouse: computed after what they hold, continued, begun later, corrected and checked in plain SQL."""

import datetime as dt
import re
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import CANDIDATE_SCHEMA, PRICE_SCHEMA, MarketData, MarketState
from orchestration.lib.index_weeks import append_indices, compute_indices
from orchestration.lib.versions import create_versioned_tables
from tests.unit.orchestration.builds import build_of

FIRST, DAYS = dt.date(2024, 1, 1), 7 * 26
LEVEL_CHECK = Path(__file__).parents[4] / "dbt_project" / "models" / "api" / "index_level_check.sql"
TOKENS = [f"t{number}" for number in range(8)]
LAST_WEEK = FIRST + dt.timedelta(days=DAYS)


def definition(index_id, **fields):
    content = {
        "index_id": index_id,
        "name": index_id,
        "kind": "passive",
        "methodology": "Tokens.",
        "calendar": {"rule": "monthly"},
    }
    tokens = {"selection": {"count": 3}, "minimum_constituents": 2}
    return IndexDefinition.model_validate(content | ({} if "components" in fields else tokens) | fields)


TOP = definition("top")
SCORED = definition("scored", calendar={"rule": "weekly_model"}, ranking={"by": "score"})
MIX = definition(
    "a_mix",  # before its components in the alphabet
    components=[{"index": "scored", "weight": 0.3}, {"index": "top", "weight": 0.7}],
    calendar={"rule": "monthly", "months": [2, 4]},
)
ALL = [MIX, SCORED, TOP]


@pytest.fixture(scope="module")
def closes():
    """Random closes: one row per day, one column per token."""
    steps = np.random.default_rng(7).normal(0, 0.05, size=(DAYS, len(TOKENS)))
    return 10 * np.exp(np.cumsum(steps, axis=0))


@pytest.fixture(scope="module")
def scores():
    """Random scores: one row per week, one column per token."""
    return np.random.default_rng(8).normal(size=(DAYS // 7 + 1, len(TOKENS)))


@pytest.fixture(scope="module")
def market_of(scores):
    def make(closes):
        rows = [
            (FIRST + dt.timedelta(days=day), token_id, float(closes[day, column]))
            for day in range(DAYS)
            for column, token_id in enumerate(TOKENS)
        ]

        def candidates(day):
            offset = (day - FIRST).days
            return pl.DataFrame(
                [
                    {
                        "token_id": token_id,
                        "symbol": token_id.upper(),
                        "sector": None,
                        "is_stable": False,
                        "is_wrapped": False,
                        "is_fiat_backed": False,
                        "price_usd": float(closes[offset, column]),
                        "market_cap_usd": float(closes[offset, column]) * 1e6,
                        "volume_30d_median_usd": 1e9,
                        "age_days": offset,
                        "trader_grade": 60.0,
                        "score": float(scores[offset // 7, column]),
                    }
                    for column, token_id in enumerate(TOKENS)
                ],
                schema=CANDIDATE_SCHEMA,
            )

        return MarketData(
            prices=pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row"),
            candidates=candidates,
            market_state=lambda day: MarketState(None),
        )

    return make


@pytest.fixture
def warehouse(closes):
    """Opens warehouses in memory with versioned tables and the closes as a mart."""
    opened = []

    def make():
        connection = duckdb.connect()
        opened.append(connection)
        connection.execute("set TimeZone = 'UTC'")
        create_versioned_tables(connection)
        connection.execute("create schema marts")
        days = [FIRST + dt.timedelta(days=day) for day in range(DAYS)]
        daily = pl.concat(
            pl.DataFrame({"market_date": days, "token_id": [token_id] * DAYS, "price_usd": closes[:, column]})
            for column, token_id in enumerate(TOKENS)
        )
        connection.register("daily", daily.to_arrow())
        connection.execute("create table marts.fct_daily as select *, false as is_carried from daily")
        return connection

    yield make
    for connection in opened:
        connection.close()


def build(connection, definitions, market, week, *, changed_from=None, minute=0, weeks_of=None):
    """One weekly build: compute what it chooses, record it."""
    recorded_at = dt.datetime(2024, 12, 1, 0, minute, tzinfo=dt.UTC)
    context = build_of(week, at=recorded_at, build_id=f"build-{minute}", changed_from=changed_from)
    computed = compute_indices(connection, definitions, market, context, weeks_of=weeks_of)
    return computed, append_indices(connection, computed, context)


def rows_of(connection, table, index_id="a_mix"):
    columns = {
        "levels": "date, level, status, status_reason",
        "rebalances": "effective_at, token_id, target_weight, reason",
        "compositions": "as_of_week, token_id, weight, reason",
    }[table]
    return connection.execute(
        f"select {columns} from indices.{table}_current where index_id = ? order by all", [index_id]
    ).pl()


def check(connection):
    """The api's recalculation of every level, with dbt's references resolved."""
    sql = re.sub(
        r"\{\{ (source\('indices', '|ref\(')(\w+)'\) \}\}", lambda found: _table(found[2]), LEVEL_CHECK.read_text()
    )
    return connection.execute(
        f"select index_id, count(*) as days, max(abs(relative_difference)) as difference from ({sql}) group by index_id"
    ).pl()


def _table(name):
    return f"marts.{name}" if name == "fct_daily" else f"indices.{name}"


def test_an_index_is_computed_after_those_it_holds_and_recorded_with_them(warehouse, market_of, closes):
    connection = warehouse()

    computed, appended = build(connection, ALL, market_of(closes), LAST_WEEK)

    assert [each.definition.index_id for each in computed] == ["a_mix", "scored", "top"]
    levels = rows_of(connection, "levels").filter(pl.col("level").is_not_null())
    assert levels["date"].min() == dt.date(2024, 1, 31)  # scored has levels from 8 January on
    assert levels["level"][0] == 1000
    assert appended["indices.levels"].new_units > 0


def test_every_level_of_a_mix_follows_from_its_rebalances_in_the_sql_of_the_api(warehouse, market_of, closes):
    connection = warehouse()
    build(connection, ALL, market_of(closes), LAST_WEEK)

    checked = {row["index_id"]: row for row in check(connection).iter_rows(named=True)}

    assert checked.keys() == {"a_mix", "scored", "top"}
    assert all(row["difference"] < 1e-9 for row in checked.values())
    assert checked["a_mix"]["days"] == rows_of(connection, "levels")["level"].drop_nulls().len() - 1


def test_a_mix_continued_week_by_week_is_the_one_computed_at_once(warehouse, market_of, closes):
    market, at_once, weekly = market_of(closes), warehouse(), warehouse()
    build(at_once, ALL, market, LAST_WEEK)

    for minute, weeks_before in enumerate((8, 3, 2, 1, 0)):
        week = LAST_WEEK - dt.timedelta(weeks=weeks_before)
        build(weekly, ALL, market, week, minute=minute, changed_from=week - dt.timedelta(days=7) if minute else None)

    for table in ("levels", "rebalances", "compositions"):
        expected, found = rows_of(at_once, table), rows_of(weekly, table)
        numbers = [name for name, dtype in expected.schema.items() if dtype == pl.Float64]
        assert found.drop(numbers).equals(expected.drop(numbers))
        for name in numbers:
            assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-12)


def test_a_mix_begun_later_has_the_history_its_components_published(warehouse, market_of, closes):
    market, together, later = market_of(closes), warehouse(), warehouse()
    build(together, ALL, market, LAST_WEEK)
    build(later, [SCORED, TOP], market, LAST_WEEK - dt.timedelta(weeks=1))

    build(later, ALL, market, LAST_WEEK, minute=1, changed_from=LAST_WEEK - dt.timedelta(days=7))

    assert rows_of(later, "levels")["level"].to_list() == pytest.approx(
        rows_of(together, "levels")["level"].to_list(), rel=1e-12
    )
    assert rows_of(later, "rebalances")["reason"].equals(rows_of(together, "rebalances")["reason"])


@pytest.mark.parametrize("weeks_before", [1, 5, 9])
def test_a_week_built_again_from_what_was_recorded_before_it_adds_no_version(
    weeks_before, warehouse, market_of, closes
):
    market, connection = market_of(closes), warehouse()
    build(connection, ALL, market, LAST_WEEK)
    week = LAST_WEEK - dt.timedelta(weeks=weeks_before)

    computed, appended = build(connection, ALL, market, week, minute=1, weeks_of=lambda index_id: [week])

    assert [result.as_of_week for result in computed[0].results] == [week]
    assert computed[0].results[0].compositions.height > 0
    assert [(each.new_units, each.new_versions) for each in appended.values()] == [(0, 0)] * 3
    assert appended["indices.levels"].unchanged_units == 3


def test_a_corrected_close_gives_the_mix_new_versions_from_its_week_on_and_none_before(warehouse, market_of, closes):
    connection, corrected = warehouse(), closes.copy()
    build(connection, ALL, market_of(closes), LAST_WEEK)
    day = DAYS - 18
    corrected[day] *= np.linspace(0.8, 1.3, len(TOKENS))

    computed, appended = build(
        connection, ALL, market_of(corrected), LAST_WEEK, minute=1, changed_from=FIRST + dt.timedelta(days=day)
    )

    first = min(result.as_of_week for result in computed[0].results)
    assert first == LAST_WEEK - dt.timedelta(weeks=2)
    versions = connection.execute(
        "select distinct as_of_week from indices.levels where index_id = 'a_mix' and version = 2 order by 1"
    ).fetchall()
    assert versions[0] == (first,)
    assert appended["indices.levels"].new_versions >= 1
