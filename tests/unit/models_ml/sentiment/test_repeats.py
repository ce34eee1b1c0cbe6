"""Repeats: one report in several outlets counts once. The titles are made up."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.sentiment.repeats import WITHIN_DAYS, mark_repeats, title_key

START = datetime(2024, 1, 1, tzinfo=UTC)
TITLE = "Regulator fines exchange two million"


def texts(*rows, kind="news"):
    return pl.DataFrame(
        [(str(number), kind, START + timedelta(hours=hours), title) for number, (hours, title) in enumerate(rows)],
        schema={"text_id": pl.String, "kind": pl.String, "published_at": pl.Datetime("us", "UTC"), "title": pl.String},
        orient="row",
    )


@pytest.mark.parametrize(
    "again",
    [
        TITLE,
        TITLE.upper(),
        f"{TITLE} | The Daily",
        f"{TITLE} - CoinPaper",
        f"Breaking: {TITLE}!",
        f"{TITLE} (Updated)",
    ],
)
def test_the_same_report_of_another_outlet_is_a_repeat(again):
    assert mark_repeats(texts((0, TITLE), (5, again)))["is_repeat"].to_list() == [False, True]


@pytest.mark.parametrize(
    "other", ["Regulator fines exchange three million", "Regulator - fines exchange two million dollars", "Gm"]
)
def test_another_report_is_none(other):
    assert mark_repeats(texts((0, TITLE), (5, other)))["is_repeat"].to_list() == [False, False]


def test_short_titles_are_never_repeats():
    assert mark_repeats(texts((0, "Gm all"), (1, "Gm all")))["is_repeat"].to_list() == [False, False]


def test_what_comes_again_after_days_is_news_again():
    late = WITHIN_DAYS * 24 + 1

    assert mark_repeats(texts((0, TITLE), (late, TITLE), (late + 1, TITLE)))["is_repeat"].to_list() == [
        False,
        False,
        True,
    ]


def test_news_and_posts_do_not_repeat_one_another():
    both = pl.concat([texts((0, TITLE)), texts((1, TITLE), kind="social").with_columns(text_id=pl.lit("x"))])

    assert mark_repeats(both)["is_repeat"].to_list() == [False, False]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([TITLE, "Chain adds a bridge to another"])), max_size=12),
    st.integers(0, 400),
)
def test_no_later_text_changes_what_became_of_an_earlier_one(rows, cut):
    full = mark_repeats(texts(*rows))
    before = [pair for pair in rows if pair[0] <= cut]

    known = mark_repeats(texts(*rows).filter(pl.col("published_at") <= START + timedelta(hours=cut)))

    assert known.equals(full.filter(pl.col("published_at") <= START + timedelta(hours=cut)))
    assert known.height == len(before)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([TITLE, "Chain adds a bridge to another"])), max_size=12)
)
def test_repeats_are_what_a_slow_search_finds(rows):
    frame = texts(*rows)

    result = mark_repeats(frame)["is_repeat"].to_list()

    keyed = frame.with_columns(key=title_key(pl.col("title"))).rows(named=True)
    near = timedelta(days=WITHIN_DAYS)
    for row, is_repeat in zip(keyed, result, strict=True):
        earlier = [
            other
            for other in keyed
            if other["key"] == row["key"]
            and (other["published_at"], other["text_id"]) < (row["published_at"], row["text_id"])
            and row["published_at"] - other["published_at"] <= near
        ]
        assert is_repeat is bool(earlier)
