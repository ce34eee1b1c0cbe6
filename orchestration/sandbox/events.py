"""One-off events: deaths, pump-and-dumps, a lost peg, and what they do to returns and volume.

Belongs here: additions to log returns and multipliers of volume. Does not: the ordinary movement (`prices.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token


@dataclass(frozen=True)
class Pump:
    """One pump-and-dump; in the null setting a jump of either sign that nothing follows."""

    token_index: int
    first_day: int
    last_day: int


@dataclass(frozen=True)
class Events:
    """What happens besides the ordinary.

    Attributes:
        log_returns: Added to the log return, shape (days, tokens).
        volume_multiplier: Multiplies the volume, shape (days, tokens).
        pumps: Every pump-and-dump, in the order drawn.
    """

    log_returns: NDArray[np.float64]
    volume_multiplier: NDArray[np.float64]
    pumps: list[Pump] = field(default_factory=list)


def draw_events(settings: SimulationSettings, tokens: list[Token], lifetimes: Lifetimes) -> Events:
    """Deaths for all who die, and pump-and-dumps of small tokens.

    In the null setting nothing leads to a death or follows a jump: a dying token collapses within its last day, and
    jumps go either way with equal chance.
    """
    random = settings.random(Stream.EVENTS)
    shape = (settings.day_count, len(tokens))
    events = Events(np.zeros(shape), np.ones(shape))
    for index in np.flatnonzero(lifetimes.is_dead):
        _collapse(random, events, int(index), int(lifetimes.last[index]), is_slow=not settings.is_null)
    _pumps(random, events, settings, tokens, lifetimes)
    return events


def _collapse(random: np.random.Generator, events: Events, index: int, last_day: int, *, is_slow: bool) -> None:
    decline_days = int(random.integers(15, 40))
    crash = -random.uniform(1.2, 3.0)
    if not is_slow:
        events.log_returns[last_day, index] += crash
        return
    crash_day = last_day - int(random.integers(0, 3))
    events.log_returns[crash_day - decline_days : crash_day, index] -= random.uniform(0.015, 0.04)
    events.log_returns[crash_day, index] += crash
    events.volume_multiplier[crash_day : last_day + 1, index] *= np.array([6.0, 2.0, 0.5])[: last_day + 1 - crash_day]


def _pumps(
    random: np.random.Generator,
    events: Events,
    settings: SimulationSettings,
    tokens: list[Token],
    lifetimes: Lifetimes,
) -> None:
    caps = np.array([token.opening_cap_usd for token in tokens])
    is_target = np.array([not (token.is_protected or token.pegged_to) for token in tokens]) & (caps < np.median(caps))
    room = lifetimes.last - lifetimes.birth
    targets = np.flatnonzero(is_target & (room > 100))
    for _ in range(round(settings.pump_share * len(tokens))):
        index = int(random.choice(targets))
        day = int(random.integers(lifetimes.birth[index] + 20, lifetimes.last[index] - 60))
        gain = float(random.uniform(0.6, 1.6))
        rise_days, fall_days = int(random.integers(1, 4)), int(random.integers(3, 10))
        given_back = gain * float(random.uniform(0.8, 1.2))
        sign = 1.0 if random.random() < 0.5 else -1.0
        if settings.is_null:
            events.log_returns[day, index] += sign * gain
            events.volume_multiplier[day, index] *= 12.0
            events.pumps.append(Pump(index, day, day))
            continue
        fall = slice(day + rise_days, day + rise_days + fall_days)
        events.log_returns[day : day + rise_days, index] += gain / rise_days
        events.log_returns[fall, index] -= given_back / fall_days
        events.volume_multiplier[day : day + rise_days, index] *= 15.0
        events.volume_multiplier[fall, index] *= 4.0
        events.pumps.append(Pump(index, day, day + rise_days + fall_days - 1))
