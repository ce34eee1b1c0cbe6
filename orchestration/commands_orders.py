"""The command `orders`: what to trade on a venue to hold an index, as a table and as CSV. Nothing is sent anywhere.

Belongs here: arguments of the command, where the venue's rules come from, what is printed.
Does not: reading and planning (`lib/order_sheets.py`, `models_ml/orders`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb

from models_ml.orders.market_rules import FeeKind
from models_ml.orders.plan import PlanRules
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.order_sheets import (
    DOLLAR_QUOTES,
    Holdings,
    OrderSheet,
    cash_share,
    make_sheet,
    read_holdings,
    read_targets,
    read_tokens,
    write_sheet,
)
from orchestration.settings import Settings, load_settings
from orchestration.sources.exchanges.order_rules import VenueState, fetch_venue_state
from orchestration.sources.exchanges.venues import VENUES

SHOWN_ORDERS = 120
"""Orders that are printed; the CSV has all."""


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """What a user asks for, as it was written.

    Attributes:
        index_id: The index.
        venue: Name of the venue.
        capital: Quote currency to invest besides the holdings; None for nothing.
        holdings: CSV file of present holdings.
        quote: Currency that is paid with; None for the venue's first.
        markets: JSON file of the venue's markets; None asks the venue.
        fee_kind: Which fee of the venue.
        is_missing_spread: Whether the weight of tokens without a market goes to the others.
    """

    index_id: str
    venue: str
    capital: str | None
    holdings: Path | None
    quote: str | None
    markets: Path | None
    fee_kind: FeeKind
    is_missing_spread: bool


def plan_index_orders(request: OrderRequest) -> int:
    """Plan the orders of an index, print them and write them into the data folder.

    Raises:
        TidemarkError: An argument cannot work, nothing is published yet, or the venue cannot be read.
    """
    settings = load_settings()
    folder = DataFolder(settings.folder)
    folder.check(settings.kind)
    if request.venue not in VENUES:
        raise TidemarkError(f"VENUE={request.venue} is unknown; choose among {', '.join(VENUES)}")
    quote = (request.quote or VENUES[request.venue].quotes[0]).upper()
    if quote not in DOLLAR_QUOTES:
        raise TidemarkError(
            f"QUOTE={quote} is not worth a dollar, which closes are in; choose among {', '.join(DOLLAR_QUOTES)}"
        )
    capital = _capital(request)
    published = folder.published / "warehouse.duckdb"
    if not published.exists():
        raise TidemarkError(f"{folder.published} has nothing published yet; run make run first")
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        targets = read_targets(connection, request.index_id)
        tokens = read_tokens(connection)
    holdings = Holdings()
    if request.holdings is not None:
        holdings = read_holdings(request.holdings, tokens, members=targets.weights, quote=quote)
    state = _venue_state(settings, request, targets.as_of_week)
    rules = PlanRules(fee_kind=request.fee_kind, is_missing_spread=request.is_missing_spread)
    sheet = make_sheet(targets, tokens, holdings, state, quote=quote, capital=capital, rules=rules)
    own = folder.root / "orders" / f"{request.index_id}_{request.venue}_{targets.as_of_week}"
    paths = write_sheet(sheet, own)
    print_sheet(sheet, fee_kind=request.fee_kind)
    print(f"\nWritten to {own}: {', '.join(path.name for path in paths.values())}")
    print(
        "Nothing was sent: placing orders and keeping the tokens is yours. holdings_after.csv is the next run's HOLDINGS."
    )
    return 0


def print_sheet(sheet: OrderSheet, *, fee_kind: FeeKind) -> None:
    """Print a plan: what it rests on, the orders, what is skipped, and what is reached."""
    plan, quote, state = sheet.plan, sheet.quote, sheet.state
    when = "an unknown time" if state.asked_at is None else f"{state.asked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    prices = "closes of the published copy" if sheet.is_priced_by_closes else f"bid and ask of {when}"
    print(
        f"{sheet.targets.index_id} on {state.venue} in {quote}: weights of {sheet.targets.effective_at:%Y-%m-%d %H:%M} UTC "
        f"(week {sheet.targets.as_of_week}), prices: {prices}, {fee_kind} fees"
    )
    print(f"Worth {plan.worth_before:,.2f} {quote}, of it cash {plan.cash_before:,.2f}")
    if plan.orders:
        rows = [
            (
                *(str(number), order.side, order.market_id, f"{order.amount:f}", f"{order.price:f}"),
                *(
                    f"{order.notional:,.2f}",
                    f"{order.fee:,.4f}",
                    order.reason + (f"; {order.note}" if order.note else ""),
                ),
            )
            for number, order in enumerate(plan.orders[:SHOWN_ORDERS], start=1)
        ]
        print()
        _print_table(
            ("", "side", "market", "amount", "price", f"notional {quote}", f"fee {quote}", "reason"),
            rows,
            left={1, 2, 7},
        )
        if len(plan.orders) > SHOWN_ORDERS:
            print(f"... and {len(plan.orders) - SHOWN_ORDERS} more in the file")
    else:
        print("No orders: what is held is within a step and a hundredth of what the index holds.")
    if plan.skipped:
        print("\nNot traded:")
        _print_table(
            ("token", f"off by {quote}", "why"),
            [(each.symbol, f"{each.value:+,.2f}", each.reason) for each in plan.skipped],
            left={0, 2},
        )
    count = {side: sum(order.side == side for order in plan.orders) for side in ("sell", "buy")}
    print(
        f"\n{count['sell']} sales, {count['buy']} purchases, fees {plan.fees:,.2f}; afterwards worth {plan.worth_after:,.2f} "
        f"{quote}, of it cash {plan.cash_after:,.2f} ({cash_share(plan):.2%}, wanted {plan.cash_target_weight:.2%}); "
        f"largest distance from a weight wanted {plan.largest_difference:.2%}"
    )


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, left: set[int]) -> None:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        cells = (
            text.ljust(width) if column in left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def _capital(request: OrderRequest) -> Decimal:
    if not request.capital:
        if request.holdings is None:
            raise TidemarkError(
                "say what is to be invested: CAPITAL=10000, or HOLDINGS=file.csv of what is held, or both"
            )
        return Decimal(0)
    try:
        capital = Decimal(request.capital)
    except InvalidOperation:
        capital = Decimal("NaN")
    if not capital.is_finite() or capital < 0:
        raise TidemarkError(
            f"CAPITAL={request.capital} is no amount of 0 or more; write it as a plain number, e.g. CAPITAL=10000"
        )
    return capital


def _venue_state(settings: Settings, request: OrderRequest, as_of_week: date) -> VenueState:
    """The venue's rules and prices: from the file that was given, else from the venue, which a sandbox stands for in a simulation."""
    if request.markets is not None:
        return VenueState.load(request.markets, venue=request.venue)
    if settings.source == "archive":
        raise TidemarkError(
            "an archive has no markets of a venue; ask it with SOURCE=live, or give MARKETS=file.json saved from ccxt's "
            "load_markets()"
        )
    from orchestration.lib.connections import open_connections
    from orchestration.lib.loads.exchange_lists import exchange_run

    with open_connections(settings, lambda _: None) as connections:
        last = as_of_week - timedelta(days=1)
        reach = connections.reach(last=last, first=last, partition="day")
        venues = exchange_run(connections).venues

        async def ask() -> VenueState:
            return await fetch_venue_state(await venues.open(request.venue), now=reach.now)

        return venues.run(ask())
