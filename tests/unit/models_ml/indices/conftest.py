"""Fixtures of the index tests: a small market made of plain functions, no files and no clock."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.feature_rules import feature_column
from models_ml.indices.market import CANDIDATE_SCHEMA, PRICE_SCHEMA, MarketData, MarketState

Definitions = Callable[..., IndexDefinition]


@pytest.fixture(scope="session")
def definition_of() -> Definitions:
    """Makes a definition from the fields that matter; the rest is a monthly top 3 by market cap."""

    def make(**fields: Any) -> IndexDefinition:
        content: dict[str, Any] = {
            "index_id": "top3",
            "name": "Top 3",
            "kind": "passive",
            "methodology": "The three largest.",
            "selection": {"count": 3},
            "calendar": {"rule": "monthly"},
            "minimum_constituents": 2,
        }
        return IndexDefinition.model_validate(content | fields)

    return make


class FakeMarket:
    """Prices by token and day; supply times price is the market cap, and everything trades enough.

    `asked` records the days of the snapshots asked for. `features` gives a feature's value by token and day.
    """

    def __init__(self, prices: dict[str, dict[dt.date, float]], **columns: dict[str, Any]) -> None:
        self.by_token = prices
        self.columns = columns
        self.bitcoin: Callable[[dt.date], MarketState] = lambda day: MarketState(None)
        self.asked: list[dt.date] = []
        self.scores: Callable[[str, dt.date], float | None] = lambda token_id, day: None
        self.calls: Callable[[str, dt.date], int | None] = lambda token_id, day: None
        self.prior_scores: Callable[[str, dt.date], float | None] = lambda token_id, day: None
        self.features: dict[str, Callable[[str, dt.date], float | None]] = {}
        rows = [(day, token_id, price) for token_id, days in prices.items() for day, price in days.items()]
        self.prices = pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row")

    def data(self, *, until: dt.date | None = None) -> MarketData:
        """The market, with all after a day removed."""
        prices = self.prices if until is None else self.prices.filter(pl.col("market_date") <= until)
        return MarketData(prices=prices, candidates=self.candidates, market_state=self.bitcoin)

    def candidates(self, day: dt.date) -> pl.DataFrame:
        self.asked.append(day)
        rows = []
        for token_id, days in self.by_token.items():
            if day not in days:
                continue
            row: dict[str, Any] = {
                "token_id": token_id,
                "symbol": token_id.upper(),
                "sector": "DeFi",
                "is_stable": False,
                "is_wrapped": False,
                "is_fiat_backed": self.columns.get("is_stable", {}).get(token_id, False),
                "price_usd": days[day],
                "market_cap_usd": days[day] * self.columns.get("supply", {}).get(token_id, 1e6),
                "volume_30d_median_usd": 1e9,
                "age_days": (day - min(days)).days,
                "trader_grade": 60.0,
                "score": self.scores(token_id, day),
                "signal": self.calls(token_id, day),
            }
            row |= {
                name: values[token_id] for name, values in self.columns.items() if token_id in values and name in row
            }
            row["prior_score"] = self.prior_scores(token_id, day)
            row |= {feature_column(name): value_of(token_id, day) for name, value_of in self.features.items()}
            rows.append(row)
        known = {"signal": pl.Int64(), "prior_score": pl.Float64()}
        features = {feature_column(name): pl.Float64() for name in self.features}
        return pl.DataFrame(rows, schema=CANDIDATE_SCHEMA | known | features)


@pytest.fixture(scope="session")
def market_of() -> Callable[..., FakeMarket]:
    """Makes a market from `{token_id: {day: price}}` and optional columns `{column: {token_id: value}}`."""
    return FakeMarket


@pytest.fixture(scope="session")
def walk_of() -> Callable[..., FakeMarket]:
    """Makes a market of random walks in which tokens appear and die, with a stablecoin, scores and a moving Bitcoin."""

    def make(*, seed: int, first: dt.date, days: int, tokens: int = 12) -> FakeMarket:
        rng = np.random.default_rng(seed)
        calendar = [first + dt.timedelta(days=offset) for offset in range(days)]
        prices: dict[str, dict[dt.date, float]] = {"usdx": dict.fromkeys(calendar, 1.0)}
        for number in range(tokens):
            closes = 10 * np.exp(np.cumsum(rng.normal(0, 0.06, days)))
            born = int(rng.integers(0, max(1, days // 3))) if number >= 6 else 0
            dies = int(rng.integers(born + 1, 2 * days))
            gaps = set(rng.integers(0, days, 3).tolist())
            prices[f"t{number:02d}"] = {
                day: float(closes[offset])
                for offset, day in enumerate(calendar)
                if born <= offset < dies and offset not in gaps
            }
        market = FakeMarket(prices, is_stable={"usdx": True}, supply={"usdx": 1e12})
        noise = rng.normal(size=(tokens, days // 7 + 2))
        start = calendar[0]
        market.scores = lambda token_id, day: (
            float(noise[int(token_id[1:]), (day - start).days // 7]) if token_id[0] == "t" else None
        )
        # Independent of the scores, and now and then unknown.
        market.features = {
            "rsi_14d": lambda token_id, day: (
                50 + 20 * float(noise[-1 - int(token_id[1:]), (day - start).days // 7])
                if token_id[0] == "t" and (day.toordinal() + int(token_id[1:])) % 9
                else None
            )
        }
        swing = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, days)))

        def bitcoin(day: dt.date) -> MarketState:
            offset = (day - start).days
            past = swing[: offset + 1]
            return MarketState(float(past[-1]), float(past[-10:].mean()), float(past[-20:].mean()))

        market.bitcoin = bitcoin
        return market

    return make
