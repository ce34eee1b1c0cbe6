"""Weights against published numbers and by what must always hold."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.indices.errors import InfeasibleCapError
from models_ml.indices.weighting import cap_weights, cap_weights_once, weigh
from models_ml.indices.weighting_rules import Weighting


def members(caps, grades=None):
    grades = grades or [60.0] * len(caps)
    return pl.DataFrame({"market_cap_usd": [float(cap) for cap in caps], "trader_grade": grades})


def shares(*values):
    return pl.Series([value / sum(values) for value in values])


@st.composite
def weights_and_limits(draw):
    raw = draw(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=40))
    count = len(raw)
    cap = draw(st.floats(1.0001 / count, 1.0))
    floor = draw(st.floats(0.0, 0.999 / count))
    return shares(*raw), cap, floor


def test_iterative_ceiling_and_floor_match_the_bgci_at_its_launch():
    # Bloomberg Galaxy Crypto Index, 2018-05-03: shares before limits, then the iterative rule (30 % / 1 %).
    before = shares(0.48910, 0.22818, 0.10217, 0.07632, 0.04356, 0.02685, 0.01194, 0.01161, 0.00682, 0.00346)

    weights = cap_weights(before, cap=0.30, floor=0.01)

    expected = [0.30, 0.30, 0.1425, 0.1064, 0.0608, 0.0375, 0.0167, 0.0162, 0.01, 0.01]
    assert weights.to_list() == pytest.approx(expected, abs=6e-5)
    published = [0.30, 0.30, 0.1414, 0.1065, 0.0611, 0.0377, 0.0167, 0.0166, 0.01, 0.01]
    assert weights.to_list() == pytest.approx(published, abs=0.0012)


def test_a_single_pass_leaves_ether_over_the_bgci_ceiling():
    before = shares(0.48910, 0.22818, 0.10217, 0.07632, 0.04356, 0.02685, 0.01194, 0.01161, 0.00682, 0.00346)

    weights = cap_weights_once(before, cap=0.30, floor=0.01)

    assert weights[1] == pytest.approx(0.3099, abs=5e-5)


@pytest.mark.parametrize(
    ("raw", "cap", "floor", "once", "iterative"),
    [
        ((50, 24, 14, 8, 4), 0.25, 0.0, (25, 36, 21, 12, 6), (25, 25, 25, 16.6667, 8.3333)),
        (
            (60, 25, 9, 4, 1.5, 0.5),
            0.30,
            0.01,
            (30, 43.6709, 15.7215, 6.9873, 2.6203, 1),
            (30, 30, 24, 10.6667, 4, 1.3333),
        ),
    ],
)
def test_single_pass_and_iterative_match_the_hand_checked_cases(raw, cap, floor, once, iterative):
    before = shares(*raw)

    single, repeated = cap_weights_once(before, cap=cap, floor=floor), cap_weights(before, cap=cap, floor=floor)

    assert (single * 100).to_list() == pytest.approx(once, abs=5e-5)
    assert (repeated * 100).to_list() == pytest.approx(iterative, abs=5e-5)


def test_dpi_weights_equal_the_publishers_trial_run():
    # DeFi Pulse Index, trial run by the publisher's own code, mid 2021: circulating supply, price in USD, weight.
    rows = [
        (519857388, 43.119995, 0.250000),
        (12800177, 515.569895, 0.186065),
        (901310, 5473.07992, 0.139081),
        (5333443, 805.339268, 0.121101),
        (157618913, 18.509969, 0.082257),
        (189272855, 14.249998, 0.076044),
        (36096, 52362.9864, 0.053290),
        (881153018, 0.989998, 0.024595),
        (1245991468, 0.579995, 0.020375),
        (10799858, 65.749635, 0.020020),
        (204545192, 3.309991, 0.019089),
        (739109, 164.806006, 0.003434),
        (561523, 155.010628, 0.002454),
        (28505551, 2.729933, 0.002194),
    ]
    caps = members([supply * price for supply, price, _ in rows])

    _, weights = weigh(caps, Weighting(method="market_cap", cap=0.25, capping="single_pass"))

    assert weights.to_list() == pytest.approx([weight for _, _, weight in rows], abs=1e-6)


def test_square_root_weights_are_shares_of_the_roots():
    before, after = weigh(members([900, 100, 0.01]), Weighting(method="sqrt_market_cap"))

    assert before.to_list() == pytest.approx([30 / 40.1, 10 / 40.1, 0.1 / 40.1])
    assert after.to_list() == pytest.approx(before.to_list(), abs=1e-15)


def test_equal_weights_ignore_the_market_cap():
    _, weights = weigh(members([900, 100, 1, 1]), Weighting(method="equal"))

    assert weights.to_list() == [0.25] * 4


def test_conviction_weights_follow_the_grade_above_fifty_and_never_reach_zero():
    _, weights = weigh(members([1, 1, 1], [80.0, 60.0, 20.0]), Weighting(method="grade_conviction"))

    assert weights.to_list() == pytest.approx([30 / 41, 10 / 41, 1 / 41])


@pytest.mark.parametrize("function", [cap_weights, cap_weights_once])
def test_a_cap_no_weights_could_meet_is_refused_with_the_way_out(function):
    with pytest.raises(InfeasibleCapError, match=r"cap 0\.2 x 4 constituents = 0\.8.*at least 0\.25.*at least 5"):
        function(shares(1, 1, 1, 1), cap=0.2)


def test_a_floor_no_weights_could_meet_is_refused_with_the_way_out():
    with pytest.raises(InfeasibleCapError, match=r"at most 0\.25.*at most 3"):
        cap_weights(shares(1, 1, 1, 1), cap=1.0, floor=0.3)


def test_a_single_pass_without_solution_falls_back_to_the_iterative_weights():
    _, weights = weigh(members([97, 1, 1, 1]), Weighting(cap=0.9, floor=0.05, capping="single_pass"))

    assert weights.to_list() == pytest.approx([0.85, 0.05, 0.05, 0.05])


@pytest.mark.parametrize("bad", [[], [0.5, None], [0.5, 0.0], [0.5, float("nan")], [1.5, -0.5]])
def test_weights_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="positive and finite"):
        cap_weights(pl.Series(bad, dtype=pl.Float64), cap=0.9)


@given(weights_and_limits())
def test_capped_weights_sum_to_one_and_keep_their_limits_and_order(case):
    before, cap, floor = case

    after = cap_weights(before, cap=cap, floor=floor).to_numpy()

    assert after.sum() == pytest.approx(1.0, abs=1e-12)
    assert after.max() <= cap + 1e-12
    assert after.min() >= floor - 1e-12
    order = np.argsort(before.to_numpy(), kind="stable")
    assert (np.diff(after[order]) >= -1e-12).all()


@given(weights_and_limits())
def test_weights_between_the_limits_keep_their_proportions(case):
    before, cap, floor = case

    after = cap_weights(before, cap=cap, floor=floor).to_numpy()

    ratios = (after / before.to_numpy())[(after < cap - 1e-9) & (after > floor + 1e-9)]
    assert ratios.size == 0 or ratios.max() == pytest.approx(ratios.min(), rel=1e-6)


@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=30), st.floats(0.0, 1.0))
def test_the_computed_weights_equal_capping_again_and_again(raw, position):
    cap = 1.001 / len(raw) + position * (1 - 1.001 / len(raw))

    after = cap_weights(shares(*raw), cap=cap).to_numpy()

    assert after == pytest.approx(capped_by_repetition(shares(*raw).to_numpy(), cap), abs=1e-9)


def capped_by_repetition(weights, cap):
    """The slow, obvious way: cap, share the excess pro rata among the others, until nothing exceeds the cap."""
    is_capped = np.zeros(len(weights), dtype=bool)
    while True:
        result = np.where(is_capped, cap, weights)
        free = ~is_capped
        if free.any():
            result[free] *= (1 - cap * is_capped.sum()) / result[free].sum()
        over = result > cap + 1e-12
        if not over.any():
            return result
        is_capped |= over
