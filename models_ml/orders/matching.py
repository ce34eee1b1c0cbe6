"""Which market of a venue trades a token: the one with its ticker, if its price is the token's.

Belongs here: the choice and its reasons. Does not: rules of a market (`market_rules.py`), what is ordered (`plan.py`).

Tickers are not unique: a venue's market may be of another token with the same letters. So a market counts only if its price
agrees with the token's newest close within `PRICE_TOLERANCE`, which is wide because closes may be a week old.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models_ml.orders.market_rules import MarketRules

PRICE_TOLERANCE: Final = 2.0
"""Factor by which a market's price may differ from a close some days old; namesakes are off by far more as a rule."""

LOTS: Final = re.compile(r"^(1000000|10000|1000|1M)([A-Z].*)$")
"""Tickers of tokens that trade in lots: 1000SATS, 1MBABYDOGE; 1INCH stays what it is."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices of a market in its quote, each above 0, the bid not above the ask."""

    bid: Decimal
    ask: Decimal

    @property
    def mid(self) -> Decimal:
        """Halfway between."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Token:
    """A token to find a market for: id, ticker, newest close in USD (None where unknown)."""

    token_id: str
    symbol: str
    price_usd: float | None


@dataclass(frozen=True, slots=True)
class Match:
    """A token's market, or why there is none.

    Attributes:
        rules: The market, None where there is none that can be told to be the token's.
        quote: Its prices, None where the venue quotes none.
        multiple: Tokens in one unit of the market's base.
        problem: Why no order can be made, None where one can.
    """

    rules: MarketRules | None
    quote: Quote | None
    multiple: int
    problem: str | None


def match_markets(
    tokens: Iterable[Token], rules: Mapping[str, MarketRules], quotes: Mapping[str, Quote]
) -> dict[str, Match]:
    """Find each token's market on a venue.

    Args:
        tokens: Tokens wanted.
        rules: The venue's markets in one quote worth about a dollar, by unified name.
        quotes: Prices by unified name; markets without any are missing.

    Returns:
        A match by token_id. A market is given to one token only, the one whose close is nearest to its price.
    """
    by_ticker: dict[str, list[tuple[MarketRules, int]]] = {}
    for market in rules.values():
        ticker, multiple = _ticker_of(market.base)
        by_ticker.setdefault(ticker, []).append((market, multiple))
        if multiple > 1:  # a token may be called so itself
            by_ticker.setdefault(market.base, []).append((market, 1))
    wanted = {token.token_id: token for token in tokens}
    offers = []
    for token in wanted.values():
        for market, multiple in by_ticker.get(token.symbol.upper(), []):
            quote = quotes.get(market.market_id)
            # A market that trades comes before one that does not, which cannot be told from a namesake's by its price.
            rank = (not market.is_active, quote is None, _distance(token, quote, multiple), multiple, token.token_id)
            offers.append((rank, market, quote, multiple, token))
    found: dict[str, Match] = {}
    taken: set[str] = set()
    for rank, market, quote, multiple, token in sorted(offers, key=lambda offer: (offer[0], offer[1].market_id)):
        if token.token_id in found or market.market_id in taken or rank[2] > math.log(PRICE_TOLERANCE):
            continue
        found[token.token_id] = Match(market, quote, multiple, _problem_of(market, quote))
        taken.add(market.market_id)
    for token_id, token in wanted.items():
        if token_id not in found:
            found[token_id] = Match(None, None, 1, _why_none(token, by_ticker, quotes))
    return found


def quotes_from_closes(tokens: Iterable[Token], rules: Mapping[str, MarketRules]) -> dict[str, Quote]:
    """Closes in place of a venue's prices: bid and ask are both the close. Where tokens share a ticker the first of them counts.

    Nothing is left then to tell namesakes by.
    """
    closes: dict[str, float] = {}
    for token in tokens:
        if token.price_usd:
            closes.setdefault(token.symbol.upper(), token.price_usd)
    quotes = {}
    for market in rules.values():
        ticker, multiple = _ticker_of(market.base)
        ticker, multiple = (market.base, 1) if market.base in closes else (ticker, multiple)
        if ticker in closes:
            price = Decimal(str(closes[ticker])) * multiple
            quotes[market.market_id] = Quote(price, price)
    return quotes


def _ticker_of(base: str) -> tuple[str, int]:
    lot = LOTS.match(base)
    if lot is None:
        return base, 1
    return lot[2], 1_000_000 if lot[1] == "1M" else int(lot[1])


def _distance(token: Token, quote: Quote | None, multiple: int) -> float:
    """How far a market's price is from the token's close, a logarithm; 0 where one of them is unknown."""
    if quote is None or not token.price_usd:
        return 0.0
    return abs(math.log(float(quote.mid) / multiple / token.price_usd))


def _problem_of(market: MarketRules, quote: Quote | None) -> str | None:
    if not market.is_active:
        return f"the venue has halted {market.market_id}"
    if market.precision is None:
        return f"the venue states no step of amounts for {market.market_id}"
    if quote is None:
        return f"the venue quotes no price for {market.market_id}"
    return None


def _why_none(token: Token, by_ticker: Mapping[str, list[tuple[MarketRules, int]]], quotes: Mapping[str, Quote]) -> str:
    ticker = token.symbol.upper()
    others = [market.market_id for market, _ in by_ticker.get(ticker, [])]
    if not others:
        return f"the venue has no market for {ticker} in this quote"
    prices = ", ".join(f"{name} {float(quotes[name].mid):.6g}" for name in others if name in quotes)
    return f"{', '.join(others)} trades another token, by its price ({prices}; the close is {token.price_usd or 0:.6g} USD)"
