"""What became of every pick of the moonshot screen, beside controls, and the record that follows from it; written anew every run.

Belongs here: which version of a pick is followed, and the rows of `screens.moonshot_outcomes` and `screens.moonshot_record`.
Does not: outcomes, controls and verdicts (`models_ml.screens`), the picks (`screen_weeks.py`).

Both tables follow wholly from what is recorded: the first version of each week's picks, and the closes. A pick that a later version dropped
is followed all the same, and one that a later version added is not: what was said first counts.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import duckdb
import polars as pl

from models_ml.screens.controls import draw_controls
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcomes import OUTCOME_SCHEMA, follow
from models_ml.screens.record import Record, screen_record
from orchestration.lib.dex_inputs import dex_closes
from orchestration.lib.low_cap_inputs import low_cap_weeks, market_closes
from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.table_comments import create_described_table
from orchestration.lib.written_anew import write_anew

OUTCOMES = "screens.moonshot_outcomes"
RECORD = "screens.moonshot_record"

PICK, CONTROL = "pick", "control"
KINDS = ("published", "backfilled")

FOLLOWED_COLUMNS = {
    "entry_date": ("date", "Day (UTC) of the entry: that of as_of_week, the first close after the pick."),
    "entry_price_usd": ("double", "Close of that day, in USD; null where there was none."),
    "last_price_date": ("date", "Newest day (UTC) of the window with a price."),
    "days_followed": ("integer", "Days since the entry, 90 at most, in days."),
    "status": ("varchar", "open until the 90 days are over, then closed."),
    "ended_how": (
        "varchar",
        "held_2x, expired, prices_stopped (a failure unless it had held 2x before), feed_ended (a source ended, nothing is known) or "
        "no_entry; null while open without success.",
    ),
    "is_success": (
        "boolean",
        "Whether three consecutive quoted closes stood at or above 2x the entry; null while open or unknown.",
    ),
    "success_date": ("date", "Day (UTC) of the third such close."),
    "is_success_3x": ("boolean", "The same of 3x."),
    "success_3x_date": ("date", "Day (UTC) of the third close at 3x."),
    "has_halved": (
        "boolean",
        "Whether a close stood at or below half the entry, or the token was lost; null while open or unknown.",
    ),
    "return_7d": ("double", "Return 7 days after the entry (fraction), before costs; null while unknown."),
    "return_30d": ("double", "Return 30 days after the entry (fraction), before costs."),
    "return_90d": (
        "double",
        "Return 90 days after the entry (fraction), before costs; -1 for a token that could not be sold.",
    ),
    "best_excursion": ("double", "Highest close against the entry so far (fraction)."),
    "worst_excursion": ("double", "Lowest close against the entry so far (fraction)."),
}

OUTCOME_COLUMNS: dict[str, tuple[str, str]] = {
    "as_of_week": ("date", "Monday (UTC) of the pick."),
    "pick_token_id": ("varchar", "Token that was picked; of a control, the pick it stands beside."),
    "role": ("varchar", "pick or control."),
    "control_number": ("integer", "1 to 5 of a control, 0 of a pick; a count."),
    "token_id": ("varchar", "Token that is followed."),
    "symbol": ("varchar", "Ticker as of the week, for reading only; not unique."),
    "rank": ("integer", "Place of the pick in the screen, a count from 1, the best."),
    "controls_found": (
        "integer",
        "Controls the pick has: fewer than 5 where its bucket held fewer other tokens; a count.",
    ),
    "volatility_quintile": (
        "integer",
        "Fifth of the week's universe by 30-day volatility, a count from 1, the calmest; null if unknown.",
    ),
    "cap_tercile": (
        "integer",
        "Third of the week's universe by market cap, a count from 1, the smallest; null outside of it.",
    ),
    "origin": ("varchar", "published: the pick was recorded within 48 hours of as_of_week; backfilled: anything else."),
    **FOLLOWED_COLUMNS,
}

RECORD_COLUMNS: dict[str, tuple[str, str]] = {
    "origin": ("varchar", "published or backfilled picks; the two are never pooled."),
    "weeks": ("integer", "Weeks with a pick whose outcome is known, a count."),
    "picks_known": ("integer", "Picks whose outcome is known, a count."),
    "picks_open": ("integer", "Picks whose outcome is not known, a count."),
    "hit_rate": ("double", "Share of the known picks that held 2x, 0-1."),
    "controls_hit_rate": ("double", "The same of their controls, each pick counting once, 0-1."),
    "universe_hit_rate": ("double", "The same of the whole universe, each week counting by its picks, 0-1."),
    "lift": ("double", "hit_rate over universe_hit_rate, a ratio."),
    "hits_over_controls": ("double", "hit_rate minus that of the controls (fraction), over picks with known controls."),
    "hits_over_controls_low": (
        "double",
        "Lower end of its 95 % interval from blocks of 13 weeks (fraction); null below 39 weeks.",
    ),
    "hits_over_controls_high": ("double", "Upper end of the interval (fraction)."),
    "hits_over_volatility": (
        "double",
        "hit_rate minus that of a sort by 90-day volatility with as many picks (fraction).",
    ),
    "hits_over_volatility_low": ("double", "Lower end of its 95 % interval from blocks of 13 weeks (fraction)."),
    "hits_over_volatility_high": ("double", "Upper end of the interval (fraction)."),
    "random_percentile": (
        "double",
        "Share (0-100) of 1,000 screens by a fixed random number a token with a lower hit rate.",
    ),
    "halved_rate": ("double", "Share of the known picks that fell to half of their entry, 0-1."),
    "median_return_90d": ("double", "Median 90-day return of the known picks (fraction), before costs."),
    "verdict": ("varchar", "What follows from both intervals and the percentile, in words."),
}
"""Type and meaning of each column."""


def create_outcome_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make both tables with comments where they are missing: the api views need them before the first pick."""
    for table, columns, text in (
        (OUTCOMES, OUTCOME_COLUMNS, "Past and active picks and their controls, one row a week, pick, role and number."),
        (RECORD, RECORD_COLUMNS, "Record of the moonshot screen, one row an origin of its picks."),
    ):
        create_described_table(connection, table, columns)
        connection.execute(f"comment on table {table} is {sql_text(text)}")


