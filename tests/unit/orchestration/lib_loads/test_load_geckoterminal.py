"""GeckoTerminal through its loads: what lands is the simulated truth; which pools are followed, whose holders counted."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingestion
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import coingecko, geckoterminal
from orchestration.lib.loads.followed_pools import choose_pools
from orchestration.sandbox.contracts import contracts_of
from orchestration.sandbox.dex_holders import holders_of
from orchestration.sandbox.dex_pools import DexPools
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sources.coingecko import MARKETS
from orchestration.sources.errors import SourceError
from orchestration.sources.geckoterminal import NETWORKS, POOL_CANDLES, POOLS, TOKEN_HOLDERS
from orchestration.sources.http import HttpLimits

FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)
DAY = timedelta(days=1)


@pytest.fixture
def landing(opened: Connections, tmp_path) -> Ingestion:
    """Landing in an empty folder."""
    return opened.ingestion(LandingStore(tmp_path / "empty"))


@pytest.fixture
def pools(sandbox: RunningSandbox, market) -> DexPools:
    """The truth about pools as of the sandbox's clock."""
    return DexPools(ServedMarket(market, sandbox.clock))


@pytest.fixture
def served(sandbox: RunningSandbox, market) -> ServedMarket:
    return ServedMarket(market, sandbox.clock)


def load_coins(landing: Ingestion, opened: Connections, reach) -> None:
    for step in coingecko.STEPS[:2]:
        step.load(landing, opened, reach)


# -- what lands --------------------------------------------------------------------------------------------------------


def test_pools_land_as_the_simulated_market_has_them(opened, landing, pools, reach):
    (result,) = geckoterminal.load_pools(landing, opened, reach())

    landed = landing.store.newest(POOLS)
    trending, new = {each.id for each in pools.trending(40)}, {each.id for each in pools.newest(40)}
    assert set(landed["pool_id"]) == trending | new
    assert set(landed.filter(found_as="trending")["pool_id"]) == trending
    assert (result.quarantined, dict(result.failures)) == (0, {})
    for row in landed.iter_rows(named=True):
        pool = pools.find(row["network"], row["pool_address"])
        state = pools.state(pool)
        assert (row["base_token_address"], row["coin_id"]) == (pool.token_address, pool.coin_id)
        assert (row["price_usd"], row["volume_24h_usd"]) == (state.price, state.volume)
        assert (row["liquidity_usd"], row["market_cap_usd"]) == (state.liquidity, state.market_cap)
        assert (row["buys_24h"], row["sells_24h"]) == (state.buys, state.sells)
    assert landed["liquidity_usd"].null_count() + landed.filter(liquidity_usd=0.0).height > 0


def test_candles_of_followed_pools_land_as_the_simulated_market_has_them(opened, landing, pools, market, reach):
    geckoterminal.load_pools(landing, opened, reach())
    (result,) = geckoterminal.load_pool_candles(landing, opened, reach())
    landing.settle(POOL_CANDLES, reach())

    seen = {row["pool_id"]: row for row in landing.store.newest(POOLS).iter_rows(named=True)}
    landed = landing.store.newest(POOL_CANDLES)
    assert 10 < landed["pool_id"].n_unique() <= opened.settings.followed_pools
    assert dict(result.failures) == {}
    for (pool_id,), rows in landed.group_by("pool_id"):
        row = seen[str(pool_id)]
        days, candles = pools.candles(pools.find(row["network"], row["pool_address"]))
        expected = {
            market.settings.start + timedelta(days=int(day)): tuple(candle)
            for day, candle in zip(days, candles.tolist(), strict=True)
        }
        known = {
            day: candle for day, candle in expected.items() if SUNDAY - 179 * DAY < day <= SUNDAY
        }  # the 180th is the running day
        names = ("open_usd", "high_usd", "low_usd", "close_usd", "volume_usd")
        assert {
            each["market_date"]: tuple(each[name] for name in names) for each in rows.iter_rows(named=True)
        } == known


