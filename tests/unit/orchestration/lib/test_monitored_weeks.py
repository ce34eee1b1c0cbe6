"""Drift, novelty and confidence by week: what stands in the tables equals the direct computation."""

import dataclasses
import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.learning.confidence import EXPIRED_CAP
from models_ml.learning.dataset import MARKET_COLUMNS, READ_FEATURES
from models_ml.learning.evaluation.stability import novelty, population_stability, training_ranges
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.training_profile import training_profile, values_behind
from orchestration.lib.monitored_weeks import build_monitor
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.versions import create_versioned_tables
from orchestration.lib.weekly_inputs import weekly_features
from tests.unit.orchestration.builds import build_of

COLUMNS = ("rank_return_7d", "rank_volatility_30d", "log_volatility_7d_to_30d", "btc_return_7d")
FIRST = dt.date(2023, 1, 2)
WEEKS, TOKENS = 40, 12
REFIT = FIRST + dt.timedelta(weeks=20)
JUDGED = [REFIT, REFIT + dt.timedelta(weeks=1)]
BUILT_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def marts():
    """The marts of some weeks of random features, some of them unknown, volatility rising with time."""
    rng = np.random.default_rng(1)
    count = WEEKS * TOKENS
    week = np.repeat(np.arange(WEEKS), TOKENS)
    keys = {
        "market_date": [FIRST + dt.timedelta(days=7 * int(number) - 1) for number in week],
        "token_id": [f"t{token:02d}" for token in range(TOKENS)] * WEEKS,
    }
    values = {name: np.exp(rng.normal(0, 1, count) + week / 20) for name in READ_FEATURES}
    values["return_7d"] = np.where(rng.random(count) < 0.2, np.nan, rng.normal(0, 1, count))
    features = pl.DataFrame({**keys, **values, "coverage": np.ones(count)}).with_columns(
        pl.col("return_7d").fill_nan(None)
    )
    averages = ("btc_price_usd", "btc_sma_100d_usd", "btc_sma_200d_usd")
    named = [name for name in MARKET_COLUMNS if not name.startswith("btc_to_sma")]
    market = pl.DataFrame(
        {
            "market_date": [FIRST + dt.timedelta(days=7 * number - 1) for number in range(WEEKS)],
            **{name: np.exp(rng.normal(0, 1, WEEKS)) for name in (*averages, *named)},
        }
    )
    universe = features.select("token_id", "market_date", is_broad=pl.lit(value=True), is_liquid=pl.lit(value=True))
    tokens = (
        features.select("token_id")
        .unique()
        .sort("token_id")
        .with_columns(
            symbol=pl.col("token_id").str.to_uppercase(),
            valid_from=pl.lit(dt.date(2020, 1, 1)),
            valid_to=pl.lit(None, dtype=pl.Date),
        )
    )
    return {
        "feat_token_daily": features,
        "fct_universe_daily": universe,
        "dim_tokens": tokens,
        "feat_market_daily": market,
    }


@pytest.fixture
def warehouse(marts):
    with duckdb.connect() as connection:
        create_versioned_tables(connection)
        connection.execute("create schema marts")
        for name, frame in marts.items():
            connection.register("incoming", frame.to_arrow())
            connection.execute(f"create table marts.{name} as select * from incoming")
            connection.unregister("incoming")
        yield connection


@pytest.fixture
def training(warehouse):
    weekly = weekly_features(warehouse, until=FIRST + dt.timedelta(weeks=WEEKS))
    return weekly.filter(pl.col("as_of_week") < REFIT)


@pytest.fixture
def registry(tmp_path, training):
    registry = ModelRegistry(tmp_path)
    for head in ("trader", "calls"):
        model = FrozenModel(head, REFIT, {"one": head}, COLUMNS, (FIRST, FIRST), 1)
        registry.freeze(model, profile=training_profile(training, COLUMNS))
    return registry


def context(week, **changes):
    return build_of(week, at=BUILT_AT, **({"build_id": "run-1"} | changes))


def figures(connection, *, model="trader"):
    rows = connection.execute(
        "select as_of_week, metric, value from learning.model_monitor_current where model = ?", [model]
    ).fetchall()
    return {(week, metric): value for week, metric, value in rows}


