"""From log returns to what a market shows: prices, candles, supply, market caps and volume.

Belongs here: the true panel, days by tokens. Does not: what a provider serves of it (`defects.py`, `served.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.events import Events
from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.prices import Returns
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

Floats = NDArray[np.float64]

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Panel:
    """The true market: arrays of shape (days, tokens), NaN where a token is not alive.

    Attributes:
        first_epoch_day: Days from 1970-01-01 to the first row.
        open: Price at 00:00 UTC, equal to the close before it.
        bridge: Standard normal draws that give the path within a day (`served.py`).
        volatility: Standard deviation of the daily log return, never NaN.
        usdt_rate: USD per USDT at the close, shape (days,); what turns USD into the exchange's quote.
    """

    first_epoch_day: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    supply: Floats
    cap: Floats
    volume: Floats
    bridge: Floats
    volatility: Floats
    usdt_rate: Floats


def make_panel(
    settings: SimulationSettings, tokens: list[Token], lifetimes: Lifetimes, returns: Returns, events: Events
) -> Panel:
    """Compound the returns of every token from its birth on."""
    random = settings.random(Stream.CANDLES)
    days, count = returns.log_returns.shape
    columns = np.arange(count)
    travelled = np.cumsum(returns.log_returns, axis=0)
    opening_price = np.array([token.opening_price_usd for token in tokens])
    not_alive = ~lifetimes.alive(days)

    close = opening_price * np.exp(travelled - travelled[lifetimes.birth, columns])
    open_ = close * np.exp(-returns.log_returns)
    # Within the day the price swings by at most half of |bridge| daily deviations around the line from open to close
    # (`served.py`); the range holds that and a little more.
    bridge = random.standard_normal((days, count))
    above = 0.5 * np.maximum(bridge, 0.0) + 0.25 * np.abs(random.standard_normal((days, count)))
    below = 0.5 * np.maximum(-bridge, 0.0) + 0.25 * np.abs(random.standard_normal((days, count)))
    high = np.maximum(open_, close) * np.exp(returns.total_volatility * above)
    low = np.minimum(open_, close) * np.exp(-returns.total_volatility * below)

    opening_supply = np.array([token.opening_cap_usd for token in tokens]) / opening_price
    growth = np.array([token.supply_growth for token in tokens])
    age_years = np.maximum(np.arange(days)[:, None] - lifetimes.birth, 0) / DAYS_A_YEAR
    supply = opening_supply * (1.0 + growth * age_years)
    largest = np.array([token.max_supply_tokens or np.inf for token in tokens])
    supply = np.minimum(supply, largest)

    cap = close * supply
    panel = {
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "supply": supply,
        "cap": cap,
        "volume": _volume(random, tokens, returns, events, cap),
    }
    for values in panel.values():
        values[not_alive] = np.nan
    return Panel(
        first_epoch_day=settings.start.toordinal() - 719_163,  # ordinal of 1970-01-01
        bridge=bridge,
        volatility=returns.total_volatility,
        usdt_rate=close[:, [token.coin_id for token in tokens].index("tether")].copy(),
        **panel,
    )


def _volume(random: np.random.Generator, tokens: list[Token], returns: Returns, events: Events, cap: Floats) -> Floats:
    """Turnover of the cap, livelier on days of large moves whatever their sign."""
    turnover = np.array([token.turnover for token in tokens])
    is_pegged = np.array([token.pegged_to is not None for token in tokens])
    liveliness = np.minimum(np.abs(returns.log_returns) / returns.total_volatility, 6.0)
    liveliness[:, is_pegged] = 1.0
    noise = random.normal(0.0, 0.3, cap.shape)
    return cap * turnover * events.volume_multiplier * np.exp(0.25 * (liveliness - 0.8) + noise)
