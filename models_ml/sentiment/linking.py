"""Links texts to tokens by the names of their day: of several tokens of one name or ticker the largest, former names where they were borne.

Belongs here: which token a name means on a day. Does not: what counts as a mention (`mentions.py`).

A token has its present name and its former ones. A former name means its token before the renaming, whoever bears it today (LUNA before
2022-05-28 is what is Terra Luna Classic now). After it, it still means that token, unless another one has taken the name (LUNA since).
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import polars as pl

from models_ml.sentiment.mentions import find_mentions

LINK_SCHEMA = {"text_id": pl.String, "token_id": pl.String}


def link_texts(texts: pl.DataFrame, names: pl.DataFrame, sizes: pl.DataFrame) -> pl.DataFrame:
    """Find the tokens that texts mention.

    Of tokens of one name or ticker the largest by market cap at the end of the month before is meant, then those that began within the
    month in the order they began, so that no later fact decides; former names that are no longer borne come last.

    Args:
        texts: One row per text: text_id (unique), market_date, title (no nulls).
        names: One row per token and name: token_id, name, symbol, valid_from (first day it was borne, null for ever), renamed_date (first
            day of the next name, null for the present one).
        sizes: One row per token and month with a price: token_id, month (its first day), first_date (first day with a price in the
            month), market_cap_usd (last of the month, nullable).

    Returns:
        One row per text and token: text_id, token_id; ordered by both.
    """
    firsts = sizes.group_by("token_id").agg(pl.col("first_date").min())
    found = [pl.DataFrame(schema=LINK_SCHEMA)]
    changes = pl.concat([names["valid_from"], names["renamed_date"].rename("valid_from")])
    for begins, ends in _segments(texts["market_date"], changes):
        of_days = texts.filter((pl.col("market_date") >= begins) & (pl.col("market_date") < ends))
        if of_days.is_empty():
            continue
        ordered = _in_order(names, firsts, sizes, begins)
        mentions = find_mentions(
            of_days.select(pl.col("text_id").alias("article_id"), "title"),
            ordered.select(pl.col("token_id").alias("coin_id"), "name", "symbol"),
        )
        found.append(mentions.rename({"article_id": "text_id", "coin_id": "token_id"}))
    return pl.concat(found).sort("text_id", "token_id")


def _segments(days: pl.Series, changes: pl.Series) -> list[tuple[date, date]]:
    """Stretches of days within one month in which no name begins or ends: first day, day after the last."""
    if days.is_empty():
        return []
    first, last = days.min(), days.max()
    months = pl.date_range(
        pl.lit(first).dt.month_start(), pl.lit(last).dt.offset_by("1mo").dt.month_start(), "1mo", eager=True
    )
    begun = months.rename("edge")
    within = changes.drop_nulls().rename("edge")
    found = pl.concat([begun, within]).unique().sort()
    edges: list[date] = found.filter(found.is_between(begun.min(), begun.max())).to_list()
    return list(pairwise(edges))


def _in_order(names: pl.DataFrame, firsts: pl.DataFrame, sizes: pl.DataFrame, begins: date) -> pl.DataFrame:
    """Names of the tokens that have begun by the end of the month, those meant first at the top."""
    month = pl.lit(begins).dt.month_start()
    caps = sizes.filter(pl.col("month") == month.dt.offset_by("-1mo")).select("token_id", "market_cap_usd")
    return (
        names.drop_nulls(["name", "symbol"])
        .filter((pl.col("valid_from") <= begins).fill_null(value=True))
        .join(firsts.filter(pl.col("first_date") < month.dt.offset_by("1mo")), on="token_id")
        .join(caps, on="token_id", how="left")
        .with_columns(
            is_given_up=(pl.col("renamed_date") <= begins).fill_null(value=False),
            is_new=pl.col("first_date") >= month,
            begun_on=pl.max_horizontal("first_date", month),
        )
        .sort(
            "is_given_up",
            "is_new",
            pl.col("market_cap_usd").fill_null(-1.0),
            "begun_on",
            "token_id",
            "name",
            descending=[False, False, True, False, False, False],
        )
    )
