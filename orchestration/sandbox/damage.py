"""Damage to a good answer: values of wrong types, impossible values, times to come; in JSON, CSV, XML and plain text.

A record is what a reader would take for a row: an item of a list of lists or objects, an entry of a table of like
objects, a line of a CSV below its header, an `<item>` or `<entry>` of a feed. The first and each `every`-th of them is
damaged, the others are spared; an answer without records is damaged as a whole.

Belongs here: what is done to a body. Does not: whether it is done (`faults.py`), sending it (`server.py`).
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

Damage = Callable[[Any, int], Any]
"""Takes a record and its place among the damaged ones, gives what becomes of it. A record of CSV or XML is a list of
texts."""

_YEARS_AHEAD = 10
_TIMES: Final = ((1e9, 4.2e9, 1.0), (1e12, 4.2e12, 1e3), (1e15, 4.2e15, 1e6), (1e18, 4.2e18, 1e9))
"""What counts as an instant, 2001 to 2103: from, to, units a second (seconds, milli-, micro-, nanoseconds)."""
_DATE = re.compile(r"\b((?:19|20)\d\d)-(\d\d)-(\d\d)")
_MAIL_DATE = re.compile(r"\b(\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) )((?:19|20)\d\d)\b")
_NOT_QUANTITIES: Final = re.compile(r"time|date|(^|_)id$|(^|_)ts$|count|sequence|rank|year|decimals|precision", re.I)
_HIGH, _LOW = re.compile(r"high|^h$", re.I), re.compile(r"low|^l$", re.I)
_FEED_RECORD = re.compile(r"<(item|entry)\b.*?</\1>", re.S)
_LEAF = re.compile(r">(\s*(?:<!\[CDATA\[(?:.(?!\]\]>))*.?\]\]>|[^<>]*[^<>\s][^<>]*)\s*)</")


def damage_types(body: bytes, *, every: int, content_type: str = "application/json") -> bytes:
    """Replace numbers by words and texts by what is no text; in CSV and XML, where all is text, by words and nothing."""
    return _damage(body, content_type, every, lambda record, _: _wrong(record), _wrong_text)


def damage_values(body: bytes, *, every: int, content_type: str = "application/json") -> bytes:
    """Make quantities impossible, in turn: negative, zero, the text `NaN`, the lowest price above the highest.

    Instants, numbers of records and the like stay as they are.
    """
    return _damage(body, content_type, every, _impossible, _impossible_text)


def damage_times(body: bytes, *, every: int, content_type: str = "application/json") -> bytes:
    """Move every instant of a record ten years ahead, whatever its form: number, number as text, ISO or mail date."""
    return _damage(body, content_type, every, lambda record, _: _future(record), lambda text, _: _future_text(text))


def _damage(
    body: bytes, content_type: str, every: int, damage: Damage, damage_text: Callable[[str, int], str]
) -> bytes:
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        if "xml" in content_type or text.lstrip().startswith("<"):
            return _damage_xml(text, every, damage_text).encode()
        return _damage_csv(text, every, damage_text).encode()
    damaged = _damage_records(document, every, damage)
    return json.dumps(damage(document, 0) if damaged is None else damaged).encode()


def _damage_records(document: Any, every: int, damage: Damage) -> Any:
    def among(place: int, record: Any) -> Any:
        return damage(record, place // every) if place % every == 0 else record

    if isinstance(document, list) and document and isinstance(document[0], list | dict):
        return [among(place, record) for place, record in enumerate(document)]
    if isinstance(document, dict):
        if _is_table(document):
            return {name: among(place, record) for place, (name, record) in enumerate(document.items())}
        parts = {name: _damage_records(part, every, damage) for name, part in document.items()}
        if any(part is not None for part in parts.values()):
            return {name: document[name] if part is None else part for name, part in parts.items()}
    return None


def _is_table(document: dict[str, Any]) -> bool:
    """Whether an object is a table of like objects by name, as Kraken's tickers are."""
    records = list(document.values())
    return len(records) > 1 and all(
        isinstance(each, dict) and each and each.keys() == records[0].keys() for each in records
    )


