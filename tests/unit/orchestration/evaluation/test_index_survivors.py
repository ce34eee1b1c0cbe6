"""What forgetting a dead token does to an index, by hand."""

import datetime as dt

import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import CANDIDATE_SCHEMA, PRICE_SCHEMA, MarketData, MarketState
from orchestration.evaluation.index_survivors import compare
from orchestration.lib.weeks import mondays

FIRST, DAYS = dt.date(2024, 1, 1), 364
DEFINITION = IndexDefinition.model_validate(
    {
        "index_id": "pair",
        "name": "Pair",
        "kind": "passive",
        "methodology": "The two largest.",
        "selection": {"count": 2},
        "weighting": {"method": "equal"},
        "calendar": {"rule": "monthly"},
        "minimum_constituents": 1,
    }
)


def market_of(prices):
    rows = [
        (FIRST + dt.timedelta(days=day), name, price) for name, path in prices.items() for day, price in enumerate(path)
    ]
    frame = pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row")

    def candidates(day):
        known = frame.filter(pl.col("market_date") == day).select("token_id", "price_usd")
        blank = {name: pl.lit(None, dtype) for name, dtype in CANDIDATE_SCHEMA.items() if name not in known.columns}
        return known.with_columns(**blank).with_columns(
            market_cap_usd=pl.col("price_usd") * 1e6, volume_30d_median_usd=pl.lit(1e6), age_days=pl.lit(400, pl.Int64)
        )

    return MarketData(prices=frame, candidates=candidates, market_state=lambda day: MarketState(None))


def test_an_index_that_forgets_its_dead_grows_more():
    halves_and_stops = [100.0] * 40 + [50.0] * 60
    market = market_of({"steady": [100.0] * DAYS, "dead": halves_and_stops})

    row = compare(DEFINITION, market, mondays(FIRST + dt.timedelta(days=7), FIRST + dt.timedelta(days=DAYS))).row(
        0, named=True
    )

    assert row["a_year_survivors"] == pytest.approx(0.0)
    # Half of the index lost half of its value; the fall lies within the 357 days from the first Monday on.
    assert row["a_year"] == pytest.approx(0.75 ** (365 / (row["last"] - row["first"]).days) - 1)
    assert (row["tokens_held"], row["died_of_them"]) == (2, 1)


def test_where_nobody_died_nothing_differs():
    market = market_of({"a": [100.0 + day for day in range(DAYS)], "b": [50.0] * DAYS})

    row = compare(DEFINITION, market, mondays(FIRST + dt.timedelta(days=7), FIRST + dt.timedelta(days=DAYS))).row(
        0, named=True
    )

    assert row["difference"] == 0.0
    assert row["died_of_them"] == 0
