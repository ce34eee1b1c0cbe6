"""What became of a token after a week's close: whether it doubled and held, what it returned, how the window ended.

Belongs here: entry, windows, success, the end of prices and of feeds. Nothing here may enter a feature frame.
Does not: controls and the record of a screen (`controls.py`, `record.py`), the model (`chances.py`), reading prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.learning.labels import FEED_END_SHARE, FEED_END_TOKENS, FORWARD_PREFIX, UNSELLABLE_VOLUME_USD

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

HORIZON_DAYS: Final = 90
"""Days after the entry within which a multiple has to be reached and held."""

HELD_CLOSES: Final = 3
"""Closes in a row, each quoted and not carried, at or above the multiple: one bad tick or one hour's spike is no success."""

MULTIPLES: Final = (2, 3)
RETURN_DAYS: Final = (7, 30, 90)
ENTRY_LAG_DAYS: Final = 1
"""The entry is the next day's close: that of as_of_week itself, since a pick rests on the close of the Sunday before it."""

OPEN, CLOSED = "open", "closed"
HELD, EXPIRED, STOPPED, FEED_ENDED, NO_ENTRY = "held_2x", "expired", "prices_stopped", "feed_ended", "no_entry"

EPOCH: Final = np.datetime64("1970-01-01", "D")

OUTCOME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_week": pl.Date(),
    "token_id": pl.String(),
    "entry_date": pl.Date(),
    "entry_price_usd": pl.Float64(),
    "last_price_date": pl.Date(),
    "days_followed": pl.Int32(),
    "status": pl.String(),
    "ended_how": pl.String(),
    "is_success": pl.Boolean(),
    "success_date": pl.Date(),
    "is_success_3x": pl.Boolean(),
    "success_3x_date": pl.Date(),
    "has_halved": pl.Boolean(),
    **{f"return_{days}d": pl.Float64() for days in RETURN_DAYS},
    "best_excursion": pl.Float64(),
    "worst_excursion": pl.Float64(),
}


@dataclass(frozen=True)
class _Paths:
    """Prices of the entries, a row an entry and a column a day, the entry's own first; NaN where there is no row.

    Attributes:
        prices: Closes, carried ones included.
        quoted: Whether a close was quoted on its day.
        sellable: Whether the median volume of the seven rows up to a day let a holder sell.
    """

    prices: Floats
    quoted: Flags
    sellable: Flags


def follow(entries: pl.DataFrame, closes: pl.DataFrame, *, until: date) -> pl.DataFrame:
    """Follow each entry for 90 days, or as far as closes are known.

    A token whose prices stop before the window ends has failed unless it had succeeded before; it is taken to be sold at its last
    price, and lost (-100 %) where hardly anything was traded by then. Where many tokens stop on one day their feed has ended and
    nothing is known of them from then on. Both are decided from the window itself, so later data change no outcome that is closed.

    Args:
        entries: One row a week and token: as_of_week (a Monday), token_id.
        closes: One row a token and day of the whole market: token_id, market_date, price_usd (above 0), volume_24h_usd (nullable),
            is_carried.
        until: Closes before this day are known, a Monday; later rows are left out.

    Returns:
        `OUTCOME_SCHEMA`, by week and token. Fractions: return_<n>d (at the n-th day after the entry), best_excursion and
        worst_excursion (highest and lowest close against the entry so far). is_success (2x) and is_success_3x are true from the third
        close on, false once the window is over, null while it is open or where the feed ended; has_halved (a close at or below half
        the entry, or lost) likewise. status is open or closed; ended_how one of held_2x, expired, prices_stopped, feed_ended,
        no_entry, null while open without success.
    """
    known = closes.filter(pl.col("market_date") < until).sort("token_id", "market_date")
    keys = entries.select("as_of_week", "token_id").sort("as_of_week", "token_id")
    if keys.is_empty():
        return pl.DataFrame(schema=OUTCOME_SCHEMA)
    entry_days = _days(keys["as_of_week"]) + ENTRY_LAG_DAYS - 1
    paths = _paths(keys, known, entry_days)
    newest = int((np.datetime64(until, "D") - EPOCH).astype(np.int64)) - 1
    return _outcomes(keys, paths, entry_days, newest, feed_ends(known, keys, until=until))


