"""Asking for things one after the other, and handing over what came a few seconds at a time.

Belongs here: how much a killed load has to ask again. Does not: whether a host is asked on (`sources/one_by_one.py`), who is
asked and from which day (the other modules).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from orchestration.sources.one_by_one import OneByOne

BATCH_SECONDS: Final = 5.0
"""The longest wait before what came is handed over: a killed load asks for the things of so many seconds again, which at the
pace of most providers is one or two."""

MOST_A_BATCH: Final = 250
"""Things handed over at a time where answers come faster, so that memory stays small."""

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def ask_in_batches(
    things: Sequence[Thing],
    ask: Callable[[Thing], Answer | None],
    asking: OneByOne,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[int, list[Answer]]]:
    """Ask for things until all are asked or the host has failed.

    Args:
        things: What to ask for, in order.
        ask: Asks for one thing through `asking`; None where nothing came.
        asking: What failed so far; asking ends when it has stopped.
        clock: Seconds that never go back.

    Yields:
        How many things have been asked, and the answers since the last time; always once more at the end.
    """
    batch: list[Answer] = []
    handed_over_at = clock()
    for number, thing in enumerate(things, start=1):
        answer = ask(thing)
        if answer is not None:
            batch.append(answer)
        is_over = number == len(things) or asking.stopped_by is not None
        if is_over or len(batch) >= MOST_A_BATCH or clock() - handed_over_at >= BATCH_SECONDS:
            yield number, batch
            batch, handed_over_at = [], clock()
        if is_over:
            return
