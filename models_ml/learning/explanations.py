"""Explanations: which columns moved a score most, in numbers and in words.

Belongs here: contributions of a ranking model's columns, the largest of each row, their wording, and what changed since another day.
Does not: TreeSHAP itself (`boosters.py`), sub-grades (`sub_grades.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.wording import in_words
from models_ml.learning.boosters import contributions
from models_ml.learning.dataset import MARKET_COLUMNS, RATIO_COLUMNS, keys_of
from models_ml.learning.frozen_model import FrozenModel

TOP = 5
TOP_CHANGES = 3
LEAST_CHANGE = 0.0005
"""Change of a contribution (expected rank) below which it is not told: it would read as 0.0 points."""
RANK_PREFIX = "rank_"


def score_contributions(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """What each column adds to each score: the mean over the model's boosters.

    Args:
        model: A ranking model.
        frame: One row a day and token with the model's columns.

    Returns:
        The keys, a column a model column (expected rank, fractions of the universe), and `expected`, the mean score; they sum to the
        score_cross_section of the row.
    """
    parts = [contributions(text, frame) for _, text in sorted(model.boosters.items())]
    names = [*model.columns, "expected"]
    total = pl.DataFrame({name: sum((part[name] for part in parts[1:]), parts[0][name]) / len(parts) for name in names})
    return frame.select(keys_of(frame)).hstack(total)


def largest_contributions(added: pl.DataFrame, frame: pl.DataFrame, *, top: int = TOP) -> pl.DataFrame:
    """The columns that moved each score most.

    Args:
        added: `score_contributions` of the rows.
        frame: The same rows with the model's columns.
        top: How many a row.

    Returns:
        The keys, place (1 is the largest in absolute value), feature (without the prefix of ranks), is_rank, value (the rank 0-1, or the
        value of a market column; null where unknown), contribution (expected rank, fractions of the universe), and sentence; `top`
        rows a row of the frame, by key and place.
    """
    keys = keys_of(added)
    columns = [name for name in added.columns if name not in (*keys, "expected")]
    long = added.select(*keys, *columns).unpivot(columns, index=keys, variable_name="column", value_name="contribution")
    values = frame.select(*keys, pl.col(columns).cast(pl.Float64)).unpivot(
        columns, index=keys, variable_name="column", value_name="value"
    )
    ordered = long.with_columns(size=pl.col("contribution").abs()).sort(
        *keys, "size", "column", descending=[*[False] * len(keys), True, False]
    )
    chosen = (
        ordered.with_columns(place=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(keys))
        .filter(pl.col("place") <= top)
        .join(values, on=[*keys, "column"], how="left", maintain_order="left")
    )
    return chosen.with_columns(
        feature=pl.col("column").str.strip_prefix(RANK_PREFIX),
        is_rank=pl.col("column").str.starts_with(RANK_PREFIX),
        sentence=pl.struct("column", "value", "contribution").map_elements(
            lambda row: sentence(row["column"], row["value"], row["contribution"]), return_dtype=pl.String
        ),
    ).select(*keys, "place", "feature", "is_rank", "value", "contribution", "sentence")


def largest_changes(now: pl.DataFrame, before: pl.DataFrame, *, top: int = TOP_CHANGES) -> pl.DataFrame:
    """The columns whose contribution to a token's score changed most since an earlier day, in words.

    Each day counts as it was scored, by the model then in force: where the two differ, the change of model is part of the difference,
    and the words say so. A column that only one of the models sees counts 0 in the other.

    Args:
        now: `score_contributions` of a day (market_date among the keys), one row a token, and model_version.
        before: Likewise of an earlier day, one row a token; the days of tokens may differ.
        top: How many a token.

    Returns:
        token_id, what_changed: `since 2024-05-19: volatility of 30 days +2.1, return of 7 days -1.4 points of the expected rank`, by
        token; the date is that of the earlier close. Tokens that one of the frames lacks are left out.
    """
    described = ("as_of_week", "market_date", "token_id", "model_version", "expected")

    def long(added: pl.DataFrame, name: str) -> pl.DataFrame:
        columns = [column for column in added.columns if column not in described]
        return added.unpivot(columns, index="token_id", variable_name="column", value_name=name)

    both = now.select("token_id", now_version="model_version").join(
        before.select("token_id", since="market_date", before_version="model_version"), on="token_id"
    )
    changes = (
        long(now, "now")
        .join(long(before, "before"), on=["token_id", "column"], how="full", coalesce=True)
        .join(both.select("token_id"), on="token_id", how="semi")
        .with_columns(change=pl.col("now").fill_null(0.0) - pl.col("before").fill_null(0.0))
        .with_columns(size=pl.col("change").abs())
        .filter(pl.col("size") >= LEAST_CHANGE)
        .sort("token_id", "size", "column", descending=[False, True, False])
        .group_by("token_id", maintain_order=True)
        .head(top)
        .with_columns(
            words=pl.struct("column", "change").map_elements(
                lambda row: f"{in_words(row['column'].removeprefix(RANK_PREFIX))} {row['change'] * 100:+.1f}",
                return_dtype=pl.String,
            )
        )
        .group_by("token_id", maintain_order=True)
        .agg(pl.col("words").str.join(", "))
    )
    told = (
        pl.when(pl.col("words").is_null())
        .then(pl.lit("no contribution by a tenth of a point"))
        .otherwise(pl.format("{} points of the expected rank", "words"))
    )
    model = pl.when(pl.col("now_version") != pl.col("before_version")).then(pl.lit(" (another model since)"))
    return (
        both.join(changes, on="token_id", how="left")
        .sort("token_id")
        .select("token_id", what_changed=pl.format("since {}: {}{}", "since", told, model.otherwise(pl.lit(""))))
    )


def gain_by_family(gains: pl.DataFrame) -> pl.DataFrame:
    """Share of a model's gain by family of the catalogue, largest first: family, gain_share.

    Args:
        gains: `boosters.gain_shares`: column, gain_share. Columns of the market and ratios of volatility are families of their own.
    """
    families = {f"{RANK_PREFIX}{feature.name}": feature.family for feature in CATALOGUE}
    families |= dict.fromkeys(RATIO_COLUMNS, "ratios of volatility") | dict.fromkeys(
        MARKET_COLUMNS, "state of the market"
    )
    return (
        gains.with_columns(family=pl.col("column").replace_strict(families))
        .group_by("family")
        .agg(pl.col("gain_share").sum())
        .sort("gain_share", "family", descending=[True, False])
    )


def sentence(column: str, value: float | None, contribution: float) -> str:
    """A contribution in words: `volatility of 30 days, lower than 93 % of the universe, raises the expected rank by 2.1 points`."""
    effect = f"{'raises' if contribution >= 0 else 'lowers'} the expected rank by {abs(contribution) * 100:.1f} points"
    name = in_words(column.removeprefix(RANK_PREFIX))
    if value is None:
        return f"{name}, unknown, {effect}"
    if not column.startswith(RANK_PREFIX):
        return f"{name} of the market at {value:.3g} {effect}"
    side, share = ("higher", value) if value >= 0.5 else ("lower", 1 - value)
    return f"{name}, {side} than {share:.0%} of the universe, {effect}"
