"""Coin Metrics Community v4: daily on-chain and market metrics of the larger tokens.

Belongs here: its catalogue, paging and shapes.
Traps: pages walk backwards unless `paging_from=start`; one forbidden metric fails the whole request unless
`ignore_forbidden_errors`; all values are text; times have nine digits of a second; `next_page_url` names the
vendor's host, so only its query is used and put on our base URL. Data are CC BY-NC 4.0: non-commercial, attribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import httpx

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import RequestRejectedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_instant,
    read_number,
    read_text,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://community-api.coinmetrics.io/v4"
ASSET_METRICS: Final = find_dataset("coinmetrics", "asset_metrics")
FEED: Final = "community"
PAGE_SIZE: Final = 10_000
MOST_PAGES: Final = 10_000
LONGEST_LIST: Final = 3_000
"""Characters that tokens and metrics may take in an address; the server gives 414 from about 5,000 on."""


class CoinMetrics:
    """Requests to the community API.

    Args:
        http: Shared client; the documented limit is 10 requests in 6 s, so give it 0.6 s between requests.
        base_url: Address up to `/v4`.
    """

    def __init__(self, http: HttpClient, *, base_url: str = BASE_URL) -> None:
        """Keep client and address; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")

    def fetch_catalogue(self, assets: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Ask which daily metrics the community may read.

        Args:
            assets: Coin Metrics tickers, lower case; one unknown ticker fails the request. None asks for all there are.

        Returns:
            Metrics by token, both sorted; a token without any is absent.

        Raises:
            SourceError: See `errors.py`.
        """
        catalogue: dict[str, tuple[str, ...]] = {}
        queries = [{}] if assets is None else [{"assets": ",".join(batch)} for batch in _batches(assets)]
        for query in queries:
            for payload in self._pages("/catalog-v2/asset-metrics", {**query, "page_size": PAGE_SIZE}):
                catalogue.update(parse_catalogue(payload))
        return dict(sorted(catalogue.items()))

    def fetch_asset_metrics(
        self, metrics_by_asset: Mapping[str, Iterable[str]], *, start: date, end: date, now: datetime
    ) -> Fetched:
        """Fetch daily values of the given days.

        Args:
            metrics_by_asset: Metrics per token, as `fetch_catalogue` gives them. Equal metrics share requests.
            start: First day wanted.
            end: Last day wanted.
            now: Instant of the request; days not ended by then are left out.

        Returns:
            Rows of `coinmetrics/asset_metrics` with feed `community`, provisional ones with status `flash`.

        Raises:
            SourceError: See `errors.py`.
        """
        assets_by_metrics: dict[tuple[str, ...], list[str]] = {}
        for asset, metrics in sorted(metrics_by_asset.items()):
            assets_by_metrics.setdefault(tuple(sorted(metrics)), []).append(asset)
        parts = []
        for metrics, assets in assets_by_metrics.items():
            for metric_batch in _batches(metrics):
                for asset_batch in _batches(assets):
                    params = _timeseries_query(asset_batch, metric_batch, start=start, end=end)
                    for payload in self._pages("/timeseries/asset-metrics", params):
                        parts.append(parse_asset_metrics(payload, metrics=metric_batch, now=now))
        return Fetched.join(ASSET_METRICS, parts)

    def _pages(self, path: str, params: Mapping[str, str | int | bool]) -> Iterator[Any]:
        """Follow `next_page_url` on our own base URL until it is absent."""
        url = f"{self._base_url}{path}"
        query: Mapping[str, str | int | bool] = params
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            payload = self._get(url, query)
            yield payload
            following = payload.get("next_page_url")
            if not following:
                return
            if not isinstance(following, str):
                raise UnexpectedBodyError(f"coinmetrics: next_page_url of {path} is {following!r:.40}, no address")
            if following in seen:
                raise UnexpectedBodyError(f"coinmetrics: paging of {path} goes in circles; nothing of it was landed")
            seen.add(following)
            query = dict(httpx.URL(following).params)
        raise UnexpectedBodyError(f"coinmetrics: {path} has more than {MOST_PAGES} pages; ask for fewer days")

    def _get(self, url: str, params: Mapping[str, str | int | bool]) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = self._http.get_json(url, params=params, check=refuse_error)
        except RequestRejectedError as error:
            said = _error_text(error.payload)
            if said is None:
                raise
            raise RequestRejectedError(
                f"coinmetrics: HTTP {error.status}: {said}; compare tokens and metrics with the catalogue",
                status=error.status,
                payload=error.payload,
            ) from None
        return payload


def refuse_error(payload: Any) -> None:
    """Raise for an answer without a list `data`.

    Raises:
        UnexpectedBodyError: It has none.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        said = _error_text(payload) or str(payload)[:200]
        raise UnexpectedBodyError(f"coinmetrics: answer holds no list `data`: {said}")


def parse_catalogue(payload: Any) -> dict[str, tuple[str, ...]]:
    """Read the community's daily metrics by token out of one catalogue page; an entry that cannot be read offers none."""
    refuse_error(payload)
    found: dict[str, tuple[str, ...]] = {}
    for entry in payload["data"]:
        asset = read_text(_field(entry, "asset"))
        names = [
            read_text(_field(metric, "metric")) for metric in _list(entry, "metrics") if _is_community_daily(metric)
        ]
        metrics = sorted(name for name in names if name is not None)
        if asset is not None and metrics:
            found[asset] = tuple(metrics)
    return found


def _is_community_daily(metric: Any) -> bool:
    return any(_field(each, "frequency") == "1d" and _field(each, "community") for each in _list(metric, "frequencies"))


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, dict) else None


