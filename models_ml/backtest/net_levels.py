"""Levels before and after costs, from published rebalances: what an investor with so much money would have had.

Belongs here: the walk over days that trades from one basket to the next.
Does not: what a trade costs (`costs.py`), figures of a level (`statistics.py`), how much money is too much (`capacity.py`).

The rules of the walk, stated because a reader of a net level must know them:
- The gross level is that of `models_ml/indices/levels.py`: units times last known close, chained, no costs.
- A portfolio holds tokens and dollars that earn nothing. Stablecoins are tokens like others. A portfolio does not see
  others: what two indices trade in one token does not add up.
- Trades are made at the close a rebalance is priced at, and the level of that close is the one before them: an index
  starts at its base, and what a trade costs shows in the level of the next day.
- Sales come first. They pay for the purchases and for all costs; where the money does not suffice, all purchases of the
  day shrink by one factor, so costs come out of what is bought and there is never any debt.
- No trade exceeds a share of the day's volume without wash trading (5 %); on a day without a known volume nothing is
  traded. What is left is carried to the next day's close, and so on until it is filled or the next rebalance comes.
  An order that is carried follows the basket: it aims at the weight the gross index has by then, of what the portfolio
  is worth by then. Until then sales are still invested in what they should not be, and purchases wait as cash.
- A purchase ends when the cash has run out and no sale is left to bring more, or when its token has caught up by itself.
- A token without any price at its rebalance is not bought; its weight stays in cash until the next one.
- A token without a price for 30 days is worth nothing until it has one again: nobody could have sold it at the last one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.costs import DEFAULT_COSTS, TradingCosts
from models_ml.backtest.errors import BacktestDataError, with_columns_of
from models_ml.backtest.panel import Goal, Goals, Panel
from models_ml.backtest.paper_portfolio import WeeklyHoldings
from models_ml.indices.market import PRICE_SCHEMA, PriceLookup
from models_ml.indices.state import ONE_DAY

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CAPITALS_USD = (1e4, 1e5, 1e6, 1e7)
BASE_LEVEL = 1000.0
FILLED = 1e-12  # of what the portfolio is worth: an order smaller than that is rounding
NEWTON_STEPS = 8

NET_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "index_id": pl.String(),
    "capital_usd": pl.Float64(),
    "level_net": pl.Float64(),
    "cost_paid": pl.Float64(),
    "turnover": pl.Float64(),
    "carried_weight": pl.Float64(),
    "cash_weight": pl.Float64(),
}
GROSS_SCHEMA: dict[str, pl.DataType] = {"date": pl.Date(), "index_id": pl.String(), "level": pl.Float64()}


@dataclass(frozen=True)
class TradingRules:
    """How trades are limited.

    Attributes:
        share_of_volume: Largest trade as a share of the day's volume without wash trading; None for no limit, then a
            token trades at its last known price even where it has none of the day, as the gross level has it.
        write_off_after_days: A close older than this is worth nothing; None keeps the last one for ever.
        is_capital_constant: Whether volumes are set against the capital all along, as if gains were taken out and
            losses made up, instead of against what the capital has become. A level that rose a hundredfold otherwise
            trades a hundred times its capital.

    Raises:
        BacktestDataError: A limit is not positive.
    """

    share_of_volume: float | None = 0.05
    write_off_after_days: int | None = 30
    is_capital_constant: bool = False

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could be traded or nothing would have a value."""
        for name, value in (
            ("share_of_volume", self.share_of_volume),
            ("write_off_after_days", self.write_off_after_days),
        ):
            if value is not None and value <= 0:
                raise BacktestDataError(f"{name} is {value}; it must be above 0, or None for no limit")

    @classmethod
    def unlimited(cls) -> TradingRules:
        """Any amount at the last known price: with free trades the net level is the gross one."""
        return cls(share_of_volume=None, write_off_after_days=None)


DEFAULT_RULES = TradingRules()


