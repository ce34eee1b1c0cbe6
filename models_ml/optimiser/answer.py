"""The answer to a search: which variant is good in most of history, what the best would have been worth, how much of it is luck.

Belongs here: from the levels of all variants to one answer with its evidence.
Does not: the levels (`simulate.py`), the parts of the evidence (`splits.py`, `luck.py`, `frontier.py`), words (`page.py`).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import MarketData
from models_ml.optimiser.errors import TooLittleHistoryError
from models_ml.optimiser.figures import Figures, figures_of, windows
from models_ml.optimiser.frontier import frontier
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.luck import DeflatedSharpe, deflated, trials_of
from models_ml.optimiser.search import Search, expand
from models_ml.optimiser.simulate import Simulated, simulate
from models_ml.optimiser.splits import (
    BLOCKS,
    FEWEST_BLOCK_DAYS,
    Overfitting,
    Splits,
    best_inside,
    split,
    steadiest_inside,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

AS_IS = 0
"""Position of the definition as it is."""

FEWEST_BLOCKS = 4
SAME_LEVEL = 10  # digits after the decimal point of a level relative to the first
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Counts:
    """What became of the combinations of a search.

    Attributes:
        expanded: Valid and different definitions, the one as it is among them.
        refused: Combinations that are no valid definition.
        repeated: Combinations that were there already.
        late: Variants that never start, or start after all others by more than a year.
        alike: Variants whose levels are those of another on every day.
        compared: What is left.
        example: Why the first refused one was refused.
    """

    expanded: int
    refused: int
    repeated: int
    late: int
    alike: int
    compared: int
    example: str | None


@dataclass(frozen=True)
class OftenMet:
    """How often a goal was met over stretches of a year that begin every 30 days.

    Attributes:
        share: Of the stretches.
        low: Lower 95 % bound, as if only the years that do not overlap counted.
        high: Upper bound.
        stretches: Number of stretches.
        years: Years that do not overlap.
    """

    share: float
    low: float
    high: float
    stretches: int
    years: float


@dataclass(frozen=True)
class Answer:
    """What a search comes to. Positions are those of `definitions`; 0 is the definition as it is.

    Attributes:
        definitions: Variants that are compared.
        choices: Their values of the fields that vary.
        counts: What became of the others.
        goal: What was asked.
        cost_bps: Cost of trades that all figures are after.
        first_day: First day all have a level.
        last_day: Last day.
        figures: Over all days.
        turnover_per_year: Half of what is bought and sold a year, a fraction.
        splits: All halves of the history.
        chosen: The variant that ranks best in the median half: the answer.
        best: The variant with the best score over all days, which is never the answer by itself.
        best_overfitting: What taking the best of one half gave in the other.
        chosen_overfitting: What choosing by median rank within one half gave in the other.
        chosen_beats_as_is: Share of splits in which the variant so chosen ranked before the definition as it is in the other half.
        deflated: Sharpe ratio of the best and of the chosen variant against the luck of all trials.
        deflated_excess: The same for what each returned more than the mean of all variants.
        by_drawdown: Frontier of return against the largest drawdown.
        by_volatility: Frontier of return against volatility.
        met: Variants that keep all limits over all days.
        met_in_halves: Share of halves in which each variant keeps them.
        often_met: Over one-year stretches, for the definition as it is, the chosen and the best; None below two years.
    """

    definitions: tuple[IndexDefinition, ...]
    choices: tuple[Mapping[str, Any], ...]
    counts: Counts
    goal: Goal
    cost_bps: float
    first_day: dt.date
    last_day: dt.date
    figures: Figures
    turnover_per_year: Floats
    splits: Splits
    chosen: int
    best: int
    best_overfitting: Overfitting
    chosen_overfitting: Overfitting
    chosen_beats_as_is: float
    deflated: Mapping[int, DeflatedSharpe]
    deflated_excess: Mapping[int, DeflatedSharpe]
    by_drawdown: Integers
    by_volatility: Integers
    met: npt.NDArray[np.bool_]
    met_in_halves: Floats
    often_met: Mapping[int, OftenMet] | None


def optimise(
    definition: IndexDefinition,
    market: MarketData,
    mondays: Sequence[dt.date],
    *,
    search: Search,
    goal: Goal,
    cost_bps: float,
    processes: int = 1,
) -> Answer:
    """Try the variants of a definition and say what they are worth.

    Args:
        definition: A model-driven index.
        market: The market; scores and grades in it must be walk-forward, as known at each close.
        mondays: Consecutive Mondays.
        search: What varies.
        goal: What is asked.
        cost_bps: Cost of trades in basis points of what is bought and of what is sold.
        processes: How many share the work.

    Raises:
        SearchError: The search expands to no definition.
        UnsupportedRuleError: The definition has a rule that the fast walk does not know.
        TooLittleHistoryError: There is too little history, or too few variants differ.
    """
    variants = expand(definition, search)
    simulated = simulate(variants.definitions, market, mondays, cost_bps=cost_bps, processes=processes)
    kept, start = _comparable(simulated)
    counts = Counts(
        expanded=len(variants.definitions),
        refused=variants.refused,
        repeated=variants.repeated,
        late=len(variants.definitions) - len(kept.on_time),
        alike=len(kept.on_time) - len(kept.different),
        compared=len(kept.different),
        example=variants.example,
    )
    return judge(
        tuple(variants.definitions[row] for row in kept.different),
        tuple(variants.choices[row] for row in kept.different),
        counts,
        simulated.levels[kept.different][:, start:],
        simulated.days[start:],
        turnover=simulated.turnover[kept.different],
        goal=goal,
        cost_bps=cost_bps,
    )


def judge(
    definitions: tuple[IndexDefinition, ...],
    choices: tuple[Mapping[str, Any], ...],
    counts: Counts,
    levels: Floats,
    days: Sequence[dt.date],
    *,
    turnover: Floats,
    goal: Goal,
    cost_bps: float,
) -> Answer:
    """The answer from levels that all variants have on all days: one row a variant, the definition as it is first."""
    blocks = blocks_for(levels.shape[1] - 1)
    splits, totals = split(levels, goal.score, blocks=blocks)
    figures = figures_of(levels)
    chosen, best = splits.best_by_median_rank(), int(goal.score(figures).argmax())
    steadiest = steadiest_inside(splits, totals, goal.score)
    other = np.arange(len(splits.halves))[::-1]
    returns = levels[:, 1:] / levels[:, :-1] - 1
    excess = returns - returns.mean(axis=0)
    asked = sorted({AS_IS, chosen, best})
    trials, excess_trials = trials_of(returns), trials_of(excess)
    years = (len(days) - 1) / DAYS_A_YEAR
    return Answer(
        definitions=definitions,
        choices=choices,
        counts=counts,
        goal=goal,
        cost_bps=cost_bps,
        first_day=days[0],
        last_day=days[-1],
        figures=figures,
        turnover_per_year=turnover / years,
        splits=splits,
        chosen=chosen,
        best=best,
        best_overfitting=splits.overfitting(best_inside(splits)),
        chosen_overfitting=splits.overfitting(steadiest),
        chosen_beats_as_is=float((splits.ranks[other, steadiest] < splits.ranks[other, AS_IS]).mean()),
        deflated={position: deflated(returns, position, trials=trials) for position in asked},
        deflated_excess={position: deflated(excess, position, trials=excess_trials) for position in asked},
        by_drawdown=frontier(figures.annual_return, figures.max_drawdown),
        by_volatility=frontier(figures.annual_return, figures.volatility),
        met=goal.is_met(figures),
        met_in_halves=goal.is_met(splits.figures).mean(axis=0),
        often_met=_often_met(levels, asked, goal, years=years),
    )


def blocks_for(days: int) -> int:
    """Number of blocks that so many days are cut into: `BLOCKS`, fewer where they would be too short.

    Raises:
        TooLittleHistoryError: Not even the fewest blocks are long enough.
    """
    most = min(BLOCKS, days // FEWEST_BLOCK_DAYS)
    if most < FEWEST_BLOCKS:
        raise TooLittleHistoryError(
            f"variants share {days} days of levels, but {FEWEST_BLOCKS} blocks of {FEWEST_BLOCK_DAYS} days are needed to "
            f"tell skill from luck; run the index for {FEWEST_BLOCKS * FEWEST_BLOCK_DAYS - days} more days"
        )
    return most - most % 2


@dataclass(frozen=True)
class _Kept:
    on_time: Integers
    different: Integers


def _comparable(simulated: Simulated) -> tuple[_Kept, int]:
    """Variants that have levels from one day on and differ from each other, and that day's position."""
    is_known = np.isfinite(simulated.levels)
    has_any = np.asarray(is_known.any(axis=1))
    starts = np.where(has_any, is_known.argmax(axis=1), is_known.shape[1])
    if not has_any[AS_IS]:
        raise TooLittleHistoryError(
            "the definition as it is never finds enough constituents in these weeks; it needs more history, or wider eligibility"
        )
    # A variant that starts years later than the rest would take those years from all of them.
    latest = max(int(starts[AS_IS]), int(starts.min()) + DAYS_A_YEAR)
    on_time = np.flatnonzero(has_any & (starts <= latest))
    start = int(starts[on_time].max())
    relative = np.round(
        simulated.levels[on_time][:, start:] / simulated.levels[on_time][:, start : start + 1], SAME_LEVEL
    )
    first_of: dict[bytes, int] = {}
    for row, path in zip(on_time.tolist(), relative, strict=True):
        first_of.setdefault(path.tobytes(), row)
    return _Kept(on_time, np.array(sorted(first_of.values()), dtype=np.int64)), start


def _often_met(levels: Floats, asked: Sequence[int], goal: Goal, *, years: float) -> dict[int, OftenMet] | None:
    if years < 2 or not goal.limits:
        return None
    met = goal.is_met(windows(levels[asked]))
    found = {}
    for column, position in enumerate(asked):
        share = float(met[:, column].mean())
        low, high = wilson(share, years)
        found[position] = OftenMet(share, low, high, len(met), years)
    return found


def wilson(share: float, trials: float) -> tuple[float, float]:
    """Bounds (95 %) of a probability from the share seen in so many independent trials, which may be no whole number.

    Source: Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference, JASA 22(158).
    """
    squared = NORMAL_95**2
    centre = (share + squared / (2 * trials)) / (1 + squared / trials)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / trials + squared / (4 * trials**2)) / (1 + squared / trials)
    return max(0.0, centre - half), min(1.0, centre + half)
