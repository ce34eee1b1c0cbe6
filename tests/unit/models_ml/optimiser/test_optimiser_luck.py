"""Overfitting by splits and deflated Sharpe ratios: hand cases, noise in which nothing is better, and a variant that is."""

import itertools
import math

import numpy as np
import pytest

from models_ml.learning.evaluation.deflated_sharpe import ReturnSample, deflated_sharpe, probabilistic_sharpe
from models_ml.optimiser.errors import TooLittleHistoryError
from models_ml.optimiser.figures import Figures
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.luck import deflated, trials_of
from models_ml.optimiser.splits import Splits, best_inside, ranks_of, split, steadiest_inside

SHARPE = Goal().score


def levels_of(returns):
    return np.hstack([np.ones((len(returns), 1)), np.cumprod(1 + returns, axis=1)])


def noise(seed, variants=100, days=1000):
    return np.random.default_rng(seed).normal(0, 0.02, (variants, days))


def test_equal_scores_share_their_mean_rank():
    assert ranks_of(np.array([[3.0, 1.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.0]])).tolist() == [
        [1.5, 4.0, 1.5, 3.0],
        [2.5, 2.5, 2.5, 2.5],
    ]


def splits_of(ranks, blocks=4):
    halves = tuple(itertools.combinations(range(blocks), blocks // 2))
    blank = np.zeros(ranks.shape)
    return Splits(halves, Figures(blank, blank, blank, blank), ranks, 30)


def test_the_probability_of_overfitting_by_hand():
    # Six halves of four blocks; a row and the one as far from the end are complements. Three variants.
    ranks = np.array([[1, 2, 3], [1, 2, 3], [2, 1, 3], [3, 2, 1], [1, 3, 2], [2, 3, 1]], dtype=float)
    splits = splits_of(ranks)

    found = splits.overfitting(best_inside(splits))

    # Best of the rows: 0, 0, 1, 2, 0, 2. Their ranks in the complements (rows 5, 4, 3, 2, 1, 0): 2, 1, 2, 3, 1, 3.
    # From below 2, 3, 2, 1, 3, 1 of 3 + 1, so relative ranks 2/4, 3/4, 2/4, 1/4, 3/4, 1/4.
    assert found.logits == pytest.approx([0, math.log(3), 0, -math.log(3), math.log(3), -math.log(3)])
    assert found.probability == pytest.approx(4 / 6)
    assert splits.median_rank.tolist() == [1.5, 2.0, 2.5]
    assert splits.best_by_median_rank() == 0


def test_among_noise_the_best_of_one_half_is_no_better_than_any_in_the_other():
    found = []
    for seed in range(6):
        splits, _ = split(levels_of(noise(seed)), SHARPE, blocks=8)
        found.append(splits.overfitting(best_inside(splits)).probability)

    assert np.mean(found) == pytest.approx(0.5, abs=0.12)


def test_a_variant_that_is_better_stays_the_best():
    returns = noise(7)
    returns[42] += 0.006  # a daily Sharpe ratio of 0.3

    splits, totals = split(levels_of(returns), SHARPE, blocks=8)

    assert splits.best_by_median_rank() == 42
    assert splits.overfitting(best_inside(splits)).probability < 0.02
    steadiest = steadiest_inside(splits, totals, SHARPE)
    assert (steadiest == 42).mean() > 0.9
    assert splits.overfitting(steadiest).probability < 0.02


def test_the_choice_within_a_half_sees_that_half_only():
    returns = noise(8, variants=20, days=800)
    changed = returns.copy()
    changed[:, 400:] = np.random.default_rng(9).normal(0, 0.05, (20, 400))

    chosen = [
        steadiest_inside(splits, totals, SHARPE)[0]  # the first half is blocks 0 to 3
        for splits, totals in (split(levels_of(one), SHARPE, blocks=8) for one in (returns, changed))
    ]

    assert chosen[0] == chosen[1]


def test_a_year_in_twelve_blocks_is_enough_and_half_of_it_is_not():
    split(levels_of(noise(1, variants=3, days=365)), SHARPE)

    with pytest.raises(TooLittleHistoryError, match="182 days in 12 blocks are 15 days a block, 28 needed"):
        split(levels_of(noise(1, variants=3, days=182)), SHARPE)


@pytest.mark.parametrize("blocks", [2, 5])
def test_blocks_that_make_no_halves_are_refused(blocks):
    with pytest.raises(ValueError, match="even number from 4"):
        split(levels_of(noise(1, variants=3)), SHARPE, blocks=blocks)


def test_trials_that_move_alike_count_as_one():
    one = noise(3, variants=1)
    alike = np.vstack([one * scale for scale in (1, 2, 3, 0.5)])

    found = trials_of(alike)

    assert found.mean_correlation == pytest.approx(1)
    assert found.independent == 1
    assert found.variance == pytest.approx(0, abs=1e-12)


def test_trials_that_have_nothing_in_common_count_each():
    found = trials_of(noise(4, variants=300, days=2000))

    assert found.mean_correlation == pytest.approx(0, abs=0.001)
    assert found.independent >= 299


def test_the_number_of_trials_between_follows_their_mean_correlation():
    generator = np.random.default_rng(5)
    common = generator.normal(size=2000)
    returns = 0.01 * (np.sqrt(0.6) * common + np.sqrt(0.4) * generator.normal(size=(50, 2000)))

    found = trials_of(returns)

    pairs = np.corrcoef(returns)[np.triu_indices(50, 1)]
    assert found.mean_correlation == pytest.approx(pairs.mean(), rel=1e-9)
    assert found.independent == math.ceil(pairs.mean() + (1 - pairs.mean()) * 50)


def test_the_best_of_noise_is_as_likely_luck_as_not_and_a_planted_one_is_no_luck():
    by_luck = []
    for seed in range(12):
        returns = noise(seed, variants=200, days=1500)
        by_luck.append(deflated(returns, int((returns.mean(axis=1) / returns.std(axis=1)).argmax())))
    planted = noise(6, variants=200, days=1500)
    planted[10] += 0.004

    assert np.mean([each.probability for each in by_luck]) == pytest.approx(0.5, abs=0.2)
    assert np.mean([each.sharpe / each.by_luck for each in by_luck]) == pytest.approx(1, abs=0.1)
    assert deflated(planted, 10).probability > 0.99


def test_one_trial_is_deflated_by_nothing():
    returns = noise(2, variants=2) + 0.001
    trials = trials_of(np.vstack([returns[0], 2 * returns[0]]))

    found = deflated(returns, 0, trials=trials)

    sample = ReturnSample.of(returns[0])
    assert found.by_luck == 0
    assert found.probability == pytest.approx(probabilistic_sharpe(sample))
    assert found.probability > deflated_sharpe(sample, trials=100, variance=0.001)


def test_series_that_never_move_are_no_trials():
    with pytest.raises(TooLittleHistoryError, match="0 variants have returns that vary"):
        trials_of(np.zeros((3, 50)))
