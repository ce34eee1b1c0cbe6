"""Orders of an index on a venue: what is read for them, what is planned, and the files that are written.

Belongs here: targets and closes from the published copy, the user's holdings, tables and CSV.
Does not: the plan (`models_ml/orders`), asking a venue (`orchestration/sources/exchanges/order_rules.py`), arguments and
what is said (`orchestration/commands_orders.py`). Nothing here sends an order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import duckdb

from models_ml.orders.errors import MarketRulesError, OrderDataError
from models_ml.orders.market_rules import read_market_rules
from models_ml.orders.matching import Token, match_markets, quotes_from_closes
from models_ml.orders.plan import Line, OrderPlan, PlanRules, plan_orders
from orchestration.lib.errors import TidemarkError
from orchestration.sources.exchanges.order_rules import VenueState

DOLLAR_QUOTES: Final = ("USDT", "USDC", "USD", "FDUSD")
"""Currencies an order sheet can be in: closes are in dollars, and a stablecoin is taken as one."""

ORDER_COLUMNS: Final = (
    *("number", "market", "side", "amount_base", "price_quote", "notional_quote", "fee_quote", "fee_taken_in"),
    *("token_id", "symbol", "reason", "note"),
)
SKIPPED_COLUMNS: Final = ("token_id", "symbol", "market", "difference_quote", "reason")
HOLDING_COLUMNS: Final = ("token_id", "symbol", "amount")
LARGEST_EXPONENT: Final = 30
"""Powers of ten that an amount may have: exact arithmetic writes out all digits of `1e999999999`."""

WEIGHT_COLUMNS: Final = ("token_id", "symbol", "amount", "value_quote", "target_weight", "weight", "difference")


@dataclass(frozen=True)
class Targets:
    """What an index holds, or is about to.

    Attributes:
        index_id: The index.
        as_of_week: Week of the published composition.
        effective_at: Instant the weights hold from: 00:00 UTC of the week, or that of a rebalance decided then.
        weights: Fraction by token_id, summing to 1.
    """

    index_id: str
    as_of_week: date
    effective_at: datetime
    weights: Mapping[str, float]


@dataclass(frozen=True)
class KnownToken:
    """A token of the published copy: its ticker in upper case, whether it is pegged to a currency, newest close and cap."""

    token_id: str
    symbol: str
    is_stable: bool
    close_usd: float | None
    market_cap_usd: float


@dataclass(frozen=True)
class Holdings:
    """What a user holds: tokens by token_id, and the quote currency."""

    units: Mapping[str, Decimal] = field(default_factory=dict)
    cash: Decimal = Decimal(0)


@dataclass(frozen=True)
class OrderSheet:
    """A plan with what it rests on.

    Attributes:
        targets: What the index holds.
        state: The venue as it was asked.
        quote: Currency of all values.
        is_priced_by_closes: Whether closes stood in for the venue's prices, which the file of markets lacks.
        plan: Orders, what is skipped, and what is reached.
    """

    targets: Targets
    state: VenueState
    quote: str
    is_priced_by_closes: bool
    plan: OrderPlan


def read_targets(connection: duckdb.DuckDBPyConnection, index_id: str) -> Targets:
    """The newest published weights of an index: the composition of the newest week, or the rebalance decided then for later.

    Raises:
        TidemarkError: There is no such index, or it holds nothing in the newest week.
    """
    known = [row[0] for row in connection.execute("select index_id from api.indices order by index_id").fetchall()]
    if index_id not in known:
        raise TidemarkError(
            f"INDEX={index_id} is no published index; choose among {', '.join(known) or 'none: run make run'}"
        )
    week = _one(connection, "select max(as_of_week) from api.index_compositions")
    held = connection.execute(
        "select token_id, weight from api.index_compositions where index_id = ? and as_of_week = ? and weight > 0 order by all",
        [index_id, week],
    ).fetchall()
    opens = datetime.combine(week, time(), UTC)
    decided = connection.execute(
        """
        select effective_at, token_id, target_weight from api.index_rebalances
        where index_id = ? and effective_at > ? and target_weight > 0
        qualify effective_at = max(effective_at) over () order by token_id
        """,
        [index_id, opens],
    ).fetchall()
    if decided:
        weights = {token_id: weight for _, token_id, weight in decided}
        return Targets(index_id, week, decided[0][0].astimezone(UTC), _summing_to_one(weights))
    if not held:
        reason = connection.execute(
            "select status_reason from api.index_levels where index_id = ? and date < ? order by date desc limit 1",
            [index_id, week],
        ).fetchone()
        why = f": {reason[0]}" if reason and reason[0] else ""
        raise TidemarkError(f"INDEX={index_id} holds nothing in week {week}{why}; wait for its next composition")
    return Targets(index_id, week, opens, _summing_to_one(dict(held)))


def read_tokens(connection: duckdb.DuckDBPyConnection) -> dict[str, KnownToken]:
    """Every published token by token_id, with its newest close."""
    rows = connection.execute(
        """
        select tokens.token_id, upper(tokens.symbol), tokens.is_stable, daily.price_usd, coalesce(daily.market_cap_usd, 0)
        from api.tokens as tokens
        left join (
            select token_id, arg_max(price_usd, date) as price_usd, arg_max(market_cap_usd, date) as market_cap_usd
            from api.daily where price_usd > 0 group by token_id
        ) as daily on tokens.token_id = daily.token_id
        order by tokens.token_id
        """
    ).fetchall()
    return {row[0]: KnownToken(row[0], row[1] or "", bool(row[2]), row[3], row[4]) for row in rows}


def read_holdings(path: Path, tokens: Mapping[str, KnownToken], *, members: Iterable[str], quote: str) -> Holdings:
    """Read a user's holdings: CSV with the columns token_id or symbol, and amount.

    A row whose symbol is the quote currency is cash. A symbol that several tokens share means the one the index holds, else the
    largest. Rows of one token add up.

    Raises:
        TidemarkError: The file cannot be read, or a row names no known token or has no amount; all such rows are named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TidemarkError(
            f"HOLDINGS={path} cannot be read ({error}); give a CSV file with token_id or symbol, and amount"
        ) from None
    columns = set(rows[0]) if rows else set()
    if rows and ("amount" not in columns or not columns & {"token_id", "symbol"}):
        found = ", ".join(str(name) for name in rows[0])
        raise TidemarkError(f"HOLDINGS={path} has the columns {found}; it needs amount, and token_id or symbol")
    preferred = _by_symbol(tokens, set(members))
    units: dict[str, Decimal] = {}
    cash = Decimal(0)
    problems: list[str] = []
    for number, row in enumerate(rows, start=2):
        token_id, symbol = ((row.get(name) or "").strip() for name in ("token_id", "symbol"))
        amount = _amount(row.get("amount"))
        name = token_id or symbol.upper()
        if amount is None:
            problems.append(f"line {number} ({name}): amount {row.get('amount')!r} is no number of 0 or more")
        elif _is_cash(token_id, symbol, tokens, quote):
            cash += amount
        elif token_id in tokens:
            units[token_id] = units.get(token_id, Decimal(0)) + amount
        elif not token_id and symbol.upper() in preferred:
            found_id = preferred[symbol.upper()]
            units[found_id] = units.get(found_id, Decimal(0)) + amount
        else:
            problems.append(f"line {number}: {name or 'a row without a name'} is no known token")
    if problems:
        raise TidemarkError(
            f"HOLDINGS={path}: {'; '.join(problems)}. Tokens are those of api.tokens; correct the rows or take them out"
        )
    return Holdings(units, cash)


