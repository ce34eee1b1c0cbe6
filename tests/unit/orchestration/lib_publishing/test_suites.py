from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.expectations import run_suite
from orchestration.lib.suites_landing import LANDING_SUITES, PreviousLoad
from orchestration.lib.suites_published import PUBLISHED_SUITES
from orchestration.lib.versioned_tables import VERSIONED_TABLES

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
WEEK = date(2025, 1, 6)
SUNDAY = date(2025, 1, 5)


def landed(**columns: list) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    always = {"source": "x", "data_source": "live", "available_at": AS_OF, "loaded_at": AS_OF, "load_id": "load-1"}
    nullable = {"symbol": pl.String, "market_cap_usd": pl.Float64, "status": pl.String}
    return pl.DataFrame(
        columns | {name: [value] * count for name, value in always.items()},
        schema_overrides={k: v for k, v in nullable.items() if k in columns},
    )


GOOD_LANDED = {
    "coingecko/market_daily": landed(
        coin_id=["bitcoin", "dust"],
        symbol=["BTC", None],
        market_date=[SUNDAY] * 2,
        price_usd=[98000.0, 1e-9],
        market_cap_usd=[1.9e12, None],
        volume_24h_usd=[2e10, 0.0],
    ),
    "binance/candles_daily": landed(
        market_id=["BTC/USDT"],
        quote=["USDT"],
        market_date=[SUNDAY],
        open_quote=[97000.0],
        high_quote=[99000.0],
        low_quote=[96000.0],
        close_quote=[98000.0],
        volume_base=[10.0],
        volume_quote=[980000.0],
    ),
    "coinmetrics/asset_metrics": landed(
        feed=["community"], asset=["btc"], market_date=[SUNDAY], metric=["AdrActCnt"], value=[1e6], status=[None]
    ),
    "alternative_me/fear_greed": landed(market_date=[SUNDAY], value=[76.0], classification=["Extreme Greed"]),
}


def check_landed(name: str, frame: pl.DataFrame, previous: PreviousLoad | None = None):
    return run_suite(frame, LANDING_SUITES[name](as_of=AS_OF, previous=previous), name=name)


@pytest.mark.parametrize("name", GOOD_LANDED)
def test_good_loads_pass(name):
    result = check_landed(name, GOOD_LANDED[name], PreviousLoad(ids=1))

    assert result.failures == ()


@pytest.mark.parametrize(
    ("name", "change", "column", "severity"),
    [
        ("coingecko/market_daily", {"price_usd": pl.lit(0.0)}, "price_usd", "critical"),
        ("coingecko/market_daily", {"price_usd": pl.lit(float("inf"))}, "price_usd", "critical"),
        ("coingecko/market_daily", {"coin_id": pl.lit("bitcoin")}, "coin_id, market_date, load_id", "critical"),
        ("coingecko/market_daily", {"coin_id": pl.lit(None, pl.String)}, "coin_id", "critical"),
        ("coingecko/market_daily", {"coin_id": pl.lit(7)}, "coin_id", "critical"),
        ("coingecko/market_daily", {"price_usd": pl.lit("7")}, "price_usd", "critical"),
        ("coingecko/market_daily", {"market_date": pl.lit("2025-01-05")}, "market_date", "critical"),
        ("coingecko/market_daily", {"market_cap_usd": pl.lit(1e20)}, "market_cap_usd", "warning"),
        ("coingecko/market_daily", {"market_date": pl.lit(date(2024, 12, 28))}, "market_date", "warning"),
        ("binance/candles_daily", {"high_quote": pl.lit(97500.0)}, "high_quote, close_quote", "warning"),
        ("binance/candles_daily", {"volume_base": pl.lit(-1.0)}, "volume_base", "critical"),
        ("coinmetrics/asset_metrics", {"asset": pl.lit("BTC")}, "asset", "critical"),
        ("coinmetrics/asset_metrics", {"market_date": pl.lit(date(2025, 1, 2))}, "market_date", "warning"),
        ("alternative_me/fear_greed", {"value": pl.lit(101.0)}, "value", "critical"),
        ("alternative_me/fear_greed", {"classification": pl.lit("Euphoria")}, "classification", "warning"),
    ],
)
def test_defects_of_loads_are_found(name, change, column, severity):
    result = check_landed(name, GOOD_LANDED[name].with_columns(**change))

    assert (column, severity) in [(failure.column, failure.severity) for failure in result.failures]


def test_a_key_may_come_again_in_another_load():
    first = GOOD_LANDED["coingecko/market_daily"]
    correction = first.with_columns(load_id=pl.lit("load-2"))

    assert check_landed("coingecko/market_daily", pl.concat([first, correction])).success


