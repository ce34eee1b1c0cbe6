"""Which token a name means on a day: the largest, former names, and names that went to another token. The titles are made up."""

from datetime import date

import polars as pl
import pytest

from models_ml.sentiment.linking import link_texts

RENAMED = date(2022, 5, 28)
NAMES = pl.DataFrame(
    [
        ("bitcoin", "Bitcoin", "BTC", None),
        ("old-moon", "Luna Classic", "LUNC", None),
        ("old-moon", "Terra", "LUNA", RENAMED),
        ("new-moon", "Terra", "LUNA", None),
        ("multi", "MultiversX", "EGLD", None),
        ("multi", "Elrond", "ERD", date(2022, 11, 3)),
        ("copy", "BitcoinCopy", "BTC", None),
    ],
    schema={"token_id": pl.String, "name": pl.String, "symbol": pl.String, "renamed_date": pl.Date},
    orient="row",
).with_columns(valid_from=pl.when(pl.col("name") == "MultiversX").then(date(2022, 11, 3)))


def months_of(token_id, first, caps, begins=date(2022, 4, 1)):
    return [
        (token_id, month, max(first, month), cap)
        for month, cap in zip(pl.date_range(begins, date(2023, 1, 1), "1mo", eager=True), caps, strict=False)
    ]


SIZES = pl.DataFrame(
    [
        *months_of("bitcoin", date(2020, 1, 1), [9.0] * 10),
        *months_of("old-moon", date(2020, 1, 1), [5.0] * 10),
        *months_of("new-moon", RENAMED, [4.0] * 9, begins=date(2022, 5, 1)),
        *months_of("multi", date(2020, 1, 1), [3.0] * 10),
        *months_of("copy", date(2020, 1, 1), [1.0] * 10),
    ],
    schema={"token_id": pl.String, "month": pl.Date, "first_date": pl.Date, "market_cap_usd": pl.Float64},
    orient="row",
)


def linked(title, day):
    texts = pl.DataFrame({"text_id": ["x"], "market_date": [day], "title": [title]})
    return link_texts(texts, NAMES, SIZES)["token_id"].to_list()


@pytest.mark.parametrize(
    ("day", "token"),
    [
        (date(2022, 5, 9), "old-moon"),
        (date(2022, 5, 27), "old-moon"),
        (RENAMED, "new-moon"),
        (date(2022, 6, 1), "new-moon"),
    ],
)
@pytest.mark.parametrize("title", ["Terra halts its chain", "What became of $LUNA"])
def test_a_name_means_who_bore_it_on_the_day(title, day, token):
    assert linked(title, day) == [token]


def test_a_former_name_still_means_its_token_where_nobody_took_it():
    assert linked("Elrond wins a licence", date(2022, 6, 1)) == ["multi"]
    assert linked("Elrond wins a licence", date(2022, 12, 1)) == ["multi"]
    assert linked("MultiversX wins a licence", date(2022, 12, 1)) == ["multi"]


def test_a_name_counts_from_its_first_day():
    assert linked("MultiversX wins a licence", date(2022, 11, 2)) == []
    assert linked("MultiversX wins a licence", date(2022, 11, 3)) == ["multi"]


def test_a_shared_ticker_means_the_larger_token_of_the_month_before():
    assert linked("All about $BTC", date(2022, 6, 1)) == ["bitcoin"]


def test_a_name_of_a_token_that_has_not_begun_is_none():
    only_new = SIZES.filter(pl.col("token_id") == "new-moon")
    texts = pl.DataFrame({"text_id": ["x"], "market_date": [date(2022, 4, 9)], "title": ["Terra halts its chain"]})

    assert link_texts(texts, NAMES, only_new).is_empty()


def test_texts_of_all_days_are_linked_once_in_order():
    days = [date(2022, 5, 9), date(2022, 6, 9), date(2022, 12, 31), date(2022, 5, 9)]
    titles = ["Terra and Bitcoin", "Terra", "Elrond", "Nothing here"]
    texts = pl.DataFrame({"text_id": ["b", "a", "d", "c"], "market_date": days, "title": titles})

    assert link_texts(texts, NAMES, SIZES).rows() == [
        ("a", "new-moon"),
        ("b", "bitcoin"),
        ("b", "old-moon"),
        ("d", "multi"),
    ]


def test_a_later_text_does_not_change_an_earlier_link():
    early = pl.DataFrame({"text_id": ["a"], "market_date": [date(2022, 5, 9)], "title": ["Terra"]})
    late = pl.DataFrame({"text_id": ["b"], "market_date": [date(2022, 8, 9)], "title": ["Terra"]})
    known_by_may = SIZES.filter(pl.col("month") <= date(2022, 5, 1))

    both = link_texts(pl.concat([early, late]), NAMES, SIZES)

    assert link_texts(early, NAMES, known_by_may).equals(both.filter(pl.col("text_id") == "a"))


def test_no_texts_give_no_rows():
    none = pl.DataFrame(schema={"text_id": pl.String, "market_date": pl.Date, "title": pl.String})

    assert link_texts(none, NAMES, SIZES).columns == ["text_id", "token_id"]
