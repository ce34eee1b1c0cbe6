"""Records what the sandbox answers to every target, shortened: `python -m tests.fuzz.record`.

Belongs here: which things are asked about, and cutting answers down to some records. Does not: the conversations (`wire.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from typing import Any

import httpx

from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.sources.defillama import protocols, stablecoins, unlocks
from orchestration.sources.defillama.wire import Host
from orchestration.sources.exchanges.client import VenueSettings, open_client
from orchestration.sources.exchanges.markets import fetch_markets
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.geckoterminal.client import GeckoTerminal
from orchestration.sources.http import HttpClient
from tests.fuzz.wire import NOW, RECORDED, VENUE_WIRE, WIRE, Exchange, places

MOST_RECORDS = 4
MOST_NAMES = 40


def shortened(value: Any) -> Any:
    """The first records of every list, and of every table with many names."""
    if isinstance(value, list):
        return [shortened(part) for part in (value if len(value) <= MOST_RECORDS else [*value[:2], *value[-2:]])]
    if isinstance(value, dict):
        names = list(value) if len(value) <= MOST_NAMES else list(value)[:MOST_RECORDS]
        return {name: shortened(value[name]) for name in names}
    return value


def shortened_body(text: str) -> str:
    """The same of a body: JSON, a feed, or lines."""
    try:
        return json.dumps(shortened(json.loads(text)))
    except ValueError:
        items = re.findall(r"<item>.*?</item>", text, flags=re.DOTALL)
        for item in items[MOST_RECORDS:]:
            text = text.replace(item, "", 1)
        lines = text.split("\n")
        return "\n".join(lines if len(lines) <= 12 or items else [*lines[:6], *lines[-6:]])


class Recorder(httpx.BaseTransport):
    """Passes requests on and keeps what came."""

    def __init__(self, kept: list[Exchange]) -> None:
        self._kept, self._network = kept, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._network.handle_request(request)
        body = shortened_body(response.read().decode())
        _host, _, path = request.url.path.lstrip("/").partition("/")
        self._kept.append(Exchange(f"/{path}", body))
        return httpx.Response(response.status_code, content=body.encode(), headers={"content-type": "application/json"})


def find_places(sandbox: RunningSandbox) -> dict[str, Any]:
    """Things that the sandbox knows."""
    market = sandbox.url_for
    with HttpClient() as http:
        pool = GeckoTerminal(http, base_url=market("api.geckoterminal.com/api/v2")).fetch_trending_pools(
            now=NOW, pages=1
        )
        first = pool.frame.row(0, named=True)
        listed = protocols.fetch_protocols(Host(http, market("api.llama.fi")), coins={}, now=NOW).fetched.frame
        single = listed.filter(~listed["protocol_id"].str.starts_with("parent#")).row(0, named=True)
        coins = http.get_json(market("api.coingecko.com/api/v3/coins/markets"), params={"vs_currency": "usd"})
        linked = [
            (link, document)
            for coin in coins[:40]
            for document in [http.get_json(market(f"api.coingecko.com/api/v3/coins/{coin['id']}"))["links"]]
            for link in document["repos_url"]["github"]
        ]
        named = [document["subreddit_url"] for _, document in linked if document.get("subreddit_url")]
        supplies = stablecoins.fetch_stablecoins(Host(http, market("stablecoins.llama.fi")), now=NOW).frame
        return {
            "coin": coins[0]["id"],
            "pool": [first["network"], first["pool_address"]],
            "token": [first["network"], first["base_token_address"]],
            "slug": single["slug"],
            "protocol": single["protocol_id"],
            "chain": "Ethereum",
            "stablecoin": supplies["stablecoin_id"][0],
            "unlock": unlocks.fetch_slugs(Host(http, market("defillama-datasets.llama.fi")))[0],
            "repository": "/".join(linked[0][0].split("/")[-2:]),
            "subreddit": named[0].rstrip("/").split("/")[-1] if named else "bitcoin",
            "markets": {name: asyncio.run(_markets(sandbox, name)) for name in VENUES},
        }


async def _markets(sandbox: RunningSandbox, name: str) -> list[dict[str, Any]]:
    client = open_client(VENUES[name], VenueSettings(prefix=sandbox.base_url))
    try:
        return [asdict(market) for market in (await fetch_markets(client))[:2]]
    finally:
        await client.close()


async def _record_venue(sandbox: RunningSandbox, target: str) -> list[Exchange]:
    """The conversation with a venue; ccxt's session is asked to keep what came."""
    name, talk = VENUE_WIRE[target]
    kept: list[Exchange] = []
    client = open_client(VENUES[name], VenueSettings(prefix=sandbox.base_url))
    client.client.milliseconds = lambda: int(NOW.timestamp() * 1000)
    answer = client.client.on_rest_response

    def on_rest_response(code: int, reason: str, url: str, method: str, headers: Any, body: str, *request: Any) -> str:
        short = shortened_body(body)
        path = httpx.URL(url).path.lstrip("/").partition("/")[2]
        kept.append(Exchange(f"/{path}", short))
        return str(answer(code, reason, url, method, headers, short, *request))

    client.client.on_rest_response = on_rest_response
    try:
        await talk(client)
    finally:
        await client.close()
    return kept


def main() -> None:
    """Write all records anew."""
    RECORDED.mkdir(exist_ok=True)
    market = simulate_market(SimulationSettings(tokens=130))
    with running_sandbox(market, NOW) as sandbox:
        (RECORDED / "places.json").write_text(json.dumps(find_places(sandbox), indent=1) + "\n")
        places.cache_clear()
        for target, talk in WIRE.items():
            kept: list[Exchange] = []
            with HttpClient(transport=Recorder(kept)) as http:
                talk(http, sandbox.url_for)
            _write(target, kept)
        for target in VENUE_WIRE:
            _write(target, asyncio.run(_record_venue(sandbox, target)))


def _write(target: str, kept: list[Exchange]) -> None:
    content = json.dumps([asdict(each) for each in kept], indent=1, ensure_ascii=False)
    (RECORDED / f"{target}.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
