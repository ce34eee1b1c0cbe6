"""Calibration: what was bent is bent back, and what was straight stays so."""

import numpy as np
import pytest
from scipy.special import expit, logit
from statsmodels.api import Logit, add_constant

from models_ml.learning.calibration import CALIBRATORS, isotonic, raw, sigmoid, temperature

SIZE = 40_000


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(3).uniform(0.05, 0.95, SIZE)


@pytest.fixture(scope="module")
def outcome(truth):
    return (np.random.default_rng(4).random(SIZE) < truth).astype(float)


def test_raw_changes_nothing(truth, outcome):
    assert raw(truth, outcome)(truth) is truth


def test_a_temperature_takes_back_boldness(truth, outcome):
    bold = expit(2 * logit(truth))

    assert temperature(bold, outcome)(bold) == pytest.approx(truth, abs=0.01)


def test_a_sigmoid_takes_back_boldness_and_shift(truth, outcome):
    bent = expit(2 * logit(truth) - 1)

    assert sigmoid(bent, outcome)(bent) == pytest.approx(truth, abs=0.01)


def test_a_sigmoid_equals_a_logistic_regression_without_penalty(truth, outcome):
    bent = expit(1.5 * logit(truth) + 0.5)
    oracle = Logit(outcome, add_constant(logit(bent))).fit(disp=False)

    assert sigmoid(bent, outcome)(bent) == pytest.approx(oracle.predict(), abs=1e-3)


def test_isotonic_takes_back_any_rising_bend(truth, outcome):
    bent = truth**3

    mapped = isotonic(bent, outcome)(bent)

    assert np.abs(mapped - truth).mean() < 0.02


@pytest.mark.parametrize("name", CALIBRATORS)
def test_probabilities_stay_probabilities_in_their_order(name, truth, outcome):
    values = np.array([0.0, 1e-9, 0.2, 0.5, 0.9, 1.0])

    mapped = CALIBRATORS[name](truth, outcome)(values)

    assert np.all((mapped >= 0) & (mapped <= 1))
    assert np.all(np.diff(mapped) >= 0)
