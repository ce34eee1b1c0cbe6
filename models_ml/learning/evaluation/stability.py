"""Drift of features and novelty of rows: is the present still what a model was trained on?

Belongs here: the population stability index of two samples, and the share of a row's features outside the range of training.
Does not: what follows from it (confidence, promotion), skill that fades (`rank_skill.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

BINS = 10
SMALLEST_SHARE = 1e-4
"""Share an empty bin counts as: the logarithm of 0 is not defined, and one token more or less shall not decide."""

TRAINING_RANGE = (0.005, 0.995)


def population_stability(first: pl.Series, second: pl.Series, *, bins: int = BINS) -> float | None:
    """Population stability index: sum over bins of (q - p) ln(q / p).

    The inner edges of the bins are quantiles of the first sample, so each holds an equal share of it as far as ties allow; the unknown
    values of a sample are a bin of their own. 0 is no change; by custom below 0.1 is stable and above 0.25 has shifted.

    Args:
        first: The sample the bins come from, such as training. NaN is unknown.
        second: The sample that may have drifted.
        bins: Number of bins of known values.

    Returns:
        At least 0; None where a sample is empty or the first has no known value.

    Source: Siddiqi (2006), Credit Risk Scorecards, ch. 9; it is the symmetric Kullback-Leibler divergence of Jeffreys.
    """
    if first.is_empty() or second.is_empty() or _known(first).is_empty():
        return None
    edges = quantile_edges(first, bins=bins)
    return stability_of_shares(bin_shares(first, edges), bin_shares(second, edges))


def quantile_edges(sample: pl.Series, *, bins: int = BINS) -> Floats:
    """Inner edges that cut the known values of a sample into bins of equal shares, ties merged; none where nothing is known."""
    known = _known(sample).sort()
    if known.is_empty():
        return np.zeros(0)
    return np.unique([known.quantile(at, "linear") for at in np.linspace(0, 1, bins + 1)[1:-1]])


def bin_shares(sample: pl.Series, edges: Sequence[float] | Floats) -> Floats:
    """Share of a sample that falls into each bin between the edges, and last the share that is unknown; the sample is not empty.

    A value on an edge falls below it: an edge is a value of the first sample, often a large tie such as 0.
    """
    known = np.sort(_known(sample).to_numpy())
    below = np.searchsorted(known, np.asarray(edges, dtype=np.float64), side="right")
    counts = np.diff(below, prepend=0, append=len(known))
    return np.append(counts, sample.len() - len(known)) / sample.len()


def stability_of_shares(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Population stability index of two samples binned alike (`bin_shares`); bins that neither has are left out."""
    shares = [np.asarray(one, dtype=np.float64) for one in (first, second)]
    is_used = (shares[0] > 0) | (shares[1] > 0)
    p, q = (np.maximum(share[is_used], SMALLEST_SHARE) for share in shares)
    return float(((q - p) * np.log(q / p)).sum())


def _known(sample: pl.Series) -> pl.Series:
    return sample.cast(pl.Float64).fill_nan(None).drop_nulls()


def drift_table(
    first: pl.DataFrame, second: pl.DataFrame, features: Sequence[str], *, bins: int = BINS
) -> pl.DataFrame:
    """Population stability index of each feature: feature, psi (null where not defined), the most drifted first."""
    rows = [(name, population_stability(first[name], second[name], bins=bins)) for name in features]
    table = pl.DataFrame(rows, schema={"feature": pl.String, "psi": pl.Float64}, orient="row")
    return table.sort("psi", "feature", descending=[True, False], nulls_last=True)


def training_ranges(training: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """Range that holds all but the outer 1 % of each feature in training.

    Args:
        training: The features, one row a token-week; NaN and null are unknown.
        features: Their names.

    Returns:
        feature, low, high (quantiles 0.5 % and 99.5 %, null where the feature is never known), in the order of `features`.
    """
    known = training.select(pl.col(features).cast(pl.Float64).fill_nan(None))
    low, high = (known.select(pl.all().quantile(at, "linear")).row(0) for at in TRAINING_RANGE)
    schema = {"feature": pl.String, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(list(zip(features, low, high, strict=True)), schema=schema, orient="row")


def novelty(rows: pl.DataFrame, ranges: pl.DataFrame) -> pl.Series:
    """Share of a row's known features that lie outside their range in training.

    About 0.01 of a row like those of training, more the less the model has seen of its kind.

    Args:
        rows: The features of `ranges`, one row a token-week.
        ranges: As `training_ranges` gives them; a feature without a range does not count.

    Returns:
        `novelty`, 0 to 1 in the order of `rows`; null where no feature is known.

    Raises:
        ValueError: A feature with a range is missing from the rows.
    """
    bounds = {name: (low, high) for name, low, high in ranges.drop_nulls().iter_rows()}
    missing = sorted(set(bounds) - set(rows.columns))
    if missing:
        raise ValueError(
            f"the rows lack {missing}, which the model was trained on; build them with the model's feature list"
        )
    values = rows.select(pl.col(name).cast(pl.Float64).fill_nan(None) for name in bounds).to_numpy()
    low, high = (np.array([pair[at] for pair in bounds.values()], dtype=np.float64) for at in (0, 1))
    known = ~np.isnan(values)
    outside = (known & ((values < low) | (values > high))).sum(axis=1)
    count = known.sum(axis=1)
    shares = [int(out) / int(of) if of else None for out, of in zip(outside, count, strict=True)]
    return pl.Series("novelty", shares, dtype=pl.Float64)
