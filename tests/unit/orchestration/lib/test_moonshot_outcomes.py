"""The table of outcomes: every first version followed, failures included, with its controls, and a record an origin."""

from datetime import date, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.screens.outcomes import follow
from orchestration.lib.moonshot_outcomes import (
    OUTCOME_COLUMNS,
    RECORD_COLUMNS,
    create_outcome_tables,
    first_picks,
    outcome_rows,
    records_of,
)
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import MOONSHOTS

WEEK, NEXT = date(2024, 1, 1), date(2024, 1, 8)
UNTIL = date(2024, 6, 3)


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        for schema in ("screens", "quality"):
            opened.execute(f"create schema {schema}")
        create_versioned_tables(opened, tables=[MOONSHOTS])
        create_outcome_tables(opened)
        yield opened


def record_pick(connection, week, token, *, version=1, rank=1, origin="backfilled"):
    values = {
        **{
            "as_of_week": week,
            "token_id": token,
            "rank": rank,
            "symbol": token.upper(),
            "version": version,
            "content_hash": "",
        },
        **{"recorded_at": UNTIL, "run_id": "run", "code_version": "", "inputs_hash": "", "input_cutoff": UNTIL},
        **{"origin": origin, "version_reason": "backfill"},
    }
    connection.execute(
        f"insert into screens.moonshots ({', '.join(values)}) values ({', '.join('?' * len(values))})",
        list(values.values()),
    )


def universe(*weeks):
    names = ["a", "b", "c", "d"]
    return pl.DataFrame(
        {
            "as_of_week": [week for week in weeks for _ in names],
            "token_id": names * len(weeks),
            "symbol": [name.upper() for name in names] * len(weeks),
            "volatility_quintile": [1] * len(names) * len(weeks),
            "cap_tercile": [1, 1, 1, 2] * len(weeks),
            "volatility_90d": [1.0] * len(names) * len(weeks),
        }
    )


def followed(rows):
    """Token a trebles in January, b stops on its fifth day, the others stand still."""
    days = [WEEK + timedelta(days=day) for day in range((UNTIL - WEEK).days)]
    prices = pl.concat(
        pl.DataFrame(
            {
                "token_id": token,
                "market_date": known,
                "price_usd": [price if day > WEEK + timedelta(days=9) else 1.0 for day in known],
                "volume_24h_usd": 1e6,
                "is_carried": False,
            }
        )
        for token, price, known in (("a", 3.0, days), ("b", 1.0, days[:5]), ("c", 1.0, days), ("d", 1.0, days))
    )
    return follow(rows, prices, until=UNTIL)


def test_the_first_version_is_followed_whatever_was_said_later(connection):
    record_pick(connection, WEEK, "a", version=1)
    record_pick(connection, WEEK, "c", version=2)

    assert first_picks(connection).select("as_of_week", "token_id").rows() == [(WEEK, "a")]


def test_picks_and_controls_stand_in_one_table_failures_included(connection):
    from models_ml.screens.controls import draw_controls

    record_pick(connection, WEEK, "a")
    record_pick(connection, WEEK, "b", rank=2)
    picks, rows = first_picks(connection), universe(WEEK)

    table = outcome_rows(picks, draw_controls(picks, rows), rows, followed(rows))

    assert table.columns == list(OUTCOME_COLUMNS)
    shown = table.select("pick_token_id", "role", "control_number", "token_id", "is_success", "ended_how").rows()
    assert shown == [
        ("a", "pick", 0, "a", True, "held_2x"),
        ("a", "control", 1, "c", False, "expired"),
        ("b", "pick", 0, "b", False, "prices_stopped"),
        ("b", "control", 1, "c", False, "expired"),
    ]
    assert table["controls_found"].to_list() == [1, 1, 1, 1]


def test_published_and_backfilled_picks_are_never_pooled(connection):
    from models_ml.screens.controls import draw_controls

    record_pick(connection, WEEK, "a")
    record_pick(connection, NEXT, "b", origin="published")
    picks, rows = first_picks(connection), universe(WEEK, NEXT)
    outcomes = followed(rows)

    table = outcome_rows(picks, draw_controls(picks, rows), rows, outcomes)
    records = records_of(table, rows.join(outcomes, on=["as_of_week", "token_id"]))

    assert {origin: record.hit_rate for origin, record in records.items()} == {"published": None, "backfilled": 1.0}
    assert all(record.verdict.startswith("no skill shown") for record in records.values())


def test_every_column_of_both_tables_is_described_in_the_warehouse(connection):
    described = connection.execute(
        "select table_name, count(comment) from duckdb_columns() where table_name in ('moonshot_outcomes', 'moonshot_record') group by all"
    ).fetchall()

    assert dict(described) == {"moonshot_outcomes": len(OUTCOME_COLUMNS), "moonshot_record": len(RECORD_COLUMNS)}
