"""Daily log returns of the simulated market: one factor, sectors, own shocks with fat tails, and what predicts them.

The log return of token i on day t is

    beta_i * market_t + load_i * sector_t + sigma_it * (shock_it + score_it) + event_it

with `score_it` known at the close of day t-1 and 0 in the null setting, where moreover the market and the sectors have
no drift and every loading on the market is 1: returns in excess of the market are then symmetric around one common
median, so that nothing known before tells ranks apart, volatility included.

Belongs here: returns in log. Does not: prices, candles, caps and volume (`candles.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.events import Events
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

Floats = NDArray[np.float64]

DEGREES_OF_FREEDOM = 3.5
LARGEST_SHOCK = 7.0  # in standard deviations; a t with 3.5 degrees of freedom has no fourth moment to hold it back
MOMENTUM_DAYS = 30
REVERSAL_DAYS = 7
SECTOR_DAILY_VOLATILITY = 0.010
_VOLATILITY_PERSISTENCE = 0.988  # half-life of some 57 days
_VOLATILITY_SPREAD = 0.28  # standard deviation of the logarithm of volatility over time
_SECTOR_DRIFT_PERSISTENCE = 0.98
_ACTIVITY_PERSISTENCE = 0.95


class Regime(IntEnum):
    """State of the market, a Markov chain in days."""

    BULL = 0
    SIDEWAYS = 1
    BEAR = 2


_REGIME_DRIFT = np.array([1.0, 0.0, -1.0])
_REGIME_VOLATILITY = np.array([0.020, 0.015, 0.030])
_REGIME_LENGTH_DAYS = np.array([100.0, 75.0, 85.0])


@dataclass(frozen=True)
class Returns:
    """What moves the simulated market, days first.

    Attributes:
        log_returns: Shape (days, tokens), also for days on which a token is not alive.
        volatility: Idiosyncratic daily standard deviation, shape (days, tokens).
        total_volatility: Daily standard deviation with market and sector, shape (days, tokens).
        market: Log return of the market, shape (days,).
        regimes: State of the market, shape (days,).
        activity_growth: Latent growth of on-chain activity, unit variance, shape (days, tokens).
    """

    log_returns: Floats
    volatility: Floats
    total_volatility: Floats
    market: Floats
    regimes: NDArray[np.int64]
    activity_growth: Floats


def simulate_returns(settings: SimulationSettings, tokens: list[Token], events: Events) -> Returns:
    """Draw all returns. Costs one pass over the days with vectors over the tokens."""
    days, count = settings.day_count, len(tokens)
    strength = settings.effective_predictability
    regimes, market = _market(settings)
    volatility = _volatility_paths(settings, tokens)
    activity_growth = _autoregressive(settings.random(Stream.ACTIVITY), (days, count), _ACTIVITY_PERSISTENCE)
    has_activity = np.array(
        [bool(token.opening_addresses) and "AdrActCnt" in token.coinmetrics_metrics for token in tokens]
    )
    shocks = fat_tailed(settings.random(Stream.SHOCKS), (days, count))
    membership, sector_moves = _sectors(settings, tokens)

    beta = np.array([token.beta for token in tokens])
    systematic = market[:, None] * beta + sector_moves
    known_before = -strength.low_volatility * _standard_ranks(volatility)
    lead = strength.activity_lead_days
    known_before[lead:] += strength.activity * (activity_growth * has_activity)[: -lead or None]

    own = np.zeros((days, count))  # sector, own shock, drift and events: what is left without the market
    travelled = np.zeros((days + 1, count))  # sum of `own` before each day
    for day in range(days):
        score = known_before[day]
        if day > MOMENTUM_DAYS and (strength.momentum or strength.reversal):
            unit = volatility[day - 1]
            trend = travelled[day - REVERSAL_DAYS] - travelled[day - MOMENTUM_DAYS]
            bounce = travelled[day] - travelled[day - REVERSAL_DAYS]
            score = score + strength.momentum * _relative_score(
                trend, membership, unit * np.sqrt(MOMENTUM_DAYS - REVERSAL_DAYS)
            )
            score = score - strength.reversal * _relative_score(bounce, membership, unit * np.sqrt(REVERSAL_DAYS))
        own[day] = sector_moves[day] + volatility[day] * (shocks[day] + score) + events.log_returns[day]
        travelled[day + 1] = travelled[day] + own[day]
    log_returns = own + (systematic - sector_moves)
    _follow_pegs(log_returns, shocks, tokens, events)
    total = _total_volatility(tokens, volatility, regimes)
    return Returns(log_returns, volatility, total, market, regimes, activity_growth)


def fat_tailed(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student t shocks of about unit variance, cut at `LARGEST_SHOCK`, symmetric around 0."""
    raw = random.standard_t(DEGREES_OF_FREEDOM, size=shape) / np.sqrt(DEGREES_OF_FREEDOM / (DEGREES_OF_FREEDOM - 2))
    return np.clip(raw, -LARGEST_SHOCK, LARGEST_SHOCK)


