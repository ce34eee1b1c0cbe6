"""Which windows the marts give, and the versions their shares become."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.base_rate_weeks import build_base_rates, finished_windows, newest_odds
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import BASE_RATES
from tests.unit.orchestration.builds import build_of

FIRST = date(2024, 1, 7)  # a Sunday, the only one a token can be picked on here
MONDAY = FIRST + timedelta(days=1)
UNTIL = MONDAY + timedelta(days=35)
ASKED = {
    **{"is_stable": False, "is_wrapped": False, "market_cap_usd": 3e6, "volume_30d_median_usd": 5e5},
    **{"age_days": 200, "volatility_30d": 1.0},
}


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema marts;
            create table marts.fct_daily (
                token_id varchar, market_date date, price_usd double, price_source varchar, is_carried boolean
            );
            create table marts.fct_universe_daily (
                token_id varchar, market_date date, is_stable boolean, is_wrapped boolean, market_cap_usd double,
                volume_30d_median_usd double, age_days integer
            );
            create table marts.feat_token_daily (token_id varchar, market_date date, volatility_30d double);
            create table marts.dim_token_ids (token_id varchar, kind varchar, value varchar, valid_from date, valid_to date);
            create table marts.dim_tokens (token_id varchar, successor_token_id varchar);
            """
        )
        yield connection


def add_token(connection, token, prices, *, source="coingecko", carried=(), **facts):
    """A token with closes from the Sunday on, None where it has none, that could be picked on the Sunday."""
    rows = [
        (token, FIRST + timedelta(days=day), float(price), source, day in carried)
        for day, price in enumerate(prices)
        if price is not None
    ]
    connection.executemany("insert into marts.fct_daily values (?, ?, ?, ?, ?)", rows)
    of = ASKED | facts
    connection.execute(
        "insert into marts.fct_universe_daily values (?, ?, ?, ?, ?, ?, ?)",
        [
            token,
            FIRST,
            *(of[name] for name in ("is_stable", "is_wrapped", "market_cap_usd", "volume_30d_median_usd", "age_days")),
        ],
    )
    connection.execute("insert into marts.feat_token_daily values (?, ?, ?)", [token, FIRST, of["volatility_30d"]])


def windows_of(connection):
    return finished_windows(connection, until=UNTIL, settings=MoonshotSettings())


def test_tokens_the_screen_would_not_look_at_have_no_window_and_large_ones_do(warehouse):
    flat = [1.0] * 40
    add_token(warehouse, "asked for", flat)
    add_token(warehouse, "large", flat, market_cap_usd=5e11, volume_30d_median_usd=1e9)
    add_token(warehouse, "stable", flat, is_stable=True)
    add_token(warehouse, "wrapped", flat, is_wrapped=True)
    add_token(warehouse, "tiny", flat, market_cap_usd=9e5)
    add_token(warehouse, "of unknown cap", flat, market_cap_usd=None)
    add_token(warehouse, "thin", flat, volume_30d_median_usd=9e4)
    add_token(warehouse, "thin for its cap", flat, market_cap_usd=5e11, volume_30d_median_usd=5e5)
    add_token(warehouse, "young", flat, age_days=29)
    add_token(warehouse, "of unknown volatility", flat, volatility_30d=None)

    windows = windows_of(warehouse)

    assert windows.select("token_id", "entry_week", "horizon_days").rows() == [
        ("asked for", MONDAY, 30),
        ("large", MONDAY, 30),
    ]


def test_a_carried_price_is_no_close(warehouse):
    # A spike of one close, carried over the two days without a report, would else be held.
    add_token(warehouse, "a", [1.0, 1.0, 9.0, 9.0, 9.0, *[1.0] * 35], carried=(3, 4))
    add_token(warehouse, "bought on a carried price", [1.0] * 40, carried=(1,))

    (row,) = windows_of(warehouse).iter_rows(named=True)

    assert (row["token_id"], row["highest_held"], row["highest_touched"]) == ("a", 1.0, 9.0)


def test_a_token_whose_prices_stop_is_lost_but_not_where_its_source_ended(warehouse):
    for number in range(11):
        add_token(warehouse, f"of the archive {number}", [1.0] * 20, source="archive")
        add_token(warehouse, f"goes on {number}", [1.0] * 40)
    add_token(warehouse, "dies", [1.0] * 20)

    windows = windows_of(warehouse)

    assert windows.filter("is_stopped")["token_id"].to_list() == ["dies"]
    assert windows.height == 12


def test_few_tokens_that_end_together_have_died(warehouse):
    for number in range(9):
        add_token(warehouse, f"dies {number}", [1.0] * 20, source="small exchange")

    assert windows_of(warehouse)["is_stopped"].sum() == 9


def test_a_series_that_became_another_token_has_not_died(warehouse):
    add_token(warehouse, "coinmarketcap:coin", [1.0] * 20)
    add_token(warehouse, "old", [1.0] * 20)
    add_token(warehouse, "dies", [1.0] * 20)
    linked = FIRST + timedelta(days=25)
    warehouse.executemany(
        "insert into marts.dim_token_ids values (?, 'coinmarketcap', ?, ?, ?)",
        [("coinmarketcap:coin", "coin", FIRST, linked), ("coin", "coin", linked, None), ("dies", "dies", FIRST, None)],
    )
    warehouse.execute("insert into marts.dim_tokens values ('old', 'new'), ('dies', null)")

    assert windows_of(warehouse)["token_id"].to_list() == ["dies"]


def test_the_rates_of_a_week_are_recorded_once(warehouse):
    warehouse.execute("create schema screens; create schema quality")
    create_versioned_tables(warehouse)
    add_token(warehouse, "doubles", [1.0, 1.0, *[2.0] * 38])
    add_token(warehouse, "does not", [1.0] * 40)
    context = build_of(UNTIL, at=datetime(2024, 2, 12, 1, tzinfo=UTC))

    first = build_base_rates(warehouse, context, MoonshotSettings(), weeks=[UNTIL])
    again = build_base_rates(warehouse, context, MoonshotSettings(), weeks=[UNTIL])

    cell = "cap_bucket = '1m_to_5m' and volatility_bucket = '90_to_120' and outcome = '2x'"
    rows = warehouse.execute(
        f"select as_of_week, observations, hits, share, share_low, version from {BASE_RATES.current_view_sql_name} where {cell}"
    ).fetchall()
    assert rows == [(UNTIL, 2, 1, 0.5, None, 1)]
    assert (first.new_units, again.new_versions, again.unchanged_units) == (1, 0, 1)
    shown = newest_odds(warehouse, outcome="2x", horizon_days=30)
    assert shown.filter(pl.col("cap_bucket") == "1m_to_5m")["90_to_120"].item() == "50.0 % of 2"
    assert shown.filter(pl.col("cap_bucket") == "over_1b")["all"].item() == "-"
