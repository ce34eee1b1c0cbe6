"""How good or bad a text is for what it is about: VADER's rules over our lexicon of crypto.

Belongs here: what is done to a text before VADER reads it, the compound score and its class. Does not: the entries (`lexicon.csv`),
which tokens a text is about (`mentions.py`), sums by day (the dbt project).

VADER (Hutto and Gilbert 2014, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text, ICWSM) reads word by
word: negation, degree words, capitals, exclamation marks and `but` change the valence of the words beside them. It knows neither phrases
nor the emoji of the field, so both become words of their own first. A rule and no model: it is the same for every year, so history that
is scored today was scored with nothing learnt later.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from models_ml.sentiment.lexicon import Entry, lexicon

POSITIVE_FROM: Final = 0.05
"""Compound from which on a text is positive, and below whose negative it is negative: the convention of VADER's authors."""

SHORTEST_SENTENCE_WORDS: Final = 3
"""A sentence of fewer words is read with the one before it."""

_URL: Final = re.compile(r"https?://\S+|www\.\S+")
_MARKUP: Final = re.compile(r"[*_~`>#|\\]+")
_MODIFIERS: Final = re.compile("[\ufe0f\u200d\U0001f3fb-\U0001f3ff]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Reading:
    """How texts are read.

    Attributes:
        kinds: Kinds of entries that are read over VADER's lexicon; none reads plain VADER.
        by_sentence: Whether the score is the mean over sentences, each weighted by its words, instead of that of the whole text. VADER adds
            up over a text, so a long one is always sure of itself.
    """

    kinds: tuple[str, ...] = ("word", "phrase", "emoji")
    by_sentence: bool = False


PLAIN: Final = Reading(kinds=(), by_sentence=False)
"""VADER as its authors give it, for comparison."""

OURS: Final = Reading()
"""What the warehouse uses."""


def score_texts(texts: pl.Series, reading: Reading = OURS) -> pl.DataFrame:
    """Score texts.

    Args:
        texts: Titles or posts; nulls allowed.
        reading: How they are read.

    Returns:
        One row per text in the same order: compound (-1..1, null for a missing text), polarity_class (`positive`, `neutral`,
        `negative`, null for a missing text).

    Example:
        >>> score_texts(pl.Series(["Bridge drained, tokens rugged", "Bitcoin to the moon"]))["polarity_class"].to_list()
        ['negative', 'positive']
    """
    values = [None if text is None else compound(text, reading) for text in texts]
    return pl.DataFrame({"compound": pl.Series(values, dtype=pl.Float64)}).with_columns(
        polarity_class=pl.when(pl.col("compound") >= POSITIVE_FROM)
        .then(pl.lit("positive"))
        .when(pl.col("compound") <= -POSITIVE_FROM)
        .then(pl.lit("negative"))
        .when(pl.col("compound").is_not_null())
        .then(pl.lit("neutral"))
    )


def compound(text: str, reading: Reading = OURS) -> float:
    """Score of one text, -1 (worst) to 1 (best); 0 where it holds no word that tells.

    Example:
        >>> compound("Exchange halts withdrawals") < 0 < compound("Fund keeps buying, adoption grows")
        True
    """
    reader = _reader(reading.kinds)
    if not reading.kinds and not reading.by_sentence:
        return reader.of(text)
    if not reading.by_sentence:
        return reader.of(reader.prepare(text))
    parts = [(len(sentence.split()), reader.of(reader.prepare(sentence))) for sentence in sentences(text)]
    words = sum(count for count, _ in parts)
    return sum(count * value for count, value in parts) / words if words else 0.0


def telling_words(text: str, reading: Reading = OURS) -> list[tuple[str, float]]:
    """Words, phrases and emoji of a text that have a valence, each once, the strongest first; negation is not in it.

    Example:
        >>> telling_words("Not a rug pull, they only dump")
        [('rug pull', -3.4), ('dump', -2.1)]
    """
    return _reader(reading.kinds).telling(text)


def sentences(text: str) -> list[str]:
    """Sentences of a text by its stops and line breaks, too short ones joined to the one before."""
    found: list[str] = []
    for part in _SENTENCE_END.split(text):
        stripped = part.strip()
        if not stripped:
            continue
        if found and len(stripped.split()) < SHORTEST_SENTENCE_WORDS:
            found[-1] = f"{found[-1]} {stripped}"
        else:
            found.append(stripped)
    return found


class _Reader:
    """VADER with some entries, and what turns phrases and emoji into words it can look up."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._analyzer = SentimentIntensityAnalyzer()
        self._words: dict[str, str] = {}
        self._terms: dict[str, str] = {}
        patterns = []
        # The longest first, so that `pump and dump` is not read as `pump`.
        for number, entry in enumerate(sorted(entries, key=lambda each: (-len(each.term), each.term))):
            word = entry.term if entry.kind == "word" else f"{entry.kind}{number}"
            self._analyzer.lexicon[word] = entry.valence
            self._terms[word] = entry.term
            if entry.kind == "phrase":
                patterns.append(r"\b" + r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", entry.term))) + r"\b")
                self._words[_key(entry.term)] = word
            elif entry.kind == "emoji":
                patterns.append(re.escape(entry.term))
                self._words[entry.term] = word
        self._found = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def prepare(self, text: str) -> str:
        """The text without addresses and markup, with straight apostrophes, and phrases and emoji as words of the lexicon."""
        plain = _URL.sub(" ", text).replace("\u2019", "'").replace("\u2018", "'")
        plain = _MODIFIERS.sub("", _MARKUP.sub(" ", plain))
        return self._found.sub(self._word, plain) if self._found else plain

    def of(self, text: str) -> float:
        scores: dict[str, float] = self._analyzer.polarity_scores(text)
        return scores["compound"]

    def telling(self, text: str) -> list[tuple[str, float]]:
        valences: dict[str, float] = self._analyzer.lexicon
        found = dict.fromkeys(word.strip(string.punctuation).lower() for word in self.prepare(text).split())
        told = [(self._terms.get(word, word), float(valences[word])) for word in found if valences.get(word)]
        return sorted(told, key=lambda each: (-abs(each[1]), each[0]))

    def _word(self, match: re.Match[str]) -> str:
        found = match.group()
        return f" {self._words[found if found in self._words else _key(found)]} "


def _key(phrase: str) -> str:
    return " ".join(re.split(r"[\s-]+", phrase.lower()))


@lru_cache(maxsize=16)
def _reader(kinds: tuple[str, ...]) -> _Reader:
    return _Reader(entry for entry in lexicon() if entry.kind in kinds)
