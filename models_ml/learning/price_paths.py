"""What prices do after a close: how far they stray, how deep they fall, whether a level turns them.

Belongs here: outcomes of the paths of closes, for judging risk scores and price levels. Nothing here may enter a feature frame.
Does not: labels that models learn (`labels.py`), statistics of the outcomes (`evaluation`).
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR

Floats = npt.NDArray[np.float64]
Side = Literal["support", "resistance"]

REACH_DAYS: Final = 20
"""Days within which a level is to be reached."""
DECIDE_DAYS: Final = 10
"""Days after it was reached within which it holds or breaks."""
TOUCH: Final = 0.25
"""Distance in average moves at which a level counts as reached."""
AWAY: Final = 1.0
"""Distance in average moves on either side at which it has held or broken."""

LEVEL_OUTCOMES: Final = ("not reached", "held", "broken", "undecided")


def paths_after(closes: pl.DataFrame, keys: pl.DataFrame, *, days: int) -> Floats:
    """Closes of a day and of the days after it.

    Args:
        closes: One row a token and day: token_id, market_date, price_usd.
        keys: Rows with token_id and market_date.
        days: Days after it.

    Returns:
        A row a key and a column a day, `days` + 1 of them; NaN where there is no close.
    """
    paths = np.full((keys.height, days + 1), np.nan)
    wanted = keys.select("token_id", "market_date").with_row_index("place")
    for ahead in range(days + 1):
        found = wanted.with_columns(pl.col("market_date").dt.offset_by(f"{ahead}d")).join(
            closes, on=["token_id", "market_date"], how="inner"
        )
        paths[found["place"].to_numpy(), ahead] = found["price_usd"].to_numpy()
    return paths


def path_volatility(paths: Floats, *, least: int) -> Floats:
    """Annualised standard deviation of the daily log returns of each path; NaN where fewer than `least` are known."""
    returns = np.diff(np.log(paths), axis=1)
    known = np.isfinite(returns)
    counts = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, returns, 0).sum(axis=1) / counts
        squares = np.where(known, (returns - means[:, None]) ** 2, 0).sum(axis=1) / (counts - 1)
    return np.where(counts >= max(2, least), np.sqrt(squares * DAYS_A_YEAR), np.nan)


def path_drawdown(paths: Floats, *, least: int) -> Floats:
    """Deepest fall of each path below its high so far, a fraction up to 0; NaN where fewer than `least` closes follow the first."""
    highest = np.fmax.accumulate(paths, axis=1)
    with np.errstate(invalid="ignore"):
        falls = np.fmin.reduce(paths / highest - 1, axis=1)
    return np.where(np.isfinite(paths[:, 1:]).sum(axis=1) >= least, falls, np.nan)


def path_low(paths: Floats, *, least: int) -> Floats:
    """Lowest close of each path against its first, a fraction up to 0; NaN where fewer than `least` closes follow the first."""
    lowest = np.fmin.reduce(paths, axis=1) / paths[:, 0] - 1
    return np.where(np.isfinite(paths[:, 1:]).sum(axis=1) >= least, lowest, np.nan)


def level_outcomes(paths: Floats, *, levels: Floats, moves: Floats, side: Side) -> pl.Series:
    """Whether prices turned at a level.

    A level is reached on the first of `REACH_DAYS` days whose close is within `TOUCH` average moves of it or beyond. From that day on it
    has held when a close is `AWAY` average moves on the near side, and broken when one is as far beyond, whichever comes first within
    `DECIDE_DAYS` days; on a leap over it, it is broken on the day it is reached.

    Args:
        paths: As `paths_after` gives them, at least `REACH_DAYS` + `DECIDE_DAYS` days; the first close is on the near side.
        levels: One price a path.
        moves: Average daily move in USD, one a path, above 0.
        side: Whether the levels lie below (support) or above (resistance).

    Returns:
        One of `LEVEL_OUTCOMES` a path.

    Raises:
        ValueError: The paths are too short.
    """
    if paths.shape[1] <= REACH_DAYS + DECIDE_DAYS:
        raise ValueError(
            f"paths of {paths.shape[1] - 1} days, but {REACH_DAYS + DECIDE_DAYS} are needed; take longer ones"
        )
    sign = 1 if side == "support" else -1
    distance = sign * (paths - levels[:, None]) / moves[:, None]
    day = np.arange(paths.shape[1])
    with np.errstate(invalid="ignore"):
        is_near = (distance <= TOUCH) & (day >= 1) & (day <= REACH_DAYS)
        is_away, is_beyond = distance >= AWAY, distance <= -AWAY
    reached = _first(is_near)
    counts = (day >= reached[:, None]) & (day <= reached[:, None] + DECIDE_DAYS)
    held, broken = _first(is_away & counts), _first(is_beyond & counts)
    never = paths.shape[1]
    codes = np.select([reached == never, held < broken, broken < held], [0, 1, 2], default=3)
    return pl.Series("outcome", np.array(LEVEL_OUTCOMES)[codes].tolist(), dtype=pl.Enum(LEVEL_OUTCOMES))


def _first(is_true: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Place of the first true value of each row, the length of the row where there is none."""
    return np.asarray(np.where(is_true.any(axis=1), is_true.argmax(axis=1), is_true.shape[1]), dtype=np.int64)
