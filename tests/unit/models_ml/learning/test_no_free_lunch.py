"""What is there is found, what is not there is not: planted signals, permuted labels, single columns of the simulated market."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.features.compute import token_features
from models_ml.learning.dataset import MARKET_COLUMNS, model_frame
from models_ml.learning.labels import forward_returns
from models_ml.learning.ranking import TRADER, predict_ranking, train_ranking
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.settings import SimulationSettings

REFIT = dt.date(2023, 1, 2)
TRAINED_WEEKS = 45
FORWARD = ["forward_return_7d", "forward_return_14d", "forward_residual_14d", "forward_barrier"]


def split(rows):
    """Rows to train on and rows to score, three weeks apart."""
    weeks = rows["as_of_week"].unique().sort()
    is_past, is_future = (
        (pl.col("as_of_week") < weeks[TRAINED_WEEKS]),
        (pl.col("as_of_week") >= weeks[TRAINED_WEEKS + 3]),
    )
    return rows.filter(is_past), rows.filter(is_future)


def permuted(labels, seed):
    """The labels of a week handed to other tokens of the week."""
    rng = np.random.default_rng(seed)
    weeks = labels.partition_by("as_of_week", maintain_order=True)
    return pl.concat([week.with_columns(week.select(FORWARD)[rng.permutation(week.height)]) for week in weeks])


@pytest.fixture(scope="module")
def panel(panel_of):
    return panel_of(8, tokens=70, weeks=90, strength=0.08)


def test_a_planted_signal_is_found_out_of_sample(panel, weekly_ics):
    past, future = split(panel.frame)

    scores = predict_ranking(train_ranking(TRADER, past, panel.labels, refit=REFIT), future)

    # The marker itself, known exactly, would reach about 0.22.
    assert weekly_ics(scores, panel.labels).mean() > 0.12


@pytest.mark.parametrize("seed", [1, 2])
def test_permuted_labels_teach_nothing(seed, panel, weekly_ics):
    past, future = split(panel.frame)

    scores = predict_ranking(train_ranking(TRADER, past, permuted(panel.labels, seed), refit=REFIT), future)

    # 42 weeks of 70 tokens: the mean of as many correlations of nothing has a standard error of 0.018.
    assert abs(weekly_ics(scores, panel.labels).mean()) < 0.05


def simulated_ics(settings):
    """Mean weekly rank IC of every rank column on the tokens of a simulated market that stand for themselves."""
    market = simulate_market(settings)
    daily = market.daily.rename({"coin_id": "token_id", "volume_usd": "volume_24h_usd"}).with_columns(
        first_date=pl.col("market_date").min().over("token_id"), is_supply_carried=pl.lit(False)
    )
    onchain = market.on_chain.select(
        "market_date",
        pl.col("coin_id").alias("token_id"),
        active_addresses="AdrActCnt",
        transactions="TxCnt",
        mvrv_ratio="CapMVRVCur",
        exchange_inflow_tokens="FlowInExNtv",
        exchange_outflow_tokens="FlowOutExNtv",
        supply_tokens="SplyCur",
        fees_tokens="FeeTotNtv",
        transfer_value_usd=pl.lit(None, dtype=pl.Float64),
    )
    ordinary = market.tokens.filter(~(pl.col("is_stable") | pl.col("is_wrapped") | pl.col("is_fake_cap")))
    weekly = (
        token_features(daily, onchain)
        .filter((pl.col("market_date").dt.weekday() == 7) & (pl.col("age_days") > 60))
        .join(ordinary, left_on="token_id", right_on="coin_id", how="semi")
        .with_columns(pl.lit(None, dtype=pl.Float32).alias(name) for name in MARKET_COLUMNS)
        .with_columns(as_of_week=pl.col("market_date") + dt.timedelta(days=1))
    )
    labels = forward_returns(weekly, daily)
    joined = model_frame(weekly).join(labels, on=["as_of_week", "token_id"])
    columns = [f"rank_{name}" for name in MODEL_INPUT_NAMES]
    known = pl.col("forward_return_14d").is_not_null()
    ics = joined.group_by("as_of_week").agg(
        pl.when(pl.col(name).filter(known).count() >= 20).then(
            pl.corr(name, "forward_return_14d", method="spearman").alias(name)
        )
        for name in columns
    )
    means = ics.select(pl.col(columns).fill_nan(None).mean()).row(0, named=True)
    return {name: value for name, value in means.items() if value is not None}


def test_no_single_column_knows_too_much_of_the_simulated_returns():
    ics = simulated_ics(SimulationSettings(tokens=150))

    assert len(ics) >= 55
    assert max(abs(ic) for ic in ics.values()) < 0.2
    assert ics["rank_idiosyncratic_volatility_30d"] < -0.03


def test_no_single_column_knows_anything_where_nothing_can_be_known():
    ics = simulated_ics(SimulationSettings(tokens=150, is_null=True))

    assert max(abs(ic) for ic in ics.values()) < 0.05
