"""How well simple features rank the next 14 days: as documented by default, not at all in the null setting."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.settings import SimulationSettings

HORIZON_DAYS = 14
LOOK_BACK_DAYS = 30
REVERSAL_DAYS = 7


def ranks(values):
    return np.argsort(np.argsort(values)).astype(float)


def standard_ranks(values):
    ordered = ranks(values)
    return (ordered - ordered.mean()) / ordered.std()


def sector_relative(values, sectors):
    relative = values.copy()
    for sector in set(sectors):
        relative[sectors == sector] -= values[sectors == sector].mean()
    return relative


def weekly_rank_ics(market: SimulatedMarket) -> dict[str, float]:
    """Mean weekly rank IC of each feature with the log return of the next 14 days, Sunday close to Sunday close."""
    close = np.log(market.panel.close)
    size = np.log(market.panel.cap)
    returns = np.diff(close, axis=0, prepend=np.nan)
    is_ordinary = np.array([not (token.pegged_to or token.is_fake_cap) for token in market.members])
    all_sectors = np.array([token.sector for token in market.members])
    found: dict[str, list[float]] = {name: [] for name in ("low_volatility", "momentum", "reversal", "size", "linear")}
    for day in range(41, len(close) - HORIZON_DAYS, 7):
        known = is_ordinary & np.isfinite(close[day - LOOK_BACK_DAYS - 1]) & np.isfinite(close[day + HORIZON_DAYS])
        sectors = all_sectors[known]
        window = returns[day - LOOK_BACK_DAYS + 1 : day + 1][:, known]
        excess = window - np.median(window, axis=1, keepdims=True)
        volatility = excess.std(axis=0)
        features = {
            "low_volatility": -volatility,
            "momentum": sector_relative(excess[:-REVERSAL_DAYS].sum(axis=0), sectors) / volatility,
            "reversal": -sector_relative(excess[-REVERSAL_DAYS:].sum(axis=0), sectors) / volatility,
            "size": size[day, known],
        }
        features["linear"] = sum(standard_ranks(features[name]) for name in ("low_volatility", "momentum", "reversal"))
        target = ranks((close[day + HORIZON_DAYS] - close[day])[known])
        for name, feature in features.items():
            found[name].append(np.corrcoef(ranks(feature), target)[0, 1])
    return {name: float(np.mean(values)) for name, values in found.items()}


def activity_ic(market: SimulatedMarket, horizon_days: int) -> float:
    """Pooled correlation of the 14-day growth of active addresses with the excess return that follows."""
    ids = [token.coin_id for token in market.members]
    close = np.log(market.panel.close)
    common = np.cumsum(np.nanmedian(np.diff(close, axis=0), axis=1))
    excess = close - np.concatenate([[0.0], common])[:, None]
    growths, returns = [], []
    for (coin_id,), rows in market.on_chain.group_by("coin_id", maintain_order=True):
        addresses = rows["AdrActCnt"].to_numpy().astype(float)
        if np.isnan(addresses).all():
            continue
        path = excess[:, ids.index(coin_id)]
        days = np.arange(20, len(path) - horizon_days)
        volatility = np.diff(path).std()
        growths.append(np.log(addresses[days] / addresses[days - 14]))
        returns.append((path[days + horizon_days] - path[days]) / volatility)
    return float(np.corrcoef(ranks(np.concatenate(growths)), ranks(np.concatenate(returns)))[0, 1])


def test_a_simple_linear_combination_reaches_the_documented_rank_ic(market: SimulatedMarket):
    ics = weekly_rank_ics(market)

    assert 0.10 < ics["linear"] < 0.16
    assert ics["low_volatility"] > 0.06
    assert ics["momentum"] > 0.05
    assert ics["reversal"] > 0.0


def test_active_addresses_lead_the_price(market: SimulatedMarket):
    assert activity_ic(market, HORIZON_DAYS) > 0.08


def test_nothing_ranks_the_null_market(null_market: SimulatedMarket):
    ics = weekly_rank_ics(null_market)

    assert {name: ic for name, ic in ics.items() if abs(ic) >= 0.02} == {}


def test_the_null_market_is_not_null_by_the_luck_of_one_seed():
    by_seed = [weekly_rank_ics(simulate_market(SimulationSettings(seed=seed, is_null=True))) for seed in (1, 2, 3, 4)]

    means = {name: np.mean([ics[name] for ics in by_seed]) for name in by_seed[0]}

    assert {name: ic for name, ic in means.items() if abs(ic) >= 0.012} == {}


def test_active_addresses_say_nothing_in_the_null_market(null_market: SimulatedMarket):
    # Eleven tokens and overlapping windows: the standard error of this correlation is about 0.03.
    assert abs(activity_ic(null_market, HORIZON_DAYS)) < 0.08


def test_who_dies_in_the_null_market_does_not_depend_on_volatility_or_size():
    places = []
    for seed in range(6):
        market = simulate_market(SimulationSettings(seed=seed, tokens=120, end=date(2023, 1, 1), is_null=True))
        mortal = [i for i, token in enumerate(market.members) if not token.is_protected and token.pegged_to is None]
        dies = market.lifetimes.is_dead[mortal]
        volatility = np.array([market.members[i].daily_volatility for i in mortal])
        size = np.array([market.members[i].opening_cap_usd for i in mortal])
        places += [[ranks(values)[dies].mean() / len(mortal) for values in (volatility, size)]]

    # 72 deaths: the standard error of a mean place between 0 and 1 is 0.034.
    assert np.mean(places, axis=0) == pytest.approx([0.5, 0.5], abs=0.1)


def test_the_null_market_itself_has_no_drift_that_regimes_tell(null_market: SimulatedMarket):
    by_regime = null_market.regimes.group_by("regime").agg(
        mean=pl.col("market_log_return").mean(),
        standard_error=pl.col("market_log_return").std() / pl.len().sqrt(),
    )

    assert (by_regime["mean"] / by_regime["standard_error"]).abs().max() < 3.0