def gross_levels(
    rebalances: pl.DataFrame,
    prices: pl.DataFrame,
    *,
    base_level: float | Mapping[str, float] = BASE_LEVEL,
    last_date: dt.date | None = None,
) -> pl.DataFrame:
    """Levels recomputed from rebalances, without costs and without the gaps of weeks in which an index was unavailable.

    Args:
        rebalances: Published rows, one per index, instant and token: index_id, effective_at, token_id, target_weight.
        prices: One row per token and day: market_date, token_id, price_usd.
        base_level: Level at the close of the first rebalance, one for all or by index_id.
        last_date: Last day to value; the last one with prices where None.

    Returns:
        date, index_id, level; one row per index and day from its first rebalance on.

    Raises:
        BacktestDataError: A frame lacks a column, repeats a key or holds what it must not.
    """
    rows = with_columns_of(prices, PRICE_SCHEMA, what="prices", key=("token_id", "market_date"))
    last = last_date or _last_day(rows)
    goals = Goals.of(rebalances, last=last)
    if not goals.by_index:
        return pl.DataFrame(schema=GROSS_SCHEMA)
    closes = np.nan_to_num(PriceLookup(rows).block(goals.token_ids, goals.first, last).prices_usd)
    parts = []
    for index_id, chain in goals.by_index.items():
        starts = [(goal.close_date - goals.first).days for goal in chain]
        worth = np.empty(len(closes) - starts[0])
        level = _base_of(index_id, base_level)
        for goal, start, end in zip(chain, starts, [*starts[1:], len(closes)], strict=True):
            prices_usd = closes[start : end + 1, goal.tokens]  # one day more: the next basket is bought at its close
            has_price = prices_usd[0] > 0
            units = np.divide(goal.weights, prices_usd[0], out=np.zeros_like(goal.weights), where=has_price)
            levels = level * (prices_usd @ units + goal.weights[~has_price].sum())
            worth[start - starts[0] : end - starts[0]] = levels[: end - start]
            level = float(levels[-1])
        days = pl.date_range(chain[0].close_date, last, eager=True)
        parts.append(pl.DataFrame({"date": days, "index_id": [index_id] * len(days), "level": worth}, GROSS_SCHEMA))
    return pl.concat(parts)


def net_levels(
    rebalances: pl.DataFrame,
    daily: pl.DataFrame,
    *,
    capitals_usd: Sequence[float] = CAPITALS_USD,
    costs: TradingCosts | None = DEFAULT_COSTS,
    rules: TradingRules = DEFAULT_RULES,
    base_level: float | Mapping[str, float] = BASE_LEVEL,
    last_date: dt.date | None = None,
    holdings: WeeklyHoldings | None = None,
) -> pl.DataFrame:
    """Levels after costs of indices that are invested with some capital on their first day.

    Args:
        rebalances: Published rows, one per index, instant and token: index_id, effective_at, token_id, target_weight.
        daily: One row per token and day, as `cost_inputs` takes it; days before the first rebalance help to know costs.
        capitals_usd: Amounts invested at the close of the first rebalance.
        costs: What trades cost; None for free ones.
        rules: How trades are limited.
        base_level: Level at the close of the first rebalance, one for all or by index_id.
        last_date: Last day to value; the last one with prices where None.
        holdings: Notes what the portfolios of its capital hold, for whoever wants to know.

    Returns:
        One row per index, capital and day from the first rebalance on: date, index_id, capital_usd,
        level_net (at the close, before the trades made at it),
        cost_paid (of those trades, fraction of what the portfolio was worth),
        turnover (half the sum of what was bought and sold, fraction of the same; the first purchase is about 0.5),
        carried_weight (half the sum of what is left to buy and to sell, fraction of the worth after the trades),
        cash_weight (fraction of the same); by index, capital and day.

    Raises:
        BacktestDataError: A frame lacks a column, repeats a key or holds what it must not; a capital is not positive.
    """
    if not capitals_usd or min(capitals_usd) <= 0:
        raise BacktestDataError(f"capitals_usd are {list(capitals_usd)}; at least one is needed, each above 0")
    last = last_date or _last_day(with_columns_of(daily, PRICE_SCHEMA, what="daily", key=("token_id", "market_date")))
    goals = Goals.of(rebalances, last=last)
    if not goals.by_index:
        return pl.DataFrame(schema=NET_SCHEMA)
    panel = Panel.of(daily, token_ids=goals.token_ids, first=goals.first, last=last, costs=costs)
    books = _Books(list(goals.by_index.values()), np.array(capitals_usd, dtype=np.float64), panel, rules, holdings)
    index_ids = list(goals.by_index)
    if holdings is not None:
        holdings.begin(
            index_ids=index_ids,
            token_ids=goals.token_ids,
            tokens=books.column,
            owners=books.owner,
            began=books.began,
            first=goals.first,
            capitals_usd=capitals_usd,
        )
    figures = books.walk()
    bases = [_base_of(index_id, base_level) for index_id in index_ids]
    return _as_frame(figures, index_ids, capitals_usd, bases, first=goals.first, began=books.began)