def test_an_empty_load_blocks():
    assert check_landed("coingecko/market_daily", GOOD_LANDED["coingecko/market_daily"].head(0)).is_blocking


@pytest.mark.parametrize(("previous", "blocks", "fails"), [(2, False, False), (3, False, True), (6, False, True)])
def test_a_feed_that_shrinks_is_noticed(previous, blocks, fails):
    result = check_landed("coingecko/market_daily", GOOD_LANDED["coingecko/market_daily"], PreviousLoad(ids=previous))

    assert (result.is_blocking, bool(result.failures)) == (blocks, fails)


def unit(**columns: list) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    return pl.DataFrame({"as_of_week": [WEEK] * count} | columns)


GOOD_PUBLISHED = {
    "learning.trader_grades": unit(
        token_id=["a", "b"], trader_grade=[0.0, 100.0], trader_rank=[0.0, 100.0], score=[-0.1, 0.2], coverage=[0.5, 1.0]
    ),
    "learning.trading_signals": unit(
        token_id=["a", "b"],
        signal=[-1, 1],
        signal_since_date=[SUNDAY, SUNDAY - timedelta(days=9)],
        p_bullish=[0.1, 1 / 3],
        p_neutral=[0.2, 1 / 3],
        p_bearish=[0.7, 1 / 3],
    ),
    "learning.investor_grades": unit(
        token_id=["a", "b"],
        investor_grade=[0.0, 100.0],
        investor_rank=[25.0, 75.0],
        score=[-0.1, 0.2],
        coverage=[0.5, 1.0],
    ),
    "learning.daily_grades": unit(
        market_date=[SUNDAY - timedelta(days=1), SUNDAY],
        token_id=["a", "a"],
        trader_score=[0.1, 0.2],
        trader_grade=[10.0, 100.0],
        trader_rank=[50.0, 50.0],
        investor_grade=[None, 50.0],
        investor_rank=[None, 50.0],
    ),
    "learning.daily_signals": unit(
        market_date=[SUNDAY - timedelta(days=1), SUNDAY],
        token_id=["a", "a"],
        signal=[0, 1],
        signal_since_date=[SUNDAY - timedelta(days=5), SUNDAY],
        p_bullish=[0.2, 0.5],
        p_neutral=[0.6, 0.4],
        p_bearish=[0.2, 0.1],
    ),
    "learning.price_ranges": unit(
        token_id=["a", "a"],
        horizon_days=[7, 14],
        price_usd=[2.0, 2.0],
        return_low=[-0.1, -0.2],
        return_high=[0.1, 0.3],
    ),
    "learning.grade_explanations": unit(
        model=["trader"] * 2,
        token_id=["a"] * 2,
        place=[1, 2],
        feature=["return_7d", "fear_greed"],
        contribution=[-0.02, 0.01],
        sentence=["x", "y"],
    ),
    "learning.sub_grades": unit(
        token_id=["a"] * 2,
        sub_grade=["technical", "technology"],
        grade=[50.0, None],
        basis=["model", "descriptive"],
        coverage=[1.0, 0.2],
    ),
    "learning.trade_actions": unit(
        token_id=["a", "b", "c"],
        signal=[1, 1, -1],
        action=["enter small", "enter small", "scale out"],
        action_reason=["x", "y", "z"],
        position_weight=[0.05, None, 0.0],
        peer_share=[0.5, None, 0.0],
        closes_on_side=[7, 1, None],
        confirmations_true=[5, 0, 0],
        confirmations_known=[5, 0, 2],
    ),
    "learning.model_evaluation": unit(
        model=["m"] * 2, universe=["broad"] * 2, metric=["rank_ic", "tokens"], value=[0.1, 400.0]
    ),
    "learning.investor_evaluation": unit(
        model=["m"] * 2, universe=["sector_AI"] * 2, metric=["partial_rank_ic", "tokens"], value=[-1.0, 20.0]
    ),
    "learning.call_outcomes": unit(
        token_id=["a", "b"], signal=[1, 0], call_origin=["published", "backfilled"], return_14d=[-1.0, None]
    ),
    "learning.model_monitor": unit(model=["trader"] * 2, metric=["psi_max", "age_days"], value=[0.3, 42.0]),
    "learning.confidence": unit(
        token_id=["a", "b"],
        trader_novelty=[0.01, 0.2],
        trader_confidence=[0.9, 0.5],
        investor_novelty=[None, 0.2],
        investor_confidence=[None, 0.5],
        calls_novelty=[0.0, 1.0],
        calls_confidence=[1.0, 0.0],
    ),
    "learning.bull_bear": unit(universe=["broad"], bullish_share=[0.6], bearish_share=[0.4], tokens=[100]),
    "indices.compositions": unit(index_id=["x", "x", "y"], token_id=["a", "b", "a"], weight=[0.25, 0.75, 1.0]),
    "indices.rebalances": unit(
        index_id=["x"] * 3, effective_at=[AS_OF] * 3, token_id=["a", "b", "c"], target_weight=[1 / 3] * 3
    ),
    "indices.levels": unit(
        index_id=["x"] * 2,
        date=[SUNDAY - timedelta(days=1), SUNDAY],
        level=[100.0, None],
        status=["available", "unavailable"],
        status_reason=[None, "only 3 constituents"],
    ),
    "screens.moonshot_chances": unit(
        token_id=["a", "b"],
        p_2x_90d=[0.2, 0.1],
        p_3x_90d=[0.05, 0.1],
        price_usd=[1.0, 2.0],
        market_cap_usd=[1e6, 2e6],
        volatility_30d=[0.9, None],
        volatility_quintile=[5, None],
        cap_tercile=[1, 3],
    ),
    "screens.moonshots": unit(
        token_id=["a", "b"],
        rank=[1, 2],
        checks_true=[3, 2],
        checks_known=[9, 2],
        price_usd=[1.0, None],
        market_cap_usd=[1e6, 2e6],
        ranked_by=["p_2x_90d", "score"],
        p_2x_90d=[0.2, None],
        p_3x_90d=[0.1, None],
        base_rate_2x_90d=[0.15, None],
        base_rate_half_90d=[0.4, None],
        risk_class=["medium", "extreme"],
        position_weight=[0.01, None],
        # The second has no range, so neither zone nor stop, but targets.
        stop_usd=[0.7, None],
        entry_low_usd=[0.95, None],
        entry_high_usd=[1.05, None],
        target_1_usd=[1.5, 3.0],
        target_2_usd=[2.0, 4.0],
        target_3_usd=[3.0, 6.0],
    ),
    "screens.moonshot_candidates": unit(
        token_id=["a", "b"],
        place=[1, 50],
        is_pick=[True, False],
        p_2x_90d=[0.2, None],
        checks_true=[3, 2],
        checks_known=[9, 2],
    ),
    "screens.base_rates": unit(
        cap_bucket=["1m_to_5m", "all"],
        volatility_bucket=["over_180", "all"],
        outcome=["2x", "half"],
        horizon_days=[90, 365],
        observations=[4, 200],
        hits=[0, 120],
        share=[0.0, 0.6],
        share_low=[None, 0.4],
        share_high=[None, 0.8],
        touched_share=[0.25, 0.7],
        stopped_share=[0.0, 0.1],
        tokens=[2, 50],
    ),
    "screens.token_warnings": unit(
        token_id=["a", "a"],
        warning=["pump", "thin_volume"],
        is_excluding=[True, True],
        value=[1.4, 0.0001],
        threshold=[0.5, 0.0002],
        reason=["rose by 140 %", "a cap of 2 M USD"],
    ),
    "screens.warning_coverage": unit(
        token_id=["a", "b"],
        warnings_checked=[15, 21],
        warnings_total=[21, 21],
        warnings_raised=[2, 0],
        is_excluded=[True, False],
        not_checked=["thin_book", None],
    ),
}