def _outcomes(keys: pl.DataFrame, paths: _Paths, entry_days: Places, newest: int, is_feed_day: Flags) -> pl.DataFrame:
    """The columns of `follow` from the paths; `is_feed_day` marks rows whose last day of the window was the end of a feed."""
    prices, entry = paths.prices, paths.prices[:, 0]
    day = np.arange(prices.shape[1])
    has_entry = np.isfinite(entry)
    is_over = entry_days + HORIZON_DAYS <= newest
    is_priced = np.isfinite(prices)
    last = np.where(has_entry, is_priced.shape[1] - 1 - is_priced[:, ::-1].argmax(axis=1), 0)
    has_stopped = has_entry & is_over & (last < HORIZON_DAYS)
    feed_ended = has_stopped & is_feed_day
    has_died = has_stopped & ~feed_ended
    rows = np.arange(len(entry))
    exit_price = np.where(paths.sellable[rows, last], prices[rows, last], 0.0)
    with np.errstate(invalid="ignore"):
        relative = prices / entry[:, None]
    # A token that died is held at what it was sold for; one whose feed ended is unknown from then on.
    after_death = has_died[:, None] & (day > last[:, None])
    relative = np.where(after_death, (exit_price / entry)[:, None], relative)
    is_known = (entry_days[:, None] + day <= newest) & has_entry[:, None]
    relative = np.where(is_known, relative, np.nan)
    followed = relative[:, 1:]
    best, worst = _extreme(followed, np.fmax), _extreme(followed, np.fmin)
    held = {multiple: _held(prices, paths.quoted, multiple) for multiple in MULTIPLES}
    succeeded = {multiple: place < prices.shape[1] for multiple, place in held.items()}
    is_decided = is_over & has_entry & ~feed_ended
    ended = np.select(
        [~has_entry, succeeded[2], feed_ended, has_died, is_over],
        [NO_ENTRY, HELD, FEED_ENDED, STOPPED, EXPIRED],
        default="",
    )
    is_closed = is_over | (~has_entry & (entry_days <= newest))
    ended = np.where(has_entry | is_closed, ended, "")
    frame = keys.with_columns(
        entry_date=_dates(entry_days, np.ones(len(entry), bool)),
        entry_price_usd=_floats(entry),
        last_price_date=_dates(entry_days + last, has_entry),
        days_followed=pl.Series(np.where(has_entry, np.clip(newest - entry_days, 0, HORIZON_DAYS), 0), dtype=pl.Int32),
        status=pl.Series(np.where(is_closed, CLOSED, OPEN).tolist(), dtype=pl.String),
        ended_how=pl.Series([text or None for text in ended.tolist()], dtype=pl.String),
        is_success=_flags(succeeded[2], succeeded[2] | is_decided),
        success_date=_dates(entry_days + held[2], succeeded[2]),
        is_success_3x=_flags(succeeded[3], succeeded[3] | is_decided),
        success_3x_date=_dates(entry_days + held[3], succeeded[3]),
        has_halved=_flags(worst <= -0.5, (worst <= -0.5) | is_decided),
        best_excursion=_floats(best),
        worst_excursion=_floats(worst),
        **{f"return_{days}d": _floats(_return_after(relative, days)) for days in RETURN_DAYS},
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in OUTCOME_SCHEMA.items())


def labels_of_multiples(outcomes: pl.DataFrame) -> pl.DataFrame:
    """What the chance model learns: as_of_week, token_id, forward_is_2x and forward_is_3x, null while open or unknown.

    A success is withheld, too, until its window is over: known early, rows of the newest weeks would all be successes.
    """
    is_known = (pl.col("status") == CLOSED) & ~pl.col("ended_how").is_in([NO_ENTRY, FEED_ENDED])
    # A feed that ended after a success hides the failures beside it: such rows are unknown, too.
    is_known &= pl.col("return_90d").is_not_null()
    return outcomes.select(
        "as_of_week",
        "token_id",
        pl.when(is_known).then("is_success").alias(f"{FORWARD_PREFIX}is_2x"),
        pl.when(is_known).then("is_success_3x").alias(f"{FORWARD_PREFIX}is_3x"),
    )


def feed_ends(closes: pl.DataFrame, keys: pl.DataFrame, *, until: date) -> Flags:
    """Whether the last day of each entry's window with a price was a day on which a feed ended.

    That is a day from which on at least `FEED_END_TOKENS` tokens, and `FEED_END_SHARE` of those priced on it, have no price up to the end
    of the window, as far as the window shows.

    Args:
        closes: As in `follow`, ordered by token and day.
        keys: As in `follow`: as_of_week, token_id.
        until: As in `follow`.

    Returns:
        One flag a key.
    """
    next_day = pl.col("market_date").shift(-1).over("token_id")
    gaps = closes.select("token_id", "market_date", next_date=next_day.fill_null(date.max)).filter(
        (pl.col("next_date") - pl.col("market_date")) > timedelta(days=1)
    )
    priced = closes.group_by("market_date").len(name="priced")
    ends = (keys["as_of_week"] + timedelta(days=ENTRY_LAG_DAYS - 1 + HORIZON_DAYS)).alias("window_end")
    stopped = []
    for window_end in ends.unique().sort().to_list():
        if window_end >= until:
            continue
        open_gaps = gaps.filter(
            pl.col("market_date").is_between(window_end - timedelta(days=HORIZON_DAYS), window_end, closed="left")
            & (pl.col("next_date") > window_end)
        )
        stopped.append(open_gaps.with_columns(window_end=pl.lit(window_end)))
    if not stopped:
        return np.zeros(keys.height, dtype=bool)
    together = (
        pl.concat(stopped)
        .join(priced, on="market_date", how="left")
        .with_columns(count=pl.len().over("window_end", "market_date"))
        .filter((pl.col("count") >= FEED_END_TOKENS) & (pl.col("count") >= FEED_END_SHARE * pl.col("priced")))
        .select("token_id", "window_end", is_feed_end=pl.lit(value=True))
    )
    flags = keys.select("token_id", ends).join(
        together, on=["token_id", "window_end"], how="left", maintain_order="left"
    )
    return np.asarray(flags["is_feed_end"].fill_null(value=False).to_numpy(), dtype=bool)


