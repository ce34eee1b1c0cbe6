"""The price of a rotation as a run records it: the published levels against the same rules without it."""

import datetime as dt

import duckdb
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import CANDIDATE_SCHEMA, PRICE_SCHEMA, MarketData, MarketState
from orchestration.lib.index_insurance import create_insurance_table, write_insurance
from orchestration.lib.index_weeks import append_indices, compute_indices
from orchestration.lib.versions import create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from tests.unit.orchestration.builds import build_of

FIRST, WEEK = dt.date(2023, 1, 2), dt.date(2024, 5, 6)
DAYS = [FIRST + dt.timedelta(days=day) for day in range((WEEK - FIRST).days)]
FALL = dt.date(2024, 2, 1)


def close(token_id, day):
    """Tokens rise by 1 ‰ a day, then fall by 2 ‰ a day; the stablecoin stays where it is."""
    if token_id == "usd":  # noqa: S105 - a token
        return 1.0
    rising, falling = (min(day, FALL) - FIRST).days, max((day - FALL).days, 0)
    return 10 * 1.001**rising * 0.998**falling


def market():
    tokens = ("a", "b", "usd")
    prices = pl.DataFrame(
        [(day, name, close(name, day)) for day in DAYS for name in tokens], PRICE_SCHEMA, orient="row"
    )

    def candidates(day):
        rows = [
            {
                **{"token_id": name, "symbol": name.upper(), "sector": "L1", "is_wrapped": False, "age_days": 1000},
                **{"is_stable": name == "usd", "is_fiat_backed": name == "usd", "price_usd": close(name, day)},
                **{"market_cap_usd": 1e9, "volume_30d_median_usd": 1e8, "trader_grade": 60.0, "score": 1.0},
            }
            for name in tokens
        ]
        return pl.DataFrame(rows, schema=CANDIDATE_SCHEMA)

    def state(day):
        return MarketState(90.0 if day >= FALL else 110.0, 100.0, 100.0)

    return MarketData(prices=prices, candidates=candidates, market_state=state)


def definition(index_id, **fields):
    content = {
        **{"index_id": index_id, "name": index_id, "kind": "ai", "methodology": "Two tokens."},
        **{"selection": {"count": 2}, "calendar": {"rule": "weekly_model"}, "minimum_constituents": 2},
    }
    return IndexDefinition.model_validate(content | fields)


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        create_schemas(opened)
        create_versioned_tables(opened)
        create_insurance_table(opened)
        opened.execute("create table marts.fct_daily as select ?::date as market_date", [FIRST])
        yield opened


@pytest.fixture
def build():
    at = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    return build_of(WEEK, at=at)


def test_the_rotation_gives_up_nothing_while_it_holds_and_avoids_the_fall(connection, build):
    insured = definition(
        "insured", rotation={"steps": [{"below_btc_average_days": 200, "share": 1.0}], "trigger": "daily"}
    )
    places = definition("places", selection={"count": 2, "empty_places": "stablecoins"}, rotation={"steps": []})
    definitions, data = [insured, definition("plain"), places], market()
    append_indices(connection, compute_indices(connection, definitions, data, build), build)

    for _ in range(2):  # written anew, not added to
        write_insurance(connection, definitions, data, WEEK)
    rows = connection.execute("select * from indices.insurance order by year").pl().rows(named=True)

    assert [(row["index_id"], row["year"], row["is_bull_year"]) for row in rows] == [
        ("insured", 2023, True),
        ("insured", 2024, False),
    ]
    assert rows[0]["given_up"] == pytest.approx(0, abs=1e-12)
    # Bitcoin closes below its average on 1 February; what is held is sold at the next close.
    until_sold = 1.001**32 * 0.998
    assert rows[1]["return_with"] == pytest.approx(until_sold - 1)
    assert rows[1]["return_without"] == pytest.approx(1.001**32 * 0.998 ** (DAYS[-1] - FALL).days - 1)
    assert rows[1]["max_drawdown_with"] == pytest.approx(-0.002)
    assert rows[1]["max_drawdown_without"] == pytest.approx(0.998 ** (DAYS[-1] - FALL).days - 1)


def test_an_index_that_never_began_has_no_rows(connection, build):
    write_insurance(connection, [definition("insured", rotation={})], market(), WEEK)

    assert connection.execute("select count(*) from indices.insurance").fetchone() == (0,)
