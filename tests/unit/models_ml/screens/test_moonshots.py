"""Moonshot screen: universe, checklist, score, flags and picks."""

import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models_ml.screens.checklist import OPTIONAL_INPUTS, ChecklistThresholds, checklist
from models_ml.screens.moonshots import SNAPSHOT_SCHEMA, MoonshotSettings, screen_moonshots, screen_universe

WEEK = dt.date(2024, 3, 4)
SETTINGS = MoonshotSettings()
ITEMS = [
    "is_grade_high",
    "is_momentum_surging",
    "is_narrative_early",
    "is_community_growing",
    "is_developer_activity_rising",
    "is_large_holder_inflow",
    "is_volume_surging_with_price",
    "is_bullish_repeated",
    "is_newly_listed",
    "is_free_of_major_unlock",
]


def token(name="star", **fields):
    """A token that passes every test it can, except where `fields` say otherwise."""
    row = {
        "token_id": name,
        "symbol": name.upper(),
        "sector": "DeFi",
        "is_stable": False,
        "is_wrapped": False,
        "price_usd": 1.0,
        "market_cap_usd": 20e6,
        "volume_24h_usd": 900e3,
        "volume_30d_median_usd": 800e3,
        "age_days": 200,
        "trader_grade": 90.0,
        "score": 0.4,
        "signal": "bullish",
        "p_bullish": 0.6,
        "return_7d": 0.3,
        "return_30d": 0.5,
        "volume_surge_7d_30d": 2.0,
        "volatility_30d": 1.1,
        "sector_return_30d_rank": 0.9,
        "active_addresses_growth_30d": 0.2,
        "exchange_listed_at": dt.date(2024, 2, 20),
        "has_exchange_data": True,
        "bullish_signals_4w": 3,
    }
    assert fields.keys() <= row.keys() | OPTIONAL_INPUTS.keys()
    return row | fields


def snapshot(*rows):
    optional = {name: dtype for name, dtype in OPTIONAL_INPUTS.items() if any(name in row for row in rows)}
    return pl.DataFrame(list(rows), schema=SNAPSHOT_SCHEMA | optional)


def only(*rows, settings=SETTINGS):
    return screen_universe(snapshot(*rows), as_of_week=WEEK, settings=settings).row(0, named=True)


@st.composite
def snapshots(draw):
    number = st.one_of(st.none(), st.floats(-2, 3))
    rows = [
        token(
            f"t{position}",
            market_cap_usd=draw(st.sampled_from([None, 0.5e6, 2e6, 30e6, 60e6])),
            volume_30d_median_usd=draw(st.sampled_from([None, 50e3, 120e3, 900e3])),
            trader_grade=draw(st.one_of(st.none(), st.floats(0, 100))),
            return_7d=draw(number),
            return_30d=draw(number),
            volume_surge_7d_30d=draw(st.one_of(st.none(), st.floats(0, 6))),
            sector_return_30d_rank=draw(st.one_of(st.none(), st.floats(0, 1))),
            active_addresses_growth_30d=draw(number),
            has_exchange_data=draw(st.sampled_from([None, False, True])),
            bullish_signals_4w=draw(st.one_of(st.none(), st.integers(0, 4))),
            commits_growth_30d=draw(number),
        )
        for position in range(draw(st.integers(0, 16)))
    ]
    return snapshot(*rows)


def test_a_token_that_shows_everything_known_is_picked_and_scores_by_the_documented_formula():
    picks = screen_moonshots(snapshot(token()), as_of_week=WEEK, settings=SETTINGS)

    (pick,) = picks.rows(named=True)
    assert pick["rank"] == 1
    assert (pick["checks_true"], pick["checks_known"]) == (7, 7)
    assert pick["score"] == pytest.approx(100 * (8 + 0.25 * 3) / (8 + 3))  # the grade counts twice
    assert pick["model_score"] == 0.4
    assert pick["risk_flags"] == ""


def test_items_without_a_source_are_null_and_the_others_answered():
    row = only(token())

    assert {name: row[name] for name in ITEMS} == {
        "is_grade_high": True,
        "is_momentum_surging": True,
        "is_narrative_early": True,
        "is_community_growing": True,
        "is_developer_activity_rising": None,
        "is_large_holder_inflow": None,
        "is_volume_surging_with_price": True,
        "is_bullish_repeated": True,
        "is_newly_listed": True,
        "is_free_of_major_unlock": None,
    }


