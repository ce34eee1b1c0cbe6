"""Whether a Sharpe ratio is more than luck, given its sample and the number of strategies that were tried.

Belongs here: Sharpe ratios of a series, the probabilistic and the deflated Sharpe ratio.
Does not: the returns (`performance.py`), the count of the trials (whoever tunes logs it).

All Sharpe ratios here are per period, not annualised: an annual one divided by the square root of the periods in a year.

Source: Bailey, López de Prado (2014), The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and
Non-Normality, Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from models_ml.learning.evaluation.hac import Floats

EULER_MASCHERONI = 0.5772156649015329
SMALLEST_SPREAD = 1e-12
"""Returns whose variance is a smaller share of their mean square are one value with rounding error, and have no Sharpe ratio."""


@dataclass(frozen=True)
class ReturnSample:
    """What the tests need of a series of returns.

    Attributes:
        sharpe: Mean over sample standard deviation, per period.
        skewness: Third standardised moment; 0 of a normal series.
        kurtosis: Fourth standardised moment, not in excess; 3 of a normal series.
        periods: Number of returns, at least 2.
    """

    sharpe: float
    skewness: float
    kurtosis: float
    periods: int

    @classmethod
    def of(cls, returns: Floats) -> Self:
        """Measure returns of equal, non-overlapping periods (overlapping ones would count as more evidence than they are).

        Raises:
            ValueError: There are fewer than 3, one is not finite, or they never vary.
        """
        if len(returns) < 3 or not np.isfinite(returns).all():
            raise ValueError(
                f"a Sharpe ratio takes at least 3 finite returns, not {len(returns)} with unknown ones among them"
            )
        if returns.var() <= SMALLEST_SPREAD * np.square(returns).mean():
            raise ValueError(f"all {len(returns)} returns are equal, so their Sharpe ratio is not defined")
        standard = (returns - returns.mean()) / returns.std()
        return cls(
            sharpe=float(returns.mean() / returns.std(ddof=1)),
            skewness=float((standard**3).mean()),
            kurtosis=float((standard**4).mean()),
            periods=len(returns),
        )


def sharpe_of_totals(totals: Floats) -> Floats:
    """Sharpe ratios from sums of returns, of their squares, and of ones: one a row; NaN where they never vary."""
    total, squares, count = totals[..., 0], totals[..., 1], totals[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        variance = (squares - count * mean**2) / (count - 1)
        return np.where(variance > SMALLEST_SPREAD * squares / count, mean / np.sqrt(variance), np.nan)


def probabilistic_sharpe(sample: ReturnSample, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`.

    PSR = Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2)).

    Args:
        sample: The series.
        benchmark: SR*, per period.

    Raises:
        ValueError: The estimated variance of the ratio is not positive.
    """
    variance = 1 - sample.skewness * sample.sharpe + (sample.kurtosis - 1) / 4 * sample.sharpe**2
    if variance <= 0:
        raise ValueError(f"{sample} gives the ratio a variance of {variance:g}; these moments belong to no sample")
    return NormalDist().cdf((sample.sharpe - benchmark) * math.sqrt((sample.periods - 1) / variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Sharpe ratio that the best of `trials` strategies without any skill is expected to show.

    sqrt(V) ((1 - g) Phi^-1(1 - 1 / N) + g Phi^-1(1 - 1 / (N e))), with g the Euler-Mascheroni constant; 0 for one trial.

    Args:
        trials: Number of independent trials, at least 1.
        variance: V, of the Sharpe ratios over the trials, per period.

    Raises:
        ValueError: `trials` is below 1 or `variance` negative.
    """
    if trials < 1 or variance < 0:
        raise ValueError(
            f"{trials} trials with a variance of {variance:g}: there is at least one trial, and no negative variance"
        )
    if trials == 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    expected = (1 - EULER_MASCHERONI) * quantile(1 - 1 / trials) + EULER_MASCHERONI * quantile(
        1 - 1 / (trials * math.e)
    )
    return math.sqrt(variance) * expected


def deflated_sharpe(sample: ReturnSample, *, trials: int, variance: float) -> float:
    """Probability that the true Sharpe ratio exceeds what the best of `trials` trials without skill would show.

    Args:
        sample: The series of the trial that was chosen.
        trials: All trials that were made, the discarded ones included.
        variance: Of the Sharpe ratios over the trials, per period. Where only their number was logged, 1 / (periods - 1) is that of
            trials without skill.
    """
    return probabilistic_sharpe(sample, expected_maximum_sharpe(trials, variance))
