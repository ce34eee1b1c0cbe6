"""Planted movers: small tokens that rise two- to fivefold over some weeks, after weak signs in their volume.

Belongs here: who moves, when, and what is added to returns and volume.
Does not: pumps and deaths (`events.py`), what a model finds of it (`orchestration/evaluation/planted_movers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.sandbox.events import Change
from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

SIGN_DAYS = 35
"""Days before a move on which its token is traded more than usual."""

SIGN_FACTOR = 2.5
"""Volume on those days, times the usual: turnover wanders by a factor of e^0.6 between tokens."""

MOVE_FACTOR = 1.8
MOVE_DAYS = (28, 57)
LOG_GAIN = (0.9, 1.6)
"""2.5 to 5 times."""

SETTLED_DAYS = 60
"""Days a token has lived before its signs begin."""


@dataclass(frozen=True)
class Mover:
    """One planted rise: signs from `sign_day` up to the day before `first_day`, the rise from `first_day` to `last_day`."""

    token_index: int
    sign_day: int
    first_day: int
    last_day: int


def draw_movers(
    settings: SimulationSettings, tokens: list[Token], lifetimes: Lifetimes
) -> tuple[list[Mover], list[Change]]:
    """Movers among the smaller half of the tokens, at most one rise a token at a time.

    In the null setting nothing precedes a move and nothing of it can be seen before it is over: it is one day's jump, up or down with
    equal chance. The stream is their own, so that without movers every market stays bit for bit what it was.
    """
    random = settings.random(Stream.MOVERS)
    caps = np.array([token.opening_cap_usd for token in tokens])
    is_target = np.array([not (token.is_protected or token.pegged_to) for token in tokens]) & (caps < np.median(caps))
    needed = SETTLED_DAYS + SIGN_DAYS + MOVE_DAYS[1]
    targets = np.flatnonzero(is_target & ~lifetimes.is_dead & (lifetimes.last - lifetimes.birth > needed))
    movers: list[Mover] = []
    changes: list[Change] = []
    if not len(targets):
        return movers, changes
    for _ in range(round(settings.mover_share * len(tokens))):
        index = int(random.choice(targets))
        first = int(
            random.integers(lifetimes.birth[index] + SETTLED_DAYS + SIGN_DAYS, lifetimes.last[index] - MOVE_DAYS[1] + 1)
        )
        days = int(random.integers(*MOVE_DAYS))
        gain = float(random.uniform(*LOG_GAIN))
        sign = 1.0 if random.random() < 0.5 else -1.0
        if any(
            other.token_index == index and abs(other.first_day - first) < SIGN_DAYS + MOVE_DAYS[1] for other in movers
        ):
            continue
        if settings.is_null:
            changes.append(Change(index, first, first + 1, sign * gain))
            movers.append(Mover(index, first, first, first))
            continue
        changes.append(Change(index, first - SIGN_DAYS, first, volume_factor=SIGN_FACTOR))
        changes.append(Change(index, first, first + days, gain / days, MOVE_FACTOR))
        movers.append(Mover(index, first - SIGN_DAYS, first, first + days - 1))
    return movers, changes
