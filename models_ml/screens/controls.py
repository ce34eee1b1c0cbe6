"""Controls: tokens of the same week, volatility and size beside each pick, so that a hit rate can be told from luck and from risk.

Belongs here: who the controls of a pick are, and screens that pick at random.
Does not: what became of them (`outcomes.py`), figures over them (`record.py`).
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

CONTROLS: Final = 5
"""Controls of a pick; fewer where its bucket has fewer tokens."""

RANDOM_SCREENS: Final = 1_000
SEED_TEXT: Final = "screen"

CELL: Final = ("as_of_week", "volatility_quintile", "cap_tercile")

CONTROL_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_week": pl.Date(),
    "pick_token_id": pl.String(),
    "token_id": pl.String(),
    "control_number": pl.Int32(),
}


def draw_controls(picks: pl.DataFrame, universe: pl.DataFrame) -> pl.DataFrame:
    """The controls of each pick: tokens of its week, volatility quintile and cap tercile that were not picked.

    The order is that of a hash of week and token: nobody can choose it, and it does not depend on the picks. Picks of one bucket share
    their controls.

    Args:
        picks: One row a week and pick: as_of_week, token_id.
        universe: One row a week and token of the universe: as_of_week, token_id, volatility_quintile (nullable), cap_tercile.

    Returns:
        `CONTROL_SCHEMA`, by week, pick and number (1 to `CONTROLS`). A pick outside the universe or of unknown volatility has none.
    """
    weeks = picks.select("as_of_week").unique()
    rows = universe.join(weeks, on="as_of_week", how="semi").select(*CELL, "token_id").drop_nulls()
    others = rows.join(picks, on=["as_of_week", "token_id"], how="anti").with_columns(
        draw=pl.Series([drawn_number(week, token) for week, token in rows_of(rows, picks)], dtype=pl.String)
    )
    paired = (
        picks.select("as_of_week", "token_id")
        .join(rows, on=["as_of_week", "token_id"], how="inner")
        .rename({"token_id": "pick_token_id"})
        .join(others, on=CELL, how="inner")
        .sort("as_of_week", "pick_token_id", "draw")
        .with_columns(control_number=pl.int_range(1, pl.len() + 1).over("as_of_week", "pick_token_id"))
        .filter(pl.col("control_number") <= CONTROLS)
    )
    return paired.select(pl.col(name).cast(dtype) for name, dtype in CONTROL_SCHEMA.items())


def rows_of(rows: pl.DataFrame, picks: pl.DataFrame) -> list[tuple[date, str]]:
    """Week and token of the rows that are no picks, in their order."""
    others = rows.join(picks, on=["as_of_week", "token_id"], how="anti")
    return list(others.select("as_of_week", "token_id").iter_rows())


def drawn_number(week: date, token_id: str) -> str:
    """The draw of a token in a week: a hash, so that it is the same on every machine and in every run."""
    return hashlib.sha256(f"{week.isoformat()} {token_id}".encode()).hexdigest()[:16]


def token_numbers(token_ids: pl.Series, *, screens: int = RANDOM_SCREENS) -> Floats:
    """The number of each token in each random screen, tokens x screens, uniform in [0, 1).

    A token keeps its numbers whoever else there is, so a random screen holds on to its tokens as a real one does: its hit rate varies
    as much as that of a screen without skill, far more than if every week were drawn anew.
    """
    seeds = (
        int.from_bytes(hashlib.sha256(f"{SEED_TEXT} {token}".encode()).digest()[:8], "big")
        for token in token_ids.to_list()
    )
    numbers = [np.random.default_rng(seed).random(screens) for seed in seeds]
    return np.array(numbers) if numbers else np.zeros((0, screens))


def random_hit_rates(
    universe: pl.DataFrame, sizes: pl.DataFrame, *, success: str = "is_success", screens: int = RANDOM_SCREENS
) -> Floats:
    """Hit rates of screens that pick the tokens with the largest numbers of each week.

    Args:
        universe: One row a week and token with a known outcome: as_of_week, token_id, and `success`.
        sizes: Picks a week: as_of_week, picks (at least 1).
        success: Column of the outcome.
        screens: How many.

    Returns:
        One hit rate a screen, over the weeks both frames have; empty where they share none.
    """
    rows = universe.join(sizes, on="as_of_week", how="inner").sort("as_of_week", "token_id")
    if rows.is_empty():
        return np.zeros(0)
    tokens = rows["token_id"].unique().sort()
    numbers = token_numbers(tokens, screens=screens)
    place = rows.join(tokens.to_frame().with_row_index("place"), on="token_id", how="left", maintain_order="left")[
        "place"
    ]
    places, outcome = place.to_numpy(), rows[success].cast(pl.Float64).to_numpy()
    starts = np.flatnonzero(np.diff(rows["as_of_week"].to_physical().to_numpy(), prepend=-(10**9)))
    hits, total = np.zeros(screens), 0
    for start, end in zip(starts, np.append(starts[1:], rows.height), strict=True):
        count = min(int(rows["picks"][int(start)]), int(end - start))
        drawn = numbers[places[start:end]]
        chosen = np.argpartition(-drawn, count - 1, axis=0)[:count]
        hits += outcome[start:end][chosen].sum(axis=0)
        total += count
    return np.asarray(hits / total, dtype=np.float64)
