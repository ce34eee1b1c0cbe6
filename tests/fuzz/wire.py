"""Adapters on answers that were recorded from the sandbox and damaged: what an adapter asks, and who answers.

Belongs here: one conversation a target (`WIRE`, `VENUE_WIRE`), recording, and answering from a record.
Does not: the damage (`mutation.py`), what must hold (`judgement.py`), files that users write (`files.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from models_ml.orders.market_rules import read_market_rules
from orchestration.sources import alternative_me, fred, gdelt, rss
from orchestration.sources.coingecko import CoinGecko, parse_coins
from orchestration.sources.coinmetrics import CoinMetrics
from orchestration.sources.defillama import chains, metrics, protocols, stablecoins, unlocks, yields
from orchestration.sources.defillama.wire import Host
from orchestration.sources.exchanges import candles, derivatives, markets, order_rules, quotes
from orchestration.sources.exchanges.client import VenueClient, VenueSettings, open_client
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.geckoterminal.candles import join_candles
from orchestration.sources.geckoterminal.client import GeckoTerminal
from orchestration.sources.github import GitHub
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.reddit import Reddit

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
LAST = date(2025, 1, 5)
START = date(2024, 12, 28)
RECORDED = Path(__file__).with_name("recorded")
MOST_REQUESTS = 60
"""In one conversation; a damaged answer must not send an adapter round in circles."""

ONCE = HttpLimits(
    attempts=1,
    failures_to_open=10_000,
    first_pause_seconds=0.0,
    rate_limited_pause_seconds=0.0,
    longest_pause_seconds=0.0,
)
Base = Callable[[str], str]


class EndlessError(AssertionError):
    """An adapter goes on asking."""


@dataclass(frozen=True)
class Exchange:
    """One answer of a conversation: the path asked for and what came."""

    path: str
    body: str


def _gecko(http: HttpClient, base: Base) -> CoinGecko:
    return CoinGecko(http, base_url=base("api.coingecko.com/api/v3"))


def _terminal(http: HttpClient, base: Base) -> GeckoTerminal:
    return GeckoTerminal(http, base_url=base("api.geckoterminal.com/api/v2"))


def _llama(http: HttpClient, base: Base, host: str = "api.llama.fi") -> Host:
    return Host(http, base(host))


def _coinmetrics(http: HttpClient, base: Base) -> Any:
    source = CoinMetrics(http, base_url=base("community-api.coinmetrics.io/v4"))
    return source.fetch_asset_metrics(source.fetch_catalogue(["btc"]), start=START, end=LAST, now=NOW)


def _github(http: HttpClient, base: Base) -> Any:
    source = GitHub(http, base_url=base("api.github.com"), retry_pause_seconds=0.0, sleep=lambda _: None)
    return source.fetch({places()["repository"]: "a-coin"}, starts={}, now=NOW, asking=OneByOne())


def _reddit(http: HttpClient, base: Base) -> Any:
    source = Reddit(
        http,
        key="a-key",
        secret="a-secret",  # noqa: S106 - nobody's
        base_url=base("oauth.reddit.com"),
        token_url=base("www.reddit.com/api/v1/access_token"),
    )
    return source.fetch_subreddit(places()["subreddit"], coin_id="bitcoin", now=NOW)


def _flows(http: HttpClient, base: Base) -> Any:
    host = _llama(http, base)
    listed = protocols.fetch_protocols(host, coins={}, now=NOW)
    return [metrics.fetch_overview(host, flow, family_of=listed.family_of, now=NOW) for flow in metrics.FLOWS[:1]]


@cache
def places() -> dict[str, Any]:
    """What the sandbox was asked about while it was recorded."""
    found: dict[str, Any] = json.loads((RECORDED / "places.json").read_text(encoding="utf-8"))
    return found


WIRE: Mapping[str, Callable[[HttpClient, Base], Any]] = {
    "alternative_me": lambda http, base: alternative_me.fetch_fear_greed(
        http, now=NOW, base_url=base("api.alternative.me")
    ),
    "coingecko_markets": lambda http, base: _gecko(http, base).fetch_markets(now=NOW, max_coins=5),
    "coingecko_chart": lambda http, base: _gecko(http, base).fetch_market_daily(
        places()["coin"], symbol="abc", start=START, end=LAST, now=NOW
    ),
    "coingecko_coin": lambda http, base: parse_coins([_gecko(http, base).fetch_coin(places()["coin"])], now=NOW),
    "coingecko_coin_list": lambda http, base: _gecko(http, base).fetch_coin_list(now=NOW),
    "coingecko_category_daily": lambda http, base: _gecko(http, base).fetch_category_daily(now=NOW),
    "coingecko_global": lambda http, base: _gecko(http, base).fetch_global_daily(now=NOW),
    "coingecko_members": lambda http, base: _members(_gecko(http, base)),
    "coinmetrics": _coinmetrics,
    "fred": lambda http, base: fred.fetch_series(
        http, "DGS10", start=START, now=NOW, base_url=base("fred.stlouisfed.org")
    ),
    "gdelt": lambda http, base: gdelt.fetch_tone(
        http, "bitcoin", start=START, end=LAST, now=NOW, base_url=base("api.gdeltproject.org/api/v2")
    ),
    "rss": lambda http, base: rss.fetch_feed(
        http, "coindesk", base("www.coindesk.com/arc/outboundfeeds/rss/"), now=NOW
    ),
    "reddit": _reddit,
    "github": _github,
    "geckoterminal_pools": lambda http, base: _terminal(http, base).fetch_trending_pools(now=NOW, pages=2),
    "geckoterminal_candles": lambda http, base: join_candles(
        [_terminal(http, base).fetch_pool_candles(*places()["pool"], start=START, now=NOW)], now=NOW
    ),
    "geckoterminal_holders": lambda http, base: _terminal(http, base).fetch_token_holders(*places()["token"], now=NOW),
    "defillama_protocols": lambda http, base: protocols.fetch_protocols(_llama(http, base), coins={}, now=NOW),
    "defillama_flows": _flows,
    "defillama_tvl_history": lambda http, base: metrics.fetch_tvl_history(
        _llama(http, base), places()["slug"], protocol_id=places()["protocol"], now=NOW
    ),
    "defillama_flow_history": lambda http, base: metrics.fetch_flow_history(
        _llama(http, base), metrics.FLOWS[0], places()["slug"], protocol_id=places()["protocol"], now=NOW
    ),
    "defillama_chains": lambda http, base: chains.fetch_chains(_llama(http, base)),
    "defillama_chain_tvl": lambda http, base: chains.fetch_chain_tvl(
        _llama(http, base), places()["chain"], coin_id="a-coin", now=NOW
    ),
    "defillama_stablecoins": lambda http, base: stablecoins.fetch_stablecoins(
        _llama(http, base, "stablecoins.llama.fi"), now=NOW
    ),
    "defillama_supply_history": lambda http, base: stablecoins.fetch_supply_history(
        _llama(http, base, "stablecoins.llama.fi"), now=NOW, stablecoin_id=places()["stablecoin"]
    ),
    "defillama_yields": lambda http, base: yields.fetch_yields(_llama(http, base, "yields.llama.fi"), now=NOW),
    "defillama_unlock_index": lambda http, base: unlocks.fetch_index(
        _llama(http, base, "defillama-datasets.llama.fi"), now=NOW
    ),
    "defillama_unlock_file": lambda http, base: unlocks.fetch_schedule(
        _llama(http, base, "defillama-datasets.llama.fi"), places()["unlock"], now=NOW
    ),
}


def _members(source: CoinGecko) -> Any:
    names = source.fetch_categories()
    return source.fetch_asset_categories(list(names)[:1], names=names, now=NOW, max_coins=5)


async def _candles(client: VenueClient) -> Any:
    followed = [markets.Market(**each) for each in places()["markets"][client.venue.name]]
    rounds = candles.fetch_candles(client, followed, starts={}, default_start=START, last=LAST, now=NOW)
    return [batch.fetched async for batch in rounds]


async def _quotes(client: VenueClient) -> Any:
    listed = await markets.fetch_market_list(client)
    tickers = await quotes.fetch_tickers(client, listed.markets, now=NOW)
    books = await quotes.fetch_order_books(client, listed.markets[:1], now=NOW)
    state = await order_rules.fetch_venue_state(client, now=NOW)
    rules = read_market_rules(state.markets, quote="USDT", precision_mode=state.precision_mode)
    return [tickers, books.fetched, rules, state.quotes]


async def _derivatives(client: VenueClient) -> Any:
    listed = await derivatives.fetch_perpetuals(client, now=NOW)
    some = listed.found[:2]
    span = {"starts": {}, "last": LAST, "now": NOW}
    funding = await derivatives.fetch_funding(client, some, default_start=START, **span)
    history = await derivatives.fetch_open_interest_history(client, some, **span)
    return [funding.fetched, history.fetched, await derivatives.fetch_open_interest_now(client, some, now=NOW)]


WITH_PERPETUALS = ("binance", "okx", "kucoin", "gate")
VENUE_WIRE: Mapping[str, tuple[str, Callable[[VenueClient], Awaitable[Any]]]] = {
    **{f"{name}_candles": (name, _candles) for name in VENUES},
    **{f"{name}_quotes": (name, _quotes) for name in VENUES},
    **{f"{name}_derivatives": (name, _derivatives) for name in WITH_PERPETUALS},
}


@cache
def recorded(target: str) -> tuple[Exchange, ...]:
    """The conversation of a target as it was recorded."""
    content = json.loads((RECORDED / f"{target}.json").read_text(encoding="utf-8"))
    return tuple(Exchange(**each) for each in content)


def shape_of(path: str) -> str:
    """A path without what differs between two requests of a kind: numbers and addresses."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", path.partition("?")[0])