def _as_frame(
    figures: Mapping[str, Floats],
    index_ids: Sequence[str],
    capitals_usd: Sequence[float],
    bases: Sequence[float],
    *,
    first: dt.date,
    began: Integers,
) -> pl.DataFrame:
    """Arrays of days x capitals x indices as rows."""
    last = first + ONE_DAY * (len(figures["worth"]) - 1)
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    capitals = np.array(capitals_usd, dtype=np.float64)
    parts = []
    for number, (index_id, base) in enumerate(zip(index_ids, bases, strict=True)):
        start = int(began[number])
        own = {name: values[start:, :, number].T for name, values in figures.items()}  # capitals x days
        worth = own.pop("worth")
        parts.append(
            pl.DataFrame(
                {
                    "date": np.tile(days[start:], len(capitals)),
                    "index_id": pl.repeat(index_id, worth.size, dtype=pl.String, eager=True),
                    "capital_usd": np.repeat(capitals, worth.shape[1]),
                    "level_net": (worth / capitals[:, None] * base).ravel(),
                    **{name: values.ravel() for name, values in own.items()},
                },
                schema=NET_SCHEMA,
            )
        )
    return pl.concat(parts)


@dataclass
class _Books:
    """All portfolios at once, one for each index and capital.

    Arrays of positions have one row per capital and one column per pair of an index and a token it ever holds, the pairs
    of an index side by side; arrays of portfolios have one row per capital and one column per index.
    """

    chains: list[list[Goal]]
    capitals: Floats
    panel: Panel
    rules: TradingRules
    holdings: WeeklyHoldings | None = None
    began: Integers = field(init=False)  # row of the first rebalance of each index

    def __post_init__(self) -> None:
        """Lay out the pairs, and note which index trades on which day."""
        held = [np.unique(np.concatenate([goal.tokens for goal in chain])) for chain in self.chains]
        self.sizes = np.array([len(tokens) for tokens in held])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.column = np.concatenate(held)
        self.owner = np.repeat(np.arange(len(self.chains)), self.sizes)
        self.due: dict[int, list[tuple[int, Integers, Floats]]] = {}
        for number, chain in enumerate(self.chains):
            for goal in chain:
                pairs = self.starts[number] + np.searchsorted(held[number], goal.tokens)
                self.due.setdefault((goal.close_date - self.panel.first).days, []).append((number, pairs, goal.weights))
        self.began = np.array([(chain[0].close_date - self.panel.first).days for chain in self.chains])
        shape = (len(self.capitals), len(self.owner))
        self.units = np.zeros(shape)
        self.side = np.zeros(shape)  # 1 an open purchase, -1 an open sale
        self.cash = np.repeat(self.capitals[:, None], len(self.chains), axis=1)
        self.basket = np.zeros(len(self.owner))  # units of the gross index, which was worth 1 when it bought them
        self.frozen = np.zeros(len(self.chains))  # its weight without a price, as in `indices.levels.Basket`
        self.prices_usd = self.panel.prices_usd
        if self.rules.write_off_after_days is not None:
            is_young = self.panel.price_age_days <= self.rules.write_off_after_days
            self.prices_usd = np.where(is_young, self.prices_usd, 0.0)

    def walk(self) -> dict[str, Floats]:
        """Carry the portfolios from day to day; every array is days x capitals x indices."""
        shape = (len(self.panel.prices_usd), len(self.capitals), len(self.chains))
        names = ("worth", "cost_paid", "turnover", "carried_weight", "cash_weight")
        figures = {name: np.zeros(shape) for name in names}
        for row in range(shape[0]):
            prices = self.prices_usd[row, self.column]
            worth = np.add.reduceat(self.units * prices, self.starts, axis=1) + self.cash
            figures["worth"][row] = worth
            figures["cash_weight"][row] = _ratio(self.cash, worth)
            for number, pairs, weights in self.due.get(row, ()):
                self._set_target(number, pairs, weights, prices, worth[:, number])
            pairs = np.flatnonzero(self.side.any(axis=0))
            if len(pairs):
                traded, found = self._trade(row, pairs, prices, worth)
                for name, values in found.items():
                    figures[name][row][:, traded] = values
            if self.holdings is not None:
                self.holdings.note_close(row, units=self.units, prices=prices, cash=self.cash)
        return figures

    def _set_target(self, number: int, pairs: Integers, weights: Floats, prices: Floats, worth: Floats) -> None:
        """Take over the basket of a rebalance and open an order for every token that is held or to be held."""
        own = slice(self.starts[number], self.starts[number] + self.sizes[number])
        has_price = prices[pairs] > 0
        self.basket[own] = 0.0
        self.basket[pairs[has_price]] = weights[has_price] / prices[pairs[has_price]]
        self.frozen[number] = weights[~has_price].sum()
        value = self.basket[own] * prices[own]
        held = self.units[:, own] * prices[own]
        self.side[:, own] = np.sign(value * worth[:, None] - held)

    def _trade(self, row: int, pairs: Integers, prices: Floats, worth: Floats) -> tuple[Integers, dict[str, Floats]]:
        """Fill what can be filled of the orders for some pairs.

        Returns:
            The indices that own the pairs, and figures as arrays of capitals x these indices.
        """
        basket_value = np.add.reduceat(self.basket * prices, self.starts) + self.frozen
        is_first = np.diff(self.owner[pairs], prepend=-1) > 0  # pairs of one index lie side by side
        starts, owner = np.flatnonzero(is_first), np.cumsum(is_first) - 1
        traded = self.owner[pairs[starts]]

        def total(values: Floats) -> Floats:  # of the pairs of each index
            return np.asarray(np.add.reduceat(values, starts, axis=-1))

        worth = worth[:, traded]
        price, column = prices[pairs], self.column[pairs]
        units, side, basket = self.units[:, pairs], self.side[:, pairs], self.basket[pairs]
        held = units * price
        goal = basket * price * _ratio(worth, np.broadcast_to(basket_value[traded], worth.shape))[:, owner]
        lacking = goal - held
        side = np.where(lacking * side > 0, side, 0.0)
        limit: Floats | float = np.inf
        if self.rules.share_of_volume is not None:
            limit = self.rules.share_of_volume * self.panel.volume_usd[row, column]
        linear = self.panel.linear_cost[row, column]
        impact = self.panel.impact_per_root_usd[row, column]
        if self.rules.is_capital_constant:
            # Against a constant capital, volumes are as much larger as the portfolio has become.
            scale = worth / self.capitals[:, None]
            limit = limit * scale[:, owner]
            impact = impact * _ratio(1.0, np.sqrt(scale))[:, owner]

        sold = np.where(side < 0, np.minimum(-lacking, limit), 0.0)
        cost_of_sales = np.minimum(sold * (linear + impact * np.sqrt(sold)), sold)
        available = self.cash[:, traded] + total(sold - cost_of_sales)
        wanted = np.where(side > 0, np.minimum(lacking, limit), 0.0)
        share = _affordable(
            total(wanted * (1 + linear)), total(wanted * impact * np.sqrt(wanted)), available, above=FILLED * worth
        )
        bought = wanted * share[:, owner]
        cost_of_purchases = bought * (linear + impact * np.sqrt(bought))
        if self.holdings is not None:
            self.holdings.note_trades(pairs, held=held, sold=sold, bought=bought, cost=cost_of_purchases)

        units = units + np.divide(bought - sold, price, out=np.zeros_like(held), where=price > 0)
        self.units[:, pairs] = np.where((basket == 0) & (sold >= held) & (side < 0), 0.0, units)
        cash = np.maximum(available - total(bought + cost_of_purchases), 0.0)
        self.cash[:, traded] = cash
        cost = total(cost_of_sales + cost_of_purchases)
        left = np.abs(lacking - bought + sold)
        left = np.where(left > FILLED * worth[:, owner], left, 0.0)
        is_sale_left = total(np.where(side < 0, left, 0.0)) > 0
        can_still_buy = is_sale_left | (cash > FILLED * worth)
        left = np.where((side < 0) | ((side > 0) & can_still_buy[:, owner]), left, 0.0)
        self.side[:, pairs] = np.where(left > 0, side, 0.0)
        after = worth - cost
        return traded, {
            "cost_paid": _ratio(cost, worth),
            "turnover": _ratio(total(bought + sold) / 2, worth),
            "carried_weight": _ratio(total(left) / 2, after),
            "cash_weight": _ratio(cash, after),
        }


