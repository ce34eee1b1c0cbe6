"""Which market of which exchange stands for a token: one for its candles, one for its order book, one perpetual.

Belongs here: the choice, from lists that were read. Does not: reading them (`exchange_lists.py`), asking (`exchanges.py`).

One candle request a token and day is what the budget allows, so every ticker is asked at one venue. A token keeps its venue
as long as the market lives there; a change would join two price series.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.perpetuals import Perpetual, token_of
from orchestration.sources.exchanges.venues import VENUES

DEAD_AFTER: Final = timedelta(days=30)
"""A market that does not trade any more and has had no candle for so long is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleWish:
    """What the choice of candle markets rests on.

    Attributes:
        listed: Markets of each venue that answered, by name in the order of its word.
        landed: Newest landed day of each venue's markets, of the venues that are down too.
        universe: Tickers to follow, upper case, the most important first.
        turnover: Turnover of 24 hours by ticker, USD over all venues.
        most: Tokens to follow in all, beyond the universe.
        last: Last day of the load.
        fills_history: Whether markets that are dead already are wanted for their past.
    """

    listed: Mapping[str, Sequence[Market]]
    landed: Mapping[str, Mapping[str, date]]
    universe: Sequence[str]
    turnover: Mapping[str, float]
    most: int
    last: date
    fills_history: bool


def plan_candles(wish: CandleWish) -> dict[str, list[Market]]:
    """Choose the market of each token: markets to ask for candles, by venue.

    1. A market with landed candles stays, until it is dead or, where its token lives on elsewhere, the better one is dead.
    2. Tokens of the universe come next, at the first venue where they trade.
    3. Then further tokens by turnover, up to `most` in all.

    The universe is never cut: tokens that left it are followed on, and must not keep the newcomers out.

    A token whose venue is down keeps it and is not asked today; one without any history takes the next venue.

    Returns:
        Every venue that answered, with its markets in the order of their importance.
    """
    by_name = {venue: {each.market_id: each for each in markets} for venue, markets in wish.listed.items()}
    holders = _holders(wish, by_name)
    known = {ticker_of(market_id) for landed in wish.landed.values() for market_id in landed}
    choices = {venue: _best_by_ticker(venue, markets) for venue, markets in wish.listed.items()}
    universe = set(wish.universe)
    wanted = dict.fromkeys([*wish.universe, *_by_turnover(choices, wish.turnover)])
    for ticker in wanted:
        if ticker in holders:
            continue
        if len(holders) >= wish.most and ticker not in universe:
            break
        offers = [(venue, best[ticker]) for venue, best in choices.items() if ticker in best]
        trading = next(((venue, market) for venue, market in offers if market.is_active), None)
        past = next(iter(offers), None) if wish.fills_history and ticker not in known else None
        if chosen := trading or past:
            holders[ticker] = chosen
    rank = {ticker: number for number, ticker in enumerate(wanted)}
    plan: dict[str, list[Market]] = {venue: [] for venue in wish.listed}
    for _, (venue, market) in sorted(holders.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0])):
        if market is not None:
            plan[venue].append(market)
    return plan


def plan_books(
    listed: Mapping[str, Sequence[Market]], turnover: Mapping[str, Mapping[str, float]], *, most: int
) -> dict[str, list[Market]]:
    """Choose whose order book is read, and where: the tokens of the largest turnover, each at its most liquid venue.

    A token whose most liquid venue is down keeps it and has no book today: the one of another venue would be compared with
    yesterday's as if it were the same.

    Args:
        listed: Markets by venue that answered.
        turnover: Turnover of 24 hours by venue and market, USD; of a venue that is down as it was last known.
        most: Tokens wanted.
    """
    by_name = {venue: {each.market_id: each for each in markets} for venue, markets in listed.items()}
    best: dict[str, tuple[float, str, str]] = {}
    total: dict[str, float] = {}
    for venue, traded_by_market in turnover.items():
        for market_id, traded in traded_by_market.items():
            market = by_name.get(venue, {}).get(market_id)
            if market is not None and not market.is_active:
                continue
            ticker = ticker_of(market_id)
            total[ticker] = total.get(ticker, 0.0) + traded
            if ticker not in best or traded > best[ticker][0]:
                best[ticker] = (traded, venue, market_id)
    largest = sorted(total, key=lambda ticker: (-total[ticker], ticker))[:most]
    plan: dict[str, list[Market]] = {venue: [] for venue in listed}
    for _, venue, market_id in (best[ticker] for ticker in largest):
        if market := by_name.get(venue, {}).get(market_id):
            plan[venue].append(market)
    return plan


