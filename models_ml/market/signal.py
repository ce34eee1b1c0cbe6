"""The market signal: one call for the whole market from the calls of its tokens, and how each such call turned out.

    net share      share of bullish calls less that of bearish ones, mean of 7 days
    place          where it stands among those of the 365 days before, 0-1
    call           bullish from a place of 0.8 on, until it falls below 0.5; bearish from 0.2 down, until it rises above 0.5

How many tokens are called bullish differs between models and years, so the share is judged by its own past and not by a fixed bound.

Belongs here: the call and its record. Does not: calls of tokens (`models_ml/learning/signals.py`), the regime (`regime.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

ROUNDING = 1e-9
"""A place is a fraction of days, and one less it rounds otherwise: high and low shares must be judged alike."""


@dataclass(frozen=True)
class MarketCallRules:
    """When a call of the market begins and ends. Not fitted: its record is as good at most other settings (`docs/explanation/market.md`).

    Attributes:
        smoothing_days: Days whose mean share is judged.
        memory_days: Days before a day it is judged against.
        fewest_days: Of them, before there is a call.
        enter_place: A call begins where the share is as high (bullish) or as low (bearish: one less this) among them.
        stay_place: It stands until the share is back at this place.
    """

    smoothing_days: int = 7
    memory_days: int = 365
    fewest_days: int = 180
    enter_place: float = 0.8
    stay_place: float = 0.5


RECORD_SCHEMA = pl.Schema(
    {
        "flipped_date": pl.Date,
        "signal": pl.Int8,
        "previous_signal": pl.Int8,
        "ended_date": pl.Date,
        "days": pl.Int32,
        **dict.fromkeys(("market_cap_at_flip_usd", "return_from_flip", "return_after_entry"), pl.Float64),
        **dict.fromkeys(("best_excursion", "worst_excursion"), pl.Float64),
        "is_hit": pl.Boolean,
        "base_hit_rate": pl.Float64,
        "past_calls": pl.Int32,
        "past_hits": pl.Int32,
    }
)


def market_calls(shares: pl.DataFrame, rules: MarketCallRules | None = None) -> pl.DataFrame:
    """The call of each day from the calls of tokens up to it.

    Args:
        shares: One row a day, in order: market_date, bullish_share, bearish_share (0-1).
        rules: When a call begins and ends.

    Returns:
        One row a day: market_date, net_share_7d (mean of bullish less bearish share, -1 to 1), net_share_place (0-1), signal (-1, 0, 1) and
        flipped_date (first day of the run of equal calls); the last three are null before there is enough to judge by.
    """
    rules = rules or MarketCallRules()
    ordered = shares.sort("market_date")
    net = (ordered["bullish_share"] - ordered["bearish_share"]).rolling_mean(rules.smoothing_days, min_samples=1)
    places = _places(net.to_numpy(), rules)
    signals: list[int | None] = []
    flipped: list[date | None] = []
    for day, place in zip(ordered["market_date"].to_list(), places, strict=True):
        if place is None:
            signals.append(None)
            flipped.append(None)
            continue
        standing = signals[-1] if signals else None
        signals.append(_call(place, standing or 0, rules))
        flipped.append(flipped[-1] if signals[-1] == standing else day)
    return pl.DataFrame(
        {
            "market_date": ordered["market_date"],
            "net_share_7d": net,
            "net_share_place": pl.Series(places, dtype=pl.Float64),
            "signal": pl.Series(signals, dtype=pl.Int8),
            "flipped_date": pl.Series(flipped, dtype=pl.Date),
        }
    )


def _places(net: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rules: MarketCallRules) -> list[float | None]:
    """Where each value stands among those of the days before it, equal ones counting half; None while there are too few."""
    places: list[float | None] = []
    for day, value in enumerate(net):
        before = net[max(0, day - rules.memory_days) : day]
        if len(before) < rules.fewest_days:
            places.append(None)
            continue
        places.append(float((before < value).mean() + 0.5 * (before == value).mean()))
    return places


def _call(place: float, standing: int, rules: MarketCallRules) -> int:
    """The call at a place, given the one that stands."""
    from_above = 1 - place
    for signal, own in ((1, place), (-1, from_above)):
        if standing == signal and own >= rules.stay_place - ROUNDING:
            return signal
    for signal, own in ((1, place), (-1, from_above)):
        if own >= rules.enter_place - ROUNDING:
            return signal
    return 0


def call_record(calls: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """How each call of the market turned out, losses and the one that stands included.

    Who follows a call buys at the close after its flip and sells at the close after its end, so that is what a hit is judged by. The
    market is the chained return of the broad universe by cap: a change of its total cap would count listings as gains.

    Args:
        calls: `market_calls`.
        closes: One row a day: market_date, market_index_level (above 0), market_cap_usd.

    Returns:
        One row a run of equal calls, neutral ones included: flipped_date, signal, previous_signal (null of the first), ended_date (first
        day of the next call, null of the one that stands), days, market_cap_at_flip_usd, return_from_flip (close of the flip to that of the
        end or the newest), return_after_entry (entry to exit, or to the newest close; null before the entry), best_excursion and
        worst_excursion (from the entry), is_hit (rose after a bullish, fell after a bearish call; null of neutral ones and of the one that
        stands), base_hit_rate (share of all windows of as many days since the first call that would have been a hit: what the call had to
        beat), past_calls and past_hits (of this signal, ended before the flip).
    """
    known = calls.drop_nulls("signal").join(closes, on="market_date", how="inner").sort("market_date")
    if known.is_empty():
        return pl.DataFrame(schema=RECORD_SCHEMA)
    levels = known["market_index_level"].to_numpy()
    days, signals = known["market_date"].to_list(), known["signal"].to_list()
    caps = known["market_cap_usd"].to_list()
    starts = [place for place in range(len(days)) if place == 0 or signals[place] != signals[place - 1]]
    newest = len(days) - 1
    rows: list[tuple[object, ...]] = []
    ended: list[tuple[int, int, bool]] = []
    for order, start in enumerate(starts):
        signal = signals[start]
        end = starts[order + 1] if order + 1 < len(starts) else None
        entry, leave = start + 1, min(end + 1 if end is not None else newest, newest)
        path = levels[entry : leave + 1] / levels[entry] - 1 if leave > entry else None
        is_over = end is not None and end + 1 <= newest
        is_hit = bool(path[-1] * signal > 0) if path is not None and is_over and signal else None
        past = [hit for exit_place, kind, hit in ended if kind == signal and exit_place <= start]
        rows.append(
            (
                days[start],
                signal,
                signals[start - 1] if order else None,
                days[end] if end is not None else None,
                (end if end is not None else newest + 1) - start,
                caps[start],
                float(levels[end if end is not None else newest] / levels[start] - 1),
                None if path is None else float(path[-1]),
                None if path is None else float(path.max()),
                None if path is None else float(path.min()),
                is_hit,
                _base_hit_rate(levels, leave - entry, signal) if signal else None,
                len(past),
                sum(past),
            )
        )
        if is_hit is not None:
            ended.append((leave, signal, is_hit))
    return pl.DataFrame(rows, schema=RECORD_SCHEMA, orient="row")


def _base_hit_rate(levels: np.ndarray[tuple[int, ...], np.dtype[np.float64]], length: int, signal: int) -> float | None:
    """Share of all windows of a length in which the market moved the way of a signal; None where there is no such window."""
    if not 0 < length < len(levels):
        return None
    moves = levels[length:] / levels[:-length] - 1
    return float((moves * signal > 0).mean())
