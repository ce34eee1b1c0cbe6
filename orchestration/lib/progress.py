"""Progress of long loads, one sentence everywhere: `coingecko/market_daily: 50 of 500 coins`.

Belongs here: the sentence and the bar that a terminal makes of it. Does not: where they are shown (`run_log.py`).
"""

from __future__ import annotations

import re

BAR_CHARACTERS = 30
PROGRESS = re.compile(r"^(?P<what>[^:]+): (?P<done>\d+) of (?P<total>\d+) (?P<unit>\w+)$")


def sentence(what: str, done: int, total: int, unit: str) -> str:
    """The sentence."""
    return f"{what}: {done} of {total} {unit}"


def bar_of(text: str) -> str | None:
    """The sentence as a bar, None for any other text.

    Example:
        >>> bar_of("okx/candles_daily: 15 of 30 markets")
        'okx/candles_daily [###############...............] 15/30 markets'
    """
    found = PROGRESS.match(text)
    if found is None or not int(found["total"]):
        return None
    filled = round(BAR_CHARACTERS * min(1.0, int(found["done"]) / int(found["total"])))
    bar = "#" * filled + "." * (BAR_CHARACTERS - filled)
    return f"{found['what']} [{bar}] {found['done']}/{found['total']} {found['unit']}"
