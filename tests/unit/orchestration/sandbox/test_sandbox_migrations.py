"""Renames, migrations, mergers and a reused ticker: listed as they happened, served as the providers show them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import httpx
import numpy as np
import polars as pl
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

PUBLISHED = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def eventful() -> SimulatedMarket:
    return simulate_market(SimulationSettings(identity_events=True))


@pytest.fixture(scope="module")
def eventful_sandbox(eventful: SimulatedMarket) -> Iterator[RunningSandbox]:
    with running_sandbox(eventful, PUBLISHED) as started:
        yield started


def story(market: SimulatedMarket, kind: str, coin_id: str | None = None) -> dict:
    rows = market.events.filter(kind=kind)
    return (rows if coin_id is None else rows.filter(coin_id=coin_id)).row(0, named=True)


def on(market: SimulatedMarket, coin_id: str, day: date) -> dict:
    return market.daily.filter(coin_id=coin_id, market_date=day).row(0, named=True)


def served_on(market: SimulatedMarket, day: date) -> ServedMarket:
    return ServedMarket(market, SandboxClock(datetime.combine(day, time(12), tzinfo=UTC)))


def dates(market: SimulatedMarket, days: np.ndarray) -> list[date]:
    return [market.settings.start + timedelta(days=day) for day in days.tolist()]


def from_coingecko(http: httpx.Client, sandbox: RunningSandbox, path: str, **params: str) -> dict:
    answer = http.get(f"{sandbox.url_for('api.coingecko.com')}/api/v3/{path}", params={"vs_currency": "usd", **params})
    return answer.raise_for_status().json()


def test_no_identity_changes_unless_asked_for(market: SimulatedMarket):
    assert market.identities.tokens == []
    assert set(market.events["kind"]) == {"pump", "death"}
    assert market.events["successor_coin_id"].null_count() == market.events.height


def test_the_newcomers_leave_every_other_token_as_it_was(market: SimulatedMarket, eventful: SimulatedMarket):
    newcomers = [token.coin_id for token in eventful.identities.tokens]

    assert len(newcomers) == 8
    assert eventful.daily.filter(~pl.col("coin_id").is_in(newcomers)).equals(market.daily)
    assert eventful.defects.equals(market.defects)
    assert eventful.on_chain.equals(market.on_chain, null_equal=True)
    assert eventful.regimes.equals(market.regimes)
    assert eventful.events.filter(pl.col("successor_coin_id").is_null()).equals(market.events)


def test_every_story_is_listed_with_who_goes_on_and_at_what_ratio(eventful: SimulatedMarket):
    listed = eventful.events.drop_nulls("successor_coin_id").sort("kind", "coin_id")

    assert listed.select("kind", "coin_id", "successor_coin_id", "symbol", "successor_symbol").rows() == [
        ("merger", "agora-minds", "fathom-intelligence", "AGMI", "FTHM"),
        ("merger", "deepwater-data", "fathom-intelligence", "DPWD", "FTHM"),
        ("migration", "wexford-network", "wexford-ecosystem-token", "WEXN", "WXET"),
        ("rename", "cobaltine-network", "cobaltine-network", "COBL", "KEST"),
        ("rename", "lunette", "lunette", "LNET", "LNETC"),
        ("ticker_reuse", "lunette", "lunette-2", "LNET", "LNET"),
    ]
    assert listed.filter(kind="migration")["ratio"].to_list() == [1.0]
    assert listed.filter(kind="ticker_reuse")["ratio"].to_list() == [None]
    assert listed["last_date"].max() < PUBLISHED.date()


def test_newcomers_share_no_id_and_no_ticker_with_anybody_but_the_reused_one():
    market = simulate_market(SimulationSettings(tokens=2_000, end=date(2022, 12, 31), identity_events=True))

    tokens = market.tokens
    newcomers = tokens.tail(8)

    assert tokens["coin_id"].is_unique().all()
    assert tokens.head(-8).filter(pl.col("symbol").is_in(newcomers["symbol"].to_list())).is_empty()
    assert newcomers["symbol"].n_unique() == 7


def test_a_renamed_coin_keeps_its_id_and_chart_and_changes_its_name(
    eventful: SimulatedMarket, eventful_sandbox: RunningSandbox, http: httpx.Client
):
    renamed = story(eventful, "rename", "cobaltine-network")
    midnight = datetime.combine(renamed["first_date"], time(), tzinfo=UTC)

    seen = []
    for now in (midnight - timedelta(seconds=1), midnight):
        eventful_sandbox.clock.now = now
        (row,) = from_coingecko(http, eventful_sandbox, "coins/markets", ids="cobaltine-network")
        document = from_coingecko(http, eventful_sandbox, "coins/cobaltine-network")
        assert (row["symbol"], row["name"]) == (document["symbol"], document["name"])
        seen.append((row["id"], row["symbol"], row["name"]))
    points = from_coingecko(
        http, eventful_sandbox, "coins/cobaltine-network/market_chart", days="max", interval="daily"
    )["prices"]

    assert seen == [
        ("cobaltine-network", "cobl", "Cobaltine Network"),
        ("cobaltine-network", "kest", "Kestrune Network"),
    ]
    assert (
        len(points) == (renamed["first_date"] - eventful.settings.start).days + 1
    )  # the trailing one falls on the last


def test_the_exchange_closes_a_renamed_coins_market_and_opens_another(eventful: SimulatedMarket):
    renamed = story(eventful, "rename", "cobaltine-network")["first_date"]
    served = served_on(eventful, renamed + timedelta(days=30))

    old, _ = served.ticker_candles("COBL")
    new, _ = served.ticker_candles("KEST")

    assert dates(eventful, old)[-1] == renamed - timedelta(days=1)
    assert dates(eventful, new)[0] == renamed + timedelta(days=1)
    assert (served.is_trading("COBL"), served.is_trading("KEST")) == (False, True)
    assert "KEST" not in served_on(eventful, renamed).tickers()


def test_a_migrated_coin_goes_on_under_a_new_id_at_the_same_price_and_cap(eventful: SimulatedMarket):
    migrated = story(eventful, "migration")
    day_before, first_day = migrated["first_date"] - timedelta(days=1), migrated["first_date"]
    old, new = migrated["coin_id"], migrated["successor_coin_id"]

    handed_over, taken_over = on(eventful, old, day_before), on(eventful, new, first_day)

    assert eventful.daily.filter(coin_id=new)["market_date"].min() == first_day
    assert taken_over["open_usd"] == pytest.approx(handed_over["price_usd"], rel=1e-9)
    assert taken_over["circulating_supply_tokens"] == pytest.approx(handed_over["circulating_supply_tokens"], rel=1e-9)


def test_what_is_left_of_a_migrated_coin_follows_the_new_one_and_fades(
    eventful: SimulatedMarket, eventful_sandbox: RunningSandbox, http: httpx.Client
):
    migrated = story(eventful, "migration")
    old, new, swap = migrated["coin_id"], migrated["successor_coin_id"], migrated["first_date"]
    later = swap + timedelta(days=100)

    eventful_sandbox.clock.now = datetime.combine(later, time(12), tzinfo=UTC)
    rows = {row["id"]: row for row in from_coingecko(http, eventful_sandbox, "coins/markets", ids=f"{old},{new}")}

    assert rows[old]["current_price"] == pytest.approx(rows[new]["current_price"], rel=0.08)
    assert rows[old]["market_cap"] < 0.05 * rows[new]["market_cap"]
    assert rows[old]["total_volume"] < 0.01 * rows[new]["total_volume"]
    served = served_on(eventful, later)
    assert (served.is_trading("WEXN"), served.is_trading("WXET")) == (False, True)
    assert dates(eventful, served.ticker_candles("WEXN")[0])[-1] == swap - timedelta(days=1)


def test_a_migrated_coin_is_inactive_in_the_end_without_having_died(
    eventful: SimulatedMarket, eventful_sandbox: RunningSandbox, http: httpx.Client
):
    migrated = story(eventful, "migration")
    eventful_sandbox.clock.now = datetime.combine(migrated["last_date"], time(), tzinfo=UTC) + timedelta(days=1)

    active, inactive = (
        {row["id"] for row in from_coingecko(http, eventful_sandbox, "coins/list", status=status)}
        for status in ("active", "inactive")
    )

    assert migrated["coin_id"] in inactive - active
    assert migrated["successor_coin_id"] in active
    assert eventful.events.filter(kind="death", coin_id=migrated["coin_id"]).is_empty()
    closes = eventful.daily.filter(coin_id=migrated["coin_id"])["price_usd"].tail(60)
    assert (closes / closes.shift(1)).min() > 0.6


def test_merging_coins_are_worth_the_fixed_ratio_from_the_announcement_on(eventful: SimulatedMarket):
    prices = eventful.daily.pivot("coin_id", index="market_date", values="price_usd")

    for merger in eventful.events.filter(kind="merger").iter_rows(named=True):
        relative = prices.select(
            "market_date",
            premium=pl.col(merger["coin_id"]) / pl.col(merger["successor_coin_id"]) / merger["ratio"] - 1,
        ).drop_nulls()
        after = relative.filter(pl.col("market_date") >= merger["first_date"])["premium"]
        before = relative.filter(pl.col("market_date") < merger["first_date"])["premium"]

        assert after.abs().max() < 0.02
        assert abs(before[-1]) < 1e-5  # the terms are those of the last price before
        assert before.std() > 0.1


def test_a_merger_moves_the_supplies_into_the_successor_and_empties_the_old_coins(eventful: SimulatedMarket):
    mergers = eventful.events.filter(kind="merger")
    last_day = mergers["last_date"][0]
    swap = last_day + timedelta(days=1)
    brought = sum(
        on(eventful, coin_id, last_day)["circulating_supply_tokens"] * ratio
        for coin_id, ratio in mergers.select("coin_id", "ratio").iter_rows()
    )

    gained = (
        on(eventful, "fathom-intelligence", swap)["circulating_supply_tokens"]
        - on(eventful, "fathom-intelligence", last_day)["circulating_supply_tokens"]
    )

    assert gained == pytest.approx(brought, rel=1e-3)  # besides a day of the supply's own growth
    served = served_on(eventful, swap)
    assert [served.is_trading(ticker) for ticker in ("AGMI", "DPWD", "FTHM")] == [False, False, True]
    for coin_id in mergers["coin_id"]:
        assert eventful.tokens.filter(coin_id=coin_id)["death_date"].item() == swap + timedelta(days=40)


def test_a_reused_ticker_splices_two_coins_into_one_market(eventful: SimulatedMarket):
    reuse = story(eventful, "ticker_reuse")
    served = served_on(eventful, PUBLISHED.date())

    days, rows = served.ticker_candles("LNET")

    gap = int(np.flatnonzero(np.diff(days) > 1).item())
    before, after = dates(eventful, days[gap : gap + 2])
    assert reuse["first_date"] < before < reuse["last_date"] < after
    assert rows[gap, 3] == pytest.approx(on(eventful, "lunette", before)["price_usd"], rel=0.01)
    assert rows[gap + 1, 3] == pytest.approx(on(eventful, "lunette-2", after)["price_usd"], rel=0.01)
    assert rows[gap + 1, 0] > 100 * rows[gap, 3]
    first, second = (served_on(eventful, day).use_of("LNET") for day in (before, after))
    assert first is not None
    assert second is not None
    assert [eventful.members[use.index].coin_id for use in (first, second)] == ["lunette", "lunette-2"]


def test_binance_shows_the_spliced_market_under_one_symbol_and_old_markets_as_halted(
    eventful: SimulatedMarket, eventful_sandbox: RunningSandbox, http: httpx.Client
):
    eventful_sandbox.clock.now = PUBLISHED
    url = f"{eventful_sandbox.url_for('api.binance.com')}/api/v3"

    rows = http.get(f"{url}/exchangeInfo").json()["symbols"]
    status = {row["symbol"]: row["status"] for row in rows}
    start = int(datetime(2022, 11, 1, tzinfo=UTC).timestamp() * 1000)
    params = {"symbol": "LNETUSDT", "interval": "1d", "startTime": start, "limit": 60}
    candles = http.get(f"{url}/klines", params=params).json()

    stories = [f"{ticker}USDT" for ticker in ("COBL", "KEST", "WEXN", "WXET", "AGMI", "DPWD", "FTHM", "LNET", "LNETC")]
    assert [symbol for symbol in stories if status[symbol] == "BREAK"] == [
        "COBLUSDT",
        "WEXNUSDT",
        "AGMIUSDT",
        "DPWDUSDT",
    ]
    closes = [float(candle[4]) for candle in candles]
    gaps = np.diff([candle[0] for candle in candles]) > 86_400_000
    assert gaps.sum() == 1
    assert closes[0] > 10
    assert closes[int(gaps.argmax())] < 0.01
    assert closes[-1] > 1


def test_between_the_two_coins_a_reused_ticker_does_not_trade(eventful: SimulatedMarket):
    reuse = story(eventful, "ticker_reuse")

    served = served_on(eventful, reuse["last_date"])

    assert "LNET" in served.tickers()
    assert not served.is_trading("LNET")


def test_the_collapsed_coin_lives_on_as_classic_beside_the_one_that_got_its_name(
    eventful: SimulatedMarket, eventful_sandbox: RunningSandbox, http: httpx.Client
):
    eventful_sandbox.clock.now = PUBLISHED

    rows = {
        row["id"]: (row["symbol"], row["name"])
        for row in from_coingecko(http, eventful_sandbox, "coins/markets", ids="lunette,lunette-2")
    }

    assert rows == {"lunette": ("lnetc", "Lunette Classic"), "lunette-2": ("lnet", "Lunette")}
    assert served_on(eventful, PUBLISHED.date()).is_trading("LNETC")


def test_the_collapse_is_a_fall_by_far_more_than_its_supply_grew(eventful: SimulatedMarket):
    reuse = story(eventful, "ticker_reuse")
    before = on(eventful, "lunette", reuse["first_date"] - timedelta(days=1))
    after = on(eventful, "lunette", reuse["last_date"])

    assert after["price_usd"] < 1e-4 * before["price_usd"]
    assert after["circulating_supply_tokens"] == pytest.approx(1_000 * before["circulating_supply_tokens"], rel=0.01)
    assert after["market_cap_usd"] < 0.1 * before["market_cap_usd"]


def test_in_the_null_market_nothing_leads_to_the_collapse():
    market = simulate_market(SimulationSettings(is_null=True, identity_events=True))
    reuse = story(market, "ticker_reuse")
    day = (reuse["first_date"] - market.settings.start).days
    index = [token.coin_id for token in market.members].index("lunette")

    moves = np.diff(np.log(market.panel.token(index).close))

    assert moves[day - 1] < -9
    assert np.delete(moves, day - 1).min() > -0.6


def test_candles_of_a_token_are_those_of_all_tickers_it_went_by(eventful: SimulatedMarket):
    served = served_on(eventful, PUBLISHED.date())

    for index, token in enumerate(eventful.members):
        if not served.is_listed(index):
            continue
        days, rows = served.candles(index)
        assert (np.diff(days) > 0).all(), token.coin_id
        assert len(days) == len(rows)
        if token.coin_id == "lunette":
            under_classic, _ = served.ticker_candles("LNETC")
            assert set(under_classic.tolist()) < set(days.tolist())


@pytest.mark.parametrize("end", [date(2022, 7, 21), date(2022, 12, 31), date(2026, 1, 1)])
def test_the_stories_fit_into_any_span(end: date):
    market = simulate_market(SimulationSettings(end=end, tokens=40, identity_events=True))

    listed = market.events.drop_nulls("successor_coin_id")

    assert listed.height == 6
    assert (listed["first_date"] <= listed["last_date"]).all()
    assert listed["last_date"].max() <= end
    assert market.daily.null_count().sum_horizontal().item() == 0
    assert market.daily["price_usd"].is_finite().all()
