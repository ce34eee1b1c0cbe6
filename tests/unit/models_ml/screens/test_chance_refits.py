"""Walk-forward of the chance model: no refit sees an outcome that had not ended, and each week is scored by the model then in force."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.screens.chance_refits import first_chance_refit, said_in_force, train_refit, walk_chances
from models_ml.screens.chances import READ_FEATURES, chance_frame
from models_ml.screens.outcomes import HORIZON_DAYS, follow

FIRST = date(2021, 1, 4)
WEEKS, TOKENS = 96, 24
UNTIL = FIRST + timedelta(weeks=WEEKS)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(11)
    features = {name: random.normal(0, 1, WEEKS * TOKENS) for name in READ_FEATURES}
    features["volatility_90d"] = np.exp(features["volatility_90d"])
    return pl.DataFrame(
        {
            "as_of_week": [FIRST + timedelta(weeks=week) for week in range(WEEKS) for _ in range(TOKENS)],
            "token_id": [f"t{token:02}" for _ in range(WEEKS) for token in range(TOKENS)],
            **features,
        }
    )


def closes(*, shaken_from=None):
    """Random walks that double now and then; from a day on, other ones."""
    days = (UNTIL - FIRST).days
    steps = np.random.default_rng(12).normal(0, 0.07, (TOKENS, days))
    if shaken_from is not None:
        steps[:, (shaken_from - FIRST).days :] = np.random.default_rng(13).normal(
            0, 0.2, (TOKENS, (UNTIL - shaken_from).days)
        )
    return pl.DataFrame(
        {
            "token_id": np.repeat([f"t{token:02}" for token in range(TOKENS)], days),
            "market_date": [FIRST + timedelta(days=day) for day in range(days)] * TOKENS,
            "price_usd": np.exp(steps.cumsum(axis=1)).ravel(),
            "volume_24h_usd": 1e6,
            "is_carried": False,
        }
    )


def test_the_first_refit_waits_for_a_year_of_outcomes_that_have_ended(rows):
    refit = first_chance_refit(chance_frame(rows), UNTIL)

    known = [FIRST + timedelta(weeks=week) for week in range(WEEKS) if FIRST + timedelta(weeks=week, days=92) <= refit]
    assert refit == date(2022, 4, 4)
    assert len(known) >= 52


def test_closes_from_the_refit_on_change_neither_the_model_nor_what_it_says(rows):
    frame, refit = chance_frame(rows), date(2022, 4, 4)
    as_it_was = follow(rows, closes(), until=UNTIL)
    otherwise = follow(rows, closes(shaken_from=refit), until=UNTIL)
    assert not as_it_was.equals(otherwise)

    models = [train_refit([], frame, outcomes, refit=refit) for outcomes in (as_it_was, otherwise)]

    assert models[0].version == models[1].version
    assert models[0].data_hash == models[1].data_hash
    assert models[0].training_weeks[1] + timedelta(days=HORIZON_DAYS + 2) <= refit


def test_what_was_known_then_gives_the_model_that_all_history_gives(rows):
    refit = date(2022, 4, 4)
    then = rows.filter(pl.col("as_of_week") <= refit)

    model = train_refit([], chance_frame(then), follow(then, closes(), until=refit), refit=refit)

    assert (
        model.version == train_refit([], chance_frame(rows), follow(rows, closes(), until=UNTIL), refit=refit).version
    )


def test_each_week_is_scored_by_the_newest_model_before_it(rows):
    said = walk_chances(chance_frame(rows), follow(rows, closes(), until=UNTIL), until=UNTIL)

    refits = {
        row[0]: date.fromisoformat("-".join(row[1].split("-")[1:4]))
        for row in said.select("as_of_week", "model_version").rows()
    }
    assert min(refits) == date(2022, 4, 4)
    assert set(refits.values()) == {date(2022, 4, 4), date(2022, 7, 4), date(2022, 10, 3)}
    assert all(refit <= week < refit + timedelta(weeks=14) for week, refit in refits.items())


def test_without_a_model_nothing_is_said(rows):
    assert said_in_force([], chance_frame(rows)).is_empty()
