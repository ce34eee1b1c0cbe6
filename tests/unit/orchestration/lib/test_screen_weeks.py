"""Weeks of the moonshot screen: what a snapshot may know, what other tables say of it, and the versions it becomes."""

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.plan import CLOSE_TO_CLOSE, TRUE_RANGE, PlanSettings
from orchestration.lib.run_context import units_of
from orchestration.lib.screen_inputs import average_ranges, week_snapshots
from orchestration.lib.screen_weeks import build_moonshots
from orchestration.lib.versioned_tables import (
    BASE_RATES,
    DAILY_GRADES,
    DAILY_SIGNALS,
    MOONSHOT_CANDIDATES,
    MOONSHOT_CHANCES,
    MOONSHOTS,
    TOKEN_WARNINGS,
    TRADER_GRADES,
    TRADING_SIGNALS,
    WARNING_COVERAGE,
)
from orchestration.lib.versions import append_versions, as_recorded, create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from tests.unit.orchestration.builds import build_of

WEEKS = [date(2024, 1, 15), date(2024, 1, 22)]
EARLIER, NEWEST = WEEKS
CLOSE = NEWEST - timedelta(days=1)
DAYS = [date(2023, 12, 1) + timedelta(days=number) for number in range(60)]
SETTINGS, PLAN = MoonshotSettings(), PlanSettings()
TOKENS = ["a", "b", "c", "big"]
"""Returns rise from a to big; a, b and c are small, and only c has no grade."""
GRADED = ["a", "b", "big"]
CONTEXT = build_of(NEWEST, at=datetime(2024, 1, 22, tzinfo=UTC), recorded_at=datetime(2024, 1, 22, 1, tzinfo=UTC))

SEEN_POOL = "insert into marts.fct_pools_daily (token_id, market_date, first_created_at, is_known_token)"

FEATURES = (
    *("return_7d", "return_30d", "return_90d", "volume_surge_7d_30d", "volatility_30d", "active_addresses_growth_30d"),
    *("exchange_net_inflow_7d", "watchlist_growth_28d", "reddit_subscribers_growth_28d", "news_mention_surge_7d_90d"),
    *("holders_growth_28d", "top_10_holder_share", "commits_growth_12w", "authors_growth_12w"),
    *("unlock_30d_share", "cliff_unlock_30d_share"),
)
EMPTY = {
    "marts.fct_sectors_daily": "sector varchar, market_date date, rank_gain_7d integer, volume_share_change_7d double, "
    "return_less_btc_7d double, return_90d double",
    "marts.fct_onchain_daily": "token_id varchar, market_date date, active_addresses double, exchange_inflow_tokens double",
    "marts.fct_community_daily": "token_id varchar, market_date date",
    "marts.fct_mentions_daily": "token_id varchar, market_date date",
    "marts.fct_holders_daily": "token_id varchar, market_date date, contract varchar, top_10_holder_share double",
    "marts.fct_developers_daily": "token_id varchar, market_date date, commits_week bigint",
    "marts.fct_listings": "token_id varchar, exchange varchar, listed_date date",
    "marts.fct_pools_daily": "token_id varchar, market_date date, first_created_at timestamptz, is_known_token boolean, symbol varchar, "
    "fdv_usd double, available_at timestamptz",
    "marts.fct_dex_tokens_daily": "token_id varchar, market_date date, network varchar, contract_address varchar, price_usd double, "
    "priced_date date, is_carried boolean, high_to_close double, low_to_close double, volume_24h_usd double, data_source varchar, "
    "available_at timestamptz",
    "marts.fct_candle_ranges_daily": "token_id varchar, market_date date, high_to_close double, low_to_close double",
    "marts.dim_token_links": "token_id varchar, kind varchar, platform varchar, value varchar, valid_from date, valid_to date, "
    "is_hindsight boolean",
    "intermediate.int_closes_resolved": "source varchar, market_date date",
}


def mart(connection, name, frame):
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"create table marts.{name} as select * from incoming")
    connection.unregister("incoming")


