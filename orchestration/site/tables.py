"""Tables of the site: what a column shows, how it is written, what it is sorted by, where it links to.

Belongs here: turning rows into cells. Does not: reading rows (`reading.py`), their HTML (`templates/parts.html`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.site.formats import MINUS, UNKNOWN, is_known, short, whole

SHORT = 12
"""Letters of a cell that is not broken into lines: a date, a word."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        head: Its head.
        key: Name of the value in a row.
        write: Writes the value; texts from outside by default.
        is_number: Whether it is set right and sorted as a number.
        link: Target of a row's cell, relative to the page; none by default.
        tone: Class of a cell by its value, such as good or bad.
        is_prose: Whether it holds sentences, which are not cut.
    """

    head: str
    key: str
    write: Callable[[Any], str] = short
    is_number: bool = False
    link: Callable[[Row], str | None] | None = None
    tone: Callable[[Any], str] | None = None
    is_prose: bool = False


@dataclass(frozen=True)
class Cell:
    """What stands in a cell; `sort` is what it is sorted by, empty where the text will do."""

    text: str
    sort: str
    link: str | None
    classes: str
    title: str


@dataclass(frozen=True)
class Table:
    """A table; `name` is its id on the page."""

    name: str
    caption: str
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    is_searchable: bool = False


def table(
    name: str,
    caption: str,
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    is_searchable: bool = False,
    none: str = "",
) -> Table:
    """A table of rows.

    Args:
        name: Its id, unique on its page.
        caption: What it shows, for everybody and above all for who cannot see it.
        rows: Values by key.
        columns: What is shown; the first column heads its row, and one of which nothing is known in any row is left out.
        is_searchable: Whether readers can filter it.
        none: What is said where there are no rows; by default that there is nothing to show.
    """
    shown = [
        column
        for place, column in enumerate(columns)
        if place == 0 or any(is_known(row[column.key]) and row[column.key] != "" for row in rows)
    ]
    return Table(
        name=name,
        caption=caption if rows else none or f"{caption} Nothing to show.",
        heads=[(column.head, column.is_number) for column in shown],
        rows=[[_cell(row, column) for column in shown] for row in rows],
        is_searchable=is_searchable,
    )


def sign(value: float | None) -> str:
    """The tone of a gain or a loss."""
    if not is_known(value) or value is None or value == 0:
        return ""
    return "good" if value > 0 else "bad"


def of_call(value: int | None) -> str:
    """The tone of a call."""
    return sign(value)


def _tone(column: Column, value: Any, text: str) -> str:
    """The tone of a cell; a number that is written without a sign, since it rounds to zero, has none."""
    if column.tone is None or not is_known(value) or (column.is_number and text[:1] not in ("+", MINUS)):
        return ""
    return column.tone(value)


def _cell(row: Row, column: Column) -> Cell:
    value = row[column.key]
    if not is_known(value):
        text, sort = UNKNOWN, ""
    elif column.is_prose:
        text, sort = " ".join(str(value).split()), ""
    else:
        text = column.write(value)
        sort = f"{float(value):.12g}" if column.is_number else ""
    title = whole(value) if isinstance(value, str) and not column.is_prose and text != value else ""
    classes = " ".join(
        each
        for each in (
            "n" if column.is_number else "text" if column.is_prose else "",
            "s" if len(text) <= SHORT else "",
            _tone(column, value, text),
        )
        if each
    )
    return Cell(text, sort, column.link(row) if column.link else None, classes, title)
