"""GeckoTerminal v2: JSON:API envelopes, amounts as text, candles as numbers.

Belongs here: the endpoints of api.geckoterminal.com. Does not: pools and their prices (`dex_pools.py`), holders
(`dex_holders.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.dex_holders import Holders, holders_of
from orchestration.sandbox.dex_pools import CHAIN_OF_NETWORK, CHAINS, DexPools, Pool, PoolState
from orchestration.sandbox.served import ServedMarket

HOST = "api.geckoterminal.com"
HOSTS = (HOST,)
BLOCKED_STATUS = 403
LIMITS = (30, 60.0)

_POOLS_A_PAGE: Final = 20
_MOST_PAGES: Final = 10
_MOST_ADDRESSES: Final = 30
_MOST_CANDLES: Final = 1_000
_USUAL_CANDLES: Final = 100
_HISTORY_DAYS: Final = 180
_SECONDS_A_DAY: Final = 86_400
_WINDOWS: Final = {"m5": 1 / 288, "m15": 1 / 96, "m30": 1 / 48, "h1": 1 / 24, "h6": 0.25, "h24": 1.0}
_LIMITED: Final = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API "
    "plans for higher rate limits."
)


class _RefusedError(Exception):
    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title


def error_body(status: int) -> dict[str, Any]:
    """What GeckoTerminal says under an HTTP status."""
    if status == 429:
        return {"status": {"error_code": 429, "error_message": _LIMITED}}
    return {"errors": [{"status": str(status), "title": "Forbidden" if status == 403 else "Internal Server Error"}]}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    geckoterminal = _GeckoTerminal(served)
    routes = {
        "/networks": geckoterminal.networks,
        "/networks/new_pools": geckoterminal.new_pools,
        "/networks/trending_pools": geckoterminal.trending_pools,
        "/networks/{network}/pools/multi/{addresses}": geckoterminal.several_pools,
        "/networks/{network}/pools/{address}/ohlcv/{timeframe}": geckoterminal.candles,
        "/networks/{network}/tokens/{address}/info": geckoterminal.token_info,
        "/{rest:path}": geckoterminal.unknown_path,
    }
    return [Route(f"/api/v2{path}", _refusing(endpoint)) for path, endpoint in routes.items()]


class _GeckoTerminal:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._pools = DexPools(served)

    async def unknown_path(self, request: Request) -> Response:
        raise _RefusedError(404, "Not Found")

    async def networks(self, request: Request) -> Response:
        """All chains, with CoinGecko's names of them."""
        rows = [
            {
                "id": chain.network,
                "type": "network",
                "attributes": {"name": chain.name, "coingecko_asset_platform_id": chain.platform},
            }
            for chain in CHAINS
        ]
        return _answer({"data": rows if _page(request) == 1 else []})

    async def new_pools(self, request: Request) -> Response:
        """A page of the newest pools of all chains."""
        return self._answer_page(request, self._pools.newest(_POOLS_A_PAGE * _MOST_PAGES))

    async def trending_pools(self, request: Request) -> Response:
        """A page of the liveliest pools of all chains."""
        return self._answer_page(request, self._pools.trending(_POOLS_A_PAGE * _MOST_PAGES))

    async def several_pools(self, request: Request) -> Response:
        """Pools of a chain by address; unknown ones are dropped silently."""
        network = _network(request)
        addresses = request.path_params["addresses"].split(",")
        if len(addresses) > _MOST_ADDRESSES:
            raise _RefusedError(422, f"exceeded maximum number of addresses of {_MOST_ADDRESSES}")
        found = [self._pools.find(network, address) for address in addresses]
        return self._answer_pools(request, [pool for pool in found if pool is not None])

    async def candles(self, request: Request) -> Response:
        """Daily candles of a pool, the newest first, the running day among them; half a year at most."""
        pool = self._pools.find(_network(request), request.path_params["address"])
        if pool is None:
            raise _RefusedError(404, "Not Found")
        if request.path_params["timeframe"] != "day" or request.query_params.get("aggregate", "1") != "1":
            raise _RefusedError(400, "Invalid timeframe or aggregate")
        limit = _whole(request, "limit", _USUAL_CANDLES)
        if limit > _MOST_CANDLES:
            raise _RefusedError(400, f"limit must be at most {_MOST_CANDLES}")
        days, rows = self._pools.candles(pool)
        seconds = [int(self._served.milliseconds_at(int(day))) // 1_000 for day in days]
        before = _whole(request, "before_timestamp", 2**40)
        oldest = seconds[-1] - _HISTORY_DAYS * _SECONDS_A_DAY if seconds else 0
        listed = [
            [second, *map(float, row)]
            for second, row in zip(reversed(seconds), rows[::-1].tolist(), strict=True)
            if oldest < second < before
        ]
        base = {
            "name": pool.symbol,
            "symbol": pool.symbol,
            "coingecko_coin_id": pool.coin_id,
            "address": pool.token_address,
        }
        chain = pool.chain
        quote = {"name": chain.quote, "symbol": chain.quote, "coingecko_coin_id": chain.quote_coin_id}
        return _answer(
            {
                "data": {
                    "id": f"{pool.id}_day",
                    "type": "ohlcv_request_response",
                    "attributes": {"ohlcv_list": listed[:limit]},
                },
                "meta": {"base": base, "quote": {**quote, "address": chain.quote_address}},
            }
        )

    async def token_info(self, request: Request) -> Response:
        """A token's metadata and holders."""
        pool = self._pools.of_token(_network(request), request.path_params["address"])
        holders = None if pool is None else holders_of(self._served, self._pools, pool)
        if pool is None or holders is None:
            raise _RefusedError(404, "Not Found")
        attributes = {
            "address": pool.token_address,
            "name": pool.symbol.title(),
            "symbol": pool.symbol,
            "decimals": 6 if pool.chain.network == "solana" else 18,
            "image_url": None,
            "coingecko_coin_id": pool.coin_id,
            "websites": [],
            "discord_url": None,
            "telegram_handle": None,
            "twitter_handle": None,
            "description": None,
            "gt_score": holders.score,
            "gt_score_details": {"pool": 87.5, "transaction": 66.667, "creation": 100.0, "info": 40.0, "holders": 40.0},
            "gt_verified": pool.coin_id is not None,
            "categories": [],
            "gt_category_ids": [],
            "holders": self._holders(pool, holders),
            **_authorities(pool, holders, is_honeypot=self._pools.is_honeypot(pool)),
        }
        token_id = f"{pool.chain.network}_{pool.token_address}"
        return _answer({"data": {"id": token_id, "type": "token", "attributes": attributes}})

    # -- parts -----------------------------------------------------------------------------------------------------

    def _holders(self, pool: Pool, holders: Holders) -> dict[str, Any] | None:
        if not holders.is_counted:
            return None
        rest = 100.0 - holders.top_10_percent
        second, third = round(0.2 * rest, 4), round(0.1 * rest, 4)
        names = ("11_20", "21_40") if pool.chain.network == "solana" else ("11_30", "31_50")
        shares = {"top_10": holders.top_10_percent, names[0]: second, names[1]: third}
        shares["rest"] = round(100.0 - sum(shares.values()), 4)
        return {
            "count": holders.count,
            "distribution_percentage": {name: _text(share) for name, share in shares.items()},
            "last_updated": f"{self._served.clock.now:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _answer_page(self, request: Request, pools: Sequence[Pool]) -> Response:
        start = (_page(request) - 1) * _POOLS_A_PAGE
        return self._answer_pools(request, pools[start : start + _POOLS_A_PAGE])

    def _answer_pools(self, request: Request, pools: Sequence[Pool]) -> Response:
        content: dict[str, Any] = {"data": [self._pool(pool) for pool in pools]}
        if wanted := request.query_params.get("include"):
            content["included"] = _included(pools, set(wanted.split(",")))
        return _answer(content)

    def _pool(self, pool: Pool) -> dict[str, Any]:
        state, chain = self._pools.state(pool), pool.chain
        made = datetime.combine(self._served.market.settings.start, datetime.min.time(), UTC) + timedelta(
            days=pool.made
        )
        change = _change(state)
        attributes = {
            "base_token_price_usd": _text(state.price),
            "base_token_price_native_currency": None,
            "quote_token_price_usd": "3000.0",
            "quote_token_price_native_currency": None,
            "base_token_price_quote_token": None,
            "quote_token_price_base_token": None,
            "address": pool.address,
            "name": f"{pool.symbol} / {chain.quote}",
            "pool_created_at": f"{made:%Y-%m-%dT%H:%M:%SZ}",
            "fdv_usd": _text(state.valuation),
            "market_cap_usd": None if state.market_cap is None else _text(state.market_cap),
            "price_change_percentage": {name: f"{change * math.sqrt(part):.3f}" for name, part in _WINDOWS.items()},
            "transactions": {name: _transactions(state, part) for name, part in _WINDOWS.items()},
            "volume_usd": {name: _text(state.volume * part) for name, part in _WINDOWS.items()},
            "reserve_in_usd": None if state.liquidity is None else _text(state.liquidity),
        }
        related = {
            "base_token": (f"{chain.network}_{pool.token_address}", "token"),
            "quote_token": (f"{chain.network}_{chain.quote_address}", "token"),
            "network": (chain.network, "network"),
            "dex": (chain.dex, "dex"),
        }
        return {
            "id": pool.id,
            "type": "pool",
            "attributes": attributes,
            "relationships": {name: {"data": {"id": id_, "type": kind}} for name, (id_, kind) in related.items()},
        }


def _authorities(pool: Pool, holders: Holders, *, is_honeypot: bool) -> dict[str, Any]:
    """Words on Solana; elsewhere flags, and null for what the chain does not have."""
    if pool.chain.network == "solana":
        minting = "yes" if holders.can_mint else "no"
        return {"mint_authority": minting, "freeze_authority": "no", "is_honeypot": "unknown"}
    return {"mint_authority": None, "freeze_authority": None, "is_honeypot": is_honeypot}


def _included(pools: Sequence[Pool], wanted: set[str]) -> list[dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    for pool in pools:
        chain = pool.chain
        base = _token_record(chain.network, pool.token_address, pool.symbol, pool.coin_id)
        quote = _token_record(chain.network, chain.quote_address, chain.quote, chain.quote_coin_id)
        network = {"name": chain.name, "coingecko_asset_platform_id": chain.platform}
        found = {
            "base_token": base,
            "quote_token": quote,
            "dex": {"id": chain.dex, "type": "dex", "attributes": {"name": chain.dex.replace("_", " ").title()}},
            "network": {"id": chain.network, "type": "network", "attributes": network},
        }
        records |= {record["id"]: record for name, record in found.items() if name in wanted}
    return list(records.values())


def _token_record(network: str, address: str, symbol: str, coin_id: str | None) -> dict[str, Any]:
    attributes = {
        "address": address,
        "name": symbol.title(),
        "symbol": symbol,
        "decimals": 6 if network == "solana" else 18,
        "image_url": None,
        "coingecko_coin_id": coin_id,
    }
    return {"id": f"{network}_{address}", "type": "token", "attributes": attributes}


def _transactions(state: PoolState, part: float) -> dict[str, int]:
    buys, sells = int(state.buys * part), int(state.sells * part)
    return {"buys": buys, "sells": sells, "buyers": math.ceil(0.7 * buys), "sellers": math.ceil(0.7 * sells)}


def _change(state: PoolState) -> float:
    if math.isnan(state.price_day_ago) or state.price_day_ago <= 0:
        return 0.0
    return 100.0 * (state.price / state.price_day_ago - 1.0)


def _text(value: float) -> str:
    """A number as text without an exponent: every digit of it, as the vendor sends them."""
    return format(Decimal(repr(value)), "f")


def _network(request: Request) -> str:
    network: str = request.path_params["network"]
    if network not in CHAIN_OF_NETWORK:
        raise _RefusedError(404, "Specified network not found")
    return network


def _page(request: Request) -> int:
    page = _whole(request, "page", 1)
    if not 1 <= page <= _MOST_PAGES:
        raise _RefusedError(400, f"page must be between 1 and {_MOST_PAGES}")
    return page


def _whole(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not text.isdigit():
        raise _RefusedError(400, f"Invalid {name}")
    return int(text)


def _refusing(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await endpoint(request)
        except _RefusedError as refusal:
            content = {"errors": [{"status": str(refusal.status), "title": refusal.title}]}
            return Response(json.dumps(content), refusal.status, media_type="application/json")

    return answer_or_refuse


def _answer(content: Any) -> Response:
    return Response(json.dumps(content), media_type="application/json; charset=utf-8")
