"""The guard before training: a feature that knows too much is refused.

Belongs here: what makes a column suspicious, and the refusal.
Does not: the ban on columns named like labels (`dataset.refuse_forward_columns`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models_ml.learning.dataset import LeakError

GUARDED_WEEKS = 104
LARGEST_IC = 0.2
"""Mean weekly rank IC beyond which no honest single feature was ever seen on real history (low volatility reaches 0.13)."""

LARGEST_LOSS = 0.5
"""Share of it that may be lost when the outcome starts a day later. A true signal of 14 days loses a tenth; what has seen the next day's
price loses most."""

SMALLEST_CROSS_SECTION = 20


def suspicious_columns(
    frame: pl.DataFrame, labels: pl.DataFrame, *, columns: Sequence[str], outcome: str, lagged_outcome: str
) -> pl.DataFrame:
    """Columns whose skill is large and gone a day later.

    Args:
        frame: One row a week and token: as_of_week, token_id and the columns.
        labels: as_of_week, token_id, the outcome from the close of the week and that from the next day's close (nullable).
        columns: Columns to judge.
        outcome: Return from the week's close.
        lagged_outcome: Return over as many days from the close after it.

    Returns:
        column, ic, ic_a_day_later: means of the weekly rank correlations over the newest 104 weeks that have both outcomes; one row a
        suspicious column, the largest first.
    """
    known = frame.join(
        labels.select("as_of_week", "token_id", outcome, lagged_outcome), on=["as_of_week", "token_id"]
    ).filter(pl.col(outcome).is_not_null() & pl.col(lagged_outcome).is_not_null())
    newest = known["as_of_week"].unique().sort().tail(GUARDED_WEEKS)
    recent = known.filter(pl.col("as_of_week").is_in(newest.implode()))

    def weekly(label: str) -> pl.DataFrame:
        measured = recent.group_by("as_of_week").agg(
            pl.when(pl.col(name).count() >= SMALLEST_CROSS_SECTION).then(
                pl.corr(name, label, method="spearman").alias(name)
            )
            for name in columns
        )
        return measured.select(pl.col(list(columns)).fill_nan(None).mean())

    skill = pl.DataFrame(
        {
            "column": list(columns),
            "ic": pl.Series(weekly(outcome).row(0) if recent.height else [None] * len(columns), dtype=pl.Float64),
            "ic_a_day_later": pl.Series(
                weekly(lagged_outcome).row(0) if recent.height else [None] * len(columns), dtype=pl.Float64
            ),
        }
    )
    size, kept = pl.col("ic").abs(), pl.col("ic_a_day_later") * pl.col("ic").sign()
    return skill.filter((size > LARGEST_IC) & (kept < (1 - LARGEST_LOSS) * size)).sort(size, descending=True)


def refuse_leaks(
    frame: pl.DataFrame, labels: pl.DataFrame, *, columns: Sequence[str], outcome: str, lagged_outcome: str
) -> None:
    """Refuse to train on columns that know too much; arguments as for `suspicious_columns`.

    Raises:
        LeakError: At least one does.
    """
    found = suspicious_columns(frame, labels, columns=columns, outcome=outcome, lagged_outcome=lagged_outcome)
    if found.height:
        named = ", ".join(
            f"{row['column']} (rank IC {row['ic']:+.2f}, {row['ic_a_day_later']:+.2f} a day later)"
            for row in found.iter_rows(named=True)
        )
        raise LeakError(
            f"{named}: more than {LARGEST_IC} over {GUARDED_WEEKS} weeks, and more than half of it gone a day later, so it has seen the "
            "next day; lag the feature's source in dbt_project/seeds/publication_lags.csv, or take it out of the model inputs"
        )
