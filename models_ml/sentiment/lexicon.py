"""The lexicon of crypto: words, phrases and emoji with a valence, read over VADER's own.

Belongs here: reading and checking `lexicon.csv`. Does not: how a text is read with it (`polarity.py`), how well that does
(`agreement.py`).

The entries were written from the use of the field, not fitted to labelled texts. A valence runs from -4 to 4 as VADER's do. An entry
near 0 takes a word of everyday English back that means something else here (share, interest, trust), or a phrase whose words would
mislead (stop loss, rate cut). Entries replace VADER's of the same word.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).with_name("lexicon.csv")
KINDS: Final = ("word", "phrase", "emoji")
LARGEST_VALENCE: Final = 4.0


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        kind: word, phrase (several words, with blanks or hyphens) or emoji.
        term: The word or phrase in lower case, or the emoji without its variation selector.
        valence: From -4 (worst) to 4 (best), 0 for no opinion.
    """

    kind: str
    term: str
    valence: float


@lru_cache(maxsize=1)
def lexicon() -> tuple[Entry, ...]:
    """All entries, in the order of the file.

    Raises:
        ValueError: The file is malformed; see `parse_lexicon`.
    """
    return parse_lexicon(DATA.read_text(encoding="utf-8"))


def parse_lexicon(text: str) -> tuple[Entry, ...]:
    """Entries of a CSV with the columns kind, term, valence.

    Raises:
        ValueError: Lists every entry with an unknown kind, a valence that is no number within -4..4, a term that stands twice or
            is not in lower case, a word with a blank, or a phrase without one.
    """
    entries: dict[str, Entry] = {}
    problems = []
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        kind, term, written = (row.get(name) or "" for name in ("kind", "term", "valence"))
        try:
            valence = float(written)
        except ValueError:
            problems.append(f"line {line}: valence {written!r} of {term!r} is no number")
            continue
        problem = _problem(kind, term, valence)
        if term in entries:
            problem = f"{term!r} stands twice"
        if problem:
            problems.append(f"line {line}: {problem}")
        entries.setdefault(term, Entry(kind, term, valence))
    if problems:
        raise ValueError("sentiment lexicon: " + "; ".join(problems) + ". Correct these lines of the file.")
    return tuple(entries.values())


def _problem(kind: str, term: str, valence: float) -> str:
    """What is wrong with an entry, empty where nothing is."""
    if kind not in KINDS:
        return f"kind {kind!r} of {term!r} is none of {', '.join(KINDS)}"
    if not -LARGEST_VALENCE <= valence <= LARGEST_VALENCE:
        return f"valence {valence:g} of {term!r} is outside -4..4"
    if not term or term != term.strip().lower():
        return f"term {term!r} is empty or not in lower case"
    has_break = " " in term or "-" in term
    if kind == "word" and has_break:
        return f"{term!r} is a phrase, not a word"
    if kind == "phrase" and not has_break:
        return f"{term!r} is a word, not a phrase"
    return ""
