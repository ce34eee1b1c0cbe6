"""Case studies: the rules choose the largest, best and worst, outcomes begin at Monday's close, and the words follow the numbers."""

import json
from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.evaluation.case_pictures import draw_cases
from orchestration.evaluation.case_studies import (
    Cases,
    broad_flips,
    followed,
    newly_warned,
    page,
    picks_against_others,
    true_items,
    what_followed,
)

MONDAY = date(2022, 1, 3)


def day(offset):
    return MONDAY + timedelta(days=offset)


def closes_of(prices, name="one"):
    """Closes from Monday on."""
    return pl.DataFrame(
        {
            "token_id": [name] * len(prices),
            "market_date": [day(offset) for offset in range(len(prices))],
            "price_usd": [float(price) for price in prices],
            "volume_24h_usd": [1e6] * len(prices),
        }
    )


def week_of(*names):
    return pl.DataFrame({"as_of_week": [MONDAY] * len(names), "token_id": list(names)})


def outcome_of(prices):
    clock = closes_of([1.0] * 120, "clock")  # goes on when the token does not
    return followed(week_of("one"), pl.concat([closes_of(prices), clock])).row(0, named=True)


def test_a_doubling_needs_three_closes_in_a_row_after_the_entry():
    assert not outcome_of([1.0, 2.5, 2.5, 1.0, *[1.0] * 100])["has_doubled"]
    assert outcome_of([1.0, 1.0, 2.5, 2.5, 2.0, *[1.0] * 100])["has_doubled"]


def test_a_doubling_after_the_90_days_does_not_count():
    assert outcome_of([1.0] * 88 + [2.0] * 30)["has_doubled"]  # closes of days 88, 89 and 90
    assert not outcome_of([1.0] * 89 + [2.0] * 30)["has_doubled"]


def test_closes_before_a_gap_do_not_make_three_in_a_row():
    closes = closes_of([1.0, 2.5, 2.5, 1.0, 2.5, *[1.0] * 100]).filter(pl.col("market_date") != day(3))

    assert not followed(week_of("one"), closes).row(0, named=True)["has_doubled"]


def test_returns_are_from_mondays_close_to_the_last_price_within_the_days():
    found = outcome_of([2.0, *[3.0] * 30, *[1.0] * 59, 8.0, 100.0, *[1.0] * 20])

    assert found["return_30d"] == pytest.approx(0.5)
    assert found["return_90d"] == pytest.approx(3.0)  # the 90th day's 8, not the 91st's 100
    assert (found["best"], found["worst"]) == (pytest.approx(4.0), pytest.approx(0.5))


def test_a_token_whose_price_stops_keeps_its_last_one_and_says_when():
    found = outcome_of([2.0, 1.0, 0.5])

    assert found["return_90d"] == pytest.approx(-0.75)
    assert found["last_date"] == day(2)


def test_weeks_whose_90_days_have_not_ended_are_left_out():
    assert followed(week_of("one"), closes_of([1.0] * 90)).is_empty()
    assert followed(week_of("one"), closes_of([1.0] * 91)).height == 1


def market_of(changes, levels):
    return pl.DataFrame(
        {
            "market_date": [day(offset) for offset in range(len(levels))],
            "market_index_level": [float(level) for level in levels],
            "bearish_share": [0.1] * len(levels),
            "bullish_share": [0.2] * len(levels),
            "bearish_share_change_7d": [changes.get(offset, 0.0) for offset in range(len(levels))],
        }
    )


def test_flips_are_the_largest_rises_with_none_in_the_shadow_of_a_larger_one():
    market = market_of({50: 0.3, 60: 0.25, 100: 0.2, 10: 0.1}, [100.0] * 130)

    found = broad_flips(market, count=3)

    assert found["market_date"].to_list() == [day(50), day(100), day(10)]


def test_the_market_after_a_flip_counts_from_the_next_close_and_before_it_from_the_recent_high():
    levels = (
        [100.0] * 30 + [120.0] * 5 + [90.0] * 6 + [60.0] * 13 + [30.0] * 6
    )  # flip on day 40, next close 60, day 55: 30

    found = broad_flips(market_of({40: 0.3}, levels), count=1).row(0, named=True)

    assert found["below_high_14d"] == pytest.approx(90 / 120 - 1)
    assert found["return_14d"] == pytest.approx(-0.5)
    assert found["return_90d"] is None


