"""Parameters of a calendar year: searched at its first refit, then the same for all its refits."""

import datetime as dt

import polars as pl
import pytest

from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.ranking import TRADER
from models_ml.learning.tuning import Tuning
from orchestration.lib import training
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.training import parameters_of_year

ROWS = pl.DataFrame()
JANUARY, APRIL, NEXT_JANUARY = dt.date(2023, 1, 2), dt.date(2023, 4, 3), dt.date(2024, 1, 1)


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path)


@pytest.fixture
def searches(monkeypatch):
    """Dates and trials of the searches made; each finds the number of the search as its leaves."""
    made = []

    def search(head, rows, labels, *, refit, trials):
        made.append((refit, trials))
        return Tuning({"num_leaves": 10 + len(made)}, trials)

    monkeypatch.setattr(training, "tune", search)
    return made


def parameters(registry, refit, *, trials=5):
    return parameters_of_year(registry, TRADER, ROWS, ROWS, refit=refit, trials=trials)


def freeze(registry, refit, found):
    registry.freeze(
        FrozenModel(
            head=TRADER.name,
            refit=refit,
            boosters={"return_14d": "tree"},
            columns=("rank_return_7d",),
            training_weeks=(dt.date(2021, 1, 4), dt.date(2022, 1, 3)),
            training_rows=1,
            parameters=found,
        )
    )


def test_refits_of_one_year_share_what_its_first_one_found(registry, searches):
    freeze(registry, JANUARY, parameters(registry, JANUARY))

    later = parameters(registry, APRIL)

    assert later == {"num_leaves": 11, "trials": 5}
    assert searches == [(JANUARY, 5)]


def test_a_new_year_is_searched_anew(registry, searches):
    freeze(registry, JANUARY, parameters(registry, JANUARY))

    assert parameters(registry, NEXT_JANUARY) == {"num_leaves": 12, "trials": 5}
    assert searches == [(JANUARY, 5), (NEXT_JANUARY, 5)]


@pytest.mark.parametrize("found", [{}, {"trials": 0}], ids=["frozen by an earlier release", "not tuned"])
def test_another_number_of_trials_waits_for_the_next_year(registry, searches, found):
    freeze(registry, JANUARY, found)

    assert parameters(registry, APRIL, trials=10) == found
    assert searches == []
