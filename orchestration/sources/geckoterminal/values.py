"""Reading of GeckoTerminal's attributes: amounts are text, counts are numbers, parts may be null.

Belongs here: one value, part or record. Does not: what it means (`pools.py`, `holders.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.sources import validation
from orchestration.sources.validation import Fetched, UnreadableValueError, read_number, read_positive


def object_in(record: Any, name: str) -> Mapping[str, Any]:
    """A part of a record, empty where it is null or absent.

    Raises:
        UnreadableValueError: The record or the part is no object.
    """
    if not isinstance(record, dict):
        raise UnreadableValueError(f"what should hold {name} is no object")
    part = record.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise UnreadableValueError(f"{name} is no object")
    return part


def read_amount(attributes: Mapping[str, Any], name: str) -> float | None:
    """A number as text; 0 is an amount."""
    return read_number(attributes.get(name), column=name, text_allowed=True)


def read_above_zero(attributes: Mapping[str, Any], name: str) -> float | None:
    """A number as text, for which 0 means unknown."""
    return read_positive(attributes.get(name), column=name, text_allowed=True)


def read_count(attributes: Mapping[str, Any], name: str) -> int | None:
    """A whole number, see `validation.read_count`."""
    return validation.read_count(attributes.get(name), column=name)


def kept_rows(fetched: Fetched) -> Sequence[Mapping[str, Any]]:
    """Rows of one record that was read again.

    Raises:
        UnreadableValueError: It is refused again, for the reason given.
    """
    if fetched.rejected:
        raise UnreadableValueError(fetched.rejected[0].reason)
    return fetched.frame.to_dicts()
