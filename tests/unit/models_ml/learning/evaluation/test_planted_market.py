"""The planted market: what its strength allows, by formula, by brute force and by measurement."""

import dataclasses
import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from models_ml.features.compute import token_features
from models_ml.features.feature import ONCHAIN_COLUMNS
from models_ml.features.liquidity import turnover
from models_ml.learning.evaluation.planted_market import PlantedMarket, attainable_rank_ic, daily_rows

MARKET = PlantedMarket(tokens=400, first=dt.date(2020, 1, 6), days=500, strength=0.1)


def turnover_ics(market):
    """Rank IC of ordering by turnover_7d with the return from the next day's close, every 28 days, so that windows do not overlap."""
    daily = daily_rows(market)
    schema = {"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
    features = token_features(daily, pl.DataFrame(schema=schema), [turnover(7)])
    later = pl.col("price_usd").shift(-15) / pl.col("price_usd").shift(-1) - 1
    rows = features.join(daily.with_columns(later=later.over("token_id")), on=["token_id", "market_date"])
    chosen = rows.drop_nulls("later").filter((pl.col("market_date") - market.first).dt.total_days() % 28 == 20)
    ics = chosen.group_by("market_date").agg(ic=pl.corr("turnover_7d", "later", method="spearman"))["ic"].to_numpy()
    return ics, ics.std(ddof=1) / math.sqrt(len(ics))


@pytest.mark.parametrize(("strength", "half_life"), [(0.05, 60.0), (0.1, 60.0), (0.2, 20.0)])
def test_the_attainable_ic_is_measured_where_turnover_itself_is_the_score(strength, half_life):
    market = dataclasses.replace(MARKET, strength=strength, half_life_days=half_life)

    ics, error = turnover_ics(market)

    assert error < 0.02
    assert ics.mean() == pytest.approx(attainable_rank_ic(market), abs=2 * error)


def test_without_strength_nothing_is_attainable_and_nothing_measured():
    market = dataclasses.replace(MARKET, strength=0.0)

    ics, error = turnover_ics(market)

    assert attainable_rank_ic(market) == 0
    assert abs(ics.mean()) < 2 * error


def test_the_formula_equals_moments_taken_one_by_one():
    # Reference: each variable as a sum of the driving shocks, most of a thousand days of them, so that covariances are dot products.
    strength, kept, days = 0.1, 0.5 ** (1 / 30), 1000
    activity = np.zeros((days, days))
    for day in range(days):
        activity[day, : day + 1] = math.sqrt(1 - kept**2) * kept ** np.arange(day, -1, -1)
    today, lag = days - 20, 1
    feature = activity[today - 6 : today + 1].mean(axis=0)
    planted = strength * activity[today + lag : today + lag + 14].sum(axis=0)
    variance = planted @ planted + 14 * (1 - strength**2)
    rho = feature @ planted / math.sqrt(variance * (feature @ feature))

    market = dataclasses.replace(MARKET, strength=strength, half_life_days=30.0)

    assert attainable_rank_ic(market) == pytest.approx(6 / math.pi * math.asin(rho / 2), rel=1e-6)


def test_prices_and_volumes_repeat_by_seed_and_nothing_else_changes_with_the_strength():
    weak, strong = (daily_rows(dataclasses.replace(MARKET, tokens=5, days=30, strength=a)) for a in (0.0, 0.3))

    again = daily_rows(dataclasses.replace(MARKET, tokens=5, days=30, strength=0.0))

    assert again.equals(weak)
    turned = [(rows["volume_24h_usd"] / rows["market_cap_usd"]).to_numpy() for rows in (weak, strong)]
    assert turned[0] == pytest.approx(turned[1])
    assert not weak["price_usd"].equals(strong["price_usd"])
