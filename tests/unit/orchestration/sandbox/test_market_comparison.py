"""Statistics of the comparison with the real market, on histories whose figures are known."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from orchestration.market_comparison.figures import (
    DeathRate,
    autocorrelation_of_sizes,
    correlation_with_bitcoin,
    count_pumps,
    daily_volatility,
    dispersion,
    measure,
    pumps_per_100_token_years,
    real_death_rate,
    simulated_death_rate,
    tail_index,
    terciles,
    turnover,
)
from orchestration.market_comparison.page import render_table
from orchestration.market_comparison.tokens import Token, read_real, read_simulated
from orchestration.sandbox.market import SimulatedMarket


def token(log_returns: np.ndarray, *, coin_id: str = "one", cap: float = 1e8, volume: float = 1e6) -> Token:
    price = np.exp(np.concatenate([[0.0], np.cumsum(log_returns)]))
    return Token(coin_id, price, np.full(price.size, cap), np.full(price.size, volume))


def normal(seed: int, days: int = 1_000, scale: float = 0.05) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal(days)


def pumped(*, gain: float = 1.5, liveliness: float = 8.0, given_back: float = 0.8) -> Token:
    """Flat at 1, up by `gain` over days 50 to 52, down by a part of it on day 55."""
    price, volume = np.ones(120), np.full(120, 1e6)
    price[50:55] = 1 + gain * np.array([0.4, 0.7, 1.0, 1.0, 1.0])
    price[55:] = 1 + gain * (1 - given_back)
    volume[50:53] *= liveliness
    return Token("pumped", price, np.full(120, 1e8), volume)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_the_tail_index_of_a_pareto_tail_is_its_exponent(exponent: float):
    random = np.random.default_rng(7)
    sizes = 0.001 * (1 + random.pareto(exponent, 40_000))
    returns = np.clip(sizes * random.choice([-1.0, 1.0], sizes.size), -2.0, 2.0)

    assert tail_index(token(returns)) == pytest.approx(exponent, rel=0.08)


def test_volatility_and_turnover_are_those_of_the_history():
    history = token(normal(1, scale=0.05), cap=2e8, volume=5e6)

    assert daily_volatility(history) == pytest.approx(0.05, rel=0.05)
    assert turnover(history) == pytest.approx(0.025)


def test_moves_beyond_ten_times_and_days_beside_gaps_count_as_unknown():
    returns = normal(2, days=300)
    history = token(returns)
    history.price[100] *= 1_000.0
    history.price[200] = np.nan

    known = history.log_returns

    assert np.flatnonzero(np.isnan(known)).tolist() == [99, 100, 199, 200]
    assert daily_volatility(history) == pytest.approx(returns.std(), rel=0.05)


def test_correlation_with_bitcoin_leaves_bitcoin_out():
    bitcoin = normal(3)
    follower = 0.6 * bitcoin + 0.8 * normal(4)

    found = correlation_with_bitcoin([token(bitcoin, coin_id="bitcoin"), token(follower)])

    assert found == pytest.approx([0.6], abs=0.05)


def test_sizes_that_last_for_weeks_are_correlated_and_independent_ones_are_not():
    random = np.random.default_rng(5)
    state = np.repeat(random.choice([0.01, 0.08], 40), 50)

    assert autocorrelation_of_sizes(token(state * random.standard_normal(2_000)), 1) > 0.3
    assert abs(autocorrelation_of_sizes(token(normal(6, days=2_000)), 1)) < 0.06


def test_a_pump_needs_the_gain_the_volume_and_the_fall():
    assert count_pumps(pumped()) == 1
    assert count_pumps(pumped(gain=0.9)) == 0
    assert count_pumps(pumped(liveliness=3.0)) == 0
    assert count_pumps(pumped(given_back=0.3)) == 0


def test_pumps_are_counted_by_years_lived():
    # 2 tokens of 120 days with one pump each.
    assert pumps_per_100_token_years([pumped(), pumped()]) == pytest.approx(100 * 2 / (240 / 365))


def test_simulated_pumps_are_found_by_the_same_definition(market: SimulatedMarket):
    listed = market.events.filter(kind="pump").height

    found = sum(count_pumps(one) for one in read_simulated(market))

    # Some of those listed do not double the price, and some tokens double by themselves.
    assert 0.4 * listed < found < 1.2 * listed


def test_dispersion_is_the_spread_of_fortnightly_returns():
    tokens = [token(normal(seed, days=400, scale=0.05), coin_id=str(seed)) for seed in range(60)]

    assert np.median(dispersion(tokens)) == pytest.approx(0.05 * np.sqrt(14), rel=0.08)


def test_terciles_are_by_size_whatever_the_order():
    tokens = [token(normal(1), cap=cap) for cap in (5.0, 1.0, 6.0, 2.0, 4.0, 3.0)]

    small, middle, large = terciles(tokens, lambda one: one.median_cap)

    assert (sorted(small), sorted(middle), sorted(large)) == ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])


def test_simulated_deaths_are_counted_by_years_lived(market: SimulatedMarket):
    years = market.daily.height / 365
    dead = market.tokens["death_date"].count()

    assert simulated_death_rate(market).a_year == pytest.approx(dead / years)


def test_the_real_death_rate_allows_for_coins_the_later_file_lacks(tmp_path: Path):
    # Of 400 coins 200 survive, and the later file has every second one of those.
    early = [f"coin-{number}" for number in range(400)]
    listed = pl.DataFrame({"source": "cmc_2018h1", "slug": early, "date": date(2018, 7, 2)})
    later = pl.DataFrame({"source": "cmc_to_2020", "slug": early[:200:2], "date": date(2020, 12, 16)})
    pl.concat([listed, later]).write_parquet(tmp_path / "candles_daily_cmc.parquet")
    known = pl.DataFrame({"name": [f"Coin {number}" for number in range(100)], "date": date(2021, 2, 1)})
    known.write_parquet(tmp_path / "market_cap_snapshots_cmc.parquet")

    rate = real_death_rate(tmp_path)

    years = (date(2020, 12, 16) - date(2018, 7, 1)).days / 365.25
    assert rate.a_year == pytest.approx(1 - 0.5 ** (1 / years))
    assert rate.low < rate.a_year < rate.high


def test_stablecoins_wrapped_coins_and_short_histories_are_no_part_of_the_comparison(tmp_path: Path):
    first, days = date(2021, 1, 1), 400
    histories = {
        "bitcoin": normal(1, days),
        "other": normal(2, days),
        "dollar": np.zeros(days),
        "wrapped": normal(1, days),
        "unflagged-bitcoin": normal(1, days),
        "newcomer": normal(3, 100),
    }
    rows = [
        (coin_id, first + timedelta(days=day), float(price), 1e9, 1e7)
        for coin_id, returns in histories.items()
        for day, price in enumerate(np.exp(np.cumsum(returns)))
    ]
    names = ["coin_id", "close_date", "price_usd", "market_cap_usd", "volume_24h_usd"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(obs_second_of_day=pl.lit(0))
    frame.write_parquet(tmp_path / "market_daily_coingecko.parquet")
    flags = {
        "coin_id": list(histories),
        "is_stablecoin": [name == "dollar" for name in histories],
        "is_wrapped_coin": [name == "wrapped" for name in histories],
    }
    pl.DataFrame(flags).write_parquet(tmp_path / "assets_coingecko.parquet")

    assert [found.coin_id for found in read_real(tmp_path)] == ["bitcoin", "other"]


def test_the_table_sets_both_markets_side_by_side():
    tokens = [
        token(normal(seed), coin_id="bitcoin" if seed == 0 else str(seed), cap=1e8 * (seed + 1)) for seed in range(40)
    ]
    calm = [
        token(normal(seed, scale=0.025), coin_id=one.coin_id, cap=float(one.cap[0])) for seed, one in enumerate(tokens)
    ]
    deaths = DeathRate(0.2, 0.15, 0.25)

    table = render_table(measure(tokens, deaths), measure(calm, deaths), pumps_2018_to_2020=12.0)

    rows = {line.split("|")[1]: line.split("|")[2:-1] for line in table.splitlines()}
    assert rows["tokens"][:2] == ["40", "40"]
    assert float(rows["daily volatility, largest third"][2]) == pytest.approx(0.5, abs=0.05)
    assert rows["deaths a year"] == ["20.0 % (15.0 % - 25.0 %)", "20.0 % (15.0 % - 25.0 %)", "1.00"]
