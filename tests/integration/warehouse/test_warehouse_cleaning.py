"""What cleaning finds of the simulated market's known defects, rule by rule, and whom its series are linked to.

The market errs several times more often than by default, so that every rule has enough cases. Recall is the share of the defects that a
rule finds, precision the share of what it finds that are defects.
"""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import DefectRates, SimulationSettings
from tests.integration.warehouse.synthetic_market import ASSETS, BINANCE, CHARTS, candle_frame, served_chart

START, END = date(2022, 1, 3), date(2024, 7, 1)
ENOUGH = 0.95
DEFECTS = DefectRates(
    gaps=150, bad_ticks=150, zero_caps=40, candle_gaps=100, candle_bad_ticks=100, wash_volumes=15, fake_caps=10
)
MODELS = (*("--select", "+corrections", "+int_closes_resolved"), "--exclude-resource-types", "unit_test", "test")
KEY = ["token_id", "market_date"]
CLAIMANT = "grandeval-reserve"
"""A token of every simulated market that claims a cap of trillions on the volume of a lunch, all its life."""


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    settings = SimulationSettings(tokens=80, start=START, end=END, defects=DEFECTS, identity_events=True)
    return simulate_market(settings)


@pytest.fixture(scope="module")
def served(market):
    return ServedMarket(market, SandboxClock(datetime(END.year, END.month, END.day, 1, tzinfo=UTC)))


@pytest.fixture(scope="module")
def cleaned(new_warehouse, market, served):
    """The market's charts and candles as served a day after its end, cleaned."""
    warehouse = new_warehouse()
    charts = [served_chart(served, index) for index in range(len(market.members))]
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
    warehouse.land(CHARTS, before_end(pl.concat(charts)).unique(CHARTS.key, keep="first", maintain_order=True))
    warehouse.land(BINANCE, before_end(pl.concat(candles)))
    coins = [{"coin_id": token.coin_id, "symbol": token.symbol, "name": token.name} for token in served.members]
    warehouse.land(ASSETS, pl.DataFrame(coins))
    warehouse.build(END, arguments=MODELS)
    return warehouse


def before_end(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("market_date") < END)


def defects_of(market: SimulatedMarket, source: str, kind: str, field: str) -> pl.DataFrame:
    """Token days with a defect, before the end."""
    found = market.defects.filter(source=source, kind=kind, field=field)
    return before_end(found).select(pl.col("coin_id").alias("token_id"), "market_date", "true_value")


def corrections_of(warehouse, *rules: str) -> pl.DataFrame:
    return warehouse.query(
        f"select distinct token_id, market_date from quality.corrections where rule in {(*rules, '')}"
    )


def recall_and_precision(defects: pl.DataFrame, found: pl.DataFrame) -> tuple[float, float]:
    hits = defects.join(found, on=KEY, how="semi").height
    return hits / defects.height, hits / found.height


