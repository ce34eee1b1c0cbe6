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
    days, count = returns.shape
    if count == 1:
        return np.ones(1)
    from skfolio.exceptions import OptimizationError  # imported here: loading it takes a second, few indices need it

    model = _model(method)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The covariance matrix is not positive definite")
            found = np.asarray(model.fit(returns).weights_, dtype=np.float64)
    except (OptimizationError, ValueError) as error:
        raise OptimiserError(
            f"{method} finds no weights for {count} tokens over {days} days ({error}); choose another method, or a "
            "longer weighting.covariance_days"
        ) from error
    positive = np.maximum(found, 0.0)
    return np.asarray(positive / positive.sum(), dtype=np.float64)


def _model(method: OptimisedMethod) -> Any:
    from skfolio import RiskMeasure
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting

    if method == "risk_parity":
        return RiskBudgeting(risk_measure=RiskMeasure.VARIANCE)
    if method == "hierarchical_risk_parity":
        return HierarchicalRiskParity(risk_measure=RiskMeasure.VARIANCE)
    return MeanRisk(risk_measure=RiskMeasure.VARIANCE, objective_function=ObjectiveFunction.MINIMIZE_RISK)
