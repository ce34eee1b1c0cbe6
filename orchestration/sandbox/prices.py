"""Daily log returns of the simulated market: one factor, sectors, own shocks with fat tails, and what predicts them.

The log return of token i on day t is

    beta_i * market_t + load_i * sector_t + sigma_it * (shock_it + score_it) + event_it

with `score_it` known at the close of day t-1 and 0 in the null setting, where moreover the market and the sectors have
no drift and every loading on the market is 1: returns in excess of the market are then symmetric around one common
median, so that nothing known before tells ranks apart, volatility included.

Belongs here: returns in log. Does not: prices, candles, caps and volume (`candles.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.day_blocks import BLOCK_DAYS
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
class CommonMoves:
    """What moves many tokens at once.

    Attributes:
        regimes: State of the market, shape (days,).
        market: Log return of the market, shape (days,).
        sector_names: Sectors in alphabetical order.
        sectors: Log return of each sector besides the market, shape (days, sectors).
    """

    regimes: NDArray[np.int64]
    market: Floats
    sector_names: list[str]
    sectors: Floats

    def market_volatility(self, days: slice) -> Floats:
        """Daily standard deviation of the market, shape (days,)."""
        return _REGIME_VOLATILITY[self.regimes[days]]


@dataclass(frozen=True)
class ReturnBlock:
    """Some days of what moves the tokens, all arrays of shape (days, tokens).

    Attributes:
        days: Day numbers.
        log_returns: Also for days on which a token is not alive.
        total_volatility: Daily standard deviation with market and sector.
        volume_multiplier: By how much events multiply the volume.
        activity_growth: Latent growth of on-chain activity, unit variance.
    """

    days: range
    log_returns: Floats
    total_volatility: Floats
    volume_multiplier: Floats
    activity_growth: Floats


def simulate_returns(
    settings: SimulationSettings, tokens: list[Token], events: Events, common: CommonMoves
) -> Iterator[ReturnBlock]:
    """Draw all returns, `BLOCK_DAYS` days at a time from the first to the last.

    Holds no more than a block and what the next day depends on, however long the market lives.
    """
    strength = settings.effective_predictability
    count = len(tokens)
    shock_random = settings.random(Stream.SHOCKS)
    volatilities = _VolatilityPaths(settings, tokens)
    activity = _Autoregressive(settings.random(Stream.ACTIVITY), count, _ACTIVITY_PERSISTENCE)
    has_activity = np.array(
        [bool(token.opening_addresses) and "AdrActCnt" in token.coinmetrics_metrics for token in tokens]
    )
    membership = np.array([[float(token.sector == name) for name in common.sector_names] for token in tokens])
    load = np.array([{"bitcoin": 0.0, "ethereum": 0.4}.get(token.coin_id, 1.0) for token in tokens])
    beta = np.array([token.beta for token in tokens])
    pegs = _Pegs(tokens)

    growths: deque[Floats] = deque(maxlen=strength.activity_lead_days + 1)
    travelled = deque([np.zeros(count)], maxlen=MOMENTUM_DAYS + 1)  # own log return summed up before each day
    unit = np.zeros(count)  # volatility of the day before
    for first in range(0, settings.day_count, BLOCK_DAYS):
        days = range(first, min(first + BLOCK_DAYS, settings.day_count))
        span = slice(days.start, days.stop)
        volatility = volatilities.take(len(days))
        growth = activity.take(len(days))
        shocks = fat_tailed(shock_random, (len(days), count))
        event_returns, volume_multiplier = events.within(days.start, days.stop, count)
        sector_moves = (common.sectors[span] @ membership.T) * load
        systematic = common.market[span, None] * beta + sector_moves
        known_before = -strength.low_volatility * _standard_ranks(volatility)
        own = np.empty((len(days), count))  # sector, own shock, drift and events: what is left without the market
        for row, day in enumerate(days):
            growths.append(growth[row] * has_activity)
            score = known_before[row]
            if day >= strength.activity_lead_days:
                score = score + strength.activity * growths[0]
            if day > MOMENTUM_DAYS and (strength.momentum or strength.reversal):
                trend = travelled[-1 - REVERSAL_DAYS] - travelled[-1 - MOMENTUM_DAYS]
                bounce = travelled[-1] - travelled[-1 - REVERSAL_DAYS]
                score = score + strength.momentum * _relative_score(
                    trend, membership, unit * np.sqrt(MOMENTUM_DAYS - REVERSAL_DAYS)
                )
                score = score - strength.reversal * _relative_score(bounce, membership, unit * np.sqrt(REVERSAL_DAYS))
            own[row] = sector_moves[row] + volatility[row] * (shocks[row] + score) + event_returns[row]
            travelled.append(travelled[-1] + own[row])
            unit = volatility[row]
        log_returns = own + (systematic - sector_moves)
        pegs.follow(log_returns, shocks, event_returns)
        total = total_volatility(common.market_volatility(span), beta, volatility)
        pegs.share_volatility(total, volatility)
        yield ReturnBlock(days, log_returns, total, volume_multiplier, growth)


def total_volatility(market_volatility: Floats, beta: Floats, volatility: Floats) -> Floats:
    """Daily standard deviation with market and sector from that of the market, shape (days,), and the own one."""
    market = market_volatility[:, None] * beta
    return np.sqrt(market**2 + SECTOR_DAILY_VOLATILITY**2 + volatility**2)


def fat_tailed(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student t shocks of about unit variance, cut at `LARGEST_SHOCK`, symmetric around 0."""
    raw = random.standard_t(DEGREES_OF_FREEDOM, size=shape) / np.sqrt(DEGREES_OF_FREEDOM / (DEGREES_OF_FREEDOM - 2))
    return np.clip(raw, -LARGEST_SHOCK, LARGEST_SHOCK)


