"""The scam filter: what raises a warning, what it says, and what is not claimed without a source."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models_ml.screens.scam_filter.inputs import INPUT_DESCRIPTIONS, INPUT_SCHEMA
from models_ml.screens.scam_filter.pump_shape import PumpThresholds, pump_states
from models_ml.screens.scam_filter.token_warnings import (
    WARNING_NAMES,
    FilterSettings,
    all_warnings,
    raised_warnings,
    warning_coverage,
)
from models_ml.screens.scam_filter.warning import number, percent, usd

WEEK = dt.date(2024, 3, 4)
SETTINGS = FilterSettings()
FIRST = dt.date(2024, 1, 1)


def token(name="star", **fields):
    """A token of which everything is known and nothing speaks against it, except where `fields` say otherwise."""
    row = {
        "as_of_week": WEEK,
        "token_id": name,
        "is_low_cap": True,
        "is_graded": True,
        "price_usd": 0.2,
        "claimed_cap_usd": 20e6,
        "cap_held_back_days": 0,
        "volume_30d_usd": 800e3,
        "turnover_week": 0.3,
        "turnover_to_peers": 1.1,
        "volume_deviation_7d": 0.4,
        "round_days_14d": 0,
        "unmoved_days_14d": 0,
        "venue_excess_14d": 1.0,
        "days_since_pump": None,
        "pump_rise": None,
        "pump_volume_surge": None,
        "pump_given_back": None,
        "days_since_collapse": None,
        "collapse_return": None,
        "is_migrated": False,
        "successor_token_id": None,
        "prices_held_back_30d": 0,
        "supply_ratio_30d": 1.01,
        "split_ratio_30d": 1.0,
        "exchanges_followed": 6,
        "venues": 4,
        "depth_2pct_usd": 90e3,
        "pool_liquidity_usd": 300e3,
        "pool_age_days": 400.0,
        "pool_buys_24h": 120,
        "pool_sells_24h": 90,
        "is_honeypot_reported": False,
        "top_10_holder_share": 0.3,
    }
    assert fields.keys() <= row.keys()
    return row | fields


def frame(*rows):
    return pl.DataFrame(list(rows), schema=dict(INPUT_SCHEMA))


def warnings_of(**fields):
    return {row["warning"]: row for row in raised_warnings(frame(token(**fields)), SETTINGS).rows(named=True)}


def test_nothing_speaks_against_an_ordinary_token_and_all_of_it_was_asked():
    (row,) = warning_coverage(frame(token()), SETTINGS).rows(named=True)

    assert warnings_of() == {}
    assert (row["warnings_checked"], row["warnings_total"], row["warnings_raised"]) == (21, 21, 0)
    assert row["is_excluded"] is False
    assert row["not_checked"] is None


SIGNS = {
    "implausible_turnover": {"turnover_week": 31.0, "turnover_to_peers": 40.0},
    "flat_volume": {"volume_deviation_7d": 0.03, "turnover_to_peers": 5.0},
    "round_volume": {"round_days_14d": 9, "turnover_to_peers": 5.0},
    "volume_without_moves": {"unmoved_days_14d": 4},
    "venues_disagree": {"venue_excess_14d": 14.0},
    "thin_volume": {"volume_30d_usd": 300.0},
    "thin_book": {"depth_2pct_usd": 150.0},
    "thin_pool": {"venues": 0, "pool_liquidity_usd": 9e3},
    "single_exchange": {"venues": 1},
    "implausible_cap": {"cap_held_back_days": 3},
    "supply_jump": {"supply_ratio_30d": 4.0},
    "pump": {"days_since_pump": 2, "pump_rise": 1.4, "pump_volume_surge": 30.0, "pump_given_back": 0.1},
    "dump": {"days_since_pump": 40, "pump_rise": 1.4, "pump_volume_surge": 30.0, "pump_given_back": 0.9},
    "collapse": {"days_since_collapse": 5, "collapse_return": -0.8},
    "migrated": {"is_migrated": True, "successor_token_id": "star-2"},
    "redenominated": {"split_ratio_30d": 1000.0},
    "price_held_back": {"prices_held_back_30d": 1},
    "honeypot_reported": {"is_honeypot_reported": True},
    "never_sold": {"pool_buys_24h": 40, "pool_sells_24h": 0},
    "drained_pool": {"venues": 0, "pool_liquidity_usd": 0.0, "claimed_cap_usd": None},
    "concentrated_holders": {"top_10_holder_share": 0.97},
}
SHOWN_ONLY = {"single_exchange", "price_held_back"}
BESIDE = {"thin_pool": {"single_exchange"}, "drained_pool": {"single_exchange"}}


@pytest.mark.parametrize("name", WARNING_NAMES)
def test_each_sign_raises_its_warning_and_no_other(name):
    raised = warnings_of(**SIGNS[name])

    assert raised.keys() == {name} | BESIDE.get(name, set())
    assert raised[name]["is_excluding"] is (name not in SHOWN_ONLY)
    assert raised[name]["reason"]
    assert "null" not in raised[name]["reason"]


@pytest.mark.parametrize("name", WARNING_NAMES)
def test_a_warning_without_its_source_is_not_checked_and_never_raised(name):
    (warning,) = (found for found in all_warnings(SETTINGS) if found.name == name)
    for column in warning.inputs:
        row = token(**SIGNS[name]) | {column: None}
        inputs = frame(row)

        (covered,) = warning_coverage(inputs, SETTINGS).rows(named=True)

        assert name in covered["not_checked"].split(", ")
        assert name not in raised_warnings(inputs, SETTINGS)["warning"].to_list()


def test_the_reason_of_wash_volume_says_how_much_and_how_even():
    reason = warnings_of(turnover_week=31.2, volume_deviation_7d=0.031, turnover_to_peers=44.0)["flat_volume"]["reason"]

    assert reason == (
        "traded 31.2 times its cap in a week at nearly the same volume every day (it scatters by 0.031), 44 times the turnover of tokens "
        "of its size: looks like wash trading"
    )


def test_dollars_turn_over_without_a_warning():
    assert warnings_of(price_usd=1.001, turnover_week=31.0, turnover_to_peers=40.0) == {}


def test_a_rise_lapses_after_two_weeks_unless_it_was_a_dump():
    pump = {"pump_rise": 1.4, "pump_volume_surge": 30.0}

    assert warnings_of(days_since_pump=14, pump_given_back=0.2, **pump).keys() == {"pump"}
    assert warnings_of(days_since_pump=15, pump_given_back=0.2, **pump).keys() == set()
    assert warnings_of(days_since_pump=15, pump_given_back=0.6, **pump).keys() == {"dump"}
    assert warnings_of(days_since_pump=91, pump_given_back=0.6, **pump).keys() == set()


def test_a_supply_that_grew_by_half_is_shown_and_one_that_tripled_excludes():
    assert warnings_of(supply_ratio_30d=1.6)["supply_jump"]["is_excluding"] is False
    assert warnings_of(supply_ratio_30d=3.0)["supply_jump"]["is_excluding"] is True
    assert warnings_of(supply_ratio_30d=1000.0, split_ratio_30d=1000.0).keys() == {"redenominated"}


def test_coverage_counts_raised_and_says_who_is_excluded():
    rows = warning_coverage(
        frame(token("shown", venues=1), token("out", unmoved_days_14d=5, venues=1), token("pool", **_pool_only())),
        SETTINGS,
    )
    by_token = {row["token_id"]: row for row in rows.rows(named=True)}

    assert (by_token["shown"]["warnings_raised"], by_token["shown"]["is_excluded"]) == (1, False)
    assert (by_token["out"]["warnings_raised"], by_token["out"]["is_excluded"]) == (2, True)
    assert (by_token["pool"]["warnings_checked"], by_token["pool"]["is_excluded"]) == (3, True)


def _pool_only():
    given = {"as_of_week", "token_id", "is_low_cap", "is_graded"}
    absent = dict.fromkeys(set(INPUT_SCHEMA) - given)
    known = {"pool_liquidity_usd": 20e3, "pool_age_days": 1.0, "pool_buys_24h": 40, "pool_sells_24h": 0}
    return absent | known | {"is_honeypot_reported": False, "is_graded": False}


def test_every_input_is_described_and_every_warning_named_once():
    assert INPUT_DESCRIPTIONS.keys() == INPUT_SCHEMA.keys()
    assert len(set(WARNING_NAMES)) == len(WARNING_NAMES)
    assert set().union(*(warning.inputs for warning in all_warnings(SETTINGS))) <= INPUT_SCHEMA.keys()


def test_a_missing_column_and_a_token_twice_are_refused():
    with pytest.raises(ValueError, match="lack turnover_week"):
        raised_warnings(frame(token()).drop("turnover_week"), SETTINGS)
    with pytest.raises(ValueError, match="star is there more than once in the week 2024-03-04"):
        warning_coverage(frame(token(), token()), SETTINGS)
    with pytest.raises(ValidationError):
        FilterSettings.model_validate({"pump": {"min_raise": 1.0}})


def test_numbers_read_as_people_write_them():
    values = pl.DataFrame({"value": [31.249, 0.00042, 1200.0, 4.56e9]})

    texts = values.select(number(pl.col("value")), usd=usd(pl.col("value")), share=percent(pl.col("value")))

    assert texts["value"].to_list()[:3] == ["31.2", "0.00042", "1200"]
    assert texts["usd"].to_list() == ["31.2 USD", "0.00042 USD", "1.2 k USD", "4.56 B USD"]
    assert texts["share"][1] == "0.042 %"


# -- pumps ---------------------------------------------------------------------------------------------------------


def market(prices, volumes=None, others=4):
    """One token beside quiet ones that give the market's median."""
    days = [FIRST + dt.timedelta(days=day) for day in range(len(prices))]
    volumes = volumes or [100e3] * len(prices)
    star = pl.DataFrame({"token_id": "star", "market_date": days, "price_usd": prices, "volume_24h_usd": volumes})
    quiet = [
        star.with_columns(
            token_id=pl.lit(f"quiet-{number}"),
            price_usd=pl.Series([1.0 + 0.01 * ((day * (number + 3)) % 5) for day in range(len(prices))]),
            volume_24h_usd=pl.lit(100e3),
        )
        for number in range(others)
    ]
    return pl.concat([star, *quiet])


