"""The section on tuning: paired gains over the stated parameters, and what each year's search found."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from models_ml.learning.ranking import TRADER
from models_ml.learning.tuning import Tuning
from orchestration.evaluation import experiments
from orchestration.evaluation.experiments import Outcome, tuning_section
from orchestration.evaluation.history import History

WEEKS = [dt.date(2023, 1, 2) + dt.timedelta(days=7 * week) for week in range(40)]

NOTHING = History(Path(), WEEKS[-1], pl.DataFrame(), pl.DataFrame(), pl.DataFrame())


def outcome(gain, tunings=None):
    weekly = pl.concat(
        pl.DataFrame({"as_of_week": WEEKS, "value": [0.1 + 0.001 * (at % 7) + gain for at in range(40)]}).with_columns(
            universe=pl.lit(universe)
        )
        for universe in ("broad", "liquid")
    )
    return Outcome(weekly, weekly, tunings or {})


@pytest.fixture
def text(monkeypatch):
    found = {
        2022: Tuning({"num_leaves": 13, "rounds": 77}, 10, 0.11, 0.13),
        2023: Tuning({}, 10, 0.12, 0.121),
    }
    monkeypatch.setattr(experiments, "TUNING_TRIALS", (10,))
    monkeypatch.setattr(experiments, "walk_forward", lambda *_, trials, **__: outcome(0.02, found))
    return tuning_section(NOTHING, pl.DataFrame(), outcome(0.0))


def cells(text, *beginning):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [row for row in rows if row[: len(beginning)] == list(beginning)]


def test_gains_are_paired_with_the_stated_parameters(text):
    (row,) = cells(text, "tuned, 10 trials", "broad", "rank_ic")

    assert [float(value) for value in row[4:]] == pytest.approx([0.02] * 3)


def test_each_year_shows_its_parameters_tuned_or_not(text):
    (tuned,), (kept,) = cells(text, "tuned, 10 trials", "2022"), cells(text, "tuned, 10 trials", "2023")

    assert {"13", "77"} <= set(tuned)
    assert str(TRADER.rounds) in kept