class Answers:
    """Answers a conversation from its record: of the answers to a path the next one, else the next of all.

    Args:
        exchanges: The record, damaged or not.
    """

    def __init__(self, exchanges: list[tuple[str, bytes]]) -> None:
        self._bodies: dict[str, list[bytes]] = {}
        for path, body in exchanges:
            self._bodies.setdefault(shape_of(path), []).append(body)
        self._all = [body for _, body in exchanges]
        self._asked = 0

    def to(self, path: str) -> bytes:
        """The body for a request.

        Raises:
            EndlessError: There were too many.
        """
        self._asked += 1
        if self._asked > MOST_REQUESTS:
            raise EndlessError(f"more than {MOST_REQUESTS} requests")
        known = self._bodies.get(shape_of(path), self._all)
        return known.pop(0) if len(known) > 1 else known[0]


def converse(target: str, exchanges: list[tuple[str, bytes]]) -> Any:
    """Hold the conversation of a target with the given answers; gives what the adapter made of them."""
    answers = Answers(exchanges)
    if target in WIRE:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, content=answers.to(request.url.path)))
        with HttpClient(limits=ONCE, transport=transport) as http:
            return WIRE[target](http, lambda host: f"https://{host}")
    name, talk = VENUE_WIRE[target]

    async def run() -> Any:
        client = open_client(VENUES[name], VenueSettings(limits=ONCE))
        client.client.own_session, client.client.session, client.client.verify = False, FakeSession(answers), False
        client.client.milliseconds = lambda: int(NOW.timestamp() * 1000)
        try:
            return await talk(client)
        finally:
            await client.close()

    return asyncio.run(run())


class FakeSession:
    """What ccxt needs of aiohttp: answers without a network."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.headers: dict[str, str] = {}

    def get(self, url: Any, **_options: Any) -> FakeResponse:
        return FakeResponse(self._answers.to(url.path))

    post = get


class FakeResponse:
    """One answer with status 200."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status, self.reason = 200, "OK"
        self.headers = {"Content-Type": "application/json"}
        self.content = body

    async def __aenter__(self) -> FakeResponse:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None

    async def text(self, errors: str = "strict") -> str:
        return self._body.decode("utf-8", errors)
