"""JSON as strangers send it, read so that nothing later stumbles over it.

Belongs here: depth, numbers that are none, and halves of characters. Does not: what a body should hold (the adapters).

Python's reader takes `NaN`, lets a body of brackets run into the recursion limit, and makes text of half a surrogate pair
(`backslash ud800`), which no frame and no file can hold.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

DEEPEST: Final = 200
"""Levels of lists and objects. No provider goes beyond a dozen; Python's own limit is a thousand, less what calls us."""

HALF_CHARACTERS: Final = re.compile("[\ud800-\udfff]")
REPLACEMENT: Final = "\ufffd"
_BLOCK: Final = 1024


def read_json(text: str) -> Any:
    """Read a JSON text. A half of a surrogate pair becomes U+FFFD.

    Raises:
        ValueError: It is no JSON, holds NaN or infinity as words, a number of thousands of digits, or is nested too deeply.

    Example:
        >>> read_json("[1, 2.5]")
        [1, 2.5]
    """
    if _may_be_deep(text) and _depth(text) > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _with_whole_characters(value) if "\\ud" in text or "\\uD" in text else value


def _may_be_deep(text: str) -> bool:
    """Whether some part could reach too deep: what is open before a block, and all that opens in it.

    Brackets within words count, so this is a guess; counting exactly would cost as much as reading.
    """
    depth = 0
    for start in range(0, len(text), _BLOCK):
        block = text[start : start + _BLOCK]
        opened = block.count("[") + block.count("{")
        if depth + opened > DEEPEST:
            return True
        depth += opened - block.count("]") - block.count("}")
    return False


def _depth(text: str) -> int:
    """Levels of a text, brackets within words left out."""
    deepest = depth = 0
    for sign in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _with_whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return HALF_CHARACTERS.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_with_whole_characters(part) for part in value]
    if isinstance(value, dict):
        return {_with_whole_characters(name): _with_whole_characters(part) for name, part in value.items()}
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
