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
    """The forward quantities of one week and token, from a mapping of (token, day) to price; few tokens, so no end is a feed's."""
    newest = max(day for _, day in closes)

    def price(day, token=row["token_id"]):
        return closes.get((token, row["as_of_week"] + dt.timedelta(days=day - 1)))

    def last_day(token, start, end):
        return max((day for day in range(start, end + 1) if price(day, token) is not None), default=None)

    def gain(start, end, token=row["token_id"]):
        """Return and whether the price stopped; neither where the entry or the end of the window is unknown."""
        bought = price(start, token)
        if bought is None or row["as_of_week"] + dt.timedelta(days=end - 1) > newest:
            return None, None
        last = last_day(token, start, end)
        return price(last, token) / bought - 1, last < end

    beta = 1.0 if row["beta_btc_90d"] is None else min(max(row["beta_btc_90d"], 0.0), 2.0)
    own, bitcoin = gain(0, 14)[0], gain(0, 14, "bitcoin")[0]
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
        **{f"forward_return_{days}d": gain(0, days)[0] for days in (7, 14, 30, 90)},
        "forward_return_14d_lag1": gain(1, 15)[0],
        "forward_return_90d_lag1": gain(1, 91)[0],
        "forward_has_ended_14d": gain(1, 15)[1],
        "forward_has_ended_90d": gain(1, 91)[1],
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
        walk = (10 * np.exp(np.cumsum(rng.normal(0, daily, 140)))).tolist()
        paths[token] = [None if rng.random() < 0.08 else price for price in walk]
    paths["dying"][18:] = [None] * 122
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
            assert found[name] == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value), (
                name
            )


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


def ended_market(tokens, *, alive=60, last=5, volume=1e6):
    """`alive` tokens that go on for 40 days and `tokens` that have their last price `last` days after the close, at half of it."""
    names = [f"a{number:02d}" for number in range(alive)] + [f"e{number:02d}" for number in range(tokens)]
    paths = {name: [1.0] * 40 if name.startswith("a") else [1.0] * last + [0.5] for name in names}
    prices = prices_of(paths).with_columns(volume_24h_usd=pl.lit(volume))
    return week_of(names), prices


def returns_of(labels):
    return {row["token_id"]: row["forward_return_14d"] for row in labels.iter_rows(named=True)}


def test_a_token_whose_price_stops_is_sold_at_its_last_price():
    returns = returns_of(forward_returns(*ended_market(1)))

    assert returns["e00"] == pytest.approx(-0.5)
    assert returns["a00"] == 0.0


def test_a_token_that_nobody_traded_when_its_price_stopped_is_lost():
    labels = forward_returns(*ended_market(1, volume=5_000.0))

    assert returns_of(labels)["e00"] == -1.0
    assert labels.filter(pl.col("token_id") == "e00")["forward_barrier"].item() == -1
    assert returns_of(labels)["a00"] == 0.0


@pytest.mark.parametrize(
    ("ended", "expected"), [("sold", -1.0), ("last_price", pytest.approx(-0.5)), ("missing", None)]
)
def test_the_end_of_a_token_is_labelled_as_asked(ended, expected):
    returns = returns_of(forward_returns(*ended_market(1, volume=5_000.0), ended=ended))

    assert returns["e00"] == expected


def test_where_many_tokens_stop_on_one_day_the_feed_has_ended_and_nothing_is_known():
    few, many = (forward_returns(*ended_market(tokens)) for tokens in (9, 10))

    assert returns_of(few)["e00"] == pytest.approx(-0.5)
    assert returns_of(many)["e00"] is None
    assert many.filter(pl.col("token_id") == "e00")["forward_has_ended_14d"].item() is None
    assert returns_of(many)["a00"] == 0.0


def test_ten_of_many_tokens_are_no_feed():
    returns = returns_of(forward_returns(*ended_market(10, alive=1_200)))

    assert returns["e00"] == pytest.approx(-0.5)


def test_a_window_that_reaches_beyond_the_prices_is_unknown_and_no_end():
    weeks, prices = ended_market(1)
    known = prices.filter(pl.col("market_date") < CLOSE + dt.timedelta(days=14))

    labels = forward_returns(weeks, known)

    assert labels["forward_return_14d"].null_count() == labels.height
    assert labels["forward_return_7d"].null_count() == 0


def test_later_prices_change_no_label_that_has_ended():
    weeks, prices = ended_market(3)
    ended = CLOSE + dt.timedelta(days=15)
    columns = ["forward_return_7d", "forward_return_14d", "forward_return_14d_lag1", "forward_barrier"]

    early = forward_returns(weeks, prices.filter(pl.col("market_date") <= ended))
    back = prices_of({"e00": [9.0] * 5}, first=ended + dt.timedelta(days=1)).with_columns(volume_24h_usd=pl.lit(1e6))

    assert forward_returns(weeks, pl.concat([prices, back])).select(columns).equals(early.select(columns))
