"""How well scores agree with people: accuracy and macro F1 on labelled texts, cross-validated, with paired intervals.

Belongs here: the folds, what is chosen inside them, the metrics. Does not: scoring (`polarity.py`), reading labelled files
(`orchestration/sentiment_report.py`).

The labels are binary and a score is a number, so a threshold has to be chosen, and of several readings one. Both are chosen on the
training folds alone, by macro F1, and judged on the fold left out. Equal texts stay in one fold: a text seen in training would
vouch for its own copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

THRESHOLDS: Final = tuple(round(-0.5 + 0.025 * step, 3) for step in range(41))
"""Compounds above which a text may be called positive."""
FOLDS: Final = 5
REPEATS: Final = 20
RESAMPLES: Final = 4_000
INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Judged:
    """Out-of-fold calls of one scorer.

    Attributes:
        calls: Whether a text is called positive, shape (repeats, texts).
        chosen: How often each (candidate, threshold) was chosen over all folds, the most frequent first.
    """

    calls: Bools
    chosen: tuple[tuple[tuple[str, float], int], ...]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The figure and its interval with three digits."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def cross_validate(
    candidates: Mapping[str, Floats], labels: Bools, groups: Ints, *, repeats: int = REPEATS, seed: int = 0
) -> Judged:
    """Call every text positive or not by what was chosen without its fold.

    Args:
        candidates: Compounds of all texts by the name of the reading that gave them.
        labels: Whether people call a text positive.
        groups: Number of the text; equal texts have one number.
        repeats: How often the texts are dealt into folds anew.
        seed: Of the first dealing; the next ones follow.

    Raises:
        ValueError: No candidate, or lengths differ.
    """
    lengths = {len(values) for values in candidates.values()} | {len(labels), len(groups)}
    if not candidates or len(lengths) != 1:
        raise ValueError(
            f"cross_validate: candidates, labels and groups of one length are needed, got {sorted(lengths)}"
        )
    calls = np.zeros((repeats, len(labels)), dtype=np.bool_)
    counts: dict[tuple[str, float], int] = {}
    for repeat in range(repeats):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for train, test in folds.split(labels, labels, groups):
            name, threshold = choose({key: values[train] for key, values in candidates.items()}, labels[train])
            counts[name, threshold] = counts.get((name, threshold), 0) + 1
            calls[repeat, test] = candidates[name][test] > threshold
    return Judged(calls, tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))


def choose(candidates: Mapping[str, Floats], labels: Bools) -> tuple[str, float]:
    """The candidate and threshold with the best macro F1; of equals the threshold nearest to zero, then the first candidate."""
    best = ("", 0.0)
    best_rank = (-1.0, 0.0)
    for name, compounds in candidates.items():
        for threshold in THRESHOLDS:
            rank = (macro_f1((compounds > threshold)[None, :], labels), -abs(threshold))
            if rank > best_rank:
                best, best_rank = (name, threshold), rank
    return best


def majority_calls(labels: Bools, groups: Ints, *, repeats: int = REPEATS, seed: int = 0) -> Bools:
    """Out-of-fold calls that follow the more frequent class of the training folds, shape (repeats, texts)."""
    calls = np.zeros((repeats, len(labels)), dtype=np.bool_)
    for repeat in range(repeats):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for train, test in folds.split(labels, labels, groups):
            calls[repeat, test] = labels[train].mean() >= 0.5
    return calls


def accuracy(calls: Bools, labels: Bools) -> float:
    """Share of right calls, the mean over repeats."""
    return float((calls == labels).mean())


def macro_f1(calls: Bools, labels: Bools) -> float:
    """Mean of the F1 of both classes, the mean over repeats; a class that is never called has F1 0."""
    return float(_weighted_f1(calls, labels, np.ones((len(labels), 1)))[0])


def estimate(calls: Bools, labels: Bools, groups: Ints, *, seed: int = 0) -> dict[str, Estimate]:
    """Accuracy and macro F1 with intervals from resampled texts."""
    weights = resampled_weights(groups, seed=seed)
    right = (calls == labels).mean(axis=0)
    accuracies = right @ weights / weights.sum(axis=0)
    scores = _weighted_f1(calls, labels, weights)
    return {
        "accuracy": _estimate(accuracy(calls, labels), accuracies),
        "macro_f1": _estimate(macro_f1(calls, labels), scores),
    }


def paired_gain(calls: Bools, base: Bools, labels: Bools, groups: Ints, *, seed: int = 0) -> dict[str, Estimate]:
    """What `calls` have over `base` in accuracy and macro F1, both on the same resampled texts."""
    weights = resampled_weights(groups, seed=seed)
    gained = (calls == labels).mean(axis=0) - (base == labels).mean(axis=0)
    accuracies = gained @ weights / weights.sum(axis=0)
    scores = _weighted_f1(calls, labels, weights) - _weighted_f1(base, labels, weights)
    return {
        "accuracy": _estimate(accuracy(calls, labels) - accuracy(base, labels), accuracies),
        "macro_f1": _estimate(macro_f1(calls, labels) - macro_f1(base, labels), scores),
    }


def resampled_weights(groups: Ints, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each text counts in each bootstrap sample of groups, shape (texts, resamples)."""
    generator = np.random.default_rng(seed)
    names, places = np.unique(groups, return_inverse=True)
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return counts[:, places].T.astype(np.float64)


def _weighted_f1(calls: Bools, labels: Bools, weights: Floats) -> Floats:
    """Macro F1 of each column of weights, the mean over repeats."""
    total = np.zeros(weights.shape[1])
    for positive in (True, False):
        called, wanted = calls == positive, labels == positive
        both = (called & wanted).astype(np.float64) @ weights
        either = called.astype(np.float64) @ weights + (wanted.astype(np.float64) @ weights)[None, :]
        total += np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0).mean(axis=0)
    return total / 2


def _estimate(value: float, sampled: Floats) -> Estimate:
    low, high = np.percentile(sampled, INTERVAL)
    return Estimate(value, float(low), float(high))
