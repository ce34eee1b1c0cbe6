"""What a warning is: an expression that judges token-weeks, with all that a reader needs to judge the warning.

Belongs here: the type, and how numbers are put into words. Does not: any warning (the module of its subject).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
from pydantic import BaseModel, ConfigDict

NEVER_EXCLUDES = pl.lit(value=False)
ALWAYS_EXCLUDES = pl.lit(value=True)


class Thresholds(BaseModel):
    """Base of the thresholds of a subject: frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class TokenWarning:
    """One warning over the columns of `inputs.INPUT_SCHEMA`.

    Attributes:
        name: Name in the table, a noun phrase of small letters and underscores.
        inputs: Columns without which nobody can tell; a row in which one is null counts as not checked.
        value: The number that is judged.
        threshold: The number it is judged by.
        is_raised: Whether the warning stands; only asked where all inputs are known.
        reason: The warning in words, with the numbers; what cannot be known is not claimed.
        is_excluding: Whether a token with this warning is kept out of picks. Others are shown beside it.
        meaning: What the warning means and how the value is defined, for the docs and the column comments.
        unit: Unit of value and threshold.
    """

    name: str
    inputs: tuple[str, ...]
    value: pl.Expr
    threshold: pl.Expr
    is_raised: pl.Expr
    reason: pl.Expr
    meaning: str
    unit: str
    is_excluding: pl.Expr = field(default_factory=lambda: ALWAYS_EXCLUDES)

    @property
    def is_checked(self) -> pl.Expr:
        """Whether all inputs are known."""
        return pl.all_horizontal(pl.col(column).is_not_null() for column in self.inputs)

    @property
    def stands(self) -> pl.Expr:
        """Whether it is checked and raised; never null."""
        return (self.is_checked & self.is_raised).fill_null(value=False)


def number(value: pl.Expr, *, digits: int = 3) -> pl.Expr:
    """A number as text with some significant digits: 31.2, 0.0004, 1200."""
    return value.cast(pl.Float64).round_sig_figs(digits).cast(pl.String).str.strip_suffix(".0")


def percent(fraction: pl.Expr) -> pl.Expr:
    """A fraction as text in percent with three significant digits."""
    return pl.concat_str(number(fraction * 100), pl.lit(" %"))


def usd(value: pl.Expr) -> pl.Expr:
    """An amount as text: `950 USD`, `12.3 k USD`, `4.5 M USD`, `1.2 B USD`."""
    scaled = value.abs()
    return (
        pl.when(scaled >= 1e9)
        .then(pl.concat_str(number(value / 1e9), pl.lit(" B USD")))
        .when(scaled >= 1e6)
        .then(pl.concat_str(number(value / 1e6), pl.lit(" M USD")))
        .when(scaled >= 1e3)
        .then(pl.concat_str(number(value / 1e3), pl.lit(" k USD")))
        .otherwise(pl.concat_str(number(value), pl.lit(" USD")))
    )
