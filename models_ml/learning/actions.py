"""Actions: what speaks beside a call, what stated rules would do about it, and how large a position they allow.

Belongs here: confirmations of weekly calls, the rules, the action and the size of one position.
Does not: calls (`signals.py`), grades (`grades.py`), what changed (`explanations.py`), what came of it (`evaluation/actions.py`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models_ml.features.feature import DAYS_A_YEAR

CLOSES_A_WEEK = 7

CONFIRMATIONS = (
    "is_volume_confirming",
    "is_sector_aligned",
    "is_peer_confirmed",
    "is_market_aligned",
    "is_repeated",
)

ENTER_IN_FULL, ENTER_SMALL, NOTHING_NEW, HOLD, SCALE_OUT = (
    "enter in full",
    "enter small",
    "nothing new",
    "hold",
    "scale out",
)
ACTIONS = (ENTER_IN_FULL, ENTER_SMALL, NOTHING_NEW, HOLD, SCALE_OUT)
"""Every action there is: a bullish call leads to one of the first three, a neutral one to `hold`, a bearish one to `scale out`."""


class ActionRules(BaseModel):
    """When a call is confirmed, what is done about it, and how large a position may be; frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    least_volume_surge: float = Field(default=1.0, ge=0)
    """Volume of 7 days over that of 30 days above which it confirms."""
    fewest_peers: int = Field(default=4, ge=1)
    """Other tokens of the sector below which the sector says nothing."""
    least_peer_share: float = Field(default=0.3, gt=0, le=1)
    """Share of these peers on the call's side from which they confirm: of all tokens a fifth is bullish and a twelfth bearish."""
    least_closes: int = Field(default=4, ge=1, le=CLOSES_A_WEEK)
    """Of the last seven closes, how many must have the call for it to count as repeated."""

    full_grade: float = Field(default=80.0, ge=0, le=100)
    """Trader Grade from which a bullish call is entered in full."""
    small_grade: float = Field(default=60.0, ge=0, le=100)
    """Trader Grade from which it is entered small; below it nothing new is bought."""
    least_grade: float = Field(default=50.0, ge=0, le=100)
    """Trader Grade below which nothing new is bought whatever the order of the bands."""
    small_share: float = Field(default=0.5, gt=0, le=1)
    """What a small position is of a full one."""
    bands_are_ordered: bool = False
    """Whether the bands of the grade above 50 earned more the higher they were. Among bullish calls on real history they did not
    (docs/results/calls.md), and while they do not, every position above `least_grade` is a small one."""

    daily_risk_budget: float = Field(default=0.005, gt=0, le=1)
    """Fraction of capital that a day's standard deviation of the token may move through one full position."""
    largest_weight: float = Field(default=0.1, gt=0, le=1)
    """Largest fraction of capital in one position."""
    capital_usd: float = Field(default=1e6, gt=0)
    """Capital that liquidity is judged for."""
    largest_volume_share: float = Field(default=0.01, gt=0, le=1)
    """Largest share of the median daily volume of 30 days that one position may be."""

    @model_validator(mode="after")
    def grades_rise(self) -> Self:
        """Refuse bands that overlap."""
        if not self.least_grade <= self.small_grade <= self.full_grade:
            raise ValueError(
                f"least_grade {self.least_grade:g}, small_grade {self.small_grade:g} and full_grade {self.full_grade:g} must rise "
                "in this order; a band between two of them would be empty"
            )
        return self


