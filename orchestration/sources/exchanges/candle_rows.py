"""Raw candles to rows of `<venue>/candles_daily`: many pages at once, or one record with the reason it is refused for.

Belongs here: reading. Does not: asking (`candles.py`), the columns of a venue (`candle_formats.py`).

Pages are read as columns. A page in which anything is odd is read again record by record, which finds the record and says
why; so the fast way never decides about a single value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import Any, Final

import polars as pl

from orchestration.sources.exchanges.candle_formats import FORMATS, SECONDS_A_DAY, CandleFormat
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.exchanges.wire import rows_as_objects, rows_as_text
from orchestration.sources.validation import (
    CLOCK_SKEW,
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_unix,
    refuse_future,
    validate_frame,
)

PRICES: Final = ("open_quote", "high_quote", "low_quote", "close_quote")
RECORDS: Final = pl.List(pl.List(pl.String))


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: the market asked about, the first day wanted, and the rows as they came."""

    market: Market
    first: date
    rows: Any


@dataclass(frozen=True, slots=True)
class Span:
    """What a page reaches over, its unfinished day included: rows, first and last day; days are None without readable rows."""

    rows: int
    oldest: date | None
    newest: date | None


@dataclass(frozen=True, slots=True)
class ReadPages:
    """Pages that were read: rows before validation, records refused, and the span of each page."""

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]
    spans: tuple[Span, ...]


def read_pages(pages: Sequence[Page], *, venue: str, now: datetime) -> ReadPages:
    """Read pages of one venue.

    Args:
        pages: Answers in any order.
        venue: Name of the venue.
        now: Instant of the request: candles of days that have not ended by then are left out.
    """
    form, columns = FORMATS[venue], VENUES[venue].dataset("candles_daily").columns
    decoded = _decode(pages, form)
    values = _columns_of(decoded.filter(pl.col("record").list.len() > 0).explode("record"), form)
    is_odd = _oddities(values, form, now=now)
    odd = set(values.filter(is_odd)["page"].to_list()) | (set(range(len(pages))) - set(decoded["page"].to_list()))
    # Days of odd pages may lie beyond Python's calendar (milliseconds where seconds are due), so their spans come below.
    good = _days(values.filter(~pl.col("page").is_in(sorted(odd))) if odd else values, form)
    spans = dict.fromkeys(range(len(pages)), Span(0, None, None)) | {
        page: Span(rows, oldest, newest)
        for page, rows, oldest, newest in good.group_by("page")
        .agg(
            pl.len(),
            pl.col("market_date").min().alias("oldest"),
            pl.col("market_date").max().alias("newest"),
        )
        .iter_rows()
    }
    parts = [_with_markets(good, pages, columns)]
    rejected: list[Rejected] = []
    for number in sorted(odd):
        frame, refused, spans[number] = _read_by_record(pages[number], form=form, columns=columns, now=now)
        parts.append(frame)
        rejected += refused
    frame = pl.concat(parts).filter(pl.col("market_date") <= last_finished_day(now))
    return ReadPages(frame, tuple(rejected), tuple(spans[number] for number in range(len(pages))))


def land_ready(pages: Sequence[ReadPages], *, venue: str, now: datetime) -> Fetched:
    """Put read pages together and check them against the rules of the dataset."""
    dataset = VENUES[venue].dataset("candles_daily")
    frame = pl.concat([dataset.empty(), *(each.frame for each in pages)])
    refused = [record for each in pages for record in each.rejected]
    return validate_frame(dataset, frame, now=now, rejected=refused)


def read_candle(record: Any, *, venue: str, market: Market, now: datetime) -> dict[str, Any]:
    """Read one raw candle.

    Raises:
        UnreadableValueError: It is malformed; the message says what is.
    """
    form = FORMATS[venue]
    if form.fields is not None and isinstance(record, Mapping):
        record = [record.get(name) for name in form.fields]
    if not isinstance(record, list) or len(record) < form.width:
        raise UnreadableValueError(f"candle is no list of at least {form.width} values")
    opened_at = read_unix(record[0], column="open time", per_second=form.per_second, text_allowed=True)
    refuse_future(opened_at, now=now, column="open time")
    if opened_at.timestamp() % SECONDS_A_DAY:
        raise UnreadableValueError("open time is not 00:00 UTC")
    prices = {
        name: read_number(record[column], column=name, text_allowed=True)
        for name, column in zip(PRICES, form.prices, strict=True)
    }
    volume = read_number(record[form.volume], column="volume_base", text_allowed=True)
    turnover = read_number(record[form.turnover], column="volume_quote", text_allowed=True)
    if not form.is_turnover_exact:
        turnover = None if turnover is None or volume is None else volume * turnover
    return {
        "market_id": market.market_id,
        "symbol": market.symbol,
        "quote": market.quote,
        "name": None,
        "market_date": opened_at.date(),
        **prices,
        "volume_base": volume,
        "volume_quote": turnover,
        "market_cap_usd": None,
    }