def _list(record: Any, name: str) -> list[Any]:
    value = _field(record, name)
    return value if isinstance(value, list) else []


def parse_asset_metrics(payload: Any, *, metrics: Iterable[str], now: datetime) -> Fetched:
    """Turn one page into one row per token, day and metric; values that are missing or null give no row."""
    refuse_error(payload)
    wanted = tuple(metrics)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in payload["data"]:
        try:
            asset, market_date = _read_head(record, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            continue
        if market_date > last_finished_day(now):
            continue
        for metric in wanted:
            try:
                value = read_number(record.get(metric), column=metric, text_allowed=True)
            except UnreadableValueError as error:
                rejected.append(Rejected.of(str(error), record))
                continue
            if value is not None:
                status = read_text(record.get(f"{metric}-status"))
                row = {"asset": asset, "market_date": market_date, "metric": metric, "value": value}
                rows.append({**row, "status": status, "feed": FEED})
    return validate(ASSET_METRICS, rows, now=now, rejected=rejected)


def _read_head(record: Any, *, now: datetime) -> tuple[str, date]:
    asset = read_text(record.get("asset")) if isinstance(record, dict) else None
    if asset is None:
        raise UnreadableValueError("asset is missing")
    measured_at = read_instant(record.get("time"), column="time")
    refuse_future(measured_at, now=now, column="time")
    return asset.lower(), measured_at.date()


def _timeseries_query(
    assets: Sequence[str], metrics: Sequence[str], *, start: date, end: date
) -> dict[str, str | int | bool]:
    return {
        "assets": ",".join(assets),
        "metrics": ",".join(metrics),
        "frequency": "1d",
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "page_size": PAGE_SIZE,
        "paging_from": "start",
        "ignore_forbidden_errors": True,
        "ignore_unsupported_errors": True,
    }


def _batches(names: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list so that each part fits into an address beside a second list."""
    batch: list[str] = []
    for name in names:
        if batch and len(",".join([*batch, name])) > LONGEST_LIST // 2:
            yield batch
            batch = []
        batch.append(name)
    if batch:
        yield batch


def _error_text(payload: Any) -> str | None:
    error = payload.get("error") if isinstance(payload, dict) else None
    return str(error.get("message") or error.get("type")) if isinstance(error, dict) else None