def record(connection, table, rows, *, weeks=WEEKS):
    """Record rows of some weeks; columns that they lack are null."""
    frame = pl.DataFrame(rows) if rows else pl.DataFrame(schema={"as_of_week": pl.Date})
    beside = [pl.lit(None).alias(name) for name in table.hashed_columns if name not in frame.columns]
    chosen = frame.with_columns(beside).select("as_of_week", *table.hashed_columns)
    provenance = CONTEXT.provenance("backfill", model_version="model-1")
    append_versions(connection, table, chosen, provenance=provenance, units=units_of(list(weeks)))


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_schemas(connection)
        create_versioned_tables(connection)
        keys = pl.DataFrame({"token_id": TOKENS}).join(pl.DataFrame({"market_date": DAYS}), how="cross")
        place = pl.col("token_id").replace_strict(
            {name: 0.1 * number for number, name in enumerate(TOKENS, start=1)}, return_dtype=pl.Float64
        )
        cap = pl.when(pl.col("token_id") == "big").then(1e9).otherwise(20e6)
        universe = keys.with_columns(
            price_usd=pl.lit(2.0),
            market_cap_usd=cap,
            volume_30d_median_usd=pl.lit(1e6),
            age_days=pl.lit(300),
            is_stable=pl.lit(value=False),
            is_wrapped=pl.lit(value=False),
        )
        mart(connection, "fct_universe_daily", universe)
        mart(
            connection,
            "fct_daily",
            keys.with_columns(
                price_usd=pl.lit(2.0),
                priced_date="market_date",
                volume_24h_usd=pl.lit(1e6),
                data_source=pl.lit("simulated"),
                is_carried=pl.lit(value=False),
            ),
        )
        features = keys.with_columns(pl.lit(None, pl.Float64).alias(name) for name in FEATURES)
        features = features.with_columns(
            *(place.alias(name) for name in ("return_7d", "return_30d", "return_90d")),
            volume_surge_7d_30d=pl.lit(2.0),
            volatility_30d=pl.lit(1.0),
        )
        mart(connection, "feat_token_daily", features)
        mart(connection, "fct_risk_daily", keys.with_columns(average_move_14d=pl.lit(0.08)))
        names = pl.DataFrame({"token_id": TOKENS}).with_columns(
            name=pl.col("token_id").str.to_uppercase(),
            symbol=pl.col("token_id").str.to_uppercase(),
            sector=pl.lit(None, pl.String),
            valid_from=pl.lit(date(2020, 1, 1)),
            valid_to=pl.lit(None, pl.Date),
        )
        mart(connection, "dim_tokens", names)
        for name, columns in EMPTY.items():
            connection.execute(f"create table {name} ({columns})")
        graded = [
            {"as_of_week": week, "token_id": name, "trader_grade": 90.0, "score": 1.0}
            for week in WEEKS
            for name in GRADED
        ]
        record(connection, TRADER_GRADES, graded)
        calls = [
            {"as_of_week": row["as_of_week"], "token_id": row["token_id"], "signal": 1, "p_bullish": 0.5}
            for row in graded
        ]
        record(connection, TRADING_SIGNALS, calls)
        closes = [
            {"as_of_week": week, "market_date": week - timedelta(days=back), "token_id": name, "signal": int(back <= 4)}
            for week in WEEKS
            for back in range(1, 8)
            for name in GRADED
        ]
        record(connection, DAILY_SIGNALS, closes)
        record(
            connection,
            DAILY_GRADES,
            [{key: row[key] for key in ("as_of_week", "market_date", "token_id")} for row in closes],
        )
        yield connection


def snapshot_of(connection, week=NEWEST):
    rows = week_snapshots(connection, [week], SETTINGS).rows(named=True)
    return {row["token_id"]: row for row in rows}


def build(connection, *, context=CONTEXT, weeks=None):
    return build_moonshots(connection, context, SETTINGS, PLAN, weeks=weeks)


def picks_of(connection, week=NEWEST):
    return (
        connection.execute("select * from screens.moonshots_current where as_of_week = ? order by rank", [week])
        .pl()
        .to_dicts()
    )