def test_optional_sources_answer_the_other_items():
    row = only(token(commits_growth_30d=0.5, large_holder_inflow_30d=0.0, unlock_share_next_30d=0.01))

    assert row["is_developer_activity_rising"] is True
    assert row["is_large_holder_inflow"] is False
    assert row["is_free_of_major_unlock"] is True
    assert row["checks_known"] == 10


@pytest.mark.parametrize(
    ("item", "fields", "answer"),
    [
        ("is_grade_high", {"trader_grade": 85.0}, True),
        ("is_grade_high", {"trader_grade": 84.9}, False),
        ("is_grade_high", {"trader_grade": None}, None),
        ("is_grade_high", {"trader_grade": float("nan")}, None),
        ("is_momentum_surging", {"return_30d": 0.1}, False),
        ("is_momentum_surging", {"return_7d": None, "return_30d": 0.1}, None),
        ("is_narrative_early", {"sector_return_30d_rank": 0.5}, False),
        ("is_volume_surging_with_price", {"return_7d": -0.1}, False),
        ("is_volume_surging_with_price", {"volume_surge_7d_30d": None}, None),
        ("is_bullish_repeated", {"bullish_signals_4w": 1}, False),
        ("is_newly_listed", {"exchange_listed_at": dt.date(2024, 2, 2)}, True),
        ("is_newly_listed", {"exchange_listed_at": dt.date(2024, 2, 1)}, False),
        ("is_newly_listed", {"exchange_listed_at": None}, False),
        ("is_newly_listed", {"has_exchange_data": False}, None),
        ("is_newly_listed", {"has_exchange_data": None}, None),
    ],
)
def test_an_item_is_true_false_or_null_by_its_threshold(item, fields, answer):
    assert only(token(**fields))[item] is answer


def test_evidence_names_value_and_threshold_of_every_item():
    evidence = json.loads(only(token(active_addresses_growth_30d=None))["evidence"])

    assert sorted(evidence) == sorted(ITEMS)
    assert evidence["is_grade_high"] == {
        "answer": True,
        "values": {"trader_grade": 90.0},
        "threshold": "trader_grade >= 85",
    }
    assert evidence["is_community_growing"]["answer"] is None
    assert evidence["is_newly_listed"]["values"] == {"exchange_listed_at": "2024-02-20", "has_exchange_data": True}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"is_stable": True}, "stablecoin"),
        ({"is_wrapped": True}, "wrapped token"),
        ({"market_cap_usd": 60e6}, "market cap outside 1,000,000 to 50,000,000 USD"),
        ({"volume_30d_median_usd": 90e3}, "median 30-day volume below 100,000 USD"),
        ({"age_days": 29}, "younger than 30 days"),
        ({"age_days": None}, "younger than 30 days"),
        ({"return_7d": 1.5, "volume_surge_7d_30d": 4.0}, "risk flag pump_shape"),
    ],
)
def test_an_excluded_token_says_why(fields, reason):
    row = only(token(**fields))

    assert row["exclusion_reasons"] == reason
    assert row["rank"] is None
    assert row["is_pick"] is False


def test_a_token_fails_several_tests_with_all_its_reasons():
    row = only(token(market_cap_usd=None, volume_30d_median_usd=None, trader_grade=None, return_7d=None))

    assert row["exclusion_reasons"].split("; ") == [
        "market cap outside 1,000,000 to 50,000,000 USD",
        "median 30-day volume below 100,000 USD",
        "volume over market cap below 0.0002",
    ]


def test_the_volume_ratio_keeps_fake_caps_out_under_a_wider_setting():
    settings = MoonshotSettings(max_market_cap_usd=1e10)

    row = only(token(market_cap_usd=5e9), settings=settings)

    assert row["exclusion_reasons"] == "volume over market cap below 0.0002"


def test_a_thin_token_is_picked_with_a_flag_and_a_pumped_one_only_if_the_setting_allows():
    assert only(token(volume_30d_median_usd=120e3))["risk_flags"] == "thin_volume"
    pumped = token(return_7d=1.5, volume_surge_7d_30d=4.0, volume_30d_median_usd=120e3)

    row = only(pumped, settings=MoonshotSettings(excluded_risk_flags=frozenset()))

    assert row["risk_flags"] == "pump_shape,thin_volume"
    assert row["is_pick"] is True


