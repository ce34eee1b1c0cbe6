"""DefiLlama's three keyless hosts: protocols, TVL, fees and volumes, stablecoins, pools.

Numbers are numbers, days are seconds at 00:00 UTC, in the charts of stablecoins as text. A stock stamped 00:00 of D is the close of
D - 1 and the newest point of a protocol is "now"; a flow stamped 00:00 of D is the sum of D. Unlock schedules answer 402.

Belongs here: the wire format of api.llama.fi, stablecoins.llama.fi and yields.llama.fi. Does not: the values (`defi.py`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.defi import (
    BORROWED_SHARE,
    POOL2_SHARE,
    STAKED_SHARE,
    Days,
    DefiWorld,
    Floats,
    cents,
    known,
    total_by_day,
)
from orchestration.sandbox.defi_names import Protocol, Stablecoin, Version
from orchestration.sandbox.exchange_wire import json_answer
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.llama.fi", "stablecoins.llama.fi", "yields.llama.fi")
BLOCKED_STATUS = 403
LIMITS = (120, 60.0)
"""Not published; two requests a second are known to be served."""

PAID_TEXT: Final = "Upgrade to the paid API plan at https://defillama.com/subscription to use this endpoint"
_FLOWS: Final = {
    ("fees", "dailyFees"): "fees_usd",
    ("fees", "dailyRevenue"): "revenue_usd",
    ("dexs", ""): "dex_volume_usd",
}


def error_body(status: int) -> Any:
    """What DefiLlama says under an HTTP status."""
    return PAID_TEXT if status == 402 else {"message": "Too Many Requests" if status == 429 else f"Error {status}"}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the hosts."""
    llama = _DefiLlama(served)
    return [
        Route("/protocols", llama.protocols),
        Route("/protocol/{slug}", llama.protocol),
        Route("/v2/chains", llama.chains),
        Route("/v2/historicalChainTvl", llama.all_chains_history),
        Route("/v2/historicalChainTvl/{chain}", llama.chain_history),
        Route("/overview/{kind}", llama.overview),
        Route("/summary/{kind}/{slug}", llama.summary),
        Route("/stablecoins", llama.stablecoins),
        Route("/stablecoincharts/all", llama.stablecoin_chart),
        Route("/pools", llama.pools),
        Route("/emissions", _paid),
        Route("/emission/{slug}", _paid),
    ]


