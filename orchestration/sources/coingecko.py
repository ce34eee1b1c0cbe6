"""CoinGecko v3: universe, market caps, supplies, categories, metadata, and a year of daily prices.

Belongs here: its requests, paging, three error envelopes (also met under HTTP 200) and shapes.
Traps: a market_chart point at 00:00 UTC of day D is the close of D - 1 and the last point is "now"; a cap of 0 means
unknown; public plans see 365 days (error 10012 beyond); symbols collide, ids do not. Attribution is due.

Categories come from `coins/markets?category=`: some 25 categories of one or two pages cost 25-50 calls whatever the
number of coins, and give the stable category id. `coins/{id}` costs one call a coin (50 minutes for 250 coins at the
keyless pace) and gives display names; it is used only where a coin's metadata is wanted, its categories come for free.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.http import (
    AccessRestrictedError,
    HistoryRangeError,
    HttpClient,
    Query,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedBodyError,
)
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_instant,
    read_number,
    read_positive,
    read_text,
    read_unix,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://api.coingecko.com/api/v3"
DEMO_KEY_HEADER: Final = "x-cg-demo-api-key"
PRO_KEY_HEADER: Final = "x-cg-pro-api-key"

MARKETS: Final = find_dataset("coingecko", "markets")
MARKET_DAILY: Final = find_dataset("coingecko", "market_daily")
ASSETS: Final = find_dataset("coingecko", "assets")
ASSET_CATEGORIES: Final = find_dataset("coingecko", "asset_categories")

PAGE_SIZE: Final = 250
PUBLIC_HISTORY_DAYS: Final = 365
MIDNIGHT_TOLERANCE: Final = timedelta(minutes=15)
"""How long after 00:00 a sample still counts as the close; hourly ranges and 2018's history are some minutes late."""

STABLECOIN_CATEGORIES: Final = frozenset({"stablecoins", "usd-stablecoin", "eur-stablecoin", "fiat-backed-stablecoin"})
WRAPPED_CATEGORIES: Final = frozenset({"wrapped-tokens", "bridged-tokens", "tokenized-btc"})