def make_sheet(
    targets: Targets,
    tokens: Mapping[str, KnownToken],
    holdings: Holdings,
    state: VenueState,
    *,
    quote: str,
    capital: Decimal,
    rules: PlanRules,
) -> OrderSheet:
    """Plan the orders.

    Args:
        targets: What the index holds.
        tokens: Published tokens.
        holdings: What the user holds.
        state: The venue.
        quote: Currency of the markets and of all values.
        capital: Quote currency to invest besides what the holdings list.
        rules: Choices of the user.

    Raises:
        TidemarkError: The venue has no market in the quote, its table cannot be read, or there is nothing to invest.
    """
    try:
        markets = read_market_rules(state.markets, quote=quote, precision_mode=state.precision_mode)
    except MarketRulesError as error:
        raise TidemarkError(f"{state.venue}: {error}") from None
    if not markets:
        raise TidemarkError(
            f"{state.venue} has no spot market in {quote}; choose another: QUOTE={_other_quotes(state)}"
        )
    named = set(targets.weights) | {name for name, units in holdings.units.items() if units > 0}
    # Largest weight first: where tickers are shared and there is no price to tell them apart, the index's own token counts.
    wanted = [
        Token(name, tokens[name].symbol, tokens[name].close_usd)
        for name in sorted(named, key=lambda name: (-targets.weights.get(name, 0.0), name))
        if not _is_quote(tokens[name], quote)
    ]
    quotes = dict(state.quotes) or quotes_from_closes(wanted, markets)
    matches = match_markets(wanted, markets, quotes)
    lines = [
        Line(
            token_id=token.token_id,
            symbol=token.symbol,
            target_weight=targets.weights.get(token.token_id, 0.0),
            units=holdings.units.get(token.token_id, Decimal(0)),
            match=matches[token.token_id],
            close=None if token.price_usd is None else Decimal(str(token.price_usd)),
        )
        for token in wanted
    ]
    as_quote = [name for name in named if _is_quote(tokens[name], quote)]
    cash = capital + holdings.cash + sum((holdings.units.get(name, Decimal(0)) for name in as_quote), Decimal(0))
    try:
        plan = plan_orders(
            lines, cash=cash, cash_weight=sum(targets.weights.get(name, 0.0) for name in as_quote), rules=rules
        )
    except OrderDataError as error:
        raise TidemarkError(str(error)) from None
    return OrderSheet(targets, state, quote, not state.quotes, plan)


