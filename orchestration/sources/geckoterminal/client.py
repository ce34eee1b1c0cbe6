"""Requests to GeckoTerminal: addresses, paging, and its error bodies.

Belongs here: what is asked and how a refusal is told. Does not: shapes of answers (`pools.py`, `candles.py`, `holders.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedBodyError,
)
from orchestration.sources.geckoterminal.candles import PoolCandles, oldest_second, read_candles
from orchestration.sources.geckoterminal.holders import TOKEN_HOLDERS, parse_token_holders
from orchestration.sources.geckoterminal.pools import POOLS, parse_pools
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import Fetched, Rejected, last_finished_day, validate

BASE_URL: Final = "https://api.geckoterminal.com/api/v2"
VERSION_HEADER: Final = {"Accept": "application/json;version=20230302"}

NETWORKS: Final[Mapping[str, str]] = {
    "ethereum": "eth",
    "binance-smart-chain": "bsc",
    "solana": "solana",
    "base": "base",
    "arbitrum-one": "arbitrum",
    "polygon-pos": "polygon_pos",
    "optimistic-ethereum": "optimism",
    "sui": "sui-network",
    "the-open-network": "ton",
    "ronin": "ronin",
}
"""GeckoTerminal's name of a chain by CoinGecko's, for the chains whose holders it counts, the most used first."""

POOLS_A_PAGE: Final = 20
MOST_PAGES: Final = 10
MOST_ADDRESSES: Final = 30
MOST_CANDLES: Final = 1000

INCLUDED: Final = "base_token,quote_token,dex,network"


class GeckoTerminal:
    """Requests to GeckoTerminal.

    Args:
        http: Shared client; give it two seconds between requests.
        base_url: Address up to `/api/v2`.
    """

    def __init__(self, http: HttpClient, *, base_url: str = BASE_URL) -> None:
        """Keep client and address; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")

    def fetch_trending_pools(self, *, now: datetime, pages: int) -> Fetched:
        """Fetch the pools that trend on all chains.

        Args:
            now: Instant of the request; `market_date` becomes the last finished day.
            pages: Pages wanted at most, 20 pools each; the provider gives ten.

        Returns:
            Rows of `geckoterminal/pools`.

        Raises:
            SourceError: See `errors.py`.
        """
        return self._pool_pages("/networks/trending_pools", found_as="trending", now=now, pages=pages)

    def fetch_new_pools(self, *, now: datetime, pages: int) -> Fetched:
        """Fetch the newest pools of all chains, as `fetch_trending_pools` those that trend."""
        return self._pool_pages("/networks/new_pools", found_as="new", now=now, pages=pages)

    def fetch_pools(self, network: str, addresses: Sequence[str], *, now: datetime) -> Fetched:
        """Fetch the present state of some pools of a chain; unknown addresses are dropped silently.

        Returns:
            Rows of `geckoterminal/pools`.

        Raises:
            SourceError: See `errors.py`.
        """
        parts = []
        for first in range(0, len(addresses), MOST_ADDRESSES):
            path = f"/networks/{network}/pools/multi/{','.join(addresses[first : first + MOST_ADDRESSES])}"
            payload = self._get(path, {"include": INCLUDED})
            parts.append(parse_pools(payload, found_as="followed", now=now))
        return Fetched.join(POOLS, parts)

    def fetch_pool_candles(self, network: str, pool_address: str, *, start: date, now: datetime) -> PoolCandles:
        """Fetch daily candles of a pool from one day on, up to the last finished one.

        The provider gives the newest first and about half a year of them; days without a trade have no candle.

        Args:
            network: Chain, as GeckoTerminal names it.
            pool_address: Address of the pool.
            start: First day wanted.
            now: Instant of the request.

        Returns:
            Candles, to be joined with those of other pools (`join_candles`).

        Raises:
            SourceError: See `errors.py`.
        """
        path, pool_id = f"/networks/{network}/pools/{pool_address}/ohlcv/day", f"{network}_{pool_address}"
        limit = min(MOST_CANDLES, (now.astimezone(UTC).date() - start).days + 1)
        rows: list[Mapping[str, Any]] = []
        rejected: list[Rejected] = []
        query: Query = {"aggregate": 1, "limit": limit, "currency": "usd", "token": "base"}
        first_second = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
        before: int | None = None
        while True:
            payload = self._get(path, query if before is None else {**query, "before_timestamp": before})
            page = read_candles(payload, pool_id=pool_id, now=now)
            rows += [row for row in page.rows if row["market_date"] >= start]
            rejected += page.rejected
            oldest = oldest_second(payload)
            is_full = len(payload["data"]["attributes"]["ohlcv_list"]) >= limit
            if not is_full or oldest is None or oldest <= first_second:
                break
            if before is not None and oldest >= before:
                break  # the same page again
            before = oldest
        return PoolCandles(rows, tuple(rejected))

    def fetch_token_holders(self, network: str, token_address: str, *, now: datetime) -> Fetched:
        """Fetch how many hold a token, and how much the largest of them have.

        Returns:
            One row of `geckoterminal/token_holders`; all is null in it where GeckoTerminal does not know the token.

        Raises:
            SourceError: See `errors.py`.
        """
        try:
            payload = self._get(f"/networks/{network}/tokens/{token_address}/info", {})
        except RequestRejectedError as error:
            if error.status != 404:
                raise
            day = last_finished_day(now)
            row = {"network": network, "token_address": token_address, "market_date": day}
            return validate(TOKEN_HOLDERS, [row], now=now)
        return parse_token_holders(payload, network=network, token_address=token_address, now=now)

    def _pool_pages(self, path: str, *, found_as: str, now: datetime, pages: int) -> Fetched:
        parts = []
        for page in range(1, min(pages, MOST_PAGES) + 1):
            payload = self._get(path, {"page": page, "include": INCLUDED})
            parts.append(parse_pools(payload, found_as=found_as, now=now))
            if len(payload["data"]) < POOLS_A_PAGE:
                break
        return Fetched.join(POOLS, parts)

    def _get(self, path: str, query: Query) -> Any:
        try:
            url = f"{self._base_url}{path}"
            return self._http.get_json(url, params=query, headers=VERSION_HEADER, check=refuse_error)
        except RequestRejectedError as error:
            if error.status == 403:  # there are no keys and no plans: it is this network that is refused
                raise AccessRestrictedError(f"{error}: this network is refused; use another network") from None
            if error.payload is not None:
                refuse_error(error.payload, status=error.status)
            raise


