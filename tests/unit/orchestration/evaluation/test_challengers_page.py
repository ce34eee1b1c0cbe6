"""The page of challengers: paired gains, and the verdict that the rule gives."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from orchestration.evaluation.challengers import CHAMPION_NAME, comparison
from orchestration.evaluation.experiments import Outcome

WEEKS = 120


def outcome(gain, *, seed=1):
    """Weekly figures around 0.1 in both universes, the same noise for all, plus a gain a universe and a little noise of its own."""
    common, own = np.random.default_rng(1).normal(0.1, 0.1, WEEKS), np.random.default_rng(seed).normal(0, 0.005, WEEKS)
    parts = [
        pl.DataFrame(
            {
                "as_of_week": [dt.date(2022, 1, 3) + dt.timedelta(weeks=week) for week in range(WEEKS)],
                "value": common + own + gain[universe],
                "universe": universe,
            }
        )
        for universe in ("broad", "liquid")
    ]
    return Outcome(ics=pl.concat(parts), partial=pl.concat(parts))


@pytest.fixture(scope="module")
def section():
    outcomes = {
        CHAMPION_NAME: outcome({"broad": 0.0, "liquid": 0.0}),
        "better": outcome({"broad": 0.01, "liquid": 0.01}, seed=2),
        "better in one": outcome({"broad": 0.01, "liquid": -0.01}, seed=3),
        "the same": outcome({"broad": 0.0, "liquid": 0.0}, seed=4),
    }
    return comparison(outcomes)


def test_a_sure_gain_in_both_universes_is_promoted_and_no_other(section):
    verdicts = dict(line.removeprefix("- ").split(": ", 1) for line in section.splitlines() if line.startswith("- "))

    assert verdicts["better"] == "**promoted**."
    assert verdicts["better in one"].startswith("not promoted: liquid gain in partial rank IC may be none")
    assert "liquid rank IC is lower" in verdicts["better in one"]
    assert verdicts["the same"].startswith("not promoted: broad gain")
    assert set(verdicts) == {"better", "better in one", "the same"}


def test_the_planted_gain_stands_in_the_table(section):
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|better|")]

    assert [row[:3] for row in rows] == [
        ["better", universe, measure] for universe in ("broad", "liquid") for measure in ("partial_rank_ic", "rank_ic")
    ]
    assert all(float(row[5]) < float(row[4]) < float(row[6]) for row in rows)
    assert [float(row[4]) for row in rows] == pytest.approx([0.01] * 4, abs=0.002)
