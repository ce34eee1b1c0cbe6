"""The page of sentiment, from a warehouse of a few rows and labels that are made up."""

import duckdb
import polars as pl
import pytest

from orchestration import sentiment_report
from orchestration.sentiment_report import page, read_labelled, write_sentiment_page

GOOD = ("I am bullish on number {0}", "Number {0} is going to the moon")
BAD = ("Number {0} is a ponzi scheme", "Got rekt by the rug pull of number {0}")


@pytest.fixture
def warehouse(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            """
            create schema intermediate; create schema marts; create schema raw;
            create table intermediate.int_texts_scored as
            select * from (values
                ('news', 'feed', '1', date '2024-01-01', 0.5, 'positive', false),
                ('news', 'feed', '2', date '2024-01-02', -0.5, 'negative', false),
                ('news', 'other', '3', date '2024-01-02', 0.0, 'neutral', true)
            ) as t(kind, outlet, item_id, market_date, compound, polarity_class, is_repeat);
            create table intermediate.int_text_mentions as
            select 'news' as kind, 'feed' as outlet, unnest(['1', '1', '2']) as item_id, unnest(['a', 'b', 'a']) as token_id;
            create table marts.fct_sentiment_daily as select 'a' as token_id, date '2024-01-01' as market_date;
            create table marts.fct_sentiment_market_daily as
            select date '2024-01-01' + day::integer as market_date, 25 as news_texts, day / 100.0 as news_sentiment
            from range(140) as days(day);
            create table marts.fct_daily as
            select 'bitcoin' as token_id, date '2024-01-01' + day::integer as market_date, exp(day * day / 1e4) as price_usd
            from range(140) as days(day);
            create table raw.gdelt__tone_weekly (market_date date, tone double);
            """
        )
    return path


@pytest.fixture
def labels(tmp_path):
    texts = [
        (text.format(number), label)
        for number in range(20)
        for kind, label in ((GOOD, "Positive"), (BAD, "Negative"))
        for text in kind
    ]
    path = tmp_path / "labels.parquet"
    pl.DataFrame(texts, schema=["text", "sentiment"], orient="row").write_parquet(path)
    return path


def test_the_page_counts_what_was_scored(warehouse):
    with duckdb.connect(str(warehouse)) as connection:
        text = page(connection, None)

    assert "| news | feed | 2 | 2024-01-01 | 2024-01-02 | 0 | 50% | 0% | 50% | +0.000 |" in text
    assert "| news | other | 1 | 2024-01-02 | 2024-01-02 | 1 |" in text
    assert "Of 3 texts of news 2 (67%) name a token, 2 different ones." in text
    assert "No post was landed" in text
    assert "+1.00 with bitcoin's return of the same week" in text
    assert "GDELT" not in text
    assert "Agreement with people" not in text


def test_the_page_compares_with_people_and_names_no_text(warehouse, labels, monkeypatch, tmp_path):
    monkeypatch.setattr(sentiment_report, "PAGE", tmp_path / "sentiment.md")

    write_sentiment_page(warehouse, labels)

    text = (tmp_path / "sentiment.md").read_text()
    assert "| ours: words, phrases, emoji | 1.000 (1.000 to 1.000) |" in text
    assert "| majority class | 0.5" in text
    assert "0 of 80 texts are called wrong" in text
    assert "Number 1" not in text


def test_another_label_is_refused(tmp_path):
    path = tmp_path / "labels.parquet"
    pl.DataFrame({"text": ["x"], "sentiment": ["Mixed"]}).write_parquet(path)

    with pytest.raises(ValueError, match="Mixed"):
        read_labelled(path)