def test_holders_land_as_the_simulated_market_has_them(opened, landing, pools, served, market, reach):
    load_coins(landing, opened, reach())
    (result,) = geckoterminal.load_token_holders(landing, opened, reach())

    landed = landing.store.newest(TOKEN_HOLDERS)
    unknown = 0
    assert landed.height > 50
    assert (result.quarantined, dict(result.failures)) == (0, {})
    for row in landed.iter_rows(named=True):
        pool = pools.of_token(row["network"], row["token_address"])
        truth = holders_of(served, pools, pool)
        if truth is None:
            unknown += 1
            assert (row["coin_id"], row["holders"], row["score"]) == (None, None, None)
            continue
        assert (row["coin_id"], row["score"]) == (pool.coin_id, truth.score)
        assert row["holders"] == (truth.count if truth.is_counted else None)
        top = pytest.approx(truth.top_10_percent / 100) if truth.is_counted else None
        assert row["top_10_share"] == top
        assert (row["next_30_share"] is None) == (not truth.is_counted or row["network"] != "solana")
        assert (row["next_40_share"] is None) == (not truth.is_counted or row["network"] == "solana")
    assert unknown > 0


# -- whose holders are counted -----------------------------------------------------------------------------------------


def test_holders_are_counted_a_share_a_day_the_smallest_coins_first_and_nobody_twice_in_28_days(
    opened, landing, sandbox, market, reach
):
    settings = opened.settings.model_copy(update={"live_universe": 84})
    few = Connections(settings, opened._closing, opened.report, sandbox=sandbox)
    asked: list[list[str]] = []
    for days in range(4):
        now = few.reach(last=SUNDAY + days * DAY, first=FIRST_DAY, partition="day")
        load_coins(landing, few, now)
        sandbox.requests.clear()
        geckoterminal.load_token_holders(landing, few, now)
        asked.append([each.path for each in sandbox.requests])

    assert [len(each) for each in asked] == [21, 3, 3, 3]
    assert len({path for each in asked for path in each}) == 30
    listed = landing.store.newest(MARKETS).filter(market_date=SUNDAY).sort("market_cap_usd", nulls_last=True)
    tokens = {token.coin_id: token for token in market.members}
    held = [coin for coin in listed["coin_id"] if set(contracts_of(tokens[coin])) & set(NETWORKS)]
    first = asked[0][0].split("/")
    assert first[6] in set(contracts_of(tokens[held[0]]).values())


def test_a_token_that_nobody_knows_is_not_asked_for_every_day(opened, landing, sandbox, reach):
    load_coins(landing, opened, reach())
    geckoterminal.load_token_holders(landing, opened, reach())
    missing = [each.path for each in sandbox.requests if each.status == 404]
    sandbox.requests.clear()

    load_coins(landing, opened, reach(SUNDAY + DAY))
    geckoterminal.load_token_holders(landing, opened, reach(SUNDAY + DAY))

    assert missing
    assert not set(missing) & {each.path for each in sandbox.requests}


# -- failures ----------------------------------------------------------------------------------------------------------


def test_one_pool_that_fails_leaves_the_others(opened, landing, sandbox, reach):
    geckoterminal.load_pools(landing, opened, reach())
    hasty = Connections(opened.settings, opened._closing, opened.report, sandbox=sandbox, limits=HttpLimits(attempts=1))
    sandbox.faults.add(FaultRule(kind=FaultKind.HTML_PAGE, path_contains="/ohlcv/", times=1, skip_first=3))

    (result,) = geckoterminal.load_pool_candles(landing, hasty, reach())

    assert len(result.failures) == 1
    assert landing.store.newest(POOL_CANDLES)["pool_id"].n_unique() > 10


def test_a_provider_that_is_down_ends_the_load(opened, landing, sandbox, reach):
    sandbox.faults.add(
        FaultRule(kind=FaultKind.RATE_LIMITED_RETRY_AFTER, host="api.geckoterminal.com", retry_after_seconds=900)
    )

    with pytest.raises(SourceError, match="429"):
        geckoterminal.load_pools(landing, opened, reach())


