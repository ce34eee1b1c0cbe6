"""Portfolios and what they earn: weights by hand, returns and costs against a slow backtest of single positions."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.costs import CostModel
from models_ml.learning.evaluation.performance import gross_returns, performance, spaced_weeks
from models_ml.learning.evaluation.performance_summary import excess_over, summarise_performance
from models_ml.learning.evaluation.portfolios import (
    long_short,
    standard_portfolios,
    weighted,
    with_quantile,
    without_worst,
)

OUTCOME = "forward_return_14d_lag1"
VOLUME = "volume_30d_median_usd"
START = dt.date(2020, 1, 6)
FORTNIGHT = dt.timedelta(days=14)


def one_week(scores, **columns):
    tokens = [f"t{number:02d}" for number in range(len(scores))]
    return pl.DataFrame(
        {"as_of_week": START, "token_id": tokens, "score": pl.Series(scores, dtype=pl.Float64), **columns}
    )


def names_of(weights, portfolio):
    return weights.filter(pl.col("portfolio") == portfolio)["token_id"].to_list()


@pytest.fixture
def fortnights(random_panel):
    """Twelve fortnights of forty tokens that come and go, some without an outcome, with caps and volumes; bitcoin is one."""
    rng = np.random.default_rng(5)
    panel = random_panel(5, weeks=12, tokens=40, skill=0.3, spacing=14).with_columns(
        pl.col("token_id").replace({"t000": "bitcoin"}),
        log_market_cap=pl.Series(rng.normal(18, 2, 480)),
        **{VOLUME: pl.Series(10 ** rng.uniform(4, 9, 480))},
    )
    is_listed, is_priced = pl.Series(rng.random(480) > 0.1), pl.Series(rng.random(480) > 0.05)
    return panel.with_columns(pl.when(is_priced).then(OUTCOME).alias(OUTCOME)).filter(
        is_listed | (pl.col("token_id") == "bitcoin")
    )


def test_quantiles_hold_equal_numbers_and_tokens_of_one_score_stay_together():
    distinct = with_quantile(one_week(list(range(20))))
    tied = with_quantile(one_week([*range(9), *[50] * 6, *range(100, 105)]))

    assert distinct.sort("score")["quantile"].to_list() == [number for number in range(1, 11) for _ in range(2)]
    assert tied.filter(pl.col("score") == 50)["quantile"].n_unique() == 1


def test_a_token_without_a_score_is_in_the_market_and_in_no_decile():
    panel = one_week([None, float("nan"), *range(20)], log_market_cap=10.0)

    weights = standard_portfolios(panel)

    assert len(names_of(weights, "market")) == 22
    assert len(names_of(weights, "market_without_worst")) == 18
    assert not {"t00", "t01"} & {name for number in range(1, 11) for name in names_of(weights, f"decile_{number:02d}")}


def test_the_worst_fifth_is_a_fifth_of_the_scored():
    kept = without_worst(one_week([None, *range(10)]))

    assert kept["token_id"].to_list() == ["t00", *(f"t{number:02d}" for number in range(3, 11))]


def test_cap_weights_follow_market_caps():
    panel = one_week([1, 2, 3], log_market_cap=[np.log(6e6), np.log(2e6), None])

    weights = weighted(panel, portfolio="market", weighting="cap")

    assert weights["token_id"].to_list() == ["t00", "t01"]
    assert weights["weight"].to_list() == pytest.approx([0.75, 0.25])


def test_long_against_short_sums_to_zero_and_nets_a_token_in_both():
    panel = one_week([1, 2, 3])
    high = weighted(panel.tail(2), portfolio="high", weighting="equal")
    low = weighted(panel.head(2), portfolio="low", weighting="equal")

    weights = long_short(high, low, portfolio="spread").sort("token_id")

    assert weights["weight"].to_list() == pytest.approx([-0.5, 0, 0.5])


@pytest.mark.parametrize("weighting", ["equal", "cap"])
def test_weights_sum_to_one_or_to_nothing(fortnights, weighting):
    sums = (
        standard_portfolios(fortnights, weighting=weighting)
        .group_by("as_of_week", "portfolio")
        .agg(pl.col("weight").sum())
    )

    for row in sums.iter_rows(named=True):
        assert row["weight"] == pytest.approx(0 if row["portfolio"] == "long_short" else 1, abs=1e-12)


def slow_backtest(weights, panel, costs, unknown_return):
    """Each position followed by itself, in dictionaries."""
    facts = {(row["as_of_week"], row["token_id"]): (row[OUTCOME], row[VOLUME]) for row in panel.iter_rows(named=True)}
    results, held, volumes = [], {}, {}
    for week in sorted(weights["as_of_week"].unique()):
        target = dict(weights.filter(pl.col("as_of_week") == week).select("token_id", "weight").iter_rows())
        volumes |= {token: facts[week, token][1] for token in target}
        cost = turnover = 0.0
        for token in target.keys() | held.keys():
            trade = abs(target.get(token, 0) - held.get(token, 0))
            turnover += trade / 2
            rate = [bps for edge, bps in costs.buckets if volumes[token] >= edge][-1]
            cost += trade * rate / 10_000
        gains = {token: facts[week, token][0] for token in target}
        gains = {token: unknown_return if gain is None else gain for token, gain in gains.items()}
        total = sum(weight * gains[token] for token, weight in target.items())
        is_left = 1 + total > 0
        held = {name: weight * (1 + gains[name]) / (1 + total) for name, weight in target.items()} if is_left else {}
        results.append((week, total, turnover, cost, total - cost))
    return results


@pytest.mark.parametrize("unknown_return", [0.0, -1.0])
@pytest.mark.parametrize("portfolio", ["decile_10", "long_short", "market", "bitcoin"])
def test_performance_is_that_of_a_backtest_of_single_positions(fortnights, portfolio, unknown_return):
    weights = standard_portfolios(fortnights, weighting="cap").filter(pl.col("portfolio") == portfolio)
    costs = CostModel(((0.0, 100.0), (1e6, 20.0)))

    periods = performance(weights, fortnights, holding_days=14, costs=costs, unknown_return=unknown_return)

    columns = ["as_of_week", "gross_return", "turnover", "cost", "net_return"]
    expected = slow_backtest(weights, fortnights, costs, unknown_return)
    for row, slow in zip(periods.select(columns).iter_rows(), expected, strict=True):
        assert row[0] == slow[0]
        assert row[1:] == pytest.approx(slow[1:], abs=1e-12)


def test_gross_returns_are_those_of_the_backtest_and_may_overlap(fortnights, random_panel):
    weights = standard_portfolios(fortnights)
    overlapping = random_panel(9, weeks=3, tokens=30).with_columns(log_market_cap=pl.lit(15.0))

    gross = gross_returns(weights, fortnights)
    weekly = gross_returns(standard_portfolios(overlapping), overlapping)

    periods = performance(weights, fortnights, holding_days=14)
    assert gross.equals(periods.select("as_of_week", "portfolio", "gross_return", "unknown_weight"))
    market = weekly.filter(pl.col("portfolio") == "market")["gross_return"]
    assert market.to_list() == pytest.approx(
        overlapping.group_by("as_of_week").agg(pl.col(OUTCOME).mean()).sort("as_of_week")[OUTCOME]
    )


def test_a_week_that_has_not_ended_is_left_out(fortnights):
    is_last = pl.col("as_of_week") == fortnights["as_of_week"].max()
    open_ended = fortnights.with_columns(pl.when(~is_last).then(OUTCOME).alias(OUTCOME))

    periods = performance(standard_portfolios(open_ended), open_ended, holding_days=14)

    ended = fortnights.filter(~is_last)
    assert periods.equals(performance(standard_portfolios(ended), ended, holding_days=14))


def test_a_position_that_only_drifts_is_not_traded_again(fortnights):
    weights = standard_portfolios(fortnights).filter(pl.col("portfolio") == "bitcoin")

    periods = performance(weights, fortnights, holding_days=14)

    assert periods["turnover"].to_list() == pytest.approx([0.5, *[0.0] * 11])


def test_overlapping_periods_are_refused_and_spaced_weeks_pass(random_panel):
    panel = random_panel(1, weeks=10, tokens=30).with_columns(pl.lit(1e6).alias(VOLUME), log_market_cap=pl.lit(15.0))

    with pytest.raises(ValueError, match="7 days apart overlap"):
        performance(standard_portfolios(panel), panel, holding_days=14)

    spaced = [spaced_weeks(panel, holding_days=14, offset=offset) for offset in (0, 1)]
    later = spaced_weeks(panel.filter(pl.col("as_of_week") > START), holding_days=14)
    assert {week for half in spaced for week in half["as_of_week"]} == set(panel["as_of_week"])
    assert performance(standard_portfolios(spaced[0]), spaced[0], holding_days=14)["as_of_week"].n_unique() == 5
    assert set(later["as_of_week"]) == {week for week in spaced[0]["as_of_week"] if week > START}


def periods_of(**returns):
    count = len(next(iter(returns.values())))
    return pl.concat(
        pl.DataFrame(
            {
                "as_of_week": [START + number * FORTNIGHT for number in range(count)],
                "portfolio": name,
                "gross_return": pl.Series(values, dtype=pl.Float64) + 0.01,
                "turnover": [0.5, *[0.2] * (count - 1)],
                "cost": 0.01,
                "net_return": pl.Series(values, dtype=pl.Float64),
            }
        )
        for name, values in returns.items()
    )


def test_a_summary_annualises_by_the_length_of_the_period():
    values = np.random.default_rng(2).normal(0.02, 0.1, 52)

    row = summarise_performance(periods_of(best=values), holding_days=14).row(0, named=True)

    wealth = np.cumprod(1 + values)
    assert row["annual_net_return"] == pytest.approx(wealth[-1] ** (365 / 14 / 52) - 1)
    assert row["net_sharpe"] == pytest.approx(values.mean() / values.std(ddof=1) * (365 / 14) ** 0.5)
    assert row["sharpe"] == pytest.approx((values.mean() + 0.01) / values.std(ddof=1) * (365 / 14) ** 0.5)
    assert row["net_sharpe_low"] < row["net_sharpe"] < row["net_sharpe_high"]
    falls = [wealth[end] / max(1, *wealth[: end + 1]) - 1 for end in range(52)]
    assert row["max_drawdown"] == pytest.approx(min(falls))
    assert row["turnover"] == pytest.approx(0.2)


def test_a_loss_of_all_and_a_return_that_never_varies_have_figures_all_the_same():
    summary = summarise_performance(periods_of(flat=[0.01] * 8, lost=[0.1, -1.2, *[0.5] * 6]), holding_days=14)

    assert summary["annual_net_return"][1] == -1
    assert summary["max_drawdown"].to_list() == [0, -1]
    assert summary["net_sharpe"][0] is None


def test_the_excess_is_that_over_each_benchmark_in_the_same_periods():
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.1, 40)

    excess = excess_over(
        periods_of(best=market + 0.02, market=market, bitcoin=rng.normal(0, 0.1, 40)),
        ["market", "bitcoin"],
        holding_days=14,
    )

    best = excess.filter((pl.col("portfolio") == "best") & (pl.col("benchmark") == "market")).row(0, named=True)
    assert excess.height == 4
    assert (best["mean"], best["low"], best["high"]) == pytest.approx((0.02, 0.02, 0.02))


def test_an_excess_over_a_portfolio_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no portfolio is named \\['bitcoin'\\]"):
        excess_over(periods_of(best=[0.1] * 8), ["bitcoin"], holding_days=14)


def test_an_outcome_that_is_not_a_number_is_an_unknown_one(fortnights):
    broken = fortnights.with_columns(pl.col(OUTCOME).fill_null(float("nan")))

    periods = performance(standard_portfolios(broken), broken, holding_days=14)

    assert periods.equals(performance(standard_portfolios(fortnights), fortnights, holding_days=14))


def test_costs_step_at_the_edges_and_an_unknown_volume_costs_most():
    model = CostModel(((0.0, 100.0), (1e6, 20.0)))

    costs = pl.DataFrame({"volume": [0.0, 999_999.0, 1e6, None]}).select(model.fraction("volume")).to_series()

    assert costs.to_list() == pytest.approx([0.01, 0.01, 0.002, 0.01])


@pytest.mark.parametrize("buckets", [(), ((1.0, 10.0),), ((0.0, 10.0), (0.0, 5.0)), ((0.0, -1.0),)])
def test_a_cost_model_with_holes_is_refused(buckets):
    with pytest.raises(ValueError, match="cost buckets"):
        CostModel(buckets)
