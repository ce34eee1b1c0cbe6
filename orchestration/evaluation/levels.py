"""Figures of support and resistance: whether prices turn at the published levels more often than at random ones.

Belongs here: the panel of levels and what became of them, and its statistics. Does not: the levels (`api.support_resistance`), what
holding means (`models_ml.learning.price_paths`), the page (`orchestration/risk_report.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import polars as pl

from models_ml.learning.evaluation.intervals import Interval, bootstrap_interval
from models_ml.learning.evaluation.resampling import Counts, block_weeks
from models_ml.learning.price_paths import DECIDE_DAYS, REACH_DAYS, Floats, Side, level_outcomes, paths_after
from orchestration.evaluation.risk import quoted_closes

SIDES: tuple[Side, ...] = ("support", "resistance")
NEAREST, FARTHEST = 0.5, 6.0
"""Levels at these distances in average moves are judged: nearer ones are reached already, farther ones rarely."""
STRONGEST = 3
"""Swings at a level from which on levels are taken together."""
DRAWS = 5
"""Random levels for each published one."""
SEED = 20240101


def level_panel(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every published level and random ones at the same distances, with what became of them.

    A random level lies as many average moves from its token's price as the level of another token of the same week, side and number
    of swings, dealt by permutation: both kinds have the same distances.

    Returns:
        One row a level and draw: as_of_week, token_id, side, kind ('swing' or 'random'), swings, outcome.
    """
    found = connection.execute(
        "select * from api.support_resistance where average_move_usd > 0 order by as_of_week, token_id"
    ).pl()
    found = found.with_columns(market_date=pl.col("as_of_week").dt.offset_by("-1d"))
    newest = connection.execute("select max(market_date) from marts.fct_daily").fetchone()
    days = REACH_DAYS + DECIDE_DAYS
    over = found.filter(pl.col("market_date").dt.offset_by(f"{days}d") <= (newest[0] if newest else None))
    closes = quoted_closes(connection)
    generator = np.random.default_rng(SEED)
    parts = []
    for side in SIDES:
        levels = over.select(
            "as_of_week",
            "token_id",
            "market_date",
            "price_usd",
            "average_move_usd",
            swings=pl.col(f"{side}_swings"),
            level_usd=pl.col(f"{side}_usd"),
            distance=pl.col(f"{side}_distance_atr"),
        ).filter(pl.col("distance").is_between(NEAREST, FARTHEST))
        levels = levels.with_columns(strength=pl.col("swings").clip(upper_bound=STRONGEST))
        levels = levels.sort("as_of_week", "strength", "token_id")
        paths = paths_after(closes, levels, days=days)
        parts.append(_judged(levels, paths, side, "swing"))
        sign = -1 if side == "support" else 1
        for _ in range(DRAWS):
            drawn = _dealt(levels, generator)
            random = levels.with_columns(level_usd=pl.col("price_usd") + sign * drawn * pl.col("average_move_usd"))
            parts.append(_judged(random, paths, side, "random"))
    return pl.concat(parts)


def level_skill(levels: pl.DataFrame) -> pl.DataFrame:
    """Shares of levels that were reached and that held, of swings and random ones, and the difference with its interval."""
    groups: list[tuple[str, pl.Expr]] = [
        ("all", pl.lit(value=True)),
        ("2 swings or more at the level", pl.col("swings") >= 2),
        (f"{STRONGEST} swings or more at the level", pl.col("swings") >= STRONGEST),
    ]
    rows = []
    for side in SIDES:
        for label, condition in groups:
            weekly = _weekly_counts(levels.filter((pl.col("side") == side) & condition))
            swing, random, difference = (
                _held_share(weekly, measure) for measure in (_share_of("swing"), _share_of("random"), _difference)
            )
            totals = weekly.drop("as_of_week").sum().row(0, named=True)
            rows.append(
                (
                    *(side, label, totals["swing_levels"]),
                    totals["swing_reached"] / max(totals["swing_levels"], 1),
                    totals["random_reached"] / max(totals["random_levels"], 1),
                    totals["swing_held"] + totals["swing_broken"],
                    *(swing.estimate, random.estimate, difference.estimate, difference.low, difference.high),
                )
            )
    schema = ["side", "levels", "count", "reached", "reached_random", "decided", "held", "held_random"]
    return pl.DataFrame(rows, schema=[*schema, "difference", "low", "high"], orient="row")


def _judged(levels: pl.DataFrame, paths: Floats, side: Side, kind: str) -> pl.DataFrame:
    outcome = level_outcomes(
        paths, levels=levels["level_usd"].to_numpy(), moves=levels["average_move_usd"].to_numpy(), side=side
    )
    return levels.select(
        "as_of_week", "token_id", "swings", side=pl.lit(side), kind=pl.lit(kind), outcome=outcome.cast(pl.String)
    )


def _dealt(levels: pl.DataFrame, generator: np.random.Generator) -> pl.Series:
    """The distances dealt anew among the levels of each week and strength; rows are in that order."""
    week, strength = levels["as_of_week"].to_physical().to_numpy(), levels["strength"].to_numpy()
    return levels["distance"].gather(np.lexsort((generator.random(levels.height), strength, week)))


def _weekly_counts(levels: pl.DataFrame) -> pl.DataFrame:
    """Levels, reached, held and broken ones of each kind, one row a week."""
    counted = [
        expr.alias(f"{kind}_{name}")
        for kind in ("swing", "random")
        for name, expr in {
            "levels": (pl.col("kind") == kind).sum(),
            "reached": ((pl.col("kind") == kind) & (pl.col("outcome") != "not reached")).sum(),
            "held": ((pl.col("kind") == kind) & (pl.col("outcome") == "held")).sum(),
            "broken": ((pl.col("kind") == kind) & (pl.col("outcome") == "broken")).sum(),
        }.items()
    ]
    return levels.group_by("as_of_week").agg(counted).sort("as_of_week")


def _held_share(weekly: pl.DataFrame, measure: Callable[[Floats], Floats]) -> Interval:
    """A figure of the totals of swing_held, swing_broken, random_held and random_broken, with its interval."""
    per_week = weekly.select("swing_held", "swing_broken", "random_held", "random_broken").to_numpy().astype(np.float64)

    def of_counts(counts: Counts) -> Floats:
        return measure(counts @ per_week)

    return bootstrap_interval(of_counts, weekly.height, block=block_weeks(REACH_DAYS + DECIDE_DAYS))


def _share_of(kind: str) -> Callable[[Floats], Floats]:
    place = 0 if kind == "swing" else 2

    def measure(totals: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(totals[:, place] / (totals[:, place] + totals[:, place + 1]), dtype=np.float64)

    return measure


def _difference(totals: Floats) -> Floats:
    return _share_of("swing")(totals) - _share_of("random")(totals)
