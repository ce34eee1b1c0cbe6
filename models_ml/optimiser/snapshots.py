"""The market in arrays: what was known of every token at each Sunday's close, and the closes of those that matter.

Belongs here: turning `MarketData` into dense arrays once, so that thousands of variants read the same numbers.
Does not: which tokens a variant takes (`ranks.py`), the walk through the weeks (`walk.py`).

A week is known by the position of its decision: position 0 is the first Sunday. Tokens are in the order of their token_id.
Nulls are NaN in figures and False in flags.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models_ml.indices.market import MarketData, MarketState, day_number
from models_ml.optimiser.errors import TooLittleHistoryError

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

ONE_DAY = dt.timedelta(days=1)
TOKENS_AT_ONCE = 256
FIGURES = (
    *("market_cap_usd", "volume_30d_median_usd", "age_days", "trader_grade", "score", "free_float_share"),
    "signal",
)
FLAGS = ("is_stable", "is_wrapped", "is_fiat_backed")


@dataclass(frozen=True)
class Snapshots:
    """What was known at the closes that decisions rest on.

    Attributes:
        mondays: as_of of each decision, seven days apart; the snapshot is that of the close before it.
        token_ids: Sorted.
        figures: One array a name of `FIGURES`, one row a decision and one column a token.
        flags: The same for `FLAGS`.
        sectors: Positions in `sector_names`, -1 where the sector is not known.
        sector_names: In lower case.
        is_present: Whether the token is a candidate that day.
        is_priced: Whether it has a close at most three days old.
        closes: Number of closes so far.
        states: Bitcoin at every close from the first decision's to the last's.
    """

    mondays: tuple[dt.date, ...]
    token_ids: tuple[str, ...]
    figures: dict[str, Floats]
    flags: dict[str, Booleans]
    sectors: npt.NDArray[np.int16]
    sector_names: tuple[str, ...]
    is_present: Booleans
    is_priced: Booleans
    closes: Integers
    states: tuple[MarketState, ...]


@dataclass(frozen=True)
class Closes:
    """Daily closes of the tokens that a walk reads, the last known one where a day has none.

    Attributes:
        first_day: Day of the first row, `lead_days` before the first decision's close.
        lead_days: Days before that close.
        prices_usd: One row a day and one column a token; NaN before a token's first close.
        is_own: Whether a close is of the day itself.
        is_priced: Whether a close is at most three days old.
    """

    first_day: dt.date
    lead_days: int
    prices_usd: Floats
    is_own: Booleans
    is_priced: Booleans

    def row(self, position: int) -> int:
        """Row of the close that decision number `position` rests on."""
        return self.lead_days + 7 * position


def read_snapshots(market: MarketData, mondays: Sequence[dt.date]) -> Snapshots:
    """Read the candidates of every decision into arrays.

    Args:
        market: The market; nothing after the last Monday's eve is asked for.
        mondays: Consecutive Mondays.

    Raises:
        TooLittleHistoryError: There are fewer than two weeks, or no candidate in any.
        ValueError: The days are no consecutive Mondays.
    """
    if len(mondays) < 2:
        raise TooLittleHistoryError(f"{len(mondays)} weeks are no history; at least two are needed")
    expected = [mondays[0] + dt.timedelta(days=7 * position) for position in range(len(mondays))]
    if list(mondays) != expected or mondays[0].weekday() != 0:
        raise ValueError(f"decisions fall on consecutive Mondays, but {list(mondays)[:3]} and so on are none")
    frames = [market.snapshot(monday - ONE_DAY) for monday in mondays]
    token_ids = sorted({token_id for frame in frames for token_id in frame["token_id"].to_list()})
    if not token_ids:
        raise TooLittleHistoryError(f"no token is a candidate in the weeks {mondays[0]} to {mondays[-1]}")
    position_of = {token_id: position for position, token_id in enumerate(token_ids)}
    shape = (len(mondays), len(token_ids))
    figures = {name: np.full(shape, np.nan) for name in FIGURES}
    flags = {name: np.zeros(shape, dtype=bool) for name in FLAGS}
    sectors = np.full(shape, -1, dtype=np.int16)
    is_present = np.zeros(shape, dtype=bool)
    names: dict[str, int] = {}
    for row, frame in enumerate(frames):
        columns = np.array([position_of[token_id] for token_id in frame["token_id"].to_list()], dtype=np.int64)
        is_present[row, columns] = True
        for name in FIGURES:
            figures[name][row, columns] = frame[name].cast(float).fill_null(float("nan")).to_numpy()
        for name in FLAGS:
            flags[name][row, columns] = frame[name].to_numpy()
        codes = [
            -1 if sector is None else names.setdefault(sector.lower(), len(names))
            for sector in frame["sector"].to_list()
        ]
        sectors[row, columns] = codes
    is_priced, closes = _priced_at(market, token_ids, mondays)
    return Snapshots(
        mondays=tuple(mondays),
        token_ids=tuple(token_ids),
        figures=figures,
        flags=flags,
        sectors=sectors,
        sector_names=tuple(names),
        is_present=is_present,
        is_priced=is_priced,
        closes=closes,
        states=tuple(
            market.market_state(mondays[0] - ONE_DAY + offset * ONE_DAY) for offset in range(7 * (len(mondays) - 1) + 1)
        ),
    )


def read_closes(market: MarketData, snapshots: Snapshots, tokens: Sequence[int], *, lead_days: int) -> Closes:
    """Daily closes of some tokens, from `lead_days` before the first decision's close to the last decision's.

    Args:
        market: The market.
        snapshots: Its snapshots.
        tokens: Positions of the tokens, in the order of the columns wanted.
        lead_days: Days before the first decision that weights look back to.
    """
    first = snapshots.mondays[0] - dt.timedelta(days=lead_days + 1)
    last = snapshots.mondays[-1] - ONE_DAY
    block = market.lookup.block([snapshots.token_ids[token] for token in tokens], first, last)
    numbers = np.arange(day_number(first), day_number(last) + 1)
    return Closes(
        first_day=first,
        lead_days=lead_days,
        prices_usd=block.prices_usd,
        is_own=block.priced_on == numbers[:, None],
        is_priced=block.is_priced(),
    )


def _priced_at(market: MarketData, token_ids: Sequence[str], mondays: Sequence[dt.date]) -> tuple[Booleans, Integers]:
    """Whether each token has a recent close at each decision, and how many it has had; some tokens at a time."""
    shape = (len(mondays), len(token_ids))
    is_priced = np.zeros(shape, dtype=bool)
    closes = np.zeros(shape, dtype=np.int64)
    first, last = mondays[0] - ONE_DAY, mondays[-1] - ONE_DAY
    for start in range(0, len(token_ids), TOKENS_AT_ONCE):
        part = slice(start, start + TOKENS_AT_ONCE)
        names = token_ids[part]
        block = market.lookup.block(names, first, last)
        is_priced[:, part] = block.is_priced()[::7]
        numbers = np.arange(day_number(first), day_number(last) + 1)
        own = (block.priced_on == numbers[:, None]).astype(np.int64)
        before = market.lookup.closes_until(names, first - ONE_DAY)
        closes[:, part] = (before + np.cumsum(own, axis=0))[::7]
    return is_priced, closes


def known(values: npt.NDArray[Any]) -> Booleans:
    """Where a figure is not null."""
    return np.asarray(~np.isnan(values))