def test_candles_go_on_from_the_newest_landed_day(opened, landing, sandbox, reach):
    for step in geckoterminal.STEPS[:2]:
        step.load(landing, opened, reach())
    landing.settle(POOL_CANDLES, reach())
    followed = landing.store.newest(POOL_CANDLES).filter(market_date=SUNDAY)["pool_id"]
    sandbox.requests.clear()

    for step in geckoterminal.STEPS[:2]:
        step.load(landing, opened, reach(SUNDAY + DAY))

    limits = {each.path.split("/")[6]: int(each.query["limit"]) for each in sandbox.requests if "ohlcv" in each.path}
    again = [limits[pool.rpartition("_")[2]] for pool in followed if pool.rpartition("_")[2] in limits]
    assert len(again) > 10
    assert max(again) <= 5


# -- which pools are followed ------------------------------------------------------------------------------------------


def seen(pool: str, *, base: str | None = None, ticker: str = "GME", **changes) -> dict:
    usual = {
        "pool_id": f"eth_{pool}",
        "network": "eth",
        "pool_address": pool,
        "found_as": "new",
        "base_token_address": base or f"token-of-{pool}",
        "base_token_symbol": ticker,
        "coin_id": None,
        "quote_token_address": "weth",
        "market_date": SUNDAY,
        "liquidity_usd": 90_000.0,
    }
    return usual | changes


def chosen(*rows: dict, candles: dict[str, date] | None = None, listed: set[str] | None = None, most: int = 9) -> list:
    frame = pl.DataFrame(list(rows), schema=POOLS.columns)
    found = choose_pools(
        frame, candles=candles or {}, listed=listed or set(), last=SUNDAY, most=most, least_liquidity_usd=50_000
    )
    return found["pool_address"].to_list()


def test_pools_with_most_liquidity_are_followed_and_thin_or_uncounted_ones_are_not():
    rows = [
        seen("a"),
        seen("b", liquidity_usd=200_000.0),
        seen("c", liquidity_usd=49_000.0),
        seen("d", liquidity_usd=None),
    ]

    assert chosen(*rows) == ["b", "a"]
    assert chosen(*rows, most=1) == ["b"]


def test_a_token_counts_as_listed_where_coingecko_knows_it_and_its_ticker_trades():
    rows = [seen("a", coin_id="gamestop"), seen("b"), seen("c", coin_id="other", ticker="OTHR")]

    assert chosen(*rows, listed={"GME"}) == ["b", "c"]


def test_of_a_tokens_pools_the_deepest_is_followed():
    rows = [seen("a", base="t"), seen("b", base="t", liquidity_usd=70_000.0)]

    assert chosen(*rows) == ["a"]


def test_what_others_are_paid_in_is_not_followed():
    assert chosen(seen("a", base="weth"), seen("b")) == ["b"]


def test_a_followed_pool_that_drains_is_followed_to_its_end():
    drained = [seen("a", market_date=SUNDAY - DAY), seen("a", liquidity_usd=0.0), seen("b")]

    assert chosen(*drained, candles={"eth_a": SUNDAY - 3 * DAY}, most=1) == ["a"]
    assert chosen(*drained, candles={"eth_a": SUNDAY - 20 * DAY}, most=1) == ["b"]


def test_a_pool_is_followed_for_half_a_year_at_most():
    old = seen("a", market_date=SUNDAY - 181 * DAY)

    assert chosen(old, seen("a"), candles={"eth_a": SUNDAY}) == []


def test_nothing_is_begun_with_that_was_seen_long_ago():
    assert chosen(seen("a", market_date=SUNDAY - 8 * DAY), seen("b", market_date=SUNDAY - 7 * DAY)) == ["b"]


def test_nothing_seen_is_nothing_followed():
    assert chosen() == []
