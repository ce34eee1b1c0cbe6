"""What a simulated market is made from: size, span, strength of what can be predicted, rate of defects.

Belongs here: frozen value types with their defaults, and the random streams drawn from the seed.
Does not: the simulation itself (`prices.py`, `candles.py`, `activity.py`, `defects.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

import numpy as np

SMALLEST_MARKET = 30
SHORTEST_SPAN_DAYS = 200


class Stream(IntEnum):
    """One independent random stream a subject, so that a change in one subject leaves the others as they were.

    The market's number was chosen so that the default seed sees several bull and bear phases; with it BTC travels
    between 19,000 and 185,000 USD.
    """

    TOKENS = 1
    LIFETIMES = 2
    MARKET = 12
    VOLATILITY = 4
    SHOCKS = 5
    EVENTS = 6
    ACTIVITY = 7
    CANDLES = 8
    DEFECTS = 9
    SENTIMENT = 10
    IDENTITIES = 11
    DEVELOPERS = 21
    MACRO = 22
    NEWS = 23
    CLAIMS = 24
    SCAMS = 25
    MOVERS = 31


@dataclass(frozen=True, kw_only=True)
class Predictability:
    """How strongly known causes move later returns. All strengths are 0 in the null setting.

    A strength `k` adds `k` daily idiosyncratic standard deviations to the expected log return per unit of score, where
    a score has unit variance across tokens. A score that holds for 14 days is worth an information coefficient of
    roughly `k * sqrt(14)` on the idiosyncratic part of the 14-day return.

    Measured with these defaults as mean weekly rank IC at 14 days, 250 tokens, six seeds, standard error 0.008 each:
    low volatility 0.09 to 0.12, momentum 0.08 to 0.10, reversal 0.01 to 0.02, their plain sum 0.10 to 0.13 (0.12 for
    the default seed); growth of active addresses 0.08 to 0.15 among the eleven tokens that have it. In the null setting
    over 24 seeds: the mean lies within 0.0025 of 0 and a single seed within 0.018, for active addresses, with
    eleven tokens, within 0.007 (standard error 0.005) and 0.053.

    Attributes:
        low_volatility: On the cross-sectional rank of current idiosyncratic volatility; calm tokens gain.
        momentum: On the sector-relative return of days t-30 to t-8; winners gain.
        reversal: On the sector-relative return of days t-7 to t-1; losers gain.
        activity: On the growth of active addresses `activity_lead_days` ago; only tokens with on-chain data.
        activity_lead_days: Days by which active addresses lead the price.
        regime_drift: Daily log drift of the market in a bull regime; a bear regime has the opposite, sideways none.
        sector_drift: Standard deviation of the slowly varying daily log drift of a sector.
    """

    low_volatility: float = 0.034
    momentum: float = 0.036
    reversal: float = 0.085
    activity: float = 0.090
    activity_lead_days: int = 7
    regime_drift: float = 0.0022
    sector_drift: float = 0.0018

    @classmethod
    def none(cls) -> Predictability:
        """Nothing predicts anything."""
        return cls(low_volatility=0.0, momentum=0.0, reversal=0.0, activity=0.0, regime_drift=0.0, sector_drift=0.0)


@dataclass(frozen=True, kw_only=True)
class DefectRates:
    """Defects per 100,000 token-days of a feed. A run counts once, however many days it spans.

    Attributes:
        gaps: Runs of 1 to 3 missing days in CoinGecko's charts.
        bad_ticks: Single days with price and market cap ten times too high or too low in CoinGecko's charts.
        zero_caps: Runs of 5 to 40 days with a market cap of 0 in CoinGecko's charts.
        duplicates: Points of CoinGecko's charts that are served twice with equal values.
        late_rows: Points of CoinGecko's charts that appear 1 or 2 days late.
        revised_rows: Points of CoinGecko's charts that are served 3 to 8 % off during their first day.
        wash_volumes: Runs of 40 to 150 days in which CoinGecko's charts show ten to forty times a token's usual volume, nearly the same
            every day, in half of the runs in round numbers.
        fake_caps: Runs of 10 to 60 days in which CoinGecko's charts show a market cap of a hundred million days' volume.
        candle_gaps: Runs of 1 to 3 missing days in Binance's candles.
        candle_bad_ticks: Binance candles whose close is ten times too high or too low.
        missing_sentiment_days: Fear & Greed days without a value, per 1,000 days.
    """

    gaps: float = 45.0
    bad_ticks: float = 30.0
    zero_caps: float = 9.0
    duplicates: float = 22.0
    late_rows: float = 25.0
    revised_rows: float = 25.0
    wash_volumes: float = 3.0
    fake_caps: float = 1.0
    candle_gaps: float = 25.0
    candle_bad_ticks: float = 15.0
    missing_sentiment_days: float = 3.0

    @classmethod
    def none(cls) -> DefectRates:
        """A market whose providers never err."""
        return cls(
            gaps=0.0,
            bad_ticks=0.0,
            zero_caps=0.0,
            duplicates=0.0,
            late_rows=0.0,
            revised_rows=0.0,
            wash_volumes=0.0,
            fake_caps=0.0,
            candle_gaps=0.0,
            candle_bad_ticks=0.0,
            missing_sentiment_days=0.0,
        )


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """Everything a simulated market depends on: equal settings give equal markets.

    Attributes:
        seed: Non-negative seed of all random streams.
        tokens: Number of tokens ever alive, at least 30.
        start: First market date. The default is a Monday.
        end: Last market date, at least 200 days after `start`.
        is_null: Whether returns are unpredictable from anything; `predictability` is then ignored.
        birth_share: Fraction of the tokens that are born after `start`.
        death_share: Fraction of the tokens that die before `end`.
        pump_share: Pump-and-dumps per token over the whole span.
        scam_share: Wash trading and rug pulls per token (`events.Scam`), none by default and in the null setting. Their draws are
            their own, but a rug pull moves the ranks across tokens that others' returns follow.
        mover_share: Planted movers per token over the whole span (`movers.py`); none by default, since published figures rest on the
            market without them.
        identity_events: Whether eight more tokens live through a rename, a migration, a merger and a reused ticker
            (`migrations.py`). All others stay exactly as they are without, but ranks across tokens see the newcomers.
        predictability: What predicts returns, and how strongly.
        defects: How often served data are wrong.
    """

    seed: int = 7
    tokens: int = 250
    start: date = date(2022, 1, 3)
    end: date = date(2025, 7, 7)
    is_null: bool = False
    birth_share: float = 0.24
    death_share: float = 0.10
    pump_share: float = 0.16
    scam_share: float = 0.0
    mover_share: float = 0.0
    identity_events: bool = False
    predictability: Predictability = field(default_factory=Predictability)
    defects: DefectRates = field(default_factory=DefectRates)

    def __post_init__(self) -> None:
        """Refuse a market too small or too short to hold what every market holds."""
        if self.tokens < SMALLEST_MARKET:
            raise ValueError(f"tokens is {self.tokens}, but a simulated market needs at least {SMALLEST_MARKET}")
        if self.day_count < SHORTEST_SPAN_DAYS:
            raise ValueError(
                f"{self.start} to {self.end} spans {self.day_count} days, but a simulated market needs at least "
                f"{SHORTEST_SPAN_DAYS} days; move `end` to a later day"
            )

    @property
    def day_count(self) -> int:
        """Number of market dates, both ends included."""
        return (self.end - self.start).days + 1

    @property
    def effective_predictability(self) -> Predictability:
        """The strengths in force: none in the null setting."""
        return Predictability.none() if self.is_null else self.predictability

    def random(self, stream: Stream) -> np.random.Generator:
        """Fresh generator of one stream, always in the same state."""
        return np.random.default_rng([self.seed, int(stream)])
