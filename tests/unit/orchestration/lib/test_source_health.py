"""What a week says of its sources, judged on a warehouse with a few landed days."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from orchestration.lib.ingestion import Ingested
from orchestration.lib.landing import LandingStore
from orchestration.lib.source_health import price_cover, write_coverage, write_health
from orchestration.lib.source_journal import Attempt
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import SourceUnavailableError
from orchestration.sources.validation import Rejected

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
SUNDAY = date(2025, 1, 5)
FEAR_GREED = find_dataset("alternative_me", "fear_greed")
MARKET_DAILY = find_dataset("coingecko", "market_daily")
LAGS = {("alternative_me", "fear_greed"): 0.0, ("coingecko", "market_daily"): 0.0}


@pytest.fixture
def store(tmp_path):
    return LandingStore(tmp_path)


@pytest.fixture
def warehouse(store):
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_schemas(connection)

        def refresh():
            create_raw_views(connection, store.root, input_cutoff=datetime(2030, 1, 1, tzinfo=UTC))
            return connection

        yield refresh


def land_prices(store, days, coins):
    rows = [
        {
            "coin_id": coin,
            "symbol": coin,
            "market_date": day,
            "price_usd": 1.0,
            "market_cap_usd": None,
            "volume_24h_usd": 1.0,
        }
        for day in days
        for coin in coins
    ]
    frame = pl.DataFrame(rows, schema=MARKET_DAILY.columns)
    store.write(MARKET_DAILY, frame, data_source="simulated", partition="2025", loaded_at=AS_OF, lag_hours=0)


def days_until(last, count):
    return [last - timedelta(days=back) for back in reversed(range(count))]


def health_of(connection, dataset, attempts=()):
    frame = write_health(connection, [dataset], as_of=AS_OF, attempts=attempts, lags=LAGS)
    return frame.row(0, named=True)


def test_a_source_with_yesterdays_rows_is_fresh(store, warehouse):
    land_prices(store, days_until(SUNDAY, 5), ["a", "b"])

    health = health_of(warehouse(), MARKET_DAILY)

    assert (health["status"], health["newest_date"], health["days_behind"]) == ("fresh", SUNDAY, 0)


def test_a_source_whose_newest_day_is_too_old_is_stale_and_says_by_how_much(store, warehouse):
    land_prices(store, days_until(SUNDAY - timedelta(days=4), 5), ["a"])

    health = health_of(warehouse(), MARKET_DAILY)

    assert (health["status"], health["days_behind"]) == ("stale", 4)


def test_a_source_that_did_not_answer_is_down_with_the_reason_though_older_rows_are_there(store, warehouse):
    land_prices(store, days_until(SUNDAY - timedelta(days=1), 5), ["a"])
    failed = Attempt.failed_whole(MARKET_DAILY, SourceUnavailableError("HTTP 503"), run_id="run", at=AS_OF)

    health = health_of(warehouse(), MARKET_DAILY, [failed])

    assert (health["status"], health["last_status"], health["reason"]) == ("down", "down", "HTTP 503")


def test_only_the_newest_attempt_counts(store, warehouse):
    land_prices(store, days_until(SUNDAY, 5), ["a"])
    failed = Attempt.failed_whole(MARKET_DAILY, SourceUnavailableError("HTTP 503"), run_id="one", at=AS_OF)
    answered = Attempt.of(Ingested(MARKET_DAILY, received=5), run_id="two", at=AS_OF + timedelta(minutes=5))

    assert health_of(warehouse(), MARKET_DAILY, [failed, answered])["status"] == "fresh"


def test_a_source_that_never_landed_is_never(warehouse):
    assert health_of(warehouse(), FEAR_GREED)["status"] == "never"


def test_judging_a_week_again_replaces_its_rows(store, warehouse):
    land_prices(store, days_until(SUNDAY, 5), ["a"])
    connection = warehouse()

    health_of(connection, MARKET_DAILY)
    health_of(connection, MARKET_DAILY)

    assert connection.execute("select count(*) from quality.source_health").fetchone() == (1,)


def test_coverage_shows_the_day_on_which_fewer_came_than_before(store, warehouse):
    land_prices(store, days_until(SUNDAY - timedelta(days=1), 9), ["a", "b", "c", "d"])
    land_prices(store, [SUNDAY], ["a"])
    store.write_quarantine(
        MARKET_DAILY,
        [Rejected("price_usd is not above zero", "{}")] * 3,
        data_source="simulated",
        partition=SUNDAY.isoformat(),
        loaded_at=AS_OF + timedelta(days=400),  # a simulated day, or one that was caught up later
    )
    connection = warehouse()

    write_coverage(connection, [MARKET_DAILY], as_of=AS_OF, lags=LAGS)

    rows = connection.execute(
        "select market_date, expected, received, quarantined from quality.source_coverage order by 1 desc limit 2"
    ).fetchall()
    assert rows == [(SUNDAY, 4, 1, 3), (SUNDAY - timedelta(days=1), 4, 4, 0)]


def test_in_a_long_outage_every_day_says_what_was_expected_when_it_began(store, warehouse):
    land_prices(store, days_until(SUNDAY - timedelta(days=20), 9), ["a", "b"])
    connection = warehouse()

    write_coverage(connection, [MARKET_DAILY], as_of=AS_OF, lags=LAGS)

    rows = connection.execute(
        "select expected, received from quality.source_coverage where market_date > ?", [SUNDAY - timedelta(days=20)]
    ).fetchall()
    assert rows == [(2, 0)] * 20


@pytest.mark.parametrize(("priced", "is_enough"), [(["a", "b"], True), (["a"], False), ([], False)])
def test_a_week_without_prices_for_half_of_its_tokens_is_stopped(warehouse, priced, is_enough):
    connection = warehouse()
    connection.execute("create table marts.fct_daily (token_id varchar, market_date date, is_carried boolean)")
    week_ago = SUNDAY - timedelta(days=7)
    for token in ("a", "b", "c", "d"):
        connection.execute("insert into marts.fct_daily values (?, ?, false)", [token, week_ago])
        connection.execute("insert into marts.fct_daily values (?, ?, ?)", [token, SUNDAY, token not in priced])

    cover = price_cover(connection, as_of=AS_OF)

    assert (cover.expected, cover.priced, cover.is_enough) == (4, len(priced), is_enough)