def _damage_csv(text: str, every: int, damage: Callable[[str, int], str]) -> str:
    header, *lines = text.splitlines(keepends=True) or [""]
    if not lines:
        return damage(text, 0)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n" if header.endswith("\r\n") else "\n")
    written.write(header)
    for place, row in enumerate(csv.reader(lines)):
        writer.writerow([damage(cell, place // every) for cell in row] if place % every == 0 else row)
    return written.getvalue()


def _damage_xml(text: str, every: int, damage: Callable[[str, int], str]) -> str:
    places = iter(range(len(text)))

    def leaves(record: str, place: int) -> str:
        return _LEAF.sub(lambda leaf: f">{damage(leaf[1], place // every)}</", record)

    def one(found: re.Match[str]) -> str:
        place = next(places)
        return leaves(found[0], place) if place % every == 0 else found[0]

    return _FEED_RECORD.sub(one, text) if _FEED_RECORD.search(text) else leaves(text, 0)


# -- wrong types -------------------------------------------------------------------------------------------------------


def _wrong(value: Any) -> Any:
    """The same shape with each number a word, each text a list, each null an object."""
    if isinstance(value, dict):
        return {name: _wrong(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_wrong(part) for part in value]
    if value is None:
        return {}
    return [] if isinstance(value, str) else "not a number"


def _wrong_text(text: str, _: int) -> str:
    if _number(text) is not None:
        return "not a number"
    return "not a date" if _future_text(text) != text else ""


# -- impossible values -------------------------------------------------------------------------------------------------


def _impossible(record: Any, place: int) -> Any:
    turned = _turned(record) if place % 4 == 3 else None
    return _each_quantity(record, place % 3) if turned is None else turned


def _each_quantity(value: Any, way: int) -> Any:
    if isinstance(value, dict):
        return {
            name: part if _NOT_QUANTITIES.search(name) else _each_quantity(part, way) for name, part in value.items()
        }
    if isinstance(value, list):
        return [_each_quantity(part, way) for part in value]
    number = _quantity(value)
    if number is None:
        return value
    if way == 2:
        return "NaN"
    impossible = -abs(number) if way == 0 else 0.0
    if isinstance(value, str):
        return f"-{value.lstrip('-')}" if way == 0 else "0"
    return int(impossible) if isinstance(value, int) else impossible


def _turned(record: Any) -> Any:
    """A record with its highest price below its lowest; None where it has no such prices."""
    if isinstance(record, dict):
        high, low = (next(filter(pattern.search, record), None) for pattern in (_HIGH, _LOW))
        if high and low:
            return {**record, high: record[low], low: record[high]}
    if isinstance(record, list):
        # The four prices of a candle stand side by side, in an order of the provider's own.
        numbers = [_quantity(value) for value in record]
        spans = {start: _span(numbers[start : start + 4]) for start in range(len(numbers) - 3)}
        start = min(spans, key=lambda place: spans[place], default=None)
        if start is not None and math.isfinite(spans[start]):
            places = sorted(range(start, start + 4), key=lambda place: numbers[place] or 0.0)
            turned = list(record)
            turned[places[0]], turned[places[-1]] = record[places[-1]], record[places[0]]
            return turned
    return None


def _span(numbers: list[float | None]) -> float:
    if any(number is None or number <= 0.0 for number in numbers):
        return math.inf
    present = [number for number in numbers if number is not None]
    return math.log(max(present) / min(present))


def _impossible_text(text: str, place: int) -> str:
    return str(_each_quantity(text, place % 3))


# -- times to come -----------------------------------------------------------------------------------------------------


def _future(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _future(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_future(part) for part in value]
    if isinstance(value, str):
        return _future_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    unit = _unit(value)
    return value if unit is None else type(value)(value + _ahead(unit))


def _future_text(text: str) -> str:
    number = _number(text)
    if number is not None:
        unit = _unit(number) if text.strip().isdigit() else None
        return text if unit is None else str(int(text) + int(_ahead(unit)))
    ahead = _DATE.sub(
        lambda found: f"{int(found[1]) + _YEARS_AHEAD}-{found[2]}-{'28' if found[2] == '02' else found[3]}", text
    )
    return _MAIL_DATE.sub(lambda found: f"{found[1]}{int(found[2]) + _YEARS_AHEAD}", ahead)


def _ahead(unit: float) -> float:
    return _YEARS_AHEAD * 365 * 86_400 * unit


# -- numbers -----------------------------------------------------------------------------------------------------------


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quantity(value: Any) -> float | None:
    """A number, or a text that is one, unless it is an instant or a flag."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = _number(value) if isinstance(value, str) else float(value)
    is_whole = isinstance(value, int) or (isinstance(value, str) and value.strip().isdigit())
    return None if number is None or (is_whole and _unit(number) is not None) else number


def _unit(number: float) -> float | None:
    """Units a second of a number that can be an instant, else None."""
    return next((unit for low, high, unit in _TIMES if low <= number < high), None)