def test_a_snapshot_holds_small_tokens_with_grades_and_calls_of_the_week(warehouse):
    rows = snapshot_of(warehouse)

    assert sorted(rows) == ["a", "b", "c"]
    assert (rows["a"]["trader_grade"], rows["a"]["grade_date"], rows["a"]["signal"]) == (90.0, CLOSE, "bullish")
    assert (rows["a"]["bullish_closes_7d"], rows["a"]["calls_date"]) == (4, CLOSE)
    assert (rows["c"]["trader_grade"], rows["c"]["grade_date"], rows["c"]["bullish_closes_7d"]) == (None, None, None)


def test_momentum_is_the_place_among_graded_tokens_and_one_without_a_grade_is_placed_between_them(warehouse):
    rows = snapshot_of(warehouse)

    # Graded are a < b < big: 0, 50, 100 by percent_rank; c lies above two of the three.
    assert rows["a"]["momentum_score"] == 0.0
    assert rows["b"]["momentum_score"] == pytest.approx(50.0)
    assert rows["c"]["momentum_score"] == pytest.approx(200 / 3)
    assert rows["a"]["momentum_score_change_7d"] == 0.0


def test_momentum_equals_what_the_api_publishes(warehouse):
    published = warehouse.execute(
        """
        select token_id, 100 * (
            percent_rank() over (order by return_7d) + percent_rank() over (order by return_30d)
            + percent_rank() over (order by return_90d)) / 3 as momentum_score
        from learning.daily_grades_current inner join marts.feat_token_daily using (token_id, market_date)
        where market_date = ?
        """,
        [CLOSE],
    ).fetchall()

    rows = snapshot_of(warehouse)

    assert {name: rows[name]["momentum_score"] for name, _ in published if name in rows} == pytest.approx(
        {name: value for name, value in published if name in rows}
    )


def test_nothing_of_the_week_itself_or_later_is_seen(warehouse):
    before = week_snapshots(warehouse, [NEWEST], SETTINGS)

    warehouse.execute("update marts.fct_universe_daily set price_usd = 99 where market_date >= ?", [NEWEST])
    warehouse.execute("update marts.feat_token_daily set return_7d = -9 where market_date >= ?", [NEWEST])
    warehouse.execute("insert into marts.fct_listings values ('a', 'binance', ?)", [NEWEST])
    warehouse.execute(f"{SEEN_POOL} values ('a', ?, '2024-01-10', true)", [NEWEST])
    warehouse.execute(f"{SEEN_POOL} values ('b', ?, '2024-01-22 00:30:00', true)", [CLOSE])
    warehouse.execute("insert into marts.fct_holders_daily values ('a', ?, 'x', 0.5)", [NEWEST])

    assert week_snapshots(warehouse, [NEWEST], SETTINGS).equals(before)


def test_listings_count_on_exchanges_that_were_read_for_a_month(warehouse):
    old, young = date(2023, 11, 1), date(2024, 1, 10)
    warehouse.execute(
        "insert into marts.fct_listings values ('big', 'old', ?), ('a', 'old', ?), ('big', 'young', ?), ('b', 'young', ?)",
        [old, date(2024, 1, 18), young, date(2024, 1, 18)],
    )

    unread = snapshot_of(warehouse)
    warehouse.execute("insert into intermediate.int_closes_resolved values ('old', ?)", [CLOSE])
    read = snapshot_of(warehouse)

    assert {row["has_exchange_data"] for row in unread.values()} == {False}  # the old one's candles have stopped
    assert {row["has_exchange_data"] for row in read.values()} == {True}
    assert read["a"]["exchange_listed_at"] == date(2024, 1, 18)
    assert read["b"]["exchange_listed_at"] is None  # on the young exchange everything looks new


