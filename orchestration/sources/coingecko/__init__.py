"""CoinGecko v3: universe, market caps, supplies, categories, contracts, communities, and a year of daily prices.

Belongs here: its requests, paging, three error envelopes (also met under HTTP 200) and shapes. `client.py` asks, the
other modules read: `lists.py` what comes in bulk, `charts.py` days of one coin, `coins.py` the document of one coin.
Traps: a market_chart point at 00:00 UTC of day D is the close of D - 1 and the last point is "now"; a cap of 0 means
unknown; public plans see 365 days (error 10012 beyond); symbols collide, ids do not; a coin without a repository has
zeros in `developer_data`. Attribution is due.

Categories come from `coins/markets?category=`: some 25 categories of one or two pages cost 25-50 calls whatever the
number of coins, and give the stable category id. `coins/{id}` costs one call a coin (50 minutes for 250 coins at the
keyless pace), so it is spread over weeks (`orchestration/lib/loads/turns.py`).
"""

from orchestration.sources.coingecko import kept
from orchestration.sources.coingecko.charts import Chart, join_charts, parse_market_chart
from orchestration.sources.coingecko.client import (
    BASE_URL,
    DEMO_KEY_HEADER,
    PRO_KEY_HEADER,
    PUBLIC_HISTORY_DAYS,
    CoinGecko,
    oldest_public_day,
    refuse_error,
)
from orchestration.sources.coingecko.coins import (
    COIN_ACTIVITY,
    STABLECOIN_CATEGORIES,
    WRAPPED_CATEGORIES,
    CoinDocument,
    parse_coins,
)
from orchestration.sources.coingecko.lists import (
    ASSET_CATEGORIES,
    ASSETS,
    CATEGORY_DAILY,
    CONTRACTS,
    GLOBAL_DAILY,
    MARKET_DAILY,
    MARKETS,
    parse_categories,
    parse_category_daily,
    parse_coin_list,
    parse_contracts,
    parse_global_daily,
    parse_markets,
    parse_members,
)

__all__ = [
    "ASSETS",
    "ASSET_CATEGORIES",
    "BASE_URL",
    "CATEGORY_DAILY",
    "COIN_ACTIVITY",
    "CONTRACTS",
    "DEMO_KEY_HEADER",
    "GLOBAL_DAILY",
    "MARKETS",
    "MARKET_DAILY",
    "PRO_KEY_HEADER",
    "PUBLIC_HISTORY_DAYS",
    "STABLECOIN_CATEGORIES",
    "WRAPPED_CATEGORIES",
    "Chart",
    "CoinDocument",
    "CoinGecko",
    "join_charts",
    "kept",
    "oldest_public_day",
    "parse_categories",
    "parse_category_daily",
    "parse_coin_list",
    "parse_coins",
    "parse_contracts",
    "parse_global_daily",
    "parse_market_chart",
    "parse_markets",
    "parse_members",
    "refuse_error",
]
