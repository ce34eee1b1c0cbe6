"""Calibration slope and intercept: are probabilities too bold or too timid, and too high or too low, year by year.

Belongs here: the logistic regression of outcomes on the log odds of their probabilities, with errors that allow for common weeks.
Does not: calibration error by bins (`probabilities.py`).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats, long_run_covariance
from models_ml.learning.evaluation.intervals import FEWEST_BLOCKS, LEVEL
from models_ml.learning.evaluation.probabilities import known_rows, totals_by_week

SMALLEST_PROBABILITY = 1e-6
STEPS = 100


def calibration_slopes(
    frame: pl.DataFrame, *, probability: str, outcome: str, block: int, by: str | None = None, level: float = LEVEL
) -> pl.DataFrame:
    """Logistic regression logit P(o = 1) = intercept + slope logit(p), in total or per group.

    Slope 1 and intercept 0 are perfect; a slope below 1 says the probabilities are too far from the base rate, an intercept above 0
    that they are too low. Errors sum the scores of each week and weight neighbouring weeks as Newey-West does, because the rows of
    a week share their market and neighbouring weeks their outcome.

    Args:
        frame: as_of_week, the probability, the outcome (0 or 1), and the column of `by`.
        probability: Column of probabilities; clipped to 1e-6 from 0 and 1.
        outcome: Column of what happened.
        block: Weeks in a block, one more than the lags.
        by: Column whose groups are fitted apart, such as year.
        level: Probability the normal intervals are to cover.

    Returns:
        The column of `by`, slope, slope_low, slope_high, intercept, intercept_low, intercept_high, rows, weeks. Null where the outcome
        or the probability never varies or is parted perfectly; bounds are null below three blocks of weeks.

    Source: Cox (1958), Two Further Applications of a Model for Binary Regression, Biometrika 45; Driscoll, Kraay (1998), Consistent
    Covariance Matrix Estimation with Spatially Dependent Panel Data, Review of Economics and Statistics 80(4), for the errors.
    """
    rows = known_rows(frame, probability, outcome)
    groups = rows.partition_by(by, as_dict=True) if by else {(): rows}
    reach = NormalDist().inv_cdf((1 + level) / 2)
    results = []
    for key, group in groups.items():
        weeks = group["as_of_week"].n_unique()
        fit = _logistic_fit(group, probability, outcome, lags=block - 1)
        bounds: list[float | None] = []
        for position in (1, 0):  # slope before intercept
            if fit is None:
                bounds += [None, None, None]
                continue
            estimate, error = float(fit[0][position]), float(fit[1][position])
            has_bounds = weeks >= FEWEST_BLOCKS * block
            bounds += [
                estimate,
                *((estimate - reach * error, estimate + reach * error) if has_bounds else (None, None)),
            ]
        results.append((*key, *bounds, group.height, weeks))
    names = ["slope", "slope_low", "slope_high", "intercept", "intercept_low", "intercept_high"]
    schema = ({by: frame.schema[by]} if by else {}) | dict.fromkeys(names, pl.Float64())
    table = pl.DataFrame(results, schema=schema | {"rows": pl.Int64(), "weeks": pl.Int64()}, orient="row")
    return table.sort(by) if by else table


def _logistic_fit(group: pl.DataFrame, probability: str, outcome: str, *, lags: int) -> tuple[Floats, Floats] | None:
    """Coefficients (intercept, slope) and their errors, by Newton's method; None where the likelihood has no single maximum."""
    clipped = np.clip(group[probability].to_numpy(), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    design = np.column_stack([np.ones(len(clipped)), np.log(clipped / (1 - clipped))])
    happened = group[outcome].to_numpy()
    if np.ptp(happened) == 0 or np.ptp(clipped) < SMALLEST_PROBABILITY:
        return None
    coefficients = np.array([0.0, 1.0])
    for _ in range(STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(design @ coefficients, -500, 500)))
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (happened - fitted))
        coefficients = coefficients + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None
    residual = happened - fitted
    scores = totals_by_week(group, residual, design[:, 1] * residual)
    inverse = np.linalg.inv(information)
    covariance = inverse @ long_run_covariance(scores, lags=min(lags, len(scores) - 1)) @ inverse
    return coefficients, np.sqrt(np.maximum(np.diag(covariance), 0.0))
