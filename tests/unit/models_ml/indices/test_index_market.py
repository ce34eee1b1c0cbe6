"""Smoothed market caps as the engine sees them."""

import datetime as dt

import polars as pl
import pytest

from models_ml.indices.errors import MarketDataError
from models_ml.indices.market import MarketData, MarketState

DAYS = [dt.date(2024, 3, 1) + dt.timedelta(days=offset) for offset in range(6)]


@pytest.fixture
def data(market_of):
    market = market_of({"a": dict.fromkeys(DAYS, 1.0), "b": dict.fromkeys(DAYS, 1.0)})
    caps = pl.DataFrame(
        {"market_date": [DAYS[0], DAYS[1], DAYS[4]], "token_id": ["a"] * 3, "market_cap_usd": [100.0, 200.0, 400.0]}
    )
    return MarketData(
        prices=market.prices, candidates=market.candidates, market_state=lambda day: MarketState(None), market_caps=caps
    )


def caps_of(data, day, half_life_days):
    rows = data.snapshot(day, half_life_days=half_life_days)
    return dict(rows.select("token_id", "market_cap_usd").iter_rows())


def test_the_average_halves_the_weight_of_the_past_in_a_half_life(data):
    assert caps_of(data, DAYS[0], 1.0)["a"] == pytest.approx(100.0)
    assert caps_of(data, DAYS[1], 1.0)["a"] == pytest.approx(150.0)
    # Three days later an eighth of the past is left.
    assert caps_of(data, DAYS[4], 1.0)["a"] == pytest.approx(150 / 8 + 400 * 7 / 8)


def test_a_token_without_an_average_that_day_keeps_its_own_market_cap(data):
    assert caps_of(data, DAYS[4], 1.0)["b"] == caps_of(data, DAYS[4], 0.0)["b"]
    assert caps_of(data, DAYS[2], 1.0)["a"] == caps_of(data, DAYS[2], 0.0)["a"]


def test_smoothing_without_a_past_is_refused(market_of):
    market = market_of({"a": dict.fromkeys(DAYS, 1.0)}).data()

    with pytest.raises(MarketDataError, match="pass them by day and token"):
        market.snapshot(DAYS[2], half_life_days=5.0)
