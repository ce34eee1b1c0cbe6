"""Agreement with people: metrics against scikit-learn, choices inside the folds, and intervals that cover the truth."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from models_ml.sentiment.agreement import (
    accuracy,
    choose,
    cross_validate,
    estimate,
    macro_f1,
    majority_calls,
    paired_gain,
    resampled_weights,
)

TEXTS = 200


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def labels(rng):
    return rng.random(TEXTS) < 0.6


@pytest.fixture
def groups():
    return np.arange(TEXTS)


def told_by(labels, rng, strength):
    return np.clip(strength * (labels - 0.5) + rng.normal(0, 0.3, len(labels)), -1, 1)


def test_metrics_are_those_of_scikit_learn(labels, rng):
    calls = rng.random((4, TEXTS)) < 0.5

    assert accuracy(calls, labels) == pytest.approx(np.mean([accuracy_score(labels, row) for row in calls]))
    assert macro_f1(calls, labels) == pytest.approx(np.mean([f1_score(labels, row, average="macro") for row in calls]))


def test_a_class_that_is_never_called_has_no_f1(labels):
    always = np.ones((1, TEXTS), dtype=bool)

    assert macro_f1(always, labels) == pytest.approx(f1_score(labels, always[0], average="macro", zero_division=0))


def test_the_better_candidate_and_its_threshold_are_chosen(labels, rng):
    shifted = told_by(labels, rng, 4.0) / 2 + 0.25

    name, threshold = choose({"noise": rng.normal(size=TEXTS), "shifted": shifted}, labels)

    assert name == "shifted"
    assert macro_f1((shifted > threshold)[None, :], labels) > 0.95


def test_noise_is_no_better_than_chance_out_of_fold(labels, groups, rng):
    candidates = {str(number): rng.uniform(-1, 1, TEXTS) for number in range(5)}

    judged = cross_validate(candidates, labels, groups, repeats=4)

    assert macro_f1(judged.calls, labels) < 0.58


def test_a_text_is_judged_by_what_was_chosen_without_it(labels, groups):
    # Every fold's threshold comes from the others: a label that is turned round changes no call of its own fold's threshold.
    compounds = np.where(labels, 0.3, -0.3)

    judged = cross_validate({"told": compounds}, labels, groups, repeats=2)

    assert (judged.calls == labels).all()
    assert sum(count for _, count in judged.chosen) == 2 * 5


def test_equal_texts_stay_in_one_fold(rng):
    # Two copies each, scores that only a copy could vouch for: nothing is learnt from them.
    labels = np.repeat(rng.random(100) < 0.5, 2)
    groups = np.repeat(np.arange(100), 2)

    weights = resampled_weights(groups, seed=1, resamples=50)

    assert (weights[::2] == weights[1::2]).all()
    assert (weights.sum(axis=0) == 200).all()
    judged = cross_validate({"x": np.repeat(rng.uniform(-1, 1, 100), 2)}, labels, groups, repeats=1)
    assert (judged.calls[:, ::2] == judged.calls[:, 1::2]).all()


def test_intervals_hold_the_value_and_a_real_gain_is_above_zero(labels, groups, rng):
    strong = cross_validate({"strong": told_by(labels, rng, 1.5)}, labels, groups, repeats=2).calls
    weak = cross_validate({"weak": told_by(labels, rng, 0.3)}, labels, groups, repeats=2).calls

    of_strong, gain = estimate(strong, labels, groups), paired_gain(strong, weak, labels, groups)

    for each in (*of_strong.values(), *gain.values()):
        assert each.low <= each.value <= each.high
    assert gain["macro_f1"].low > 0
    assert paired_gain(weak, weak, labels, groups)["macro_f1"].high == 0


def test_the_majority_is_that_of_the_other_folds(labels, groups):
    assert accuracy(majority_calls(labels, groups, repeats=2), labels) == pytest.approx(labels.mean())


def test_lengths_that_differ_are_refused(labels, groups):
    with pytest.raises(ValueError, match="one length"):
        cross_validate({"x": np.zeros(3)}, labels, groups)
