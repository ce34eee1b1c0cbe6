"""Calls: bullish, neutral or bearish over the next 14 days, day by day, with hysteresis.

Belongs here: probabilities of the three outcomes, the choice between them, and how long a call stands.
Does not: the probabilities of a move and of its direction (`moves.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl


@dataclass(frozen=True)
class CallRules:
    """When a call begins and ends, as lifts: how many times its base rate in training a probability is.

    Attributes:
        enter_lift: A call begins where its lift is at least this.
        enter_margin: And at least this many times that of the opposite outcome: a token that may go far either way is no call.
        stay_lift: It stands until its lift falls below this.
        stay_margin: Or below this many times that of the opposite outcome.
        memory_days: A token without a row for longer than this starts anew.
    """

    enter_lift: float = 1.3
    enter_margin: float = 1.15
    stay_lift: float = 1.2
    stay_margin: float = 1.05
    memory_days: int = 7


@dataclass(frozen=True)
class Standing:
    """A call as it stood at a close: the day, the call (-1, 0, 1), and the first day of its run."""

    market_date: date
    signal: int
    since_date: date


def outcome_probabilities(moves: pl.DataFrame) -> pl.DataFrame:
    """Add p_bullish, p_neutral and p_bearish, which sum to 1, to rows with p_move and p_up_given_move.

    The outcome is which of +-sigma * sqrt(14) a close passes first: P(move) * P(up | move), P(move) * P(down | move), 1 - P(move).
    """
    return moves.with_columns(
        p_bullish=pl.col("p_move") * pl.col("p_up_given_move"),
        p_neutral=1 - pl.col("p_move"),
        p_bearish=pl.col("p_move") * (1 - pl.col("p_up_given_move")),
    )


def call_signals(
    probabilities: pl.DataFrame, *, before: Mapping[str, Standing], rules: CallRules | None = None
) -> pl.DataFrame:
    """The call of each token and day.

    A most frequent outcome would be called almost always and say nothing, so calls go by lift over the base rate. A call that has
    begun stands somewhat longer than it would begin, so that it does not flicker.

    Args:
        probabilities: One row a token and day: market_date, token_id, p_bullish, p_bearish, base_bullish, base_bearish (base rates
            of the model that made the row); further columns are kept.
        before: By token, the newest call that stood before the first day here.
        rules: When calls begin and end.

    Returns:
        The rows by market_date and token_id with signal (-1, 0, 1) and signal_since_date, the first day of the run of equal calls.
    """
    rules = rules or CallRules()
    memory = timedelta(days=rules.memory_days)
    ordered = probabilities.sort("token_id", "market_date").with_columns(
        bullish_lift=pl.col("p_bullish") / pl.col("base_bullish").clip(1e-6),
        bearish_lift=pl.col("p_bearish") / pl.col("base_bearish").clip(1e-6),
    )
    signals: list[int] = []
    since: list[date] = []
    current: str | None = None
    standing: Standing | None = None
    for token, day, bullish, bearish in ordered.select(
        "token_id", "market_date", "bullish_lift", "bearish_lift"
    ).iter_rows():
        if token != current:
            current, standing = token, before.get(token)
        if standing is not None and day - standing.market_date > memory:
            standing = None
        signal = _call(bullish, bearish, standing.signal if standing else 0, rules)
        began = standing.since_date if standing is not None and standing.signal == signal else day
        standing = Standing(day, signal, began)
        signals.append(signal)
        since.append(began)
    return (
        ordered.drop("bullish_lift", "bearish_lift")
        .with_columns(signal=pl.Series(signals, dtype=pl.Int8), signal_since_date=pl.Series(since, dtype=pl.Date))
        .sort("market_date", "token_id")
    )


def _call(bullish: float, bearish: float, standing: int, rules: CallRules) -> int:
    """The call from the lifts of both outcomes and the call that stands."""
    lifts = {1: (bullish, bearish), -1: (bearish, bullish)}
    if standing != 0:
        own, other = lifts[standing]
        if own >= rules.stay_lift and own >= rules.stay_margin * other:
            return standing
    for signal, (own, other) in lifts.items():
        if own >= rules.enter_lift and own >= rules.enter_margin * other:
            return signal
    return 0


def bull_bear(signals: pl.DataFrame) -> pl.DataFrame:
    """Share of bullish and bearish calls a week: as_of_week, universe ('broad'), bullish_share, bearish_share, tokens."""
    return (
        signals.group_by("as_of_week")
        .agg(
            bullish_share=(pl.col("signal") == 1).mean(),
            bearish_share=(pl.col("signal") == -1).mean(),
            tokens=pl.len().cast(pl.Int32),
        )
        .with_columns(universe=pl.lit("broad"))
        .sort("as_of_week")
    )
