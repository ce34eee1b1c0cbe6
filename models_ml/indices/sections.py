"""The sections of an index definition, each checked by itself; `weighting` is in `weighting_rules.py`.

Belongs here: universe, eligibility, ranking, selection, calendar, rotation, costs and base as a user writes them.
Does not: checks between sections (`definition_checks.py`), the definition and loading it (`definition.py`), what a rule does (`engine.py`).
"""

import datetime as dt
import math
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from models_ml.indices.feature_rules import FeatureCondition, Order, TokenFeature, feature_column
from models_ml.indices.strict import TOLERANCE, Amount, Fraction, Share, Strict, Text

EVERY_MONTH = tuple(range(1, 13))


def _months(value: object) -> tuple[int, ...]:
    numbers = value if isinstance(value, list | tuple) else None
    if not numbers or not all(type(number) is int and 1 <= number <= 12 for number in numbers):
        raise ValueError("must be a list of months from 1 to 12, such as [1, 4, 7, 10]")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"names a month twice: {list(numbers)}")
    return tuple(sorted(numbers))


Months = Annotated[
    tuple[int, ...],
    PlainValidator(_months),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 12}, "minItems": 1}),
]


def _base_date(value: object) -> dt.date | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        with suppress(ValueError):  # refused below, together with every other kind of value
            return dt.date.fromisoformat(value)
    raise ValueError("must be a day such as 2020-01-01, or auto for the first week with enough constituents")


class Universe(Strict):
    """Which tokens the index is about."""

    exclude_stable: bool = True
    exclude_wrapped: bool = True
    sector: Text | None = None
    """Only tokens of this sector, compared without regard to case; null for all."""
    exclude_sectors: tuple[Text, ...] = ()
    """Sectors that are left out, compared without regard to case."""
    exclude_tokens: tuple[Text, ...] = ()
    """token_ids that are left out, for what a published methodology names and no rule tells."""
    min_history_days: int = Field(default=0, ge=0)
    """Least number of daily closes so far, gaps not counted (needs prices that reach back so far)."""


class Eligibility(Strict):
    """What a token must show at a rebalance, all from that day's snapshot."""

    min_market_cap_usd: Amount = 0.0
    max_market_cap_usd: Annotated[float, Field(gt=0)] | None = None
    """Largest market cap a constituent may have; null for no limit."""
    min_volume_30d_usd: Amount = 0.0
    min_volume_to_cap: Fraction = 0.0002
    """Median 30-day volume over market cap; without it a coin with a fake cap takes the index."""
    min_price_age_days: int = Field(default=0, ge=0)
    """Least number of days since the token's first price."""
    leave_out_calls: tuple[Literal["bearish", "neutral"], ...] = ()
    """`weekly_model` only. Tokens with such a call are not held; without a call a token passes."""
    features: tuple[FeatureCondition, ...] = ()
    """Bounds on features of the catalogue, asked of the tokens that `ranking.among_largest` leaves."""


class Ranking(Strict):
    """In which order eligible tokens are considered: highest first, then by market cap, then by token_id."""

    by: Literal["market_cap_usd", "trader_grade", "score", "feature"] = "market_cap_usd"
    feature: TokenFeature | None = None
    """`by: feature` only: a feature of the catalogue."""
    order: Order = "descending"
    """`ascending` considers the lowest first."""
    among_largest: int | None = Field(default=None, ge=1)
    """Rank only so many of the largest eligible tokens by market cap; null for all."""

    @property
    def column(self) -> str:
        """Column of the candidates that tokens are ranked by."""
        return feature_column(self.feature) if self.feature is not None else self.by


def number_left_out(chosen: int, *, share: float) -> int:
    """How many of so many chosen tokens a share of them is, rounded down; 0.29 of 100 is 29, whatever a float makes of it."""
    return math.floor(share * chosen + TOLERANCE)


