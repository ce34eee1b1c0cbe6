"""Labels of some weeks are read from the closes they rest on, and are those that all closes give."""

from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.learning.labels import UNSELLABLE_VOLUME_USD, forward_returns
from orchestration.lib.training import labels_of
from orchestration.lib.weekly_inputs import daily_closes

FIRST, UNTIL = date(2024, 1, 1), date(2024, 9, 2)
DAYS = (UNTIL - FIRST).days
WEEKS = [date(2024, 6, 3), date(2024, 6, 10)]


@pytest.fixture
def connection():
    """A warehouse of five tokens: one is listed late, one has gaps, two stop in June, of which only the volume of May knows one as lost."""
    random = np.random.default_rng(5)
    days = [FIRST + timedelta(days=day) for day in range(DAYS)]
    stops = date(2024, 6, 12)
    kept = {
        "bitcoin": days,
        "late": [day for day in days if day >= date(2024, 6, 5)],
        "gaps": [day for day in days if day.toordinal() % 9 or day.month == 6],
        "stops": [day for day in days if day < stops],
        # Its last rows before June lie months back, and tell with the few of June that nobody trades it.
        "fades": [day for day in days if day < stops and (day < date(2024, 3, 1) or day >= date(2024, 6, 9))],
    }
    closes = pl.concat(
        pl.DataFrame(
            {
                "token_id": name,
                "market_date": dates,
                "price_usd": np.exp(np.cumsum(0.05 * random.standard_normal(len(dates)))),
                "volume_24h_usd": [
                    1.0 if name == "fades" and day < date(2024, 6, 9) else 10 * UNSELLABLE_VOLUME_USD for day in dates
                ],
                "is_carried": False,
            }
        )
        for name, dates in kept.items()
    )
    with duckdb.connect() as opened:
        opened.execute("create schema marts")
        opened.register("closes", closes)
        opened.execute("create table marts.fct_daily as from closes")
        yield opened


@pytest.fixture
def weekly():
    return pl.DataFrame(
        [
            {"as_of_week": week, "token_id": token, "volatility_30d": 0.9, "beta_btc_90d": 1.2}
            for week in WEEKS
            for token in ("bitcoin", "fades", "gaps", "late", "stops")
        ]
    )


def test_labels_of_few_weeks_are_those_from_all_closes(connection, weekly):
    expected = forward_returns(weekly, daily_closes(connection, until=UNTIL))

    found = labels_of(connection, weekly, UNTIL)

    assert found.equals(expected)
    ended = dict(found.filter(pl.col("as_of_week") == WEEKS[1]).select("token_id", "forward_return_7d").iter_rows())
    assert ended["fades"] == -1.0
    assert ended["stops"] > -1.0


def test_rows_before_the_first_day_come_however_long_ago_they_are(connection):
    closes = daily_closes(connection, until=UNTIL, tokens=["fades", "late"], since=date(2024, 6, 9), rows_before=6)

    assert _days_of(closes, "fades") == [
        *(date(2024, 2, day) for day in range(24, 30)),
        *(date(2024, 6, day) for day in range(9, 12)),
    ]
    assert min(_days_of(closes, "late")) == date(2024, 6, 5)
    assert closes["market_date"].max() == date(2024, 9, 1)


def test_no_week_has_no_label(connection, weekly):
    assert labels_of(connection, weekly.clear(), UNTIL).is_empty()


def _days_of(closes, name):
    return closes.filter(pl.col("token_id") == name)["market_date"].to_list()