def refuse_error(payload: Any, *, status: int = 200) -> None:
    """Raise for an answer without `data`, whatever the HTTP status was.

    Errors are `{"errors": [{"status": "404", "title": "Not Found"}]}`, or CoinGecko's `{"status": {"error_code": 429}}`.

    Raises:
        RateLimitedError: Code 429.
        RequestRejectedError: Any other error.
        UnexpectedBodyError: It is neither data nor an error.
    """
    if isinstance(payload, dict) and "data" in payload:
        return
    errors = payload.get("errors") if isinstance(payload, dict) else None
    detail = payload.get("status") if isinstance(payload, dict) else None
    if isinstance(errors, list) and errors:
        first = errors[0] if isinstance(errors[0], dict) else {}
        code, said = first.get("status", status), str(first.get("detail") or first.get("title") or errors[0])
    elif isinstance(detail, dict):
        code, said = detail.get("error_code", status), str(detail.get("error_message", ""))
    else:
        raise UnexpectedBodyError(f"geckoterminal: answer holds neither data nor errors: {str(payload)[:200]}")
    message = f"geckoterminal: error {code} (HTTP {status}): {said[:300]}"
    if str(code) == "429":
        raise RateLimitedError(message)
    final = int(code) if status == 200 and str(code).isdigit() else status
    raise RequestRejectedError(f"{message}; check network and address", status=final, payload=payload)