def confirm_calls(calls: pl.DataFrame, closes: pl.DataFrame, rules: ActionRules) -> pl.DataFrame:
    """What speaks for and against each call, as answers that are null where their source is absent.

    - is_volume_confirming: volume of 7 days above that of 30 days, in a week whose return has the call's sign.
    - is_sector_aligned: the median 7-day return of the token's sector, itself included, has the call's sign.
    - is_peer_confirmed: at least 0.3 of the sector's other tokens have the same call at this close, whether they turned to it within
      the last 7 days or stood there before (`peer_share`).
    - is_market_aligned: neither bitcoin's nor ether's call is the opposite.
    - is_repeated: the call held at 4 or more of the last seven closes (`closes_on_side`), or was given up within them and began anew.

    Thresholds are those of the default rules. A neutral call has nothing to confirm: all five are null.

    Args:
        calls: One row a week and token with a call: as_of_week, token_id, signal (-1, 0, 1), signal_since_date, sector (as known at
            the week's close), return_7d, volume_surge_7d_30d; further columns are kept.
        closes: One row a day and token of the seven days before each week's Monday: as_of_week, market_date, token_id, signal.
        rules: The thresholds.

    Returns:
        `calls` with the five answers, peer_share (0-1, null below `fewest_peers`), closes_on_side (0-7), confirmations_true and
        confirmations_known, by week and token.
    """
    side = pl.when(pl.col("signal") != 0).then(pl.col("signal").cast(pl.Int8))
    sector = ["as_of_week", "sector"]
    peers = pl.when(pl.col("sector").is_not_null()).then(pl.len().over(sector) - 1)
    on_side = pl.len().over([*sector, "signal"]) - 1
    known_returns = pl.when(pl.col("sector").is_not_null()).then(pl.col("return_7d").count().over(sector))
    leaders = [
        calls.filter(pl.col("token_id") == token).select("as_of_week", pl.col("signal").alias(f"{token}_signal"))
        for token in ("bitcoin", "ethereum")
    ]
    rows = calls.sort("as_of_week", "token_id")
    for leader in leaders:
        rows = rows.join(leader, on="as_of_week", how="left", maintain_order="left")
    rows = (
        rows.join(_held(calls, closes), on=["as_of_week", "token_id"], how="left", maintain_order="left")
        .with_columns(
            side=side,
            peer_share=pl.when(side.is_not_null() & (peers >= rules.fewest_peers)).then(on_side / peers),
            sector_return=pl.when(known_returns > rules.fewest_peers).then(pl.col("return_7d").median().over(sector)),
            closes_on_side=pl.when(side.is_not_null()).then(pl.col("closes_on_side").fill_null(0)),
        )
        .with_columns(
            is_volume_confirming=(pl.col("volume_surge_7d_30d") > rules.least_volume_surge)
            & (pl.col("return_7d").sign() == pl.col("side")),
            is_sector_aligned=pl.col("sector_return").sign() == pl.col("side"),
            is_peer_confirmed=pl.col("peer_share") >= rules.least_peer_share,
            is_market_aligned=(pl.col("bitcoin_signal") != -pl.col("side"))
            & (pl.col("ethereum_signal") != -pl.col("side")),
            is_repeated=pl.when(
                (pl.col("closes_on_side") >= rules.least_closes) | pl.col("has_begun_anew").fill_null(value=False)
            )
            .then(statement=True)
            .when(pl.col("closes_known") >= rules.least_closes)
            .then(statement=False),
        )
    )
    # Polars' `&` is Kleene's: an answer that one source alone refutes is false although the other is unknown.
    judged = [pl.when(side.is_not_null()).then(pl.col(name)).alias(name) for name in CONFIRMATIONS]
    return (
        rows.with_columns(judged)
        .with_columns(
            confirmations_true=pl.sum_horizontal(
                pl.col(name).fill_null(value=False).cast(pl.Int32) for name in CONFIRMATIONS
            ),
            confirmations_known=pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int32) for name in CONFIRMATIONS),
            closes_on_side=pl.col("closes_on_side").cast(pl.Int32),
        )
        .select(
            *calls.columns, *CONFIRMATIONS, "peer_share", "closes_on_side", "confirmations_true", "confirmations_known"
        )
    )