QUIET = [1.0 + 0.02 * (day % 2) for day in range(40)]


def states(prices, volumes=None):
    return pump_states(market(prices, volumes), PumpThresholds()).filter(pl.col("token_id") == "star")


def test_a_pump_and_its_dump_are_told_from_the_first_day_on():
    prices = [*QUIET, 1.6, 2.4, 1.5, 1.1, *[1.0] * 40]
    volumes = [*[100e3] * 40, 2e6, 3e6, 1e6, 5e5, *[100e3] * 40]

    told = states(prices, volumes)

    first = told.row(40, named=True)
    assert (first["days_since_pump"], first["pump_given_back"]) == (0, 0.0)
    assert first["pump_rise"] == pytest.approx(1.6 / 1.0 - 1)
    bottom = told.row(43, named=True)
    assert bottom["pump_rise"] == pytest.approx(2.4 / 1.0 - 1)
    assert bottom["pump_volume_surge"] == pytest.approx(30)
    assert bottom["pump_given_back"] == pytest.approx((2.4 - 1.1) / (2.4 - 1.0))
    assert told["days_since_pump"][:40].null_count() == 40


def test_what_is_lost_after_a_month_is_not_called_a_dump():
    prices = [*QUIET, 1.8, 2.4, *[2.4] * 35, *[1.0] * 10]
    volumes = [*[100e3] * 40, *[2e6] * 2, *[100e3] * 45]

    told = states(prices, volumes)

    assert told["pump_given_back"][-1] == pytest.approx(0.0)


