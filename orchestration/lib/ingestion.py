"""Fetching from the providers and landing what is new: one function a dataset, the same for history and for a day.

Belongs here: from which day each token is asked, batching, landing of changed rows, quarantine, counts.
Does not: wire formats (`orchestration/sources`), files (`landing.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import polars as pl

from orchestration.lib.landing import LandingStore, find_lag
from orchestration.sources.alternative_me import fetch_fear_greed
from orchestration.sources.coingecko import CoinGecko
from orchestration.sources.coinmetrics import CoinMetrics
from orchestration.sources.datasets import Dataset, find_dataset
from orchestration.sources.exchanges import ExchangeSettings, collect_candles, collect_tickers
from orchestration.sources.http import HttpClient, RequestRejectedError
from orchestration.sources.validation import Fetched

REREAD_DAYS = 3
"""Days before the newest landed one that are asked again: rows come late and are revised; only changes land."""

BATCH_COINS = 50
"""Coins landed at a time, so that a killed backfill keeps what it had."""

DEAD_AFTER_DAYS = 30
"""A coin that left the market list and has had no price for so long is not asked any more."""

ONCHAIN_METRICS = (
    "AdrActCnt",
    "TxCnt",
    "CapMVRVCur",
    "FlowInExNtv",
    "FlowOutExNtv",
    "SplyCur",
    "FeeTotNtv",
    "PriceUSD",
)


@dataclass(frozen=True)
class Reach:
    """The time a load is for.

    Attributes:
        now: Instant of the load; days that have not ended by then are left out.
        first: First day wanted of a token that has none yet.
        last: Last day wanted.
        partition: `day` lands each market_date in its own partition, `year` each calendar year (backfills).
    """

    now: datetime
    first: date
    last: date
    partition: Literal["day", "year"]


@dataclass(frozen=True)
class Ingested:
    """What one load did.

    Attributes:
        dataset: The dataset.
        received: Rows the provider gave.
        landed: Rows that were new or other than landed before.
        quarantined: Records refused.
        failures: What could not be fetched, by token or market.
    """

    dataset: Dataset
    received: int
    landed: int
    quarantined: int
    failures: Mapping[str, str] = field(default_factory=dict)


class Ingestion:
    """Landing from one set of providers.

    Args:
        store: Where rows land.
        data_source: simulated or live.
        lags: Publication lags.
        report: Told progress in words.
    """

    def __init__(
        self,
        store: LandingStore,
        *,
        data_source: str,
        lags: Mapping[tuple[str, str], float],
        report: Callable[[str], None],
    ) -> None:
        self._store = store
        self._data_source = data_source
        self._lags = lags
        self._report = report

    def land(self, fetched: Fetched, reach: Reach) -> Ingested:
        """Land the changed rows of an answer and quarantine what was refused."""
        dataset = fetched.dataset
        changed = self._store.changed_rows(dataset, fetched.frame)
        loaded_at = datetime.now(UTC)
        for partition, rows in _partitions(dataset, changed, reach):
            self._store.write(
                dataset,
                rows,
                data_source=self._data_source,
                partition=partition,
                loaded_at=loaded_at,
                lag_hours=find_lag(self._lags, dataset),
            )
        if fetched.rejected:
            self._store.write_quarantine(
                dataset,
                fetched.rejected,
                data_source=self._data_source,
                partition=reach.last.isoformat(),
                loaded_at=loaded_at,
            )
        return Ingested(dataset, fetched.frame.height, changed.height, len(fetched.rejected))

    def coingecko_markets(
        self, coingecko: CoinGecko, reach: Reach, *, max_coins: int, with_inactive: bool
    ) -> list[Ingested]:
        """The market list, and from it the list of coins; `with_inactive` adds coins that died before we looked."""
        markets = coingecko.fetch_markets(now=reach.now, max_coins=max_coins)
        assets = find_dataset("coingecko", "assets")
        known = markets.frame.select("coin_id", "symbol", "name").unique("coin_id", keep="first", maintain_order=True)
        listed = [_with_columns_of(assets, known)]
        rejected: tuple[object, ...] = ()
        if with_inactive:
            inactive = coingecko.fetch_inactive(now=reach.now)
            listed.append(inactive.frame)
            rejected = inactive.rejected
        frame = pl.concat(listed).unique("coin_id", keep="first", maintain_order=True)
        return [self.land(markets, reach), self.land(Fetched(assets, frame, rejected), reach)]  # type: ignore[arg-type]  # of Rejected

    def coingecko_categories(
        self, coingecko: CoinGecko, reach: Reach, *, names: Iterable[str], max_coins: int
    ) -> Ingested:
        """Members of the categories that the project's sectors and pegged classes are made of, by display name."""
        wanted = {name.strip().casefold() for name in names}
        available = coingecko.fetch_categories()
        ids = sorted(category_id for category_id, name in available.items() if name.strip().casefold() in wanted)
        fetched = coingecko.fetch_asset_categories(ids, names=available, now=reach.now, max_coins=max_coins)
        self._report(f"coingecko/asset_categories: {len(ids)} of {len(wanted)} category names exist")
        return self.land(fetched, reach)

    def coingecko_market_daily(self, coingecko: CoinGecko, reach: Reach) -> Ingested:
        """Daily price, cap and volume of every listed coin, each from a few days before its newest landed day."""
        dataset = find_dataset("coingecko", "market_daily")
        assets = self._store.newest(find_dataset("coingecko", "assets")).select("coin_id", "symbol").sort("coin_id")
        listed = set(self._store.newest(find_dataset("coingecko", "markets"))["coin_id"].to_list())
        newest = self._store.newest_market_dates(dataset, by="coin_id")
        total = Ingested(dataset, 0, 0, 0)
        batch: list[Fetched] = []
        failures: dict[str, str] = {}
        for number, (coin_id, symbol) in enumerate(assets.iter_rows(), start=1):
            start = _start(newest.get(coin_id), reach)
            is_dead = (
                coin_id not in listed and start < reach.last - timedelta(days=DEAD_AFTER_DAYS) and coin_id in newest
            )
            if start <= reach.last and not is_dead:
                try:
                    batch.append(
                        coingecko.fetch_market_daily(coin_id, symbol=symbol, start=start, end=reach.last, now=reach.now)
                    )
                except RequestRejectedError as error:  # this coin only; an outage or a ban ends the load
                    failures[coin_id] = str(error)
            if batch and (len(batch) >= BATCH_COINS or number == assets.height):
                total = _sum(total, self.land(Fetched.join(dataset, batch), reach))
                self._report(f"coingecko/market_daily: {number} of {assets.height} coins")
                batch = []
        return Ingested(dataset, total.received, total.landed, total.quarantined, failures)

    def exchange_candles(self, settings: ExchangeSettings, reach: Reach) -> Ingested:
        """Daily candles of every dollar market of the exchange, each from a few days before its newest landed day."""
        dataset = find_dataset("binance", "candles_daily")
        newest = self._store.newest_market_dates(dataset, by="market_id")
        starts = {market: _start(day, reach) for market, day in newest.items()}
        collected = collect_candles(settings, starts=starts, now=reach.now, default_start=reach.first)
        known = collected.fetched
        frame = known.frame.filter(pl.col("market_date") <= reach.last)
        result = self.land(Fetched(dataset, frame, known.rejected), reach)
        failures = {market: str(error) for market, error in collected.failures.items()}
        return Ingested(dataset, result.received, result.landed, result.quarantined, failures)

    def exchange_tickers(self, settings: ExchangeSettings, reach: Reach) -> Ingested:
        """Last price, best bid and ask of every dollar market, as of now."""
        return self.land(collect_tickers(settings, now=reach.now), reach)

    def coinmetrics_metrics(self, coinmetrics: CoinMetrics, reach: Reach) -> Ingested:
        """The on-chain metrics the features use, for every token whose metrics the community may read."""
        dataset = find_dataset("coinmetrics", "asset_metrics")
        catalogue = coinmetrics.fetch_catalogue()
        wanted = {
            asset: [metric for metric in ONCHAIN_METRICS if metric in metrics]
            for asset, metrics in catalogue.items()
            if "AdrActCnt" in metrics or "TxCnt" in metrics
        }
        newest = self._store.newest_market_dates(dataset, by="asset")
        start = min((_start(newest.get(asset), reach) for asset in wanted), default=reach.first)
        if start > reach.last or not wanted:
            return Ingested(dataset, 0, 0, 0)
        return self.land(coinmetrics.fetch_asset_metrics(wanted, start=start, end=reach.last, now=reach.now), reach)

    def fear_greed(self, http: HttpClient, reach: Reach, *, base_url: str) -> Ingested:
        """The fear and greed index from a few days before its newest landed day."""
        dataset = find_dataset("alternative_me", "fear_greed")
        newest = self._store.newest_market_date(dataset)
        days = 0 if newest is None else (reach.now.date() - newest).days + REREAD_DAYS + 1
        fetched = fetch_fear_greed(http, now=reach.now, base_url=base_url, days=days)
        in_reach = pl.col("market_date").is_between(reach.first, reach.last)
        return self.land(Fetched(dataset, fetched.frame.filter(in_reach), fetched.rejected), reach)


def _start(newest: date | None, reach: Reach) -> date:
    """First day to ask of a token: its whole history, nothing when up to date, else a few days back."""
    if newest is None:
        return reach.first
    if newest >= reach.last:
        return newest + timedelta(days=1)
    return max(reach.first, newest - timedelta(days=REREAD_DAYS - 1))


def _sum(one: Ingested, other: Ingested) -> Ingested:
    return Ingested(
        one.dataset, one.received + other.received, one.landed + other.landed, one.quarantined + other.quarantined
    )


def _with_columns_of(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of a dataset, absent ones null."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in dataset.columns.items()
    )


def _partitions(dataset: Dataset, rows: pl.DataFrame, reach: Reach) -> list[tuple[str, pl.DataFrame]]:
    """Rows by landing partition: their day or calendar year; reference rows under the day they were seen."""
    if not dataset.is_dated:
        return [(reach.last.isoformat(), rows)]
    form = "%Y-%m-%d" if reach.partition == "day" else "%Y"
    split = rows.with_columns(partition=pl.col("market_date").dt.strftime(form)).partition_by(
        "partition", as_dict=True, include_key=False
    )
    return sorted(((str(key[0]), part) for key, part in split.items()), key=lambda item: item[0])
