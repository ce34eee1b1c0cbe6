"""A random market in which tokens appear, halt and die, stablecoins lose their peg, and Bitcoin crosses its averages."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import CANDIDATE_SCHEMA, OPTIONAL_CANDIDATE_SCHEMA, MarketData, MarketState

START = dt.date(2023, 1, 1)  # a Sunday
SECTORS = ("DeFi", "L1", "Meme", None)


@pytest.fixture(scope="session")
def mondays():
    """Consecutive Mondays from the first Sunday's on."""

    def make(count: int) -> list[dt.date]:
        return [START + dt.timedelta(days=1 + 7 * week) for week in range(count)]

    return make


@pytest.fixture(scope="session")
def market_of():
    """Makes a market of random walks from a seed; `depegs` lets stablecoins fall for a day in the middle of a week."""

    def make(*, seed: int, weeks: int = 40, tokens: int = 30, depegs: bool = True) -> MarketData:
        rng = np.random.default_rng(seed)
        before = 130
        days = [START + dt.timedelta(days=offset) for offset in range(-before, 7 * weeks)]
        moves = 0.02 + 0.01 * (7 * np.arange(tokens) % 10)
        closes = np.exp(np.cumsum(rng.normal(0, moves, (len(days), tokens)), axis=0)) * rng.lognormal(0, 2, tokens)
        supply = rng.lognormal(15, 1.5, tokens)
        born = np.where(np.arange(tokens) < tokens // 2, 0, rng.integers(0, len(days), tokens))
        dies = rng.integers(before, 2 * len(days), tokens)
        has_close = rng.random(closes.shape) > 0.03
        has_close &= (np.arange(len(days))[:, None] >= born) & (np.arange(len(days))[:, None] < dies)
        stables = 1 + rng.normal(0, 0.001, (len(days), 3))
        if depegs:
            for day in rng.integers(before, len(days), 12):
                stables[day, rng.integers(0, 3)] = 0.96
        names = [f"t{number:02d}" for number in range(tokens)]
        rows = [
            (day, name, float(closes[row, column]))
            for row, day in enumerate(days)
            for column, name in enumerate(names)
            if has_close[row, column]
        ]
        rows += [
            (day, f"usd{column}", float(stables[row, column])) for row, day in enumerate(days) for column in range(3)
        ]
        prices = pl.DataFrame(rows, schema=["market_date", "token_id", "price_usd"], orient="row")
        noise = rng.normal(size=(len(days), tokens))
        swing = 100 * np.exp(np.cumsum(rng.normal(0, 0.04, len(days))))
        volume = rng.lognormal(14, 1, (len(days), tokens))
        # Now and then nearly every token is called bearish, so that hardly any is left to hold.
        is_gloomy = np.arange(len(days)) // 7 % 6 == 5
        calls = np.where(
            rng.random(volume.shape) < np.where(is_gloomy, 0.93, 0.25)[:, None], -1, rng.integers(0, 2, volume.shape)
        )

        def candidates(day: dt.date) -> pl.DataFrame:
            row = (day - days[0]).days
            found = [
                {
                    "token_id": name,
                    "symbol": name.upper(),
                    "sector": SECTORS[column % 4],
                    "is_stable": False,
                    "is_wrapped": column % 11 == 10,
                    "is_fiat_backed": False,
                    "price_usd": float(closes[row, column]),
                    "market_cap_usd": float(closes[row, column] * supply[column]),
                    "volume_30d_median_usd": float(volume[row, column]) if column % 13 else None,
                    "age_days": int(row - born[column]),
                    "trader_grade": float(50 + 20 * noise[row, column]) if column % 7 else None,
                    "score": float(noise[row, column]) if (row + column) % 9 else None,
                    "free_float_share": float(column % 5) / 3,
                    "signal": int(calls[row, column]) if column % 8 else None,
                }
                for column, name in enumerate(names)
                if born[column] <= row < dies[column] + 5
            ]
            found += [
                {
                    "token_id": f"usd{column}",
                    "symbol": f"USD{column}",
                    "is_stable": True,
                    "is_wrapped": False,
                    "is_fiat_backed": True,
                    "price_usd": float(stables[row, column]),
                    "market_cap_usd": 1e9 * (3 - column) + 1e6 * float(noise[row, column]),
                    "volume_30d_median_usd": 1e9,
                    "age_days": 500,
                }
                for column in range(3)
            ]
            return pl.DataFrame(found, schema=CANDIDATE_SCHEMA | OPTIONAL_CANDIDATE_SCHEMA)

        def state(day: dt.date) -> MarketState:
            row = (day - days[0]).days
            return MarketState(
                float(swing[row]), float(swing[row - 15 : row].mean()), float(swing[row - 30 : row].mean())
            )

        return MarketData(prices=prices, candidates=candidates, market_state=state)

    return make


@pytest.fixture(scope="session")
def definition_of():
    """Makes a model-driven definition from the fields that matter."""

    def make(**fields) -> IndexDefinition:
        content = {
            "index_id": "best8",
            "name": "Best 8",
            "kind": "ai",
            "methodology": "The eight best by score.",
            "ranking": {"by": "score"},
            "selection": {"count": 8},
            "calendar": {"rule": "weekly_model"},
            "minimum_constituents": 5,
        }
        return IndexDefinition.model_validate(content | fields)

    return make
