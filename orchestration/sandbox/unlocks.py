"""Unlock schedules of the simulated tokens: who receives how much when, past and future.

A third of the tokens that are neither pegged nor one of the two largest have a schedule, from a fixed rule on their numbers.
A schedule stays as it is from its token's beginning to its end, except that one in five is revised once, on a day fixed
beforehand: from then on the investors' cliffs still to come are 61 days later.

Unlocks move nothing: neither simulated prices nor circulating supplies know of them, so whoever learns from them learns noise.

Belongs here: releases. Does not: the wire format (`routes_unlocks.py`), circulating supply (`candles.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Final, Literal

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.draws import uniform
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.tokens import Token

SECONDS_A_DAY: Final = 86_400
POSTPONED_DAYS: Final = 61
_SHARE_WITH_SCHEDULE: Final = 1 / 3
_SHARE_REVISED: Final = 1 / 5
_SHARE_OUTSIDE_INDEX: Final = 1 / 6
_LARGEST: Final = frozenset({"bitcoin", "ethereum"})

CATEGORIES: Final = {
    "Airdrop": "airdrop",
    "Public Sale": "publicSale",
    "Team": "insiders",
    "Investors": "privateSale",
    "Ecosystem": "farming",
    "Treasury": "noncirculating",
}
"""Category by section."""


class _Draw(IntEnum):
    HAS_SCHEDULE = 201
    AGE = 202
    REVISED = 203
    REVISED_ON = 204
    OUTSIDE_INDEX = 205
    UNLISTED = 206
    LISTS_RELEASES = 207
    HAS_ADVISERS = 208


@dataclass(frozen=True, slots=True)
class Release:
    """Tokens released at once, or evenly until `end`; instants in unix seconds at 00:00 UTC.

    Attributes:
        end: None for a cliff.
        is_movable: Whether a revision postpones it.
    """

    section: str
    kind: Literal["cliff", "linear"]
    start: int
    end: int | None
    amount: float
    is_movable: bool = False


@dataclass(frozen=True)
class Schedule:
    """The schedule of one token.

    Attributes:
        index: Number of the token.
        slug: Name in addresses.
        coin_id: CoinGecko id of the token.
        total_tokens: All that is ever released.
        revised_at: Unix seconds from which the investors' later cliffs are postponed; None where never.
        is_in_index: Whether the index of all schedules has it.
        is_listed: Whether the list of files has it; there is a file in any case.
        lists_releases: Whether its file lists releases, or has only the series of what is unlocked.
    """

    index: int
    slug: str
    coin_id: str
    name: str
    symbol: str
    total_tokens: float
    revised_at: int | None
    is_in_index: bool
    is_listed: bool
    lists_releases: bool
    _first: tuple[Release, ...]

    def releases(self, at_seconds: float) -> list[Release]:
        """The schedule as it is known at an instant, the past and the future of it."""
        if self.revised_at is None or at_seconds < self.revised_at:
            return list(self._first)
        shift = POSTPONED_DAYS * SECONDS_A_DAY
        return [
            replace(each, start=each.start + shift) if each.is_movable and each.start > self.revised_at else each
            for each in self._first
        ]


class UnlockSchedules:
    """The schedules of a served market."""

    def __init__(self, served: ServedMarket) -> None:
        """Keep the market; the schedules are made when they are first asked for."""
        self._served = served
        self._seed = served.market.settings.seed

    @cached_property
    def _all(self) -> list[Schedule]:
        members = self._served.market.members
        return [self._schedule(index, token) for index, token in enumerate(members) if self._has_one(index, token)]

    def known(self) -> list[Schedule]:
        """Schedules of tokens that have been born by now, in the order of the tokens."""
        return [each for each in self._all if self._served.is_born(each.index)]

    def now_seconds(self) -> float:
        """The clock in unix seconds."""
        return self._served.clock.milliseconds / 1000

    def _has_one(self, index: int, token: Token) -> bool:
        is_eligible = not (token.pegged_to or token.is_wrapped or token.is_fake_cap or token.coin_id in _LARGEST)
        return is_eligible and bool(uniform(self._seed, _Draw.HAS_SCHEDULE, index) < _SHARE_WITH_SCHEDULE)

    def _schedule(self, index: int, token: Token) -> Schedule:
        def draw(what: _Draw) -> float:
            return float(uniform(self._seed, what, index))

        birth = int(self._served.market.lifetimes.birth[index])
        first_day = birth if birth > 0 else -int(50 + 450 * draw(_Draw.AGE))
        begins = int(self._served.milliseconds_at(first_day)) // MILLISECONDS_A_DAY * SECONDS_A_DAY
        supply = token.opening_cap_usd / token.opening_price_usd
        total = float(round(token.max_supply_tokens or 2.5 * supply))
        revised_at = None
        if draw(_Draw.REVISED) < _SHARE_REVISED:
            revised_at = begins + int(200 + 600 * draw(_Draw.REVISED_ON)) * SECONDS_A_DAY
        is_in_index = draw(_Draw.OUTSIDE_INDEX) >= _SHARE_OUTSIDE_INDEX
        is_defi = token.sector == "DeFi"
        return Schedule(
            index=index,
            slug=token.name.lower().replace(" ", "-")
            if is_defi
            else f"{token.name.partition(' ')[0].lower()}-foundation",
            coin_id=token.coin_id,
            name=token.name,
            symbol=token.symbol,
            total_tokens=total,
            revised_at=revised_at,
            is_in_index=is_in_index,
            is_listed=not (is_defi and draw(_Draw.UNLISTED) < 0.3),
            lists_releases=draw(_Draw.LISTS_RELEASES) < 0.5,
            _first=tuple(_releases(begins, total, has_advisers=draw(_Draw.HAS_ADVISERS) < 1 / 3)),
        )


def _releases(begins: int, total: float, *, has_advisers: bool) -> list[Release]:
    def cliff(section: str, day: int, share: float, *, is_movable: bool = False) -> Release:
        return Release(section, "cliff", begins + day * SECONDS_A_DAY, None, round(share * total, 2), is_movable)

    def linear(section: str, first: int, last: int, share: float) -> Release:
        end = begins + last * SECONDS_A_DAY
        return Release(section, "linear", begins + first * SECONDS_A_DAY, end, round(share * total, 2))

    advisers = [cliff("Team", 365, 0.01)] if has_advisers else []
    return [
        cliff("Airdrop", 0, 0.10),
        cliff("Public Sale", 0, 0.07),
        cliff("Team", 365, 0.04),
        *advisers,
        linear("Team", 365, 1460, 0.15),
        *(cliff("Investors", 180 + 91 * number, 0.025, is_movable=True) for number in range(8)),
        linear("Ecosystem", 0, 365, 0.12),
        linear("Ecosystem", 365, 730, 0.08),
        linear("Ecosystem", 730, 1825, 0.06),
        linear("Treasury", 90, 1916, 0.17),
    ]
