"""What the closes of many windows came to: the highest and lowest multiples of the entry, held and touched, and prices that ended.

Belongs here: windows over daily closes, for all tokens and entries at once.
Does not: who is followed and which closes count (`orchestration/lib/base_rate_weeks.py`), shares of outcomes (`base_rates.py`).

A window of h days begins at the close of its entry's Monday W and holds the closes of W + 1 to W + h. A level is *held* where three
consecutive daily closes inside the window lie at or beyond it, *touched* where one does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

HELD_CLOSES: Final = 3
"""Consecutive closes that make a level held."""

CARRIED_DAYS: Final = 3
"""A token whose newest close lies more than so many days before the end of a window has stopped."""

WINDOW_SCHEMA: Final[dict[str, pl.DataType]] = {
    "token_id": pl.String(),
    "entry_week": pl.Date(),
    "horizon_days": pl.Int32(),
    "market_cap_usd": pl.Float64(),
    "volatility_30d": pl.Float64(),
    "highest_held": pl.Float64(),
    "lowest_held": pl.Float64(),
    "highest_touched": pl.Float64(),
    "lowest_touched": pl.Float64(),
    "is_stopped": pl.Boolean(),
}
"""One row a token, entry week and horizon. `entry_week` is the Monday whose close is the entry; cap and volatility are those of
the Sunday before. `highest_held`: the highest multiple of the entry at or above which three consecutive daily closes lay, null
where no three follow each other; `lowest_held` likewise at or below. `_touched`: of single closes, null where there is none.
`is_stopped`: prices ended within the window."""

Extreme = Callable[..., NDArray[Any]]
Table = NDArray[np.float64]


def outcome_windows(
    entries: pl.DataFrame, closes: pl.DataFrame, *, until: dt.date, horizons_days: Sequence[int]
) -> pl.DataFrame:
    """Outcomes of every window that ended before an instant.

    A window in which the series stopped and not the token (`is_series_end`) tells nothing and is left out, whatever it held before:
    keeping the hits alone would flatter. Prices that merely paused and were back by the window's end have not stopped.

    Args:
        entries: One row a token and entry week: token_id, entry_week (a Monday), market_cap_usd, volatility_30d.
        closes: One row a token and day: token_id, market_date, price_usd (above 0), is_series_end (whether the series, and not
            the token, ended with that close). Days without a report have no row.
        until: A Monday; closes from this day on are not read.
        horizons_days: Lengths of the windows in days, each at least 3.

    Returns:
        `WINDOW_SCHEMA`, by horizon_days, entry_week and token_id; entries without a close on their Monday could not be bought and have
        no row.

    Raises:
        ValueError: A horizon is shorter than the closes that make a level held.
    """
    if min(horizons_days) < HELD_CLOSES:
        raise ValueError(
            f"a window of {min(horizons_days)} days cannot hold a level for {HELD_CLOSES} closes; ask for {HELD_CLOSES} days or more"
        )
    known = closes.filter(pl.col("market_date") < until)
    chosen = entries.filter(pl.col("entry_week") < until).sort("entry_week", "token_id")
    if known.is_empty() or chosen.is_empty():
        return pl.DataFrame(schema=WINDOW_SCHEMA)
    first_day: dt.date = known.select(pl.col("market_date").min()).item()
    tokens = {token: place for place, token in enumerate(known["token_id"].unique().sort().to_list())}
    row = known["token_id"].replace_strict(tokens, return_dtype=pl.Int64).to_numpy()
    column = _days_since(known["market_date"], first_day)
    days = (until - first_day).days
    prices = np.full((len(tokens), days), np.nan)
    prices[row, column] = known["price_usd"].to_numpy()
    ends = np.zeros(prices.shape, dtype=bool)
    ends[row, column] = known["is_series_end"].to_numpy()
    newest = np.maximum.accumulate(np.where(np.isnan(prices), -1, np.arange(days)), axis=1)

    chosen = chosen.filter(pl.col("token_id").is_in(list(tokens)), pl.col("entry_week") >= first_day)
    token = chosen["token_id"].replace_strict(tokens, return_dtype=pl.Int64).to_numpy()
    entry = _days_since(chosen["entry_week"], first_day)
    places = {horizon: (entry + horizon < days) & ~np.isnan(prices[token, entry]) for horizon in horizons_days}
    above, below = _three_closes(prices, np.minimum), _three_closes(prices, np.maximum)
    reached = {
        "highest_held": _extremes(above, np.fmax, token, entry, places, first=HELD_CLOSES),
        "lowest_held": _extremes(below, np.fmin, token, entry, places, first=HELD_CLOSES),
        "highest_touched": _extremes(prices, np.fmax, token, entry, places, first=1),
        "lowest_touched": _extremes(prices, np.fmin, token, entry, places, first=1),
    }
    parts = []
    for horizon, is_finished in places.items():
        of, at = token[is_finished], entry[is_finished]
        last = newest[of, at + horizon]
        is_stopped = last < at + horizon - CARRIED_DAYS
        part = chosen.filter(pl.Series(is_finished)).with_columns(
            pl.Series("horizon_days", np.full(len(of), horizon, dtype=np.int32)),
            *(pl.Series(name, values[horizon] / prices[of, at], nan_to_null=True) for name, values in reached.items()),
            pl.Series("is_stopped", is_stopped),
        )
        parts.append(part.filter(pl.Series(~(is_stopped & ends[of, last]))))
    return pl.concat(parts).select(pl.col(name).cast(dtype) for name, dtype in WINDOW_SCHEMA.items())


def _days_since(dates: pl.Series, first_day: Any) -> NDArray[np.int64]:
    return np.asarray((dates - first_day).dt.total_days(), dtype=np.int64)


def _three_closes(prices: Table, worst: Extreme) -> Table:
    """Level that the three closes up to each day all lie beyond; NaN where one of them is missing."""
    held = np.full(prices.shape, np.nan)
    held[:, 2:] = worst(worst(prices[:, 2:], prices[:, 1:-1]), prices[:, :-2])
    return held


def _extremes(
    levels: Table,
    extreme: Extreme,
    token: NDArray[np.int64],
    entry: NDArray[np.int64],
    places: dict[int, NDArray[np.bool_]],
    *,
    first: int,
) -> dict[int, Table]:
    """The extreme over the days `entry + first` to `entry + horizon`, by horizon, of the finished windows; NaN where all are missing.

    Any span is covered by two overlapping spans of a power of two, and those double from step to step: a few passes over the table
    do for every window of every length.
    """
    spans = levels.copy()
    reach, found = 1, {}
    for horizon in sorted(places):
        length = horizon - first + 1
        while 2 * reach <= length:
            spans[:, :-reach] = extreme(spans[:, :-reach], spans[:, reach:])
            reach *= 2
        of, at = token[places[horizon]], entry[places[horizon]]
        found[horizon] = extreme(spans[of, at + first], spans[of, at + horizon - reach + 1])
    return found
