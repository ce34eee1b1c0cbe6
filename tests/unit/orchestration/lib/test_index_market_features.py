"""Features as the candidates of indices: read from the marts, each at the close of its day."""

from datetime import date, timedelta

import duckdb
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import fold
from models_ml.indices.feature_rules import feature_column
from models_ml.indices.state import new_state
from orchestration.lib.index_weeks import read_market

FIRST = date(2024, 1, 1)  # a Monday
UNTIL = date(2024, 2, 12)
SUNDAYS = [FIRST + timedelta(days=6 + 7 * week) for week in range(6)]
TOKENS = ("a", "b", "c")


@pytest.fixture
def warehouse():
    """The tables `read_market` reads: three tokens of one price whose RSI tells their number and the day's."""
    connection = duckdb.connect()
    connection.execute(
        """
        create schema marts; create schema learning;
        create table days as select d::date as market_date from range(date '2024-01-01', date '2024-03-01', interval 1 day) t(d);
        create table tokens as select unnest(['a', 'b', 'c']) as token_id, unnest([0, 1, 2]) as number;
        create table grid as select * from days, tokens;
        create table marts.fct_universe_daily as
        select market_date, token_id, false as is_stable, false as is_wrapped, 1.0 as price_usd, 1e9 as market_cap_usd,
            1e8 as volume_30d_median_usd, 100::ubigint as age_days, false as is_supply_carried from grid;
        create table marts.dim_tokens as
        select token_id, upper(token_id) as symbol, 'DeFi' as sector, false as is_fiat_backed, date '2000-01-01' as valid_from,
            null::date as valid_to from tokens;
        create table learning.trader_grades_current as
        select 'a' as token_id, date '2024-01-08' as as_of_week, 60.0 as trader_grade, 1.0 as score;
        create table learning.trading_signals_current as
        select 'a' as token_id, date '2024-01-08' as as_of_week, 1::tinyint as signal;
        create table learning.daily_grades_current as
        select 'a' as token_id, date '2024-01-07' as market_date, 1.0 as trader_score;
        create table marts.fct_daily as select market_date, token_id, 1.0 as price_usd, false as is_carried from grid;
        create table marts.feat_market_daily as
        select market_date, 1.0 as btc_price_usd, 1.0 as btc_sma_100d_usd, 1.0 as btc_sma_200d_usd,
            day(market_date)::float as vix from days;
        create table marts.feat_token_daily as
        select market_date, token_id, (10 * number + day(market_date))::float as rsi_14d, 7.0::float as volume_30d_median_usd
        from grid where token_id <> 'c';
        create table marts.feat_token_relative_daily as select market_date, token_id, 'nan'::float as rank_rsi_14d from grid;
        """
    )
    yield connection
    connection.close()


def definition_of(**fields):
    content = {
        "index_id": "strong",
        "name": "Strong",
        "kind": "thematic",
        "methodology": "The strongest.",
        "selection": {"count": 2},
        "calendar": {"rule": "weekly_model"},
        "minimum_constituents": 1,
    }
    return IndexDefinition.model_validate(content | fields)


def test_candidates_bring_the_features_that_definitions_name_at_the_close_of_their_day(warehouse):
    strong = definition_of(
        eligibility={"features": [{"feature": "rsi_14d", "at_least": 1}, {"feature": "vix", "at_most": 40}]},
        weighting={"tilt": {"features": ["volume_30d_median_usd"], "strength": 1}},
    )
    ranked = definition_of(index_id="ranked", ranking={"by": "feature", "feature": "rank_rsi_14d"})

    market = read_market(warehouse, [strong, ranked], until=UNTIL)

    rows = market.snapshot(SUNDAYS[1]).sort("token_id")
    assert rows[feature_column("rsi_14d")].to_list() == [14.0, 24.0, None]
    assert rows[feature_column("vix")].to_list() == [14.0] * 3
    assert rows[feature_column("rank_rsi_14d")].to_list() == [None] * 3
    # A feature may have the name of a column that candidates have anyway.
    assert rows[feature_column("volume_30d_median_usd")].to_list() == [7.0, 7.0, None]
    assert rows["volume_30d_median_usd"].to_list() == [1e8] * 3
    assert [name for name in rows.columns if name.startswith("feature:")] == [
        feature_column(name) for name in ("rank_rsi_14d", "rsi_14d", "vix", "volume_30d_median_usd")
    ]


def test_a_day_without_candidates_has_the_columns_all_the_same(warehouse):
    market = read_market(warehouse, [definition_of(ranking={"by": "feature", "feature": "rsi_14d"})], until=UNTIL)

    assert feature_column("rsi_14d") in market.snapshot(UNTIL + timedelta(days=400)).columns


def test_no_mart_of_features_is_read_where_no_definition_names_one(warehouse):
    warehouse.execute("drop table marts.feat_token_daily; drop table marts.feat_token_relative_daily")

    market = read_market(warehouse, [definition_of()], until=UNTIL)

    assert market.snapshot(SUNDAYS[0]).height == len(TOKENS)


def test_what_the_marts_hold_of_later_days_moves_nothing(warehouse):
    definition = definition_of(
        eligibility={"features": [{"feature": "rsi_14d", "at_least": 20}]},
        ranking={"by": "feature", "feature": "rsi_14d"},
        weighting={"tilt": {"features": ["rsi_14d"], "strength": 1}},
    )
    weeks = [day + timedelta(days=1) for day in SUNDAYS]

    def results():
        market = read_market(warehouse, [definition], until=UNTIL)
        return list(fold(definition, new_state(definition), weeks, market))

    before = results()
    for mart in ("feat_token_daily", "feat_token_relative_daily", "feat_market_daily"):
        warehouse.execute(f"delete from marts.{mart} where market_date >= ?", [UNTIL])
    warehouse.execute("update marts.feat_token_daily set rsi_14d = 99 where isodow(market_date) < 7")
    after = results()

    assert any(result.rebalances.height for result in before)
    assert all(one.rebalances.equals(other.rebalances) for one, other in zip(before, after, strict=True))
    assert all(one.levels.equals(other.levels) for one, other in zip(before, after, strict=True))
