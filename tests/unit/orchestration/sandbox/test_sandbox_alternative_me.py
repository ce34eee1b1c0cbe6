from datetime import UTC, datetime, timedelta

import httpx

from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox


def get(http: httpx.Client, sandbox: RunningSandbox, **params) -> dict:
    return http.get(f"{sandbox.url_for('api.alternative.me')}/fng/", params=params).json()


def test_fields_are_text_and_only_the_first_row_tells_the_next_update(sandbox: RunningSandbox, http: httpx.Client):
    answer = get(http, sandbox, limit=3)

    assert answer["name"] == "Fear and Greed Index"
    assert answer["metadata"] == {"error": None}
    assert [set(row) for row in answer["data"]] == [
        {"value", "value_classification", "timestamp", "time_until_update"},
        {"value", "value_classification", "timestamp"},
        {"value", "value_classification", "timestamp"},
    ]
    assert all(isinstance(value, str) for row in answer["data"] for value in row.values())
    assert answer["data"][0]["time_until_update"] == str(23 * 3600 + 1800)


def test_the_newest_stamp_is_today_and_the_default_is_one_row(sandbox: RunningSandbox, http: httpx.Client):
    (row,) = get(http, sandbox)["data"]

    assert row["timestamp"] == str(int(datetime(2025, 1, 6, tzinfo=UTC).timestamp()))


def test_limit_zero_gives_all_days_but_the_missing_ones_newest_first(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    stamps = [int(row["timestamp"]) for row in get(http, sandbox, limit=0)["data"]]

    visible = market.fear_greed.filter(market.fear_greed["market_date"] <= sandbox.clock.today)
    assert stamps == sorted(set(stamps), reverse=True)
    assert len(stamps) == visible["is_served"].sum() < visible.height


def test_a_date_format_replaces_the_seconds(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, date_format="world")["data"][0]["timestamp"] == "06-01-2025"


def test_past_values_stay(sandbox: RunningSandbox, http: httpx.Client):
    before = get(http, sandbox, limit=50)["data"]
    sandbox.clock.advance(timedelta(days=5))
    after = get(http, sandbox, limit=55)["data"]

    assert [row["value"] for row in after[5:]] == [row["value"] for row in before]
