"""One-off events: deaths, pump-and-dumps, scams, a lost peg, and what they do to returns and volume.

Belongs here: additions to log returns and multipliers of volume. Does not: the ordinary movement (`prices.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pump:
    """One pump-and-dump; in the null setting a jump of either sign that nothing follows."""

    token_index: int
    first_day: int
    last_day: int


@dataclass(frozen=True)
class Scam:
    """Days on which a token itself deceives.

    Attributes:
        kind: wash_trading (its volume is many times the true one, on exchanges too, and its price does not care) or rug_pull (nearly
            all of its price is gone within a day, and it lives on).
    """

    kind: str
    token_index: int
    first_day: int
    last_day: int


@dataclass(frozen=True)
class Change:
    """What is added to one token's log return and multiplied onto its volume on each of some days."""

    token_index: int
    first_day: int
    stop_day: int
    log_return: float = 0.0
    volume_factor: float = 1.0


@dataclass(frozen=True)
class Events:
    """What happens besides the ordinary.

    Attributes:
        changes: In the order in which they are applied; days they do not name stay as they are.
        pumps: Every pump-and-dump, in the order drawn.
        scams: Every other scam, in the order drawn.
    """

    changes: list[Change] = field(default_factory=list)
    pumps: list[Pump] = field(default_factory=list)
    scams: list[Scam] = field(default_factory=list)

    def within(self, first_day: int, stop_day: int, token_count: int) -> tuple[Floats, Floats]:
        """Additions to log returns and multipliers of volume on some days, each of shape (days, tokens)."""
        shape = (stop_day - first_day, token_count)
        log_returns, volume_multiplier = np.zeros(shape), np.ones(shape)
        for change in self.changes:
            if change.first_day < stop_day and change.stop_day > first_day:
                days = slice(max(change.first_day - first_day, 0), change.stop_day - first_day)
                log_returns[days, change.token_index] += change.log_return
                volume_multiplier[days, change.token_index] *= change.volume_factor
        return log_returns, volume_multiplier


def draw_events(settings: SimulationSettings, tokens: list[Token], lifetimes: Lifetimes) -> Events:
    """Deaths for all who die, and pump-and-dumps of small tokens.

    In the null setting nothing leads to a death or follows a jump: a dying token collapses within its last day, and
    jumps go either way with equal chance.
    """
    random = settings.random(Stream.EVENTS)
    events = Events()
    for index in np.flatnonzero(lifetimes.is_dead):
        _collapse(random, events, int(index), int(lifetimes.last[index]), is_slow=not settings.is_null)
    _pumps(random, events, settings, tokens, lifetimes)
    if settings.scam_share > 0 and not settings.is_null:
        _scams(settings.random(Stream.SCAMS), events, settings, tokens, lifetimes)
    return events


def _collapse(random: np.random.Generator, events: Events, index: int, last_day: int, *, is_slow: bool) -> None:
    decline_days = int(random.integers(15, 40))
    crash = -random.uniform(1.2, 3.0)
    if not is_slow:
        events.changes.append(Change(index, last_day, last_day + 1, crash))
        return
    crash_day = last_day - int(random.integers(0, 3))
    daily_decline = -random.uniform(0.015, 0.04)
    events.changes.append(Change(index, crash_day - decline_days, crash_day, daily_decline))
    events.changes.append(Change(index, crash_day, crash_day + 1, crash))
    for day, factor in zip(range(crash_day, last_day + 1), (6.0, 2.0, 0.5), strict=False):
        events.changes.append(Change(index, day, day + 1, volume_factor=factor))


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
            events.changes.append(Change(index, day, day + 1, sign * gain, 12.0))
            events.pumps.append(Pump(index, day, day))
            continue
        top, bottom = day + rise_days, day + rise_days + fall_days
        events.changes.append(Change(index, day, top, gain / rise_days, 15.0))
        events.changes.append(Change(index, top, bottom, -given_back / fall_days, 4.0))
        events.pumps.append(Pump(index, day, bottom - 1))


def _scams(
    random: np.random.Generator,
    events: Events,
    settings: SimulationSettings,
    tokens: list[Token],
    lifetimes: Lifetimes,
) -> None:
    """Wash trading and rug pulls by turns, each by a token of its own that no pump has."""
    is_target = np.array([not (token.is_protected or token.pegged_to or token.is_fake_cap) for token in tokens])
    is_target[[pump.token_index for pump in events.pumps]] = False
    targets = np.flatnonzero(is_target & (lifetimes.last - lifetimes.birth > 250))
    wanted = min(round(settings.scam_share * len(tokens)), len(targets))
    for number, index in enumerate(random.permutation(targets)[:wanted].tolist()):
        first_day = int(random.integers(lifetimes.birth[index] + 60, lifetimes.last[index] - 160))
        if number % 2:
            events.changes.append(Change(index, first_day, first_day + 1, -float(random.uniform(1.5, 3.0)), 8.0))
            events.changes.append(Change(index, first_day + 1, first_day + 60, volume_factor=0.2))
            events.scams.append(Scam("rug_pull", index, first_day, first_day))
            continue
        stop_day = first_day + int(random.integers(40, 151))
        events.changes.append(Change(index, first_day, stop_day, volume_factor=float(random.uniform(20.0, 60.0))))
        events.scams.append(Scam("wash_trading", index, first_day, stop_day - 1))
