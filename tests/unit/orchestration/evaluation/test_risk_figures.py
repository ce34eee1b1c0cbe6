"""Figures of the risk score and of price levels, from warehouses of a few rows and markets with a known answer."""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest

from orchestration.evaluation.levels import level_panel, level_skill
from orchestration.evaluation.risk import deaths, event_skill, forecast_skill, gain_over_best, outcomes_by

SUNDAY = dt.date(2023, 1, 1)


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        connection.execute("create schema marts; create schema api")
        yield connection


@pytest.fixture
def lives(connection):
    """Tokens with daily prices from SUNDAY on, so many days each; 200 days of data; the later state of some."""

    def make(days_priced, *, migrated=(), later=()):
        rows = [
            (token, SUNDAY + dt.timedelta(days=day)) for token, days in days_priced.items() for day in range(days + 1)
        ]
        daily = pl.DataFrame(rows, schema={"token_id": pl.String, "market_date": pl.Date}, orient="row")
        connection.register("daily_rows", daily)
        connection.execute(
            "create table marts.fct_daily as select *, market_date as priced_date, false as is_carried from daily_rows"
        )
        tokens = pl.DataFrame(
            {
                "token_id": list(days_priced),
                "successor_token_id": ["new" if t in migrated else None for t in days_priced],
            },
            schema={"token_id": pl.String, "successor_token_id": pl.String},
        )
        connection.register("token_rows", tokens)
        connection.execute("create table marts.dim_tokens as from token_rows")
        universe = pl.DataFrame(
            [(token, SUNDAY + dt.timedelta(days=90), cap, volume) for token, cap, volume in later],
            schema={
                "token_id": pl.String,
                "market_date": pl.Date,
                "market_cap_usd": pl.Float64,
                "volume_30d_median_usd": pl.Float64,
            },
            orient="row",
        )
        connection.register("universe_rows", universe)
        connection.execute("create table marts.fct_universe_daily as from universe_rows")
        panel = pl.DataFrame({"token_id": list(days_priced), "market_date": [SUNDAY] * len(days_priced)})
        return {row["token_id"]: row for row in deaths(connection, panel).iter_rows(named=True)}

    return make


def test_a_token_has_died_when_its_last_price_lies_within_ninety_days(lives):
    found = lives({"alive": 200, "dies": 90, "later": 91, "moved": 50}, migrated={"moved"})

    assert {token: row["has_died"] for token, row in found.items()} == {
        "alive": 0,
        "dies": 1,
        "later": 0,
        "moved": None,
    }


def test_tokens_that_end_with_their_source_are_unknown(lives):
    found = lives({"alive": 200, "alone": 30, **{f"of_source_{number}": 40 for number in range(10)}})

    assert found["alone"]["has_died"] == 1
    assert {found[f"of_source_{number}"]["has_died"] for number in range(10)} == {None}


def test_days_that_are_not_over_are_unknown(lives):
    found = lives({"alive": 89, "dies": 10})

    assert {row["has_died"] for row in found.values()} == {None}


def test_a_token_fades_by_cap_by_volume_or_by_death(lives):
    found = lives(
        dict.fromkeys(("sound", "small", "idle", "gap"), 200) | {"dies": 20},
        later=[("sound", 6e6, 2e5), ("small", 4e6, 2e5), ("idle", 6e6, 1e5)],
    )

    faded = {token: row["has_faded"] for token, row in found.items()}
    assert faded == {"sound": 0, "small": 1, "idle": 1, "gap": None, "dies": 1}


