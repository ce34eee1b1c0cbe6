"""Damage to an answer, decided by bytes, so that hypothesis and atheris drive one and the same mutator.

Belongs here: what is done to JSON, to text of lines (CSV, XML, YAML) and to the bytes of either.
Does not: what is damaged (`recorded/`, `targets.py`), what must hold of it (`judgement.py`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]


class Decisions:
    """Bytes as choices; when they are used up, every choice is the first, so that less bytes mean less damage."""

    def __init__(self, program: bytes) -> None:
        self._left = memoryview(program)

    def below(self, count: int) -> int:
        """A number from 0 up to, not including, `count`."""
        if count <= 1 or not self._left:
            return 0
        width = 1 if count <= 256 else 2
        number = int.from_bytes(self._left[:width], "big")
        self._left = self._left[width:]
        return number % count

    def pick(self, options: Any) -> Any:
        """One of several."""
        return options[self.below(len(options))]

    def __bool__(self) -> bool:
        return bool(self._left)


class Token(str):
    """JSON as it is written, valid or not."""

    __slots__ = ()


ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        "",
        " ",
        "null",
        "NaN",
        "Infinity",
        "-1e400",
        "0x10",
        "1_000",
        "1,5",
        "\u0661",
        [],
        {},
    ),
    *(
        Token("NaN"),
        Token("-Infinity"),
        Token("1e400"),
        Token("-1e400"),
        Token("1e-400"),
        Token("-0.0"),
        Token("1e308"),
    ),
    *(Token("9" * 400), Token("9" * 5000), Token("-" + "9" * 25), Token(str(2**63)), Token(str(2**64)), Token("1.5")),
    *(
        Token('"\\ud800"'),
        Token('"a\\udfffb"'),
        Token('"\\u0000"'),
        Token('"\\u202e\\u0007"'),
        "\U0001f4a9" * 50,
        "x" * 5000,
    ),
    *("../../etc/passwd", "'; drop table tokens; --", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{{7*7}}"),
    *(Token("[" * 60 + "]" * 60), Token("[" * 1500 + "]" * 1500), Token('{"a":' * 400 + "1" + "}" * 400)),
    *("1e400", "9" * 400, "2024-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01"),
    *(
        253402300800,
        -62135596801,
        1e18,
        -1e18,
        1736121600,
        1736121600000,
        Token("1736121600.5"),
        [None],
        [[]],
        {"": None},
    ),
)
"""What stands where something else is due."""

ODD_PIECES: tuple[bytes, ...] = (
    *(
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"\r",
        b"\n\n",
        b"\\",
        b"[",
        b"]",
    ),
    *(
        b"{",
        b"}",
        b"<",
        b">",
        b"&",
        b"&amp;",
        b"&#0;",
        b"&#xD800;",
        b"<![CDATA[",
        b"<!DOCTYPE a>",
        b"<?xml version='1.1'?>",
    ),
    *(b"NaN", b"1e400", b"-1", b"9" * 400, b"x" * 3000, b"nan", b"inf", b".", b"=1+1", b"\xe2\x80\xae", b"0000-00-00"),
    *(b"&a *a", b"!!python/object/apply:os.system [id]", b"<<: *a", b"? ", b"- ", b": ", b"|", b"%", b"---\n", b"~"),
)


def paths_of(value: Any) -> list[Path]:
    """Where the parts of a value are, the whole first."""

    def walk(part: Any, path: Path) -> Iterator[Path]:
        yield path
        parts = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for name, inner in parts:
            yield from walk(inner, (*path, name))

    return list(walk(value, ()))


def damaged_json(value: Any, decisions: Decisions) -> Any:
    """A copy with up to four parts changed, taken away, repeated or put elsewhere."""
    whole = json.loads(json.dumps(value))
    for _ in range(1 + decisions.below(4)):
        whole = _damage(whole, decisions)
        if not decisions:
            break
    return whole


def _damage(value: Any, decisions: Decisions) -> Any:
    paths = paths_of(value)
    path = paths[decisions.below(len(paths))]
    if not path:
        return copy.deepcopy(decisions.pick(ODD_VALUES)) if decisions.below(4) == 3 else value
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    last, kind = path[-1], decisions.below(8)
    if kind <= 2:
        holder[last] = copy.deepcopy(decisions.pick(ODD_VALUES))  # it may be put into itself, and is used again
    elif kind == 3:
        del holder[last]
    elif kind == 4 and isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    elif kind == 5:
        source: Any = value
        for step in paths[decisions.below(len(paths))]:
            source = source[step]
        holder[last] = copy.deepcopy(source)
    elif kind == 6 and isinstance(holder[last], (int, float)) and not isinstance(holder[last], bool):
        number = holder[last]
        holder[last] = decisions.pick(
            (-number, number * 1e9, number / 1e9, str(number), number + 1, int(number), [number])
        )
    elif kind == 7 and isinstance(holder, dict):
        holder[decisions.pick(("", "\u0000", "extra", "id", "data", "error", "status", "code"))] = holder.pop(last)
    return value


def emit(value: Any) -> str:
    """A value as JSON, tokens as they are."""
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{emit(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(emit, value)) + "]"
    return json.dumps(value)


def damaged_lines(text: str, decisions: Decisions) -> str:
    """Text with lines or words of it changed, taken away, repeated or exchanged."""
    lines = text.split("\n")
    for _ in range(1 + decisions.below(4)):
        number, kind = decisions.below(len(lines)), decisions.below(6)
        if kind == 0:
            del lines[number]
        elif kind == 1:
            lines.insert(number, lines[number])
        elif kind == 2:
            other = decisions.below(len(lines))
            lines[number], lines[other] = lines[other], lines[number]
        else:
            separator = decisions.pick((",", ":", ">", " ", "=", "-"))
            words = lines[number].split(separator)
            position = decisions.below(len(words))
            odd = decisions.pick(ODD_VALUES)
            words[position] = odd if isinstance(odd, str) else emit(odd)
            lines[number] = separator.join(words)
        lines = lines or [""]
        if not decisions:
            break
    return "\n".join(lines)


def damaged_bytes(body: bytes, decisions: Decisions) -> bytes:
    """Bytes cut off, or with pieces put in, taken out or written over."""
    for _ in range(decisions.below(3)):
        position, kind = decisions.below(len(body) + 1), decisions.below(4)
        if kind == 0:
            body = body[:position]
        elif kind == 1:
            body = body[:position] + decisions.pick(ODD_PIECES) + body[position:]
        elif kind == 2:
            body = body[:position] + body[position + 1 + decisions.below(64) :]
        else:
            piece = decisions.pick(ODD_PIECES)
            body = body[:position] + piece + body[position + len(piece) :]
    return body


def damaged(body: str, decisions: Decisions) -> bytes:
    """An answer or a file after damage: to its structure where it is JSON, to its lines else, and then to its bytes."""
    if decisions.below(16) == 15:
        return damaged_bytes(body.encode("utf-8", "surrogatepass"), decisions)
    try:
        value = json.loads(body)
    except ValueError:
        text = damaged_lines(body, decisions)
    else:
        text = emit(damaged_json(value, decisions))
    written = text.encode("utf-8", "surrogatepass")
    return damaged_bytes(written, decisions) if decisions.below(4) == 3 else written
