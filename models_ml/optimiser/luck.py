"""How much of the best of many variants is luck: Sharpe ratios deflated by the number of trials.

Belongs here: the number of trials that variants of one index amount to, and the deflated Sharpe ratio of one of them.
Does not: its formula (`models_ml/learning/evaluation/deflated_sharpe.py`), overfitting by splits (`splits.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.learning.evaluation.deflated_sharpe import ReturnSample, deflated_sharpe, expected_maximum_sharpe
from models_ml.optimiser.errors import TooLittleHistoryError

Floats = npt.NDArray[np.float64]

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Trials:
    """What a set of variants amounts to as trials.

    Attributes:
        variants: Their number, M.
        mean_correlation: Mean correlation of the daily returns of two of them, r.
        independent: r + (1 - r) M, the number of independent trials that M so correlated ones are worth, rounded up, at least 1.
        variance: Variance of their daily Sharpe ratios.

    Source of the number: Bailey, López de Prado (2014), The Deflated Sharpe Ratio, appendix 3.
    """

    variants: int
    mean_correlation: float
    independent: int
    variance: float


@dataclass(frozen=True)
class DeflatedSharpe:
    """The probability that the true Sharpe ratio of a variant exceeds what the best of its trials shows by luck.

    Attributes:
        probability: 0-1.
        sharpe: Of the variant, a day.
        by_luck: Largest expected of so many trials without skill, a day.
        trials: The trials.
    """

    probability: float
    sharpe: float
    by_luck: float
    trials: Trials


def trials_of(returns: Floats) -> Trials:
    """Count the trials.

    Args:
        returns: Daily returns, one row a variant and one column a day.

    Raises:
        TooLittleHistoryError: Fewer than two variants have returns that vary.
    """
    sharpes, standard_sum, number = [], np.zeros(returns.shape[1]), 0
    for start in range(0, len(returns), ROWS_AT_ONCE):
        rows = returns[start : start + ROWS_AT_ONCE]
        deviation = rows.std(axis=1, ddof=1)
        rows, deviation = rows[deviation > 0], deviation[deviation > 0]
        mean = rows.mean(axis=1)
        sharpes.append(mean / deviation)
        standard_sum += ((rows - mean[:, None]) / deviation[:, None]).sum(axis=0)
        number += len(rows)
    if number < 2:
        raise TooLittleHistoryError(f"{number} variants have returns that vary, so no spread of trials is known")
    # The variance of the summed standard returns is the sum of all correlations, the diagonal included.
    total = float((standard_sum**2).sum() / (returns.shape[1] - 1))
    correlation = (total - number) / (number * (number - 1))
    clipped = min(max(correlation, 0.0), 1.0)
    return Trials(
        variants=number,
        mean_correlation=correlation,
        independent=max(1, math.ceil(clipped + (1 - clipped) * number - 1e-9)),
        variance=float(np.concatenate(sharpes).var(ddof=1)),
    )


def deflated(returns: Floats, position: int, *, trials: Trials | None = None) -> DeflatedSharpe:
    """Deflate the Sharpe ratio of one variant.

    Args:
        returns: Daily returns, one row a variant and one column a day.
        position: The variant.
        trials: `trials_of(returns)` where it is known already.
    """
    counted = trials if trials is not None else trials_of(returns)
    sample = ReturnSample.of(returns[position])
    return DeflatedSharpe(
        probability=deflated_sharpe(sample, trials=counted.independent, variance=counted.variance),
        sharpe=sample.sharpe,
        by_luck=expected_maximum_sharpe(counted.independent, counted.variance),
        trials=counted,
    )
