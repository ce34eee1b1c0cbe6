"""Tuning: a search that repeats, keeps to its number of trials, sees its window only, and leaves the defaults where they are as good."""

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning import tuning
from models_ml.learning.calendar import TUNING_TRIALS_A_YEAR
from models_ml.learning.ranking import INVESTOR, TRADER
from models_ml.learning.tuning import SPACE, Tuning, defaults_of, tune, with_parameters

REFIT = dt.date(2023, 1, 2)
BOLD = dataclasses.replace(
    TRADER, rounds=100, parameters={"learning_rate": 0.1, "min_data_in_leaf": 50, "lambda_l2": 0.5}
)
"""Learns the noise of the panel: most of the space is better."""


@pytest.fixture(scope="module")
def panel(panel_of):
    return panel_of(11, tokens=60, weeks=40, strength=0.1)


def search(head, panel, *, trials, labels=None):
    return tune(head, panel.frame, panel.labels if labels is None else labels, refit=REFIT, trials=trials)


def test_the_defaults_of_both_heads_lie_in_the_space():
    for head in (TRADER, INVESTOR):
        for name, value in defaults_of(head).items():
            assert SPACE[name].low <= value <= SPACE[name].high


def test_a_search_repeats_whatever_the_order_of_rows(panel):
    once = search(BOLD, panel, trials=4)

    again = tune(
        BOLD,
        panel.frame.sample(fraction=1, shuffle=True, seed=1),
        panel.labels.sample(fraction=1, shuffle=True, seed=2),
        refit=REFIT,
        trials=4,
    )

    assert once.parameters.keys() == SPACE.keys()
    assert again == once


@pytest.mark.parametrize("trials", [0, 1, 3])
def test_a_search_makes_the_trials_it_is_told_and_logs_them(panel, monkeypatch, trials):
    skills = iter([0.1, 0.2, 0.3, 0.4])
    monkeypatch.setattr(tuning, "_skill_over_folds", lambda *_: next(skills))

    found = search(TRADER, panel, trials=trials)

    assert found.trials == trials
    assert found.logged()["trials"] == trials
    assert next(skills) == pytest.approx(0.1 * (trials + 1))


@pytest.mark.parametrize("trials", [-1, TUNING_TRIALS_A_YEAR + 1])
def test_more_trials_than_allowed_are_refused(panel, trials):
    with pytest.raises(ValueError, match=f"{trials} trials, but a search takes 0 to 30"):
        search(TRADER, panel, trials=trials)


@pytest.mark.parametrize(
    ("skills", "is_replaced"),
    [([0.1, 0.1, 0.1], False), ([0.1, 0.1019, 0.09], False), ([0.1, 0.05, 0.1021], True)],
    ids=["ties", "within the margin", "beyond the margin"],
)
def test_the_defaults_stay_unless_a_trial_beats_them_by_the_margin(panel, monkeypatch, skills, is_replaced):
    values = iter(skills)
    monkeypatch.setattr(tuning, "_skill_over_folds", lambda *_: next(values))

    found = search(TRADER, panel, trials=3)

    assert bool(found.parameters) is is_replaced
    assert (found.default_ic, found.best_ic) == (skills[0], max(skills))


def test_the_first_trial_is_that_of_the_defaults(panel, monkeypatch):
    tried = []
    monkeypatch.setattr(tuning, "_skill_over_folds", lambda head, *_: tried.append(head) or 0.0)

    search(INVESTOR, panel, trials=2)

    assert defaults_of(tried[0]) == defaults_of(INVESTOR)
    assert defaults_of(tried[1]) != defaults_of(INVESTOR)


def test_tuning_helps_a_head_that_is_too_bold_and_says_by_how_much(panel):
    found = search(BOLD, panel, trials=4)

    assert found.best_ic > found.default_ic + 0.03
    assert defaults_of(with_parameters(BOLD, found.logged())) == pytest.approx(found.parameters)


def test_labels_after_the_window_change_nothing(panel):
    rng = np.random.default_rng(3)
    later = [panel.labels["as_of_week"].max() + dt.timedelta(days=7 * week) for week in range(1, 30)]
    unseen = pl.concat(
        panel.labels.filter(pl.col("as_of_week") == panel.labels["as_of_week"].max()).with_columns(
            as_of_week=pl.lit(week), forward_return_14d=pl.Series(rng.normal(0, 9, 60))
        )
        for week in later
    )

    assert search(BOLD, panel, trials=2, labels=pl.concat([panel.labels, unseen])) == search(BOLD, panel, trials=2)


def test_untuned_parameters_leave_a_head_as_it_is():
    assert with_parameters(TRADER, Tuning({}, 0).logged()) == TRADER
