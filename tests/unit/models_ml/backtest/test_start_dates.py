"""How figures spread over the months one could have begun in."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.backtest.figures import daily_returns, figures_of_totals, largest_drawdown, totals_by_day
from models_ml.backtest.start_dates import figures_by_start, start_date_spread

START = dt.date(2022, 1, 15)


def levels_of(values_by_index, *, start=START):
    return pl.concat(
        pl.DataFrame(
            {
                "date": [start + dt.timedelta(days=offset) for offset in range(len(values))],
                "index_id": [index_id] * len(values),
                "level": np.asarray(values, dtype=np.float64),
            }
        )
        for index_id, values in values_by_index.items()
    )


def random_levels(seed, days):
    return 1000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.03, days)))


def test_starts_are_first_days_of_months_with_a_year_to_go():
    levels = levels_of({"ai": random_levels(1, 500)})  # until 2023-05-29

    found = figures_by_start(levels, {"ai": []})

    expected = [dt.date(2022, month, 1) for month in (2, 3, 4, 5)]
    assert sorted(found["start_date"].unique()) == expected
    assert set(found["metric"]) == {"annual_return", "volatility", "sharpe", "sortino", "max_drawdown", "calmar"}


def test_each_start_has_the_figures_of_the_levels_from_it_on():
    values = random_levels(2, 600)
    found = figures_by_start(levels_of({"ai": values}), {"ai": []})

    for (start,), frame in found.partition_by("start_date", as_dict=True).items():
        rest = values[(start - START).days :]
        figures = dict(frame.select("metric", "value").iter_rows())
        expected = figures_of_totals(totals_by_day(daily_returns(rest)).sum(axis=0))
        for metric, value in expected.items():
            assert figures[metric] == pytest.approx(float(value), rel=1e-9)
        assert figures["max_drawdown"] == pytest.approx(largest_drawdown(rest).depth)
        assert figures["calmar"] == pytest.approx(figures["annual_return"] / -figures["max_drawdown"])


def test_spread_is_the_median_and_the_outer_tenths_of_the_starts():
    levels = levels_of({"ai": random_levels(3, 1200), "twin": random_levels(4, 1200)})
    by_start = figures_by_start(levels, {"ai": ["twin"]})

    spread = start_date_spread(levels, {"ai": ["twin"]})

    row = spread.filter((pl.col("metric") == "information_ratio") & (pl.col("benchmark") == "twin")).to_dicts()[0]
    values = by_start.filter(pl.col("metric") == "information_ratio")["value"].to_numpy()
    assert row["starts"] == len(values) > 20
    assert row["median"] == pytest.approx(np.median(values))
    assert (row["percentile_10"], row["percentile_90"]) == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])))
    assert row["share_above_0"] == pytest.approx((values > 0).mean())


def test_the_same_return_every_day_depends_on_no_start():
    levels = levels_of({"ai": [1.001**day for day in range(800)]})

    row = start_date_spread(levels, {"ai": []}).filter(pl.col("metric") == "annual_return").to_dicts()[0]

    yearly = 1.001**365 - 1
    assert (row["percentile_10"], row["median"], row["percentile_90"]) == pytest.approx((yearly, yearly, yearly))


def test_less_than_a_year_has_no_start():
    assert start_date_spread(levels_of({"ai": random_levels(5, 300)}), {"ai": []}).is_empty()
