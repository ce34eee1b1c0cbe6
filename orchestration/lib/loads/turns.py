"""Whose turn it is, where asking about everybody costs one request each: a share of them a day, each once in a while.

Belongs here: the choice. Does not: what is asked (`coingecko_coins.py`, `geckoterminal.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

TURN_DAYS: Final = 28
"""Days after which somebody is asked about again; a run asks about so many parts of the universe."""

FIRST_RUN_PARTS: Final = 4
"""The first run asks about this part of the universe, so that a warehouse does not start with next to nothing."""


def whose_turn(candidates: Iterable[str], *, read: Mapping[str, date], today: date, universe: int) -> list[str]:
    """Those to ask about today: nobody read so far comes after anybody read before, and both in the order given.

    Args:
        candidates: Ids, the most important first.
        read: Day each id was last read, by id; others than the candidates count towards the day's share too.
        today: The day that is read now. What was read on it already is taken from the day's share, so a load that was
            killed goes on with the rest of it.
        universe: How many ids a run follows.

    Returns:
        At most a 28th of the universe, in the first run a fourth; at least one where anybody is due.
    """
    is_first_run = all(day == today for day in read.values())
    share = max(1, universe // (FIRST_RUN_PARTS if is_first_run else TURN_DAYS))
    left = share - sum(day == today for day in read.values())
    ids = list(dict.fromkeys(candidates))
    unread = [each for each in ids if each not in read]
    due = [each for each in ids if each in read and (today - read[each]).days >= TURN_DAYS]
    return [*unread, *due][: max(0, left)]
