"""Weeks of evaluation: each head has its own outcome, its own Monday and its own reach of late facts; sectors are those of the day."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.learning.dataset import MARKET_COLUMNS, READ_FEATURES
from orchestration.lib.evaluation_weeks import (
    EVALUATED_HEADS,
    EVALUATED_INVESTOR,
    EVALUATED_TRADER,
    evaluate,
    weeks_to_evaluate,
    with_trailing_icir,
)
from orchestration.lib.run_context import units_of
from orchestration.lib.versions import append_versions, create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from tests.unit.orchestration.builds import build_of

WEEK = date(2024, 1, 1)
WEEKS = [WEEK, WEEK + timedelta(weeks=1)]
TOKENS = [f"t{number:02d}" for number in range(44)]
DAYS = [WEEK - timedelta(days=1) + timedelta(days=number) for number in range(110)]
MOVED = WEEKS[1]
"""From this Monday on the tokens of the AI sector are found to be DePIN."""

CONTEXT = build_of(
    WEEK + timedelta(weeks=13), at=datetime(2024, 4, 1, tzinfo=UTC), recorded_at=datetime(2024, 4, 1, 1, tzinfo=UTC)
)


def at(weeks, **changes):
    """The build so many weeks after the first graded one."""
    return dataclasses.replace(CONTEXT, as_of_week=WEEK + timedelta(weeks=weeks), **changes)


def mart(connection, name, frame):
    connection.register("incoming", frame)
    connection.execute(f"create table marts.{name} as select * from incoming")
    connection.unregister("incoming")


def sundays():
    return pl.DataFrame(
        [(token, week - timedelta(days=1)) for week in WEEKS for token in TOKENS],
        schema={"token_id": pl.String, "market_date": pl.Date},
        orient="row",
    )


def price(number, day):
    """Tokens with a higher number rise more up to February, and from March on they are worth less than the others."""
    if day < date(2024, 3, 1):
        return 100.0 + (day - DAYS[0]).days * number
    return 100.0 - number


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_versioned_tables(connection)
        keys = sundays()
        features = [pl.lit(0.5, pl.Float32).alias(name) for name in READ_FEATURES if name != "log_market_cap"]
        # The first half of the tokens has 50 million USD, the second 5 billion.
        cap = pl.when(pl.col("token_id") < TOKENS[22]).then(5e7).otherwise(5e9).log()
        mart(connection, "feat_token_daily", keys.with_columns(*features, log_market_cap=cap, coverage=pl.lit(1.0)))
        mart(
            connection,
            "fct_universe_daily",
            keys.with_columns(is_broad=pl.lit(value=True), is_liquid=pl.lit(value=False)),
        )
        prices = ("btc_price_usd", "btc_sma_100d_usd", "btc_sma_200d_usd")
        state = [name for name in MARKET_COLUMNS if not name.startswith("btc_to_sma")]
        mart(
            connection,
            "feat_market_daily",
            keys.select(pl.col("market_date").unique()).with_columns(
                pl.lit(1.0).alias(name) for name in (*prices, *state)
            ),
        )
        spells = [("AI", date(2020, 1, 1), MOVED - timedelta(days=1)), ("DePIN", MOVED - timedelta(days=1), None)]
        mart(
            connection,
            "dim_tokens",
            pl.DataFrame(
                [(token, token.upper(), *spell) for token in TOKENS for spell in spells],
                schema=["token_id", "symbol", "sector", "valid_from", "valid_to"],
                orient="row",
            ),
        )
        closes = [(token, day, price(number, day)) for number, token in enumerate(TOKENS) for day in DAYS]
        mart(
            connection,
            "fct_daily",
            pl.DataFrame(closes, schema=["token_id", "market_date", "price_usd"], orient="row").with_columns(
                volume_24h_usd=pl.lit(1e7), is_carried=pl.lit(value=False)
            ),
        )
        for head in EVALUATED_HEADS:
            record_grades(connection, head)
        yield connection


def record_grades(connection, head):
    """Both heads score every token by its number."""
    rows = sundays().with_columns(
        as_of_week=pl.col("market_date") + timedelta(days=1),
        score=pl.col("token_id").str.slice(1).cast(pl.Float64),
        model_version=pl.lit(f"{head.name}-1"),
    )
    beside = [pl.lit(None).alias(name) for name in head.grades.hashed_columns if name not in rows.columns]
    chosen = rows.with_columns(beside).select("as_of_week", *head.grades.hashed_columns, "model_version")
    append_versions(connection, head.grades, chosen, provenance=CONTEXT.provenance("backfill"), units=units_of(WEEKS))


def recorded(connection, head):
    rows = connection.execute(
        f"select as_of_week, model, universe, metric, value from {head.table.current_view_sql_name}"
    ).fetchall()
    return {tuple(row[:-1]): row[-1] for row in rows}


@pytest.mark.parametrize(("head", "weeks"), [(EVALUATED_TRADER, 3), (EVALUATED_INVESTOR, 13)])
def test_a_week_is_evaluated_on_the_first_monday_after_its_lagged_label(warehouse, head, weeks):
    assert head.label_end(WEEK) < WEEK + timedelta(weeks=weeks) <= head.label_end(WEEK) + timedelta(weeks=1)
    assert weeks_to_evaluate(warehouse, at(weeks - 1), head, head.table) == []
    assert weeks_to_evaluate(warehouse, at(weeks), head, head.table) == [WEEK]
    assert weeks_to_evaluate(warehouse, at(weeks + 1), head, head.table) == WEEKS


def test_each_head_is_judged_by_its_own_horizon_in_its_own_table(warehouse):
    appended = {head.name: evaluate(warehouse, CONTEXT, head) for head in EVALUATED_HEADS}
    trader, investor = (recorded(warehouse, head) for head in EVALUATED_HEADS)

    assert {name: each.new_units for name, each in appended.items()} == {"trader": 2, "investor": 1}
    assert trader[WEEK, "trader", "broad", "rank_ic"] == pytest.approx(1.0)
    assert investor[WEEK, "investor", "broad", "rank_ic"] == pytest.approx(-1.0)
    assert trader[WEEK, "trader", "broad", "tokens"] == investor[WEEK, "investor", "broad", "tokens"] == 44
    # Two rows of all models and metrics are never of one key, whichever table they are in.
    assert not trader.keys() & investor.keys()


def test_a_week_is_evaluated_in_the_sectors_of_its_sunday_and_by_size(warehouse):
    evaluate(warehouse, CONTEXT, EVALUATED_TRADER)

    found = recorded(warehouse, EVALUATED_TRADER)

    groups = {
        (week, universe): value
        for (week, _, universe, metric), value in found.items()
        if metric == "tokens" and universe not in ("broad", "liquid")
    }
    sizes = {(week, name): 22.0 for week in WEEKS for name in ("size_20m_to_100m", "size_above_1b")}
    assert groups == {(WEEKS[0], "sector_AI"): 44.0, (WEEKS[1], "sector_DePIN"): 44.0, **sizes}
    assert found[WEEK, "trader", "size_above_1b", "rank_ic_lag1"] == pytest.approx(1.0)


@pytest.mark.parametrize("head", EVALUATED_HEADS)
def test_evaluating_again_adds_no_version(warehouse, head):
    evaluate(warehouse, CONTEXT, head)

    again = evaluate(warehouse, CONTEXT, head, weeks=[WEEK])

    assert (again.new_versions, again.unchanged_units) == (0, 1)


def test_a_late_fact_reaches_an_evaluation_that_was_due_within_the_reach_and_whose_labels_hold_it(warehouse):
    evaluate(warehouse, CONTEXT, EVALUATED_INVESTOR)

    def reached(weeks, changed_from):
        build = at(weeks, changed_from=changed_from, correction_weeks=8)
        return WEEK in weeks_to_evaluate(warehouse, build, EVALUATED_INVESTOR, EVALUATED_INVESTOR.table)

    # Due 13 weeks after its Monday, so within reach until 20 weeks after it; its label ends on 2024-03-31.
    assert reached(20, date(2024, 3, 31))
    assert not reached(21, date(2024, 3, 31))
    assert not reached(20, date(2024, 4, 1))


def test_the_trailing_ratio_rests_on_recorded_weeks_and_those_computed_with_it():
    weeks = [WEEK + timedelta(weeks=number) for number in range(26)]
    ics = [0.1 + 0.1 * (-1) ** number for number in range(26)]
    history = pl.DataFrame({"as_of_week": weeks[:24], "universe": ["broad"] * 24, "value": ics[:24]})
    rows = pl.DataFrame(
        {
            "as_of_week": weeks[24:],
            "model": ["investor"] * 2,
            "universe": ["broad"] * 2,
            "metric": ["rank_ic"] * 2,
            "value": ics[24:],
        }
    )

    found = with_trailing_icir(rows, history, EVALUATED_INVESTOR).filter(pl.col("metric") == "icir_52w")

    # Half of the 26 weeks are 0.2 and half 0, so the mean is 0.1 and the sample variance 26 * 0.01 / 25; 25 weeks are too few.
    assert found["as_of_week"].to_list() == [weeks[25]]
    assert found["value"].item() == pytest.approx(0.1 / (26 * 0.01 / 25) ** 0.5)
    assert found["model"].item() == "investor"
