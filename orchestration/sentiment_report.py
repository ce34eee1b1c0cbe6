"""Writes docs/results/sentiment.md: how far the scores of texts agree with people, and what was scored.

Belongs here: the page and its figures. Does not: scoring and metrics (`models_ml/sentiment`), sums by day (the dbt project).

    python -m orchestration.sentiment_report WAREHOUSE [LABELS]

WAREHOUSE is a built DuckDB file, LABELS the Parquet file of texts labelled by people (text, sentiment: Positive or Negative); without it
the page has no comparison. The texts belong to their authors: the page names words of the lexicon that stand in them, never the texts.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from models_ml.sentiment.agreement import (
    FOLDS,
    REPEATS,
    RESAMPLES,
    Bools,
    Floats,
    Ints,
    Judged,
    cross_validate,
    estimate,
    macro_f1,
    majority_calls,
    paired_gain,
)
from models_ml.sentiment.lexicon import KINDS, lexicon
from models_ml.sentiment.polarity import PLAIN, Reading, score_texts, telling_words
from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "results" / "sentiment.md"

READINGS: dict[str, tuple[Reading, ...]] = {
    "plain VADER": (PLAIN,),
    "with our words": (Reading(kinds=("word",)),),
    "with our words and phrases": (Reading(kinds=("word", "phrase")),),
    "ours: words, phrases, emoji": (Reading(), Reading(by_sentence=True)),
}
"""What is compared; of several readings one is chosen in each training fold."""
OURS = "ours: words, phrases, emoji"

SEEN_BEFORE = 60
"""First rows of the labelled file, which were read to learn its shape before the lexicon was written."""

LENGTHS = ((0, 10), (10, 25), (25, 60), (60, None))
WORST = 15
WORDS_SHOWN = 5


@dataclass(frozen=True)
class Labelled:
    """Texts with what people call them.

    Attributes:
        texts: The texts.
        labels: Whether people call them positive.
        groups: Number of the text; equal texts have one number.
    """

    texts: pl.Series
    labels: Bools
    groups: Ints


def read_labelled(path: Path) -> Labelled:
    """Read labelled texts in the order of the file.

    Raises:
        ValueError: A label is neither Positive nor Negative.
    """
    rows = pl.read_parquet(path, columns=["text", "sentiment"]).drop_nulls()
    unknown = set(rows["sentiment"]) - {"Positive", "Negative"}
    if unknown:
        raise ValueError(f"{path.name}: sentiment is {sorted(unknown)}, expected Positive or Negative")
    return Labelled(
        rows["text"],
        (rows["sentiment"] == "Positive").to_numpy(),
        rows["text"].rank("dense").cast(pl.Int64).to_numpy(),
    )


def compounds_of(labelled: Labelled, reading: Reading) -> Floats:
    """Compound score of every text."""
    return score_texts(labelled.texts, reading)["compound"].to_numpy()


def agreement_sections(labelled: Labelled) -> list[str]:
    """Lines on how far scores agree with people: methods, lengths, worst errors."""
    labels, groups = labelled.labels, labelled.groups
    judged = {
        name: cross_validate({_name(reading): compounds_of(labelled, reading) for reading in readings}, labels, groups)
        for name, readings in READINGS.items()
    }
    calls = {"majority class": majority_calls(labels, groups), **{name: each.calls for name, each in judged.items()}}
    plain = calls["plain VADER"]
    lines = [
        "## Agreement with people",
        "",
        f"{len(labels)} comments on Reddit about crypto ({labels.mean():.0%} positive, {len(np.unique(groups))} different ones),",
        f"labelled by people (Surge AI, 2022, MIT). {FOLDS} stratified folds, dealt {REPEATS} times, equal texts in one fold. The",
        "threshold between the two classes, and of ours whether a text is read as a whole or as the mean of its sentences, is chosen",
        f"by macro F1 on the training folds alone. Intervals: 95 %, {RESAMPLES:,} bootstrap samples of texts; gains are paired.",
        "",
        "| method | accuracy | macro F1 | gain of macro F1 over plain VADER |",
        "|---|---:|---:|---:|",
    ]
    for name, each in calls.items():
        figures = estimate(each, labels, groups)
        is_compared = name not in ("majority class", "plain VADER")
        gain = str(paired_gain(each, plain, labels, groups)["macro_f1"]) if is_compared else ""
        lines.append(f"| {name} | {figures['accuracy']} | {figures['macro_f1']} | {gain} |")
    lines += ["", *_chosen(judged[OURS]), *_seen(labelled, calls[OURS], plain), ""]
    return [*lines, *_by_length(labelled, calls[OURS], plain), *_worst(labelled, calls[OURS])]


def _chosen(judged: Judged) -> list[str]:
    """What the training folds chose."""
    total = sum(count for _, count in judged.chosen)
    whole = sum(count for (name, _), count in judged.chosen if name == _name(Reading()))
    usual = judged.chosen[0][0][1]
    return [f"Whole texts were chosen in {whole} of {total} folds; the most frequent threshold of ours was {usual:g}."]


def _seen(labelled: Labelled, ours: Bools, plain: Bools) -> list[str]:
    """How well it does on texts that whoever wrote the lexicon had not read."""
    lines = ["The lexicon was written from the use of the field and not changed after it was measured."]
    unseen = np.arange(len(labelled.labels)) >= SEEN_BEFORE
    if not unseen.any():
        return lines
    of_ours, of_plain = (macro_f1(calls[:, unseen], labelled.labels[unseen]) for calls in (ours, plain))
    return [
        *lines,
        f"The first {SEEN_BEFORE} texts had been read before, to learn the file's shape: on the other {unseen.sum()} macro F1 is",
        f"{of_ours:.3f}, of plain VADER {of_plain:.3f}.",
    ]


def _name(reading: Reading) -> str:
    return "by sentence" if reading.by_sentence else "whole"


def _by_length(labelled: Labelled, ours: Bools, plain: Bools) -> list[str]:
    words = labelled.texts.str.split(" ").list.len().to_numpy()
    lines = ["| words of the text | texts | accuracy, ours | plain VADER |", "|---|---:|---:|---:|"]
    for least, below in LENGTHS:
        chosen = (words >= least) & (words < (below or np.inf))
        if not chosen.any():
            continue
        right = [float((calls[:, chosen] == labelled.labels[chosen]).mean()) for calls in (ours, plain)]
        span = f"{least} and more" if below is None else f"under {below}" if least == 0 else f"{least}-{below - 1}"
        lines.append(f"| {span} | {chosen.sum()} | {right[0]:.3f} | {right[1]:.3f} |")
    return [*lines, ""]


def _worst(labelled: Labelled, calls: Bools) -> list[str]:
    """The surest wrong calls: what people say, the score, and the words of the lexicon that made it."""
    scores = compounds_of(labelled, Reading())
    wrong = np.flatnonzero((calls == labelled.labels).mean(axis=0) < 0.5)
    ordered = wrong[np.argsort(-np.abs(scores[wrong]), kind="stable")]
    lines = [
        "## The surest wrong calls",
        "",
        f"{len(wrong)} of {len(labelled.labels)} texts are called wrong in most dealings. Those with the strongest scores, with the",
        "words of the lexicon that stand in them (valence from -4 to 4, before negation):",
        "",
        "| people say | compound | words | what pulled |",
        "|---|---:|---:|---|",
    ]
    for place in ordered[:WORST].tolist():
        text = labelled.texts[place]
        pulled = ", ".join(f"{word} {valence:+g}" for word, valence in telling_words(text)[:WORDS_SHOWN])
        label = "positive" if labelled.labels[place] else "negative"
        lines.append(f"| {label} | {scores[place]:+.2f} | {len(text.split())} | {pulled} |")
    return [*lines, "", READING, ""]


READING = """Read one by one after the figures were measured, the surest errors are of five kinds; a list of words can mend none of them:
- **Others are bad.** A text praises crypto by what it says of banks, dollars, shares or critics; each of the bad words counts against it.
- **Bad is denied later.** Quotes of an objection, an old fear or a fall that the next sentence takes back (dips are when one buys; what was
  called dead lives). VADER sees a negation only within three words.