def _market(settings: SimulationSettings) -> tuple[NDArray[np.int64], Floats]:
    """Regimes and the market's log returns; in the null setting regimes change volatility only."""
    random = settings.random(Stream.MARKET)
    days = settings.day_count
    leaves = random.random(days)
    direction = random.random(days)
    regimes = np.empty(days, dtype=np.int64)
    state = int(Regime.BULL)
    for day in range(days):
        if leaves[day] < 1.0 / _REGIME_LENGTH_DAYS[state]:
            others = [int(regime) for regime in Regime if regime != state]
            state = others[0] if direction[day] < 0.5 else others[1]
        regimes[day] = state
    drift = settings.effective_predictability.regime_drift * _REGIME_DRIFT[regimes]
    return regimes, drift + _REGIME_VOLATILITY[regimes] * fat_tailed(random, (days,))


def _volatility_paths(settings: SimulationSettings, tokens: list[Token]) -> Floats:
    base = np.array([token.daily_volatility for token in tokens])
    wander = _autoregressive(
        settings.random(Stream.VOLATILITY), (settings.day_count, len(tokens)), _VOLATILITY_PERSISTENCE
    )
    return base * np.exp(_VOLATILITY_SPREAD * wander)


def _sectors(settings: SimulationSettings, tokens: list[Token]) -> tuple[Floats, Floats]:
    """Membership, shape (tokens, sectors), and what its sector adds to each token's return, shape (days, tokens)."""
    random = settings.random(Stream.MARKET).spawn(1)[0]
    names = sorted({token.sector for token in tokens})
    membership = np.array([[float(token.sector == name) for name in names] for token in tokens])
    shape = (settings.day_count, len(names))
    drift = settings.effective_predictability.sector_drift * _autoregressive(random, shape, _SECTOR_DRIFT_PERSISTENCE)
    moves = drift + SECTOR_DAILY_VOLATILITY * fat_tailed(random, shape)
    load = np.array([{"bitcoin": 0.0, "ethereum": 0.4}.get(token.coin_id, 1.0) for token in tokens])
    return membership, (moves @ membership.T) * load


def _total_volatility(tokens: list[Token], volatility: Floats, regimes: NDArray[np.int64]) -> Floats:
    """Standard deviation of daily returns; that of a pegged token is that of what it follows."""
    beta = np.array([token.beta for token in tokens])
    market = _REGIME_VOLATILITY[regimes][:, None] * beta
    total = np.sqrt(market**2 + SECTOR_DAILY_VOLATILITY**2 + volatility**2)
    ids = [token.coin_id for token in tokens]
    for index, token in enumerate(tokens):
        if token.pegged_to is not None:
            total[:, index] = volatility[:, index] if token.pegged_to == "usd" else total[:, ids.index(token.pegged_to)]
    return total


def _autoregressive(random: np.random.Generator, shape: tuple[int, int], persistence: float) -> Floats:
    """Gaussian AR(1) of unit variance down the first axis, stationary from the first day."""
    draws = random.standard_normal(shape)
    fresh = np.sqrt(1.0 - persistence**2)
    for day in range(1, shape[0]):
        draws[day] = persistence * draws[day - 1] + fresh * draws[day]
    return draws


def _standard_ranks(values: Floats) -> Floats:
    """Ranks along each row, centred, with unit variance."""
    ranks = np.argsort(np.argsort(values, axis=1), axis=1).astype(np.float64)
    return (ranks - ranks.mean(axis=1, keepdims=True)) / ranks.std(axis=1, keepdims=True)


def _relative_score(travelled: Floats, membership: Floats, unit: Floats) -> Floats:
    """Distance from the sector's mean in units of own volatility, held within 2.5."""
    sector_mean = (travelled @ membership) / membership.sum(axis=0)
    return np.clip((travelled - membership @ sector_mean) / unit, -2.5, 2.5)


def _follow_pegs(log_returns: Floats, shocks: Floats, tokens: list[Token], events: Events) -> None:
    """Replace the returns of pegged tokens: those of what they follow, plus a deviation that reverts within days."""
    ids = [token.coin_id for token in tokens]
    for index, token in enumerate(tokens):
        if token.pegged_to is None:
            continue
        deviation = np.zeros(len(log_returns))
        for day in range(1, len(deviation)):
            deviation[day] = 0.6 * deviation[day - 1] + token.daily_volatility * shocks[day, index]
        followed = 0.0 if token.pegged_to == "usd" else log_returns[:, ids.index(token.pegged_to)]
        log_returns[:, index] = followed + np.diff(deviation, prepend=0.0) + events.log_returns[:, index]
