"""The market as indices ask for it: which scores a screened index may know at the close it trades at."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import fold
from models_ml.indices.state import new_state
from orchestration.lib.index_weeks import PRIOR_SCORE_DAYS, read_market
from orchestration.lib.run_context import units_of
from orchestration.lib.versioned_tables import DAILY_GRADES
from orchestration.lib.versions import append_versions, create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from orchestration.lib.weeks import WEEK
from tests.unit.orchestration.builds import build_of

TOKENS = [f"t{number}" for number in range(5)]
DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(63)]  # from a Monday, nine weeks
UNTIL = DAYS[-1] + timedelta(days=1)
TRADES_AT = date(2024, 1, 31)  # the close that prices the rebalance of 1 February


def screened_index(**fields):
    content = {
        "index_id": "screened",
        "name": "Screened",
        "kind": "passive",
        "methodology": "Five without the worst.",
        "selection": {"count": 5, "leave_out_worst": 0.2},
        "calendar": {"rule": "monthly"},
        "minimum_constituents": 3,
    }
    return IndexDefinition.model_validate(content | fields)


def mart(connection, name, frame):
    connection.register("incoming", frame)
    connection.execute(f"create table marts.{name} as select * from incoming")
    connection.unregister("incoming")


def grid(days):
    return pl.DataFrame(
        [(token, day) for day in days for token in TOKENS],
        schema={"token_id": pl.String, "market_date": pl.Date},
        orient="row",
    )


def record_scores(connection, worst_of_day):
    """Daily scores; each day's worst token scores 0 and the others 1 and more."""
    rows = grid(list(worst_of_day)).with_columns(
        as_of_week=pl.col("market_date").dt.truncate("1w") + timedelta(days=7),
        trader_score=pl.when(pl.col("token_id") == pl.col("market_date").replace_strict(worst_of_day))
        .then(0.0)
        .otherwise(pl.col("token_id").str.slice(1).cast(pl.Float64) + 1),
        model_version=pl.lit("trader-2023-10-02"),
    )
    missing = [name for name in DAILY_GRADES.value_columns if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)
    context = build_of(UNTIL, at=datetime(2024, 3, 4, tzinfo=UTC), recorded_at=datetime(2024, 3, 4, 1, tzinfo=UTC))
    weeks = rows["as_of_week"].unique().sort().to_list()
    append_versions(connection, DAILY_GRADES, rows, provenance=context.provenance("backfill"), units=units_of(weeks))


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_schemas(connection)
        create_versioned_tables(connection)
        keys = grid(DAYS)
        universe = keys.with_columns(
            price_usd=pl.lit(1.0),
            market_cap_usd=pl.lit(1e9),
            volume_30d_median_usd=pl.lit(1e8),
            age_days=pl.lit(100),
            is_stable=pl.lit(value=False),
            is_wrapped=pl.lit(value=False),
            is_supply_carried=pl.lit(value=False),
        )
        mart(connection, "fct_universe_daily", universe)
        mart(connection, "fct_daily", keys.with_columns(price_usd=pl.lit(1.0), is_carried=pl.lit(value=False)))
        averages = [pl.lit(1.0).alias(f"btc_{name}_usd") for name in ("price", "sma_100d", "sma_200d")]
        mart(connection, "feat_market_daily", pl.DataFrame({"market_date": DAYS}).with_columns(averages))
        tokens = pl.DataFrame({"token_id": TOKENS, "symbol": TOKENS}).with_columns(
            sector=pl.lit("L1"),
            is_fiat_backed=pl.lit(value=False),
            valid_from=pl.lit(date(2020, 1, 1)),
            valid_to=pl.lit(None, pl.Date),
        )
        mart(connection, "dim_tokens", tokens)
        yield connection


def prior_scores(market, day):
    return dict(market.candidates(day).select("token_id", "prior_score").iter_rows())


def test_a_snapshot_has_the_scores_of_the_close_before_and_never_its_own(warehouse):
    record_scores(warehouse, {day: "t0" if day < TRADES_AT else "t1" for day in DAYS})

    market = read_market(warehouse, [screened_index()], until=UNTIL)

    assert prior_scores(market, TRADES_AT) == {"t0": 0.0, "t1": 2.0, "t2": 3.0, "t3": 4.0, "t4": 5.0}


def test_scores_of_the_trading_close_and_later_change_nothing_of_what_trades_at_it(warehouse):
    record_scores(warehouse, {day: "t0" if day < TRADES_AT else "t1" for day in DAYS})
    definition = screened_index()
    weeks = [DAYS[0] + WEEK * number for number in range(1, 9)]

    results = list(fold(definition, new_state(definition), weeks, read_market(warehouse, [definition], until=UNTIL)))

    worst = pl.concat([result.rebalances for result in results]).filter(pl.col("target_weight") == 0)
    assert [(at.date(), token) for at, token in worst.select("effective_at", "token_id").iter_rows()] == [
        (date(2024, 1, 8), "t0"),
        (date(2024, 2, 1), "t0"),
    ]


def test_all_scores_of_a_snapshot_are_of_the_newest_scored_day_and_none_is_older_than_a_week(warehouse):
    scored = TRADES_AT - timedelta(days=PRIOR_SCORE_DAYS)
    record_scores(warehouse, {scored: "t2", scored - timedelta(days=1): "t3", date(2024, 2, 21): "t4"})

    market = read_market(warehouse, [screened_index()], until=UNTIL)

    assert prior_scores(market, TRADES_AT)["t2"] == 0
    assert prior_scores(market, TRADES_AT)["t3"] == 4
    assert set(prior_scores(market, date(2024, 2, 29)).values()) == {None}  # eight days after the newest score
    assert prior_scores(market, date(2024, 2, 25))["t4"] == 0


def test_scores_are_not_read_where_no_index_screens_by_them(warehouse):
    record_scores(warehouse, dict.fromkeys(DAYS, "t0"))

    market = read_market(warehouse, [screened_index(selection={"count": 5})], until=UNTIL)

    assert set(prior_scores(market, TRADES_AT).values()) == {None}
