"""Progress of long loads, one sentence everywhere: `coingecko/market_daily: 50 of 500 coins`.

Belongs here: the sentence and the bar that a terminal makes of it. Does not: where they are shown (`run_log.py`).
"""

from __future__ import annotations

import re

BAR_CHARACTERS = 30
RUN_BAR_CHARACTERS = 20
PROGRESS = re.compile(r"^(?P<what>[^:]+): (?P<done>\d+) of (?P<total>\d+) (?P<unit>\w+)$")


def sentence(what: str, done: int, total: int, unit: str) -> str:
    """The sentence."""
    return f"{what}: {done} of {total} {unit}"


def run_bar(done: int, total: int) -> str:
    """How many steps of a run are done; empty where nobody counted them.

    Example:
        >>> run_bar(13, 52)
        '[#####...............] 13/52'
    """
    return f"{_bar(done, total, characters=RUN_BAR_CHARACTERS)} {done}/{total}" if total else ""


def _bar(done: int, total: int, *, characters: int) -> str:
    filled = round(characters * min(1.0, done / total))
    return f"[{'#' * filled}{'.' * (characters - filled)}]"


def progress_of(text: str, *, is_bar: bool) -> str | None:
    """The sentence as a terminal shows it, None for any other text.

    Args:
        text: What was said.
        is_bar: Whether to draw a bar; without one it is short enough to stand beside that of the run.

    Example:
        >>> progress_of("okx/candles_daily: 15 of 30 markets", is_bar=True)
        'okx/candles_daily [###############...............] 15/30 markets'
        >>> progress_of("okx/candles_daily: 15 of 30 markets", is_bar=False)
        'okx/candles_daily 15/30 markets'
    """
    found = PROGRESS.match(text)
    if found is None or not int(found["total"]):
        return None
    bar = f" {_bar(int(found['done']), int(found['total']), characters=BAR_CHARACTERS)}" if is_bar else ""
    return f"{found['what']}{bar} {found['done']}/{found['total']} {found['unit']}"
