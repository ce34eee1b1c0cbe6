"""Weeks of actions: the whole history is decided, what changed is told of explained weeks only, sectors are those of the day."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.learning.actions import ActionRules
from models_ml.learning.dataset import MARKET_COLUMNS, READ_FEATURES, model_frame
from models_ml.learning.ranking import TRADER, train_ranking
from orchestration.lib.action_weeks import build_actions
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import units_of
from orchestration.lib.versioned_tables import DAILY_SIGNALS, GRADE_EXPLANATIONS, TRADER_GRADES, TRADING_SIGNALS
from orchestration.lib.versions import append_versions, create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from tests.unit.orchestration.builds import build_of

WEEKS = [date(2024, 1, 1) + timedelta(weeks=number) for number in range(4)]
NEWEST = WEEKS[-1]
FLIP = NEWEST - timedelta(days=5)
TOKENS = [f"t{number}" for number in range(8)]
IN_DEPIN_BEFORE = {"t7"}
DAYS = [WEEKS[0] - timedelta(days=7) + timedelta(days=number) for number in range(28)]
MOVED = date(2024, 1, 18)
"""On this day the tokens of the AI sector are found to be DePIN."""

CONTEXT = build_of(NEWEST, at=datetime(2024, 1, 22, tzinfo=UTC), recorded_at=datetime(2024, 1, 22, 1, tzinfo=UTC))


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


def features_of(days):
    rng = np.random.default_rng(1)
    names = sorted({*READ_FEATURES, "volume_surge_7d_30d", "volume_30d_median_usd", "volatility_30d", "return_7d"})
    keys = grid(days)
    return keys.with_columns(pl.Series(name, rng.random(keys.height, dtype=np.float32) + 0.5) for name in names)


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_versioned_tables(connection)
        keys = grid(DAYS)
        mart(connection, "feat_token_daily", features_of(DAYS).with_columns(coverage=pl.lit(1.0)))
        mart(
            connection,
            "fct_universe_daily",
            keys.with_columns(is_broad=pl.lit(value=True), is_liquid=pl.lit(value=True)),
        )
        prices = ("btc_price_usd", "btc_sma_100d_usd", "btc_sma_200d_usd")
        state = [name for name in MARKET_COLUMNS if not name.startswith("btc_to_sma")]
        mart(
            connection,
            "feat_market_daily",
            pl.DataFrame({"market_date": DAYS}).with_columns(pl.lit(1.0).alias(name) for name in (*prices, *state)),
        )
        spells = [("AI", date(2020, 1, 1), MOVED), ("DePIN", MOVED, None)]
        mart(
            connection,
            "dim_tokens",
            pl.DataFrame(
                [
                    (token, token.upper(), sector, begins, ends, True)
                    for token in TOKENS
                    for sector, begins, ends in (
                        [("DePIN", date(2020, 1, 1), None)] if token in IN_DEPIN_BEFORE else spells
                    )
                ],
                schema=["token_id", "symbol", "sector", "valid_from", "valid_to", "is_hindsight"],
                orient="row",
            ),
        )
        record_calls(connection)
        yield connection


def record_calls(connection):
    """Every token is bullish: t0 since a Wednesday of the newest week, t1 since long ago, the others since a year."""
    since = {"t0": FLIP, "t1": NEWEST - timedelta(days=60)}
    daily = (
        grid(DAYS)
        .with_columns(as_of_week=pl.col("market_date").dt.truncate("1w").dt.offset_by("7d"))
        .with_columns(
            signal=pl.lit(1, pl.Int8),
            signal_since_date=pl.col("token_id").replace_strict(since, default=date(2023, 1, 1), return_dtype=pl.Date),
            symbol=pl.col("token_id").str.to_uppercase(),
            model_version=pl.lit("calls-1"),
            trader_grade=pl.lit(70.0),
        )
    )
    sundays = daily.filter(pl.col("market_date").dt.weekday() == 7)
    for table, rows in ((DAILY_SIGNALS, daily), (TRADING_SIGNALS, sundays), (TRADER_GRADES, sundays)):
        beside = [pl.lit(None).alias(name) for name in table.hashed_columns if name not in rows.columns]
        chosen = rows.with_columns(beside).select("as_of_week", *table.hashed_columns, "model_version")
        append_versions(connection, table, chosen, provenance=CONTEXT.provenance("backfill"), units=units_of(WEEKS))
    explained = pl.DataFrame(
        {
            "as_of_week": [NEWEST],
            "model": ["trader"],
            "token_id": ["t0"],
            "place": pl.Series([1], dtype=pl.Int32),
            "symbol": ["T0"],
            "feature": ["return_7d"],
            "value": [0.5],
            "contribution": [0.1],
            "sentence": ["x"],
            "model_version": ["trader-1"],
        }
    )
    append_versions(
        connection,
        GRADE_EXPLANATIONS,
        explained,
        provenance=CONTEXT.provenance("backfill"),
        units=units_of([NEWEST]),
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    days = [date(2022, 1, 3) + timedelta(weeks=number) for number in range(40)]
    market = [pl.lit(1.0).alias(name) for name in MARKET_COLUMNS]
    rows = features_of(days).rename({"market_date": "as_of_week"}).with_columns(market)
    frame = model_frame(rows)
    outcome = pl.col("rank_return_7d").cast(pl.Float64)
    labels = frame.select("as_of_week", "token_id", outcome.alias("forward_return_14d")).with_columns(
        pl.col("forward_return_14d").alias(name)
        for name in ("forward_return_7d", "forward_return_14d_lag1", "forward_residual_14d")
    )
    registry = ModelRegistry(tmp_path_factory.mktemp("models"))
    registry.freeze(train_ranking(dataclasses.replace(TRADER, rounds=5), frame, labels, refit=date(2024, 1, 1)))
    return registry


def read(connection, columns):
    return connection.execute(
        f"select {columns} from learning.trade_actions_current order by as_of_week, token_id"
    ).fetchall()


def test_a_first_filling_decides_all_weeks_and_a_second_build_adds_nothing(warehouse, registry):
    first = build_actions(warehouse, registry, CONTEXT, ActionRules())

    assert (first.new_units, first.rows) == (len(WEEKS), len(WEEKS) * len(TOKENS))
    assert {row[0] for row in read(warehouse, "action")} == {"enter small"}

    again = dataclasses.replace(CONTEXT, changed_from=WEEKS[0], recorded_at=CONTEXT.recorded_at + timedelta(hours=1))
    second = build_actions(warehouse, registry, again, ActionRules())

    assert (second.new_units, second.new_versions, second.unchanged_units) == (0, 0, 3)


def test_what_changed_is_told_of_recent_flips_in_explained_weeks_since_the_sunday_before(warehouse, registry):
    build_actions(warehouse, registry, CONTEXT, ActionRules())

    told = [row for row in read(warehouse, "as_of_week, token_id, what_changed") if row[2]]

    assert [row[:2] for row in told] == [(NEWEST, "t0")]
    assert told[0][2].startswith("since 2024-01-14: ")  # the flip is of Wednesday the 17th


def test_a_sector_counts_from_the_day_it_was_known(warehouse, registry):
    build_actions(warehouse, registry, CONTEXT, ActionRules())

    peers = {(row[0], row[1]): row[2] for row in read(warehouse, "as_of_week, token_id, peer_share")}

    assert [peers[week, "t0"] for week in WEEKS] == [1.0] * 4
    assert [peers[week, "t7"] for week in WEEKS] == [
        None,
        None,
        None,
        1.0,
    ]  # alone in DePIN until the others are found there
