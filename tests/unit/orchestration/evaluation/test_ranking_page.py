"""Sections of the ranking page: the planted skill stands in them, in the rows and columns a reader looks for."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS
from orchestration.evaluation.ranking import (
    TRADER,
    attribution_section,
    band_section,
    portfolio_section,
    skill_sections,
)

WEEKS, TOKENS = 60, 60


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(1)
    count = WEEKS * TOKENS
    score = rng.normal(0, 1, count)
    number = np.tile(np.arange(TOKENS), WEEKS)
    names = np.where(number == 0, "bitcoin", np.char.add("t", number.astype(str)))
    factors = {name: rng.normal(0, 1, count) for name in KNOWN_FACTORS}
    return pl.DataFrame(
        {
            "as_of_week": [
                dt.date(2022, 1, 3) + dt.timedelta(weeks=week) for week in range(WEEKS) for _ in range(TOKENS)
            ],
            "token_id": names,
            "is_liquid": number < 40,
            "sector": np.where(number < 30, "DeFi", "L1"),
            "score": score,
            "volume_30d_median_usd": 1e7,
            "forward_return_14d_lag1": 0.05 * (0.5 * score + rng.normal(0, 1, count)),
            **factors,
            "log_market_cap": 18 + factors["log_market_cap"],
        }
    )


def rows_of(section):
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]


def test_skill_stands_beside_the_baselines_and_by_group(panel):
    baselines, groups = skill_sections(panel, TRADER)

    model = next(row for row in rows_of(baselines) if row[:3] == ["rank_ic", "broad", "trader"])
    chance = next(row for row in rows_of(baselines) if row[:3] == ["rank_ic", "broad", "permuted"])
    assert float(model[4]) > 0.3
    assert abs(float(chance[3])) < 0.1 < float(model[3])
    assert {"DeFi", "L1", "20m_to_100m"} <= {row[3] for row in rows_of(groups)}
    assert "above 0: broad 100%, liquid 100%" in groups


def test_portfolios_are_shown_after_costs_in_both_universes_and_weightings(panel):
    section = portfolio_section(panel, TRADER)

    spreads = [row for row in rows_of(section) if row[0] == "long_short"]
    assert [
        f"{name}-weighted" in section for name in ("Broad, equal", "Broad, cap", "Liquid, equal", "Liquid, cap")
    ] == [True] * 4
    assert len(spreads) == 4
    assert all(float(row[4]) > float(row[5]) > 1 for row in spreads)


def test_planted_skill_is_alpha_and_no_factor(panel):
    section = attribution_section(panel, TRADER)

    row = next(row for row in rows_of(section) if row[:4] == ["broad", "equal", "long_short", "alpha"])
    assert float(row[5]) > 0.02
    assert float(row[8]) < 0.4


@pytest.mark.parametrize(("order", "verdict"), [(1, "The bands are ordered"), (-1, "**not ordered**")])
def test_the_bands_say_whether_a_higher_grade_earned_more(order, verdict, panel):
    graded = panel.with_columns(grade=100 * ((order * pl.col("score")).rank() / pl.len()).over("as_of_week"))

    section = band_section(graded, TRADER)

    assert verdict in section
    assert [row[0] for row in rows_of(section)[2::3]] == ["below 50", "50 to 60", "60 to 80", "80 and above"]