def test_drift_in_the_table_is_the_index_of_training_and_the_quarter(warehouse, registry, training):
    build_monitor(warehouse, registry, context(JUDGED[-1]), weeks=JUDGED)

    seen = figures(warehouse)
    weekly = weekly_features(warehouse, until=JUDGED[-1])
    for week in JUDGED:
        quarter = weekly.filter(pl.col("as_of_week").is_between(week - dt.timedelta(weeks=12), week))
        direct = [
            population_stability(values_behind(training, [name])[name], values_behind(quarter, [name])[name])
            for name in COLUMNS
            if name not in MARKET_COLUMNS
        ]
        assert seen[week, "psi_max"] == pytest.approx(max(direct))
        assert seen[week, "psi_mean"] == pytest.approx(np.mean(direct))
        assert seen[week, "columns_drifted"] == sum(psi > 0.25 for psi in direct)
        assert seen[week, "columns_compared"] == 3
        assert seen[week, "age_days"] == (week - REFIT).days
    assert figures(warehouse, model="calls") == seen


def test_novelty_and_confidence_in_the_table_are_those_of_the_rows(warehouse, registry, training):
    build_monitor(warehouse, registry, context(JUDGED[-1]), weeks=JUDGED)

    rows = warehouse.execute("select * from learning.confidence_current order by as_of_week, token_id").pl()
    present = weekly_features(warehouse, until=JUDGED[-1]).filter(pl.col("as_of_week").is_in(JUDGED))
    direct = novelty(values_behind(present, COLUMNS), training_ranges(values_behind(training, COLUMNS), COLUMNS))
    drifted = [figures(warehouse)[week, "columns_drifted"] / 3 for week in rows["as_of_week"]]
    assert rows.height == TOKENS * len(JUDGED)
    assert rows["trader_novelty"].to_list() == pytest.approx(direct.to_list())
    expected = [max(0, 1 - 2 * new) * (1 - share / 2) for new, share in zip(direct, drifted, strict=True)]
    assert rows["trader_confidence"].to_list() == pytest.approx(expected)
    assert rows["calls_confidence"].equals(rows["trader_confidence"].rename("calls_confidence"))
    assert rows["investor_confidence"].null_count() == rows.height
    assert rows["symbol"].to_list() == [token.upper() for token in rows["token_id"]]


def test_a_week_watched_alone_or_again_is_the_same_version(warehouse, registry):
    build_monitor(warehouse, registry, context(JUDGED[-1]), weeks=JUDGED)

    again = build_monitor(warehouse, registry, context(JUDGED[-1]), weeks=JUDGED[-1:])

    assert [(each.new_units, each.new_versions, each.unchanged_units) for each in again.values()] == [(0, 0, 1)] * 2


def test_an_expired_model_scores_on_at_a_capped_confidence(warehouse, registry, training, tmp_path):
    old = ModelRegistry(tmp_path / "old")
    model = FrozenModel("trader", REFIT - dt.timedelta(days=203), {"one": ""}, COLUMNS, (FIRST, FIRST), 1)
    old.freeze(model, profile=training_profile(training, COLUMNS))
    in_time = dataclasses.replace(model, refit=REFIT - dt.timedelta(days=196))

    build_monitor(warehouse, old, context(REFIT), weeks=[REFIT])
    capped = warehouse.execute("select max(trader_confidence) from learning.confidence_current").fetchone()[0]
    old.freeze(in_time, profile=training_profile(training, COLUMNS))
    build_monitor(warehouse, old, context(REFIT), weeks=[REFIT])
    trusted = warehouse.execute("select max(trader_confidence) from learning.confidence_current").fetchone()[0]

    assert capped == EXPIRED_CAP
    assert trusted > EXPIRED_CAP


def test_a_model_without_a_profile_has_an_age_and_no_confidence(warehouse, tmp_path):
    earlier = ModelRegistry(tmp_path / "earlier")
    earlier.freeze(FrozenModel("trader", REFIT, {"one": ""}, COLUMNS, (FIRST, FIRST), 1))

    build_monitor(warehouse, earlier, context(REFIT), weeks=[REFIT])

    assert set(figures(warehouse)) == {
        (REFIT, metric) for metric in ("columns_compared", "columns_drifted", "age_days")
    }
    known = warehouse.execute(
        "select count(trader_novelty), count(trader_confidence), count(*) from learning.confidence_current"
    )
    assert known.fetchone() == (0, 0, TOKENS)


def test_weeks_without_grades_wait(warehouse, registry):
    appended = build_monitor(warehouse, registry, context(JUDGED[-1]))

    assert [each.rows for each in appended.values()] == [0, 0]
