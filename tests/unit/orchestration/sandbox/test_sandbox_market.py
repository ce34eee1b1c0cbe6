from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.settings import DefectRates, SimulationSettings
from orchestration.sandbox.tokens import make_tokens

FRAMES = ("tokens", "daily", "on_chain", "fear_greed", "defects", "events", "regimes")


def small(seed: int) -> SimulationSettings:
    return SimulationSettings(seed=seed, tokens=40, end=date(2022, 12, 31))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_equal_settings_give_equal_markets(seed: int):
    first, second = simulate_market(small(seed)), simulate_market(small(seed))

    for name in FRAMES:
        assert getattr(first, name).equals(getattr(second, name), null_equal=True), name


def test_another_seed_gives_another_market():
    first, second = simulate_market(small(1)), simulate_market(small(2))

    assert not first.daily["price_usd"].equals(second.daily["price_usd"])


def test_changing_the_rate_of_defects_leaves_the_truth_alone(market: SimulatedMarket):
    clean = simulate_market(SimulationSettings(defects=DefectRates.none()))

    assert clean.defects.is_empty()
    assert clean.daily.equals(market.daily)
    assert clean.on_chain.equals(market.on_chain, null_equal=True)


def test_default_market_holds_the_tokens_that_features_are_measured_against(market: SimulatedMarket):
    by_id = {row["coin_id"]: row for row in market.tokens.iter_rows(named=True)}

    assert by_id["bitcoin"]["symbol"] == "BTC"
    assert by_id["ethereum"]["symbol"] == "ETH"
    assert by_id["tether"]["is_stable"]
    assert by_id["usd-coin"]["is_stable"]
    assert by_id["wrapped-bitcoin"]["is_wrapped"]


def test_default_market_has_births_deaths_pumps_and_a_shared_ticker(market: SimulatedMarket):
    tokens = market.tokens

    assert tokens.height == tokens["coin_id"].n_unique() == 250
    assert 50 <= (tokens["birth_date"] > market.settings.start).sum() <= 70
    assert 20 <= tokens["death_date"].count() <= 30
    assert market.events.filter(kind="pump").height == 40
    assert tokens["symbol"].n_unique() == 249
    assert tokens.filter(pl.col("coinmetrics_metrics").list.len() > 0).height == 12
    assert tokens["sector"].n_unique() >= 12


@pytest.mark.parametrize("tokens", [420, 1_700, 6_000])
def test_tokens_of_a_large_market_have_ids_of_their_own_and_share_one_ticker(tokens: int):
    members = make_tokens(SimulationSettings(tokens=tokens))

    assert len({token.coin_id for token in members}) == tokens
    assert len({token.symbol for token in members}) == tokens - 1


def test_daily_rows_span_exactly_the_life_of_each_token(market: SimulatedMarket):
    spans = market.daily.group_by("coin_id").agg(
        first=pl.col("market_date").min(), last=pl.col("market_date").max(), days=pl.len()
    )
    joined = market.tokens.join(spans, on="coin_id")

    assert joined.height == 250
    assert joined.filter(pl.col("first") != pl.col("birth_date")).is_empty()
    assert joined.filter(pl.col("last") != pl.col("death_date").fill_null(market.settings.end)).is_empty()
    assert joined.filter((pl.col("last") - pl.col("first")).dt.total_days() + 1 != pl.col("days")).is_empty()


def test_candles_hold_their_own_prices(market: SimulatedMarket):
    daily = market.daily

    assert daily.null_count().sum_horizontal().item() == 0
    assert daily.filter(pl.col("high_usd") < pl.max_horizontal("open_usd", "price_usd")).is_empty()
    assert daily.filter(pl.col("low_usd") > pl.min_horizontal("open_usd", "price_usd")).is_empty()
    assert daily.filter(pl.col("volume_usd") <= 0).is_empty()
    assert (daily["market_cap_usd"] / daily["price_usd"] / daily["circulating_supply_tokens"] - 1).abs().max() < 1e-9


def test_volatility_falls_with_size(market: SimulatedMarket):
    moves = (
        market.daily.with_columns(move=pl.col("price_usd").log().diff().over("coin_id"))
        .group_by("coin_id")
        .agg(volatility=pl.col("move").std(), cap=pl.col("market_cap_usd").first())
        .join(market.tokens.filter(~pl.col("is_stable") & ~pl.col("is_wrapped") & ~pl.col("is_fake_cap")), on="coin_id")
    )

    major = moves.filter(pl.col("cap") > 1e10)["volatility"].median()
    micro = moves.filter(pl.col("cap") < 1e7)["volatility"].median()

    assert 0.02 < major < 0.04
    assert 0.075 < micro < 0.12


def test_returns_have_fat_tails(market: SimulatedMarket):
    moves = market.daily.filter(coin_id="bitcoin")["price_usd"].log().diff().drop_nulls()

    assert moves.kurtosis() > 1.5


def test_pegged_tokens_stay_at_their_peg(market: SimulatedMarket):
    prices = market.daily.pivot("coin_id", index="market_date", values="price_usd")

    assert (prices["usd-coin"] - 1).abs().max() < 0.02
    assert (prices["wrapped-bitcoin"] / prices["bitcoin"] - 1).abs().max() < 0.03


def test_a_dying_token_ends_far_below_its_last_quarter(market: SimulatedMarket):
    dying = market.tokens.drop_nulls("death_date")["coin_id"]
    falls = (
        market.daily.filter(pl.col("coin_id").is_in(dying.to_list()))
        .group_by("coin_id")
        .agg(fall=pl.col("price_usd").last() / pl.col("price_usd").tail(90).first())
    )

    assert falls["fall"].median() < 0.3


def test_the_fake_cap_token_is_larger_than_bitcoin_and_hardly_trades(market: SimulatedMarket):
    first_day = market.daily.filter(market_date=market.settings.start)
    fake_id = market.tokens.filter("is_fake_cap")["coin_id"].item()
    fake, bitcoin = (first_day.filter(coin_id=coin_id).row(0, named=True) for coin_id in (fake_id, "bitcoin"))

    assert fake["market_cap_usd"] > bitcoin["market_cap_usd"]
    assert fake["volume_usd"] < 1_000


def test_a_market_too_small_or_too_short_is_refused():
    with pytest.raises(ValueError, match="at least 30"):
        SimulationSettings(tokens=10)
    with pytest.raises(ValueError, match="at least 200 days"):
        SimulationSettings(end=date(2022, 3, 1))


def test_the_clock_wants_a_time_zone_and_moves():
    clock = SandboxClock(datetime(2025, 1, 6, 18, tzinfo=UTC))

    clock.advance(timedelta(hours=12))

    assert (clock.today, clock.day_fraction) == (date(2025, 1, 7), 0.25)
    with pytest.raises(ValueError, match="without a time zone"):
        clock.now = datetime(2025, 1, 6)  # noqa: DTZ001 - the missing zone is what is tested
