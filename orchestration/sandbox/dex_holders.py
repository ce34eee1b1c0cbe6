"""Holders of tokens: how many there are, and how much of the supply the largest have.

Both describe the present: holders come with the cap a token has, and small tokens are in few hands. They lead nothing, in
the null market as elsewhere.

Belongs here: true numbers. Does not: wire format (`routes_geckoterminal.py`), pools (`dex_pools.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestration.sandbox.dex_pools import DexPools, Pool
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.served import ServedMarket

_UNKNOWN, _UNCOUNTED, _COUNT, _TOP, _MINT, _SCORE = range(8_201, 8_207)
_UNKNOWN_SHARE: Final = 0.08
_UNCOUNTED_SHARE: Final = 0.05


@dataclass(frozen=True)
class Holders:
    """Holders of one token.

    Attributes:
        count: Addresses that hold it.
        top_10_percent: Of the supply that the ten largest have, four decimals.
        score: GeckoTerminal's own score.
        can_mint: Whether somebody can still mint.
        is_counted: Whether the provider tells count and shares.
    """

    count: int
    top_10_percent: float
    score: float
    can_mint: bool
    is_counted: bool


def holders_of(served: ServedMarket, pools: DexPools, pool: Pool) -> Holders | None:
    """Holders of a pool's base token as of now; None where the provider does not know the token."""
    seed = served.market.settings.seed
    if pool.index is None:
        who, size = 1_000_000 + (pool.number or 0), max(pools.state(pool).volume, 100.0) * 3.0
    else:
        _, caps = served.caps(pool.index)
        who, size = pool.index, float(caps[-1]) if len(caps) else 1e6
        if float(uniform(seed, _UNKNOWN, who)) < _UNKNOWN_SHARE:
            return None
    millions = size / 1e6
    top = 62.0 - 5.0 * float(np.log(max(millions, 1e-3))) + 9.0 * float(normal(seed, _TOP, who))
    return Holders(
        count=1 + int(700.0 * millions**0.62 * float(np.exp(0.5 * normal(seed, _COUNT, who)))),
        top_10_percent=round(float(np.clip(top, 4.0, 98.0)), 4),
        score=20.0 + 75.0 * float(uniform(seed, _SCORE, who)),
        can_mint=float(uniform(seed, _MINT, who)) < 0.15,
        is_counted=float(uniform(seed, _UNCOUNTED, who)) >= _UNCOUNTED_SHARE,
    )
