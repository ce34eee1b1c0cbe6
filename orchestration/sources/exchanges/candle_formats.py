"""How each venue is asked for daily candles, and what stands in which column of the answer.

Belongs here: one `CandleFormat` a venue. Does not: paging (`candles.py`), reading the rows (`candle_rows.py`).

The calls are ccxt's raw ones, one a venue: `fetch_ohlcv` drops the turnover in the quote currency, takes the running day
from the machine's clock, and reads every row with Python. Traps, venue by venue:

- binance answers from the first candle after `startTime` on, wherever that is; the others answer a range.
- okx has two addresses, one for the newest 1,440 bars. Both bounds are exclusive. `1D` would open at 16:00 UTC.
- coinbase sends low and high before open, kucoin close before high and low, gate the turnover first and the open last.
- okx, coinbase and kucoin send the newest row first; of too many rows they leave out the oldest.
- kraken has the newest 720 days, whatever `since` says, and wants it one bar earlier.
- bitstamp sends named fields.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

DAY: Final = timedelta(days=1)
SECONDS_A_DAY: Final = 86_400
BITSTAMP_FIELDS: Final = ("timestamp", "open", "high", "low", "close", "volume")
OKX_RECENT_BARS: Final = 1439

Ask = Callable[[Any, str, date, date, date], Awaitable[Any]]
"""From ccxt's client, the venue's name of the market, the first and last day wanted and today to the raw answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleFormat:
    """Candles of one venue.

    Attributes:
        ask: Makes the request.
        rows: Finds the rows in the answer.
        page_days: Days a request may span; None where a request has a beginning only and the venue cuts the answer.
        page_rows: Rows an answer holds at most.
        per_second: Units of the opening time in a second.
        width: Columns of a row.
        prices: Columns of open, high, low and close.
        volume: Column of the volume in tokens.
        turnover: Column of the turnover in the quote, or of the price that the volume is multiplied with.
        is_turnover_exact: Whether `turnover` is the turnover itself.
        fields: Names of the columns where rows are objects.
    """

    ask: Ask
    rows: Callable[[Any], Any]
    page_days: int | None
    page_rows: int
    per_second: Literal[1, 1000]
    width: int
    prices: tuple[int, int, int, int]
    volume: int
    turnover: int
    is_turnover_exact: bool
    fields: tuple[str, ...] | None = None


def seconds_of(day: date) -> int:
    """Unix time of 00:00 UTC of a day."""
    return (day - date(1970, 1, 1)).days * SECONDS_A_DAY


def _iso(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def _ask_binance(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    query = {"symbol": wire_id, "interval": "1d", "limit": 1000, "startTime": seconds_of(first) * 1000}
    return await ccxt.publicGetKlines(query)


async def _ask_okx(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    is_recent = (today - first).days < OKX_RECENT_BARS
    call = ccxt.publicGetMarketCandles if is_recent else ccxt.publicGetMarketHistoryCandles
    bounds = {"before": seconds_of(first) * 1000 - 1, "after": seconds_of(last + DAY) * 1000}
    return await call({"instId": wire_id, "bar": "1Dutc", "limit": 300, **bounds})


async def _ask_coinbase(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    span = {"start": _iso(first), "end": _iso(last)}
    return await ccxt.publicGetProductsIdCandles({"id": wire_id, "granularity": SECONDS_A_DAY, **span})


async def _ask_kucoin(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    span = {"startAt": seconds_of(first), "endAt": seconds_of(last + DAY)}  # the end does not belong to the answer
    return await ccxt.publicGetMarketCandles({"symbol": wire_id, "type": "1day", **span})


async def _ask_gate(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    span = {"from": seconds_of(first), "to": seconds_of(last)}  # with a limit beside them it would refuse
    return await ccxt.publicSpotGetCandlesticks({"currency_pair": wire_id, "interval": "1d", **span})


async def _ask_kraken(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    return await ccxt.publicGetOHLC({"pair": wire_id, "interval": 1440, "since": str(seconds_of(first - DAY))})


async def _ask_bitstamp(ccxt: Any, wire_id: str, first: date, last: date, today: date) -> Any:
    span = {"start": seconds_of(first), "end": seconds_of(last + DAY) - 1, "limit": 1000}
    return await ccxt.publicGetOhlcPair({"pair": wire_id, "step": str(SECONDS_A_DAY), **span})


def _kraken_rows(answer: Any) -> Any:
    """The one list of the result; its name is the market's, in one of several spellings."""
    (rows,) = [value for value in answer["result"].values() if isinstance(value, list)]
    return rows


FORMATS: Final[Mapping[str, CandleFormat]] = {
    "binance": CandleFormat(
        ask=_ask_binance,
        rows=lambda answer: answer,
        page_days=None,
        page_rows=1000,
        per_second=1000,
        width=8,
        prices=(1, 2, 3, 4),
        volume=5,
        turnover=7,
        is_turnover_exact=True,
    ),
    "okx": CandleFormat(
        ask=_ask_okx,
        rows=lambda answer: answer["data"],
        page_days=300,
        page_rows=300,
        per_second=1000,
        width=8,
        prices=(1, 2, 3, 4),
        volume=5,
        turnover=7,
        is_turnover_exact=True,
    ),
    "coinbase": CandleFormat(
        ask=_ask_coinbase,
        rows=lambda answer: answer,
        page_days=300,
        page_rows=300,
        per_second=1,
        width=6,
        prices=(3, 2, 1, 4),
        volume=5,
        turnover=4,
        is_turnover_exact=False,
    ),
    "kucoin": CandleFormat(
        ask=_ask_kucoin,
        rows=lambda answer: answer["data"],
        page_days=1500,
        page_rows=1500,
        per_second=1,
        width=7,
        prices=(1, 3, 4, 2),
        volume=5,
        turnover=6,
        is_turnover_exact=True,
    ),
    "gate": CandleFormat(
        ask=_ask_gate,
        rows=lambda answer: answer,
        page_days=1000,
        page_rows=1000,
        per_second=1,
        width=7,
        prices=(5, 3, 4, 2),
        volume=6,
        turnover=1,
        is_turnover_exact=True,
    ),
    "kraken": CandleFormat(
        ask=_ask_kraken,
        rows=_kraken_rows,
        page_days=None,
        page_rows=720,
        per_second=1,
        width=7,
        prices=(1, 2, 3, 4),
        volume=6,
        turnover=5,
        is_turnover_exact=False,
    ),
    "bitstamp": CandleFormat(
        ask=_ask_bitstamp,
        rows=lambda answer: answer["data"]["ohlc"],
        page_days=1000,
        page_rows=1000,
        per_second=1,
        width=6,
        prices=(1, 2, 3, 4),
        volume=5,
        turnover=4,
        is_turnover_exact=False,
        fields=BITSTAMP_FIELDS,
    ),
}
"""How candles of a venue look, by its name."""
