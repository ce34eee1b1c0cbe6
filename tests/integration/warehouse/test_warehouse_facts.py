"""Facts of the further sources in the warehouse: whose they are, what was known when, and nulls where a source is absent.

The rules themselves are in dbt's unit tests; that no mart knows the future is held for all of them in
test_warehouse_point_in_time.py. Market caps before the first known one are hindsight, and are here.
"""

from datetime import date, timedelta

import polars as pl
import pytest

from models_ml.features.catalogue import CATALOGUE
from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions
from orchestration.lib.connections import LAGS
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.index_weeks import read_market
from orchestration.lib.landing import read_lags
from orchestration.lib.resources import RebuiltDays
from orchestration.lib.versions import create_versioned_tables
from orchestration.lib.warehouse import connect
from tests.integration.warehouse.comparison import ONE_ULP, first_difference, known_rows
from tests.integration.warehouse.scratch import TESTED
from tests.integration.warehouse.synthetic_facts import READ_ON, fact_frames
from tests.integration.warehouse.synthetic_market import ASSETS, BINANCE, CHARTS, END, START

FACTS = [feature for feature in CATALOGUE if feature.reads_facts]
MARKET = (
    *(
        "policy_rate",
        "yield_10y",
        "yield_curve",
        "dollar_change_90d",
        "m2_growth_1y",
        "vix",
        "stablecoin_supply_growth_30d",
    ),
    *("stablecoin_yield", "defi_tvl_growth_30d", "btc_dominance", "category_dispersion_7d", "news_tone_7d"),
    *("negative_headline_share_7d", "regulation_headline_share_7d", "hack_headline_share_7d"),
    *("market_news_sentiment_7d", "market_news_sentiment_zscore_90d"),
)
PRICED = (
    "--select",
    "+feat_token_daily",
    "+fct_daily",
    "--exclude-resource-type",
    "unit_test",
    "--exclude-resource-type",
    "test",
)
FREE_DAYS = 365
CHARTS_BEGIN = END - timedelta(days=FREE_DAYS)


def charts_of_a_year(frames):
    return frames[CHARTS.label][1].filter(pl.col("market_date") >= CHARTS_BEGIN)


@pytest.fixture(scope="module")
def free_plan(new_warehouse, frames):
    """The market as a free plan gives it: charts of one year, candles of all years, and nobody else."""
    warehouse = new_warehouse()
    warehouse.land_all({label: frames[label] for label in (ASSETS.label, BINANCE.label)})
    warehouse.land(CHARTS, charts_of_a_year(frames))
    warehouse.build(END, arguments=TESTED)
    return warehouse


@pytest.mark.parametrize("feature", FACTS, ids=[feature.name for feature in FACTS])
def test_every_feature_of_a_further_source_has_values(feature, full):
    assert full.query(f"select count({feature.name}) from marts.feat_token_daily").item() > 20


@pytest.mark.parametrize("column", MARKET)
def test_every_column_of_the_market_has_values(column, full):
    assert full.query(f"select count({column}) from marts.feat_market_daily").item() > 20


def test_a_source_that_is_absent_leaves_nulls_and_never_zeros(free_plan):
    known = " + ".join(f"count({feature.name})" for feature in FACTS)
    market = " + ".join(f"count({column})" for column in MARKET)

    assert free_plan.query(f"select {known} from marts.feat_token_daily").item() == 0
    assert free_plan.query(f"select {market} from marts.feat_market_daily").item() == 0
    assert free_plan.query("select max(coverage_all) < max(coverage) from marts.feat_token_daily").item()


def test_a_lot_of_a_thousand_is_its_token_and_a_price_of_nobody_is_no_ones(full):
    links = full.query(
        "select source, market_id, token_id, multiple from intermediate.int_exchange_quotes_linked group by all"
    )
    lots = links.filter(pl.col("multiple") == 1000)

    assert lots["token_id"].n_unique() == lots["market_id"].n_unique() == 1
    spot = full.query(f"select symbol from marts.dim_tokens where is_current and token_id = '{lots['token_id'][0]}'")
    assert lots["market_id"][0] == f"1000{spot.item()}/USDT"
    assert links.filter(pl.col("market_id") == "ETH/USDC").is_empty()
    assert set(links.filter(pl.col("market_id") == "RIV/USDT")["token_id"]) == {"rival-old"}


def test_perpetuals_without_a_spot_market_belong_to_the_coin_that_was_larger_when_they_met(full):
    links = full.query(
        "select source, token_id, is_by_price from intermediate.int_perpetuals_linked where symbol = 'RIV'"
    )

    assert {row for row in links.rows() if row[0] == "gate"} == {("gate", "rival-old", False)}
    assert ("binance", "rival-old", True) in links.rows()


def test_an_unlock_is_told_as_its_schedule_stood_on_the_day(full):
    rows = full.query("select * from marts.fct_unlocks_daily order by market_date")
    cliffs = dict(rows.select("market_date", "cliff_unlock_30d_tokens").rows())
    day = timedelta(days=1)

    assert rows["token_id"].n_unique() == 1
    assert rows["market_date"][0] == READ_ON["early"]
    assert cliffs[READ_ON["changed"] - day] == 1e6
    assert cliffs[READ_ON["changed"]] == 2e6 + 5e5
    assert cliffs[READ_ON["late"] - day] == 5e5
    assert cliffs[READ_ON["late"]] == 0
    assert rows["linear_unlock_30d_tokens"][0] == pytest.approx(6e7 * 30 / 600)


