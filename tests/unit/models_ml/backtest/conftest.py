"""Fixtures of the backtest tests: small markets and rebalances made of plain functions."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from models_ml.backtest.costs import DAILY_SCHEMA
from models_ml.backtest.panel import REBALANCE_COLUMNS

START = dt.date(2024, 1, 1)


@pytest.fixture(scope="session")
def daily_of() -> Callable[..., pl.DataFrame]:
    """Makes daily rows from prices by token; a price of None is a day without a row, the volume is one for all or by token."""

    def make(
        prices: dict[str, list[float | None]], *, volume: float | dict[str, list[float | None]] = 1e9, start=START
    ):
        rows = [
            (
                start + dt.timedelta(days=position),
                token_id,
                price,
                volume[token_id][position] if isinstance(volume, dict) else volume,
            )
            for token_id, values in prices.items()
            for position, price in enumerate(values)
            if price is not None
        ]
        return pl.DataFrame(rows, schema=DAILY_SCHEMA, orient="row")

    return make


@pytest.fixture(scope="session")
def rebalances_of() -> Callable[..., pl.DataFrame]:
    """Makes rebalances of one index from weights by the number of the day at whose close they trade."""

    def make(weights: dict[int, dict[str, float]], *, index_id: str = "index", start=START):
        midnight = dt.datetime(start.year, start.month, start.day, tzinfo=dt.UTC)
        rows = [
            (index_id, midnight + dt.timedelta(days=position + 1), token_id, weight)
            for position, targets in weights.items()
            for token_id, weight in targets.items()
        ]
        return pl.DataFrame(rows, schema=REBALANCE_COLUMNS, orient="row")

    return make


@pytest.fixture(scope="session")
def random_case(daily_of, rebalances_of):
    """Makes a random market of tokens that begin, pause and end, and an index that trades in it about every 20 days."""

    def make(seed: int, *, days: int = 120, tokens: int = 6, volume: float = 1e6):
        generator = np.random.default_rng(seed)
        names = [f"t{number}" for number in range(tokens)]
        paths = np.exp(np.cumsum(generator.normal(0, 0.06, (tokens, days)), axis=1))
        volumes = volume * np.exp(generator.normal(0, 1, (tokens, days)))
        is_there = generator.random((tokens, days)) > 0.05
        is_there[:, 0] = True  # what an index buys on its first day has a price
        is_there[0, days // 2 :] = False  # one token ends
        prices = {
            name: [float(price) if here else None for price, here in zip(path, there, strict=True)]
            for name, path, there in zip(names, paths, is_there, strict=True)
        }
        weights = {}
        for position in [0, *sorted(generator.choice(np.arange(1, days - 1), size=days // 20, replace=False).tolist())]:
            held = sorted(generator.choice(names, size=int(generator.integers(1, tokens)), replace=False).tolist())
            weights[position] = dict(zip(held, generator.dirichlet(np.ones(len(held))).tolist(), strict=True))
        daily = daily_of(prices, volume={name: row.tolist() for name, row in zip(names, volumes, strict=True)})
        return daily, rebalances_of(weights)

    return make