def check_published(name: str, frame: pl.DataFrame):
    return run_suite(frame, PUBLISHED_SUITES[name](), name=name)


@pytest.mark.parametrize("name", GOOD_PUBLISHED)
def test_good_units_pass(name):
    assert check_published(name, GOOD_PUBLISHED[name]).failures == ()


@pytest.mark.parametrize("name", GOOD_PUBLISHED)
def test_every_published_key_is_unique(name):
    twice = pl.concat([GOOD_PUBLISHED[name]] * 2)

    result = check_published(name, twice)

    assert any("unique" in failure.expectation for failure in result.failures)
    assert result.is_blocking


@pytest.mark.parametrize(
    ("name", "change", "column"),
    [
        ("learning.trader_grades", {"trader_grade": pl.lit(100.1)}, "trader_grade"),
        ("learning.trader_grades", {"score": pl.lit(None, pl.Float64)}, "score"),
        ("learning.trading_signals", {"signal": pl.lit(2)}, "signal"),
        ("learning.daily_signals", {"p_bearish": pl.lit(0.7)}, "probability_sum"),
        ("learning.investor_grades", {"investor_rank": pl.lit(-1.0)}, "investor_rank"),
        ("learning.daily_grades", {"trader_grade": pl.lit(101.0)}, "trader_grade"),
        ("learning.price_ranges", {"return_low": pl.lit(0.05)}, "return_low"),
        ("learning.grade_explanations", {"sentence": pl.lit(None, pl.String)}, "sentence"),
        ("learning.sub_grades", {"basis": pl.lit("felt")}, "basis"),
        ("learning.trade_actions", {"action": pl.lit("buy")}, "action"),
        ("learning.trade_actions", {"position_weight": pl.lit(0.05)}, "weight_without_entry"),
        ("learning.trade_actions", {"confirmations_true": pl.lit(3)}, "confirmations_known, confirmations_true"),
        ("learning.trading_signals", {"p_bearish": pl.lit(0.69)}, "probability_sum"),
        ("learning.call_outcomes", {"call_origin": pl.lit("both")}, "call_origin"),
        ("learning.model_evaluation", {"value": pl.lit(1.1)}, "correlation"),
        ("learning.investor_evaluation", {"value": pl.lit(None, pl.Float64)}, "value"),
        ("learning.model_monitor", {"value": pl.lit(-1.0)}, "value"),
        ("learning.confidence", {"calls_confidence": pl.lit(1.01)}, "calls_confidence"),
        ("learning.bull_bear", {"bearish_share": pl.lit(0.5)}, "share_sum"),
        ("indices.compositions", {"weight": pl.col("weight") * 0.99}, "weight_sum"),
        ("indices.rebalances", {"target_weight": pl.lit(0.34)}, "target_weight_sum"),
        ("indices.levels", {"level": pl.lit(0.0)}, "level"),
        ("indices.levels", {"level": pl.lit(None, pl.Float64)}, "is_level_accounted_for"),
        ("indices.levels", {"status_reason": pl.lit(None, pl.String)}, "is_level_accounted_for"),
        ("screens.moonshot_chances", {"p_3x_90d": pl.lit(0.15)}, "p_2x_90d, p_3x_90d"),
        ("screens.moonshot_chances", {"p_2x_90d": pl.lit(1.2)}, "p_2x_90d"),
        ("screens.moonshots", {"rank": pl.lit(1)}, "as_of_week, rank"),
        ("screens.token_warnings", {"warning": pl.lit("pumped")}, "warning"),
        ("screens.token_warnings", {"reason": pl.lit(None, pl.String)}, "reason"),
        ("screens.warning_coverage", {"warnings_checked": pl.lit(1)}, "warnings_checked, warnings_raised"),
        ("screens.moonshots", {"checks_true": pl.lit(4)}, "checks_known, checks_true"),
        ("screens.moonshots", {"stop_usd": pl.lit(0.96)}, "entry_low_usd, stop_usd"),
        ("screens.moonshots", {"entry_high_usd": pl.lit(1.6)}, "target_1_usd, entry_high_usd"),
        ("screens.moonshots", {"target_3_usd": pl.lit(2.5)}, "target_3_usd, target_2_usd"),
        ("screens.moonshots", {"position_weight": pl.lit(0.02)}, "position_weight"),
        ("screens.moonshots", {"risk_class": pl.lit("low")}, "risk_class"),
        ("screens.moonshots", {"ranked_by": pl.lit("market_cap_usd")}, "ranked_by"),
        ("screens.moonshot_candidates", {"place": pl.lit(1)}, "as_of_week, place"),
        ("screens.moonshot_candidates", {"place": pl.lit(0)}, "place"),
        ("screens.base_rates", {"outcome": pl.lit("4x")}, "outcome"),
        ("screens.base_rates", {"hits": pl.lit(201)}, "observations, hits"),
        ("screens.base_rates", {"share_low": pl.lit(0.61)}, "share, share_low"),
        ("screens.base_rates", {"observations": pl.lit(0)}, "observations"),
    ],
)
def test_defects_of_units_block(name, change, column):
    result = check_published(name, GOOD_PUBLISHED[name].with_columns(**change))

    assert column in [failure.column for failure in result.failures]
    assert result.is_blocking


def test_a_unit_whose_weights_are_off_is_shown():
    frame = GOOD_PUBLISHED["indices.compositions"].with_columns(
        weight=pl.when(pl.col("index_id") == "y").then(0.5).otherwise(pl.col("weight"))
    )

    (failure,) = check_published("indices.compositions", frame).failures

    assert (failure.unexpected_count, failure.sample[0]["index_id"], failure.sample[0]["weight_sum"]) == (1, "y", 0.5)


@pytest.mark.parametrize("name", GOOD_PUBLISHED)
def test_a_week_without_rows_is_no_defect(name):
    assert check_published(name, GOOD_PUBLISHED[name].head(0)).failures == ()


def test_every_versioned_table_has_a_suite():
    assert set(PUBLISHED_SUITES) == {table.full_name for table in VERSIONED_TABLES}
