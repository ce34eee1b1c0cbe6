"""Requests to CoinGecko: addresses, paging, keys, and its three error envelopes.

Belongs here: what is asked and how a refusal is told. Does not: shapes of answers (`lists.py`, `charts.py`, `coins.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from orchestration.sources.coingecko.charts import MIDNIGHT_TOLERANCE, Chart, join_charts, read_chart
from orchestration.sources.coingecko.coins import CoinDocument
from orchestration.sources.coingecko.lists import (
    ASSET_CATEGORIES,
    MARKETS,
    as_list,
    parse_categories,
    parse_category_daily,
    parse_coin_list,
    parse_contracts,
    parse_global_daily,
    parse_markets,
    parse_members,
)
from orchestration.sources.errors import (
    AccessRestrictedError,
    HistoryRangeError,
    RateLimitedError,
    RequestRejectedError,
)
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import Fetched, Rejected

BASE_URL: Final = "https://api.coingecko.com/api/v3"
DEMO_KEY_HEADER: Final = "x-cg-demo-api-key"
PRO_KEY_HEADER: Final = "x-cg-pro-api-key"
PRO_HOST: Final = "pro-api.coingecko.com"

PAGE_SIZE: Final = 250
PUBLIC_HISTORY_DAYS: Final = 365


class CoinGecko:
    """Requests to CoinGecko.

    Args:
        http: Shared client; give it about 12 s between requests without a key, 0.6 s with a demo key.
        base_url: Address up to `/api/v3`.
        api_key: Demo or paid key; it travels in a header, so no address holds it. The client's `secrets` need it too.
        key_header: Header of the key; by default the one that goes with the host of `base_url`.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        base_url: str = BASE_URL,
        api_key: str | None = None,
        key_header: str | None = None,
    ) -> None:
        """Keep client, address and key; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        header = key_header or (PRO_KEY_HEADER if PRO_HOST in base_url else DEMO_KEY_HEADER)
        self._headers = {header: api_key.strip()} if api_key and api_key.strip() else None

    def fetch_markets(self, *, now: datetime, max_coins: int = 1000, category: str | None = None) -> Fetched:
        """Fetch the largest coins by market cap, page by page until one is not full.

        Args:
            now: Instant of the request; `market_date` becomes the last finished day.
            max_coins: Coins wanted at most.
            category: Only coins of this category id.

        Returns:
            Rows of `coingecko/markets`.

        Raises:
            SourceError: See `errors.py`.
        """
        pages = self._market_pages(category=category, max_coins=max_coins)
        return Fetched.join(MARKETS, [parse_markets(page, now=now) for page in pages])

    def fetch_market_daily(self, coin_id: str, *, symbol: str | None, start: date, end: date, now: datetime) -> Fetched:
        """Fetch daily closes of one coin, see `fetch_chart`.

        Returns:
            Rows of `coingecko/market_daily`.
        """
        return join_charts([self.fetch_chart(coin_id, symbol=symbol, start=start, end=end, now=now)], now=now)

    def fetch_chart(self, coin_id: str, *, symbol: str | None, start: date, end: date, now: datetime) -> Chart:
        """Fetch daily closes of one coin, to be joined with those of others.

        Within the public year it asks for `market_chart` with daily points; beyond, for `market_chart/range`.

        Args:
            coin_id: CoinGecko id.
            symbol: Ticker to note in the rows.
            start: First close wanted.
            end: Last close wanted.
            now: Instant of the request.

        Raises:
            HistoryRangeError: The plan gives no history as old as `start`; `oldest_public_day` is the first it gives.
            SourceError: See `errors.py`.
        """
        age_days = (now.astimezone(UTC).date() - start).days
        query: Query
        if age_days <= PUBLIC_HISTORY_DAYS:
            path = f"/coins/{coin_id}/market_chart"
            query = {"vs_currency": "usd", "days": min(age_days + 1, PUBLIC_HISTORY_DAYS), "interval": "daily"}
        else:
            path = f"/coins/{coin_id}/market_chart/range"
            first = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=1)
            last = datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(days=1) + MIDNIGHT_TOLERANCE
            query = {"vs_currency": "usd", "from": int(first.timestamp()), "to": int(last.timestamp())}
        payload = self._get(path, query)
        return read_chart(payload, coin_id=coin_id, symbol=symbol, now=now).within(start, end)

    def fetch_categories(self) -> dict[str, str]:
        """Fetch all category ids with their display names.

        Raises:
            SourceError: See `errors.py`.
        """
        return parse_categories(self._get("/coins/categories/list", {}))

    def fetch_category_daily(self, *, now: datetime) -> Fetched:
        """Fetch the totals of all categories, in one request.

        Returns:
            Rows of `coingecko/category_daily`.

        Raises:
            SourceError: See `errors.py`.
        """
        return parse_category_daily(self._get("/coins/categories", {"order": "market_cap_desc"}), now=now)

    def fetch_global_daily(self, *, now: datetime) -> Fetched:
        """Fetch the totals of the whole market.

        Returns:
            One row of `coingecko/global_daily`.

        Raises:
            SourceError: See `errors.py`.
        """
        return parse_global_daily(self._get("/global", {}), now=now)

    def fetch_coin_list(self, *, now: datetime) -> tuple[Fetched, Fetched]:
        """Fetch names and contracts of all coins that trade, some 17,000, in one request.

        Returns:
            Rows of `coingecko/assets` with id, ticker and name, the rest null; rows of `coingecko/contracts`.

        Raises:
            SourceError: See `errors.py`.
        """
        payload = self._get("/coins/list", {"include_platform": "true", "status": "active"})
        return parse_coin_list(payload, now=now), parse_contracts(payload, now=now)

    def fetch_inactive(self, *, now: datetime) -> Fetched:
        """List the coins that are no longer traded; their charts stay readable. Public plans may refuse the list.

        Returns:
            Rows of `coingecko/assets` with id, ticker and name, the rest null.

        Raises:
            RequestRejectedError: The plan does not give the list.
            SourceError: See `errors.py`.
        """
        return parse_coin_list(self._get("/coins/list", {"include_platform": "false", "status": "inactive"}), now=now)

    def fetch_asset_categories(
        self, category_ids: Sequence[str], *, names: Mapping[str, str], now: datetime, max_coins: int = 1000
    ) -> Fetched:
        """Fetch the members of some categories.

        Args:
            category_ids: Categories wanted.
            names: All categories, as `fetch_categories` gives them. A wanted id that is not among them (CoinGecko
                renames them) is refused with that reason, and costs no request.
            now: Instant of the request.
            max_coins: Members wanted of each category, the largest first.

        Returns:
            Rows of `coingecko/asset_categories`.

        Raises:
            SourceError: See `errors.py`.
        """
        parts = []
        for category_id in category_ids:
            if category_id not in names:
                absent = Rejected.of("category is not in coins/categories/list", {"category_id": category_id})
                parts.append(Fetched(ASSET_CATEGORIES, ASSET_CATEGORIES.empty(), (absent,)))
                continue
            for page in self._market_pages(category=category_id, max_coins=max_coins):
                parts.append(parse_members(page, category_id=category_id, category_name=names[category_id], now=now))
        return Fetched.join(ASSET_CATEGORIES, parts)

    def fetch_coin(self, coin_id: str) -> CoinDocument:
        """Fetch one coin's metadata, community, developers, votes and links; prices and tickers are left out.

        Raises:
            SourceError: See `errors.py`.
        """
        query: Query = {"localization": False, "tickers": False, "market_data": False, "sparkline": False}
        more: Query = {"community_data": True, "developer_data": True, "include_categories_details": True}
        return CoinDocument.of(self._get(f"/coins/{coin_id}", {**query, **more}))

    def _market_pages(self, *, category: str | None, max_coins: int) -> list[list[Any]]:
        pages: list[list[Any]] = []
        for number in range(1, -(-max_coins // PAGE_SIZE) + 1):
            query: dict[str, str | int | float | bool] = {"vs_currency": "usd", "order": "market_cap_desc"}
            query |= {"per_page": PAGE_SIZE, "page": number, "sparkline": False}
            if category is not None:
                query["category"] = category
            page = as_list(self._get("/coins/markets", query), what="coins/markets")
            pages.append(page[: max_coins - (number - 1) * PAGE_SIZE])
            if len(page) < PAGE_SIZE:
                break
        return pages

    def _get(self, path: str, query: Query) -> Any:
        try:
            url = f"{self._base_url}{path}"
            return self._http.get_json(url, params=query, headers=self._headers, check=refuse_error)
        except RequestRejectedError as error:
            if error.status == 403 and not _is_about_plan(error.payload):  # its firewall, which knows no such code
                raise AccessRestrictedError(f"{error}: this network is refused; use a key or another network") from None
            if error.payload is not None:
                refuse_error(error.payload, status=error.status)
            raise


def oldest_public_day(now: datetime) -> date:
    """First close that a plan without a long history gives."""
    return now.astimezone(UTC).date() - timedelta(days=PUBLIC_HISTORY_DAYS)


def _is_about_plan(payload: Any) -> bool:
    """Whether an answer has one of the codes about keys and plans, 10002 to 10012."""
    envelope = payload.get("error", payload) if isinstance(payload, dict) else None
    detail = envelope.get("status") if isinstance(envelope, dict) else None
    return isinstance(detail, dict) and str(detail.get("error_code", "")).startswith("100")


def refuse_error(payload: Any, *, status: int = 200) -> None:
    """Raise for any of the three error envelopes, whatever the HTTP status was.

    `{"status": {"error_code": .., "error_message": ..}}`, the same inside `{"error": ..}`, and `{"error": "text"}`.

    Raises:
        RateLimitedError: Code 429.
        HistoryRangeError: Code 10012.
        RequestRejectedError: Any other error.
    """
    if not isinstance(payload, dict):
        return
    error = payload.get("error")
    envelope = error if isinstance(error, dict) else payload
    detail = envelope.get("status")
    if isinstance(detail, dict) and detail.get("error_code"):
        code, said = detail["error_code"], str(detail.get("error_message", ""))[:300]
    elif isinstance(error, str):
        code, said = status, error[:300]
    else:
        return
    message = f"coingecko: error {code} (HTTP {status}): {said}"
    if str(code) == "429":
        raise RateLimitedError(message)
    if str(code) == "10012":
        hint = f"ask for the last {PUBLIC_HISTORY_DAYS} days, import older history from an archive, or use a paid key"
        raise HistoryRangeError(f"{message}; {hint}", status=status, payload=payload)
    raise RequestRejectedError(f"{message}; check id, key and host", status=status, payload=payload)
