"""Actions: answers as a slow reference gives them, sizes that keep every bound, and no growth with the grade while bands are unordered."""

import datetime as dt
import statistics

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models_ml.learning.actions import ACTIONS, CONFIRMATIONS, ActionRules, confirm_calls, decide_actions

WEEK = dt.date(2024, 1, 15)
DAY = dt.timedelta(days=1)
RULES = ActionRules()
ORDERED = ActionRules(bands_are_ordered=True)

SCHEMA = {
    "as_of_week": pl.Date,
    "token_id": pl.String,
    "signal": pl.Int8,
    "signal_since_date": pl.Date,
    "sector": pl.String,
    "return_7d": pl.Float32,
    "volume_surge_7d_30d": pl.Float32,
}


def call(token, signal, *, week=WEEK, since=None, sector=None, gained=0.1, surge=1.5):
    return (week, token, signal, since or week - 20 * DAY, sector, gained, surge)


def calls_of(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def closes_of(*runs, week=WEEK):
    """Closes of the seven days to the week, oldest first, by token: ("t", [1, 1, ...]); None where a day has no call."""
    return pl.DataFrame(
        [
            (week, week - (7 - number) * DAY, token, signal)
            for token, signals in runs
            for number, signal in enumerate(signals)
            if signal is not None
        ],
        schema={"as_of_week": pl.Date, "market_date": pl.Date, "token_id": pl.String, "signal": pl.Int8},
        orient="row",
    )


def confirmed(calls, closes=None):
    return confirm_calls(calls, closes if closes is not None else closes_of(), RULES)


def answer(name, calls, closes=None):
    """The answer to the call of token t."""
    return confirmed(calls, closes).filter(pl.col("token_id") == "t")[name].item()


def random_market(seed, *, weeks=3, tokens=40):
    rng = np.random.default_rng(seed)
    rows, closes = [], []
    for number in range(weeks):
        week = WEEK + number * 7 * DAY
        names = ["bitcoin", "ethereum"][: rng.integers(0, 3)] + [f"t{token}" for token in range(tokens)]
        for name in names:
            daily = [int(value) for value in rng.choice([-1, 0, 1], 7, p=[0.3, 0.3, 0.4])]
            run = next((back for back in range(1, 7) if daily[6 - back] != daily[6]), 9)
            known = rng.random(7) < rng.choice([0.3, 1.0])
            known[6] = True
            closes.append((week, name, [value if kept else None for value, kept in zip(daily, known, strict=True)]))
            sector = [None, "DeFi", "L1", "Meme", "AI"][rng.choice(5, p=[0.2, 0.4, 0.3, 0.07, 0.03])]
            gained = None if rng.random() < 0.1 else rng.normal(0, 0.1)
            surge = None if rng.random() < 0.1 else rng.lognormal(0, 0.4)
            rows.append(
                call(name, daily[6], week=week, since=week - run * DAY, sector=sector, gained=gained, surge=surge)
            )
    frames = [closes_of((name, signals), week=week) for week, name, signals in closes]
    return calls_of(*rows).sample(fraction=1, shuffle=True, seed=seed), pl.concat(frames)


def slow_answers(row, calls, closes):
    """The five answers to one call, one loop and one rule at a time."""
    side, week = row["signal"], row["as_of_week"]
    if side == 0:
        return dict.fromkeys(CONFIRMATIONS)
    others = [each for each in calls if each["as_of_week"] == week]
    sector = [each for each in others if row["sector"] and each["sector"] == row["sector"]]
    gains = [each["return_7d"] for each in sector if each["return_7d"] is not None]
    peers = [each for each in sector if each["token_id"] != row["token_id"]]
    same = [each for each in peers if each["signal"] == side]
    leaders = {each["token_id"]: each["signal"] for each in others if each["token_id"] in ("bitcoin", "ethereum")}
    held = {
        each["market_date"]: each["signal"]
        for each in closes
        if each["as_of_week"] == week and each["token_id"] == row["token_id"]
    }
    on_side = [day for day, signal in held.items() if signal == side]
    is_repeated = len(on_side) >= 4 or any(day < row["signal_since_date"] for day in on_side)
    gained, surge = row["return_7d"], row["volume_surge_7d_30d"]
    is_volume = (
        False
        if (gained is not None and gained * side <= 0) or (surge is not None and surge <= 1)
        else None
        if gained is None or surge is None
        else True
    )
    return {
        "is_volume_confirming": is_volume,
        "is_sector_aligned": statistics.median(gains) * side > 0 if len(gains) >= 5 else None,
        "is_peer_confirmed": len(same) / len(peers) >= 0.3 if len(peers) >= 4 else None,
        "is_market_aligned": False if -side in leaders.values() else True if len(leaders) == 2 else None,
        "is_repeated": True if is_repeated else False if len(held) >= 4 else None,
    }


@pytest.mark.parametrize("seed", range(4))
def test_answers_equal_those_of_a_slow_reference(seed):
    calls, closes = random_market(seed)

    rows = confirmed(calls, closes)

    assert rows.select("as_of_week", "token_id").equals(calls.select("as_of_week", "token_id").sort(pl.all()))
    inputs, days = calls.to_dicts(), closes.to_dicts()
    for row in rows.iter_rows(named=True):
        expected = slow_answers(row, inputs, days)
        assert {name: row[name] for name in CONFIRMATIONS} == expected, row["token_id"]
        assert row["confirmations_true"] == sum(value is True for value in expected.values())
        assert row["confirmations_known"] == sum(value is not None for value in expected.values())


def test_a_week_knows_nothing_of_other_weeks():
    calls, closes = random_market(7)
    own = pl.col("as_of_week") == WEEK

    together = confirmed(calls, closes).filter(own)

    assert confirmed(calls.filter(own), closes.filter(own)).equals(together)


@pytest.mark.parametrize(
    ("signal", "gained", "surge", "confirms"),
    [
        (1, 0.1, 1.2, True),
        (1, -0.1, 1.2, False),
        (-1, -0.1, 1.2, True),
        (1, 0.1, 1.0, False),
        (1, 0.1, None, None),
        (1, -0.1, None, False),
        (0, 0.1, 1.2, None),
    ],
)
def test_volume_confirms_a_move_in_the_direction_of_the_call(signal, gained, surge, confirms):
    assert answer("is_volume_confirming", calls_of(call("t", signal, gained=gained, surge=surge))) is confirms


@pytest.mark.parametrize(("peers", "share"), [([1, 0, 0, 0], 0.25), ([1, 1, 0, -1], 0.5), ([1, 1, 1], None)])
def test_peers_are_the_other_tokens_of_the_sector(peers, share):
    others = [call(f"p{number}", signal, sector="L1") for number, signal in enumerate(peers)]
    rows = calls_of(call("t", 1, sector="L1"), *others, call("x", 1, sector="AI"), call("y", 1))

    assert answer("peer_share", rows) == share


@pytest.mark.parametrize(
    ("bitcoin", "ether", "aligned"),
    [(1, 1, True), (0, 0, True), (-1, 1, False), (None, 0, None), (None, -1, False), (-1, None, False)],
)
def test_the_market_is_aligned_unless_a_leader_is_called_the_opposite(bitcoin, ether, aligned):
    leaders = [call(name, signal) for name, signal in (("bitcoin", bitcoin), ("ethereum", ether)) if signal is not None]

    assert answer("is_market_aligned", calls_of(call("t", 1), *leaders)) is aligned


@pytest.mark.parametrize(
    ("held", "since", "repeated"),
    [
        ([0, 0, 0, 1, 1, 1, 1], 4, True),
        ([0, 0, 0, 0, 1, 1, 1], 3, False),
        ([0, 1, 0, 0, 0, 0, 1], 1, True),
        ([None, None, None, None, 1, 1, 1], 30, None),
        ([None, None, None, 1, 1, 1, 1], 30, True),
    ],
)
def test_a_call_repeats_when_it_held_on_most_closes_or_began_anew(held, since, repeated):
    rows = calls_of(call("t", 1, since=WEEK - since * DAY))

    assert answer("is_repeated", rows, closes_of(("t", held))) is repeated


def decided(*, signal=1, grade=85.0, volatility=1.0, volume=1e9, rules=RULES):
    frame = pl.DataFrame(
        {
            "signal": [signal],
            "trader_grade": [grade],
            "volatility_30d": [volatility],
            "volume_30d_median_usd": [volume],
        },
        schema={
            "signal": pl.Int8,
            "trader_grade": pl.Float64,
            "volatility_30d": pl.Float32,
            "volume_30d_median_usd": pl.Float32,
        },
    )
    return decide_actions(frame, rules).row(0, named=True)


@pytest.mark.parametrize(
    ("signal", "grade", "unordered", "ordered"),
    [
        (1, 80.0, "enter small", "enter in full"),
        (1, 79.9, "enter small", "enter small"),
        (1, 60.0, "enter small", "enter small"),
        (1, 59.9, "enter small", "nothing new"),
        (1, 50.0, "enter small", "nothing new"),
        (1, 49.9, "nothing new", "nothing new"),
        (1, None, "nothing new", "nothing new"),
        (0, 95.0, "hold", "hold"),
        (-1, 95.0, "scale out", "scale out"),
    ],
)
def test_the_action_follows_the_call_and_the_band(signal, grade, unordered, ordered):
    assert decided(signal=signal, grade=grade)["action"] == unordered
    assert decided(signal=signal, grade=grade, rules=ORDERED)["action"] == ordered


def test_while_bands_are_unordered_the_text_says_that_size_does_not_grow():
    assert "size does not grow with the grade" in decided()["action_reason"]
    assert "size does not grow" not in decided(rules=ORDERED)["action_reason"]


@pytest.mark.parametrize(
    ("volatility", "volume", "weight", "limit"),
    [
        (0.2 * 365**0.5, 1e9, 0.005 / 0.2 / 2, "volatility"),
        (0.01 * 365**0.5, 1e9, 0.1 / 2, "maximum"),
        (0.01 * 365**0.5, 1e6, 1e6 * 0.01 / 1e6, "liquidity"),
    ],
)
def test_the_tightest_bound_sets_the_size(volatility, volume, weight, limit):
    row = decided(volatility=volatility, volume=volume)

    assert row["position_weight"] == pytest.approx(weight, rel=1e-6)
    assert row["position_limit"] == limit


@pytest.mark.parametrize(("volatility", "volume"), [(None, 1e9), (1.0, None), (0.0, 1e9)])
def test_without_volatility_or_volume_there_is_no_size(volatility, volume):
    row = decided(volatility=volatility, volume=volume)

    assert (row["position_weight"], row["position_limit"]) == (None, None)
    assert row["action_reason"].endswith("no size, as volatility or volume is unknown")


@pytest.mark.parametrize("signal", [0, -1])
def test_nothing_is_bought_on_a_call_that_is_not_bullish(signal):
    row = decided(signal=signal)

    assert (row["position_weight"], row["position_limit"]) == (0.0, None)


@settings(deadline=None)
@given(
    low=st.floats(50, 100),
    high=st.floats(50, 100),
    volatility=st.floats(0.0625, 20, width=32),
    volume=st.floats(0, 1e10, width=32),
)
def test_a_size_keeps_every_bound_and_never_grows_above_50_while_bands_are_unordered(low, high, volatility, volume):
    one, other = (decided(grade=grade, volatility=volatility, volume=volume) for grade in (low, high))
    ordered = decided(grade=high, volatility=volatility, volume=volume, rules=ORDERED)

    assert one["position_weight"] == other["position_weight"]
    for row in (one, ordered):
        weight = row["position_weight"]
        assert row["action"] in ACTIONS
        assert 0 <= weight <= RULES.largest_weight
        assert weight * volatility / 365**0.5 <= RULES.daily_risk_budget * (1 + 1e-9)
        assert weight * RULES.capital_usd <= RULES.largest_volume_share * volume * (1 + 1e-9)


def test_bands_that_overlap_are_refused():
    with pytest.raises(ValidationError, match="small_grade 60 and full_grade 55 must rise"):
        ActionRules(full_grade=55)
