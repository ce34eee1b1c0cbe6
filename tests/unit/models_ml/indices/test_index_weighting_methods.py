"""The methods of weighting: free float, rank, volume, blends, and those that rest on past returns."""

import datetime as dt
import functools
import math
from contextlib import suppress

import numpy as np
import polars as pl
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting

from models_ml.indices.errors import OptimiserError
from models_ml.indices.market import PRICE_SCHEMA, PriceLookup
from models_ml.indices.optimised_weights import optimised_weights
from models_ml.indices.past_returns import past_returns
from models_ml.indices.weighting import weigh
from models_ml.indices.weighting_rules import Weighting

DAY = dt.date(2024, 3, 31)
DAYS = 40
OPTIMISED = ["risk_parity", "hierarchical_risk_parity", "minimum_variance"]


def members(tokens, **columns):
    frame = {
        "token_id": list(tokens),
        "rank": range(1, len(tokens) + 1),
        "market_cap_usd": [1e9] * len(tokens),
        "volume_30d_median_usd": [1e6] * len(tokens),
        "trader_grade": [60.0] * len(tokens),
    }
    return pl.DataFrame(frame | columns, strict=False)


def random_returns(seed, *, days=DAYS, tokens=5):
    """Daily returns that share a market factor and differ in volatility."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.03, (days, 1))
    return market + rng.normal(0, 1, (days, tokens)) * rng.uniform(0.01, 0.08, tokens)


def lookup_of(returns, tokens, *, last=DAY, skip=()):
    """Closes that give these returns up to and including `last`; `skip` names (token, days before last) without one."""
    closes = 100 * np.vstack([np.ones(returns.shape[1]), np.cumprod(1 + returns, axis=0)])
    rows = [
        (last - dt.timedelta(days=len(closes) - 1 - row), token, closes[row, column])
        for column, token in enumerate(tokens)
        for row in range(len(closes))
        if (token, len(closes) - 1 - row) not in skip
    ]
    return PriceLookup(pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row"))


def weights_of(frame, lookup=None, **weighting):
    past = None
    if lookup is not None:
        past = functools.partial(past_returns, lookup, frame["token_id"].to_list(), DAY)
    shares, _ = weigh(frame, Weighting(volatility_days=DAYS, covariance_days=DAYS, **weighting), past=past)
    return dict(zip(frame["token_id"], shares, strict=True))


def test_free_float_counts_where_it_is_known_and_is_the_market_cap_elsewhere():
    shares = [0.5, None, 0.0, 1.5, float("nan")]
    frame = members("abcde", market_cap_usd=[200.0, 100.0, 100.0, 100.0, 100.0], free_float_share=shares)

    assert list(weights_of(frame, method="free_float_cap").values()) == pytest.approx([0.2] * 5)


def test_free_float_without_a_column_is_the_market_cap():
    frame = members("ab", market_cap_usd=[300.0, 100.0])

    assert weights_of(frame, method="free_float_cap") == pytest.approx({"a": 0.75, "b": 0.25})


def test_rank_weights_fall_in_equal_steps_whatever_the_gaps_between_ranks():
    frame = members("abc", rank=[7, 1, 3])

    assert weights_of(frame, method="rank") == pytest.approx({"b": 3 / 6, "c": 2 / 6, "a": 1 / 6})


def test_a_blend_adds_up_its_methods_by_their_shares():
    # The Metaverse Index: 0.75 x share of the square root of the market cap + 0.25 x share of the volume.
    frame = members("ab", market_cap_usd=[900.0, 100.0], volume_30d_median_usd=[10.0, 30.0])
    blend = [{"method": "sqrt_market_cap", "share": 0.75}, {"method": "volume", "share": 0.25}]

    weights = weights_of(frame, blend=blend)

    assert weights == pytest.approx({"a": 0.75 * 0.75 + 0.25 * 0.25, "b": 0.75 * 0.25 + 0.25 * 0.75})


def test_inverse_volatility_equals_plain_arithmetic():
    tokens, returns = "abcd", random_returns(1, tokens=4)
    deviations = [
        math.sqrt(sum((value - sum(column) / DAYS) ** 2 for value in column) / (DAYS - 1))
        for column in returns.T.tolist()
    ]
    total = sum(1 / deviation for deviation in deviations)

    weights = weights_of(members(tokens), lookup_of(returns, tokens), method="inverse_volatility")

    assert list(weights.values()) == pytest.approx([1 / deviation / total for deviation in deviations], rel=1e-9)


def test_past_returns_end_at_the_snapshot_and_ignore_all_later_closes():
    tokens, returns = "ab", random_returns(2, days=DAYS + 10, tokens=2)
    later = lookup_of(returns, tokens, last=DAY + dt.timedelta(days=10))

    past = past_returns(later, list(tokens), DAY, DAYS)

    assert past.values == pytest.approx(returns[:DAYS])
    assert past.is_measured.all()


def test_a_day_without_a_close_repeats_the_last_one():
    tokens, returns = "a", random_returns(3, tokens=1)
    gap = lookup_of(returns, tokens, skip={("a", 5)})

    past = past_returns(gap, ["a"], DAY, DAYS).values[:, 0]

    assert past[-6] == 0
    assert past[-5] == pytest.approx((1 + returns[-6, 0]) * (1 + returns[-5, 0]) - 1)


@pytest.mark.parametrize(("missing", "is_measured"), [(8, True), (9, False)])
def test_a_token_is_measured_with_closes_on_four_fifths_of_the_days(missing, is_measured):
    # 41 closes belong to 40 returns: 33 are at least 80 %, 32 are not.
    skip = {("a", DAYS - offset) for offset in range(missing)}

    past = past_returns(lookup_of(random_returns(4, tokens=1), "a", skip=skip), ["a"], DAY, DAYS)

    assert past.is_measured.tolist() == [is_measured]


def test_a_token_that_never_moved_is_not_measured():
    past = past_returns(lookup_of(np.zeros((DAYS, 1)), "a"), ["a"], DAY, DAYS)

    assert past.is_measured.tolist() == [False]


def test_a_token_with_too_few_closes_counts_as_volatile_as_the_median():
    tokens, returns = "abcd", random_returns(5, tokens=4)
    young = {("d", back) for back in range(10, DAYS + 1)}
    volatilities = returns[:, :3].std(axis=0, ddof=1)
    inverse = 1 / np.append(volatilities, np.median(volatilities))

    weights = weights_of(members(tokens), lookup_of(returns, tokens, skip=young), method="inverse_volatility")

    assert list(weights.values()) == pytest.approx(inverse / inverse.sum())


@pytest.mark.parametrize("method", OPTIMISED)
def test_a_token_with_too_few_closes_stays_out_of_the_optimiser_and_gets_its_smallest_weight(method):
    tokens, returns = "abcd", random_returns(6, tokens=4)
    young = {("d", back) for back in range(10, DAYS + 1)}
    found = np.maximum(optimised_weights(returns[:, :3], method=method), 1e-4)
    expected = np.append(found, found.min())

    weights = weights_of(members(tokens), lookup_of(returns, tokens, skip=young), method=method)

    assert list(weights.values()) == pytest.approx(expected / expected.sum(), abs=1e-6)


@pytest.mark.parametrize("method", [*OPTIMISED, "inverse_volatility"])
def test_without_past_returns_of_two_tokens_all_weigh_the_same(method):
    returns = random_returns(7, days=20, tokens=3)

    assert list(weights_of(members("abc"), lookup_of(returns, "abc"), method=method).values()) == [1 / 3] * 3


def test_days_before_the_first_close_of_a_measured_token_are_left_out_for_all():
    tokens, returns = "abc", random_returns(8, tokens=3)
    born = {("c", DAYS - offset) for offset in range(4)}

    weights = weights_of(members(tokens), lookup_of(returns, tokens, skip=born), method="minimum_variance")

    found = np.maximum(optimised_weights(returns[4:], method="minimum_variance"), 1e-4)
    assert list(weights.values()) == pytest.approx(found / found.sum(), abs=1e-6)


def directly(method, returns):
    """The same portfolio asked of skfolio without this project."""
    if method == "risk_parity":
        return risk_parity_directly(returns)
    if method == "hierarchical_risk_parity":
        return HierarchicalRiskParity(risk_measure=RiskMeasure.VARIANCE).fit(returns).weights_
    return MeanRisk(risk_measure=RiskMeasure.VARIANCE).fit(returns).weights_


def risk_parity_directly(returns):
    """The most precise of skfolio's solutions that its solver answers for.

    With its own tolerance it is up to 2e-5 off. The unit of the returns does not matter to the weights, only to it.
    """
    for tolerance in (1e-12, 1e-11, 1e-10):
        precision = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), tolerance)
        model = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, solver_params=precision)
        with suppress(UserWarning):  # "Solution may be inaccurate", an error under pytest
            return model.fit(10 * returns).weights_
    raise AssertionError("the solver answers for none of its solutions")


@pytest.mark.parametrize("method", OPTIMISED)
def test_weights_through_the_interface_equal_those_of_skfolio_called_directly(method):
    for seed in range(20):
        tokens = "abcdefghij"[: 2 + seed % 8]
        returns = random_returns(100 + seed, tokens=len(tokens))

        weights = list(weights_of(members(tokens), lookup_of(returns, tokens), method=method).values())

        expected = directly(method, returns)
        assert optimised_weights(returns, method=method) == pytest.approx(expected, abs=1e-6)
        held = np.maximum(expected, 1e-4)  # every constituent holds a hundredth of a per cent
        assert weights == pytest.approx(held / held.sum(), abs=1e-6)


def test_minimum_variance_is_below_the_variance_of_all_other_portfolios():
    returns = random_returns(9)
    covariance = np.cov(returns.T)

    weights = optimised_weights(returns, method="minimum_variance")

    others = np.random.default_rng(9).dirichlet(np.ones(5), 500)
    assert (np.einsum("ij,jk,ik->i", others, covariance, others) >= weights @ covariance @ weights).all()


def test_risk_parity_lets_every_token_contribute_the_same_variance():
    returns = random_returns(10)

    weights = optimised_weights(returns, method="risk_parity")

    contributions = weights * (np.cov(returns.T) @ weights)
    assert contributions / contributions.sum() == pytest.approx([0.2] * 5, abs=1e-12)


def test_a_portfolio_the_solver_gives_up_on_is_found_with_returns_in_another_unit():
    # 24 tokens that mostly move together and a calm one, as in May 2020; the solver fails on about 1 in 125 of them.
    rng = np.random.default_rng(5)
    returns = rng.normal(0, 0.06, (90, 1)) + rng.normal(0, 0.03, (90, 24)) * rng.uniform(0.3, 1.5, 24)
    returns[:, 0] = rng.normal(0, 0.012, 90)

    weights = optimised_weights(returns, method="risk_parity")

    contributions = weights * (np.cov(returns.T) @ weights)
    assert contributions / contributions.sum() == pytest.approx([1 / 24] * 24, abs=1e-12)


@pytest.mark.parametrize("method", OPTIMISED)
def test_two_tokens_that_move_alike_are_weighed_all_the_same(method):
    returns = random_returns(11, tokens=3)
    twins = np.column_stack([returns, returns[:, 2]])

    weights = optimised_weights(twins, method=method)

    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


@pytest.mark.parametrize("method", OPTIMISED)
def test_returns_an_optimiser_cannot_use_are_refused_with_the_way_out(method):
    with pytest.raises(
        OptimiserError, match=f"{method} finds no weights for 3 tokens over 40 days.*longer weighting.covariance_days"
    ):
        optimised_weights(np.full((DAYS, 3), np.nan), method=method)


@pytest.mark.parametrize("method", OPTIMISED)
def test_the_order_of_tokens_does_not_matter_to_an_optimiser(method):
    tokens, returns = "abcdefg", random_returns(12, tokens=7)
    frame = members(tokens)

    forwards = weights_of(frame, lookup_of(returns, tokens), method=method)
    backwards = weights_of(frame.reverse(), lookup_of(returns, tokens), method=method)

    assert forwards == pytest.approx(backwards, abs=1e-12)


def test_a_method_that_rests_on_risk_asks_for_past_returns():
    with pytest.raises(ValueError, match="hand `past` to weigh"):
        weigh(members("ab"), Weighting(method="risk_parity"))


def test_constituents_without_a_rank_come_last_the_largest_first():
    frame = members("abcd", rank=[None, 2, None, 1], market_cap_usd=[1.0, 9.0, 2.0, 3.0])

    assert weights_of(frame, method="rank") == pytest.approx({"d": 0.4, "b": 0.3, "c": 0.2, "a": 0.1})