- **Irony.** Praise said mockingly, `best store of value` after a fall, has no mark that a rule could read.
- **Arguments.** Long texts weigh for and against; what VADER sums up is how much of each there is, not which side wins.
- **Glad to be out.** Somebody is happy to have sold, or that others lose: the mood is good, what it says of the token is not."""


HEADLINES = """## Headlines, by hand

People labelled comments; headlines are written otherwise. So 150 titles of the archive, drawn at random, were labelled positive, neutral
or negative for what they are about (58, 59, 33) by the one who wrote the rules, before their scores were looked at. The titles belong
to their publishers and are not kept here. With VADER's usual thresholds of +-0.05:

| method | accuracy | macro F1 | of the 91 good and bad ones called the opposite |
|---|---:|---:|---:|
| all neutral | 0.393 | 0.188 | 0.000 |
| plain VADER | 0.453 | 0.463 | 0.132 |
| ours | 0.600 | 0.605 (0.526 to 0.676) | 0.066 |

The paired gain of macro F1 is 0.142 (0.063 to 0.219). Most errors take a neutral title for a good one: titles that weigh a good word
against a bad one, and names of funds, laws and games that sound good. One reader is no panel: another would draw the line of neutral
elsewhere."""


def dataset_section(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Lines on what was scored in a warehouse: outlets, links to tokens, days."""
    outlets = connection.execute(
        """
        select
            kind, case when kind = 'news' then outlet else 'communities of Reddit' end as outlet, count(*) as texts,
            min(market_date) as first_date, max(market_date) as last_date, count(*) filter (where is_repeat) as repeats,
            avg((polarity_class = 'positive')::int) as positive, avg((polarity_class = 'neutral')::int) as neutral,
            avg((polarity_class = 'negative')::int) as negative, avg(compound) as mean
        from intermediate.int_texts_scored group by all order by all
        """
    ).pl()
    linked = connection.execute(
        """
        select
            scored.kind, count(distinct (scored.outlet, scored.item_id)) as texts,
            count(distinct (scored.outlet, scored.item_id)) filter (where mentions.token_id is not null) as naming,
            count(distinct mentions.token_id) as tokens
        from intermediate.int_texts_scored as scored
        left join intermediate.int_text_mentions as mentions
            on scored.kind = mentions.kind and scored.outlet = mentions.outlet and scored.item_id = mentions.item_id
        group by scored.kind order by scored.kind
        """
    ).pl()
    rows, days = connection.execute(
        "select (select count(*) from marts.fct_sentiment_daily), (select count(*) from marts.fct_sentiment_market_daily)"
    ).fetchone() or (0, 0)
    lines = [
        "## What was scored",
        "",
        "| kind | outlet | texts | first day | last day | repeats | positive | neutral | negative | mean compound |",
        "|---|---|---:|---|---|---:|---:|---:|---:|---:|",
        *(
            f"| {row['kind']} | {row['outlet']} | {row['texts']:,} | {row['first_date']} | {row['last_date']} | {row['repeats']}"
            f" | {row['positive']:.0%} | {row['neutral']:.0%} | {row['negative']:.0%} | {row['mean']:+.3f} |"
            for row in outlets.iter_rows(named=True)
        ),
        "",
        *(
            f"Of {row['texts']:,} texts of {row['kind']} {row['naming']:,} ({row['naming'] / row['texts']:.0%}) name a token,"
            f" {row['tokens']} different ones."
            for row in linked.iter_rows(named=True)
        ),
        "",
        f"`fct_sentiment_daily` has {rows:,} rows, `fct_sentiment_market_daily` {days:,} days.",
    ]
    if "social" not in linked["kind"]:
        lines.append(
            "No post was landed: posts need a key of Reddit, and no archive of them was at hand. The social columns are null."
        )
    return [*lines, "", *_beside_gdelt(connection)]