def write_sheet(sheet: OrderSheet, folder: Path) -> dict[str, Path]:
    """Write the tables of a sheet as CSV and the venue's markets as JSON, over those of the same name.

    Returns:
        Path by table: orders, skipped, weights, holdings_after (which is a HOLDINGS file), markets.
    """
    plan, quote = sheet.plan, sheet.quote
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, tuple[Sequence[str], list[tuple[object, ...]]]] = {
        "orders": (
            ORDER_COLUMNS,
            [
                (
                    *(number, order.market_id, order.side, _plain(order.amount), _plain(order.price)),
                    *(_plain(order.notional), _plain(order.fee)),
                    order.symbol if order.is_fee_in_base and order.side == "buy" else quote,
                    *(order.token_id, order.symbol, order.reason, order.note or ""),
                )
                for number, order in enumerate(plan.orders, start=1)
            ],
        ),
        "skipped": (
            SKIPPED_COLUMNS,
            [
                (each.token_id, each.symbol, each.market_id or "", f"{each.value:.2f}", each.reason)
                for each in plan.skipped
            ],
        ),
        "weights": (
            WEIGHT_COLUMNS,
            [
                *(
                    (
                        *(each.token_id, each.symbol, _plain(each.units), f"{each.value:.2f}"),
                        *_weights(each.target_weight, each.weight),
                    )
                    for each in plan.reached
                ),
                (
                    "",
                    quote,
                    _plain(plan.cash_after),
                    f"{plan.cash_after:.2f}",
                    *_weights(plan.cash_target_weight, cash_share(plan)),
                ),
            ],
        ),
        "holdings_after": (
            HOLDING_COLUMNS,
            [
                *((each.token_id, each.symbol, _plain(each.units)) for each in plan.reached if each.units > 0),
                ("", quote, _plain(plan.cash_after)),
            ],
        ),
    }
    paths = {}
    for name, (columns, rows) in tables.items():
        paths[name] = folder / f"{name}.csv"
        with paths[name].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
    paths["markets"] = folder / "markets.json"
    sheet.state.save(paths["markets"])
    return paths


def cash_share(plan: OrderPlan) -> float:
    """Fraction of the portfolio that is cash after the orders."""
    return float(plan.cash_after / plan.worth_after) if plan.worth_after else 0.0


def _weights(target: float, reached: float) -> tuple[str, str, str]:
    return f"{target:.6f}", f"{reached:.6f}", f"{reached - target:+.6f}"


def _plain(value: Decimal) -> str:
    """A decimal without exponent and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    is_usable = amount.is_finite() and amount >= 0 and -LARGEST_EXPONENT <= amount.adjusted() <= LARGEST_EXPONENT
    return amount if is_usable else None


def _by_symbol(tokens: Mapping[str, KnownToken], members: set[str]) -> dict[str, str]:
    """The token a ticker means: the index's own, else the largest by market cap."""
    ranked = sorted(tokens.values(), key=lambda each: (each.token_id in members, each.market_cap_usd), reverse=True)
    found: dict[str, str] = {}
    for token in ranked:
        found.setdefault(token.symbol, token.token_id)
    return found


def _is_cash(token_id: str, symbol: str, tokens: Mapping[str, KnownToken], quote: str) -> bool:
    if token_id:
        return token_id in tokens and _is_quote(tokens[token_id], quote)
    return symbol.upper() == quote


def _is_quote(token: KnownToken, quote: str) -> bool:
    """Whether a token is the quote currency itself, so that holding it is holding cash."""
    return token.is_stable and token.symbol == quote


def _other_quotes(state: VenueState) -> str:
    listed = {entry.get("quote") for entry in state.markets.values() if entry.get("spot")}
    return ", ".join(quote for quote in DOLLAR_QUOTES if quote in listed) or "none is in dollars there"


def _summing_to_one(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> date:
    row = connection.execute(sql).fetchone()
    if row is None or row[0] is None:
        raise TidemarkError("no composition has been published yet; run make run first")
    value: date = row[0]
    return value