def write_outcomes(
    connection: duckdb.DuckDBPyConnection, settings: MoonshotSettings, *, until: date
) -> tuple[pl.DataFrame, dict[str, Record]]:
    """Follow every pick to its end, with its controls, and write both tables anew.

    Args:
        connection: The warehouse with recorded picks.
        settings: Who belongs to the universe that controls are drawn from.
        until: Closes before this Monday are known.

    Returns:
        The rows of `screens.moonshot_outcomes`, and the records by origin.
    """
    create_outcome_tables(connection)
    picks = first_picks(connection)
    weeks = picks["as_of_week"].unique().sort().to_list()
    if not weeks:
        write_anew(connection, OUTCOMES, pl.DataFrame())
        write_anew(connection, RECORD, pl.DataFrame())
        return pl.DataFrame(), {}
    universe = low_cap_weeks(connection, settings, until=until, weeks=weeks)
    controls = draw_controls(picks, universe)
    keys = ["as_of_week", "token_id"]
    followed = follow(
        pl.concat([picks.select(keys), universe.select(keys)]).unique(maintain_order=True),
        pl.concat([market_closes(connection, until=until), dex_closes(connection, until=until)]),
        until=until,
    )
    rows = outcome_rows(picks, controls, universe, followed)
    write_anew(connection, OUTCOMES, rows)
    records = records_of(rows, universe.select(*keys, "volatility_90d").join(followed, on=keys, how="inner"))
    write_anew(connection, RECORD, pl.DataFrame([_record_row(origin, each) for origin, each in records.items()]))
    return rows, records


def first_picks(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The first version of every week's picks: as_of_week, token_id, symbol, rank, origin."""
    return connection.execute(
        "select as_of_week, token_id, symbol, rank, origin from screens.moonshots where version = 1 order by as_of_week, rank"
    ).pl()


def outcome_rows(
    picks: pl.DataFrame, controls: pl.DataFrame, universe: pl.DataFrame, followed: pl.DataFrame
) -> pl.DataFrame:
    """The rows of `screens.moonshot_outcomes`.

    Args:
        picks: `first_picks`.
        controls: `draw_controls` of them.
        universe: `low_cap_weeks` of their weeks.
        followed: `follow` of picks and universe.
    """
    found = controls.group_by("as_of_week", "pick_token_id").agg(controls_found=pl.len().cast(pl.Int32))
    shared = (
        picks.rename({"token_id": "pick_token_id"})
        .join(found, on=["as_of_week", "pick_token_id"], how="left", maintain_order="left")
        .with_columns(pl.col("controls_found").fill_null(0))
    )
    of_picks = shared.with_columns(
        role=pl.lit(PICK), control_number=pl.lit(0, pl.Int32), token_id=pl.col("pick_token_id")
    )
    names = universe.select("as_of_week", "token_id", name="symbol")
    of_controls = (
        controls.join(shared, on=["as_of_week", "pick_token_id"], how="inner")
        .join(names, on=["as_of_week", "token_id"], how="left")
        .with_columns(symbol="name", role=pl.lit(CONTROL))
        .drop("name")
    )
    buckets = universe.select("as_of_week", "token_id", "volatility_quintile", "cap_tercile")
    rows = (
        pl.concat([of_picks, of_controls.select(of_picks.columns)])
        .join(buckets, on=["as_of_week", "token_id"], how="left")
        .join(followed, on=["as_of_week", "token_id"], how="left")
    )
    return rows.select(list(OUTCOME_COLUMNS)).sort("as_of_week", "rank", "control_number")


def records_of(rows: pl.DataFrame, universe: pl.DataFrame) -> dict[str, Record]:
    """The record of each origin that has picks.

    Args:
        rows: `outcome_rows`.
        universe: Outcomes of all tokens of the universe in the weeks: the columns of `follow` and volatility_90d.
    """
    records = {}
    for origin in KINDS:
        chosen = rows.filter(pl.col("origin") == origin)
        if not chosen.is_empty():
            is_pick = pl.col("role") == PICK
            records[origin] = screen_record(chosen.filter(is_pick), chosen.filter(~is_pick), universe)
    return records


def _record_row(origin: str, record: Record) -> dict[str, Any]:
    values = asdict(record)
    del values["difference"], values["over_volatility"]
    return {
        "origin": origin,
        **values,
        "hits_over_controls": record.difference.estimate,
        "hits_over_controls_low": record.difference.low,
        "hits_over_controls_high": record.difference.high,
        "hits_over_volatility": record.over_volatility.estimate,
        "hits_over_volatility_low": record.over_volatility.low,
        "hits_over_volatility_high": record.over_volatility.high,
        "verdict": record.verdict,
    }


if set(FOLLOWED_COLUMNS) | {"as_of_week", "token_id"} != set(OUTCOME_SCHEMA):
    raise TypeError("columns of screens.moonshot_outcomes and of models_ml.screens.outcomes differ; describe each once")
