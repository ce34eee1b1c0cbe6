"""GeckoTerminal v2: pools of decentralised exchanges, their daily candles, and who holds a token.

Belongs here: its requests, paging, error bodies and shapes (JSON:API: `data`, `attributes`, `relationships`, `included`).
Does not: which pools and tokens are worth a request (`orchestration/lib/loads/geckoterminal.py`).
Traps: prices, volumes and shares are text of up to 70 digits, candles are numbers; market caps are mostly null; a reserve
of 0 is a drained pool or a honeypot; the shares of holders are cut at 40 on Solana and at 50 elsewhere; `is_honeypot` and
`mint_authority` are words on one chain, flags and nulls on another. No key, 30 requests a minute, attribution is due.

`client.py` asks, the other modules read.
"""

from orchestration.sources.geckoterminal.candles import POOL_CANDLES, PoolCandles, join_candles, read_candles
from orchestration.sources.geckoterminal.client import BASE_URL, NETWORKS, GeckoTerminal, refuse_error
from orchestration.sources.geckoterminal.holders import TOKEN_HOLDERS, parse_token_holders
from orchestration.sources.geckoterminal.pools import POOLS, parse_pools

__all__ = [
    "BASE_URL",
    "NETWORKS",
    "POOLS",
    "POOL_CANDLES",
    "TOKEN_HOLDERS",
    "GeckoTerminal",
    "PoolCandles",
    "join_candles",
    "parse_pools",
    "parse_token_holders",
    "read_candles",
    "refuse_error",
]