def read_kept_candle(venue: str, payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read a candle from quarantine, `{"market_id": "BTC/USDT", "candle": [...]}`; none where its day had not ended.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    if not isinstance(payload, Mapping) or not {"market_id", "candle"} <= set(payload):
        raise UnreadableValueError("record lacks market_id or candle")
    market_id = str(payload["market_id"])
    symbol, _, quote = market_id.partition("/")
    market = Market(market_id, wire_id="", symbol=symbol, quote=quote, is_active=True)
    row = read_candle(payload["candle"], venue=venue, market=market, now=now)
    return [] if row["market_date"] > last_finished_day(now) else [row]


def _decode(pages: Sequence[Page], form: CandleFormat) -> pl.DataFrame:
    """Pages that could be decoded, with their number; every value as text."""
    numbers, texts = [], []
    for number, page in enumerate(pages):
        rows = page.rows
        if form.fields is not None and rows and all(isinstance(row, Mapping) for row in rows):
            rows = [[row.get(name) for name in form.fields] for row in rows]
        numbers.append(number)
        texts.append(rows_as_text(rows))
    try:
        decoded = pl.Series(texts, dtype=pl.String).str.json_decode(RECORDS)
    except pl.exceptions.PolarsError:  # one of them is no list of lists; find which
        kept = [
            (number, one) for number, text in zip(numbers, texts, strict=True) if (one := _decode_one(text)) is not None
        ]
        numbers = [number for number, _ in kept]
        decoded = pl.concat([one for _, one in kept]) if kept else pl.Series([], dtype=RECORDS)
    return pl.DataFrame({"page": pl.Series(numbers, dtype=pl.Int64), "record": decoded})


def _decode_one(text: str) -> pl.Series | None:
    try:
        return pl.Series([text], dtype=pl.String).str.json_decode(RECORDS)
    except pl.exceptions.PolarsError:
        return None


def _columns_of(records: pl.DataFrame, form: CandleFormat) -> pl.DataFrame:
    record = pl.col("record")

    def column(number: int) -> pl.Expr:
        return record.list.get(number, null_on_oob=True)

    return records.select(
        "page",
        record.list.len().alias("width"),
        column(0).cast(pl.Int64, strict=False).alias("opened"),
        *(
            column(number).cast(pl.Float64, strict=False).alias(name)
            for name, number in zip(PRICES, form.prices, strict=True)
        ),
        column(form.volume).cast(pl.Float64, strict=False).alias("volume_base"),
        column(form.turnover).cast(pl.Float64, strict=False).alias("turnover"),
    )


def _oddities(values: pl.DataFrame, form: CandleFormat, *, now: datetime) -> pl.Series:
    """Whether a record has anything that the fast way must not decide about, a missing value included."""
    numbers = (*PRICES, "volume_base", "turnover")
    latest = int((now.astimezone(UTC) + CLOCK_SKEW).timestamp() * form.per_second)
    checks = [
        pl.col("width") < form.width,
        pl.col("opened").is_null(),
        pl.col("opened") % (SECONDS_A_DAY * form.per_second) != 0,
        pl.col("opened") > latest,
        pl.col("opened") < 0,
        *(~pl.col(name).is_finite() for name in numbers),
        *(pl.col(name).is_null() for name in numbers),
    ]
    return values.select(reduce(or_, (check.fill_null(value=False) for check in checks)).alias("odd"))["odd"]


def _days(values: pl.DataFrame, form: CandleFormat) -> pl.DataFrame:
    days = pl.col("opened") // (SECONDS_A_DAY * form.per_second)
    turnover = pl.col("turnover") if form.is_turnover_exact else pl.col("volume_base") * pl.col("turnover")
    return values.with_columns(
        days.cast(pl.Int32, strict=False).cast(pl.Date).alias("market_date"), turnover.alias("volume_quote")
    )


def _with_markets(rows: pl.DataFrame, pages: Sequence[Page], columns: Mapping[str, Any]) -> pl.DataFrame:
    """Rows with the names of their page's market, in the dataset's columns, from the first day wanted on."""
    named = pl.DataFrame(
        {
            "page": pl.Series(range(len(pages)), dtype=pl.Int64),
            "market_id": pl.Series([page.market.market_id for page in pages], dtype=pl.String),
            "symbol": pl.Series([page.market.symbol for page in pages], dtype=pl.String),
            "quote": pl.Series([page.market.quote for page in pages], dtype=pl.String),
            "first": pl.Series([page.first for page in pages], dtype=pl.Date),
        }
    )
    taken = named[rows["page"]].drop("page")
    return (
        pl.concat([rows, taken], how="horizontal")
        .filter(pl.col("market_date") >= pl.col("first"))
        .select(
            pl.col(name) if name in rows.columns or name in taken.columns else pl.lit(None, dtype).alias(name)
            for name, dtype in columns.items()
        )
    )


def _read_by_record(
    page: Page, *, form: CandleFormat, columns: Mapping[str, Any], now: datetime
) -> tuple[pl.DataFrame, list[Rejected], Span]:
    """One page record by record: rows, refused records with their reasons, and what the page spans."""
    venue = next(name for name, known in FORMATS.items() if known is form)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    days: list[date] = []
    try:
        records = rows_as_objects(page.rows)
    except ValueError:
        records = None
    if not isinstance(records, list):
        kept = Rejected.of(
            "page is no list of candles", {"market_id": page.market.market_id, "page": str(page.rows)[:200]}
        )
        return pl.DataFrame(schema=columns), [kept], Span(0, None, None)
    for record in records:
        try:
            row = read_candle(record, venue=venue, market=page.market, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"market_id": page.market.market_id, "candle": record}))
            continue
        days.append(row["market_date"])
        if row["market_date"] >= page.first:
            rows.append(row)
    frame = pl.DataFrame(rows, schema=dict(columns), orient="row")
    return frame, rejected, Span(len(records), min(days, default=None), max(days, default=None))