class Selection(Strict):
    """How many tokens are held, and how reluctantly they are exchanged."""

    count: int = Field(ge=1)
    entry_rank: int | None = Field(default=None, ge=1)
    """A token ranked so high enters even if a constituent inside the exit buffer must go for it."""
    exit_rank: int | None = Field(default=None, ge=1)
    """A constituent stays while it ranks no lower than this; null means it must rank within `count`."""
    count_rule: Literal["fixed", "aic"] = "fixed"
    """`aic` holds as few of the largest, in steps of 5 and at most `count`, as stand for the whole universe: the number at which
    Akaike's criterion first stops falling (`member_count.py`)."""
    empty_places: Literal["share_out", "stablecoins"] = "share_out"
    """What happens to the weight of places that no token fills. `share_out` gives it to the constituents. `stablecoins` parks 1 / `count`
    for each in the stablecoins of the rotation; without any constituent all is parked. `minimum_constituents` then counts the tokens
    that could be judged, whether they pass `eligibility.features` or not."""
    leave_out_worst: float = Field(default=0.0, ge=0, lt=1)
    """`monthly` only. Share of the chosen tokens, rounded down, that is left out again: those with the lowest score of the model at the
    close before the one the index trades at. Chosen tokens without a score stay. An index does not start before one is left out."""

    @property
    def reach(self) -> int:
        """How many of the best a choice can depend on: were all within the exit rank constituents, the rest would still come next."""
        return (self.exit_rank or self.count) + self.count

    @property
    def smallest_count(self) -> int:
        """How many of `count` chosen tokens are held where all of them have a score."""
        return self.count - number_left_out(self.count, share=self.leave_out_worst)


class Calendar(Strict):
    """When the index trades.

    `monthly`: at the close that `day` names, in each of `months`, from the snapshot of that close.
    `weekly_model`: decided at as_of on Monday 00:00 UTC, effective one day later.
    """

    rule: Literal["monthly", "weekly_model"]
    day: Literal["first", "first_business_day", "last_business_day"] = "first"
    """`monthly` only. `first` trades at 00:00 UTC of the first day of the month; the others at the close, 24:00 UTC, of the first or
    last day from Monday to Friday (public holidays are not known here)."""
    months: Months = EVERY_MONTH
    """`monthly` only: months in which the index trades."""
    review_months: Months | None = None
    """`monthly` only: months in which members are chosen anew; in the others the members of before are weighted anew, those without a
    price or a market cap left out. Null: in all of `months`."""
    retrade: Literal["on_change", "every_week"] = "on_change"
    """`weekly_model` only. `on_change` trades when a constituent or the share in stables changes, or a weight drifts
    out of the band; then all weights go to target. Otherwise holdings drift, which keeps turnover low."""
    retrade_band: Fraction = 0.05
    """`on_change` only: largest difference between a drifted weight and its target before the index trades."""


class RotationStep(Strict):
    """One moving average of BTC and what is moved into stables while BTC closes below it."""

    below_btc_average_days: Literal[100, 200]
    share: float = Field(gt=0, le=1)


HALF_AND_HALF = (
    RotationStep(below_btc_average_days=100, share=0.5),
    RotationStep(below_btc_average_days=200, share=0.5),
)


class Rotation(Strict):
    """Weight moved into the largest fiat-backed stablecoins, by market cap, while BTC closes below its averages; the steps add up."""

    steps: tuple[RotationStep, ...] = HALF_AND_HALF
    """Fractions of what `floor_share` leaves; none only where there is a floor, or where `selection.empty_places` parks weight, for which
    the other fields then stand."""
    floor_share: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the index that is in stablecoins whatever Bitcoin does."""
    min_hold_days: int = Field(default=0, ge=0)
    """Least number of days between two changes of the share in stables."""
    peg_tolerance: float = Field(default=0.02, gt=0, lt=1)
    """Largest distance from 1 USD at which a stablecoin is still bought."""
    stables: int = Field(default=2, ge=1, le=5)
    """How many stablecoins are held, fewer where fewer keep their peg."""
    leave_below_usd: float = Field(default=0.985, gt=0, lt=1)
    """A held stablecoin that closes below it is left for the others at the next close, in the middle of the week too."""
    trigger: Literal["weekly", "daily"] = "weekly"
    """`daily` follows BTC in the middle of the week, too (`weekly_model` only): where a close asks for another share in stables, all
    is decided anew from the newest Sunday's scores and traded one day after that close."""


class Costs(Strict):
    """What trades are assumed to cost in net levels and figures; the published level has no costs (docs/explanation/backtest.md)."""

    venue_fee: Fraction = 0.001
    """Fraction of each trade that the venue keeps; half the spread and the price that the trade moves come on top."""
    max_volume_share: Share = 0.05
    """Largest trade in a token as a share of its day's volume; the rest is carried to the next day."""


class Base(Strict):
    """Where the level starts: `level` holds at the close of `date`."""

    level: float = Field(default=1000.0, gt=0)
    date: Annotated[
        dt.date | Literal["auto"],
        PlainValidator(_base_date),
        WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "string", "format": "date"}]}),
    ] = "auto"
