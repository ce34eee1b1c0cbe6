"""Moonshot screen: universe, score, order, flags and picks."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models_ml.screens.moonshots import MoonshotSettings, screen_moonshots, screen_universe
from tests.unit.models_ml.screens.snapshots import WEEK, snapshot, token

SETTINGS = MoonshotSettings()


def only(*rows, settings=SETTINGS):
    return screen_universe(snapshot(*rows), settings=settings).row(0, named=True)


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
            momentum_score=draw(st.one_of(st.none(), st.floats(0, 100))),
            volume_surge_7d_30d=draw(st.one_of(st.none(), st.floats(0, 6))),
            sector_rank_gain_7d=draw(st.one_of(st.none(), st.integers(-5, 5))),
            active_addresses_growth_30d=draw(number),
            has_exchange_data=draw(st.sampled_from([None, False, True])),
            bullish_closes_7d=draw(st.one_of(st.none(), st.integers(0, 7))),
            commits_growth_12w=draw(number),
            p_2x_90d=draw(st.one_of(st.none(), st.floats(0, 1))),
        )
        for position in range(draw(st.integers(0, 16)))
    ]
    return snapshot(*rows)


def test_a_token_that_shows_everything_known_is_picked_and_scores_by_the_documented_formula():
    picks = screen_moonshots(snapshot(token()), settings=SETTINGS)

    (pick,) = picks.rows(named=True)
    assert pick["rank"] == 1
    assert (pick["checks_true"], pick["checks_known"]) == (7, 7)
    assert pick["score"] == pytest.approx(100 * (8 + 0.25 * 3) / (8 + 3))  # the grade counts twice
    assert pick["model_score"] == 0.4
    assert pick["risk_flags"] == ""


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

    universe = screen_universe(snapshot(*reversed(rows)), settings=SETTINGS)

    assert universe["token_id"].to_list() == [f"t{number:02d}" for number in range(12)]
    assert universe["rank"].to_list() == [*range(1, 11), None, None]
    assert universe["exclusion_reasons"].to_list()[9:] == [
        None,
        "rank 11, only 10 are picked",
        "rank 12, only 10 are picked",
    ]


def test_a_token_of_which_little_is_known_scores_below_one_that_shows_as_much_and_more():
    little = token("little", sector_rank_gain_7d=None, active_addresses_growth_30d=None, bullish_closes_7d=None)

    universe = screen_universe(snapshot(little, token("much")), settings=SETTINGS)

    assert universe["token_id"].to_list() == ["much", "little"]


def test_an_empty_snapshot_gives_no_picks_with_all_columns():
    empty = screen_moonshots(snapshot(token()).clear(), settings=SETTINGS)

    assert empty.height == 0
    assert empty.schema == screen_moonshots(snapshot(token()), settings=SETTINGS).schema


def test_a_snapshot_that_is_none_is_refused():
    with pytest.raises(ValueError, match="lacks age_days"):
        screen_moonshots(snapshot(token()).drop("age_days"), settings=SETTINGS)
    with pytest.raises(ValueError, match="star more than once"):
        screen_moonshots(snapshot(token(), token()), settings=SETTINGS)
    with pytest.raises(ValueError, match="exchange_listed_at of star is not before 2024-03-04"):
        screen_moonshots(snapshot(token(exchange_listed_at=WEEK)), settings=SETTINGS)
    with pytest.raises(ValueError, match="2024-03-05 is no Monday"):
        screen_moonshots(snapshot(token(as_of_week=dt.date(2024, 3, 5))), settings=SETTINGS)


def test_a_week_with_chances_is_ranked_by_them_whatever_the_checklist_says():
    rows = [
        token("shows much", p_2x_90d=0.1, p_3x_90d=0.02),
        token("shows little", p_2x_90d=0.3, p_3x_90d=0.1, trader_grade=10.0, momentum_score=5.0, bullish_closes_7d=0),
        token("unknown", p_2x_90d=None),
    ]

    universe = screen_universe(snapshot(*rows), settings=SETTINGS)

    assert universe["token_id"].to_list() == ["shows little", "shows much", "unknown"]
    assert universe["ranked_by"].unique().to_list() == ["p_2x_90d"]
    assert universe["exclusion_reasons"].to_list() == [None, None, "chance of doubling unknown"]
    assert universe["candidates"].unique().to_list() == [2]


def test_weeks_are_screened_apart_and_say_what_each_is_ranked_by():
    earlier = dt.date(2024, 2, 26)
    rows = [
        token("a", p_2x_90d=0.2),
        token("b", p_2x_90d=0.4),
        token("a", as_of_week=earlier, p_2x_90d=None),
        token("b", as_of_week=earlier, p_2x_90d=None, trader_grade=50.0),
    ]

    picks = screen_moonshots(snapshot(*rows), settings=SETTINGS)

    found = picks.select("as_of_week", "rank", "token_id", "ranked_by").rows()
    assert found == [
        (earlier, 1, "a", "score"),
        (earlier, 2, "b", "score"),
        (WEEK, 1, "b", "p_2x_90d"),
        (WEEK, 2, "a", "p_2x_90d"),
    ]


def test_an_excluding_warning_keeps_a_token_out_but_not_from_its_place():
    warned = token(
        "warned", p_2x_90d=0.9, excluding_warnings="fake_market_cap,wash_volume", other_warnings="single_exchange"
    )
    noted = token("noted", p_2x_90d=0.2, excluding_warnings="", other_warnings="single_exchange")

    universe = screen_universe(snapshot(warned, noted), settings=SETTINGS)

    rows = {row["token_id"]: row for row in universe.rows(named=True)}
    assert (rows["warned"]["place"], rows["warned"]["rank"]) == (1, None)
    assert rows["warned"]["exclusion_reasons"] == "warnings: fake_market_cap,wash_volume"
    assert rows["warned"]["risk_flags"] == "fake_market_cap,wash_volume,single_exchange"
    assert (rows["noted"]["place"], rows["noted"]["rank"], rows["noted"]["risk_flags"]) == (2, 1, "single_exchange")


def test_a_week_the_filter_has_judged_needs_no_flags_of_the_screen():
    pumped = token(return_7d=1.5, volume_surge_7d_30d=4.0, excluding_warnings="", other_warnings="")

    assert only(pumped)["is_pick"] is True
    assert only(pumped | {"excluding_warnings": None})["exclusion_reasons"] == "risk flag pump_shape"


def test_a_token_outside_of_the_universe_has_no_place():
    row = only(token(market_cap_usd=60e6, excluding_warnings="wash_volume"))

    assert row["place"] is None
    assert row["exclusion_reasons"] == "market cap outside 1,000,000 to 50,000,000 USD; warnings: wash_volume"


def test_settings_without_a_range_of_caps_are_refused():
    with pytest.raises(ValidationError, match="raise the one or lower the other"):
        MoonshotSettings(min_market_cap_usd=1e9)


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_picks_are_ranked_bounded_and_pass_every_test(rows):
    picks = screen_moonshots(rows, settings=SETTINGS)

    assert picks["rank"].to_list() == list(range(1, picks.height + 1))
    assert picks.height <= 10
    assert picks["score"].is_between(0, 100).all()
    for (ranked_by,), group in picks.group_by("ranked_by", maintain_order=True):
        assert group[ranked_by].is_sorted(descending=True)
    assert picks["market_cap_usd"].is_between(1e6, 50e6).all()
    assert (picks["checks_true"] <= picks["checks_known"]).all()
    assert not picks["risk_flags"].str.contains("pump_shape").any()


@settings(max_examples=60, deadline=None)
@given(snapshots(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, random):
    order = list(range(rows.height))
    random.shuffle(order)

    shuffled = screen_universe(rows[order], settings=SETTINGS)

    assert shuffled.equals(screen_universe(rows, settings=SETTINGS))


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_every_token_is_a_pick_or_says_why_not(rows):
    universe = screen_universe(rows, settings=SETTINGS)

    assert universe.height == rows.height
    assert (universe["is_pick"] == universe["exclusion_reasons"].is_null()).all()
    assert (universe["is_pick"] == universe["rank"].is_not_null()).all()


@settings(max_examples=60, deadline=None)
@given(snapshots())
def test_answering_one_more_item_with_yes_never_lowers_a_score(rows):
    before = screen_universe(rows, settings=SETTINGS)
    better = rows.with_columns(top_10_holder_share_change_28d=pl.lit(0.5))

    after = screen_universe(better, settings=SETTINGS)

    both = before.select("token_id", "score").join(after.select("token_id", "score"), on="token_id", suffix="_after")
    assert (both["score_after"] >= both["score"]).all()
