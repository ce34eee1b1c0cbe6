"""What a dataset is: its columns, key and row rules, and the columns that every landed row carries.

Belongs here: the types, rules that many datasets share, columns that many datasets have.
Does not: any dataset (the other modules of this folder).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Dtype = DataType | DataTypeClass

INSTANT: Final = pl.Datetime("us", "UTC")

COMMON_COLUMNS: Final[Mapping[str, Dtype]] = {
    "source": pl.String,
    "data_source": pl.String,
    "available_at": INSTANT,
    "loaded_at": INSTANT,
    "load_id": pl.String,
}
"""Carried by every landed row: provider, kind of run, when the fact was known, when and by which load it came."""

COMMON_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "source": "provider the row came from",
    "data_source": "simulated, archive or live",
    "available_at": "UTC instant the fact became known: end of market_date + lag; null for undated archive rows",
    "loaded_at": "UTC instant our load ended; of several loads of one key the newest counts",
    "load_id": "load that wrote the row; sorts by time",
}

QUARANTINE_COLUMNS: Final[Mapping[str, Dtype]] = {
    "source": pl.String,
    "dataset": pl.String,
    "data_source": pl.String,
    "reason": pl.String,
    "payload": pl.String,
    "loaded_at": INSTANT,
    "load_id": pl.String,
}
"""Of a quarantined record: where it was meant to go, why it was refused, and the record as JSON text."""

HIGHEST_PRICE: Final = 1e9
"""USD, or any quote currency worth about as much; no token has traded near it."""

HIGHEST_USD_AMOUNT: Final = 1e14
"""USD; more than all wealth of one kind, so a market cap, volume or TVL above is a broken unit."""

DATA_SOURCES: Final = ("simulated", "archive", "live")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset.

    Attributes:
        dtype: Polars type of the landed column.
        unit: What one unit of the value is ("USD", "tokens", "UTC day"); empty for names and flags.
        description: What the value means.
        nullable: Whether a landed row may lack it.
    """

    dtype: Dtype
    unit: str
    description: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to refuse a row, and the SQL predicate (polars and DuckDB both read it) that is true for such rows."""

    reason: str
    predicate: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What one provider lands under one name.

    Attributes:
        source: Provider, the first folder of the landing layout.
        name: Dataset, the second folder.
        fields: Columns in landing order, without the common ones.
        key: Columns that identify a row; a second load of a key is a correction.
        description: Row grain and conventions, in words.
        rules: Reasons to refuse a row, the first that matches counts.
        cadence_days: Days between two rows of one thing when all is well.
    """

    source: str
    name: str
    fields: Mapping[str, Column]
    key: tuple[str, ...]
    description: str
    rules: tuple[Rule, ...] = ()
    cadence_days: int = 1

    @property
    def label(self) -> str:
        """`source/name`, as messages and mapping files write it."""
        return f"{self.source}/{self.name}"

    @property
    def columns(self) -> dict[str, Dtype]:
        """Own columns and their polars types, in landing order."""
        return {name: column.dtype for name, column in self.fields.items()}

    @property
    def landed_columns(self) -> dict[str, Dtype]:
        """Own and common columns, as the landed file has them."""
        return {**self.columns, **COMMON_COLUMNS}

    @property
    def units(self) -> dict[str, str]:
        """Unit of every own column."""
        return {name: column.unit for name, column in self.fields.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that may not be null."""
        return tuple(name for name, column in self.fields.items() if not column.nullable)

    @property
    def values(self) -> tuple[str, ...]:
        """Columns outside the key: a row is a correction when one of them differs from the load before."""
        return tuple(name for name in self.fields if name not in self.key)

    @property
    def is_dated(self) -> bool:
        """Whether rows belong to a `market_date`; reference tables do not."""
        return "market_date" in self.fields

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules every dataset has (no required value missing), then its own."""
        missing = (Rule(f"{name} is missing or not readable", f"{name} IS NULL") for name in self.required)
        return (*missing, *self.rules)

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the dataset's own columns."""
        return pl.DataFrame(schema=self.columns)


def not_above_zero(columns: Iterable[str]) -> Rule:
    """Refuse rows in which a price is zero or negative: no provider means it, it stands for missing."""
    names = tuple(columns)
    return Rule(f"{' or '.join(names)} is not above zero", " OR ".join(f"{name} <= 0" for name in names))


def below_zero(columns: Iterable[str]) -> Rule:
    """Refuse rows in which a volume, cap or supply is negative."""
    names = tuple(columns)
    return Rule(f"{' or '.join(names)} is negative", " OR ".join(f"{name} < 0" for name in names))


def above(columns: Iterable[str], highest: float) -> Rule:
    """Refuse rows with a value that only a broken unit can give."""
    names = tuple(columns)
    return Rule(f"{' or '.join(names)} is above {highest:g}", " OR ".join(f"{name} > {highest!r}" for name in names))


def text(description: str, *, nullable: bool = False) -> Column:
    """A name, id or word."""
    return Column(pl.String, "", description, nullable=nullable)


def number(unit: str, description: str, *, nullable: bool = True) -> Column:
    """A measured value; by default it may be missing, which is null and never 0."""
    return Column(pl.Float64, unit, description, nullable=nullable)


def count(unit: str, description: str, *, nullable: bool = True) -> Column:
    """A whole number; by default it may be missing."""
    return Column(pl.Int64, unit, description, nullable=nullable)


def flag(description: str, *, nullable: bool = True) -> Column:
    """A yes or no; by default null where nobody said."""
    return Column(pl.Boolean, "", description, nullable=nullable)


def outside(column: str, low: float, high: float) -> Rule:
    """Refuse rows whose value lies outside a closed range."""
    return Rule(f"{column} is outside {low:g}-{high:g}", f"{column} < {low!r} OR {column} > {high!r}")


MARKET_DATE = Column(pl.Date, "UTC day", "day at whose close (24:00 UTC) the values hold")
SEEN_DATE = Column(pl.Date, "UTC day", "last finished day when the value was read")
OBSERVED_AT = Column(INSTANT, "UTC instant", "when the provider last updated the quote")
