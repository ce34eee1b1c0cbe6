"""Controls, random screens and the verdict that follows from a record."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.screens.controls import CONTROLS, draw_controls, random_hit_rates, token_numbers
from models_ml.screens.record import NO_SKILL, TOO_FEW, screen_record

FIRST = date(2022, 1, 3)


def universe(weeks=80, tokens=60, *, hits=lambda token: token % 5 == 0):
    """Tokens in two volatility quintiles and one tercile; which of them succeed is the same in every week."""
    rows = [
        (FIRST + timedelta(weeks=week), f"t{token:02}", 1 + token % 2, 1, hits(token), 0.1, False, 1.0 + token % 2)
        for week in range(weeks)
        for token in range(tokens)
    ]
    names = [
        *("as_of_week", "token_id", "volatility_quintile", "cap_tercile"),
        *("is_success", "return_90d", "has_halved", "volatility_90d"),
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


def picked(rows, *tokens):
    return rows.filter(pl.col("token_id").is_in(list(tokens)))


def record_of(rows, *tokens):
    picks = picked(rows, *tokens)
    controls = draw_controls(picks, rows).join(rows, on=["as_of_week", "token_id"], how="inner")
    return screen_record(picks, controls, rows)


def test_controls_share_week_quintile_and_tercile_and_are_no_picks():
    rows = universe(weeks=3)
    picks = picked(rows, "t00", "t01", "t02")

    drawn = draw_controls(picks, rows)

    both = drawn.join(rows, on=["as_of_week", "token_id"]).join(
        rows, left_on=["as_of_week", "pick_token_id"], right_on=["as_of_week", "token_id"], suffix="_of_pick"
    )
    assert (both["volatility_quintile"] == both["volatility_quintile_of_pick"]).all()
    assert not set(drawn["token_id"]) & {"t00", "t01", "t02"}
    assert drawn.group_by("as_of_week", "pick_token_id").len()["len"].to_list() == [CONTROLS] * 9


def test_fewer_controls_are_drawn_where_fewer_exist():
    rows = universe(weeks=1, tokens=6)

    drawn = draw_controls(picked(rows, "t00"), rows)

    assert drawn.sort("control_number")["control_number"].to_list() == [1, 2]


def test_a_draw_depends_on_week_and_token_alone():
    rows = universe(weeks=2)
    alone = draw_controls(picked(rows, "t00"), rows)
    # Shuffled, and with another pick of the other bucket: the controls of the first stay what they were.
    together = draw_controls(picked(rows, "t00", "t01"), rows.sample(fraction=1.0, shuffle=True, seed=1))

    assert together.filter(pl.col("pick_token_id") == "t00").equals(alone)
    assert alone["token_id"].to_list() != alone.sort("token_id")["token_id"].to_list()


def test_a_pick_outside_the_universe_has_no_control():
    rows = universe(weeks=1)
    stranger = pl.DataFrame({"as_of_week": [FIRST], "token_id": ["dex:unknown"]})

    assert draw_controls(stranger, rows).is_empty()


def test_a_token_keeps_its_numbers_whoever_else_there_is():
    few, many = token_numbers(pl.Series(["b"])), token_numbers(pl.Series(["a", "b"]))

    assert np.array_equal(few[0], many[1])
    assert 0.45 < many.mean() < 0.55


def test_random_screens_hit_as_often_as_the_universe_and_stick_to_their_tokens():
    rows = universe()
    sizes = rows.select("as_of_week").unique().with_columns(picks=pl.lit(10))

    rates = random_hit_rates(rows, sizes)

    assert rates.mean() == pytest.approx(0.2, abs=0.01)
    # The same ten tokens week after week: 800 picks vary like ten, not like 800.
    assert rates.std() > 0.08


def test_a_screen_that_finds_the_movers_shows_skill():
    movers = [f"t{token:02}" for token in range(0, 60, 5)][:10]

    record = record_of(universe(), *movers)

    assert (record.hit_rate, record.random_percentile) == (1.0, 100.0)
    assert record.difference.low > 0
    assert record.verdict.startswith("skill beyond volatility")


def test_a_screen_that_only_sorts_by_volatility_shows_none():
    # Tokens of the wild quintile succeed, half of them by chance; picks are ten of them, their controls are the others.
    rows = universe(hits=lambda token: token % 2 == 1 and token % 4 == 1)

    record = record_of(rows, *[f"t{token:02}" for token in range(1, 20, 2)])

    assert record.lift > 1.5
    assert record.verdict.startswith(NO_SKILL)


def test_beating_controls_but_not_the_sort_by_volatility_is_no_skill():
    # The wildest of the wild succeed; a sort by volatility finds the same ones.
    rows = universe(hits=lambda token: token % 10 == 1).with_columns(
        volatility_90d=pl.when(pl.col("is_success")).then(9.0).otherwise("volatility_90d")
    )

    record = record_of(rows, *[f"t{token:02}" for token in range(1, 60, 10)])

    assert record.difference.low > 0
    assert record.random_percentile == 100.0
    assert record.verdict.startswith(NO_SKILL)
    assert "sort by volatility" in record.verdict


def test_a_young_record_shows_none_whatever_its_hits():
    record = record_of(universe(weeks=20), *[f"t{token:02}" for token in range(0, 60, 5)][:10])

    assert record.hit_rate == 1.0
    assert record.verdict == TOO_FEW


def test_picks_without_a_known_end_count_as_open():
    rows = universe(weeks=2).with_columns(
        return_90d=pl.when(pl.col("as_of_week") == FIRST).then("return_90d")  # a success known early, too
    )

    record = record_of(rows, "t00", "t05")

    assert (record.weeks, record.picks_known, record.picks_open) == (1, 2, 2)
