"""What the scam filter finds of the simulated market's scams, kind by kind, and how often it cries without one.

The market has more scams than by default, so that every kind has enough cases, and a seed on which no threshold was chosen.
"""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from models_ml.screens.scam_filter.token_warnings import FilterSettings, raised_warnings, warning_coverage
from orchestration.evaluation.scam_filter import filter_skill, true_spells
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.filter_inputs import filter_inputs
from orchestration.lib.warehouse import connect
from orchestration.lib.weeks import mondays
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import DefectRates, SimulationSettings
from tests.integration.warehouse.synthetic_market import ASSETS, BINANCE, CHARTS, candle_frame, served_chart

SEED = 23
START, END = date(2022, 1, 3), date(2024, 1, 1)
MODELS = (
    *("--select", "+fct_universe_daily", "+corrections", "+fct_liquidity_daily", "+fct_holders_daily"),
    *("+fct_pools_daily", "--exclude-resource-types", "unit_test", "test"),
)


def scam_market(seed: int = SEED, tokens: int = 100) -> SimulatedMarket:
    return simulate_market(
        SimulationSettings(
            seed=seed,
            tokens=tokens,
            start=START,
            end=END,
            pump_share=0.3,
            scam_share=0.2,
            defects=DefectRates(wash_volumes=15, fake_caps=12),
        )
    )


def land_market(warehouse, market: SimulatedMarket) -> None:
    """Land the market's charts and candles as served a day after its end."""
    served = ServedMarket(market, SandboxClock(datetime(END.year, END.month, END.day, 1, tzinfo=UTC)))
    charts = pl.concat([served_chart(served, index) for index in range(len(market.members))])
    candles = [
        candle_frame(
            f"{ticker}/USDT",
            ticker,
            "USDT",
            None,
            [START + timedelta(days=int(day)) for day in days],
            rows[:, 3],
            rows[:, 3] * rows[:, 4],
        )
        for ticker in served.tickers()
        for days, rows in [served.ticker_candles(ticker)]
    ]
    before_end = pl.col("market_date") < END
    warehouse.land(CHARTS, charts.filter(before_end).unique(CHARTS.key, keep="first", maintain_order=True))
    warehouse.land(BINANCE, pl.concat(candles).filter(before_end))
    coins = [{"coin_id": token.coin_id, "symbol": token.symbol, "name": token.name} for token in served.members]
    warehouse.land(ASSETS, pl.DataFrame(coins))


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return scam_market()


@pytest.fixture(scope="module")
def warehouse(new_warehouse, market):
    made = new_warehouse()
    land_market(made, market)
    made.build(END, arguments=MODELS)
    return made


@pytest.fixture(scope="module")
def inputs(warehouse):
    with connect(DataFolder(warehouse.root).warehouse, read_only=True) as connection:
        return filter_inputs(connection, mondays(START + timedelta(days=35), END), settings=FilterSettings())


@pytest.fixture(scope="module")
def skill(market, inputs):
    settings = FilterSettings()
    return filter_skill(true_spells(market), raised_warnings(inputs, settings), warning_coverage(inputs, settings))


def test_nine_of_ten_weeks_of_scams_are_known_and_fewer_than_one_in_ten_clean_weeks_is_accused(skill):
    assert skill.clean_weeks > 2000
    assert skill.recall >= 0.9, skill.by_kind
    assert skill.false_alarm_rate < 0.1, skill.alarms_by_warning


def test_every_kind_of_scam_is_known_while_it_can_hurt(skill):
    kinds = set(skill.by_kind["kind"])

    assert kinds == {"pump", "rug_pull", "wash_trading", "wash_volume", "fake_cap"}
    assert skill.by_kind.filter(pl.col("spell_recall") < 0.9).is_empty(), skill.by_kind


def test_a_week_is_judged_by_what_came_before_it(warehouse, inputs):
    cut = date(2023, 3, 6)
    with connect(DataFolder(warehouse.root).warehouse, read_only=True) as connection:
        alone = filter_inputs(connection, [cut], settings=FilterSettings())

    # The same row comes of a range that ends with the week as of one that goes on for months.
    expected = inputs.filter(pl.col("as_of_week") == cut)
    assert alone.height > 50
    for column in expected.columns:
        left, right = alone[column], expected[column]
        if column in ("days_since_pump", "pump_rise", "pump_volume_surge", "pump_given_back"):
            in_reach = expected["days_since_pump"] <= FilterSettings().pump.dump_in_force_days
            left, right = left.filter(in_reach.fill_null(value=False)), right.filter(in_reach.fill_null(value=False))
        if column in ("days_since_collapse", "collapse_return"):
            in_reach = expected["days_since_collapse"] <= FilterSettings().pump.collapse_in_force_days
            left, right = left.filter(in_reach.fill_null(value=False)), right.filter(in_reach.fill_null(value=False))
        assert (left.is_null() == right.is_null()).all(), column
        if left.dtype == pl.Float64:
            assert ((left - right).abs() <= 1e-9 * right.abs().clip(lower_bound=1e-12)).fill_null(value=True).all(), (
                column
            )
        else:
            assert left.eq_missing(right).all(), column