def test_a_pool_dates_the_listing_of_the_tokens_it_was_seen_of(warehouse):
    warehouse.execute(f"{SEEN_POOL} values ('a', ?, '2024-01-10', true)", [CLOSE])

    rows = snapshot_of(warehouse)

    assert (rows["a"]["dex_listed_at"], rows["a"]["has_dex_data"]) == (date(2024, 1, 10), True)
    assert (rows["b"]["dex_listed_at"], rows["b"]["has_dex_data"]) == (None, False)
    assert snapshot_of(warehouse, EARLIER)["a"]["has_dex_data"] is False


def test_holders_are_compared_with_a_reading_of_the_same_contract_a_month_before(warehouse):
    month_before = CLOSE - timedelta(days=30)
    warehouse.execute(
        """insert into marts.fct_holders_daily values
        ('a', $before, 'x', 0.30), ('a', $close, 'x', 0.33), ('b', $before, 'x', 0.30), ('b', $close, 'y', 0.9), ('c', $close, 'x', 0.2)""",
        {"before": month_before, "close": CLOSE},
    )

    rows = snapshot_of(warehouse)

    assert rows["a"]["top_10_holder_share_change_28d"] == pytest.approx(0.03)
    assert rows["a"]["holders_date"] == CLOSE
    assert rows["b"]["top_10_holder_share_change_28d"] is None
    assert rows["c"]["top_10_holder_share_change_28d"] is None


def test_a_range_needs_highs_and_lows_of_uncarried_days(warehouse):
    candles = pl.DataFrame({"market_date": DAYS}).with_columns(
        token_id=pl.lit("a"), high_to_close=pl.lit(1.1), low_to_close=pl.lit(0.9)
    )
    warehouse.register("candles", candles.to_arrow())
    warehouse.execute("insert into marts.fct_candle_ranges_daily by name select * from candles")
    picks = pl.DataFrame({"as_of_week": [NEWEST, NEWEST], "token_id": ["a", "b"]})

    found = dict(average_ranges(warehouse, picks).select("token_id", "atr_14d").rows())
    warehouse.execute("update marts.fct_daily set is_carried = true where token_id = 'a' and market_date = ?", [CLOSE])
    carried = dict(average_ranges(warehouse, picks).select("token_id", "atr_14d").rows())

    assert found == {"a": pytest.approx(0.2), "b": None}
    assert carried == {"a": None, "b": None}


def test_without_other_tables_the_checklist_ranks_and_odds_are_unknown(warehouse):
    built = build(warehouse)

    (best, *_) = picks_of(warehouse)
    assert (built[MOONSHOTS].new_units, built[MOONSHOT_CANDIDATES].new_units) == (2, 2)
    assert (best["token_id"], best["ranked_by"], best["p_2x_90d"], best["model_version"]) == ("a", "score", None, None)
    assert (best["base_rate_2x_90d"], best["warnings_checked"]) == (None, None)
    assert best["stop_basis"] == CLOSE_TO_CLOSE
    assert json.loads(best["evidence"])["is_bullish_repeated"]["values"] == {"bullish_closes_7d": 4}


def judge(connection):
    """Chances, warnings and odds of the newest week: c has the best chance but is warned of, b is better than a."""
    newest = [NEWEST]
    chances = {"a": 0.1, "b": 0.2, "c": 0.3}
    record(
        connection,
        MOONSHOT_CHANCES,
        [
            {"as_of_week": NEWEST, "token_id": name, "p_2x_90d": chance, "p_3x_90d": chance / 3}
            for name, chance in chances.items()
        ],
        weeks=newest,
    )
    raised = [("c", "dump", True), ("b", "single_exchange", False), ("c", "single_exchange", False)]
    record(
        connection,
        TOKEN_WARNINGS,
        [
            {"as_of_week": NEWEST, "token_id": name, "warning": warning, "is_excluding": excludes}
            for name, warning, excludes in raised
        ],
        weeks=newest,
    )
    coverage = [{"as_of_week": NEWEST, "token_id": name, "warnings_checked": 14} for name in chances]
    record(
        connection,
        WARNING_COVERAGE,
        coverage,
        weeks=newest,
    )
    odds = {"2x": 0.15, "3x": 0.05, "half": 0.4}
    record(
        connection,
        BASE_RATES,
        [
            {
                "as_of_week": NEWEST,
                "cap_bucket": "20m_to_50m",
                "volatility_bucket": "90_to_120",
                "outcome": outcome,
                "horizon_days": horizon,
                "observations": 500,
                "share": share if horizon == 90 else 0.99,
            }
            for outcome, share in odds.items()
            for horizon in (90, 365)
        ],
        weeks=newest,
    )


