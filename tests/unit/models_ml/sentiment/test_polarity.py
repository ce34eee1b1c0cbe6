"""Scores of texts: the lexicon over VADER, phrases, emoji, negation, and what is taken out before. The texts are made up."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from models_ml.sentiment.polarity import (
    PLAIN,
    POSITIVE_FROM,
    Reading,
    compound,
    score_texts,
    sentences,
    telling_words,
)


@pytest.mark.parametrize(
    "text",
    [
        "Diamond hands, we are going to the moon",
        "Protocol announces mainnet and a partnership",
        "New all-time high for the coin",
        "This is not a scam",
        "🚀🚀",
        "Never selling mine",
    ],
)
def test_good_texts_are_positive(text):
    assert score_texts(pl.Series([text]))["polarity_class"].item() == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "Bridge exploited, wallets drained",
        "Got rekt when they pulled the rug",
        "Classic pump and dump",
        "It will go to zero",
        "Exchange halts withdrawals",
        "Price down 📉",
        "I am not bullish",
    ],
)
def test_bad_texts_are_negative(text):
    assert score_texts(pl.Series([text]))["polarity_class"].item() == "negative"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Market wrap of the week",
        "Shares of the trust and its interest",
        "https://example.org/scam-crash",
        "How a stop loss works",
    ],
)
def test_texts_without_a_word_that_tells_are_near_zero(text):
    assert abs(compound(text)) < 0.3


def test_a_phrase_counts_before_the_words_in_it():
    assert compound("pump and dump") < compound("pump") < compound("pump to the moon")
    assert compound("A pump-and-dump") == compound("A pump  and\ndump")


def test_curly_apostrophes_negate_as_straight_ones_do():
    assert compound("I don\u2019t love it") == compound("I don't love it") < 0


def test_skin_and_variation_of_an_emoji_do_not_matter():
    assert compound("❤\ufe0f") == compound("❤") > 0
    assert compound("👍\U0001f3fc") == compound("👍") > 0


def test_plain_is_vader_itself():
    analyzer = SentimentIntensityAnalyzer()
    for text in ("BTC to the moon 🚀", "I don\u2019t like it. It's a SCAM!!", ""):
        assert compound(text, PLAIN) == analyzer.polarity_scores(text)["compound"]


def test_by_sentence_is_the_mean_weighted_by_words():
    reading = Reading(by_sentence=True)
    good, bad = "The future is bullish", "But fees are a scam and the chain is dead"

    expected = (4 * compound(good) + 10 * compound(bad)) / 14

    assert compound(f"{good}. {bad}", reading) == pytest.approx((4 * compound(f"{good}.") + 10 * compound(bad)) / 14)
    assert compound(f"{good}\n{bad}", reading) == pytest.approx(expected)
    assert compound("", reading) == 0


def test_short_sentences_join_the_one_before():
    assert sentences("Buy it now! Wow. Then hold it.\n\nOk") == ["Buy it now! Wow.", "Then hold it. Ok"]


def test_the_words_that_tell_are_named_once_the_strongest_first():
    text = "Rug-pull! A rug pull, and shares of it dumped. 🚀"

    assert telling_words(text) == [("rug pull", -3.4), ("🚀", 2.7), ("dumped", -2.1)]
    assert telling_words("Nothing here") == []


def test_a_missing_text_has_no_score():
    result = score_texts(pl.Series([None, "bullish"], dtype=pl.String))

    assert result["compound"].is_null().to_list() == [True, False]
    assert result["polarity_class"].to_list() == [None, "positive"]


def test_no_texts_give_no_rows():
    assert score_texts(pl.Series([], dtype=pl.String)).is_empty()


@given(st.text(max_size=200))
def test_any_text_has_a_score_within_one_and_a_class_that_fits(text):
    row = score_texts(pl.Series([text])).row(0, named=True)

    assert -1 <= row["compound"] <= 1
    expected = "neutral" if abs(row["compound"]) < POSITIVE_FROM else "positive" if row["compound"] > 0 else "negative"
    assert row["polarity_class"] == expected