def _beside_gdelt(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """How the weekly mean of headlines goes with the tone that GDELT measured in other articles, and with bitcoin."""
    weeks = connection.execute(
        """
        with ours as (
            select last_date, sum(news_texts * news_sentiment) / sum(news_texts) as sentiment, sum(news_texts) as texts
            from (select *, market_date + (7 - isodow(market_date))::integer as last_date from marts.fct_sentiment_market_daily)
            where news_texts is not null group by last_date
        ),
        bitcoin as (
            select market_date, price_usd / lag(price_usd, 7) over (order by market_date) - 1 as return_7d
            from marts.fct_daily where token_id = 'bitcoin'
        )
        select ours.sentiment, gdelt.tone, bitcoin.return_7d
        from ours
        left join (select distinct on (market_date) market_date, tone from raw.gdelt__tone_weekly) as gdelt
            on ours.last_date = gdelt.market_date
        left join bitcoin on ours.last_date = bitcoin.market_date
        where ours.texts >= 20
        """
    ).pl()
    parts = []
    for column, what in (
        ("tone", "the tone GDELT measured in other articles"),
        ("return_7d", "bitcoin's return of the same week"),
    ):
        known = weeks.drop_nulls(["sentiment", column])
        if known.height >= 10:
            correlation = known.select(pl.corr("sentiment", column, method="spearman")).item()
            parts.append(f"{correlation:+.2f} with {what} ({known.height} weeks)")
    if not parts:
        return []
    return ["Rank correlation of the weekly mean of headlines:", *(f"- {part}" for part in parts), ""]


def page(connection: duckdb.DuckDBPyConnection, labels: Path | None) -> str:
    """The page as Markdown."""
    counts = {kind: sum(entry.kind == kind for entry in lexicon()) for kind in KINDS}
    lines = [
        "# Sentiment of news and posts",
        "",
        "Written by `make evaluate`, or `python -m orchestration.sentiment_report WAREHOUSE [LABELS]`. Scores are VADER's rules over a",
        f"lexicon of our own: {counts['word']} words, {counts['phrase']} phrases, {counts['emoji']} emoji"
        " (`models_ml/sentiment/lexicon.csv`, [how](../explanation/sentiment.md)).",
        "",
    ]
    return "\n".join(
        lines + ([] if labels is None else agreement_sections(read_labelled(labels))) + dataset_section(connection)
    )


def write_sentiment_page(warehouse: Path, labels: Path | None) -> None:
    """Write docs/results/sentiment.md from a built warehouse, compared with labels where there are some."""
    with connect(warehouse, read_only=True) as connection:
        PAGE.write_text(page(connection, labels), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write the page, or say how."""
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m orchestration.sentiment_report WAREHOUSE [LABELS]")
    write_sentiment_page(Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else None)
    print(f"wrote {PAGE.relative_to(REPOSITORY_ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