def test_chances_rank_warnings_exclude_and_odds_stand_beside(warehouse):
    judge(warehouse)

    build(warehouse)

    first, second = picks_of(warehouse)
    assert [(row["token_id"], row["ranked_by"], row["p_2x_90d"]) for row in (first, second)] == [
        ("b", "p_2x_90d", 0.2),
        ("a", "p_2x_90d", 0.1),
    ]
    assert (first["risk_flags"], second["risk_flags"]) == ("single_exchange", "")
    assert (first["warnings_checked"], first["candidates"], first["model_version"]) == (14, 2, "model-1")
    assert (first["base_rate_2x_90d"], first["base_rate_half_90d"], first["base_rate_observations"]) == (0.15, 0.4, 500)
    assert {row["ranked_by"] for row in picks_of(warehouse, EARLIER)} == {"score"}
    candidates = warehouse.execute(
        "select place, token_id, exclusion_reasons from screens.moonshot_candidates_current where as_of_week = ? order by place",
        [NEWEST],
    ).fetchall()
    assert candidates == [(1, "c", "warnings: dump"), (2, "b", None), (3, "a", None)]


def test_odds_of_few_windows_give_way_to_those_of_every_size(warehouse):
    cells = {"20m_to_50m": (99, 0.8), "all": (400, 0.12)}
    record(
        warehouse,
        BASE_RATES,
        [
            {
                "as_of_week": NEWEST,
                "cap_bucket": cap,
                "volatility_bucket": "90_to_120",
                "outcome": "2x",
                "horizon_days": 90,
                "observations": windows,
                "share": share,
            }
            for cap, (windows, share) in cells.items()
        ],
        weeks=[NEWEST],
    )

    build(warehouse)

    best = picks_of(warehouse)[0]
    assert (best["cap_bucket"], best["volatility_bucket"]) == ("all", "90_to_120")
    assert (best["base_rate_2x_90d"], best["base_rate_observations"]) == (0.12, 400)
    assert picks_of(warehouse, EARLIER)[0]["base_rate_2x_90d"] is None


def test_links_known_by_the_week_are_on_the_card(warehouse):
    warehouse.execute(
        """insert into marts.dim_token_links values
        ('a', 'homepage', null, 'https://a.example', null, null, true),
        ('a', 'repository', null, 'https://github.com/a/a', $week, null, false),
        ('a', 'repository', null, 'https://github.com/a/old', '2020-01-01', $close, false),
        ('a', 'repository', null, 'https://github.com/a/both', null, null, true),
        ('a', 'repository', null, 'https://github.com/a/both', '2020-01-01', null, false)""",
        {"week": NEWEST, "close": CLOSE},
    )

    build(warehouse)

    card = json.loads(picks_of(warehouse)[0]["research_card"])
    assert card["links"] == [
        {"kind": "homepage", "url": "https://a.example"},
        {"kind": "repository", "url": "https://github.com/a/both"},
    ]
    assert card["links_are_hindsight"] is True


def test_a_week_alone_is_what_it_is_among_others_and_a_second_build_adds_nothing(warehouse):
    judge(warehouse)
    build(warehouse)

    later = dataclasses.replace(CONTEXT, changed_from=EARLIER, recorded_at=CONTEXT.recorded_at + timedelta(hours=1))
    again = build(warehouse, context=later, weeks=[NEWEST])

    assert [(each.new_versions, each.unchanged_units) for each in again.values()] == [(0, 1), (0, 1)]