def simulate_common_moves(settings: SimulationSettings, sector_names: list[str]) -> CommonMoves:
    """Regimes, the market and the sectors; in the null setting regimes change volatility only.

    Args:
        settings: Of the market.
        sector_names: In alphabetical order.
    """
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
    strength = settings.effective_predictability
    drift = strength.regime_drift * _REGIME_DRIFT[regimes]
    market = drift + _REGIME_VOLATILITY[regimes] * fat_tailed(random, (days,))

    sector_random = settings.random(Stream.MARKET).spawn(1)[0]
    wander = _Autoregressive(sector_random, len(sector_names), _SECTOR_DRIFT_PERSISTENCE).take(days)
    shocks = fat_tailed(sector_random, (days, len(sector_names)))
    sectors = strength.sector_drift * wander + SECTOR_DAILY_VOLATILITY * shocks
    return CommonMoves(regimes, market, sector_names, sectors)


class _Autoregressive:
    """Gaussian AR(1) of unit variance, one per column, stationary from the first day and drawn some days at a time."""

    def __init__(self, random: np.random.Generator, count: int, persistence: float) -> None:
        self._random, self._count, self._persistence = random, count, persistence
        self._last: Floats | None = None

    def take(self, days: int) -> Floats:
        """The next days, shape (days, columns)."""
        draws = self._random.standard_normal((days, self._count))
        fresh = np.sqrt(1.0 - self._persistence**2)
        for row in range(days):
            if self._last is not None:
                draws[row] = self._persistence * self._last + fresh * draws[row]
            self._last = draws[row].copy()
        return draws


class _VolatilityPaths:
    """Idiosyncratic daily standard deviations, drawn some days at a time."""

    def __init__(self, settings: SimulationSettings, tokens: list[Token]) -> None:
        self._base = np.array([token.daily_volatility for token in tokens])
        self._wander = _Autoregressive(settings.random(Stream.VOLATILITY), len(tokens), _VOLATILITY_PERSISTENCE)

    def take(self, days: int) -> Floats:
        return self._base * np.exp(_VOLATILITY_SPREAD * self._wander.take(days))


class _Pegs:
    """Pegged tokens: returns of what they follow, plus a deviation that reverts within days."""

    def __init__(self, tokens: list[Token]) -> None:
        ids = [token.coin_id for token in tokens]
        self._volatility = {
            index: token.daily_volatility for index, token in enumerate(tokens) if token.pegged_to is not None
        }
        self._followed = {
            index: None if tokens[index].pegged_to == "usd" else ids.index(str(tokens[index].pegged_to))
            for index in self._volatility
        }
        self._deviation: dict[int, float] | None = None  # None before the first day, on which there is none

    def follow(self, log_returns: Floats, shocks: Floats, event_returns: Floats) -> None:
        """Replace the pegged tokens' returns of the next days."""
        for row in range(len(log_returns)):
            before = self._deviation
            now = {
                index: 0.0 if before is None else 0.6 * before[index] + volatility * float(shocks[row, index])
                for index, volatility in self._volatility.items()
            }
            for index, followed in self._followed.items():
                moved = now[index] - (0.0 if before is None else before[index])
                followed_return = 0.0 if followed is None else log_returns[row, followed]
                log_returns[row, index] = followed_return + moved + event_returns[row, index]
            self._deviation = now

    def share_volatility(self, total: Floats, volatility: Floats) -> None:
        """Give pegged tokens the standard deviation of what they follow."""
        for index, followed in self._followed.items():
            total[:, index] = volatility[:, index] if followed is None else total[:, followed]


def _standard_ranks(values: Floats) -> Floats:
    """Ranks along each row, centred, with unit variance."""
    ranks = np.argsort(np.argsort(values, axis=1), axis=1).astype(np.float64)
    return (ranks - ranks.mean(axis=1, keepdims=True)) / ranks.std(axis=1, keepdims=True)


def _relative_score(travelled: Floats, membership: Floats, unit: Floats) -> Floats:
    """Distance from the sector's mean in units of own volatility, held within 2.5."""
    sector_mean = (travelled @ membership) / membership.sum(axis=0)
    return np.clip((travelled - membership @ sector_mean) / unit, -2.5, 2.5)
