"""CoinGecko's rows about coins: in lists, in markets, in categories, and the document of one coin.

Belongs here: their fields and nulls. Does not: choosing and paging them (`routes_coingecko.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from orchestration.sandbox.categories import CATEGORY_NAMES
from orchestration.sandbox.coingecko_activity import community_data, community_of
from orchestration.sandbox.coingecko_developers import DeveloperCounts
from orchestration.sandbox.contracts import contracts_of
from orchestration.sandbox.served import Moment, ServedMarket
from orchestration.sandbox.tokens import Token

_WINDOW_DAYS = {"24h": 1, "7d": 7, "14d": 14, "30d": 30, "200d": 200, "1y": 365}
_SPARKLINE_DAYS = 7
_IMAGE = "https://coin-images.coingecko.com/coins/images/{number}/large/{coin_id}.png"


def list_row(token: Token, *, include_platform: bool) -> dict[str, Any]:
    """A row of coins/list."""
    row: dict[str, Any] = {"id": token.coin_id, "symbol": token.symbol.lower(), "name": token.name}
    if include_platform:
        row["platforms"] = contracts_of(token)
    return row


def market_row(
    served: ServedMarket, index: int, moment: Moment, *, rank: int | None, windows: Sequence[str], has_sparkline: bool
) -> dict[str, Any]:
    """A row of coins/markets."""
    token = served.members[index]
    price, cap = _number(moment.price[index]), _number(moment.cap[index])
    before, cap_before = _number(moment.price_day_ago[index]), _number(moment.cap_day_ago[index])
    largest = token.max_supply_tokens
    row: dict[str, Any] = {
        "id": token.coin_id,
        "symbol": token.symbol.lower(),
        "name": token.name,
        "image": _IMAGE.format(number=index + 1, coin_id=token.coin_id),
        "current_price": price,
        "market_cap": cap,
        "market_cap_rank": rank,
        "fully_diluted_valuation": price * largest if price is not None and largest else None,
        "total_volume": _number(moment.volume[index]),
        "high_24h": _number(moment.high[index]),
        "low_24h": _number(moment.low[index]),
        "price_change_24h": None if price is None or before is None else price - before,
        "price_change_percentage_24h": _percent(price, before),
        "market_cap_change_24h": None if cap is None or cap_before is None else cap - cap_before,
        "market_cap_change_percentage_24h": _percent(cap, cap_before),
        "circulating_supply": _number(moment.supply[index]),
        "total_supply": _total_supply(token, moment, index),
        "max_supply": largest,
        **_extremes(served, index, price),
        "roi": None,
        "last_updated": _milliseconds_text(served.clock.now),
    }
    if has_sparkline:
        row["sparkline_in_7d"] = {"price": _sparkline(served, index)}
    for window in windows:
        if window in _WINDOW_DAYS:
            row[f"price_change_percentage_{window}_in_currency"] = _percent(
                price, _price_days_ago(served, index, _WINDOW_DAYS[window])
            )
    return row


def category_row(served: ServedMarket, category: str, moment: Moment) -> dict[str, Any]:
    """A row of coins/categories; an empty category has nulls."""
    members = served.market.members
    inside = [index for index in np.flatnonzero(moment.is_alive) if category in members[index].categories]
    inside.sort(key=lambda index: -float(moment.cap[index]))
    cap = float(np.sum(moment.cap[inside])) if inside else None
    before = float(np.nansum(moment.cap_day_ago[inside])) if inside else None
    return {
        "id": category,
        "name": CATEGORY_NAMES[category],
        "market_cap": cap,
        "market_cap_change_24h": _percent(cap, before),
        "content": None,
        "top_3_coins_id": [members[index].coin_id for index in inside[:3]],
        "top_3_coins": [_IMAGE.format(number=index + 1, coin_id=members[index].coin_id) for index in inside[:3]],
        "volume_24h": float(np.nansum(moment.volume[inside])) if inside else None,
        "updated_at": _milliseconds_text(served.clock.now),
    }


def global_document(served: ServedMarket, moment: Moment) -> dict[str, Any]:
    """The answer of global. Coins whose cap nobody believes are not part of the total."""
    members = served.members
    counted = [index for index in np.flatnonzero(moment.is_alive) if not members[index].is_fake_cap]
    cap, volume = float(np.sum(moment.cap[counted])), float(np.nansum(moment.volume[counted]))
    before = float(np.nansum(moment.cap_day_ago[counted]))
    largest = sorted(counted, key=lambda index: -float(moment.cap[index]))[:10]
    bitcoin = float(moment.price[served.index_of["bitcoin"]])
    return {
        "data": {
            "active_cryptocurrencies": int(np.count_nonzero(moment.is_alive)),
            "upcoming_icos": 0,
            "ongoing_icos": 49,
            "ended_icos": 3376,
            "markets": 1476,
            "total_market_cap": {"btc": cap / bitcoin, "usd": cap},
            "total_volume": {"btc": volume / bitcoin, "usd": volume},
            "market_cap_percentage": {
                members[index].symbol.lower(): 100.0 * float(moment.cap[index]) / cap for index in largest
            },
            "market_cap_change_percentage_24h_usd": _percent(cap, before),
            "updated_at": served.clock.milliseconds // 1000,
        }
    }


def coin_document(
    served: ServedMarket,
    index: int,
    moment: Moment,
    *,
    rank: int | None,
    developers: DeveloperCounts,
    params: Mapping[str, str],
) -> dict[str, Any]:
    """The document of coins/{id}; its parts are on unless a parameter turns them off, as at the vendor's."""
    token = served.members[index]
    platforms = contracts_of(token)
    community = community_of(served, index)
    document: dict[str, Any] = {
        "id": token.coin_id,
        "symbol": token.symbol.lower(),
        "name": token.name,
        "web_slug": token.coin_id,
        "asset_platform_id": token.platform,
        "platforms": platforms or {"": ""},
        "detail_platforms": {
            name: {"decimal_place": 18 if address else None, "contract_address": address}
            for name, address in (platforms or {"": ""}).items()
        },
        "categories": [CATEGORY_NAMES[category] for category in token.categories],
        "preview_listing": False,
        "public_notice": None,
        "description": {"en": ""},
        "links": {
            "homepage": [f"https://{token.coin_id}.example", "", ""],
            "whitepaper": "",
            "twitter_screen_name": token.coin_id.replace("-", "_")[:15],
            "telegram_channel_identifier": "",
            "subreddit_url": None,
            "repos_url": {"github": [token.github_repo] if token.github_repo else [], "bitbucket": []},
        },
        "genesis_date": token.genesis_date.isoformat() if token.genesis_date else None,
        "sentiment_votes_up_percentage": community.up_percent,
        "sentiment_votes_down_percentage": None
        if community.up_percent is None
        else round(100.0 - community.up_percent, 2),
        "watchlist_portfolio_users": community.watchlist_users,
        "market_cap_rank": rank,
        "last_updated": _milliseconds_text(served.clock.now),
    }
    if params.get("include_categories_details") == "true":
        document["categories_details"] = [
            {"id": category, "name": CATEGORY_NAMES[category]} for category in token.categories
        ]
    if params.get("market_data", "true") == "true":
        document["market_data"] = _market_data(served, index, moment)
    if params.get("community_data", "true") == "true":
        document["community_data"] = community_data(community)
    if params.get("developer_data", "true") == "true":
        document["developer_data"] = developers.data_of(index)
    if params.get("tickers", "true") == "true":
        document["tickers"] = []
    return document


