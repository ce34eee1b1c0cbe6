"""One report that several outlets carry: which texts say again what another said some days before.

Belongs here: what makes two titles one report. Does not: scoring (`polarity.py`).

Wire reports and syndicated articles stand in several feeds, word for word or with the outlet's name behind the title. Counted each time
they would make one opinion look like many.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

WITHIN_DAYS: Final = 3
"""A title that comes again later is a new report: `Bitcoin falls below $20,000` happens more than once."""

SHORTEST_KEY: Final = 12
"""Letters a title needs to be told from others; `A post` or `Gm` is nobody's report."""

_OUTLET: Final = r"\s+(?:\||[-\u2013\u2014])\s+[A-Z][\w.']*(?:\s[A-Z][\w.']*){0,2}\s*$"
_UPDATE: Final = r"(?i)^(?:breaking|update[d]?|just in|watch|exclusive)\s*[:|\-]\s*|\s*\((?:updated?|corrected)\)\s*$"


def title_key(title: pl.Expr) -> pl.Expr:
    """What two titles of one report have in common: small letters and digits, without the outlet's name and marks of updates.

    Null for titles of fewer than `SHORTEST_KEY` letters and digits, which are never repeats.
    """
    bare = title.str.replace(_UPDATE, "").str.replace(_OUTLET, "").str.replace(_UPDATE, "")
    key = bare.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return pl.when(key.str.len_chars() >= SHORTEST_KEY).then(key)


def mark_repeats(texts: pl.DataFrame, *, within_days: int = WITHIN_DAYS) -> pl.DataFrame:
    """Mark texts that repeat an earlier one.

    A text is a repeat where one with the same key was published at most `within_days` before it; the first of a chain is none, and
    what becomes of a text depends on earlier ones only.

    Args:
        texts: One row per text: text_id (unique), kind (texts of two kinds never repeat one another), published_at, title.
        within_days: Days between a text and the one it repeats.

    Returns:
        The rows in the same order with is_repeat.
    """
    before = pl.col("published_at").shift().over(["kind", "key"], order_by=["published_at", "text_id"])
    is_near = pl.col("published_at") - before <= timedelta(days=within_days)
    return (
        texts.with_columns(key=title_key(pl.col("title")))
        .with_columns(is_repeat=(pl.col("key").is_not_null() & is_near).fill_null(value=False))
        .drop("key")
    )
