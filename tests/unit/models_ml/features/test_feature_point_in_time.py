"""No feature knows the future, and a part computed anew equals the whole: over all features of a small market."""

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.features import compute
from models_ml.features.catalogue import CATALOGUE, FEATURE_NAMES, LONGEST_LOOK_BACK_DAYS
from models_ml.features.feature import FACT_COLUMNS, ONCHAIN_COLUMNS
from tests.examples import examples

FIRST, LAST = dt.date(2023, 1, 1), dt.date(2024, 4, 4)
CUTS = st.dates(FIRST + dt.timedelta(days=5), LAST - dt.timedelta(days=1))
ALWAYS = examples(3, many=10)

FLOAT32 = 1.2e-7
"""One unit in the last place of a stored value. Days computed anew differ by at most that, and almost never by anything."""


@pytest.fixture(scope="module")
def whole(market):
    return market.features()


def up_to(rows, cut):
    return rows.filter(pl.col("market_date") <= cut)


def since(rows, cut):
    return rows.filter(pl.col("market_date") >= cut)


def shuffled_after(rows, cut, columns, seed):
    """The rows with the values after a day permuted, across tokens and days."""
    past, future = up_to(rows, cut), rows.filter(pl.col("market_date") > cut)
    order = np.random.default_rng(seed).permutation(future.height)
    return pl.concat([past, future.with_columns(future.select(columns)[order])])


@ALWAYS
@given(cut=CUTS)
def test_rows_up_to_a_day_are_the_same_without_all_later_input(cut, market, whole):
    past = market.between(FIRST, cut)

    truncated = past.features()

    assert truncated.equals(up_to(whole, cut))


@ALWAYS
@given(cut=CUTS, seed=st.integers(0, 10**6))
def test_rows_up_to_a_day_are_the_same_when_the_future_is_shuffled(cut, seed, market, whole):
    prices = ["price_usd", "market_cap_usd", "volume_24h_usd"]
    shuffled = replace(
        market,
        daily=shuffled_after(market.daily, cut, prices, seed),
        onchain=shuffled_after(market.onchain, cut, list(ONCHAIN_COLUMNS), seed),
        facts=shuffled_after(market.facts, cut, list(FACT_COLUMNS), seed),
        news=shuffled_after(market.news, cut, ["headlines"], seed),
    ).features()

    assert up_to(shuffled, cut).equals(up_to(whole, cut))
    assert not since(shuffled, cut).equals(since(whole, cut))


@ALWAYS
@given(cut=st.dates(FIRST + dt.timedelta(days=LONGEST_LOOK_BACK_DAYS + 1), LAST))
def test_new_days_equal_those_of_the_full_computation(cut, market, whole):
    recent = market.between(cut - dt.timedelta(days=LONGEST_LOOK_BACK_DAYS + 1), LAST)

    new_days = recent.features(since=cut)

    assert_same_values(new_days, since(whole, cut))


@pytest.mark.parametrize("rows", [1, 700])
def test_the_size_of_batches_does_not_matter(rows, market, whole, monkeypatch):
    monkeypatch.setattr(compute, "ROWS_A_BATCH", rows)

    assert market.features().equals(whole)


@ALWAYS
@given(cut=CUTS)
def test_tokens_that_are_listed_later_change_no_earlier_row(cut, market, whole, candles_of):
    later = candles_of([5.0, 6.0, 7.0], name="newcomer", first=cut + dt.timedelta(days=1))

    result = replace(market, daily=pl.concat([market.daily, later])).features()

    assert up_to(result, cut).equals(up_to(whole, cut))


def assert_same_values(left, right):
    assert left.select("token_id", "market_date").equals(right.select("token_id", "market_date"))
    for name in (*FEATURE_NAMES, "coverage", "coverage_all"):
        np.testing.assert_allclose(
            left[name].to_numpy().astype(float),
            right[name].to_numpy().astype(float),
            rtol=FLOAT32,
            atol=1e-9,
            err_msg=name,
        )


@ALWAYS
@given(cut=st.dates(FIRST + dt.timedelta(days=LONGEST_LOOK_BACK_DAYS + 1), LAST), seed=st.integers(0, 10**6))
def test_days_computed_with_the_longest_look_back_before_them_equal_the_full_computation(cut, seed, market_of):
    market = market_of(seed)
    recent = market.between(cut - dt.timedelta(days=LONGEST_LOOK_BACK_DAYS + 1), LAST)

    incremental = recent.features()

    assert_same_values(since(incremental, cut), since(market.features(), cut))


def test_the_order_of_input_rows_does_not_matter(market, whole):
    shuffled = market.each(lambda rows: rows.sample(fraction=1, shuffle=True, seed=5)).features()

    assert shuffled.equals(whole)


def test_a_feature_computed_alone_equals_that_of_the_whole_catalogue(market, whole):
    for feature in CATALOGUE[::7]:
        alone = market.features([feature])

        assert alone[feature.name].equals(whole[feature.name])
