"""Text from outside made harmless: a name or a message of a provider shows as text wherever an alert arrives.

Belongs here: what is taken out or replaced, and why. Does not: escaping for HTML, which apprise does for services that take it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 300
REPLACED: Final = str.maketrans(
    {
        "@": "\uff20",  # mentions; the full-width sign starts none
        "#": "\uff03",  # channels and headings
        "&": "\uff06",  # entities
        "<": "‹",  # noqa: RUF001 - looks alike and opens nothing
        ">": "›",  # noqa: RUF001
        "[": "(",
        "]": ")",
        "{": "(",
        "}": ")",
        "*": "∗",  # noqa: RUF001 - the operator, which marks nothing
        "~": "∼",  # noqa: RUF001
        "`": "'",
        "|": "¦",
        "\\": "/",
        "\u3002": "·",  # browsers read it as the dot of an address
    }
)
ADDRESS: Final = re.compile(r":(?=//)")
DOT_BEFORE_LETTERS: Final = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
STACKED_MARKS: Final = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff])+")
"""A letter keeps one combining mark; more of them draw over the lines around."""

LOOSE_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")


def plain(text: object, *, longest: int = LONGEST) -> str:
    """One line without mentions, links or markup, cut to a length.

    Letters in look-alike form become plain ones first, so that a full-width `@` is found too. Control and format characters go, among
    them those that turn the direction of writing. A dot before a letter becomes a middle dot: `name.io` is a link in most services.

    Args:
        text: Any text from outside.
        longest: Characters to keep; what is longer ends in an ellipsis.
    """
    # A provider may send megabytes as a name; nothing beyond the first part is looked at.
    normal = unicodedata.normalize("NFKC", str(text)[: 20 * longest])
    kept = "".join(_kept(letter) for letter in normal)
    kept = STACKED_MARKS.sub(r"\1", kept)
    kept = DOT_BEFORE_LETTERS.sub("·", ADDRESS.sub(" ", kept.translate(REPLACED)))
    line = " ".join(LOOSE_UNDERSCORE.sub(" ", kept).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _kept(letter: str) -> str:
    """A letter, or a space for what is none: control, format, private and unassigned characters."""
    return (
        " "
        if unicodedata.category(letter) in {"Cc", "Zl", "Zp"}
        else ""
        if unicodedata.category(letter)[0] == "C"
        else letter
    )