class _DefiLlama:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._world = DefiWorld(served)
        self._names = self._world.names

    # -- api.llama.fi ----------------------------------------------------------------------------------------------

    async def protocols(self, request: Request) -> Response:
        """Every version and protocol with what it holds now; families are not rows."""
        today = np.array([self._world.newest_day()])
        rows = []
        for protocol in self._names.protocols:
            if not self._world.is_there(protocol) or today[0] < self._world.first_day_of(protocol):
                continue
            for version in protocol.versions:
                rows.append(
                    self._protocol_row(protocol, version, float(self._world.version_tvl(protocol, version, today)[0]))
                )
        return json_answer(sorted(rows, key=lambda row: -row["tvl"]))

    async def protocol(self, request: Request) -> Response:
        """One protocol, family or version with its history."""
        found = self._names.by_slug.get(request.path_params["slug"])
        if found is None or not self._world.is_there(found[0]):
            return Response("Protocol not found", 404, media_type="text/plain")
        protocol, version = found
        days = self._world.finished_days(protocol.follows)
        whole = version is None and protocol.is_family
        only = version or protocol.versions[0]
        tvl = self._world.family_tvl(protocol, days) if whole else self._world.version_tvl(protocol, only, days)
        series = [
            {"date": stamp, "totalLiquidityUSD": value}
            for stamp, value in zip(self._closes(days), tvl.tolist(), strict=True)
        ]
        if series:
            series.append({"date": self._now_seconds(), "totalLiquidityUSD": float(tvl[-1])})
        content: dict[str, Any] = {
            "id": protocol.entity_id if whole else only.protocol_id,
            "name": protocol.name if whole else only.name,
            "symbol": protocol.symbol,
            "gecko_id": protocol.coin_id if whole else only.coin_id,
            "mcap": None,
            "raises": [],
            "currentChainTvls": {},
            "chainTvls": {},
            "tvl": series,
        }
        if whole:
            content |= {"isParentProtocol": True, "otherProtocols": [each.name for each in protocol.versions]}
        return json_answer(content)

    async def chains(self, request: Request) -> Response:
        """Chains with what they hold now."""
        today = np.array([self._world.newest_day()])
        rows = [
            {
                "gecko_id": chain.coin_id,
                "tvl": float(self._world.chain_tvl(chain, today)[0]),
                "tokenSymbol": chain.symbol,
                "cmcId": None,
                "name": chain.name,
                "chainId": None,
            }
            for chain in self._names.chains
            if self._served.is_born(chain.index)
        ]
        return json_answer(rows)

    async def chain_history(self, request: Request) -> Response:
        """What one chain held."""
        name = request.path_params["chain"]
        chain = next((each for each in self._names.chains if each.name == name), None)
        if chain is None or not self._served.is_born(chain.index):
            return Response("Chain not found", 404, media_type="text/plain")
        days = self._world.finished_days(chain.index)
        return self._stock(days, self._world.chain_tvl(chain, days), "tvl")

    async def all_chains_history(self, request: Request) -> Response:
        """What all chains held together."""
        days = np.arange(0, self._world.newest_day() + 1)
        parts = [self._world.chain_tvl(chain, days) for chain in self._names.chains]
        return self._stock(days, cents(total_by_day(parts)), "tvl")

    async def overview(self, request: Request) -> Response:
        """The last two days of one flow for all protocols."""
        metric = self._flow(request)
        if metric is None:
            return _refuse("dataType is not supported")
        newest = self._world.newest_day()
        rows: list[dict[str, Any]] = []
        for protocol in self._names.protocols:
            if not self._world.is_there(protocol) or not self._world.reports(protocol, metric):
                continue
            days = np.array([max(newest - 1, 0), newest])
            for version in protocol.versions:
                before, last = self._world.version_flow(protocol, version, metric, days)
                rows.append(
                    {
                        "defillamaId": version.protocol_id,
                        "id": version.protocol_id,
                        "name": version.name,
                        "displayName": version.name,
                        "module": version.slug,
                        "category": protocol.category,
                        "chains": list(protocol.chains),
                        "protocolType": "protocol",
                        "parentProtocol": protocol.entity_id if protocol.is_family else None,
                        "slug": version.slug,
                        "total24h": _or_null(last),
                        "total48hto24h": _or_null(before),
                    }
                )
        chain_fees = {"defillamaId": "chain#ethereum", "name": "Ethereum", "protocolType": "chain", "slug": "ethereum"}
        rows.append({**chain_fees, "total24h": 1_000_000, "total48hto24h": 1_000_000})
        total = sum(row["total24h"] or 0.0 for row in rows)
        content: dict[str, Any] = {
            "totalDataChart": [],
            "totalDataChartBreakdown": [],
            "breakdown24h": None,
            "chain": None,
        }
        return json_answer({**content, "allChains": ["Ethereum"], "total24h": total, "protocols": rows})

    async def summary(self, request: Request) -> Response:
        """One flow of one protocol, family or version with its history."""
        metric = self._flow(request)
        found = self._names.by_slug.get(request.path_params["slug"])
        if (
            metric is None
            or found is None
            or not self._world.reports(found[0], metric)
            or not self._world.is_there(found[0])
        ):
            return json_answer({"message": "Protocol not found"}, 404)
        protocol, version = found
        days = self._world.finished_days(protocol.follows)
        if version is None:
            values = self._world.family_flow(protocol, metric, days)
        else:
            values = self._world.version_flow(protocol, version, metric, days)
        days, values = known(days, values)
        chart = [[stamp, value] for stamp, value in zip(self._opens(days), values.tolist(), strict=True)]
        return json_answer({"name": protocol.name, "slug": protocol.slug, "totalDataChart": chart, "total24h": None})

    # -- stablecoins.llama.fi and yields.llama.fi ------------------------------------------------------------------

    async def stablecoins(self, request: Request) -> Response:
        """Every stablecoin with its supply and price."""
        today = np.array([self._world.newest_day()])
        assets: list[dict[str, Any]] = []
        for coin in self._names.stablecoins:
            if today[0] < self._world.first_day(coin):
                continue
            assets.append(
                {
                    "id": coin.stablecoin_id,
                    "name": coin.name,
                    "symbol": coin.symbol,
                    "gecko_id": coin.coin_id,
                    "pegType": coin.peg,
                    "pegMechanism": "fiat-backed",
                    "circulating": {coin.peg: float(self._world.supply(coin, today)[0])},
                    "chainCirculating": {},
                    "chains": [],
                    "price": _or_null(self._world.stablecoin_price(coin, today)[0]),
                }
            )
        return json_answer({"peggedAssets": assets})

    async def stablecoin_chart(self, request: Request) -> Response:
        """Supply by day of one stablecoin, or of all; dates are text."""
        asked = request.query_params.get("stablecoin")
        coins = [each for each in self._names.stablecoins if asked in (None, each.stablecoin_id)]
        if not coins:
            return json_answer([])
        days = np.arange(min(self._world.first_day(coin) for coin in coins), self._world.newest_day() + 1)
        amounts = {peg: self._supply_usd(coins, peg, days) for peg in sorted({coin.peg for coin in coins})}
        rows = [
            {
                "date": str(stamp),
                "totalCirculating": {},
                "totalCirculatingUSD": {peg: float(values[row]) for peg, values in amounts.items()},
            }
            for row, stamp in enumerate(self._closes(days))
        ]
        return json_answer(rows)

    async def pools(self, request: Request) -> Response:
        """Every pool with its size and rates in percent."""
        day = self._world.newest_day()
        rows = []
        for pool in self._names.pools:
            if not self._world.is_there(pool.protocol) or day < self._world.first_day_of(pool.protocol):
                continue
            base, reward = self._world.pool_rates(pool, day)
            rows.append(
                {
                    "chain": pool.chain,
                    "project": pool.project,
                    "symbol": pool.symbol,
                    "tvlUsd": self._world.pool_tvl(pool, day),
                    "apyBase": base,
                    "apyReward": reward,
                    "apy": round(base + (reward or 0.0), 5),
                    "rewardTokens": None if reward is None else ["0x00"],
                    "pool": pool.pool_id,
                    "stablecoin": pool.is_stablecoin,
                    "ilRisk": "no" if pool.is_stablecoin else "yes",
                    "exposure": "single" if pool.is_stablecoin else "multi",
                }
            )
        return json_answer({"status": "success", "data": rows})

    # -- parts -----------------------------------------------------------------------------------------------------

    def _protocol_row(self, protocol: Protocol, version: Version, tvl: float) -> dict[str, Any]:
        chain_tvls = {chain: round(part * tvl, 2) for chain, part in protocol.chains.items()}
        main = next(iter(protocol.chains))
        if protocol.has_borrowed:
            chain_tvls |= {name: round(BORROWED_SHARE * tvl, 2) for name in (f"{main}-borrowed", "borrowed")}
        if protocol.coin_id and protocol.category != "CEX":
            chain_tvls |= {name: round(STAKED_SHARE * tvl, 2) for name in (f"{main}-staking", "staking")}
        if protocol.has_pool2:
            chain_tvls |= {name: round(POOL2_SHARE * tvl, 2) for name in (f"{main}-pool2", "pool2")}
        row = {
            "id": version.protocol_id,
            "name": version.name,
            "symbol": protocol.symbol,
            "slug": version.slug,
            "category": protocol.category,
            "chain": main if len(protocol.chains) == 1 else "Multi-Chain",
            "chains": list(protocol.chains),
            "gecko_id": version.coin_id,
            "cmcId": None,
            "tvl": tvl,
            "chainTvls": chain_tvls,
            "mcap": None,
            "tokenBreakdowns": {},
        }
        if protocol.is_family:
            row |= {"parentProtocol": protocol.entity_id, "parentProtocolSlug": protocol.slug}
        return row

    def _supply_usd(self, coins: list[Stablecoin], peg: str, days: Days) -> Floats:
        parts = [
            np.nan_to_num(self._world.supply(coin, days) * self._world.stablecoin_price(coin, days))
            for coin in coins
            if coin.peg == peg
        ]
        return cents(total_by_day(parts))

    def _stock(self, days: Days, values: Floats, name: str) -> Response:
        stamps = self._closes(days)
        return json_answer([{"date": at, name: value} for at, value in zip(stamps, values.tolist(), strict=True)])

    def _closes(self, days: Days) -> list[int]:
        """Stamps of stocks: 00:00 UTC of the day after."""
        return self._opens(days + 1)

    def _opens(self, days: Days) -> list[int]:
        """Stamps of flows: 00:00 UTC of the day."""
        return [stamp // 1000 for stamp in np.asarray(self._served.milliseconds_at(days)).tolist()]

    def _now_seconds(self) -> int:
        return self._served.clock.milliseconds // 1000

    def _flow(self, request: Request) -> str | None:
        kind = request.path_params["kind"]
        asked = request.query_params.get("dataType", "dailyFees") if kind == "fees" else ""
        return _FLOWS.get((kind, asked))


async def _paid(request: Request) -> Response:
    return Response(PAID_TEXT, 402, media_type="text/plain")


def _refuse(message: str) -> Response:
    return json_answer({"message": message}, 400)


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
