"""The regime of the market: bull or bear, calm or turbulent, as two Markov-switching models of its daily return see it.

    trend        return over its usual size (of the days before) ~ location of bull or of bear + scale * t(4)
    volatility   return                                          ~ size of calm or of turbulent days * t(4)

Each switches between two states with a constant chance a day. Nothing is searched for: the models of a fixed grid of parameters all run
side by side, and on the first Monday of each calendar quarter each gets its weight, its likelihood of the returns before that day. The
weights hold until the next such day; a probability is the weighted mean of the models' filtered ones, from returns up to its day, never
smoothed by later ones. So there is no optimum to miss, and a row depends on its past alone.

Belongs here: the models, their weights, the names of the states. Does not: which days there are (`orchestration/lib/market_tables.py`).

Sources: Hamilton, *A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle*, Econometrica 57
(1989), for the filter; Maheu and McCurdy, *Identifying Bull and Bear Markets in Stock Returns*, JBES 18 (2000), for the two states.
What else was tried, and what the states flag in real history: `docs/explanation/market.md`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

import numpy as np
import polars as pl

from models_ml.learning.calendar import refit_dates

Floats: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

TREND, VOLATILITY = "trend", "volatility"
STATES = {TREND: ("bear", "bull"), VOLATILITY: ("calm", "turbulent")}
"""Low and high state of each chain; its probability is that of the high one."""


@dataclass(frozen=True)
class RegimeRules:
    """What of the models is chosen and not fitted.

    Attributes:
        bull_locations: Grid of the bull state's location, in usual daily returns; all above 0, or the name would say too much.
        bear_locations: Grid of the bear state's, all below 0.
        scales: Grid of the scale of the trend model's t distribution, in usual daily returns.
        calm_sizes: Grid of the scale of calm days' returns, fractions.
        turbulent_sizes: Grid of that of turbulent days'; every pair with a lower calm one is a model.
        durations_days: Grid of the mean duration of a state. Left free, states last two weeks and follow the return of the week.
        freedom: Degrees of freedom of the t distribution: at 4 a crash day counts, but not as much as all the days beside it.
        half_life_days: Of the mean square whose root is the usual daily return.
        usual_days: Days with a return before there is a usual one.
        fewest_days: Days with a return before the first weights.
        begin_probability: A named state changes when the other one's probability reaches this.
    """

    bull_locations: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25)
    bear_locations: tuple[float, ...] = (-0.05, -0.1, -0.15, -0.2)
    scales: tuple[float, ...] = (0.55, 0.65, 0.75)
    calm_sizes: tuple[float, ...] = (0.006, 0.009, 0.012, 0.016, 0.02, 0.025)
    turbulent_sizes: tuple[float, ...] = (0.016, 0.02, 0.025, 0.032, 0.04, 0.05)
    durations_days: tuple[float, ...] = (91.0, 182.0, 365.0)
    freedom: float = 4.0
    half_life_days: float = 30.0
    usual_days: int = 30
    fewest_days: int = 300
    begin_probability: float = 0.75


@dataclass(frozen=True)
class Chain:
    """One chain's models and what they made of the returns.

    Attributes:
        parameters: (models, 4): location or size of the low state, of the high state, scale (trend only, else 1), mean duration in days.
        weights: (refits, models), each row summing to 1.
        probability: (days,) of the high state; NaN before the first refit.
    """

    parameters: Floats
    weights: Floats
    probability: Floats


@dataclass(frozen=True)
class Regimes:
    """The regime of every day, and the models behind it.

    Attributes:
        days: One row a day from the first refit on: market_date, refit_date, p_bull, p_turbulent (0-1), trend ('bull', 'bear'),
            volatility ('calm', 'turbulent'), regime (both, as 'turbulent bear'), regime_probability (that of both, the chains taken as
            independent), trend_since_date, volatility_since_date, regime_since_date (first day of the run of the same name).
        models: One row a refit and chain: refit_date, chain, low_state, high_state, low_parameter, high_parameter, scale, duration_days
            (means over the models by weight), effective_models (1 / sum of squared weights), training_days.
    """

    days: pl.DataFrame
    models: pl.DataFrame


DAYS_SCHEMA = pl.Schema(
    {
        **dict.fromkeys(("market_date", "refit_date"), pl.Date),
        **dict.fromkeys(("p_bull", "p_turbulent"), pl.Float64),
        **dict.fromkeys(("trend", "volatility", "regime"), pl.String),
        "regime_probability": pl.Float64,
        **dict.fromkeys(("trend_since_date", "volatility_since_date", "regime_since_date"), pl.Date),
    }
)
MODELS_SCHEMA = pl.Schema(
    {
        "refit_date": pl.Date,
        **dict.fromkeys(("chain", "low_state", "high_state"), pl.String),
        **dict.fromkeys(("low_parameter", "high_parameter", "scale", "duration_days", "effective_models"), pl.Float64),
        "training_days": pl.Int32,
    }
)


def usual_returns(log_returns: Floats, *, half_life_days: float, usual_days: int) -> Floats:
    """Root of the mean square of the returns before each day, recent ones counting more.

    Args:
        log_returns: Daily log returns of consecutive days, NaN where unknown.
        half_life_days: Days with a return after which one counts half.
        usual_days: Fewest of them; NaN before, and where none of them moved.
    """
    decay = 0.5 ** (1 / half_life_days)
    squares = count = 0.0
    known = 0
    usual = np.full(len(log_returns), np.nan)
    for day, value in enumerate(log_returns):
        if known >= usual_days and squares > 0:
            usual[day] = math.sqrt(squares / count)
        if not math.isnan(value):
            squares, count, known = decay * squares + value * value, decay * count + 1, known + 1
    return usual


def switching_filter(log_densities: Floats, stay_probabilities: Floats) -> tuple[Floats, Floats]:
    """Hamilton's filter of chains of two states, many models beside each other; before the first day both states are alike.

    Args:
        log_densities: (days, models, 2) log density of what the day brought in the low and in the high state; equal in both where
            nothing is known of the day.
        stay_probabilities: (models,) chance that the state is that of the day before.

    Returns:
        (days, models) probability of the high state from the days up to each; and the log likelihood of those days.
    """
    days, models, _ = log_densities.shape
    high = np.full(models, 0.5)
    likelihood = np.zeros(models)
    probabilities, likelihoods = np.empty((days, models)), np.empty((days, models))
    # Over the larger of the two, which changes no probability and keeps both from becoming zero.
    largest = log_densities.max(axis=2)
    densities = np.exp(log_densities - largest[..., None])
    for day in range(days):
        high = stay_probabilities * high + (1 - stay_probabilities) * (1 - high)
        seen_high = high * densities[day, :, 1]
        seen = seen_high + (1 - high) * densities[day, :, 0]
        high = seen_high / seen
        likelihood = likelihood + np.log(seen) + largest[day]
        probabilities[day], likelihoods[day] = high, likelihood
    return probabilities, likelihoods


def market_regimes(days: Sequence[date], log_returns: Floats, rules: RegimeRules | None = None) -> Regimes:
    """The regime of each day from the first refit on, by closes up to it.

    Args:
        days: Consecutive days, oldest first.
        log_returns: The market's daily log return on each, NaN where unknown.
        rules: What is chosen and not fitted.

    Raises:
        ValueError: The days are not consecutive, or there are not as many returns.
    """
    rules = rules or RegimeRules()
    if len(days) != len(log_returns):
        raise ValueError(f"{len(days)} days but {len(log_returns)} returns; give one return a day, NaN where unknown")
    if len(days) and (days[-1] - days[0]).days != len(days) - 1:
        raise ValueError(
            f"{len(days)} days from {days[0]} to {days[-1]}: some are missing; give every day, NaN where unknown"
        )
    known = np.concatenate([[0], np.cumsum(~np.isnan(log_returns))])
    refits = [
        (refit, (refit - days[0]).days)
        for refit in (refit_dates(days[0], days[-1]) if len(days) else [])
        if known[(refit - days[0]).days] >= rules.fewest_days
    ]
    if not refits:
        return Regimes(pl.DataFrame(schema=DAYS_SCHEMA), pl.DataFrame(schema=MODELS_SCHEMA))
    starts = [start for _, start in refits]
    chains = {TREND: _trend(log_returns, starts, rules), VOLATILITY: _volatility(log_returns, starts, rules)}
    training_days = [int(known[start]) for start in starts]
    return Regimes(
        _day_rows(days, refits, chains, rules.begin_probability),
        _model_rows([refit for refit, _ in refits], chains, training_days),
    )


def _trend(log_returns: Floats, starts: Sequence[int], rules: RegimeRules) -> Chain:
    """Whether returns are drawn around the higher location (bull) or the lower one."""
    usual = usual_returns(log_returns, half_life_days=rules.half_life_days, usual_days=rules.usual_days)
    grid = itertools.product(rules.bear_locations, rules.bull_locations, rules.scales, rules.durations_days)
    parameters = np.array(list(grid))
    return _chain(log_returns / usual, parameters, parameters[:, :2], parameters[:, 2:3], starts, rules.freedom)


def _volatility(log_returns: Floats, starts: Sequence[int], rules: RegimeRules) -> Chain:
    """Whether returns are of the larger size (turbulent) or of the smaller one."""
    grid = itertools.product(rules.calm_sizes, rules.turbulent_sizes, (1.0,), rules.durations_days)
    # Two sizes closer than this are no two states.
    parameters = np.array([point for point in grid if point[1] >= 1.5 * point[0]])
    return _chain(log_returns, parameters, np.zeros_like(parameters[:, :2]), parameters[:, :2], starts, rules.freedom)


def _chain(
    observed: Floats, parameters: Floats, locations: Floats, scales: Floats, starts: Sequence[int], freedom: float
) -> Chain:
    """Run all models of a grid over the days, and average them by their weights of each quarter."""
    log_densities = _t_log_density(observed[:, None, None], locations[None], scales[None], freedom)
    log_densities[np.isnan(observed)] = 0.0
    probabilities, likelihoods = switching_filter(log_densities, 1 - 1 / parameters[:, 3])
    # A refit on day `start` has seen the days before it.
    before = likelihoods[np.array(starts) - 1]
    weights = np.exp(before - before.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    probability = np.full(len(observed), np.nan)
    for start, end, weight in zip(starts, [*starts[1:], len(observed)], weights, strict=True):
        # A sum row by row and not a matrix product, whose rounding depends on how many days there are.
        probability[start:end] = (probabilities[start:end] * weight).sum(axis=1)
    return Chain(parameters, weights, probability)


def _t_log_density(values: Floats, locations: Floats, scales: Floats, freedom: float) -> Floats:
    """Log density of Student's t distribution, moved and stretched."""
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    away = (values - locations) / scales
    density: Floats = constant - np.log(scales) - (freedom + 1) / 2 * np.log1p(away * away / freedom)
    return density


