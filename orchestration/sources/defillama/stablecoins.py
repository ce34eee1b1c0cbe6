"""Supply of stablecoins: of each now, of each and of all in the past.

Belongs here: answers of the stablecoins host. Does not: which coins' histories are asked (`orchestration/lib/loads`).

Traps: dates of the charts are text in answers and numbers in the documentation; amounts are objects by what the coin is pegged
to (`{"peggedUSD": 1.6e11}`), in the list in units of the peg and in charts also in USD; `/stablecoin/1` is 21 MB, the chart of
the same coin a few hundred kB.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.wire import Host, read_points, with_columns_of
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import Query
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_text,
    validate,
    validate_frame,
)

STABLECOIN_SUPPLY: Final = find_dataset("defillama", "stablecoin_supply")
ALL_COINS: Final = "ALL"


def fetch_stablecoins(host: Host, *, now: datetime) -> Fetched:
    """Fetch the supply of every stablecoin now, as of the last finished day.

    Raises:
        SourceError: See `errors.py`.
    """
    return parse_stablecoins(
        host.get_object("/stablecoins", params={"includePrices": True}, holding="peggedAssets"), now=now
    )


def parse_stablecoins(payload: dict[str, Any], *, now: datetime) -> Fetched:
    """Turn the list into rows; the amount in USD is the circulating amount times the price, which must be there."""
    records = payload.get("peggedAssets")
    if not isinstance(records, list):
        raise UnexpectedBodyError(f"defillama: stablecoins hold no list `peggedAssets`: {str(payload)[:200]}")
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            row = _read_coin(record, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            continue
        if row is not None:
            rows.append(row)
    return validate(STABLECOIN_SUPPLY, rows, now=now, rejected=rejected)


def fetch_supply_history(
    host: Host,
    *,
    now: datetime,
    stablecoin_id: str = ALL_COINS,
    coin_id: str | None = None,
    symbol: str | None = None,
    peg: str | None = None,
) -> Fetched:
    """Fetch the supply of one stablecoin, or of all together, at the close of every finished day.

    Raises:
        SourceError: See `errors.py`.
    """
    params: Query | None = None if stablecoin_id == ALL_COINS else {"stablecoin": stablecoin_id}
    payload = host.get_list("/stablecoincharts/all", params=params)
    return parse_supply_history(payload, stablecoin_id=stablecoin_id, coin_id=coin_id, symbol=symbol, peg=peg, now=now)


def parse_supply_history(
    payload: list[Any], *, stablecoin_id: str, coin_id: str | None, symbol: str | None, peg: str | None, now: datetime
) -> Fetched:
    """Turn a chart into rows; coins of several pegs are added up in USD."""
    points = read_points(
        payload,
        lambda point: (point["date"], _total(point["totalCirculatingUSD"], column="totalCirculatingUSD")),
        column="totalCirculatingUSD",
        about={"stablecoin_id": stablecoin_id},
        now=now,
    )
    closes = points.closes(now).rename({"value": "circulating_usd"})
    names = {"stablecoin_id": stablecoin_id, "coin_id": coin_id, "symbol": symbol, "peg": peg}
    frame = with_columns_of(closes, STABLECOIN_SUPPLY.columns, **names)
    return validate_frame(STABLECOIN_SUPPLY, frame, now=now, rejected=points.rejected)


def _read_coin(record: Any, *, now: datetime) -> dict[str, Any] | None:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    circulating = _total(record.get("circulating"), column="circulating")
    price = read_number(record.get("price"), column="price", text_allowed=True)
    if circulating == 0:
        return None  # delisted coins stay on the list with nothing in circulation and without a price
    if price is None:
        raise UnreadableValueError("price is missing, so that the supply in USD is unknown")
    return {
        "stablecoin_id": read_text(record.get("id")),
        "coin_id": read_text(record.get("gecko_id")),
        "symbol": read_text(record.get("symbol")),
        "peg": read_text(record.get("pegType")),
        "market_date": last_finished_day(now),
        "circulating_usd": None if circulating is None else circulating * price,
        "price_usd": price,
    }


def _total(amounts: Any, *, column: str) -> float | None:
    """Sum of amounts by peg, None where none is given.

    Raises:
        UnreadableValueError: It is no object, or one of them is no number.
    """
    if not isinstance(amounts, dict):
        raise UnreadableValueError(f"{column} is no object")
    values = [read_number(value, column=column) for value in amounts.values()]
    known = [value for value in values if value is not None]
    return sum(known) if known else None
