"""How the site writes numbers, dates and names that come from outside.

Belongs here: one function a kind of value, used by templates as filters. Does not: charts (`charts.py`).

A value that is not known is written as an en dash, never as zero.
"""

from __future__ import annotations

import hashlib
import math
import re
from datetime import date, datetime
from typing import Any

UNKNOWN = "–"  # noqa: RUF001 - the dash readers know from tables
MINUS = "−"  # noqa: RUF001 - as wide as the plus
LONGEST_NAME = 60
"""Characters of a name or headline that a table shows; the rest stands in its title."""

LONGEST_TITLE = 300
LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
CALLS = {1: "bullish", 0: "neutral", -1: "bearish"}


def is_known(value: Any) -> bool:
    """Whether there is a value: neither null nor NaN."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def number(value: float | None, digits: int = 0) -> str:
    """`12,345.6`."""
    return f"{value:,.{digits}f}".replace("-", MINUS) if is_known(value) and value is not None else UNKNOWN


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as `12.3 %`."""
    return f"{100 * value:,.{digits}f} %".replace("-", MINUS) if is_known(value) and value is not None else UNKNOWN


def change(value: float | None, digits: int = 1) -> str:
    """A fraction with its sign: `+12.3 %`."""
    return f"{points(100 * value, digits)} %" if is_known(value) and value is not None else UNKNOWN


def points(value: float | None, digits: int = 1) -> str:
    """A difference with its sign: `+1.2`; what rounds to zero has none."""
    if not is_known(value) or value is None:
        return UNKNOWN
    rounded = round(value, digits)
    return f"{rounded:+,.{digits}f}".replace("-", MINUS) if rounded else f"{0:.{digits}f}"


def usd(value: float | None) -> str:
    """Dollars at a glance: `1.23 B USD`, `63,221 USD`, `0.0000123 USD`."""
    if not is_known(value) or value is None:
        return UNKNOWN
    size = abs(value)
    for limit, letter in LARGE:
        if size >= limit >= 1e6:
            return f"{value / limit:,.2f} {letter} USD".replace("-", MINUS)
    if size == 0 or size >= 1:
        return f"{value:,.{0 if size >= 10_000 else 2}f} USD".replace("-", MINUS)
    places = min(12, 2 - math.floor(math.log10(size)))
    return f"{value:.{places}f} USD".replace("-", MINUS)


def interval(low: str, high: str) -> str:
    """The ends of an interval as one word, which no line breaks: `0.12 to 0.34`."""
    return f"{low} to {high}".replace(" ", "\u00a0")


def shift(value: float | None, digits: int = 1) -> str:
    """A difference of two shares in percentage points: `+1.2 pp`."""
    return f"{points(100 * value, digits)} pp" if is_known(value) and value is not None else UNKNOWN


def compact(value: float | None) -> str:
    """A number as short as an axis wants it: `100 k`, `0.0012`."""
    if not is_known(value) or value is None:
        return UNKNOWN
    size = abs(value)
    for limit, letter in LARGE:
        if size >= limit:
            return f"{value / limit:.3g} {letter}".replace("-", MINUS)
    return f"{value:.3g}".replace("-", MINUS)


def day(value: date | datetime | None) -> str:
    """`2025-01-06`; an instant as `2025-01-06 00:00 UTC`."""
    if value is None:
        return UNKNOWN
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value.isoformat()


def call(value: int | None) -> str:
    """A signal in words."""
    return CALLS.get(value, UNKNOWN) if value is not None else UNKNOWN


def yes_no(value: bool | None) -> str:
    """An answer that may be unknown."""
    return UNKNOWN if value is None else "yes" if value else "no"


def short(value: Any) -> str:
    """A text from outside in one line without control characters, cut to what a table bears."""
    text = " ".join("".join(" " if ord(letter) < 32 or ord(letter) == 127 else letter for letter in str(value)).split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def whole(value: Any) -> str:
    """The same for a title, cut later."""
    return " ".join(str(value).split())[:LONGEST_TITLE]


def file_name(identifier: str) -> str:
    """A name for the page of an identifier: itself where it is plain, else what is plain of it and a part of its hash.

    Two identifiers never share a name, on file systems that do not tell cases apart either.
    """
    plain = re.sub(r"[^a-z0-9_-]+", "-", identifier.lower()).strip("-_")[:60]
    if plain == identifier and plain != "index":
        return plain
    return f"{plain or 'token'}-{hashlib.sha256(identifier.encode()).hexdigest()[:10]}"