def _day_rows(
    days: Sequence[date], refits: Sequence[tuple[date, int]], chains: dict[str, Chain], begin: float
) -> pl.DataFrame:
    """The rows of `Regimes.days`."""
    first = refits[0][1]
    number = np.arange(first, len(days))
    in_force = np.searchsorted([start for _, start in refits], number, side="right") - 1
    names, sure = {}, np.ones(len(number))
    for chain, fitted in chains.items():
        probability = fitted.probability[first:]
        is_high = with_hysteresis(probability, begin)
        names[chain] = [STATES[chain][high] for high in is_high]
        sure *= np.where(is_high, probability, 1 - probability)
    regime = [f"{volatility} {trend}" for volatility, trend in zip(names[VOLATILITY], names[TREND], strict=True)]
    shown = days[first:]
    return pl.DataFrame(
        {
            "market_date": shown,
            "refit_date": [refits[place][0] for place in np.atleast_1d(in_force)],
            "p_bull": chains[TREND].probability[first:],
            "p_turbulent": chains[VOLATILITY].probability[first:],
            "trend": names[TREND],
            "volatility": names[VOLATILITY],
            "regime": regime,
            "regime_probability": sure,
            "trend_since_date": since_dates(shown, names[TREND]),
            "volatility_since_date": since_dates(shown, names[VOLATILITY]),
            "regime_since_date": since_dates(shown, regime),
        },
        schema=DAYS_SCHEMA,
    )