def plan_perpetuals(
    listed: Mapping[str, Sequence[Perpetual]],
    landed: Mapping[str, Mapping[str, date]],
    *,
    whole: Collection[str],
    tokens: Sequence[str],
    most: int,
    last: date,
) -> dict[str, list[Perpetual]]:
    """Choose the perpetuals whose history is followed: those that were before and trade still, then the largest tokens'.

    Args:
        listed: Perpetuals by venue that answered, in the order of the venues' word; one that ended is not among them.
        landed: Newest landed day of each venue's perpetuals, of the venues that are down too.
        whole: Venues whose list lacks nothing; behind one that does, no token is given to the next venue.
        tokens: Tickers wanted, the most important first.
        most: Tokens to follow in all; a newcomer among the more important half of them is followed beyond that.
        last: Last day of the load.
    """
    plan: dict[str, list[Perpetual]] = {
        venue: [each for each in perpetuals if each.market_id in landed.get(venue, {})]
        for venue, perpetuals in listed.items()
    }
    taken = {each.symbol for followed in plan.values() for each in followed}
    for venue, days in landed.items():
        if venue not in listed:  # down today, so its perpetuals keep their places
            alive = (name for name, day in days.items() if day >= last - DEAD_AFTER)
            taken |= {token_of(ticker_of(name))[0] for name in alive}
    offers: dict[str, tuple[str, Perpetual]] = {}
    for venue, perpetuals in listed.items():
        for each in perpetuals:
            offers.setdefault(each.symbol, (venue, each))
        if venue not in whole:
            break
    # Ranks by a day's turnover come and go at the lower end, and each newcomer there would cost a history.
    important = [name for name in tokens if name in offers or name in taken][: most // 2]
    newcomers = [name for name in tokens if name in offers and name not in taken]
    for ticker in dict.fromkeys(
        [*newcomers[: max(0, most - len(taken))], *(name for name in important if name not in taken)]
    ):
        venue, perpetual = offers[ticker]
        plan[venue].append(perpetual)
    return plan


def ticker_of(market_id: str) -> str:
    """The ticker in a market's name: BTC of BTC/USDT."""
    return market_id.partition("/")[0].upper()


def _holders(wish: CandleWish, by_name: Mapping[str, Mapping[str, Market]]) -> dict[str, tuple[str, Market | None]]:
    """Of every followed token the market that has it: of several living ones that with the newest candle."""
    holders: dict[str, tuple[str, Market | None]] = {}
    newest: dict[str, date] = {}
    for venue, landed in wish.landed.items():
        for market_id, day in landed.items():
            ticker = ticker_of(market_id)
            market = by_name.get(venue, {}).get(market_id)
            is_down = venue not in by_name
            is_trading = market is not None and market.is_active
            is_alive = is_down or is_trading or day >= wish.last - DEAD_AFTER
            if is_alive and (ticker not in newest or day > newest[ticker]):
                holders[ticker], newest[ticker] = (venue, market), day
    return holders


def _best_by_ticker(venue: str, markets: Iterable[Market]) -> dict[str, Market]:
    """The market of each ticker at one venue: one that trades, in the quote that is traded most there."""
    quotes = VENUES[venue].quotes
    best: dict[str, Market] = {}
    for market in sorted(markets, key=lambda each: (not each.is_active, quotes.index(each.quote), each.market_id)):
        best.setdefault(market.symbol, market)
    return best


def _by_turnover(choices: Mapping[str, Mapping[str, Market]], turnover: Mapping[str, float]) -> list[str]:
    tickers = {ticker for best in choices.values() for ticker in best}
    return sorted(tickers, key=lambda ticker: (-turnover.get(ticker, 0.0), ticker))
