"""Errors of regressions and means over overlapping weeks: the Newey-West covariance.

Belongs here: the long-run covariance with Bartlett weights, and the coefficients of a linear regression with it.
Does not: resampling (`intervals.py`), which factors are regressed on (`attribution.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearFit:
    """Coefficients of a regression, one a column of its regressors.

    Attributes:
        coefficients: Estimates.
        errors: Their Newey-West standard errors.
        r_squared: Share of the variance about the mean that is explained; NaN where the outcome never varies.
    """

    coefficients: Floats
    errors: Floats
    r_squared: float


def long_run_covariance(moments: Floats, *, lags: int) -> Floats:
    """Sum of autocovariances of a vector series, weighted so that the result is positive semi-definite.

    S = G(0) + sum over l of (1 - l / (lags + 1)) (G(l) + G(l)'), with G(l) = sum over t of m(t) m(t-l)'.

    Args:
        moments: One row a period, oldest first, one column a moment; of mean zero.
        lags: Largest lag with a weight, at least 0 and below the number of rows.

    Returns:
        A square matrix, one row and column a moment; a sum over periods, not a mean.

    Raises:
        ValueError: `lags` is negative or not below the number of periods.

    Source: Newey, West (1987), A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
    Covariance Matrix, Econometrica 55(3).
    """
    periods = len(moments)
    if not 0 <= lags < periods:
        raise ValueError(
            f"{lags} lags need more than {lags} periods, but there are {periods}; take fewer lags or more weeks"
        )
    total = moments.T @ moments
    for lag in range(1, lags + 1):
        crossed = moments[lag:].T @ moments[:-lag]
        total = total + (1 - lag / (lags + 1)) * (crossed + crossed.T)
    return np.asarray(total, dtype=np.float64)


def linear_fit(outcome: Floats, regressors: Floats, *, lags: int) -> LinearFit:
    """Ordinary least squares with Newey-West errors, corrected for the number of coefficients (n / (n - k)).

    Args:
        outcome: One value a period, oldest first.
        regressors: One row a period, one column a regressor; the constant is one of them.
        lags: Largest lag with a weight; periods that overlap by k need at least k.

    Raises:
        ValueError: There are not more periods than regressors, the regressors are collinear, a value is not finite, or `lags` is
            out of range.
    """
    periods, count = regressors.shape
    if periods <= count:
        raise ValueError(f"{count} coefficients need more than {count} periods, but there are {periods}")
    if not (np.isfinite(outcome).all() and np.isfinite(regressors).all()):
        raise ValueError("a regression takes finite values only; drop the periods in which one is unknown")
    if np.linalg.matrix_rank(regressors) < count:
        raise ValueError(f"the {count} regressors are collinear, so their coefficients are not defined; drop one")
    inverse = np.linalg.inv(regressors.T @ regressors)
    coefficients = inverse @ regressors.T @ outcome
    residuals = outcome - regressors @ coefficients
    spread = long_run_covariance(regressors * residuals[:, None], lags=lags) * periods / (periods - count)
    about_mean = float(np.square(outcome - outcome.mean()).sum())
    return LinearFit(
        coefficients=np.asarray(coefficients, dtype=np.float64),
        errors=np.sqrt(np.maximum(np.diag(inverse @ spread @ inverse), 0.0)),
        r_squared=1 - float(np.square(residuals).sum()) / about_mean if about_mean > 0 else float("nan"),
    )
