"""Lines of an order plan: markets with steps and minimums, quotes and holdings."""

from decimal import Decimal

import pytest

from models_ml.orders.market_rules import MarketRules
from models_ml.orders.matching import Match, Quote
from models_ml.orders.plan import Line


@pytest.fixture
def line():
    """Makes one line; the market has a step of 0.001, a smallest order of 5 USDT and a fee of 0.1 % unless told otherwise."""

    def make(symbol, weight, *, held="0", bid="10", ask=None, multiple=1, problem=None, close=None, **rules):
        market = MarketRules(
            **{
                "market_id": f"{symbol}/USDT",
                "base": symbol,
                "quote": "USDT",
                "precision": 0.001,
                "smallest_notional": 5.0,
                **rules,
            }
        )
        quote = None if bid is None else Quote(Decimal(bid), Decimal(ask or bid))
        return Line(
            token_id=symbol.lower(),
            symbol=symbol,
            target_weight=weight,
            units=Decimal(held),
            match=Match(market, quote, multiple, problem),
            close=None if close is None else Decimal(close),
        )

    return make
