"""When each simulated token is born, listed on the exchange, and dies.

Belongs here: dates only. Does not: what a death does to the price (`events.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

SHORTEST_LIFE_DAYS = 120
NEVER = -1


@dataclass(frozen=True)
class Lifetimes:
    """Day numbers (0 is the market's first day), one per token.

    Attributes:
        birth: First day with data.
        last: Last day with data; the market's last day for those that live.
        is_dead: Whether data stop before the market ends.
        listed: First day on the exchange, `NEVER` where it is not listed.
    """

    birth: NDArray[np.int64]
    last: NDArray[np.int64]
    is_dead: NDArray[np.bool_]
    listed: NDArray[np.int64]

    def followed_by(self, others: Lifetimes) -> Lifetimes:
        """These tokens and then others."""
        return Lifetimes(
            birth=np.concatenate([self.birth, others.birth]),
            last=np.concatenate([self.last, others.last]),
            is_dead=np.concatenate([self.is_dead, others.is_dead]),
            listed=np.concatenate([self.listed, others.listed]),
        )

    def alive(self, day_count: int) -> NDArray[np.bool_]:
        """Whether a token has data on a day, shape (days, tokens)."""
        days = np.arange(day_count)[:, None]
        return (days >= self.birth) & (days <= self.last)


def draw_lifetimes(settings: SimulationSettings, tokens: list[Token]) -> Lifetimes:
    """Births, listings and deaths.

    Small and lively tokens die more often, except in the null setting, where every token that is not protected is
    equally likely to die on any day, so that no feature tells who will.
    """
    random = settings.random(Stream.LIFETIMES)
    day_count, count = settings.day_count, len(tokens)
    volatility = np.array([token.daily_volatility for token in tokens])
    can_change = np.array([not token.is_protected and token.pegged_to is None for token in tokens])
    changeable = np.flatnonzero(can_change)

    birth = np.zeros(count, dtype=np.int64)
    born_later = random.choice(changeable, size=round(settings.birth_share * count), replace=False)
    birth[born_later] = random.integers(30, day_count - 60, size=born_later.size)

    last = np.full(count, day_count - 1, dtype=np.int64)
    weights = np.ones(changeable.size) if settings.is_null else volatility[changeable] ** 2
    dying = random.choice(
        changeable, size=round(settings.death_share * count), replace=False, p=weights / weights.sum()
    )
    # A stablecoin that loses its peg belongs to every market.
    unprotected_peg = [index for index, token in enumerate(tokens) if token.pegged_to and not token.is_protected]
    dying = np.concatenate([dying, unprotected_peg]).astype(np.int64)
    earliest = np.minimum(birth[dying] + SHORTEST_LIFE_DAYS, day_count - 20)
    last[dying] = earliest + (random.random(dying.size) * (day_count - 10 - earliest)).astype(np.int64)

    return Lifetimes(
        birth=birth, last=last, is_dead=last < day_count - 1, listed=_draw_listings(random, tokens, birth, last)
    )


def _draw_listings(
    random: np.random.Generator, tokens: list[Token], birth: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Large tokens are nearly all on the exchange, small ones often not, newcomers some days after their birth."""
    count = len(tokens)
    by_size = np.argsort(np.argsort([-token.opening_cap_usd for token in tokens]))
    is_listed = random.random(count) < 0.97 - 0.62 * by_size / count
    delay = random.integers(0, 60, size=count)
    listed = np.where(birth > 0, np.minimum(birth + delay, last - 30), birth)
    late_comers = (birth == 0) & (by_size > count * 0.4) & (random.random(count) < 0.4)
    listed = np.where(late_comers, np.minimum(random.integers(20, 600, size=count), last - 30), listed)
    seen_tickers: set[str] = set()
    for index, token in enumerate(tokens):
        is_major = token.is_protected and not token.is_fake_cap and token.coin_id != "moored-ether"
        # The exchange has one token a ticker, never a fake, and USDT is what it quotes in.
        if is_major:
            is_listed[index] = True
        if token.is_fake_cap or token.symbol in seen_tickers or token.coin_id in {"tether", "moored-ether"}:
            is_listed[index] = False
        seen_tickers.add(token.symbol)
    return np.where(is_listed, np.maximum(listed, birth), NEVER)