def test_headlines_name_tokens_and_topics_once_a_title(full):
    news = full.query(
        "select max(headlines) as most, min(headlines) as fewest, sum(hack_headlines) as hacks, sum(etf_headlines) as etfs "
        "from marts.fct_news_daily where headlines is not null"
    )
    named = full.query("select count(distinct token_id) from marts.fct_mentions_daily").item()

    assert 4 <= news["fewest"].item() <= news["most"].item() <= 7  # the same sentence of two feeds is one headline
    assert news["hacks"].item() > 100
    assert news["etfs"].item() > 100
    assert named >= 4


def test_sentiment_counts_a_report_once_and_keeps_news_and_posts_apart(full):
    of_tokens = full.query("select * from marts.fct_sentiment_daily")
    of_market = full.query("select * from marts.fct_sentiment_market_daily order by market_date")
    counted = full.query("select count(*) from intermediate.int_texts_scored where not is_repeat").item()

    assert of_tokens["news_sentiment"].is_between(-1, 1).all()
    assert of_tokens.filter(pl.col("social_texts") > 0)["token_id"].n_unique() == 2
    assert set(of_market["social_texts"].drop_nulls()) == {4}
    assert of_market["social_positive_share"].drop_nulls().unique().to_list() == [0.5]
    assert of_market.select(pl.col("news_texts", "social_texts").sum()).sum_horizontal().item() == counted
    assert of_market["news_zscore_90d"].count() > 20


def test_caps_before_the_free_plan_are_the_first_supply_times_the_exchanges_price(free_plan):
    rows = free_plan.query(
        f"""select daily.*, first.supply from marts.fct_daily as daily
        left join (
            select token_id, arg_min(market_cap_usd / price_usd, market_date) as supply from marts.fct_daily
            where market_cap_usd is not null and not is_supply_carried group by token_id
        ) as first using (token_id)
        where market_date < date '{CHARTS_BEGIN}'"""
    )
    flagged = rows.filter("is_supply_carried")

    assert flagged.height > 1000
    assert "bitcoin" in set(flagged["token_id"])
    assert set(flagged["price_source"]) == {"binance"}
    assert (flagged["market_cap_usd"] / (flagged["supply"] * flagged["price_usd"]) - 1).abs().max() < 1e-12
    assert rows.filter(~pl.col("is_supply_carried"))["market_cap_usd"].null_count() == rows.height - flagged.height
    late = free_plan.query(
        f"select count(*) from marts.fct_daily where is_supply_carried and market_date >= date '{CHARTS_BEGIN}'"
    )
    assert late.item() == 0


def test_a_full_history_has_no_such_cap(full):
    assert full.query("select count(*) from marts.fct_daily where is_supply_carried").item() == 0


def test_such_a_cap_makes_no_candidate_of_an_index(free_plan):
    with connect(DataFolder(free_plan.root).warehouse) as connection:
        create_versioned_tables(connection)
        market = read_market(connection, load_definitions(DEFINITIONS_FOLDER), until=END)
        universe = connection.execute(
            "select market_date, count(*) filter (where is_supply_carried) as carried from marts.fct_universe_daily group by all"
        ).pl()
    sundays = universe.filter((pl.col("market_date").dt.weekday() == 7) & (pl.col("carried") > 0))["market_date"]

    assert len(sundays) > 20
    assert all(market.candidates(day).is_empty() for day in sundays)
    assert not market.candidates(END - timedelta(days=1)).is_empty()


def test_that_hindsight_stays_in_flagged_rows(new_warehouse, frames, free_plan):
    # What is known before the plan's year begins: the same prices, under the exchange's name and without a cap.
    week = date(2023, 6, 19)
    assert START < week < CHARTS_BEGIN
    truncated = new_warehouse()
    truncated.land_all({ASSETS.label: frames[ASSETS.label], BINANCE.label: frames[BINANCE.label]})
    truncated.build(week, arguments=PRICED)

    columns = ["market_date", "price_usd", "volume_24h_usd", "price_source"]
    before, after = (
        known_rows(each, "marts.fct_daily", week).filter(~pl.col("is_carried")) for each in (truncated, free_plan)
    )

    assert set(before["token_id"].str.split(":").list.first()) == {"binance"}
    assert not before["is_supply_carried"].any()
    unlinked = after.filter(~pl.col("is_supply_carried"))
    assert set(unlinked["token_id"].str.split(":").list.first()) <= {"binance"}
    assert first_difference(before.select(columns).sort(columns), after.select(columns).sort(columns)) is None

    # The year of the plan lands later: days before the build change hands, and their features with them.
    truncated.land(CHARTS, charts_of_a_year(frames))
    truncated.build(END, rebuilt=RebuiltDays(week), arguments=PRICED)
    for relation in ("marts.feat_token_daily", "marts.fct_daily"):
        now, at_once = (known_rows(each, relation, END) for each in (truncated, free_plan))
        assert first_difference(now, at_once, single_relative=ONE_ULP) is None


def test_facts_land_with_the_lags_that_the_seed_states(frames):
    lags = read_lags(LAGS)

    assert {(dataset.source, dataset.name) for dataset, _ in frames.values()} <= set(lags)
    assert set(fact_frames(frames)) <= set(frames)