def _held(calls: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """How often the week's closes had the call: as_of_week, token_id, closes_on_side, closes_known, has_begun_anew."""
    is_same = pl.col("signal") == pl.col("call")
    return (
        closes.join(
            calls.select("as_of_week", "token_id", "signal_since_date", call="signal"),
            on=["as_of_week", "token_id"],
        )
        .filter(pl.col("market_date") >= pl.col("as_of_week") - timedelta(days=CLOSES_A_WEEK))
        .group_by("as_of_week", "token_id")
        .agg(
            closes_on_side=is_same.sum(),
            closes_known=pl.len(),
            has_begun_anew=(is_same & (pl.col("market_date") < pl.col("signal_since_date"))).any(),
        )
    )


def decide_actions(calls: pl.DataFrame, rules: ActionRules) -> pl.DataFrame:
    """What the rules do about each call, and how large a position opened on it may be.

    A bullish call is entered in full from a grade of 80, small from 60, and not below; a neutral call holds what there is, a bearish one
    scales out. While the bands of the grade are not ordered, the size must not grow with it: from 50 on every entry is small.
    The size is daily_risk_budget over the token's daily volatility, at most largest_weight, times the share of the band, and at most
    largest_volume_share of the median daily volume. It is of one position: the sizes of a week are not a portfolio and do not sum to 1.

    Args:
        calls: One row a week and token: signal, trader_grade (nullable), volatility_30d (annual), volume_30d_median_usd; further
            columns are kept.
        rules: The rules.

    Returns:
        `calls` with action (one of `ACTIONS`), action_reason (in words), position_weight (fraction of capital; 0 where nothing is
        bought, null where a size is asked for and volatility or volume is unknown) and position_limit (volatility, maximum or
        liquidity: what bounds the size; null where there is none).
    """
    is_bullish, grade = pl.col("signal") == 1, pl.col("trader_grade")
    entry: pl.Expr = (
        pl.when(grade >= (rules.small_grade if rules.bands_are_ordered else rules.least_grade))
        .then(pl.lit(ENTER_SMALL))
        .otherwise(pl.lit(NOTHING_NEW))
    )
    if rules.bands_are_ordered:
        entry = pl.when(grade >= rules.full_grade).then(pl.lit(ENTER_IN_FULL)).otherwise(entry)
    action = (
        pl.when(is_bullish).then(entry).when(pl.col("signal") == -1).then(pl.lit(SCALE_OUT)).otherwise(pl.lit(HOLD))
    )
    share = pl.col("action").replace_strict(
        {ENTER_IN_FULL: 1.0, ENTER_SMALL: rules.small_share}, default=0.0, return_dtype=pl.Float64
    )
    daily_volatility = pl.col("volatility_30d").cast(pl.Float64) / DAYS_A_YEAR**0.5
    by_volatility = pl.when(daily_volatility > 0).then(rules.daily_risk_budget / daily_volatility)
    by_liquidity = pl.col("volume_30d_median_usd").cast(pl.Float64) * rules.largest_volume_share / rules.capital_usd
    return (
        calls.with_columns(action=action)
        .with_columns(
            _share=share,
            _by_volatility=by_volatility,
            _by_liquidity=by_liquidity,
            _maximum=pl.lit(rules.largest_weight),
        )
        .with_columns(
            _target=pl.col("_share") * pl.min_horizontal("_by_volatility", "_maximum"),
            _is_sized=(pl.col("_share") > 0)
            & pl.col("_by_volatility").is_not_null()
            & pl.col("_by_liquidity").is_not_null(),
        )
        .with_columns(
            position_weight=pl.when(pl.col("_share") == 0)
            .then(0.0)
            .when("_is_sized")
            .then(pl.min_horizontal("_target", "_by_liquidity")),
            position_limit=pl.when(~pl.col("_is_sized"))
            .then(None)
            .when(pl.col("_by_liquidity") < pl.col("_target"))
            .then(pl.lit("liquidity"))
            .when(pl.col("_maximum") < pl.col("_by_volatility"))
            .then(pl.lit("maximum"))
            .otherwise(pl.lit("volatility")),
        )
        .with_columns(action_reason=_reason(rules))
        .drop("_share", "_by_volatility", "_by_liquidity", "_maximum", "_target", "_is_sized")
    )


def _reason(rules: ActionRules) -> pl.Expr:
    """The action in words: the call, the grade, the rule, and what bounds the size."""
    is_entry = pl.col("action").is_in([ENTER_IN_FULL, ENTER_SMALL])
    grade = (
        pl.when(pl.col("trader_grade").is_null())
        .then(pl.lit("without a grade"))
        .otherwise(pl.format("at grade {}", pl.col("trader_grade").round(1)))
    )
    if rules.bands_are_ordered:
        band = (
            pl.when(pl.col("action") == ENTER_IN_FULL)
            .then(pl.lit(f"{rules.full_grade:g} or more is entered in full"))
            .otherwise(pl.lit(f"{rules.small_grade:g} to {rules.full_grade:g} is entered small"))
        )
        refused = f"below {rules.small_grade:g} nothing new is bought"
    else:
        band = pl.lit(
            f"entered small: higher grades above {rules.least_grade:g} did not earn more, so the size does not grow with the grade"
        )
        refused = f"below {rules.least_grade:g} nothing new is bought"
    percent = (pl.col("position_weight") * 100).round(2)
    size = (
        pl.when(pl.col("position_weight").is_null())
        .then(pl.lit("no size, as volatility or volume is unknown"))
        .otherwise(pl.format("{} % of capital, limited by {}", percent, pl.col("position_limit").fill_null("")))
    )
    return (
        pl.when(is_entry)
        .then(pl.concat_str(pl.lit("bullish "), grade, pl.lit("; "), band, pl.lit("; "), size))
        .when(pl.col("action") == NOTHING_NEW)
        .then(pl.concat_str(pl.lit("bullish "), grade, pl.lit(f"; {refused}")))
        .when(pl.col("action") == SCALE_OUT)
        .then(pl.lit("bearish; sell in parts what is held"))
        .otherwise(pl.lit("neutral; keep what is held, buy nothing"))
    )
