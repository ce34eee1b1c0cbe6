"""Combinatorially symmetric splits: is the best of one half of history any good in the other, and which variant is good in most.

Belongs here: all ways to cut history into two halves of blocks, the probability of backtest overfitting, the choice by median rank.
Does not: the score that variants are compared by (`goals.py`), Sharpe ratios deflated by the number of trials (`luck.py`).

Source: Bailey, Borwein, López de Prado, Zhu (2017), The Probability of Backtest Overfitting, Journal of Computational Finance 20(4).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.optimiser.errors import TooLittleHistoryError
from models_ml.optimiser.figures import BlockTotals, Figures

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Score = Callable[[Figures], Floats]

BLOCKS = 12
FEWEST_BLOCK_DAYS = 28
"""Blocks shorter than four weeks would hold hardly a rebalance."""


@dataclass(frozen=True)
class Overfitting:
    """How a way of choosing in one half does in the other.

    Attributes:
        probability: Share of splits in which the chosen variant ranks in the lower half of all in the other half (PBO).
        logits: Of its relative rank there, one a split; 0 is the median, above 0 is better.
        inside: Its figures in the half it was chosen in, one a split.
        outside: Its figures in the other half.
    """

    probability: float
    logits: Floats
    inside: Figures
    outside: Figures


@dataclass(frozen=True)
class Splits:
    """Every half of the blocks, one row each, in an order in which the last is the complement of the first.

    Attributes:
        halves: Blocks of each half.
        figures: Of every half and variant.
        ranks: Of every half and variant, 1 is best; equal scores share their mean rank.
        block_days: Days in a block.
    """

    halves: tuple[tuple[int, ...], ...]
    figures: Figures
    ranks: Floats
    block_days: int

    @property
    def median_rank(self) -> Floats:
        """Median over all halves, one a variant."""
        return np.asarray(np.median(self.ranks, axis=0))

    def best_by_median_rank(self) -> int:
        """The variant that ranks best in the median half; equal ones by their mean rank, then by their order."""
        return _best(self.ranks)

    def overfitting(self, chosen: Integers) -> Overfitting:
        """What became in the other half of the variant chosen in each half.

        The relative rank w of the chosen one is its rank from below over the number of variants + 1, its logit ln(w / (1 - w)), and
        the probability the share of logits of at most 0.

        Args:
            chosen: Position of the variant chosen in each half.
        """
        each = np.arange(len(self.halves))
        other = each[::-1]
        number = self.ranks.shape[1]
        from_below = number + 1 - self.ranks[other, chosen]
        relative = from_below / (number + 1)
        logits = np.log(relative / (1 - relative))
        return Overfitting(
            probability=float((logits <= 1e-12).mean()),
            logits=logits,
            inside=_picked(self.figures, each, chosen),
            outside=_picked(self.figures, other, chosen),
        )


def split(levels: Floats, score: Score, *, blocks: int = BLOCKS) -> tuple[Splits, BlockTotals]:
    """Rank all variants in every half of the history.

    Args:
        levels: One row a variant and one column a day, all above 0.
        score: Higher is better.
        blocks: Even number of blocks that history is cut into; there are (blocks choose blocks / 2) halves.

    Raises:
        TooLittleHistoryError: A block would be shorter than `FEWEST_BLOCK_DAYS`, or there are fewer than two variants.
        ValueError: The number of blocks is odd or below 4.
    """
    if blocks < 4 or blocks % 2:
        raise ValueError(
            f"{blocks} blocks do not make two halves that can be split again; use an even number from 4 on"
        )
    days = levels.shape[1] - 1
    if days < blocks * FEWEST_BLOCK_DAYS:
        raise TooLittleHistoryError(
            f"{days} days in {blocks} blocks are {days // blocks} days a block, {FEWEST_BLOCK_DAYS} needed; wait for "
            f"{blocks * FEWEST_BLOCK_DAYS - days} more days, or use fewer blocks"
        )
    if len(levels) < 2:
        raise TooLittleHistoryError(f"{len(levels)} variants leave nothing to choose from; widen the search")
    totals = BlockTotals.of(levels, blocks=blocks)
    halves = tuple(itertools.combinations(range(blocks), blocks // 2))
    figures = totals.figures(halves)
    return Splits(halves, figures, ranks_of(score(figures)), days // blocks), totals


def best_inside(splits: Splits) -> Integers:
    """The variant with the best rank in each half: what an optimiser without doubts would take."""
    return np.asarray(splits.ranks.argmin(axis=1))


def steadiest_inside(splits: Splits, totals: BlockTotals, score: Score) -> Integers:
    """The variant that the median rank chooses within each half, from all halves of that half alone.

    So the rule by which the answer is chosen is itself tried on history that it did not see.
    """
    size = len(splits.halves[0])
    parts = list(itertools.combinations(range(len(totals.days)), size // 2))
    position = {part: number for number, part in enumerate(parts)}
    ranks = ranks_of(score(totals.figures(parts)))
    return np.array(
        [_best(ranks[[position[part] for part in itertools.combinations(half, size // 2)]]) for half in splits.halves],
        dtype=np.int64,
    )


def ranks_of(scores: Floats) -> Floats:
    """Ranks within each row, 1 for the highest score; equal ones share their mean rank."""
    number = scores.shape[1]
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    is_new = np.ones(scores.shape, dtype=bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = np.arange(number)
    first = np.maximum.accumulate(np.where(is_new, places, 0), axis=1)
    is_last = np.ones(scores.shape, dtype=bool)
    is_last[:, :-1] = is_new[:, 1:]
    last = np.minimum.accumulate(np.where(is_last, places, number)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks


def _best(ranks: Floats) -> int:
    medians, means = np.median(ranks, axis=0), ranks.mean(axis=0)
    return int(np.lexsort((means, medians))[0])


def _picked(figures: Figures, halves: Integers, variants: Integers) -> Figures:
    return Figures(
        figures.annual_return[halves, variants],
        figures.volatility[halves, variants],
        figures.sharpe[halves, variants],
        figures.max_drawdown[halves, variants],
    )
