"""The screen of the likeliest doublers finds planted movers, and shows no skill where nothing precedes a move."""

import dataclasses

import polars as pl
import pytest

from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.record import NO_SKILL, SHOWN_PERCENTILE
from orchestration.evaluation.planted_movers import MARKET, low_cap_rows, screened, top_of_each_week
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.settings import SimulationSettings


def test_the_universe_of_the_simulated_market_is_the_screens():
    settings = MoonshotSettings()

    rows = low_cap_rows(simulate_market(SimulationSettings(tokens=80, mover_share=0.3)), settings)

    assert rows["market_cap_usd"].is_between(settings.min_market_cap_usd, settings.max_market_cap_usd).all()
    assert rows["as_of_week"].dt.weekday().unique().to_list() == [1]
    assert rows["age_days"].min() >= settings.min_age_days


def test_the_highest_of_each_week_are_picked_and_unknown_scores_come_last():
    scored = pl.DataFrame(
        {"as_of_week": [1, 1, 1, 2, 2], "token_id": ["a", "b", "c", "a", "b"], "score": [None, 0.1, 0.2, 0.3, None]}
    )

    assert top_of_each_week(scored, "score", count=2).rows() == [(1, "c"), (1, "b"), (2, "a"), (2, "b")]


@pytest.mark.slow
def test_planted_movers_are_found_above_the_random_screens():
    found = screened(MARKET)

    assert found.record.random_percentile > SHOWN_PERCENTILE
    assert found.record.difference.low > 0
    assert found.caught >= found.planted / 2


@pytest.mark.slow
def test_the_null_market_shows_no_skill():
    found = screened(dataclasses.replace(MARKET, is_null=True))

    assert found.record.verdict.startswith(NO_SKILL)