def test_at_most_ten_are_picked_and_equal_scores_go_by_token_id():
    rows = [token(f"t{number:02d}") for number in range(12)]

    universe = screen_universe(snapshot(*reversed(rows)), as_of_week=WEEK, settings=SETTINGS)

    assert universe["token_id"].to_list() == [f"t{number:02d}" for number in range(12)]
    assert universe["rank"].to_list() == [*range(1, 11), None, None]
    assert universe["exclusion_reasons"].to_list()[9:] == [
        None,
        "place 11, only 10 are picked",
        "place 12, only 10 are picked",
    ]


def test_a_token_of_which_little_is_known_scores_below_one_that_shows_as_much_and_more():
    little = token("little", sector_return_30d_rank=None, active_addresses_growth_30d=None, bullish_signals_4w=None)

    universe = screen_universe(snapshot(little, token("much")), as_of_week=WEEK, settings=SETTINGS)

    assert universe["token_id"].to_list() == ["much", "little"]


def test_an_empty_snapshot_gives_no_picks_with_all_columns():
    empty = screen_moonshots(snapshot(token()).clear(), as_of_week=WEEK, settings=SETTINGS)

    assert empty.height == 0
    assert empty.schema == screen_moonshots(snapshot(token()), as_of_week=WEEK, settings=SETTINGS).schema


def test_a_snapshot_that_is_none_is_refused():
    with pytest.raises(ValueError, match="lacks age_days"):
        screen_moonshots(snapshot(token()).drop("age_days"), as_of_week=WEEK, settings=SETTINGS)
    with pytest.raises(ValueError, match="star more than once"):
        screen_moonshots(snapshot(token(), token()), as_of_week=WEEK, settings=SETTINGS)
    with pytest.raises(ValueError, match="star is not before 2024-03-04"):
        screen_moonshots(snapshot(token(exchange_listed_at=WEEK)), as_of_week=WEEK, settings=SETTINGS)
    with pytest.raises(ValueError, match="no Monday"):
        screen_moonshots(snapshot(token()), as_of_week=dt.date(2024, 3, 5), settings=SETTINGS)


def test_settings_without_a_range_of_caps_are_refused():
    with pytest.raises(ValidationError, match="raise the one or lower the other"):
        MoonshotSettings(min_market_cap_usd=1e9)


def test_the_checklist_has_the_ten_items_in_order():
    assert [item.name for item in checklist(ChecklistThresholds(), as_of_week=WEEK)] == ITEMS


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_picks_are_ranked_bounded_and_pass_every_test(rows):
    picks = screen_moonshots(rows, as_of_week=WEEK, settings=SETTINGS)

    assert picks["rank"].to_list() == list(range(1, picks.height + 1))
    assert picks.height <= 10
    assert picks["score"].is_between(0, 100).all()
    assert picks["score"].is_sorted(descending=True)
    assert picks["market_cap_usd"].is_between(1e6, 50e6).all()
    assert (picks["checks_true"] <= picks["checks_known"]).all()
    assert not picks["risk_flags"].str.contains("pump_shape").any()


@settings(max_examples=60, deadline=None)
@given(snapshots(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, random):
    order = list(range(rows.height))
    random.shuffle(order)

    shuffled = screen_universe(rows[order], as_of_week=WEEK, settings=SETTINGS)

    assert shuffled.equals(screen_universe(rows, as_of_week=WEEK, settings=SETTINGS))


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_every_token_is_a_pick_or_says_why_not(rows):
    universe = screen_universe(rows, as_of_week=WEEK, settings=SETTINGS)

    assert universe.height == rows.height
    assert (universe["is_pick"] == universe["exclusion_reasons"].is_null()).all()
    assert (universe["is_pick"] == universe["rank"].is_not_null()).all()


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_answering_one_more_item_with_yes_never_lowers_a_score(rows):
    before = screen_universe(rows, as_of_week=WEEK, settings=SETTINGS)
    better = rows.with_columns(large_holder_inflow_30d=pl.lit(0.5))

    after = screen_universe(better, as_of_week=WEEK, settings=SETTINGS)

    both = before.select("token_id", "score").join(after.select("token_id", "score"), on="token_id", suffix="_after")
    assert (both["score_after"] >= both["score"]).all()