def test_a_rally_of_the_whole_market_and_one_of_a_large_token_are_no_pumps():
    prices, volumes = [*QUIET, 1.6, 2.4], [*[100e3] * 40, 2e6, 3e6]
    alone = market(prices, volumes)
    together = pl.concat(
        [
            alone.filter(pl.col("token_id") == "star").with_columns(token_id=pl.lit(f"star-{number}"))
            for number in range(5)
        ]
    )
    large = alone.with_columns(pl.col("volume_24h_usd") * 1e4)

    assert pump_states(alone, PumpThresholds())["days_since_pump"].drop_nulls().len() > 0
    assert pump_states(together, PumpThresholds())["days_since_pump"].null_count() == together.height
    assert pump_states(large, PumpThresholds())["days_since_pump"].null_count() == large.height


def test_a_rise_without_volume_or_of_a_token_that_always_moves_like_that_is_no_pump():
    wild = [1.0 if day % 2 else 1.7 for day in range(40)]

    assert states([*QUIET, 1.6, 2.4])["days_since_pump"].null_count() == 42
    assert states([*wild, 1.0, 1.9], [*[100e3] * 40, 2e6, 2e6])["days_since_pump"].null_count() == 42


def test_a_collapse_is_measured_against_the_market():
    told = states([*QUIET, 0.2, 0.2])

    assert told["days_since_collapse"].to_list()[-2:] == [0, 0]
    assert told["collapse_return"][-1] == pytest.approx(0.2 / 1.02 - 1, abs=0.05)


@settings(deadline=None, max_examples=30)
@given(
    moves=st.lists(st.floats(-0.7, 0.9), min_size=45, max_size=70),
    surges=st.lists(st.floats(1, 60), min_size=70, max_size=70),
    cut=st.integers(20, 44),
)
def test_a_day_is_told_without_any_later_one(moves, surges, cut):
    prices = [1.0]
    for move in moves:
        prices.append(prices[-1] * (1 + move))
    rows = market(prices, [1e5 * surge for surge in surges][: len(prices)] + [1e5] * max(0, len(prices) - 70))
    last = FIRST + dt.timedelta(days=cut)
    until = pl.col("market_date") <= last

    full = pump_states(rows, PumpThresholds()).filter(until)
    truncated = pump_states(rows.filter(until), PumpThresholds())

    assert full.equals(truncated)
