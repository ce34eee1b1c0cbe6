"""All variants of a search on one market, in several processes.

Belongs here: cutting the variants into blocks that fit a processor's cache, and putting the results together.
Does not: the walk of one block (`walk.py`).
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import MarketData
from models_ml.optimiser.holdings import Traded
from models_ml.optimiser.rules import Rules, compile_variants
from models_ml.optimiser.snapshots import read_snapshots
from models_ml.optimiser.tables import Tables, gather_tables
from models_ml.optimiser.walk import Walked, walk

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BLOCK = 256
DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Simulated:
    """Levels of all variants.

    Attributes:
        days: Day of each column of `levels`, whose close it is.
        token_ids: What positions in `traded` mean; the position after the last is no token.
        levels: One row a variant in the order given, after costs; NaN before a variant starts.
        turnover: Half of what is bought and sold after the first purchase, a fraction of the index.
        trades: Number of trades.
        traded: Trades by block of variants, rows counted over all, where they were asked for.
    """

    days: tuple[dt.date, ...]
    token_ids: tuple[str, ...]
    levels: Floats
    turnover: Floats
    trades: Integers
    traded: tuple[Traded, ...] = ()


def simulate(
    definitions: Sequence[IndexDefinition],
    market: MarketData,
    mondays: Sequence[dt.date],
    *,
    cost_bps: float = 0.0,
    processes: int = 1,
    keeps_trades: bool = False,
) -> Simulated:
    """Compute the levels of every variant through the same weeks.

    Args:
        definitions: Model-driven variants with rules that the walk knows.
        market: The market, which the walk asks for the closes before each Monday.
        mondays: Consecutive Mondays; the first decision is made on the first, levels end at the close before the last.
        cost_bps: Cost of a trade in basis points of what is bought and of what is sold.
        processes: How many share the work.
        keeps_trades: Whether to keep the trades.

    Raises:
        UnsupportedRuleError: A definition has a rule that the walk does not know.
        TooLittleHistoryError: There are fewer than two weeks, or no candidates.
    """
    compiled = compile_variants(definitions)
    tables = gather_tables(market, read_snapshots(market, mondays), compiled)
    return walk_all(compiled.rules, tables, cost_bps=cost_bps, processes=processes, keeps_trades=keeps_trades)


def walk_all(
    rules: Rules, tables: Tables, *, cost_bps: float = 0.0, processes: int = 1, keeps_trades: bool = False
) -> Simulated:
    """Walk all variants, those of like size together, in blocks."""
    # Rows of one block have as many places as its largest variant, so like sizes leave few of them empty.
    order = np.lexsort((rules.rank_key, rules.exit_rank, rules.count))
    blocks = [order[start : start + BLOCK] for start in range(0, len(order), BLOCK)]
    number, days = len(rules), tables.days
    levels = np.empty((number, len(days)))
    turnover, trades = np.zeros(number), np.zeros(number, dtype=np.int64)
    traded: list[Traded] = []
    for rows, walked in zip(blocks, _walked(rules, tables, blocks, cost_bps, processes, keeps_trades), strict=True):
        levels[rows], turnover[rows], trades[rows] = walked.levels, walked.turnover, walked.trades
        traded += [Traded(each.day, rows[each.rows], each.tokens, each.weights) for each in walked.traded]
    return Simulated(days, tables.token_ids, levels, turnover, trades, tuple(traded))


def _walked(
    rules: Rules, tables: Tables, blocks: Sequence[Integers], cost_bps: float, processes: int, keeps_trades: bool
) -> Iterator[Walked]:
    if processes == 1 or len(blocks) == 1:
        yield from (walk(rules.take(rows), tables, cost_bps=cost_bps, keeps_trades=keeps_trades) for rows in blocks)
        return
    # A new interpreter each: a fork would copy the threads of polars in whatever state they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(processes, len(blocks)), mp_context=context, initializer=_receive, initargs=(tables,)
    ) as pool:
        jobs = [pool.submit(_walk_here, rules.take(rows), cost_bps, keeps_trades) for rows in blocks]
        for job in jobs:
            yield job.result()


_here: list[Tables] = []
"""The tables of a worker process, sent to it once."""


def _receive(tables: Tables) -> None:
    _here[:] = [tables]


def _walk_here(rules: Rules, cost_bps: float, keeps_trades: bool) -> Walked:
    return walk(rules, _here[0], cost_bps=cost_bps, keeps_trades=keeps_trades)
