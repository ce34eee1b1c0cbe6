"""Every listed defect is really served, and nothing else differs from the truth or changes as the clock moves."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import httpx
import polars as pl
import pytest

from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.settings import SimulationSettings

AFTER_THE_END = datetime(2025, 8, 1, tzinfo=UTC)
FIELDS = {"price_usd": "prices", "market_cap_usd": "market_caps"}


def chart(http: httpx.Client, sandbox: RunningSandbox, coin_id: str) -> dict:
    """All daily points, without the trailing one of now."""
    url = f"{sandbox.url_for('api.coingecko.com')}/api/v3/coins/{coin_id}/market_chart"
    answer = http.get(url, params={"vs_currency": "usd", "days": "max", "interval": "daily"}).json()
    return {name: [point for point in points if point[0] % 86_400_000 == 0] for name, points in answer.items()}


def by_date(points: list) -> dict[date, list[float]]:
    """Values by the market date whose close they are."""
    found: dict[date, list[float]] = {}
    for milliseconds, value in points:
        day = datetime.fromtimestamp(milliseconds / 1000, UTC).date() - timedelta(days=1)
        found.setdefault(day, []).append(value)
    return found


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


def of_kind(market: SimulatedMarket, source: str, *kinds: str) -> pl.DataFrame:
    return market.defects.filter(pl.col("source") == source, pl.col("kind").is_in(kinds))


def test_every_kind_of_defect_occurs(market: SimulatedMarket):
    kinds = market.defects.group_by("source").agg(pl.col("kind").unique().sort()).sort("source")

    assert kinds["kind"].to_list() == [
        ["bad_tick", "gap"],
        ["bad_tick", "duplicate", "fake_cap", "gap", "late", "revised", "wash_volume", "zero_cap"],
    ]


def test_no_defect_touches_what_everything_is_measured_against(market: SimulatedMarket):
    assert market.defects.filter(pl.col("coin_id").is_in(["bitcoin", "ethereum", "tether"])).is_empty()


def test_two_defects_never_meet_in_one_field(market: SimulatedMarket):
    assert market.defects.select("source", "coin_id", "market_date", "field").is_unique().all()


def test_half_of_the_late_and_revised_rows_fall_on_the_sunday_that_a_week_closes_with(market: SimulatedMarket):
    rows = of_kind(market, "coingecko", "late", "revised").unique(["coin_id", "market_date"])

    assert 0.45 < (rows["market_date"].dt.weekday() == 7).mean() < 0.7


def test_lasting_chart_defects_are_served_and_nothing_else_differs(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    sandbox.clock.now = AFTER_THE_END
    truth = {coin: rows for (coin,), rows in market.daily.group_by("coin_id")}
    defects = of_kind(market, "coingecko", "gap", "bad_tick", "zero_cap", "fake_cap", "duplicate")
    flawed = {
        coin: rows.rows_by_key(["market_date", "field"], named=True) for (coin,), rows in defects.group_by("coin_id")
    }

    for coin_id in ["bitcoin", *sorted(flawed)[:60]]:
        served = chart(http, sandbox, coin_id)
        for field, series in FIELDS.items():
            values = by_date(served[series])
            for day, true_value in truth[coin_id].select("market_date", field).iter_rows():
                (defect,) = flawed.get(coin_id, {}).get((day, field), [None])
                expected = [true_value]
                if defect is not None:
                    copies = 2 if defect["kind"] == "duplicate" else 1
                    expected = [] if defect["served_value"] is None else [defect["served_value"]] * copies
                assert values.get(day, []) == pytest.approx(expected), (coin_id, day, field, defect)


def test_made_up_volumes_are_served_steady_and_far_above_the_true_ones(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    sandbox.clock.now = AFTER_THE_END
    made_up = of_kind(market, "coingecko", "wash_volume")

    for (coin_id,), rows in made_up.group_by("coin_id"):
        served = by_date(chart(http, sandbox, str(coin_id))["total_volumes"])
        for row in rows.iter_rows(named=True):
            assert served.get(row["market_date"], [row["served_value"]])[0] == pytest.approx(row["served_value"])
    of_token = made_up.group_by("coin_id").agg(
        pl.col("served_value").log().std().alias("deviation"),
        (pl.col("served_value").median() / pl.col("true_value").median()).alias("times"),
    )
    assert of_token["deviation"].max() < 0.08
    assert of_token["times"].min() > 9


def test_other_defects_are_the_same_without_claims(market: SimulatedMarket):
    claims = ["fake_cap", "wash_volume"]
    without = replace(market.settings, defects=replace(market.settings.defects, wash_volumes=0.0, fake_caps=0.0))

    assert simulate_market(without).defects.equals(market.defects.filter(~pl.col("kind").is_in(claims)))


def test_late_rows_appear_when_they_are_listed_to(market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client):
    for row in of_kind(market, "coingecko", "late").filter(field="price_usd").head(12).iter_rows(named=True):
        sandbox.clock.now = row["resolved_at"] - timedelta(seconds=1)
        before = by_date(chart(http, sandbox, row["coin_id"])["prices"])
        sandbox.clock.now = row["resolved_at"]
        after = by_date(chart(http, sandbox, row["coin_id"])["prices"])

        assert row["market_date"] not in before
        assert after[row["market_date"]] == pytest.approx([row["true_value"]])
        assert timedelta(days=1) <= row["resolved_at"] - end_of(row["market_date"]) <= timedelta(days=2)


def test_revised_rows_change_a_day_after_they_were_first_served(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    for row in of_kind(market, "coingecko", "revised").filter(field="market_cap_usd").head(12).iter_rows(named=True):
        sandbox.clock.now = end_of(row["market_date"])
        first = by_date(chart(http, sandbox, row["coin_id"])["market_caps"])
        sandbox.clock.now = end_of(row["market_date"]) + timedelta(days=1)
        second = by_date(chart(http, sandbox, row["coin_id"])["market_caps"])

        assert first[row["market_date"]][0] == pytest.approx(row["served_value"])
        assert second[row["market_date"]] == pytest.approx([row["true_value"]])
        assert abs(row["served_value"] / row["true_value"] - 1) > 0.029


def test_candle_defects_are_served(market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client):
    sandbox.clock.now = AFTER_THE_END
    symbols = dict(market.tokens.select("coin_id", "symbol").iter_rows())
    url = f"{sandbox.url_for('api.binance.com')}/api/v3/klines"

    for row in of_kind(market, "binance", "gap", "bad_tick").iter_rows(named=True):
        opened = int(datetime.combine(row["market_date"], time(), tzinfo=UTC).timestamp() * 1000)
        params = {"symbol": f"{symbols[row['coin_id']]}USDT", "interval": "1d", "startTime": opened, "endTime": opened}
        candles = http.get(url, params=params).json()

        if row["kind"] == "gap":
            assert candles == []
        else:
            ((_, _, high, low, close, *_),) = candles
            assert float(close) == pytest.approx(row["served_value"], rel=1e-4)
            assert float(low) <= float(close) <= float(high)


@pytest.mark.parametrize("days_later", [1, 7, 90])
def test_what_was_visible_stays_as_it_was_except_for_listed_rows(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client, days_later: int
):
    listed = set(of_kind(market, "coingecko", "late", "revised").select("coin_id", "market_date").iter_rows())
    coins = ["bitcoin", "tether", *sorted({coin for coin, day in listed if date(2024, 12, 1) < day < date(2025, 3, 1)})]

    before = {coin: chart(http, sandbox, coin) for coin in coins}
    sandbox.clock.advance(timedelta(days=days_later))
    after = {coin: chart(http, sandbox, coin) for coin in coins}

    for coin in coins:
        for series in before[coin]:
            earlier, later = by_date(before[coin][series]), by_date(after[coin][series])
            unlisted = {day: values for day, values in earlier.items() if (coin, day) not in listed}
            assert unlisted == {day: later[day] for day in unlisted}


def test_the_default_weeks_to_come_hold_late_and_revised_rows(market: SimulatedMarket):
    upcoming = of_kind(market, "coingecko", "late", "revised").filter(
        pl.col("market_date").is_between(date(2024, 12, 30), SimulationSettings().end)
    )

    assert set(upcoming["kind"]) == {"late", "revised"}