@pytest.fixture
def panel():
    """A year of weeks in which the score orders what follows well and the simple predictors do so badly or not at all."""
    rng = np.random.default_rng(1)
    weeks, tokens = 52, 60
    risk = rng.normal(size=(weeks, tokens))
    noise = rng.normal(size=(5, weeks, tokens))
    halved = (risk + noise[4] > 1.5).astype(float)
    return pl.DataFrame(
        {
            "as_of_week": [SUNDAY + dt.timedelta(days=7 * (row // tokens) + 1) for row in range(weeks * tokens)],
            "token_id": [f"token_{number}" for number in range(tokens)] * weeks,
            "risk_score": risk.ravel(),
            "volatility_30d": (risk + 2 * noise[0]).ravel(),
            **{name: noise[place].ravel() for place, name in enumerate(("volatility_90d", "smallness", "youth"))},
            "next_volatility": (risk + 0.5 * noise[3]).ravel(),
            "next_fall": (risk + noise[3]).ravel(),
            "has_halved": halved.ravel(),
            "has_faded": 1 - halved.ravel(),
            "has_died": np.zeros(weeks * tokens),
        }
    )


def test_skill_that_was_planted_is_found(panel):
    skill = forecast_skill(panel)

    volatility = skill.filter(pl.col("outcome").str.starts_with("volatility"))
    score = volatility.row(0, named=True)
    assert score["predictor"] == "risk score"
    assert score["low"] > 0.8
    assert volatility.filter(pl.col("predictor") == "youth alone")["mean"].abs().item() < 0.05


def test_the_score_is_held_against_the_best_simple_predictor(panel):
    gains = gain_over_best(panel, forecast_skill(panel))

    assert gains["best"].to_list() == ["30-day volatility alone"] * 2
    assert (gains["low"] > 0.2).all()


def test_events_that_never_happen_have_no_skill_and_others_have(panel):
    events = event_skill(panel).filter(pl.col("predictor") == "risk score")

    halves, faded, died = events.iter_rows(named=True)
    assert halves["low"] > 0.7
    assert faded["auc"] == pytest.approx(1 - halves["auc"])
    assert (died["weeks_with_one"], died["tokens_with_one"]) == (0, 0)


def test_outcomes_of_a_group_are_medians_and_shares():
    panel = pl.DataFrame(
        {
            "risk_class": ["low", "low", "low", "high"],
            "next_volatility": [1.0, 2.0, 9.0, 4.0],
            "next_fall": [0.1, 0.2, None, 0.5],
            "has_halved": [0.0, 1.0, None, 1.0],
            "has_faded": [0, 0, 1, 1],
        }
    )

    groups = outcomes_by(panel, pl.col("risk_class"))

    assert groups.row(1, named=True) == pytest.approx(
        {
            "risk_class": "low",
            "rows": 3,
            "median_volatility": 2.0,
            "median_drawdown": 0.15,
            "share_halved": 0.5,
            "share_faded": 1 / 3,
        }
    )


@pytest.fixture
def levels_of(connection):
    """Levels below 40 tokens' prices at 40 Sundays; prices turn at them for good where `is_turning`, else walk at random."""

    def make(*, is_turning):
        rng = np.random.default_rng(3)
        daily, levels = [], []
        for week in range(40):
            sunday = SUNDAY + dt.timedelta(days=7 * week)
            for number in range(40):
                # A token of its own for each week, so that paths do not overlap.
                token, distance = f"token_{week}_{number}", float(rng.uniform(1, 5))
                path = 100 + np.concatenate([[0], np.cumsum(rng.normal(0, 1, 35))])
                if is_turning:
                    level = 100 - distance
                    path = np.where(path < level, 2 * level - path, path)
                daily += [(token, sunday + dt.timedelta(days=day), price) for day, price in enumerate(path)]
                levels.append(
                    (sunday + dt.timedelta(days=1), token, 100.0, 1.0, 100 - distance, distance, 1 + number % 2)
                )
        rows = pl.DataFrame(daily, schema=["token_id", "market_date", "price_usd"], orient="row")
        published = pl.DataFrame(
            levels,
            schema=[
                *("as_of_week", "token_id", "price_usd", "average_move_usd"),
                *("support_usd", "support_distance_atr", "support_swings"),
            ],
            orient="row",
        )
        connection.register("daily_rows", rows)
        connection.register("level_rows", published)
        connection.execute(
            """
            create table marts.fct_daily as select *, false as is_carried from daily_rows;
            create table api.support_resistance as
            select
                * replace (support_swings::integer as support_swings), null::double as resistance_usd,
                null::double as resistance_distance_atr, null::integer as resistance_swings
            from level_rows
            """
        )
        return level_panel(connection)

    return make


def test_random_levels_have_the_distances_of_the_published_ones_and_every_level_is_judged(levels_of):
    panel = levels_of(is_turning=False)

    counts = dict(panel.group_by("kind").len().iter_rows())
    assert counts["random"] == 5 * counts["swing"]
    assert set(panel["side"]) == {"support"}
    assert counts["swing"] == 40 * 40


def test_levels_that_turn_prices_are_told_from_random_ones(levels_of):
    turning = level_skill(levels_of(is_turning=True)).row(0, named=True)

    assert turning["levels"] == "all"
    assert turning["held"] > 0.95
    assert turning["low"] > 0.1


def test_levels_of_a_random_walk_are_no_better_than_random_ones(levels_of):
    idle = level_skill(levels_of(is_turning=False)).row(0, named=True)

    assert idle["low"] < 0 < idle["high"]