def _model_rows(refits: Sequence[date], chains: dict[str, Chain], training_days: Sequence[int]) -> pl.DataFrame:
    """The rows of `Regimes.models`."""
    rows = []
    for place, refit in enumerate(refits):
        for chain, fitted in chains.items():
            weights = fitted.weights[place]
            low, high, scale, duration = np.dot(weights, fitted.parameters).tolist()
            effective = float(1 / (weights**2).sum())
            rows.append((refit, chain, *STATES[chain], low, high, scale, duration, effective, training_days[place]))
    return pl.DataFrame(rows, schema=MODELS_SCHEMA, orient="row")


def with_hysteresis(probability: Floats, begin: float) -> list[bool]:
    """Whether the high state is the named one: it changes only when the other state's probability reaches `begin` (0.5 to 1)."""
    named: list[bool] = []
    for value in probability:
        if not named:
            named.append(bool(value >= 0.5))
        elif named[-1]:
            named.append(not 1 - value >= begin)
        else:
            named.append(bool(value >= begin))
    return named


def since_dates(days: Sequence[date], names: Sequence[object]) -> list[date]:
    """First day of the run of equal names that each day belongs to."""
    since: list[date] = []
    for place, day in enumerate(days):
        since.append(since[-1] if place and names[place] == names[place - 1] else day)
    return since


def all_days(first: date, last: date) -> list[date]:
    """Every day from the first to the last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