class CoinGecko:
    """Requests to CoinGecko.

    Args:
        http: Shared client; give it about 12 s between requests without a key, 0.6 s with a demo key.
        base_url: Address up to `/api/v3`.
        api_key: Demo or paid key; it travels in a header, so no address holds it. The client's `secrets` need it too.
        key_header: `DEMO_KEY_HEADER`, or `PRO_KEY_HEADER` with the paid host.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        base_url: str = BASE_URL,
        api_key: str | None = None,
        key_header: str = DEMO_KEY_HEADER,
    ) -> None:
        """Keep client, address and key; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._headers = {key_header: api_key.strip()} if api_key and api_key.strip() else None

    def fetch_markets(self, *, now: datetime, max_coins: int = 1000, category: str | None = None) -> Fetched:
        """Fetch the largest coins by market cap, page by page until one is not full.

        Args:
            now: Instant of the request; `market_date` becomes the last finished day.
            max_coins: Coins wanted at most.
            category: Only coins of this category id.

        Returns:
            Rows of `coingecko/markets`.

        Raises:
            SourceError: See `http.py`.
        """
        pages = self._market_pages(category=category, max_coins=max_coins)
        return Fetched.join(MARKETS, [parse_markets(page, now=now) for page in pages])

    def fetch_market_daily(self, coin_id: str, *, symbol: str | None, start: date, end: date, now: datetime) -> Fetched:
        """Fetch daily closes of one coin.

        Within the public year it asks for `market_chart` with daily points; beyond, for `market_chart/range`.

        Args:
            coin_id: CoinGecko id.
            symbol: Ticker to note in the rows.
            start: First close wanted.
            end: Last close wanted.
            now: Instant of the request.

        Returns:
            Rows of `coingecko/market_daily`.

        Raises:
            HistoryRangeError: The plan gives no history as old as `start`.
            SourceError: See `http.py`.
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
        fetched = parse_market_chart(payload, coin_id=coin_id, symbol=symbol, now=now)
        wanted = fetched.frame.filter((fetched.frame["market_date"] >= start) & (fetched.frame["market_date"] <= end))
        return Fetched(MARKET_DAILY, wanted, fetched.rejected)

    def fetch_categories(self) -> dict[str, str]:
        """Fetch all category ids with their display names.

        Raises:
            SourceError: See `http.py`.
        """
        return parse_categories(self._get("/coins/categories/list", {}))

    def fetch_inactive(self, *, now: datetime) -> Fetched:
        """List the coins that are no longer traded; their charts stay readable. Public plans may refuse the list.

        Returns:
            Rows of `coingecko/assets` with id, ticker and name, the rest null.

        Raises:
            RequestRejectedError: The plan does not give the list.
            SourceError: See `http.py`.
        """
        return parse_inactive(self._get("/coins/list", {"include_platform": "false", "status": "inactive"}), now=now)

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
            SourceError: See `http.py`.
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

    def fetch_asset(self, coin_id: str, *, now: datetime) -> tuple[Fetched, Fetched]:
        """Fetch one coin's metadata.

        Returns:
            A row of `coingecko/assets`, and its rows of `coingecko/asset_categories`.

        Raises:
            SourceError: See `http.py`.
        """
        query: Query = {"localization": False, "tickers": False, "market_data": False, "community_data": False}
        more: Query = {"developer_data": False, "sparkline": False, "include_categories_details": True}
        return parse_asset(self._get(f"/coins/{coin_id}", {**query, **more}), now=now)

    def _market_pages(self, *, category: str | None, max_coins: int) -> list[list[Any]]:
        pages: list[list[Any]] = []
        for number in range(1, -(-max_coins // PAGE_SIZE) + 1):
            query: dict[str, str | int | float | bool] = {"vs_currency": "usd", "order": "market_cap_desc"}
            query |= {"per_page": PAGE_SIZE, "page": number, "sparkline": False}
            if category is not None:
                query["category"] = category
            page = _as_list(self._get("/coins/markets", query), what="coins/markets")
            pages.append(page[: max_coins - (number - 1) * PAGE_SIZE])
            if len(page) < PAGE_SIZE:
                break
        return pages

    def _get(self, path: str, query: Query) -> Any:
        try:
            url = f"{self._base_url}{path}"
            return self._http.get_json(url, params=query, headers=self._headers, check=refuse_error)
        except RequestRejectedError as error:
            if error.status == 403:  # its firewall; a wrong or missing key is 400 or 401
                raise AccessRestrictedError(f"{error}: this network is refused; use a key or another network") from None
            if error.payload is not None:
                refuse_error(error.payload, status=error.status)
            raise


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


def parse_markets(payload: Any, *, now: datetime) -> Fetched:
    """Turn a page of coins/markets into rows of the last finished day."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in _as_list(payload, what="coins/markets"):
        try:
            rows.append(_read_market(record, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
    return validate(MARKETS, rows, now=now, rejected=rejected)


def _read_market(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    observed_at = read_instant(record.get("last_updated"), column="last_updated")
    refuse_future(observed_at, now=now, column="last_updated")
    return {
        "coin_id": read_text(record.get("id")),
        "symbol": read_text(record.get("symbol")),
        "name": read_text(record.get("name")),
        "market_date": last_finished_day(now),
        "observed_at": observed_at,
        "price_usd": read_number(record.get("current_price"), column="current_price"),
        "market_cap_usd": read_positive(record.get("market_cap"), column="market_cap"),
        "volume_24h_usd": read_number(record.get("total_volume"), column="total_volume"),
        "circulating_supply_tokens": read_positive(record.get("circulating_supply"), column="circulating_supply"),
        "total_supply_tokens": read_positive(record.get("total_supply"), column="total_supply"),
        "max_supply_tokens": read_positive(record.get("max_supply"), column="max_supply"),
    }


def parse_market_chart(payload: Any, *, coin_id: str, symbol: str | None, now: datetime) -> Fetched:
    """Turn market_chart or market_chart/range into closes.

    Of each UTC day D the first sample within 15 minutes of 00:00 is the close of D - 1. Other samples are intraday and
    left out, and so is the last point where it is "now" instead of a sample at midnight.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("prices"), list):
        raise UnexpectedBodyError(f"coingecko: market_chart of {coin_id} holds no list `prices`: {str(payload)[:200]}")
    rejected: list[Rejected] = []
    market_caps = _values_by_time(payload.get("market_caps"))
    volumes = _values_by_time(payload.get("total_volumes"))
    samples_by_day: dict[date, list[tuple[timedelta, dict[str, Any]]]] = {}
    for position, point in enumerate(payload["prices"], start=1):
        try:
            taken_at, price = _read_point(point)
            refuse_future(taken_at, now=now, column="timestamp")
            midnight = taken_at.replace(hour=0, minute=0, second=0, microsecond=0)
            delay = taken_at - midnight
            is_now = position == len(payload["prices"]) and delay and midnight.date() == now.astimezone(UTC).date()
            if delay > MIDNIGHT_TOLERANCE or is_now:
                continue
            row = {
                "coin_id": coin_id,
                "symbol": symbol,
                "market_date": (midnight - timedelta(days=1)).date(),
                "price_usd": price,
                "market_cap_usd": read_positive(market_caps.get(point[0]), column="market_cap"),
                "volume_24h_usd": read_number(volumes.get(point[0]), column="total_volume"),
            }
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"coin_id": coin_id, "point": point}))
            continue
        samples_by_day.setdefault(midnight.date(), []).append((delay, row))
    rows = []
    for samples in samples_by_day.values():
        first = min(delay for delay, _ in samples)
        rows += [row for delay, row in samples if delay == first]
    return validate(MARKET_DAILY, rows, now=now, rejected=rejected)


def _read_point(point: Any) -> tuple[datetime, float | None]:
    if not isinstance(point, list) or len(point) != 2:
        raise UnreadableValueError("point is no pair of time and value")
    return read_unix(point[0], column="timestamp", per_second=1000), read_number(point[1], column="price")


def _values_by_time(points: Any) -> dict[Any, Any]:
    if not isinstance(points, list):
        return {}
    pairs = (point for point in points if isinstance(point, list) and len(point) == 2)
    return {time: value for time, value in pairs if isinstance(time, (int, float))}


def parse_inactive(payload: Any, *, now: datetime) -> Fetched:
    """Turn coins/list?status=inactive into rows of assets; a record without an id is refused."""
    rows, rejected = [], []
    for record in _as_list(payload, what="coins/list?status=inactive"):
        coin_id = read_text(record.get("id")) if isinstance(record, dict) else None
        if coin_id is None:
            rejected.append(Rejected.of("id is missing", record))
        else:
            rows.append(
                {"coin_id": coin_id, "symbol": read_text(record.get("symbol")), "name": read_text(record.get("name"))}
            )
    return validate(ASSETS, rows, now=now, rejected=rejected)


def parse_categories(payload: Any) -> dict[str, str]:
    """Read category names by id from coins/categories/list (`category_id`) or coins/categories (`id`)."""
    names: dict[str, str] = {}
    for record in _as_list(payload, what="coins/categories/list"):
        category_id = read_text(record.get("category_id", record.get("id"))) if isinstance(record, dict) else None
        name = read_text(record.get("name")) if category_id else None
        if category_id and name:
            names[category_id] = name
    return names


def parse_members(payload: Any, *, category_id: str, category_name: str, now: datetime) -> Fetched:
    """Turn a page of coins/markets?category= into memberships; prices are not looked at."""
    rows, rejected = [], []
    for record in _as_list(payload, what=f"coins/markets?category={category_id}"):
        coin_id = read_text(record.get("id")) if isinstance(record, dict) else None
        if coin_id is None:
            rejected.append(Rejected.of("id is missing", record))
        else:
            rows.append({"coin_id": coin_id, "category_id": category_id, "category_name": category_name})
    return validate(ASSET_CATEGORIES, rows, now=now, rejected=rejected)


def parse_asset(payload: Any, *, now: datetime) -> tuple[Fetched, Fetched]:
    """Turn coins/{id} into its metadata row and its memberships.

    The flags come from category ids; they stay null where the answer has no `categories_details`.
    """
    if not isinstance(payload, dict) or read_text(payload.get("id")) is None:
        raise UnexpectedBodyError(f"coingecko: coins/{{id}} holds no `id`: {str(payload)[:200]}")
    coin_id = read_text(payload["id"])
    details = payload.get("categories_details")
    pairs: list[tuple[str | None, str | None]]
    if isinstance(details, list):
        pairs = [(read_text(each.get("id")), read_text(each.get("name"))) for each in details if isinstance(each, dict)]
    else:
        pairs = [(None, read_text(name)) for name in payload.get("categories") or []]
    ids = {category_id for category_id, _ in pairs if category_id} if isinstance(details, list) else None
    links: Any = payload.get("links")
    links = links if isinstance(links, dict) else {}
    repositories = (links.get("repos_url") or {}).get("github") or []
    platform = read_text(payload.get("asset_platform_id"))
    row = {
        "coin_id": coin_id,
        "symbol": read_text(payload.get("symbol")),
        "name": read_text(payload.get("name")),
        "platform": platform,
        "genesis_date": _read_day(payload.get("genesis_date")),
        "homepage": next((text for text in map(read_text, links.get("homepage") or []) if text), None),
        "github_repos": json.dumps([text for text in map(read_text, repositories) if text]),
        "is_stablecoin": None if ids is None else bool(ids & STABLECOIN_CATEGORIES),
        "is_wrapped": None if ids is None else bool(ids & WRAPPED_CATEGORIES),
        "is_native": platform is None,
    }
    memberships = [
        {"coin_id": coin_id, "category_id": category_id, "category_name": name} for category_id, name in pairs if name
    ]
    return validate(ASSETS, [row], now=now), validate(ASSET_CATEGORIES, memberships, now=now)


def _read_day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None  # "null" and partial dates: a coin without a genesis date is common


def _as_list(payload: Any, *, what: str) -> list[Any]:
    if not isinstance(payload, list):
        raise UnexpectedBodyError(f"coingecko: {what} is no list: {str(payload)[:200]}")
    return payload
