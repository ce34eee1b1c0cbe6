"""On-chain activity of the covered tokens and the Fear & Greed index of the whole market.

Belongs here: true daily values. Does not: their publication lag and wire format (`routes_coinmetrics.py`,
`routes_alternative_me.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from orchestration.sandbox.candles import Panel
from orchestration.sandbox.prices import CommonMoves, Floats, ReturnBlock
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import FULL_COVERAGE, Token

_GROWTH_A_DAY = 0.012
_ADDRESS_REVERSION = 0.004
_REALISED_CAP_DAYS = 180


@dataclass(frozen=True)
class ActivityDrivers:
    """What the on-chain activity of the covered tokens follows, arrays of shape (days, covered tokens).

    Attributes:
        covered: Numbers of the tokens that the on-chain feed covers.
        log_returns: Their daily log returns.
        growth: Latent growth of their activity, unit variance.
    """

    covered: list[int]
    log_returns: Floats
    growth: Floats

    @classmethod
    def of(cls, settings: SimulationSettings, tokens: list[Token]) -> ActivityDrivers:
        """Empty, to be filled by `note`."""
        covered = [index for index, token in enumerate(tokens) if token.coinmetrics_metrics]
        shape = (settings.day_count, len(covered))
        return cls(covered, np.empty(shape), np.empty(shape))

    def note(self, block: ReturnBlock) -> None:
        """Keep the covered tokens' part of some days."""
        span = slice(block.days.start, block.days.stop)
        self.log_returns[span] = block.log_returns[:, self.covered]
        self.growth[span] = block.activity_growth[:, self.covered]


def make_on_chain(
    settings: SimulationSettings, tokens: list[Token], panel: Panel, drivers: ActivityDrivers
) -> pl.DataFrame:
    """One row per covered token and day; a metric outside a token's coverage is null.

    Active addresses grow with the latent activity of `prices.py`, which moves the price some days later, and with
    noise of their own. All other metrics describe the present or the past.
    """
    random = settings.random(Stream.ACTIVITY).spawn(1)[0]
    covered = drivers.covered
    shape = (settings.day_count, len(covered))
    histories = [panel.token(index) for index in covered]
    close, cap, supply, volatility = (
        np.column_stack([getattr(history, name) for history in histories])
        for name in ("close", "cap", "supply", "volatility")
    )

    addresses = _addresses(random, np.array([tokens[index].opening_addresses for index in covered]), drivers)
    transactions = addresses * 0.45 * np.exp(random.normal(0.0, 0.05, shape))
    swings = np.abs(drivers.log_returns) / volatility
    flow = supply * 0.0025 * np.exp(0.15 * np.minimum(swings, 6.0) + random.normal(0.0, 0.2, shape))
    values = {
        "AdrActCnt": np.round(addresses),
        "CapMVRVCur": cap / _trailing_mean(cap, _REALISED_CAP_DAYS),
        "CapMrktCurUSD": cap,
        "FeeTotNtv": transactions * supply * 2e-12 * np.exp(random.normal(0.0, 0.3, shape)),
        "FlowInExNtv": flow * np.exp(random.normal(0.0, 0.1, shape)),
        "FlowOutExNtv": flow * np.exp(random.normal(0.0, 0.1, shape)),
        "PriceUSD": close,
        "SplyCur": supply,
        "TxCnt": np.round(transactions),
    }
    for metric, matrix in values.items():
        matrix[:, [metric not in tokens[index].coinmetrics_metrics for index in covered]] = np.nan
    days = settings.day_count
    return pl.DataFrame(
        {
            "coin_id": np.repeat([tokens[index].coin_id for index in covered], days),
            "asset": np.repeat([tokens[index].symbol.lower() for index in covered], days),
            "market_date": market_dates(settings, copies=len(covered)),
            **{metric: values[metric].T.ravel() for metric in FULL_COVERAGE},
        }
    ).with_columns(pl.col(FULL_COVERAGE).fill_nan(None))


def make_fear_greed(settings: SimulationSettings, common: CommonMoves) -> pl.DataFrame:
    """One row per day: value 0 to 100 from the market's last 30 days up to the day before, and its classification.

    A day in the middle of the span may lack its value, as on the provider.
    """
    random = settings.random(Stream.SENTIMENT)
    days = settings.day_count
    smooth = _trailing_mean(common.market[:, None], 30)[:, 0]
    mood = 50.0 + 4_500.0 * np.concatenate([[0.0], smooth[:-1]]) + random.normal(0.0, 4.0, days)
    value = np.clip(np.round(mood), 3, 97).astype(np.int64)
    moods = np.array(["Extreme Fear", "Fear", "Neutral", "Greed", "Extreme Greed"])
    frame = pl.DataFrame(
        {
            "market_date": market_dates(settings, copies=1),
            "value": value,
            "classification": moods[np.searchsorted([24, 46, 54, 75], value)],
        }
    )
    missing = random.choice(
        np.arange(20, days - 20), size=round(settings.defects.missing_sentiment_days * days / 1_000), replace=False
    )
    return frame.with_columns(is_served=~pl.int_range(days).is_in(missing.tolist()))


def market_dates(settings: SimulationSettings, *, copies: int) -> pl.Series:
    """All market dates, repeated as a block."""
    one = pl.date_range(settings.start, settings.end, timedelta(days=1), eager=True)
    return pl.concat([one] * copies).alias("market_date")


def _addresses(random: np.random.Generator, opening: Floats, drivers: ActivityDrivers) -> Floats:
    growth = _GROWTH_A_DAY * drivers.growth + random.normal(0.0, 0.006, drivers.growth.shape)
    level = np.zeros_like(growth)
    for day in range(1, len(level)):
        level[day] = (1.0 - _ADDRESS_REVERSION) * level[day - 1] + growth[day]
    weekday = 1.0 - 0.06 * (np.arange(len(level)) % 7 >= 5)
    counted = opening * np.exp(level + random.normal(0.0, 0.03, level.shape)) * weekday[:, None]
    return np.where(opening > 0, counted, np.nan)


def _trailing_mean(values: Floats, days: int) -> Floats:
    """Mean of up to `days` rows, the current one included."""
    sums = np.cumsum(values, axis=0)
    sums[days:] = sums[days:] - sums[:-days]
    return sums / np.minimum(np.arange(1, len(values) + 1), days)[:, None]
