"""The long table of figures and its intervals."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from models_ml.backtest.errors import BacktestDataError
from models_ml.backtest.statistics import STATISTICS_SCHEMA, summarise_levels

START = dt.date(2022, 1, 1)


def levels_of(returns_by_index, *, start=START):
    frames = [
        pl.DataFrame(
            {
                "date": [start + dt.timedelta(days=offset) for offset in range(len(returns) + 1)],
                "index_id": [index_id] * (len(returns) + 1),
                "level": 1000 * np.cumprod(np.append(1.0, 1 + np.asarray(returns))),
            }
        )
        for index_id, returns in returns_by_index.items()
    ]
    return pl.concat(frames)


def figure(table, metric, *, index_id="ai", benchmark=None):
    rows = table.filter(
        (pl.col("metric") == metric)
        & (pl.col("index_id") == index_id)
        & pl.col("benchmark").eq_missing(pl.lit(benchmark, pl.String))
    )
    return rows.to_dicts()[0]


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(5).normal(0.0, 0.03, (2, 800))


def test_the_table_is_long_and_names_every_figure_once(noise):
    levels = levels_of({"ai": noise[0] + 0.001, "twin": noise[0]})

    table = summarise_levels(levels, {"ai": ["twin"]}, draws=200)

    assert table.schema == pl.Schema(STATISTICS_SCHEMA)
    assert not table.select("index_id", "benchmark", "metric").is_duplicated().any()
    assert table.filter(pl.col("benchmark").is_null())["metric"].to_list() == [
        "annual_return",
        "volatility",
        "sharpe",
        "sortino",
        "total_return",
        "max_drawdown",
        "recovery_days",
        "calmar",
        "worst_year",
        "hit_rate_months",
        "turnover_per_year",
    ]
    assert table.filter(pl.col("benchmark") == "twin")["metric"].to_list() == [
        "annual_return_difference",
        "probability_of_higher_return",
        "sharpe_difference",
        "probability_of_higher_sharpe",
        "tracking_error",
        "information_ratio",
        "beta",
        "up_capture",
        "down_capture",
        "hit_rate_months",
    ]


def test_intervals_hold_the_figure_and_pairing_makes_that_of_a_difference_narrow(noise):
    # The same noise of 3 % a day, and a small one of its own: alone nothing is certain, the difference is.
    own = noise[0] + 0.001 + noise[1] / 20
    levels = levels_of({"ai": own, "twin": noise[0]})

    table = summarise_levels(levels, {"ai": ["twin"]})

    alone, difference = figure(table, "sharpe"), figure(table, "information_ratio", benchmark="twin")
    assert alone["low"] < alone["value"] < alone["high"]
    assert difference["low"] < difference["value"] < difference["high"]
    assert difference["low"] > 0
    assert figure(table, "probability_of_higher_return", benchmark="twin")["value"] > 0.99
    assert figure(table, "annual_return")["low"] < 0


def test_the_standard_error_of_a_mean_is_that_of_independent_days(noise):
    # Independent days: the interval of a Sharpe ratio of n days is +-1.96 sqrt(365 / n), to within what the draws leave.
    table = summarise_levels(levels_of({"ai": noise[1]}), {"ai": []})

    row = figure(table, "sharpe")

    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * math.sqrt(365 / 800), rel=0.25)


def test_without_an_advantage_the_probability_is_about_a_half():
    values = []
    for seed in range(40):
        own, other = np.random.default_rng(seed).normal(0.0, 0.02, (2, 400))
        table = summarise_levels(levels_of({"ai": own, "twin": other}), {"ai": ["twin"]}, draws=100)
        values.append(figure(table, "probability_of_higher_return", benchmark="twin")["value"])

    assert np.mean(values) == pytest.approx(0.5, abs=0.15)
    assert min(values) < 0.2 < 0.8 < max(values)


def test_equal_seeds_give_equal_tables_and_others_do_not(noise):
    levels = levels_of({"ai": noise[0], "twin": noise[1]})

    first, again, other = (summarise_levels(levels, {"ai": ["twin"]}, draws=300, seed=seed) for seed in (1, 1, 2))

    assert first.equals(again)
    assert not first.equals(other)
    assert first["value"].head(4).equals(other["value"].head(4))


def test_short_series_have_figures_but_no_intervals(noise):
    table = summarise_levels(levels_of({"ai": noise[0][:100], "twin": noise[1][:100]}), {"ai": ["twin"]})

    assert table["low"].null_count() == table.height
    assert figure(table, "volatility")["value"] is not None
    assert figure(table, "worst_year")["value"] is None
    assert figure(table, "probability_of_higher_return", benchmark="twin")["value"] is None


def test_a_drawdown_has_the_dates_of_its_high_its_low_and_its_recovery():
    levels = levels_of({"ai": [0.25, -0.5, 0.0, 1.0, 0.1]})

    table = summarise_levels(levels, {"ai": []})

    day = [START + dt.timedelta(days=offset) for offset in range(6)]
    fall, recovery = figure(table, "max_drawdown"), figure(table, "recovery_days")
    assert (fall["value"], fall["first_date"], fall["last_date"]) == (-0.5, day[1], day[2])
    assert (recovery["value"], recovery["first_date"], recovery["last_date"]) == (2.0, day[2], day[4])


def test_a_drawdown_that_lasts_has_no_day_of_recovery():
    recovery = figure(summarise_levels(levels_of({"ai": [0.25, -0.5]}), {"ai": []}), "recovery_days")

    assert (recovery["value"], recovery["last_date"]) == (None, None)


def test_figures_against_a_benchmark_rest_on_the_days_both_have(noise):
    young = levels_of({"ai": noise[0][:300]}, start=START + dt.timedelta(days=100))
    levels = pl.concat([young, levels_of({"twin": noise[1][:350]})])

    row = figure(summarise_levels(levels, {"ai": ["twin"]}, draws=100), "beta", benchmark="twin")

    assert row["first_date"] == START + dt.timedelta(days=100)
    assert row["last_date"] == START + dt.timedelta(days=350)


def test_turnover_a_year_leaves_the_first_purchase_out(noise):
    levels = levels_of({"ai": noise[0][:730]})
    turnover = levels.select("date", "index_id", turnover=pl.lit(0.01)).with_columns(
        turnover=pl.when(pl.col("date") == START).then(0.5).otherwise("turnover")
    )

    table = summarise_levels(levels, {"ai": []}, turnover=turnover, draws=100)

    assert figure(table, "turnover_per_year")["value"] == pytest.approx(3.65)


def test_levels_with_gaps_or_losses_of_everything_and_absent_benchmarks_are_refused(noise):
    levels = levels_of({"ai": noise[0][:10]})
    missing_day = levels.filter(pl.col("date") != START + dt.timedelta(days=4))

    with pytest.raises(BacktestDataError, match="ai has no level on the day before 2022-01-06"):
        summarise_levels(missing_day, {"ai": []})
    with pytest.raises(BacktestDataError, match=r"ai has the level 0\.0 on 2022-01-01"):
        summarise_levels(levels.with_columns(level=pl.lit(0.0)), {"ai": []})
    with pytest.raises(BacktestDataError, match="none of twin"):
        summarise_levels(levels, {"ai": ["twin"]})
