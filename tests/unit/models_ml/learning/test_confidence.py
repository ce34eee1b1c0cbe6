"""Confidence: a fixed formula that falls with novelty, drift and age."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.learning.confidence import EXPIRED_CAP, confidence, drifted_share, watched_figures

SHARES = st.floats(0, 1)


def of(novelty, *, drifted=0.0, is_expired=False):
    return confidence(pl.Series("novelty", [novelty]), drifted_share=drifted, is_expired=is_expired)[0]


@pytest.mark.parametrize(
    ("novelty", "drifted", "is_expired", "expected"),
    [
        (0.0, 0.0, False, 1.0),
        (0.1, 0.0, False, 0.8),
        (0.1, 0.4, False, 0.64),
        (0.6, 0.0, False, 0.0),
        (0.0, 1.0, False, 0.5),
        (0.0, 0.0, True, EXPIRED_CAP),
        (0.4, 0.0, True, 0.2),
        (None, 0.0, True, None),
    ],
)
def test_worked_values(novelty, drifted, is_expired, expected):
    assert of(novelty, drifted=drifted, is_expired=is_expired) == (
        expected if expected is None else pytest.approx(expected)
    )


@given(novelty=SHARES, more=SHARES, drifted=SHARES, further=SHARES)
def test_it_lies_in_0_to_1_and_never_rises_with_novelty_drift_or_age(novelty, more, drifted, further):
    here = of(novelty, drifted=drifted)

    worse = [
        of(max(novelty, more), drifted=drifted),
        of(novelty, drifted=max(drifted, further)),
        of(novelty, drifted=drifted, is_expired=True),
    ]

    assert min(worse) >= 0
    assert max(worse) <= here <= 1


def test_the_figures_of_a_week():
    drift = pl.DataFrame({"feature": ["a", "b", "c"], "psi": [0.1, 0.3, 0.8]})
    novelty = pl.Series("novelty", [0.0, 0.05, 0.2, None])

    figures = watched_figures(drift, novelty, age_days=35)

    assert figures == {
        "psi_max": 0.8,
        "psi_mean": pytest.approx(0.4),
        "columns_compared": 3.0,
        "columns_drifted": 2.0,
        "novel_row_share": pytest.approx(1 / 3),
        "age_days": 35.0,
    }
    assert drifted_share(drift) == pytest.approx(2 / 3)


def test_a_week_in_which_nothing_can_be_measured_has_no_figures_but_its_counts():
    drift = pl.DataFrame(schema={"feature": pl.String, "psi": pl.Float64})

    figures = watched_figures(drift, pl.Series("novelty", [None], dtype=pl.Float64), age_days=0)

    assert [name for name, value in figures.items() if value is None] == ["psi_max", "psi_mean", "novel_row_share"]
    assert drifted_share(drift) == 0
