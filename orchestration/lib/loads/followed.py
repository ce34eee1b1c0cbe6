"""The coins that the runs so far have followed, for loads that ask about few of many things.

Belongs here: reading them back from landing. Does not: the newest market list alone (`market_list.py`).
"""

from __future__ import annotations

from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.market_list import read_market_list
from orchestration.sources.coingecko import ASSETS


def followed_coins(store: LandingStore) -> set[str]:
    """CoinGecko ids, of those too that died or left the market list."""
    listed = read_market_list(store)["coin_id"].to_list()
    return {*listed, *store.newest(ASSETS)["coin_id"].to_list()}