def _paths(keys: pl.DataFrame, closes: pl.DataFrame, entry_days: Places) -> _Paths:
    """The rows of each entry's window out of one dense run of days a token."""
    sellable = (
        pl.col("volume_24h_usd").cast(pl.Float64).rolling_median(7, min_samples=1).over("token_id")
        >= UNSELLABLE_VOLUME_USD
    ).fill_null(value=True)
    needed = closes.join(
        keys.select("token_id").unique(), on="token_id", how="semi", maintain_order="left"
    ).with_columns(is_sellable=sellable)
    days = _days(needed["market_date"])
    tokens = needed.select(place=pl.col("token_id").rle_id())["place"].to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.diff(tokens, prepend=-1))
    names = needed["token_id"].gather(starts) if len(starts) else pl.Series("token_id", [], dtype=pl.String)
    first = days[starts]
    ends = days[np.append(starts[1:], len(days)) - 1] if len(starts) else first
    width = HORIZON_DAYS + 1
    spans = ends - first + 1 + width  # padded, so that a window which passes the last price ends in NaN
    offsets = np.concatenate([[0], np.cumsum(spans)]).astype(np.int64)
    size = int(offsets[-1]) + width
    prices = np.full(size, np.nan)
    quoted, can_sell = np.zeros(size, dtype=bool), np.ones(size, dtype=bool)
    places = offsets[tokens] + days - first[tokens] if len(days) else np.zeros(0, dtype=np.int64)
    prices[places] = needed["price_usd"].to_numpy()
    quoted[places] = ~needed["is_carried"].to_numpy()
    can_sell[places] = needed["is_sellable"].to_numpy()
    lookup = pl.DataFrame({"token_id": names, "place": np.arange(len(starts))})
    found = keys.join(lookup, on="token_id", how="left", maintain_order="left")["place"]
    place = found.fill_null(0).to_numpy().astype(np.int64)
    ahead = np.arange(width)
    if not len(starts):
        blank = np.full((keys.height, width), np.nan)
        return _Paths(blank, np.zeros(blank.shape, bool), np.ones(blank.shape, bool))
    position = entry_days - first[place]
    is_inside = found.is_not_null().to_numpy() & (position >= 0) & (position < spans[place] - width)
    index = np.where(is_inside, offsets[place] + position, size - width)[:, None] + ahead
    return _Paths(prices[index], quoted[index], can_sell[index])


def _held(prices: Floats, quoted: Flags, multiple: int) -> Places:
    """Place of the close that completes the first run of `HELD_CLOSES` at or above the multiple; the width where there is none."""
    with np.errstate(invalid="ignore"):
        above = (prices >= multiple * prices[:, :1]) & quoted
    above[:, 0] = False
    run = above[:, HELD_CLOSES - 1 :].copy()
    for back in range(1, HELD_CLOSES):
        run &= above[:, HELD_CLOSES - 1 - back : above.shape[1] - back]
    first = run.argmax(axis=1) + HELD_CLOSES - 1
    return np.asarray(np.where(run.any(axis=1), first, prices.shape[1]), dtype=np.int64)


def _extreme(followed: Floats, choose: np.ufunc) -> Floats:
    return np.asarray(choose.reduce(followed, axis=1) - 1, dtype=np.float64)


def _return_after(relative: Floats, days: int) -> Floats:
    """Return at a day; where the token has no row on it but has one later, that of its last close before it."""
    filled = relative[:, : days + 1].copy()
    for ahead in range(1, filled.shape[1]):
        is_gap = np.isnan(filled[:, ahead]) & np.isfinite(relative[:, ahead:]).any(axis=1)
        filled[is_gap, ahead] = filled[is_gap, ahead - 1]
    return np.asarray(filled[:, days] - 1, dtype=np.float64)


def _days(dates: pl.Series) -> Places:
    return np.asarray(dates.cast(pl.Date).to_physical().to_numpy(), dtype=np.int64)


def _dates(days: Places, is_there: Flags) -> pl.Series:
    return pl.Series(np.where(is_there, days, 0), dtype=pl.Int32).cast(pl.Date).set(pl.Series(~is_there), None)


def _floats(values: Floats) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64, nan_to_null=True)


def _flags(values: Flags, is_known: Flags) -> pl.Series:
    return pl.Series(values, dtype=pl.Boolean).set(pl.Series(~is_known), None)
