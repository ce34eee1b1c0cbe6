"""How each venue is asked about its perpetuals, and how it answers.

Belongs here: raw ccxt calls and the fields of their answers. Does not: days and means (`derivatives.py`).

Open interest comes in contracts, tokens or USD, differently by venue and address; what is a contract stands in the list of
perpetuals. History of funding: binance from the launch on, okx three months, kucoin a hundred payments an answer, gate a
thousand. History of open interest: about thirty days; kucoin gives contracts only, whose price on those days nobody said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.perpetuals import Perpetual, Settlement, Standing, token_of
from orchestration.sources.validation import Rejected, UnreadableValueError, read_number, read_unix

OPEN_INTEREST_DAYS: Final = 30

Perpetuals = tuple[list[Perpetual], list[Rejected]]
Answers = tuple[list[Settlement], list[Rejected]]
Standings = tuple[list[Standing], list[Rejected]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivativeFormat:
    """Perpetuals of one venue.

    Attributes:
        ask_list: Asks for all perpetuals.
        read_list: Reads them.
        ask_funding: Asks for payments between two instants, unix milliseconds, both included.
        read_funding: Reads them.
        funding_days: How far back the venue's history goes, or we ask.
        funding_cost: What the request costs, in units of the least interval between two requests.
        is_newest_first: Whether an answer holds the newest payments of the range.
        ask_open_interest: Asks for the past days of one perpetual; None where the venue has no such thing.
        read_open_interest: Reads them.
        open_interest_cost: What that request costs.
        ask_all_open_interest: Asks for what is open now, of all; None where the list says it, or nobody does.
        read_all_open_interest: Reads it, by market_id.
    """

    ask_list: Callable[[Any], Awaitable[Any]]
    read_list: Callable[[Any, datetime], Perpetuals]
    ask_funding: Callable[[Any, Perpetual, int, int], Awaitable[Any]]
    read_funding: Callable[[Any, Perpetual], Answers]
    funding_days: int
    funding_cost: float = 1.0
    is_newest_first: bool
    ask_open_interest: Callable[[Any, Perpetual], Awaitable[Any]] | None = None
    read_open_interest: Callable[[Any, Perpetual], Standings] | None = None
    open_interest_cost: float = 1.0
    ask_all_open_interest: Callable[[Any], Awaitable[Any]] | None = None
    read_all_open_interest: Callable[[Any, Sequence[Perpetual]], tuple[dict[str, Standing], list[Rejected]]] | None = (
        None
    )


def _number(record: Mapping[str, Any], name: str) -> float:
    value = read_number(record.get(name), column=name, text_allowed=True)
    if value is None:
        raise UnreadableValueError(f"{name} is missing")
    return value


def _word(record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise UnreadableValueError(f"{name} is a {type(value).__name__}, not a word")
    return value


def _flag(record: Mapping[str, Any], name: str) -> bool:
    value = record[name]
    if not isinstance(value, bool):
        raise UnreadableValueError(f"{name} is a {type(value).__name__}, not a yes or no")
    return value


def _at_ms(value: object, *, per_second: int = 1000) -> int:
    return round(read_unix(value, column="time", per_second=per_second, text_allowed=True).timestamp() * 1000)


def _readable(records: Any, read: Callable[[Any], Any], *, perpetual: Perpetual) -> tuple[list[Any], list[Rejected]]:
    """Read each record; those that cannot be read are refused with the reason.

    Raises:
        UnexpectedBodyError: They are no list.
    """
    if not isinstance(records, list):
        raise UnexpectedBodyError(f"a list was due, this came: {str(records)[:200]!r}")
    found, rejected = [], []
    for record in records:
        try:
            found.append(read(record))
        except (UnreadableValueError, LookupError, TypeError, AttributeError) as error:
            rejected.append(Rejected.of(_reason(error), {"market_id": perpetual.market_id, "record": record}))
    return found, rejected


def _perpetual(
    wire_id: str,
    base: str,
    *,
    contract_size: float = 1.0,
    standing: tuple[int, float | None, float | None] | None = None,
) -> Perpetual:
    """A perpetual whose contract is `contract_size` of its base; `standing` is the instant, contracts, and USD a base."""
    symbol, multiple = token_of(base)
    tokens = contract_size * multiple
    now_open = None
    if standing is not None and standing[1] is not None:
        at_ms, contracts, price = standing
        usd = None if price is None or contracts is None else contracts * contract_size * price
        now_open = Standing(at_ms, usd, contracts * tokens if contracts is not None else None)
    return Perpetual(f"{base}/USDT:USDT", wire_id, symbol, tokens, now_open)


def _list_of(rows: Any, read: Callable[[Any], Perpetual | None]) -> Perpetuals:
    """Perpetuals of a list, and the entries that cannot be read.

    Raises:
        UnexpectedBodyError: There is not one; no venue is without.
    """
    found: list[Perpetual] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            perpetual = read(row)
        except (UnreadableValueError, LookupError, TypeError, AttributeError) as error:
            rejected.append(Rejected.of(_reason(error), {"perpetual": row}))
            continue
        if perpetual is not None:
            found.append(perpetual)
    if not found:
        raise UnexpectedBodyError(f"the list of perpetuals has none: {str(rows)[:200]!r}")
    return found, rejected


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableValueError) else "record is not of the known shape"


# -- binance -----------------------------------------------------------------------------------------------------------


async def _ask_binance_list(ccxt: Any) -> Any:
    return await ccxt.fapiPublicGetExchangeInfo()


def _read_binance_list(answer: Any, now: datetime) -> Perpetuals:
    def read(row: Any) -> Perpetual | None:
        is_wanted = _word(row, "contractType") == "PERPETUAL" and _word(row, "quoteAsset") == "USDT"
        is_wanted = is_wanted and _word(row, "status") == "TRADING"
        return _perpetual(_word(row, "symbol"), _word(row, "baseAsset")) if is_wanted else None

    return _list_of(answer["symbols"], read)


async def _ask_binance_funding(ccxt: Any, perpetual: Perpetual, begin: int, end: int) -> Any:
    span = {"startTime": begin, "endTime": end, "limit": 1000}
    return await ccxt.fapiPublicGetFundingRate({"symbol": perpetual.wire_id, **span})


def _read_binance_funding(answer: Any, perpetual: Perpetual) -> Answers:
    return _readable(
        answer, lambda row: Settlement(_at_ms(row["fundingTime"]), _number(row, "fundingRate")), perpetual=perpetual
    )


async def _ask_binance_open_interest(ccxt: Any, perpetual: Perpetual) -> Any:
    query = {"symbol": perpetual.wire_id, "period": "1d", "limit": OPEN_INTEREST_DAYS}
    return await ccxt.fapiDataGetOpenInterestHist(query)


def _read_binance_open_interest(answer: Any, perpetual: Perpetual) -> Standings:
    def read(row: Any) -> Standing:
        tokens = _number(row, "sumOpenInterest") * perpetual.tokens_per_contract
        return Standing(_at_ms(row["timestamp"]), _number(row, "sumOpenInterestValue"), tokens)

    return _readable(answer, read, perpetual=perpetual)


# -- okx ---------------------------------------------------------------------------------------------------------------


async def _ask_okx_list(ccxt: Any) -> Any:
    return await ccxt.publicGetPublicInstruments({"instType": "SWAP"})


def _read_okx_list(answer: Any, now: datetime) -> Perpetuals:
    def read(row: Any) -> Perpetual | None:
        if (_word(row, "ctType"), _word(row, "settleCcy"), _word(row, "state")) != ("linear", "USDT", "live"):
            return None
        wire_id = _word(row, "instId")
        return _perpetual(wire_id, wire_id.partition("-")[0], contract_size=_number(row, "ctVal"))

    return _list_of(answer["data"], read)


async def _ask_okx_funding(ccxt: Any, perpetual: Perpetual, begin: int, end: int) -> Any:
    span = {"before": begin - 1, "after": end + 1, "limit": 100}  # both bounds are exclusive
    return await ccxt.publicGetPublicFundingRateHistory({"instId": perpetual.wire_id, **span})


def _read_okx_funding(answer: Any, perpetual: Perpetual) -> Answers:
    return _readable(
        answer["data"],
        lambda row: Settlement(_at_ms(row["fundingTime"]), _number(row, "realizedRate")),
        perpetual=perpetual,
    )


async def _ask_okx_open_interest(ccxt: Any, perpetual: Perpetual) -> Any:
    # A plain 1D is a day of Hong Kong, from 16:00 to 16:00 UTC.
    query = {"instId": perpetual.wire_id, "period": "1Dutc", "limit": OPEN_INTEREST_DAYS}
    return await ccxt.publicGetRubikStatContractsOpenInterestHistory(query)


def _read_okx_open_interest(answer: Any, perpetual: Perpetual) -> Standings:
    def read(row: Any) -> Standing:  # instant, contracts, tokens, USD
        tokens, usd = (read_number(row[column], column=f"column {column}", text_allowed=True) for column in (2, 3))
        return Standing(_at_ms(row[0]), usd, tokens)

    return _readable(answer["data"], read, perpetual=perpetual)


async def _ask_all_okx_open_interest(ccxt: Any) -> Any:
    return await ccxt.publicGetPublicOpenInterest({"instType": "SWAP"})


def _read_all_okx_open_interest(
    answer: Any, perpetuals: Sequence[Perpetual]
) -> tuple[dict[str, Standing], list[Rejected]]:
    by_wire_id = {each.wire_id: each for each in perpetuals}
    found: dict[str, Standing] = {}
    rejected: list[Rejected] = []
    for row in answer["data"]:
        try:
            perpetual = by_wire_id.get(row["instId"])
            if perpetual is not None:
                found[perpetual.market_id] = Standing(_at_ms(row["ts"]), _number(row, "oiUsd"), _number(row, "oiCcy"))
        except (UnreadableValueError, LookupError, TypeError) as error:
            rejected.append(Rejected.of(_reason(error), {"open_interest": row}))
    return found, rejected


# -- kucoin ------------------------------------------------------------------------------------------------------------

_KUCOIN_NAMES: Final = {"XBT": "BTC"}


async def _ask_kucoin_list(ccxt: Any) -> Any:
    return await ccxt.futuresPublicGetContractsActive()


def _read_kucoin_list(answer: Any, now: datetime) -> Perpetuals:
    at_ms = round(now.timestamp() * 1000)

    def read(row: Any) -> Perpetual | None:
        words = (_word(row, "settleCurrency"), _word(row, "status"))
        if _flag(row, "isInverse") or row["expireDate"] or words != ("USDT", "Open"):
            return None
        contracts, price = (
            read_number(row.get(name), column=name, text_allowed=True) for name in ("openInterest", "markPrice")
        )
        return _perpetual(
            _word(row, "symbol"),
            _KUCOIN_NAMES.get(base := _word(row, "baseCurrency"), base),
            contract_size=_number(row, "multiplier"),
            standing=(at_ms, contracts, price),
        )

    return _list_of(answer["data"], read)


async def _ask_kucoin_funding(ccxt: Any, perpetual: Perpetual, begin: int, end: int) -> Any:
    return await ccxt.futuresPublicGetContractFundingRates({"symbol": perpetual.wire_id, "from": begin, "to": end})


def _read_kucoin_funding(answer: Any, perpetual: Perpetual) -> Answers:
    return _readable(
        answer["data"],
        lambda row: Settlement(_at_ms(row["timepoint"]), _number(row, "fundingRate")),
        perpetual=perpetual,
    )


# -- gate --------------------------------------------------------------------------------------------------------------


async def _ask_gate_list(ccxt: Any) -> Any:
    return await ccxt.publicFuturesGetSettleContracts({"settle": "usdt"})


def _read_gate_list(answer: Any, now: datetime) -> Perpetuals:
    at_ms = round(now.timestamp() * 1000)

    def read(row: Any) -> Perpetual | None:
        name = _word(row, "name")
        if _flag(row, "in_delisting") or not name.endswith("_USDT"):
            return None
        contracts, price = (
            read_number(row.get(name), column=name, text_allowed=True) for name in ("position_size", "mark_price")
        )
        return _perpetual(
            name,
            name.removesuffix("_USDT"),
            contract_size=_number(row, "quanto_multiplier") or 1.0,
            standing=(at_ms, contracts, price),
        )

    return _list_of(answer, read)


async def _ask_gate_funding(ccxt: Any, perpetual: Perpetual, begin: int, end: int) -> Any:
    span = {"from": begin // 1000, "to": end // 1000, "limit": 1000}
    return await ccxt.publicFuturesGetSettleFundingRate({"settle": "usdt", "contract": perpetual.wire_id, **span})


def _read_gate_funding(answer: Any, perpetual: Perpetual) -> Answers:
    return _readable(
        answer, lambda row: Settlement(_at_ms(row["t"], per_second=1), _number(row, "r")), perpetual=perpetual
    )


async def _ask_gate_open_interest(ccxt: Any, perpetual: Perpetual) -> Any:
    query = {"contract": perpetual.wire_id, "interval": "1d", "limit": OPEN_INTEREST_DAYS}
    return await ccxt.publicFuturesGetSettleContractStats({"settle": "usdt", **query})


def _read_gate_open_interest(answer: Any, perpetual: Perpetual) -> Standings:
    def read(row: Any) -> Standing:
        tokens = _number(row, "open_interest") * perpetual.tokens_per_contract
        return Standing(_at_ms(row["time"], per_second=1), _number(row, "open_interest_usd"), tokens)

    return _readable(answer, read, perpetual=perpetual)


FORMATS: Final[Mapping[str, DerivativeFormat]] = {
    "binance": DerivativeFormat(
        ask_list=_ask_binance_list,
        read_list=_read_binance_list,
        ask_funding=_ask_binance_funding,
        read_funding=_read_binance_funding,
        funding_days=10_000,
        funding_cost=12.0,  # 500 in five minutes
        is_newest_first=False,
        ask_open_interest=_ask_binance_open_interest,
        read_open_interest=_read_binance_open_interest,
        open_interest_cost=6.0,  # 1,000 in five minutes
    ),
    "okx": DerivativeFormat(
        ask_list=_ask_okx_list,
        read_list=_read_okx_list,
        ask_funding=_ask_okx_funding,
        read_funding=_read_okx_funding,
        funding_days=90,
        is_newest_first=True,
        ask_open_interest=_ask_okx_open_interest,
        read_open_interest=_read_okx_open_interest,
        open_interest_cost=4.0,  # 5 in two seconds
        ask_all_open_interest=_ask_all_okx_open_interest,
        read_all_open_interest=_read_all_okx_open_interest,
    ),
    "kucoin": DerivativeFormat(
        ask_list=_ask_kucoin_list,
        read_list=_read_kucoin_list,
        ask_funding=_ask_kucoin_funding,
        read_funding=_read_kucoin_funding,
        funding_days=90,  # it has more, at three requests a quarter
        funding_cost=1.5,
        is_newest_first=True,
    ),
    "gate": DerivativeFormat(
        ask_list=_ask_gate_list,
        read_list=_read_gate_list,
        ask_funding=_ask_gate_funding,
        read_funding=_read_gate_funding,
        funding_days=1200,
        is_newest_first=True,
        ask_open_interest=_ask_gate_open_interest,
        read_open_interest=_read_gate_open_interest,
    ),
}
"""How perpetuals of a venue look, by its name."""