def judgeable(market, defects: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    """Without days on which the provider's chart has another defect of some kinds."""
    others = market.defects.filter(pl.col("source") == "coingecko", pl.col("kind").is_in(kinds))
    return defects.join(others.select(pl.col("coin_id").alias("token_id"), "market_date"), on=KEY, how="anti")


def test_bad_ticks_are_found_and_true_moves_are_kept(market, cleaned):
    ticks = defects_of(market, "coingecko", "bad_tick", "price_usd")

    recall, precision = recall_and_precision(ticks, corrections_of(cleaned, "bad_tick", "source_outlier"))
    _, held_back_rightly = recall_and_precision(ticks, corrections_of(cleaned, "held_back", "source_outlier"))

    assert ticks.height > 50
    assert recall > ENOUGH
    assert precision > ENOUGH
    assert held_back_rightly > ENOUGH


def test_a_wrong_candle_moves_no_price(market, cleaned):
    wrong = defects_of(market, "binance", "bad_tick", "close_quote")

    prices = wrong.join(cleaned.query("select token_id, market_date, price_usd from marts.fct_daily"), on=KEY)

    assert wrong.height > 20
    assert prices.height == wrong.height
    assert ((prices["price_usd"] / prices["true_value"] - 1).abs() < 0.1).mean() > ENOUGH


def test_missing_days_are_carried_or_told_by_another_source(market, cleaned):
    gaps = defects_of(market, "coingecko", "gap", "price_usd")
    told = cleaned.query("select token_id, market_date from marts.fct_daily where price_source != 'coingecko'")
    carried = corrections_of(cleaned, "gap_carried")
    ticks = defects_of(market, "coingecko", "bad_tick", "price_usd")

    recall, _ = recall_and_precision(gaps, pl.concat([carried, told]))
    ended = cleaned.query(
        """select token_id, market_date from marts.fct_daily
        qualify is_carried and priced_date = max(priced_date) over (partition by token_id)"""
    )
    # The days after a series' last price are carried as well: nobody knew yet that it was the last.
    _, precision = recall_and_precision(pl.concat([gaps, ticks]), carried.join(ended, on=KEY, how="anti"))

    assert gaps.height > 100
    assert recall > ENOUGH
    assert precision > ENOUGH


@pytest.mark.parametrize(("rule", "kind"), [("zero_cap", "zero_cap"), ("implausible_cap", "fake_cap")])
def test_caps_that_cannot_be_are_found_and_no_others(market, cleaned, rule, kind):
    claims = defects_of(market, "coingecko", kind, "market_cap_usd")

    found = corrections_of(cleaned, rule).filter(pl.col("token_id") != CLAIMANT)
    recall, precision = recall_and_precision(claims, found)

    assert claims.height > 100
    assert recall > ENOUGH
    assert precision > ENOUGH


def test_made_up_volumes_are_found_and_no_others(market, cleaned):
    claims = defects_of(market, "coingecko", "wash_volume", "volume_24h_usd")
    found = corrections_of(cleaned, "wash_volume")

    recall, _ = recall_and_precision(judgeable(market, claims, "gap", "bad_tick", "zero_cap", "fake_cap"), found)
    _, precision = recall_and_precision(claims, found)

    assert claims.height > 500
    assert recall > ENOUGH
    assert precision > ENOUGH


def test_what_is_trusted_of_a_made_up_volume_is_of_the_order_of_the_true_one(market, cleaned):
    claims = defects_of(market, "coingecko", "wash_volume", "volume_24h_usd")
    trusted = cleaned.query(
        "select token_id, market_date, trusted_volume_24h_usd, volume_24h_usd from marts.fct_daily where wash_mark is not null"
    )

    ratios = claims.join(trusted, on=KEY).select(
        before=(pl.col("volume_24h_usd") / pl.col("true_value")).median(),
        after=(pl.col("trusted_volume_24h_usd") / pl.col("true_value")).median(),
    )

    assert ratios["before"].item() > 8
    assert 0.25 < ratios["after"].item() < 4


def test_no_market_is_linked_to_another_coin(market, served, cleaned):
    linked = cleaned.query(
        "select market_id, market_date, token_id from intermediate.int_closes_resolved where linked_date is not null"
    )
    truth = pl.DataFrame(
        [
            (f"{use.symbol}/USDT", market.members[use.index].coin_id, use.first_day, use.last_day or 10_000)
            for use in market.ticker_uses
        ],
        schema={"market_id": pl.String, "coin_id": pl.String, "first_day": pl.Int64, "last_day": pl.Int64},
        orient="row",
    )
    days = (pl.col("market_date") - pl.lit(START)).dt.total_days()

    judged = linked.join(truth, on="market_id").filter(days.is_between("first_day", "last_day"))

    assert judged.height > 20_000
    assert judged.filter(pl.col("token_id") != pl.col("coin_id")).is_empty()
