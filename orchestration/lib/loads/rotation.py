"""Whose turn it is: things that are asked in rotation because asking all of them every day would cost too many requests.

Belongs here: the choice. Does not: what is asked of them (`loads`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil


def choose_due(
    names: Sequence[str], newest: Mapping[str, date], *, wanted: date, last: date, every_days: int, at_least: int = 1
) -> list[str]:
    """Those whose turn has come, longest waiting first.

    Args:
        names: All things, the most important first.
        newest: Newest landed day by thing; a thing without one has never been read.
        wanted: Newest day there can be; a thing that has it is not asked.
        last: Day of this load.
        every_days: Days in which everything should have had a turn.
        at_least: As many are due a day though fewer would do, while there are any.

    Returns:
        Everything never read in the first load; after it as many as the days since the last load make due, those never read before
        the others. What this day has read already counts: a second load of the day adds nothing, one after a kill the rest.

    Example:
        >>> choose_due(["a", "b"], {"a": date(2025, 1, 5)}, wanted=date(2025, 1, 6), last=date(2025, 1, 6), every_days=2)
        ['b', 'a']
    """
    never = [name for name in names if name not in newest]
    waiting = sorted(
        (name for name in names if name in newest and newest[name] < wanted), key=lambda name: newest[name]
    )
    if not waiting:  # the first load, from its start or where it was killed
        return never
    done = sum(newest.get(name, date.min) >= wanted for name in names)
    days = max(1, (last - newest[waiting[-1]]).days)
    share = max(at_least, ceil(len(names) * days / every_days))
    return (never + waiting)[: max(0, share - done)]
