"""Timing two ways of doing one thing, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

RUNS = 3


@dataclass(frozen=True)
class Row:
    """Median seconds of our way and of a plain one."""

    what: str
    ours: float
    plain: float
    note: str


def compare(what: str, ours: Callable[[], object], plain: Callable[[], object], *, note: str) -> Row:
    """Run both in turn after a warm-up of each, and keep the medians."""
    ours()
    plain()
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(RUNS):
        for name, run in (("ours", ours), ("plain", plain)):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return Row(what, statistics.median(seconds["ours"]), statistics.median(seconds["plain"]), note)