@pytest.mark.parametrize(
    ("below_high", "after", "said"),
    [
        (0.0, -0.10, "It was right: the market lost 10%"),
        (
            -0.20,
            -0.10,
            "It came late: the market had already lost 20% from its highest close of the 14 days before. It was right",
        ),
        (-0.01, 0.10, "It was wrong: the market gained 10%"),
        (-0.20, 0.01, "Little followed: the market moved by +1.0%"),
        (0.0, None, "not known yet"),
    ],
)
def test_the_words_about_a_flip_follow_its_numbers(below_high, after, said):
    assert said in what_followed(below_high, after)


def test_items_of_a_pick_are_those_its_evidence_answers_with_yes():
    evidence = json.dumps({"is_a": {"answer": True}, "is_b": {"answer": False}, "is_c": {"answer": None}})

    assert list(true_items(evidence)) == ["is_a"]


def screened_of(picks, others):
    """One week a value: whether its pick and its two others doubled."""
    rows = []
    for week, (pick, other) in enumerate(zip(picks, others, strict=True)):
        monday = MONDAY + timedelta(weeks=week)
        rows += [(monday, True, pick), (monday, False, other), (monday, False, other)]
    return pl.DataFrame(rows, schema=["as_of_week", "is_pick", "has_doubled"], orient="row")


def test_picks_are_compared_with_the_other_low_caps_of_their_weeks():
    found = picks_against_others(screened_of([True, False, True, True], [False, False, True, False]))

    assert found.estimate == pytest.approx(0.5)
    assert found.low is None  # four weeks hold no three blocks of thirteen


def test_a_warning_counts_in_the_week_in_which_it_began_and_not_for_picks():
    weeks = [MONDAY + timedelta(weeks=week) for week in range(4)]
    screened = pl.DataFrame(
        {
            "as_of_week": [*weeks, weeks[0]],
            "token_id": [*["one"] * 4, "two"],
            "is_pick": [*[False] * 4, True],
            "pump_reason": ["rose", "rose", None, "rose", "rose"],
        }
    )

    assert newly_warned(screened)["as_of_week"].to_list() == [weeks[0], weeks[3]]


@pytest.fixture
def cases():
    evidence = json.dumps({"is_grade_high": {"answer": True}, "is_newly_listed": {"answer": None}})
    names = ["best", "worst", "pumped", "other"]
    prices = {
        "best": [1.0, *[3.0] * 119],
        "worst": [1.0, *[0.01] * 30],
        "pumped": [1.0, *[0.2] * 119],
        "other": [1.0] * 120,
    }
    closes = pl.concat([closes_of(values, name) for name, values in prices.items()])
    candidates = pl.DataFrame(
        {
            "as_of_week": [MONDAY] * 4,
            "token_id": names,
            "symbol": [name.upper() for name in names],
            "market_cap_usd": [5e6] * 4,
            "rank": [1, 2, None, None],
            "is_pick": [True, True, False, False],
            "checks_true": [1, 1, None, None],
            "checks_known": [1, 1, None, None],
            "evidence": [evidence, evidence, None, None],
            "risk_flags": ["", "thin_volume", None, None],
            "origin": ["backfilled", "published", None, None],
            "pump_reason": [None, None, "rose by 150% within days", None],
        }
    )
    screened = followed(candidates, closes)
    market = market_of({50: 0.3}, [100.0] * 130)
    rows = {row["token_id"]: row for row in screened.iter_rows(named=True)}
    return Cases(market, broad_flips(market, count=1), screened, rows["best"], rows["worst"], rows["pumped"], closes)


def test_the_page_tells_each_case_with_its_figures_and_what_became_of_all(cases):
    text = page(cases, "test", pictures="images/")

    assert (
        "picked **BEST**, number 1 of 2, at a market cap of 5.0 M USD: 1 of 1 known items true (`is_grade_high`)"
        in " ".join(text.split())
    )
    assert "+200% in 90" in text
    assert "flagged thin_volume" in text
    assert f"-99.0% in 90, at best 0.01 and at worst 0.010 times the entry. Its price stops on {day(30)}." in text
    assert "kept out **PUMPED**, at a market cap of 5.0 M USD, and said why: *rose by 150% within days*" in text
    assert "-80% after 90" in text
    assert "Picks by origin: 1 backfilled, 1 published" in text
    assert "|picks|2|2|0.5|0.5|" in text
    assert "|kept out for a pump|1|1|0|1|" in text
    assert "100% of these tokens lost half or more in 30 days and 100% in 90" in text
    assert "(of low caps without the warning 33% and 33%), and 0% doubled (33%)" in text


def test_every_picture_that_the_page_shows_is_drawn(cases, tmp_path):
    draw_cases(cases, tmp_path)

    text = page(cases, "test", pictures="images/")
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == ["case-failure.png", "case-flip.png", "case-pump.png", "case-winner.png"]
    assert all(f"(images/{name})" in text for name in drawn)
