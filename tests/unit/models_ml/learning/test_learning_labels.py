"""Labels against a slow loop over the prices that follow a week."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.labels import FORWARD_PREFIX, centred_rank, forward_returns

WEEK = dt.date(2024, 3, 4)
CLOSE = dt.date(2024, 3, 3)
KEYS = ["as_of_week", "token_id"]


def prices_of(paths, *, first=CLOSE):
    """Prices by token from lists of consecutive closes; None is a day without one."""
    rows = [
        (token, first + dt.timedelta(days=day), price)
        for token, path in paths.items()
        for day, price in enumerate(path)
        if price is not None
    ]
    return pl.DataFrame(rows, schema=["token_id", "market_date", "price_usd"], orient="row")


def week_of(tokens, *, volatility=0.8, beta=1.0, week=WEEK):
    return pl.DataFrame(
        {
            "as_of_week": [week] * len(tokens),
            "token_id": list(tokens),
            "volatility_30d": pl.Series([volatility] * len(tokens), dtype=pl.Float32),
            "beta_btc_90d": pl.Series([beta] * len(tokens), dtype=pl.Float32),
        }
    )


def slow_labels(row, closes):
    """The forward quantities of one week and token, from a mapping of (token, day) to price."""

    def price(day, token=row["token_id"]):
        return closes.get((token, row["as_of_week"] + dt.timedelta(days=day - 1)))

    def gain(start, end, token=row["token_id"]):
        bought, sold = price(start, token), price(end, token)
        return None if bought is None or sold is None else sold / bought - 1

    beta = 1.0 if row["beta_btc_90d"] is None else min(max(row["beta_btc_90d"], 0.0), 2.0)
    own, bitcoin = gain(0, 14), gain(0, 14, "bitcoin")
    barrier = None
    if own is not None and row["volatility_30d"] is not None:
        width = row["volatility_30d"] / math.sqrt(365) * math.sqrt(14)
        barrier = 0
        for day in range(1, 15):
            move = None if price(day) is None else math.log(price(day) / price(0))
            if move is not None and abs(move) > width:
                barrier = 1 if move > 0 else -1
                break
    return {
        "forward_return_7d": gain(0, 7),
        "forward_return_14d": own,
        "forward_return_14d_lag1": gain(1, 15),
        "forward_residual_14d": None if own is None or bitcoin is None else own - beta * bitcoin,
        "forward_barrier": barrier,
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_labels_equal_a_slow_loop_over_the_prices(seed):
    rng = np.random.default_rng(seed)
    tokens = ["bitcoin", "calm", "wild", "dying"]
    paths = {}
    for token, daily in zip(tokens, (0.03, 0.01, 0.2, 0.05), strict=True):
        walk = (10 * np.exp(np.cumsum(rng.normal(0, daily, 40)))).tolist()
        paths[token] = [None if rng.random() < 0.08 else price for price in walk]
    paths["dying"][18:] = [None] * 22
    prices = prices_of(paths)
    weeks = pl.concat([week_of(tokens, week=WEEK + dt.timedelta(days=7 * week)) for week in range(5)]).with_columns(
        volatility_30d=pl.Series(rng.choice([0.2, 0.8, 2.0, None], 20).tolist(), dtype=pl.Float32),
        beta_btc_90d=pl.Series(rng.choice([-0.5, 0.7, 1.4, 3.0, None], 20).tolist(), dtype=pl.Float32),
    )

    result = forward_returns(weeks, prices)

    closes = {(row["token_id"], row["market_date"]): row["price_usd"] for row in prices.iter_rows(named=True)}
    assert result.select(KEYS).equals(weeks.select(KEYS).sort(KEYS))
    for found, row in zip(result.iter_rows(named=True), weeks.sort(KEYS).iter_rows(named=True), strict=True):
        for name, value in slow_labels(row, closes).items():
            assert found[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), name


def test_every_label_carries_the_prefix_that_feature_frames_refuse():
    result = forward_returns(week_of(["bitcoin"]), prices_of({"bitcoin": [1.0] * 20}))

    assert all(name.startswith(FORWARD_PREFIX) for name in result.columns if name not in KEYS)


def test_the_late_buyer_gets_the_fourteen_days_from_the_next_close():
    result = forward_returns(week_of(["token"]), prices_of({"token": [100.0, 200.0, *[150.0] * 12, 110.0, 300.0]}))

    assert result["forward_return_14d"].item() == pytest.approx(0.10)
    assert result["forward_return_14d_lag1"].item() == pytest.approx(0.50)


def test_the_close_of_the_week_itself_is_where_the_label_starts():
    before = prices_of({"token": [1.0] * 7}, first=CLOSE - dt.timedelta(days=7))
    after = prices_of({"token": [100.0, *[100.0] * 13, 130.0, 130.0]})

    result = forward_returns(week_of(["token"]), pl.concat([before, after]))

    assert result["forward_return_14d"].item() == pytest.approx(0.30)


WIDTH = 0.8 * math.sqrt(14 / 365)
UP, DOWN, INSIDE = math.exp(WIDTH + 0.001), math.exp(-WIDTH - 0.001), math.exp(WIDTH - 0.001)


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ([1.0] * 15, 0),
        ([1.0, *[INSIDE] * 14], 0),
        ([1.0, *[1.0] * 13, UP], 1),
        ([1.0, *[1.0] * 13, DOWN], -1),
        ([1.0, 1.0, UP, DOWN, *[1.0] * 11], 1),
        ([1.0, 1.0, DOWN, UP, *[1.0] * 11], -1),
        ([1.0, UP, None, *[1.0] * 12], 1),
        ([1.0, None, DOWN, *[1.0] * 12], -1),
        ([1.0, UP, *[1.0] * 12, None], None),
        ([None, UP, *[1.0] * 13], None),
    ],
)
def test_the_first_barrier_that_a_close_passes_is_the_outcome(path, outcome):
    result = forward_returns(week_of(["token"]), prices_of({"token": path}))

    assert result["forward_barrier"].item() == outcome


def test_a_passage_after_fourteen_days_does_not_count():
    result = forward_returns(week_of(["token"]), prices_of({"token": [1.0] * 15 + [UP]}))

    assert result["forward_barrier"].item() == 0


def test_without_volatility_there_is_no_barrier():
    result = forward_returns(week_of(["token"], volatility=None), prices_of({"token": [1.0] * 16}))

    assert result["forward_barrier"].item() is None
    assert result["forward_return_14d"].item() == 0.0


def test_centred_ranks_run_symmetrically_and_pass_over_nulls():
    frame = pl.DataFrame({"as_of_week": [WEEK] * 5, "value": [0.3, None, -0.1, 0.3, 0.9]})

    ranks = frame.select(rank=centred_rank("value"))["rank"].to_list()

    assert ranks == [0.0, None, -0.375, 0.0, 0.375]
