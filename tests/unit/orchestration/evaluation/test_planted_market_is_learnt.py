"""The trader head finds what is planted, as much as its strength allows, and nothing where nothing is."""

import dataclasses
import datetime as dt

import pytest

from models_ml.learning.evaluation.planted_market import PlantedMarket, attainable_rank_ic
from orchestration.evaluation.planted import MARKET, measured_ics, section, standard_error

SMALL = PlantedMarket(tokens=150, first=dt.date(2018, 10, 1), days=800, strength=0.12)


def test_most_of_a_strong_planted_skill_is_found_in_a_small_market():
    # Learnt from 50 weeks of 150 tokens; a tenth of the attainable is lost to noise that is learnt with it.
    ics = measured_ics(SMALL)

    attainable = attainable_rank_ic(SMALL)
    assert standard_error(ics) < 0.05 * attainable
    assert 0.85 * attainable < ics["value"].mean() < 1.15 * attainable


def test_nothing_is_found_where_nothing_is_planted():
    ics = measured_ics(dataclasses.replace(SMALL, strength=0.0))

    assert abs(ics["value"].mean()) < 2 * standard_error(ics)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_four_years_of_a_planted_market_give_what_its_strength_allows(seed):
    market = dataclasses.replace(MARKET, seed=seed)

    ics = measured_ics(market)

    attainable = attainable_rank_ic(market)
    assert standard_error(ics) < 0.04 * attainable
    assert 0.85 * attainable < ics["value"].mean() < 1.15 * attainable


@pytest.mark.slow
def test_four_years_without_a_planted_skill_give_none():
    ics = measured_ics(dataclasses.replace(MARKET, strength=0.0))

    assert abs(ics["value"].mean()) < 2 * standard_error(ics)


@pytest.mark.slow
def test_the_section_has_a_row_a_seed_and_one_for_all():
    text = section(dataclasses.replace(MARKET, tokens=60, days=700), seeds=(1, 2))

    assert text.startswith("## Planted market")
    assert sum(line.startswith(("| 0.08", "|0.08")) for line in text.splitlines()) == 3
