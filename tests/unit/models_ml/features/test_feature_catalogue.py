"""What holds of every entry of the catalogue, and of every value it gives."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from models_ml.features.catalogue import (
    CATALOGUE,
    FACT_FEATURES,
    FEATURE_NAMES,
    LONGEST_LOOK_BACK_DAYS,
    MODEL_INPUT_NAMES,
    catalogue_table,
)
from models_ml.features.compute import token_features
from models_ml.features.feature import DAILY_SOURCES, FACT_COLUMNS, ONCHAIN_COLUMNS
from models_ml.features.market import MARKET_FEATURES

FAMILIES = {
    *("trend", "momentum", "volatility", "liquidity", "risk", "relative strength", "valuation", "on-chain"),
    *(
        "exchange flow",
        "tokenomics",
        "size",
        "derivatives",
        "DeFi usage",
        "developers",
        "community",
        "sentiment",
        "holders",
    ),
    "unlocks",
}
FACTS = {
    "fct_liquidity_daily",
    "fct_derivatives_daily",
    "fct_defi_daily",
    "fct_developers_daily",
    "fct_community_daily",
}
FACTS |= {"fct_mentions_daily", "fct_news_daily", "fct_sentiment_daily", "fct_holders_daily", "fct_unlocks_daily"}
LAG_DAYS = {"fct_onchain_daily": 1, "fct_defi_daily": 1}
COMMITS_LAG_DAYS = 1
REMEMBER_THAT_NOT_HOW_MUCH = {
    *("news_mention_share_7d", "funding_positive_share_30d"),
    *("value_at_risk_90d", "tail_ratio_90d", "max_drawdown_90d"),
    "trix_9d",
}
"""A change of their oldest days need not show: only whether there was anything, or whether it was extreme, counts, or three means in
a row have forgotten it but for 1e-27."""
MEASURED_INPUTS = 61
DBT_MARTS = Path(__file__).resolve().parents[4] / "dbt_project" / "models" / "marts"
ONCHAIN_FEATURES = [feature.name for feature in CATALOGUE if feature.sources == ("fct_onchain_daily",)]
FROM_PRICES = [feature for feature in CATALOGUE if feature.name != "age_days"]
SPANS = sorted({feature.look_back_days + feature.lag_days for feature in FROM_PRICES})
FLOAT32 = 1e-6


def spanning(days):
    return [feature for feature in FROM_PRICES if feature.look_back_days + feature.lag_days == days]


def test_names_are_unique_and_tell_their_windows():
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    for feature in CATALOGUE:
        assert feature.name == feature.name.lower()
        bare = {part for part in feature.name.split("_") if part.isdigit()}
        assert not bare or feature.name == "top_10_holder_share", "a window carries its unit"


@pytest.mark.parametrize("feature", CATALOGUE, ids=FEATURE_NAMES)
def test_an_entry_says_what_its_users_need(feature):
    assert feature.family in FAMILIES
    assert feature.unit
    assert feature.formula
    assert feature.look_back_days >= 0
    assert set(feature.sources) <= DAILY_SOURCES | FACTS
    lag = (
        COMMITS_LAG_DAYS
        if feature.name in ("commits_growth_12w", "authors_growth_12w")
        else LAG_DAYS.get(feature.sources[0], 0)
    )
    assert feature.lag_days == lag
    assert feature.nulls.startswith("null ")
    assert not (feature.is_model_input and feature.reads_facts), (
        "new families wait for the measurement that lets them in"
    )


def test_the_table_has_one_row_a_feature_in_the_order_of_the_catalogue():
    table = catalogue_table()

    of_tokens = table.filter(pl.col("grain") == "token")
    assert of_tokens["feature"].to_list() == list(FEATURE_NAMES)
    assert table["feature"].is_unique().all()
    assert table.null_count().sum_horizontal().item() == 0
    assert not table.select(pl.any_horizontal(pl.col(pl.String).exclude("literature") == "")).to_series().any()
    assert (of_tokens["look_back_days"] + of_tokens["lag_days"]).max() == LONGEST_LOOK_BACK_DAYS


def test_the_market_has_an_entry_for_every_column_of_its_mart():
    marts = yaml.safe_load((DBT_MARTS / "_features.yml").read_text())["models"]
    (columns,) = (mart["columns"] for mart in marts if mart["name"] == "feat_market_daily")

    described = {column["name"] for column in columns} - {"market_date", "btc_price_usd"}

    assert {feature.name for feature in MARKET_FEATURES} == described


def test_the_mart_has_the_features_in_the_order_of_the_catalogue():
    query = (DBT_MARTS / "feat_token_daily.sql").read_text().rpartition("\n)\n")[2]

    assert re.findall(r"^    (\w+),?$", query, re.MULTILINE) == [
        *("token_id", "market_date"),
        *FEATURE_NAMES,
        *("coverage", "coverage_all"),
    ]


def test_the_mart_counts_what_is_known_of_the_catalogue():
    query = (DBT_MARTS / "feat_token_daily.sql").read_text()

    assert f"set model_inputs, all_features = {len(MODEL_INPUT_NAMES)}, {len(CATALOGUE)} " in query


def test_features_of_facts_read_nothing_of_other_tokens():
    """They are computed from the days of those tokens alone that a source of facts knows (int_fact_features)."""
    market = {"btc_log_return", "eth_log_return", "market_log_return"}

    for feature in FACT_FEATURES:
        assert market.isdisjoint(feature.expr.meta.root_names()), feature.name


def test_the_models_read_what_was_measured_and_nothing_new():
    assert len(MODEL_INPUT_NAMES) == MEASURED_INPUTS


def test_values_are_float32_and_finite_or_null(market):
    result = market.features()

    assert set(result.select(*FEATURE_NAMES, "coverage", "coverage_all").dtypes) == {pl.Float32}
    for name in FEATURE_NAMES:
        known = result[name].drop_nulls()
        assert known.is_finite().all(), name
        assert known.len() > 0, name
    assert result["coverage"].null_count() == 0


def test_a_supply_carried_back_has_no_growth(candles_of, no_onchain):
    prices = np.linspace(1.0, 3.0, 200)
    carried = pl.int_range(pl.len()) < 100
    daily = candles_of(prices, supply=1e6).with_columns(is_supply_carried=carried)

    growth = token_features(daily, no_onchain)["supply_growth_30d"]

    assert growth[:130].null_count() == 130
    assert growth[130:].to_list() == pytest.approx([0.0] * 70, abs=1e-6)


def test_zero_volume_and_zero_market_cap_leave_nulls_and_no_infinity(candles_of, no_onchain):
    rng = np.random.default_rng(1)
    volumes, supply = rng.lognormal(14, 1, 200), np.full(200, 1e8)
    volumes[[50, 90]] = 0
    supply[[60, 95]] = 0

    prices = np.exp(np.cumsum(rng.normal(0, 0.05, 200)))
    result = token_features(candles_of(prices, volumes=volumes, supply=supply), no_onchain)

    for name in MODEL_INPUT_NAMES:
        assert result[name].drop_nulls().is_finite().all(), name
    assert result["amihud_illiquidity_30d"][-1] is not None
    assert result["turnover_30d"][-1] is not None


def test_a_price_that_stands_still_leaves_no_rounding_error_behind(market):
    result = market.features()

    still = result.filter((pl.col("token_id") == "standstill") & (pl.col("market_date") > dt.date(2023, 12, 31)))
    undefined = ["rsi_14d", "stochastic_14d", "trend_efficiency_30d", "volatility_ratio_7d_30d", "skewness_90d"]
    undefined += ["autocorrelation_30d", "move_zscore_30d", "correlation_btc_90d", "amihud_illiquidity_30d"]
    for name in undefined:
        assert still[name].null_count() == still.height, name
    for name in ("volatility_90d", "downside_volatility_30d", "drawdown_90d", "return_90d"):
        assert (still[name] == 0).all(), name


@pytest.mark.parametrize("token_id", ["bitcoin", "claim"])
def test_bitcoin_and_a_claim_on_it_have_no_volatility_of_their_own(token_id, market):
    result = market.features().filter(pl.col("token_id") == token_id)

    for name in ("idiosyncratic_volatility_30d", "idiosyncratic_volatility_90d"):
        assert result[name].drop_nulls().unique().to_list() == [0.0]
    assert result["tracking_error_btc_90d"].drop_nulls().max() < 1e-7
    assert result["beta_btc_90d"].drop_nulls().to_numpy() == pytest.approx(1.0, abs=1e-6)


def test_a_token_without_onchain_data_has_nulls_and_a_lower_coverage(market, no_onchain):
    without = token_features(market.daily, no_onchain)
    full = token_features(market.daily, market.onchain)

    others = [name for name in MODEL_INPUT_NAMES if name not in ONCHAIN_FEATURES]
    assert len(ONCHAIN_FEATURES) == 4
    assert without.select(ONCHAIN_FEATURES).null_count().sum_horizontal().item() == 4 * without.height
    assert without.select("token_id", "market_date", *others).equals(full.select("token_id", "market_date", *others))
    uncovered = full.filter(pl.col("token_id") == "dwarf")
    assert uncovered.select(ONCHAIN_FEATURES).null_count().sum_horizontal().item() == 4 * uncovered.height
    newest = full.filter(pl.col("token_id") == "dwarf")["coverage"].max()
    assert newest <= (len(MODEL_INPUT_NAMES) - 4) / len(MODEL_INPUT_NAMES) + 1e-6
    assert without.filter(pl.col("token_id") == "bitcoin")["coverage"].max() == pytest.approx(newest)


def test_an_onchain_day_is_known_a_day_later(candles_of):
    prices = candles_of([1.0] * 5, name="bitcoin")
    onchain = pl.DataFrame({"token_id": ["bitcoin"] * 3, "market_date": prices["market_date"].head(3)}).with_columns(
        *(pl.lit(1.0).alias(column) for column in ONCHAIN_COLUMNS if column != "mvrv_ratio"),
        mvrv_ratio=pl.Series([1.5, 2.5, 3.5]),
    )

    result = token_features(prices, onchain.select("token_id", "market_date", *ONCHAIN_COLUMNS))

    assert result["mvrv_ratio"].to_list() == [None, 1.5, 2.5, 3.5, None]


def test_age_counts_from_the_first_day_of_the_whole_history(candles_of, no_onchain):
    prices = candles_of([1.0, 2.0, 3.0]).with_columns(first_date=pl.lit(dt.date(2022, 12, 22)))

    result = token_features(prices, no_onchain)

    assert result["age_days"].to_list() == [10.0, 11.0, 12.0]


def test_a_market_without_bitcoin_and_ether_has_no_values_against_them(market):
    alts = market.daily.filter(~pl.col("token_id").is_in(["bitcoin", "ethereum"]))

    result = token_features(alts, market.onchain)

    for name in ("beta_btc_30d", "correlation_btc_90d", "idiosyncratic_volatility_30d", "tracking_error_eth_90d"):
        assert result[name].null_count() == result.height
    assert result["volatility_30d"].null_count() < result.height


def test_no_rows_give_no_rows(market, no_onchain):
    result = token_features(market.daily.clear(), no_onchain)

    assert result.is_empty()
    assert result.columns == ["token_id", "market_date", *FEATURE_NAMES, "coverage", "coverage_all"]


def test_without_facts_their_features_are_null_and_those_of_prices_the_same(market):
    without = token_features(market.daily, market.onchain)
    full = market.features()

    sparse = [feature.name for feature in CATALOGUE if feature.reads_facts]
    assert without.select(sparse).null_count().sum_horizontal().item() == len(sparse) * without.height
    assert without.drop(*sparse, "coverage_all").equals(full.drop(*sparse, "coverage_all"))
    assert (without["coverage_all"] <= full["coverage_all"]).all()
    unread = full.filter(pl.col("token_id") == "dwarf")
    assert unread.select(sparse).null_count().sum_horizontal().item() == len(sparse) * unread.height


def test_facts_of_a_token_without_prices_leave_no_row(market):
    unpriced = market.facts.head(5).with_columns(token_id=pl.lit("unpriced"))

    result = token_features(market.daily, market.onchain, facts=pl.concat([market.facts, unpriced]), news=market.news)

    assert result.equals(market.features())


def changed_where(frames, condition, seed):
    """Every price, volume, cap, metric and fact of the chosen rows times its own random factor."""
    rng = np.random.default_rng(seed)

    def shaken(rows, columns):
        return rows.with_columns(
            pl.when(condition).then(pl.col(name) * pl.Series(rng.lognormal(0, 1.5, rows.height))).otherwise(name)
            for name in columns
        )

    return replace(
        frames,
        daily=shaken(frames.daily, ["price_usd", "market_cap_usd", "volume_24h_usd"]),
        onchain=shaken(frames.onchain, ONCHAIN_COLUMNS),
        facts=shaken(frames.facts, FACT_COLUMNS),
    )


@pytest.mark.parametrize("span", SPANS)
def test_a_change_older_than_look_back_and_lag_does_not_reach_the_value(span, market):
    features = spanning(span)
    last = market.daily["market_date"].max()
    is_older = pl.col("market_date") < last - dt.timedelta(days=span)

    before = market.features(features).filter(pl.col("market_date") == last)
    after = changed_where(market, is_older, seed=span).features(features).filter(pl.col("market_date") == last)

    for feature in features:
        np.testing.assert_allclose(
            after[feature.name].to_numpy().astype(float),
            before[feature.name].to_numpy().astype(float),
            rtol=FLOAT32,
            atol=FLOAT32,
            err_msg=feature.name,
        )


@pytest.mark.parametrize("span", SPANS)
def test_a_look_back_is_at_most_two_days_longer_than_the_memory_of_the_value(span, market):
    features = [feature for feature in spanning(span) if feature.name not in REMEMBER_THAT_NOT_HOW_MUCH]
    last = market.daily["market_date"].max()
    is_at_the_edge = pl.col("market_date") <= last - dt.timedelta(days=max(span - 2, 0))

    # In double precision, because the oldest day of an exponential mean weighs a billionth.
    before = market.features(features, dtype=pl.Float64).filter(pl.col("market_date") == last)
    after = [
        changed_where(market, is_at_the_edge, seed)
        .features(features, dtype=pl.Float64)
        .filter(pl.col("market_date") == last)
        for seed in range(3)
    ]

    for feature in features:
        assert any(not result[feature.name].equals(before[feature.name]) for result in after), feature.name
