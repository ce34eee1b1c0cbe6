"""Weights that an optimiser finds from past returns, through skfolio.

Belongs here: the one place that knows skfolio, and its settings.
Does not: which returns (`past_returns.py`), constituents without enough of them (`weighting.py`), limits (`limits.py`).
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from models_ml.indices.errors import OptimiserError
from models_ml.indices.weighting_rules import OptimisedMethod

Floats = npt.NDArray[np.float64]

# Weights do not depend on the unit of the returns, but whether the solver finds them does: with daily returns as they are
# it gave up on the risk parity of 24 of the largest tokens of May 2020, whose covariance is well-conditioned, and not with
# returns ten times as large.
SECOND_DEVIATION = 0.2
SWEEPS = 200
SETTLED = 1e-13


def optimised_weights(returns: Floats, *, method: OptimisedMethod) -> Floats:
    """Long-only weights of a portfolio built from the sample covariance of past returns.

    - `risk_parity`: every token contributes the same to the variance (Maillard, Roncalli and Teiletche, *The Properties
      of Equally Weighted Risk Contribution Portfolios*, 2010).
    - `hierarchical_risk_parity`: inverse variance down a tree of tokens that move alike, distances from the Pearson
      correlation, Ward linkage (Lopez de Prado, *Building Diversified Portfolios that Outperform Out of Sample*, 2016).
    - `minimum_variance`: the smallest variance (Markowitz 1952); many weights may be zero.

    A covariance that is not positive definite, as of two tokens that move alike, is replaced by the nearest one that
    is.

    Args:
        returns: Simple daily returns, one row per day and one column per token, at least two days, no NaN.
        method: Which portfolio.

    Returns:
        Fractions of at least 0 in the order of the columns, summing to 1.

    Raises:
        OptimiserError: There is no solution, for example because a token never moved.
    """
    if returns.shape[1] == 1:
        return np.ones(1)
    found = _solved(returns, method=method)
    positive = np.maximum(found, 0.0)
    if method == "risk_parity":
        positive = _settled_risk_parity(np.cov(returns.T), start=positive)
    return np.asarray(positive / positive.sum(), dtype=np.float64)


def _solved(returns: Floats, *, method: OptimisedMethod) -> Floats:
    """Weights as skfolio finds them, in a second attempt with returns in another unit."""
    from skfolio.exceptions import OptimizationError  # imported here: loading it takes a second, few indices need it

    days, count = returns.shape
    problem: Exception | None = None
    for unit in (1.0, SECOND_DEVIATION / max(float(returns.std()), np.finfo(float).tiny)):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="Solution may be inaccurate")
                warnings.filterwarnings("ignore", message="The covariance matrix is not positive definite")
                return np.asarray(_model(method).fit(returns * unit).weights_, dtype=np.float64)
        except (OptimizationError, UserWarning, ValueError) as error:
            problem = error
    raise OptimiserError(
        f"{method} finds no weights for {count} tokens over {days} days ({str(problem).splitlines()[0]}); choose another "
        "method, or a longer weighting.covariance_days"
    ) from problem


def _model(method: OptimisedMethod) -> Any:
    from skfolio import RiskMeasure
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting

    if method == "risk_parity":
        return RiskBudgeting(risk_measure=RiskMeasure.VARIANCE)
    if method == "hierarchical_risk_parity":
        return HierarchicalRiskParity(risk_measure=RiskMeasure.VARIANCE)
    return MeanRisk(risk_measure=RiskMeasure.VARIANCE, objective_function=ObjectiveFunction.MINIMIZE_RISK)


def _settled_risk_parity(covariance: Floats, *, start: Floats) -> Floats:
    """Bring weights that almost contribute the same variance to the ones that do, by cyclical coordinate descent.

    The solver stops up to 2e-5 short of them (20 random portfolios), and elsewhere when a return changes in its last
    digit, so its weights alone would not reproduce on another machine.

    Source: Griveau-Billion, Richard and Roncalli, *A Fast Algorithm for Computing High-Dimensional Risk Parity
    Portfolios*, 2013.
    """
    count = len(covariance)
    variances = np.diag(covariance)
    # At the solution of this form each weight times its marginal variance is 1 / count.
    weights = start / np.sqrt(start @ covariance @ start)
    for _ in range(SWEEPS):
        before = weights.copy()
        for one in range(count):
            others = covariance[one] @ weights - variances[one] * weights[one]
            weights[one] = (np.sqrt(others**2 + 4 * variances[one] / count) - others) / (2 * variances[one])
        if np.abs(weights - before).max() <= SETTLED * weights.max():
            break
    return weights
