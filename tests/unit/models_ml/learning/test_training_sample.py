"""A booster learns from a bounded number of rows: a seeded sample of those a refit may use."""

import numpy as np
import polars as pl
import pytest

from models_ml.learning import boosters

MOST = 500


@pytest.fixture
def bounded(monkeypatch):
    monkeypatch.setattr(boosters, "MOST_TRAINING_ROWS", MOST)


def test_up_to_the_bound_every_row_is_used(bounded):
    assert boosters.training_sample(MOST) is None


def test_the_sample_has_the_bound_s_size_each_row_once_in_order_and_always_the_same(bounded):
    sample = boosters.training_sample(2000)

    assert len(sample) == MOST
    assert np.all(np.diff(sample) > 0)
    assert sample.min() >= 0
    assert sample.max() < 2000
    assert np.array_equal(sample, boosters.training_sample(2000))


def test_the_sample_comes_from_all_parts_of_the_past(bounded):
    quarters = np.bincount(boosters.training_sample(2000) // 500, minlength=4)

    assert np.all(np.abs(quarters - MOST / 4) < 50)


def test_a_booster_of_too_many_rows_is_that_of_their_sample(bounded):
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({name: generator.normal(size=2000) for name in "abc"})
    label = frame["a"].to_numpy() + generator.normal(size=2000)
    sample = boosters.training_sample(2000)

    def text(rows, target):
        return boosters.boost(
            rows, {"y": target}, columns=list("abc"), parameters={"objective": "regression"}, rounds=3
        )["y"]

    assert text(frame, label) == text(frame[sample], label[sample])
    assert text(frame, label) != text(frame[:MOST], label[:MOST])