def _market_data(served: ServedMarket, index: int, moment: Moment) -> dict[str, Any]:
    token = served.market.members[index]
    price, largest = _number(moment.price[index]), token.max_supply_tokens

    def in_usd(value: float | None) -> dict[str, float]:
        return {} if value is None else {"usd": value}

    return {
        "current_price": in_usd(price),
        "total_value_locked": None,
        "mcap_to_tvl_ratio": None,
        "market_cap": in_usd(_number(moment.cap[index])),
        "fully_diluted_valuation": in_usd(price * largest if price is not None and largest else None),
        "total_volume": in_usd(_number(moment.volume[index])),
        "price_change_percentage_30d": _percent(price, _price_days_ago(served, index, 30)),
        "circulating_supply": _number(moment.supply[index]),
        "total_supply": _total_supply(token, moment, index),
        "max_supply": largest,
        "max_supply_infinite": largest is None,
        "last_updated": _milliseconds_text(served.clock.now),
    }


def _total_supply(token: Token, moment: Moment, index: int) -> float | None:
    """Some coins tell no total supply."""
    circulating = _number(moment.supply[index])
    if circulating is None or index % 9 == 8:
        return None
    return circulating if token.max_supply_tokens is None else min(token.max_supply_tokens, 1.25 * circulating)


def _extremes(served: ServedMarket, index: int, price: float | None) -> dict[str, Any]:
    """Highest and lowest price up to now, with their days."""
    token, birth = served.market.panel.token(index), int(served.market.lifetimes.birth[index])
    first, stop = birth, max(served.today(), birth + 1)
    highs, lows = token.high[first:stop], token.low[first:stop]
    found: dict[str, Any] = {}
    for name, values, at in (("ath", highs, int(np.nanargmax(highs))), ("atl", lows, int(np.nanargmin(lows)))):
        day = datetime.combine(served.market.settings.start, datetime.min.time(), tzinfo=UTC) + timedelta(
            days=first + at, hours=12
        )
        found |= {
            name: float(values[at]),
            f"{name}_change_percentage": _percent(price, float(values[at])),
            f"{name}_date": _milliseconds_text(day),
        }
    return found


def _price_days_ago(served: ServedMarket, index: int, days: int) -> float | None:
    day = served.today() - days
    if day < served.market.lifetimes.birth[index] or day >= served.market.panel.day_count:
        return None
    return _number(served.prices_within(day, served.clock.day_fraction, index))


def _sparkline(served: ServedMarket, index: int) -> list[float]:
    """Hourly prices of the last seven days."""
    hours = np.arange(24) / 24
    first = max(served.today() - _SPARKLINE_DAYS, int(served.market.lifetimes.birth[index]))
    stop = min(served.today(), served.market.panel.day_count)
    return [float(price) for day in range(first, stop) for price in served.prices_within(day, hours, index)]


def _number(value: float | np.float64 | np.ndarray) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _percent(value: float | None, before: float | None) -> float | None:
    return None if value is None or not before else 100.0 * (value / before - 1.0)


def _milliseconds_text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"
