"""CoinGecko's charts: reading them as a table, and point by point where a point is out of order, comes to the same."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, lists, none, one_of, tuples

from orchestration.sources.coingecko.charts import join_charts, parse_market_chart, read_chart

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
DAY_MS = 86_400_000
TODAY_MS = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)

values = one_of(none(), floats(0, 1e13, allow_nan=False), integers(0, 10**12))
delays = one_of(integers(0, 20 * 60_000), integers(0, DAY_MS - 1))
points = lists(tuples(integers(0, 30), delays, values, values, values), max_size=25)


def chart_of(rows, *, extra=()):
    """A chart of points (days ago, milliseconds into the day, price, cap, volume), oldest first."""
    stamped = sorted(
        ((TODAY_MS - ago * DAY_MS + delay, *numbers) for ago, delay, *numbers in rows if ago or delay < 30 * 60_000),
        key=lambda row: row[0],
    )
    names = ("prices", "market_caps", "total_volumes")
    return {
        name: [[row[0], row[place]] for row in stamped] + ([*extra] if name == "prices" else [])
        for place, name in enumerate(names, start=1)
    }


@given(rows=points, has_symbol=booleans())
def test_a_chart_read_as_a_table_is_the_chart_read_point_by_point(rows, has_symbol):
    # A point that is no pair sends the whole chart the slow way, and is refused there; but the last point is another.
    rows = [row for row in rows if row[0] > 0]
    symbol = "btc" if has_symbol else None

    fast = parse_market_chart(chart_of(rows), coin_id="bitcoin", symbol=symbol, now=NOW)
    slow = parse_market_chart(chart_of(rows, extra=["no pair"]), coin_id="bitcoin", symbol=symbol, now=NOW)

    assert fast.frame.sort("market_date").equals(slow.frame.sort("market_date"))
    assert len(slow.rejected) == len(fast.rejected) + 1


def test_charts_of_several_coins_join_with_what_was_refused_of_each():
    bitcoin = read_chart(
        chart_of([(1, 0, 10.0, 0, 5.0), (2, 0, -1.0, 7.0, 5.0)]), coin_id="bitcoin", symbol="btc", now=NOW
    )
    dust = read_chart({"prices": [[TODAY_MS, 1.5], "no pair"]}, coin_id="dust", symbol=None, now=NOW)

    joined = join_charts([bitcoin, dust], now=NOW)

    assert joined.frame.select("coin_id", "symbol", "market_date", "price_usd", "market_cap_usd").rows() == [
        ("bitcoin", "btc", date(2025, 1, 4), 10.0, None),
        ("dust", None, date(2025, 1, 5), 1.5, None),
    ]
    assert sorted(each.reason for each in joined.rejected) == [
        "point is no pair of time and value",
        "price_usd is not above zero",
    ]


def test_no_charts_join_to_no_rows():
    joined = join_charts([], now=NOW)

    assert joined.frame.is_empty()
    assert joined.frame.schema == pl.Schema(joined.dataset.columns)


def test_only_the_days_asked_for_are_kept():
    chart = read_chart(
        chart_of([(ago, 0, 1.0 + ago, 7.0, 5.0) for ago in range(1, 9)]), coin_id="x", symbol=None, now=NOW
    )

    kept = join_charts([chart.within(date(2025, 1, 1), date(2025, 1, 3))], now=NOW)

    assert kept.frame["market_date"].to_list() == [date(2025, 1, 1) + timedelta(days=day) for day in range(3)]
