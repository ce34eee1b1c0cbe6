"""Claims as numbers: contrasts agree with hand calculations, luck is not held, and the verdict follows the stated rule."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.claims import Effect, across_periods, holm, verdict, within_periods

CLAIMED, OTHERS = pl.col("is_claimed"), ~pl.col("is_claimed")


def rows_of(*weeks):
    """Weeks of (is_claimed, value) pairs."""
    return pl.DataFrame(
        [
            {"period": date(2021, 1, 4) + timedelta(weeks=week), "is_claimed": is_claimed, "value": value}
            for week, pairs in enumerate(weeks)
            for is_claimed, value in pairs
        ],
        schema={"period": pl.Date, "is_claimed": pl.Boolean, "value": pl.Float64},
    )


def drawn(worth, *, weeks=120, tokens=20, seed=3):
    """Weeks that share a large move; claimed rows earn `worth` more."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.2, weeks).repeat(tokens)
    is_claimed = rng.random(weeks * tokens) < 0.4
    value = market + is_claimed * worth + rng.normal(0, 0.1, weeks * tokens)
    period = [date(2021, 1, 4) + timedelta(weeks=int(week)) for week in np.arange(weeks).repeat(tokens)]
    return pl.DataFrame({"period": period, "is_claimed": is_claimed, "value": value})


def effect(low, high, p=0.001):
    return Effect((low + high) / 2, low, high, p, 100, 100, 100)


def test_within_periods_averages_the_differences_of_periods_that_have_both_sides():
    weeks = rows_of(
        [(True, 0.3), (True, 0.1), (False, 0.0)],
        [(True, -0.5), (False, -0.6), (False, None)],
        [(True, 9.0)],
    )

    found = within_periods(weeks, claimed=CLAIMED, others=OTHERS, value="value", block=2)

    assert found.estimate == pytest.approx((0.2 + 0.1) / 2)
    assert (found.claimed, found.others, found.periods) == (3, 2, 2)
    assert (found.claimed_mean, found.others_mean) == (pytest.approx(-0.15), pytest.approx(-0.3))
    assert found.low is None


def test_across_periods_takes_the_difference_of_means_over_all_rows():
    weeks = rows_of([(True, 0.3)], [(False, 0.1)], [(False, 0.2)], [(True, -0.1)], [(False, 0.6)])

    found = across_periods(weeks, claimed=CLAIMED, others=OTHERS, value="value", block=1)

    assert found.estimate == pytest.approx(0.1 - 0.3)
    assert (found.claimed, found.others, found.periods) == (2, 3, 2)


def test_across_periods_without_others_is_a_plain_mean():
    weeks = rows_of([(True, 0.3)], [(False, 5.0)], [(True, 0.1)])

    found = across_periods(weeks, claimed=CLAIMED, others=None, value="value", block=1)

    assert found.estimate == pytest.approx(0.2)
    assert found.others == 0


def test_a_null_condition_is_on_neither_side():
    weeks = rows_of([(True, 0.3), (None, 7.0), (False, 0.1)])

    found = within_periods(weeks, claimed=CLAIMED, others=OTHERS, value="value", block=2)

    assert found.estimate == pytest.approx(0.2)


def test_a_row_on_both_sides_is_refused():
    with pytest.raises(ValueError, match="1 rows are both claimed and compared with"):
        within_periods(rows_of([(True, 0.1)]), claimed=CLAIMED, others=CLAIMED, value="value", block=2)


def test_what_moves_the_whole_period_does_not_widen_the_interval_within_periods():
    frame = drawn(0.02)

    within = within_periods(frame, claimed=CLAIMED, others=OTHERS, value="value", block=2)
    across = across_periods(frame, claimed=CLAIMED, others=OTHERS, value="value", block=2)

    assert within.low < 0.02 < within.high
    assert within.high - within.low < 0.5 * (across.high - across.low)
    assert within.p_value < 0.05
    assert within.claimed_mean - within.others_mean == pytest.approx(within.estimate)


def test_claims_without_truth_lie_outside_their_interval_about_as_often_as_stated():
    outside = 0
    for seed in range(40):
        found = within_periods(drawn(0.0, weeks=60, seed=seed), claimed=CLAIMED, others=OTHERS, value="value", block=2)
        outside += not found.low <= 0 <= found.high

    assert outside <= 6  # of 40 at 5 %: seven or more happen in 3 of 1,000 such forties


def test_the_p_value_agrees_with_the_interval_about_zero():
    for worth in (0.0, 0.005, 0.01, 0.02, 0.04):
        found = within_periods(drawn(worth), claimed=CLAIMED, others=OTHERS, value="value", block=2)
        near = min(abs(found.low), abs(found.high)) < 0.002
        assert near or (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_holm_equals_a_published_worked_example():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") of R's stats package: 0.03 0.06 0.06 0.02.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_could_not_be_tested():
    assert holm([0.02, None, 0.9]) == [pytest.approx(0.04), None, pytest.approx(0.9)]


@pytest.mark.parametrize(
    ("found", "adjusted", "said"),
    [
        (effect(0.01, 0.03), 0.01, "held"),
        (effect(0.01, 0.03), 0.20, "not shown"),
        (effect(0.001, 0.004), 0.01, "held, too small to use"),
        (effect(-0.01, 0.03), 0.01, "not shown"),
        (effect(-0.01, 0.004), 0.01, "refuted"),
        (effect(-0.03, -0.01), 0.01, "refuted"),
        (Effect(0.5, None, None, None, 3, 3, 3), None, "not shown"),
    ],
)
def test_the_verdict_follows_the_stated_rule(found, adjusted, said):
    assert verdict(found, adjusted_p=adjusted, matters=0.006) == said