def _affordable(linear: Floats, impact: Floats, available: Floats, *, above: Floats) -> Floats:
    """The factor, at most 1, by which purchases shrink so that linear x s + impact x s^1.5 is what is available.

    The left side grows and is convex, so Newton's steps come down to the root from above. It is at least linear x s, which
    gives the start; the last step divides by a price that is too high, if anything, so no more is spent than there is.
    """
    share = np.minimum(_ratio(available, linear), 1.0)
    for _ in range(NEWTON_STEPS):
        excess = linear * share + impact * share**1.5 - available
        slope = linear + 1.5 * impact * np.sqrt(share)
        before, share = share, np.clip(share - np.maximum(_ratio(excess, slope), 0.0), 0.0, 1.0)
        if (share == before).all():
            break
    share = np.minimum(share, _ratio(available, linear + impact * np.sqrt(share)))
    return np.where(available > above, share, 0.0)


def _ratio(part: Floats | float, whole: Floats) -> Floats:
    """Quotients, 0 where the whole is nothing."""
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)


def _base_of(index_id: str, base_level: float | Mapping[str, float]) -> float:
    if not isinstance(base_level, Mapping):
        return float(base_level)
    if index_id not in base_level:
        raise BacktestDataError(f"base_level names no level for {index_id}; it has {', '.join(sorted(base_level))}")
    return float(base_level[index_id])


def _last_day(rows: pl.DataFrame) -> dt.date:
    newest = rows["market_date"].max()
    if not isinstance(newest, dt.date):
        raise BacktestDataError("there are no daily rows; pass prices, or say last_date")
    return newest