def test_picks_can_be_asked_for_as_they_were_published(warehouse):
    build(warehouse)
    then = CONTEXT.recorded_at
    published = as_recorded(warehouse, MOONSHOTS, then).filter(pl.col("as_of_week") == NEWEST)

    judge_later = dataclasses.replace(CONTEXT, recorded_at=then + timedelta(hours=1))
    warehouse.execute("update marts.fct_universe_daily set market_cap_usd = 60e6 where token_id = 'a'")
    build(warehouse, context=judge_later, weeks=[NEWEST])

    assert [row["token_id"] for row in picks_of(warehouse)] == ["b"]
    asked = as_recorded(warehouse, MOONSHOTS, then).filter(pl.col("as_of_week") == NEWEST)
    assert asked["token_id"].to_list() == published["token_id"].to_list() == ["a", "b"]
    assert asked.drop("superseded_at").equals(published.drop("superseded_at"))


def test_a_true_range_is_named_as_the_basis_of_the_stop(warehouse):
    candles = pl.DataFrame({"market_date": DAYS}).with_columns(
        token_id=pl.lit("a"), high_to_close=pl.lit(1.1), low_to_close=pl.lit(0.9)
    )
    warehouse.register("candles", candles.to_arrow())
    warehouse.execute("insert into marts.fct_candle_ranges_daily by name select * from candles")

    build(warehouse)

    best = picks_of(warehouse)[0]
    assert (best["token_id"], best["stop_basis"]) == ("a", TRUE_RANGE)
    assert best["stop_usd"] == pytest.approx(2.0 * (1 - 0.5))  # three ranges of 20 %, but never farther than half


def pool_token(connection, days=60):
    """A token of one pool with a price of 1 USD, 200,000 USD of volume a day, and a fully diluted value of 5 million USD."""
    connection.execute(
        """insert into marts.fct_pools_daily by name
        select 'geckoterminal:base_0xabc' as token_id, ? as market_date, '2023-11-20'::timestamptz as first_created_at,
        false as is_known_token, 'ONLY' as symbol, 5e6 as fdv_usd, ?::date::timestamp at time zone 'UTC' as available_at""",
        [CLOSE, NEWEST],
    )
    connection.execute(
        """insert into marts.fct_dex_tokens_daily by name
        select 'geckoterminal:base_0xabc' as token_id, day::date as market_date, 'base' as network, '0xabc' as contract_address,
        1.0 as price_usd, day::date as priced_date, false as is_carried, 1.2 as high_to_close, 0.9 as low_to_close,
        2e5 as volume_24h_usd, 'simulated' as data_source, (day + interval 1 day) at time zone 'UTC' as available_at
        from range(?::timestamp - to_days(?), ?::timestamp, interval 1 day) as days(day)""",
        [NEWEST, days, NEWEST],
    )


def test_a_token_that_only_pools_are_known_of_is_screened_by_its_fully_diluted_cap(warehouse):
    pool_token(warehouse)
    lenient = SETTINGS.model_copy(update={"min_checks_known": 1, "min_checks_true": 0})

    build_moonshots(warehouse, CONTEXT, lenient, PLAN)

    (pick,) = [row for row in picks_of(warehouse) if row["token_id"].startswith("geckoterminal:")]
    card = json.loads(pick["research_card"])
    assert (pick["market_cap_usd"], pick["symbol"], card["sector"]) == (5e6, "ONLY", None)
    assert "fully diluted" in pick["rationale"]
    assert pick["stop_basis"] == TRUE_RANGE
    assert [each["address"] for each in card["contracts"]] == ["0xabc"]


def test_without_a_chance_it_is_a_candidate_and_the_reason_is_said(warehouse):
    pool_token(warehouse)
    judge(warehouse)
    narrow = SETTINGS.model_copy(update={"max_candidates": 1})

    build_moonshots(warehouse, CONTEXT, narrow, PLAN)

    candidates = warehouse.execute(
        "select token_id, is_pick, exclusion_reasons from screens.moonshot_candidates_current where as_of_week = ? order by place",
        [NEWEST],
    ).fetchall()
    assert len(candidates) == 2
    assert candidates[1] == ("geckoterminal:base_0xabc", False, "chance of doubling unknown")
