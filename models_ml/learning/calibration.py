"""Calibration: candidates that could make probabilities truer, fitted on past outcomes and judged on later ones.

Belongs here: raw, temperature, sigmoid (Platt) and isotonic maps of one probability.
Does not: which of them is used, and on which folds that is decided (`orchestration/evaluation/calibration.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models_ml.learning.boosters import Floats

Calibrator = Callable[[Floats], Floats]

EDGE = 1e-6
"""Probabilities nearer to 0 or 1 are moved here before their logit is taken."""


def raw(probability: Floats, outcome: Floats) -> Calibrator:
    """The probabilities as they are; the outcomes are not looked at."""
    del probability, outcome
    return lambda values: values


def temperature(probability: Floats, outcome: Floats) -> Calibrator:
    """One factor on the logit (Guo et al. 2017, On Calibration of Modern Neural Networks, ICML).

    Args:
        probability: Past probabilities, 0-1.
        outcome: 1 where it happened, else 0.
    """
    return _on_logit(probability, outcome, has_intercept=False)


def sigmoid(probability: Floats, outcome: Floats) -> Calibrator:
    """A factor and a shift on the logit (Platt 1999, Probabilistic Outputs for Support Vector Machines)."""
    return _on_logit(probability, outcome, has_intercept=True)


def isotonic(probability: Floats, outcome: Floats) -> Calibrator:
    """The rising step function that fits best (Zadrozny, Elkan 2002, KDD), constant beyond the probabilities seen."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(probability, outcome)
    return lambda values: np.asarray(fitted.predict(values), dtype=np.float64)


CALIBRATORS: dict[str, Callable[[Floats, Floats], Calibrator]] = {
    "raw": raw,
    "temperature": temperature,
    "sigmoid": sigmoid,
    "isotonic": isotonic,
}
"""The candidates by name."""


def _logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, EDGE, 1 - EDGE)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)


def _squash(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)


def logit_line(probability: Floats, outcome: npt.ArrayLike, *, has_intercept: bool) -> tuple[float, float]:
    """The factor and the shift of the logit with the least logarithmic loss, without a penalty; the shift is 0 without an intercept.

    Args:
        probability: Past probabilities, 0-1.
        outcome: 1 where it happened, else 0; both must occur.
        has_intercept: Whether the logit may be shifted.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=np.inf, fit_intercept=has_intercept).fit(_logit(probability).reshape(-1, 1), outcome)
    return float(fitted.coef_[0, 0]), float(np.ravel(fitted.intercept_)[0])


def on_logit_line(probability: Floats, *, factor: float, shift: float) -> Floats:
    """Probabilities whose logit is stretched by the factor and then shifted; with 1 and 0 they come back as they are."""
    if (factor, shift) == (1.0, 0.0):
        return probability
    return _squash(factor * _logit(probability) + shift)


def _on_logit(probability: Floats, outcome: Floats, *, has_intercept: bool) -> Calibrator:
    factor, shift = logit_line(probability, outcome, has_intercept=has_intercept)
    return lambda values: _squash(factor * _logit(values) + shift)
