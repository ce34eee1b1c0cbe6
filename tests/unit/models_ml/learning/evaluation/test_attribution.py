"""Attribution: factor portfolios against a slow sort, regressions as statsmodels has them, and alpha told from a factor in disguise."""

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from models_ml.learning.evaluation.attribution import FACTORS, attribute, factor_returns
from models_ml.learning.evaluation.performance import gross_returns
from models_ml.learning.evaluation.portfolios import standard_portfolios

OUTCOME = "forward_return_14d_lag1"


@pytest.fixture(scope="module")
def panel(random_panel):
    """Ninety weeks in which calm tokens and well-scored tokens earn more."""
    made = random_panel(1, weeks=90, tokens=60, skill=0.3, factor=-0.5)
    return made.with_columns(log_market_cap=pl.col("log_market_cap") + 15)


def slow_factor(panel, column, sign):
    """Mean outcome of the upper 18 of 60 tokens less that of the lower 18, week by week."""
    returns = []
    for week in panel.sort("as_of_week").partition_by("as_of_week"):
        order = np.argsort(sign * week[column].to_numpy())
        gains = week[OUTCOME].to_numpy()[order]
        returns.append(gains[-18:].mean() - gains[:18].mean())
    return returns


def test_factors_are_thirty_percent_at_one_end_less_thirty_at_the_other(panel):
    factors = factor_returns(panel)

    assert factors.columns == ["as_of_week", "market", *FACTORS]
    for name, (column, sign) in FACTORS.items():
        assert factors[name].to_list() == pytest.approx(slow_factor(panel, column, sign))


def test_the_market_is_weighted_by_cap(panel):
    factors = factor_returns(panel)

    caps = panel.with_columns(cap=pl.col("log_market_cap").exp())
    expected = (
        caps.group_by("as_of_week")
        .agg((pl.col("cap") * pl.col(OUTCOME)).sum() / pl.col("cap").sum())
        .sort("as_of_week")
    )
    assert factors["market"].to_list() == pytest.approx(expected[:, 1].to_list())


def test_a_week_that_lacks_a_factor_is_left_out(panel):
    first = panel["as_of_week"].min()
    hole = panel.with_columns(turnover_30d=pl.when(pl.col("as_of_week") > first).then("turnover_30d"))

    assert factor_returns(hole)["as_of_week"].to_list() == factor_returns(panel)["as_of_week"].to_list()[1:]
    assert factor_returns(panel.with_columns(turnover_30d=pl.lit(None, dtype=pl.Float64))).is_empty()


def test_the_regression_is_that_of_statsmodels(panel):
    factors = factor_returns(panel)
    rng = np.random.default_rng(2)
    series = factors.select(
        "as_of_week", value=0.002 + 0.8 * pl.col("market") - 0.3 * pl.col("size") + rng.normal(0, 0.01, 90)
    )

    table = attribute(series, factors, lags=2, period_days=14, level=0.9)

    design = sm.add_constant(factors.drop("as_of_week").to_numpy())
    oracle = sm.OLS(series["value"].to_numpy(), design).fit(
        cov_type="HAC", cov_kwds={"maxlags": 2, "use_correction": True}
    )
    terms = table.filter(pl.col("term") != "alpha_annual")
    bounds = oracle.conf_int(alpha=0.1)
    assert terms["term"].to_list() == ["alpha", "market", *FACTORS]
    assert terms["estimate"].to_list() == pytest.approx(list(oracle.params))
    assert terms["low"].to_list() == pytest.approx(list(bounds[:, 0]))
    assert terms["high"].to_list() == pytest.approx(list(bounds[:, 1]))
    assert terms["t_value"].to_list() == pytest.approx(list(oracle.tvalues))
    assert table["share_explained"].to_list() == pytest.approx([oracle.rsquared] * table.height)
    assert table["estimate"][1] == pytest.approx(oracle.params[0] * 365 / 14)


def long_short_of(panel, score):
    weights = standard_portfolios(panel.with_columns(score=score)).filter(pl.col("portfolio") == "long_short")
    return gross_returns(weights, panel).select("as_of_week", "portfolio", value="gross_return")


def test_a_factor_in_disguise_has_no_alpha_and_skill_keeps_it(panel):
    factors = factor_returns(panel)
    disguised = long_short_of(panel, -pl.col("volatility_30d")).with_columns(portfolio=pl.lit("disguised"))
    skilled = long_short_of(panel, pl.col("score")).with_columns(portfolio=pl.lit("skilled"))

    table = attribute(pl.concat([disguised, skilled]), factors, lags=1, period_days=14, by=["portfolio"])

    alpha = table.filter(pl.col("term") == "alpha")
    explained = dict(zip(alpha["portfolio"], alpha["share_explained"], strict=True))
    loading = table.filter((pl.col("portfolio") == "disguised") & (pl.col("term") == "low_volatility"))
    assert disguised["value"].mean() > 0.05
    assert alpha["low"][0] < 0 < alpha["high"][0]
    assert loading["low"][0] > 0.5
    assert alpha["low"][1] > 0
    assert explained["disguised"] > 0.4 > explained["skilled"]


def test_too_few_common_weeks_are_refused(panel):
    factors = factor_returns(panel)

    with pytest.raises(ValueError, match="share 5 weeks"):
        attribute(factors.head(5).select("as_of_week", value="market"), factors, lags=1, period_days=14)
