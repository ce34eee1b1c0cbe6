"""Readers of quarantined raw records, one a dataset: how a record that a parser refused is read by today's parser.

Belongs here: from the payload an adapter keeps to the parser it comes from. Does not: which records are open, landing
(`orchestration/lib/quarantine.py`). Payloads that are rows of a dataset need no reader.

A reader gives the rows of a record as of the instant it was asked for, none where the record is complete and holds no row
(the running day), and raises `UnreadableValueError` with the reason where it still cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestration.sources.alternative_me import parse_fear_greed
from orchestration.sources.coingecko import kept, parse_market_chart, parse_markets
from orchestration.sources.coinmetrics import parse_asset_metrics
from orchestration.sources.defillama.replay import read_kept_pool, read_kept_protocol, read_kept_stablecoin
from orchestration.sources.errors import SourceError
from orchestration.sources.fred import read_kept_line
from orchestration.sources.gdelt import read_kept_day
from orchestration.sources.geckoterminal.candles import read_kept_candle
from orchestration.sources.geckoterminal.holders import read_kept_holders
from orchestration.sources.geckoterminal.pools import read_kept_pool as read_kept_dex_pool
from orchestration.sources.github import read_kept_repository, read_kept_week
from orchestration.sources.reddit import read_kept_post, read_kept_subreddit
from orchestration.sources.rss import read_kept_item
from orchestration.sources.validation import (
    Fetched,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_unix,
    refuse_future,
)

Reader = Callable[[object, datetime], Sequence[Mapping[str, Any]]]

KLINE_COLUMNS: Final = ("open_quote", "high_quote", "low_quote", "close_quote", "volume_base")
KLINE_QUOTE_VOLUME: Final = 7


def read_binance_candle(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read `{"market_id": "BTC/USDT", "candle": [open time in ms, open, high, low, close, volume, .., quote volume]}`."""
    market_id, candle = _fields(payload, "market_id", "candle")
    if not isinstance(candle, list) or len(candle) <= KLINE_QUOTE_VOLUME:
        raise UnreadableValueError("candle is no list of at least 8 values")
    opened_at = read_unix(candle[0], column="open time", per_second=1000, text_allowed=True)
    refuse_future(opened_at, now=now, column="open time")
    if opened_at.timestamp() % timedelta(days=1).total_seconds():
        raise UnreadableValueError("open time is not 00:00 UTC")
    if opened_at.date() > last_finished_day(now):
        return []
    symbol, _, quote = str(market_id).partition("/")
    values = {
        name: read_number(value, column=name, text_allowed=True)
        for name, value in zip(KLINE_COLUMNS, candle[1:6], strict=True)
    }
    volume = read_number(candle[KLINE_QUOTE_VOLUME], column="volume_quote", text_allowed=True)
    row = {"market_id": market_id, "symbol": symbol, "quote": quote, "market_date": opened_at.date()}
    return [{**row, **values, "volume_quote": volume}]


def read_coingecko_point(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read `{"coin_id": .., "point": [time in ms, price]}`: the price alone, the record holds neither cap nor volume."""
    coin_id, point = _fields(payload, "coin_id", "point")
    return _rows(lambda: parse_market_chart({"prices": [point]}, coin_id=str(coin_id), symbol=None, now=now))


def read_coingecko_market(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one coin of coins/markets."""
    return _rows(lambda: parse_markets([payload], now=now))


def read_coinmetrics_day(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one token and day of timeseries/asset-metrics, all its metrics."""
    asset, _time = _fields(payload, "asset", "time")
    names = [name for name in payload if name not in ("asset", "time")] if isinstance(payload, Mapping) else []
    metrics = [name for name in names if not name.endswith(("-status", "-status-time"))]
    if asset is None:
        raise UnreadableValueError("asset is missing")
    return _rows(lambda: parse_asset_metrics({"data": [payload]}, metrics=metrics, now=now))


def read_fear_greed_day(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one day of the fear and greed index."""
    return _rows(lambda: parse_fear_greed({"data": [payload]}, now=now))


READERS: Final[Mapping[str, Reader]] = {
    "alternative_me/fear_greed": read_fear_greed_day,
    "binance/candles_daily": read_binance_candle,
    "coingecko/assets": kept.read_kept_asset,
    "coingecko/category_daily": kept.read_kept_category,
    "coingecko/coin_activity": kept.read_kept_activity,
    "coingecko/contracts": kept.read_kept_contract,
    "coingecko/global_daily": kept.read_kept_global,
    "coingecko/market_daily": read_coingecko_point,
    "coingecko/markets": read_coingecko_market,
    "coinmetrics/asset_metrics": read_coinmetrics_day,
    "defillama/protocols": read_kept_protocol,
    "defillama/stablecoin_supply": read_kept_stablecoin,
    "defillama/yields": read_kept_pool,
    "fred/series_daily": read_kept_line,
    "fred/series_monthly": read_kept_line,
    "fred/series_weekly": read_kept_line,
    "geckoterminal/pool_candles": read_kept_candle,
    "geckoterminal/pools": read_kept_dex_pool,
    "geckoterminal/token_holders": read_kept_holders,
    "gdelt/tone_daily": read_kept_day,
    "github/commits_weekly": read_kept_week,
    "github/repositories": read_kept_repository,
    "reddit/posts": read_kept_post,
    "reddit/subreddits": read_kept_subreddit,
    "rss/headlines": read_kept_item,
}
"""Readers by `source/dataset`; an adapter whose parser refuses records registers one here."""


def _fields(payload: object, *names: str) -> list[Any]:
    if not isinstance(payload, Mapping) or not set(names) <= set(payload):
        raise UnreadableValueError(f"record lacks {' or '.join(names)}")
    return [payload[name] for name in names]


def _rows(parse: Callable[[], Fetched]) -> Sequence[Mapping[str, Any]]:
    """The rows a parser gives for one record; what it refuses is the reason."""
    try:
        fetched = parse()
    except SourceError as error:
        raise UnreadableValueError(str(error)) from None
    if fetched.rejected:
        raise UnreadableValueError(fetched.rejected[0].reason)
    return fetched.frame.to_dicts()
