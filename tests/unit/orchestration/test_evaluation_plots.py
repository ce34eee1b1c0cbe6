"""What the pictures of the evaluation show."""

import base64
from datetime import date, timedelta

import duckdb
import pytest

from orchestration.defs.learning.assets import (
    FEWEST_WEEKS_OF_A_MEAN,
    cumulative_by_head,
    cumulative_by_size,
    mean_so_far,
)
from orchestration.lib.evaluation_weeks import EVALUATED_HEADS, EVALUATED_INVESTOR, EVALUATED_TRADER

FIRST = date(2024, 1, 1)


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("create schema learning")
        for head in EVALUATED_HEADS:
            connection.execute(
                f"""create table {head.table.current_view_sql_name}
                (as_of_week date, model varchar, universe varchar, metric varchar, value double)"""
            )
        yield connection


def add(connection, head, values, *, universe="broad", metric="rank_ic_lag1", model=None):
    """Weekly values from the first week on; None is a week without a row."""
    for number, value in enumerate(values):
        if value is None:
            continue
        connection.execute(
            f"insert into {head.table.current_view_sql_name} values (?, ?, ?, ?, ?)",
            [FIRST + timedelta(weeks=number), model or head.name, universe, metric, value],
        )


def is_picture(shown):
    _, _, encoded = shown.value.partition("base64,")
    return base64.b64decode(encoded.rstrip(")")).startswith(b"\x89PNG")


def test_a_mean_so_far_begins_where_it_rests_on_eight_weeks_and_counts_them_all(warehouse):
    add(warehouse, EVALUATED_TRADER, [0.8, *[0.0] * 7, 0.1])
    add(warehouse, EVALUATED_TRADER, [9.0] * 9, metric="rank_ic")
    add(warehouse, EVALUATED_TRADER, [9.0] * 9, model="baseline_low_volatility")
    add(warehouse, EVALUATED_TRADER, [9.0] * 9, universe="liquid")

    means = mean_so_far(warehouse, EVALUATED_TRADER, "broad")

    assert means["as_of_week"].to_list() == [FIRST + timedelta(weeks=7), FIRST + timedelta(weeks=8)]
    assert means["mean"].to_list() == pytest.approx([0.8 / 8, 0.9 / 9])
    assert means["weeks"].to_list() == [8, 9]


def test_a_mean_stays_as_it_was_in_a_week_in_which_its_group_was_too_small(warehouse):
    add(warehouse, EVALUATED_TRADER, [0.1] * 10)
    add(warehouse, EVALUATED_TRADER, [*[0.2] * 8, None, 1.1], universe="size_below_20m")

    means = mean_so_far(warehouse, EVALUATED_TRADER, "size_below_20m")

    assert means["mean"].to_list() == pytest.approx([0.2, 0.2, 0.3])
    assert means["weeks"].to_list() == [8, 8, 9]


def test_a_head_without_enough_weeks_has_no_line_yet(warehouse):
    add(warehouse, EVALUATED_INVESTOR, [0.1] * (FEWEST_WEEKS_OF_A_MEAN - 1))

    assert mean_so_far(warehouse, EVALUATED_INVESTOR, "broad").is_empty()
    assert is_picture(cumulative_by_head(warehouse, "simulated"))


def test_the_pictures_are_drawn_before_the_first_evaluation_and_after(warehouse):
    empty = cumulative_by_size(warehouse, EVALUATED_TRADER, "simulated")
    for universe in ("broad", "size_below_20m", "size_above_1b"):
        add(warehouse, EVALUATED_TRADER, [0.1] * 20, universe=universe)

    drawn = cumulative_by_size(warehouse, EVALUATED_TRADER, "simulated")

    assert is_picture(empty)
    assert is_picture(drawn)
    assert drawn.value != empty.value
