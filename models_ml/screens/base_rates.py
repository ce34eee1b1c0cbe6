"""Base rates: how often tokens of a size and a volatility reached a multiple, or lost half, within a horizon.

Belongs here: the buckets, the outcomes, the shares and their intervals, of finished windows given as a frame.
Does not: what the closes of a window came to (`outcome_windows.py`), the chance of a single token (a model's).

A **window** begins at the Monday after a Sunday on which a token could have been screened: entry is the Monday's close, and
the window holds the closes of the `horizon_days` days after it. Its outcomes are fixed at its last day, by closes up to that
day, so a week's rates rest only on windows that ended before the week.

Windows overlap: thirteen of them share most of the same ninety days, and tokens rise together. The interval therefore treats
the windows that began in one block (a quarter; a year for windows longer than a quarter) as one cluster:

- variance of the share = G / (G - 1) x sum over blocks of r_b^2 / n^2, with r_b = hits - share x windows of block b; products of
  neighbouring blocks, which a window from the end of one reaches into, are added with Bartlett's weight (no less than without);
- effective windows = share x (1 - share) / variance, at most one for every token and block;
- scaled by (z / t with G - 1 degrees of freedom)^2 and put into Wilson's interval.

Source: E. L. Korn and B. I. Graubard, *Confidence intervals for proportions with small expected number of positive counts
estimated from survey data*, Survey Methodology 24 (1998), with Wilson's interval in the place of Clopper and Pearson's.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Final

import polars as pl
from scipy.stats import norm, t

HORIZONS_DAYS: Final = (30, 90, 365)

CAP_EDGES_USD: Final = (1e6, 5e6, 20e6, 50e6, 250e6, 1e9)
"""Lower ends of the cap buckets; the first one is also the smallest cap that counts."""
CAP_BUCKETS: Final = ("1m_to_5m", "5m_to_20m", "20m_to_50m", "50m_to_250m", "250m_to_1b", "over_1b")

VOLATILITY_EDGES: Final = (0.0, 0.6, 0.9, 1.2, 1.8)
"""Lower ends of the buckets of 30-day volatility, fractions a year: near the quintiles of real history."""
VOLATILITY_BUCKETS: Final = ("under_60", "60_to_90", "90_to_120", "120_to_180", "over_180")
"""Named by per cent a year."""

ALL: Final = "all"
"""Name of the bucket that holds all tokens."""

MULTIPLES: Final = {"2x": 2.0, "3x": 3.0, "5x": 5.0, "10x": 10.0}
HALF: Final = "half"
OUTCOMES: Final = (*MULTIPLES, HALF)

QUARTER_DAYS: Final = 92
"""Horizons up to this long are clustered by quarters, longer ones by years."""
CONFIDENCE: Final = 0.95
TOLERANCE: Final = 1e-9
"""Multiples this near below a threshold reach it: 2 * 0.1 / 0.1 need not be 2 in floating point."""

RATE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_week": pl.Date(),
    "cap_bucket": pl.String(),
    "volatility_bucket": pl.String(),
    "outcome": pl.String(),
    "horizon_days": pl.Int32(),
    "observations": pl.Int64(),
    "hits": pl.Int64(),
    "share": pl.Float64(),
    "share_low": pl.Float64(),
    "share_high": pl.Float64(),
    "touched_share": pl.Float64(),
    "stopped_share": pl.Float64(),
    "tokens": pl.Int64(),
    "blocks": pl.Int64(),
    "effective_observations": pl.Float64(),
}

_CELL: Final = ("cap_bucket", "volatility_bucket", "horizon_days", "outcome")


def cap_bucket(market_cap_usd: float | None) -> str | None:
    """Name of the bucket of a market cap in USD; null where it is unknown or below the smallest that counts."""
    return _bucket_of(market_cap_usd, CAP_EDGES_USD, CAP_BUCKETS)


def volatility_bucket(volatility_30d: float | None) -> str | None:
    """Name of the bucket of a 30-day volatility (fraction a year); null where it is unknown."""
    return _bucket_of(volatility_30d, VOLATILITY_EDGES, VOLATILITY_BUCKETS)


def cap_bucket_of(column: str = "market_cap_usd") -> pl.Expr:
    """`cap_bucket` as an expression over a column of USD."""
    return _bucket_expression(column, CAP_EDGES_USD, CAP_BUCKETS).alias("cap_bucket")


def volatility_bucket_of(column: str = "volatility_30d") -> pl.Expr:
    """`volatility_bucket` as an expression over a column of fractions a year."""
    return _bucket_expression(column, VOLATILITY_EDGES, VOLATILITY_BUCKETS).alias("volatility_bucket")


def odds_of(
    rates: pl.DataFrame, *, market_cap_usd: float | None, volatility_30d: float | None, horizon_days: int
) -> dict[str, float | None]:
    """Shares of a token's buckets, by outcome, from one week's rates: what to print beside a pick.

    Args:
        rates: Rows of one as_of_week of `base_rates` (or of the recorded table).
        market_cap_usd: Market cap in USD.
        volatility_30d: 30-day volatility, fraction a year.
        horizon_days: One of `HORIZONS_DAYS`.

    Returns:
        Share (0-1) by outcome; None where a bucket is unknown or had no window yet.

    Raises:
        ValueError: The rates are of more than one week.
    """
    weeks = rates["as_of_week"].unique().sort().to_list()
    if len(weeks) > 1:
        raise ValueError(f"rates of {len(weeks)} weeks, {weeks[0]} to {weeks[-1]}; pass the rows of one as_of_week")
    buckets = (cap_bucket(market_cap_usd), volatility_bucket(volatility_30d))
    if None in buckets:
        return dict.fromkeys(OUTCOMES)
    found = rates.filter(
        (pl.col("cap_bucket") == buckets[0])
        & (pl.col("volatility_bucket") == buckets[1])
        & (pl.col("horizon_days") == horizon_days)
    )
    shares: dict[str, float | None] = dict(found.select("outcome", "share").iter_rows())
    return {outcome: shares.get(outcome) for outcome in OUTCOMES}


def ended_week(entry_week: dt.date, *, horizon_days: int) -> dt.date:
    """First Monday at whose 00:00 UTC all closes of a window are known."""
    return entry_week + dt.timedelta(days=_days_to_ended_week(horizon_days))


def base_rates(windows: pl.DataFrame, *, weeks: Sequence[dt.date]) -> pl.DataFrame:
    """Shares of the windows that ended before each week, by buckets, outcome and horizon.

    A multiple is hit where three consecutive closes lay at or above it; half is lost where three lay at or below it, or where
    prices stopped. A token that stopped after it had held a multiple has hit both.

    Args:
        windows: Finished windows (`outcome_windows.WINDOW_SCHEMA`); those without a bucket are left out.
        weeks: Mondays to give rates of.

    Returns:
        `RATE_SCHEMA`, by as_of_week, cap_bucket, volatility_bucket, horizon_days and outcome; the bucket `all` holds every
        token. Buckets without a window have no row. `share_low` and `share_high` are null with fewer than two blocks.

    Raises:
        ValueError: A window is there twice, or an entry week is no Monday.
    """
    _check(windows)
    if windows.is_empty() or not weeks:
        return pl.DataFrame(schema=RATE_SCHEMA)
    cells = _in_every_cell(windows)
    counted = _cumulated(_counts_by_week(cells))
    chosen = pl.DataFrame({"as_of_week": sorted(weeks)}, schema={"as_of_week": pl.Date})
    # Of every cell the newest state by each week: what ended last may lie weeks back, for instance over a gap in the prices.
    keys = counted.select(_CELL).unique(maintain_order=True)
    rows = chosen.join(keys, how="cross").sort("as_of_week")
    rows = rows.join_asof(
        counted.sort("ended_week"),
        left_on="as_of_week",
        right_on="ended_week",
        by=list(_CELL),
        strategy="backward",
        check_sortedness=False,
    ).filter(pl.col("observations").is_not_null())
    return (
        _with_interval(rows)
        .select(pl.col(name).cast(dtype) for name, dtype in RATE_SCHEMA.items())
        .sort("as_of_week", "cap_bucket", "volatility_bucket", "horizon_days", "outcome")
    )


def _bucket_of(value: float | None, edges: Sequence[float], names: Sequence[str]) -> str | None:
    if value is None or math.isnan(value) or value < edges[0]:
        return None
    return names[sum(value >= edge for edge in edges) - 1]


def _bucket_expression(column: str, edges: Sequence[float], names: Sequence[str]) -> pl.Expr:
    value = pl.col(column).fill_nan(None)
    named = pl.when(value >= edges[0]).then(pl.lit(names[0])).otherwise(None)
    for edge, name in zip(edges[1:], names[1:], strict=True):
        named = pl.when(value >= edge).then(pl.lit(name)).otherwise(named)
    return named


def _days_to_ended_week(horizon_days: int) -> int:
    """Days from the entry's Monday to the first Monday after the window's last close."""
    return 7 * math.ceil((horizon_days + 1) / 7)


def _check(windows: pl.DataFrame) -> None:
    repeated = windows.filter(pl.struct("token_id", "entry_week", "horizon_days").is_duplicated())
    if repeated.height:
        first = repeated.row(0, named=True)
        raise ValueError(
            f"{repeated.height} windows are there more than once, the first of {first['token_id']} in {first['entry_week']} "
            f"over {first['horizon_days']} days; pass one row a token, week and horizon"
        )
    wrong = windows.filter(pl.col("entry_week").dt.weekday() != 1)
    if wrong.height:
        raise ValueError(f"entry_week {wrong['entry_week'][0]} is no Monday; windows begin at a Monday's close")


def _in_every_cell(windows: pl.DataFrame) -> pl.DataFrame:
    """Every window in its own cell and in those of `all`, with its block and the week it ended before."""
    days = {horizon: _days_to_ended_week(horizon) for horizon in windows["horizon_days"].unique().to_list()}
    wait = pl.col("horizon_days").replace_strict(days, return_dtype=pl.Int64)
    year = pl.col("entry_week").dt.year().cast(pl.Int32)
    quarter = year * 4 + pl.col("entry_week").dt.quarter().cast(pl.Int32)
    # Tokens by number: counting different texts takes several times as long.
    named = windows.with_columns(
        pl.col("token_id").rank("dense").cast(pl.Int32),
        cap_bucket_of(),
        volatility_bucket_of(),
        ended_week=pl.col("entry_week") + pl.duration(days=wait),
        block=pl.when(pl.col("horizon_days") <= QUARTER_DAYS).then(quarter).otherwise(year),
    ).drop_nulls(["cap_bucket", "volatility_bucket"])
    everything = pl.lit(ALL)
    return pl.concat(
        [
            named,
            named.with_columns(cap_bucket=everything),
            named.with_columns(volatility_bucket=everything),
            named.with_columns(cap_bucket=everything, volatility_bucket=everything),
        ]
    )


def _counts_by_week(cells: pl.DataFrame) -> pl.DataFrame:
    """Windows, hits, and tokens seen for the first time, of every cell, outcome and week in which windows ended."""
    place = ["cap_bucket", "volatility_bucket", "horizon_days"]
    by_week = [*place, "block", "ended_week"]
    is_stopped = pl.col("is_stopped")
    held = {name: pl.col("highest_held") >= level - TOLERANCE for name, level in MULTIPLES.items()}
    held[HALF] = (pl.col("lowest_held") <= 0.5 + TOLERANCE).fill_null(value=False) | is_stopped
    touched = {name: pl.col("highest_touched") >= level - TOLERANCE for name, level in MULTIPLES.items()}
    touched[HALF] = (pl.col("lowest_touched") <= 0.5 + TOLERANCE).fill_null(value=False) | is_stopped
    first_seen = {
        "new_tokens": cells.group_by(*place, "token_id").agg(pl.col("block", "ended_week").min()),
        "new_token_blocks": cells.group_by(*place, "token_id", "block").agg(pl.col("ended_week").min()),
    }
    counts = cells.group_by(by_week).agg(
        pl.len().cast(pl.Int64).alias("n"),
        is_stopped.sum().cast(pl.Int64).alias("stopped"),
        *(hit.sum().cast(pl.Int64).alias(f"held_{name}") for name, hit in held.items()),
        *(hit.sum().cast(pl.Int64).alias(f"touched_{name}") for name, hit in touched.items()),
    )
    for name, rows in first_seen.items():
        seen = rows.group_by(by_week).agg(pl.len().cast(pl.Int64).alias(name))
        counts = counts.join(seen, on=by_week, how="left").with_columns(pl.col(name).fill_null(0))
    shared = [*by_week, "n", "stopped", "new_tokens", "new_token_blocks"]
    return pl.concat(
        counts.select(
            *shared,
            outcome=pl.lit(name),
            h=pl.col(f"held_{name}"),
            touched=pl.col(f"touched_{name}"),
        )
        for name in OUTCOMES
    )


def _cumulated(counts: pl.DataFrame) -> pl.DataFrame:
    """State of every cell after each week: sums so far, and the sums over blocks that the variance is made of.

    Windows of one horizon end in the order in which they began, so only the newest block of a week is still filling. What a
    week adds to a sum of squares over blocks is the square of that block's sum with the week less the one without it.
    """
    cell, in_block = list(_CELL), [*_CELL, "block"]
    totals = (
        counts.group_by(in_block)
        .agg(pl.col("h", "n").sum())
        .select(
            *cell, (pl.col("block") + 1).alias("block"), pl.col("h").alias("h_before"), pl.col("n").alias("n_before")
        )
    )
    rows = counts.join(totals, on=in_block, how="left").with_columns(pl.col("h_before", "n_before").fill_null(0))
    rows = rows.sort(*cell, "ended_week").with_columns(pl.col("h", "n", "h_before", "n_before").cast(pl.Float64))
    rows = rows.with_columns(
        block_h=pl.col("h").cum_sum().over(in_block), block_n=pl.col("n").cum_sum().over(in_block)
    ).with_columns(before_h=pl.col("block_h") - pl.col("h"), before_n=pl.col("block_n") - pl.col("n"))
    added = {
        "sum_hh": pl.col("block_h") ** 2 - pl.col("before_h") ** 2,
        "sum_hn": pl.col("block_h") * pl.col("block_n") - pl.col("before_h") * pl.col("before_n"),
        "sum_nn": pl.col("block_n") ** 2 - pl.col("before_n") ** 2,
        "next_hh": pl.col("h") * pl.col("h_before"),
        "next_hn": pl.col("h") * pl.col("n_before") + pl.col("n") * pl.col("h_before"),
        "next_nn": pl.col("n") * pl.col("n_before"),
        "blocks": (pl.col("before_n") == 0).cast(pl.Int64),
        "observations": pl.col("n"),
        "hits": pl.col("h"),
        "touched_hits": pl.col("touched"),
        "stopped": pl.col("stopped"),
        "tokens": pl.col("new_tokens"),
        "token_blocks": pl.col("new_token_blocks"),
    }
    return rows.select(*cell, "ended_week", *(term.cum_sum().over(cell).alias(name) for name, term in added.items()))


def _with_interval(rows: pl.DataFrame) -> pl.DataFrame:
    share, n, blocks = pl.col("share"), pl.col("observations"), pl.col("blocks")
    rows = rows.with_columns(
        share=pl.col("hits") / n, touched_share=pl.col("touched_hits") / n, stopped_share=pl.col("stopped") / n
    )
    within = pl.col("sum_hh") - 2 * share * pl.col("sum_hn") + share**2 * pl.col("sum_nn")
    between = pl.col("next_hh") - share * pl.col("next_hn") + share**2 * pl.col("next_nn")
    # Bartlett's weight for a lag of one is 1/2, and the product counts from both sides.
    squares = pl.max_horizontal(within, within + between)
    variance = squares / n**2 * blocks / (blocks - 1)
    ceiling = pl.col("token_blocks").cast(pl.Float64)
    measured = pl.when(variance > 0).then(pl.min_horizontal(share * (1 - share) / variance, ceiling)).otherwise(ceiling)
    # Without a hit, or with nothing but hits, the blocks tell nothing of how hits cluster: a token counts once.
    effective = pl.when((share > 0) & (share < 1)).then(measured).otherwise(pl.col("tokens").cast(pl.Float64))
    effective = pl.when(blocks > 1).then(effective)
    z = float(norm.ppf(0.5 + CONFIDENCE / 2))
    quantiles = {
        count: (z / float(t.ppf(0.5 + CONFIDENCE / 2, count - 1))) ** 2
        for count in rows["blocks"].unique().to_list()
        if count > 1
    }
    scale = blocks.replace_strict(quantiles, default=None, return_dtype=pl.Float64)
    rows = rows.with_columns(effective_observations=effective * scale)
    m = pl.col("effective_observations")
    middle = (share + z**2 / (2 * m)) / (1 + z**2 / m)
    reach = z / (1 + z**2 / m) * (share * (1 - share) / m + z**2 / (4 * m**2)).sqrt()
    # At a share of 0 or 1 the end meets it, which rounding may miss.
    return rows.with_columns(
        share_low=pl.when(m.is_not_null()).then(pl.min_horizontal((middle - reach).clip(0, 1), share)),
        share_high=pl.when(m.is_not_null()).then(pl.max_horizontal((middle + reach).clip(0, 1), share)),
    )
