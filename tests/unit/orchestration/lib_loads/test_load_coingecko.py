"""CoinGecko through its loads: what lands is the simulated truth, charts weekly, documents in turns, names kept."""

import json
from datetime import date, timedelta

import polars as pl
import pytest
from starlette.responses import JSONResponse

from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.ingestion import Ingestion
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import coingecko
from orchestration.lib.loads.coingecko_coins import load_assets
from orchestration.lib.weeks import instant_of
from orchestration.sandbox.coingecko_activity import community_of
from orchestration.sandbox.contracts import contracts_of
from orchestration.sandbox.developers import DeveloperActivity
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import Settings
from orchestration.sources.coingecko import (
    ASSETS,
    CATEGORY_DAILY,
    COIN_ACTIVITY,
    CONTRACTS,
    GLOBAL_DAILY,
    MARKET_DAILY,
    MARKETS,
)
from orchestration.sources.errors import SourceError
from orchestration.sources.http import HttpLimits
from orchestration.sources.one_by_one import OTHERS

FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)
DAY = timedelta(days=1)


@pytest.fixture
def landing(opened: Connections, tmp_path) -> Ingestion:
    """Landing in an empty folder."""
    return opened.ingestion(LandingStore(tmp_path / "empty"))


@pytest.fixture
def served(sandbox: RunningSandbox, market) -> ServedMarket:
    """The truth as of the sandbox's clock."""
    return ServedMarket(market, sandbox.clock)


def charts_asked(sandbox: RunningSandbox) -> list[str]:
    return [each.path.split("/")[4] for each in sandbox.requests if "/market_chart" in each.path]


def documents_asked(sandbox: RunningSandbox) -> list[str]:
    apart = {"list", "markets", "categories"}
    parts = [each.path.split("/") for each in sandbox.requests if each.path.startswith("/api/v3/coins/")]
    return [part[4] for part in parts if len(part) == 5 and part[4] not in apart]


def load_all(landing: Ingestion, opened: Connections, reach) -> None:
    for step in coingecko.STEPS:
        step.load(landing, opened, reach)


# -- what lands --------------------------------------------------------------------------------------------------------


def test_documents_land_as_the_simulated_market_has_them(opened, landing, sandbox, served, market, reach):
    for step in coingecko.STEPS[:2]:
        step.load(landing, opened, reach(partition="year"))

    developers = DeveloperActivity(market)
    readable = {each.index: each for each in developers.repositories if not each.is_gone and not each.is_empty}
    landed = landing.store.newest(COIN_ACTIVITY)
    assert landed.height == sum(map(served.is_alive, range(len(market.members))))  # fewer than a fourth of 500
    for row in landed.iter_rows(named=True):
        index = served.index_of[row["coin_id"]]
        community = community_of(served, index)
        share = None if community.up_percent is None else pytest.approx(community.up_percent / 100)
        assert (row["market_date"], row["watchlist_users"]) == (SUNDAY, community.watchlist_users)
        assert (row["sentiment_up_share"], row["telegram_users"]) == (share, community.telegram_users)
        assert row["reddit_subscribers"] is None
        has_counts = index in readable
        yesterday = (SUNDAY - FIRST_DAY).days
        commits = developers.commits(index)[: yesterday - developers.first_day + 1][-28:].sum() if has_counts else None
        assert row["commits_4w"] == commits
        assert row["stars"] == (developers.stars(index, yesterday) if has_counts else None)
        assert row["contributors"] == (developers.team(index) if has_counts else None)


def test_metadata_and_contracts_land_as_the_simulated_market_has_them(opened, landing, served, market, reach):
    for step in coingecko.STEPS[:2]:
        step.load(landing, opened, reach(partition="year"))

    read = set(landing.store.newest(COIN_ACTIVITY)["coin_id"])
    assets = {row["coin_id"]: row for row in landing.store.newest(ASSETS).iter_rows(named=True)}
    for index, token in enumerate(market.members):
        if token.coin_id in read:
            row = assets[token.coin_id]
            assert (row["symbol"], row["name"]) == (token.symbol.lower(), token.name)
            assert (row["platform"], row["genesis_date"]) == (token.platform, token.genesis_date)
            assert json.loads(row["github_repos"]) == ([token.github_repo] if token.github_repo else [])
            assert (row["is_stablecoin"], row["is_native"]) == (token.is_stable, token.platform is None)
        elif served.is_born(index):
            assert assets[token.coin_id]["platform"] is None  # known by name, and its document not read yet
    contracts = {
        (token.coin_id, chain, address)
        for index, token in enumerate(market.members)
        if served.is_alive(index)
        for chain, address in contracts_of(token).items()
    }
    assert set(landing.store.newest(CONTRACTS).select("coin_id", "platform", "contract_address").rows()) == contracts
    assert len({coin for coin, _, _ in contracts}) < len(contracts)  # some are issued on several chains


def test_totals_land_as_the_sums_of_the_coins(opened, landing, served, market, reach):
    coingecko.load_totals(landing, opened, reach())
    landing.settle(CATEGORY_DAILY, reach())

    moment = served.moment()
    real = [index for index, token in enumerate(market.members) if moment.is_alive[index] and not token.is_fake_cap]
    (row,) = landing.store.newest(GLOBAL_DAILY).to_dicts()
    cap = float(moment.cap[real].sum())
    assert row["market_cap_usd"] == pytest.approx(cap)
    assert row["volume_24h_usd"] == pytest.approx(float(moment.volume[real].sum()))
    assert row["btc_dominance"] == pytest.approx(float(moment.cap[served.index_of["bitcoin"]]) / cap)
    assert row["active_coins"] == int(moment.is_alive.sum())
    layer_1 = landing.store.newest(CATEGORY_DAILY).filter(category_id="layer-1").row(0, named=True)
    inside = [i for i, token in enumerate(market.members) if moment.is_alive[i] and "layer-1" in token.categories]
    assert layer_1["market_cap_usd"] == pytest.approx(float(moment.cap[inside].sum()))


def test_charts_land_as_the_provider_serves_them(opened, landing, served, market, reach):
    load_all(landing, opened, reach(partition="year"))

    landed = landing.store.newest(MARKET_DAILY)
    for index, token in enumerate(market.members):
        days, values = served.chart(index) if served.is_born(index) else ([], [])
        expected = {
            market.settings.start + timedelta(days=int(day)): tuple(row) for day, row in zip(days, values, strict=True)
        }
        rows = landed.filter(coin_id=token.coin_id)
        found = {
            row["market_date"]: (row["price_usd"], row["market_cap_usd"] or 0.0, row["volume_24h_usd"])
            for row in rows.iter_rows(named=True)
        }
        assert found == expected


# -- charts once a week ------------------------------------------------------------------------------------------------


def test_charts_are_asked_once_a_week_and_prices_come_in_bulk_between(opened, landing, sandbox, reach):
    load_all(landing, opened, reach(partition="year"))
    sandbox.requests.clear()
    asked: dict[date, int] = {}

    for days in range(1, 8):
        for load in (coingecko.load_markets, coingecko.load_market_daily):
            load(landing, opened, reach(SUNDAY + days * DAY))
        landing.settle(MARKET_DAILY, reach(SUNDAY + days * DAY))
        asked[SUNDAY + days * DAY] = len(charts_asked(sandbox))
        sandbox.requests.clear()

    newcomers = sum(list(asked.values())[:6])
    assert newcomers <= 6  # coins that came to the market within the week, and one with a gap before it
    assert asked[SUNDAY + 7 * DAY] > 100
    assert landing.store.newest(MARKETS)["market_date"].n_unique() == 8


def test_weekly_loads_land_what_daily_ones_of_charts_would(opened, landing, served, market, reach):
    load_all(landing, opened, reach(partition="year"))
    for weeks in (1, 2):
        for load in (coingecko.load_markets, coingecko.load_market_daily):
            load(landing, opened, reach(SUNDAY + 7 * weeks * DAY))
        landing.settle(MARKET_DAILY, reach(SUNDAY + 7 * weeks * DAY))

    newest = landing.store.newest_market_dates(MARKET_DAILY, by="coin_id")
    last = SUNDAY + timedelta(days=14)
    for index, token in enumerate(market.members):
        days, _ = served.chart(index) if served.is_born(index) else ([], None)
        if served.is_alive(index) and len(days):
            assert newest[token.coin_id] == market.settings.start + timedelta(days=int(max(days)))
    assert max(newest.values()) == last


def test_a_coin_without_prices_is_asked_at_once(opened, landing, sandbox, market, reach):
    births = sorted(market.tokens.filter(pl.col("birth_date") > SUNDAY)["birth_date"])
    born = next(day for day in births if day.weekday() not in (5, 6))
    start = born - DAY
    load_all(landing, opened, reach(start, partition="year"))
    sandbox.requests.clear()

    load_all(landing, opened, reach(born))
    landing.settle(MARKET_DAILY, reach(born))

    newcomers = set(market.tokens.filter(birth_date=born)["coin_id"])
    assert newcomers <= set(charts_asked(sandbox))
    assert newcomers <= set(landing.store.newest_market_dates(MARKET_DAILY, by="coin_id"))


def test_a_killed_load_of_charts_goes_on_with_the_coins_that_are_left(opened, landing, sandbox, reach, new_process):
    first = reach(partition="year")
    for step in coingecko.STEPS[:3]:
        step.load(landing, opened, first)
    sandbox.faults.add(
        FaultRule(
            kind=FaultKind.RATE_LIMITED_RETRY_AFTER,
            path_contains="market_chart",
            skip_first=40,
            retry_after_seconds=900,
        )
    )
    (stopped,) = coingecko.load_market_daily(landing, opened, first)
    sandbox.faults.clear()
    sandbox.requests.clear()
    new_process()

    (finished,) = coingecko.load_market_daily(landing, opened, first)

    assert OTHERS in stopped.failures
    assert finished.failures == {}
    assert len(charts_asked(sandbox)) < 130 - 40 + 5
    assert landing.store.newest(MARKET_DAILY)["coin_id"].n_unique() > 100


def test_a_provider_that_is_down_ends_the_load(opened, landing, sandbox, reach):
    coingecko.load_markets(landing, opened, reach(partition="year"))
    sandbox.faults.add(
        FaultRule(kind=FaultKind.RATE_LIMITED_RETRY_AFTER, path_contains="market_chart", retry_after_seconds=900)
    )

    with pytest.raises(SourceError, match="429"):
        coingecko.load_market_daily(landing, opened, reach(partition="year"))


def test_one_coin_that_fails_leaves_the_others(opened, landing, sandbox, reach):
    for step in coingecko.STEPS[:3]:
        step.load(landing, opened, reach(partition="year"))
    sandbox.faults.add(FaultRule(kind=FaultKind.HTML_PAGE, path_contains="/coins/tether/market_chart"))
    hasty = Connections(opened.settings, opened._closing, opened.report, sandbox=sandbox, limits=HttpLimits(attempts=1))

    (result,) = coingecko.load_market_daily(landing, hasty, reach(partition="year"))

    assert set(result.failures) == {"tether"}
    assert "bitcoin" in set(landing.store.newest(MARKET_DAILY)["coin_id"])


# -- documents in turns ------------------------------------------------------------------------------------------------


def test_documents_are_asked_a_share_at_a_time_the_largest_coins_first(opened, landing, sandbox, market, reach):
    settings = opened.settings.model_copy(update={"live_universe": 40})
    few = Connections(settings, opened._closing, opened.report, sandbox=sandbox)
    asked = []
    for days in range(4):
        coingecko.load_markets(landing, few, few.reach(last=SUNDAY + days * DAY, first=FIRST_DAY, partition="day"))
        load_assets(landing, few, few.reach(last=SUNDAY + days * DAY, first=FIRST_DAY, partition="day"))
        asked.append(documents_asked(sandbox))
        sandbox.requests.clear()

    listed = landing.store.newest(MARKETS).filter(market_date=SUNDAY)
    largest = listed.sort("market_cap_usd", descending=True, nulls_last=True)["coin_id"].to_list()
    assert asked[0] == largest[:10]
    assert [len(each) for each in asked] == [10, 1, 1, 1]
    assert len({coin for each in asked for coin in each}) == 13


def test_a_load_asked_for_twice_on_a_day_asks_no_document_twice(opened, landing, sandbox, reach):
    for step in coingecko.STEPS[:2]:
        step.load(landing, opened, reach(partition="year"))
    sandbox.requests.clear()

    load_assets(landing, opened, reach())

    assert documents_asked(sandbox) == []


def test_metadata_of_a_document_outlives_the_lists_of_later_days(opened, landing, reach):
    for days in range(2):
        for step in coingecko.STEPS[:2]:
            step.load(landing, opened, reach(SUNDAY + days * DAY))

    ethereum = landing.store.newest(ASSETS).filter(coin_id="ethereum").row(0, named=True)
    assert ethereum["homepage"] == "https://ethereum.example"
    assert json.loads(ethereum["github_repos"]) == ["https://github.com/ethereum/go-ethereum"]


# -- identity ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def storied():
    """A market with a rename, a migration, a merger and a reused ticker."""
    return simulate_market(SimulationSettings(tokens=130, identity_events=True))


def load_on(storied, landing: Ingestion, days: list[date], *, full_history: bool = True, **settings) -> list[str]:
    """Lists, names and documents of some days; gives what was reported."""
    said: list[str] = []
    with running_sandbox(storied, market_instant(days[0]), full_history=full_history) as sandbox:
        run = Settings(simulation={"tokens": 130}, **settings)
        with open_connections(run, said.append, sandbox=sandbox) as connections:
            landing.report = said.append
            for day in days:
                reach = connections.reach(last=day, first=FIRST_DAY, partition="day")
                coingecko.load_markets(landing, connections, reach)
                load_assets(landing, connections, reach)
    return said


def market_instant(day: date):
    return instant_of(day + DAY)


def test_a_renamed_coin_lands_again_under_its_id(storied, landing):
    (change,) = [each for each in storied.identities.name_changes if each.symbol == "KEST"]
    day = storied.settings.start + timedelta(days=change.first_day)
    coin_id = storied.members[change.index].coin_id

    load_on(storied, landing, [day - 2 * DAY, day])

    with_files = [pl.read_parquet(path) for path in landing.store.files(ASSETS)]
    symbols = pl.concat(with_files).filter(coin_id=coin_id).sort("load_id")["symbol"].unique(maintain_order=True)
    assert symbols.to_list() == ["cobl", "kest"]
    assert landing.store.newest(ASSETS).filter(coin_id=coin_id)["symbol"].to_list() == ["kest"]


def test_a_coin_that_dies_stays_among_the_assets_and_its_successor_joins_them(storied, landing):
    (event,) = [each for each in storied.identities.events if each.kind == "migration"]
    old, new = (storied.members[index].coin_id for index in (event.index, event.successor_index))
    start = storied.settings.start
    before, after = (start + timedelta(days=day) for day in (event.first_day - 10, event.last_day + 5))

    load_on(storied, landing, [before, after])

    assets = set(landing.store.newest(ASSETS)["coin_id"])
    today = set(landing.store.newest(MARKETS).filter(market_date=after)["coin_id"])
    assert {old, new} <= assets
    assert old not in today
    assert new in today


def test_a_plan_without_the_list_of_inactive_coins_goes_on_without(opened, landing, sandbox, reach):
    said: list[str] = []
    landing.report = said.append
    coingecko.load_markets(landing, opened, reach())
    refused = {"error": {"status": {"error_code": 10005, "error_message": "limited to PRO API subscribers"}}}
    original = sandbox.app._router

    async def router(scope, receive, send):
        if b"status=inactive" in scope["query_string"]:
            await JSONResponse(refused, 401)(scope, receive, send)
        else:
            await original(scope, receive, send)

    sandbox.app._router = router
    try:
        results = load_assets(landing, opened, reach())
    finally:
        sandbox.app._router = original

    assert any("no list of inactive coins" in text and "10005" in text for text in said)
    assert [result.failures for result in results] == [{}, {}, {}]
    assert "bitcoin" in set(landing.store.newest(ASSETS)["coin_id"])


def test_without_a_long_history_the_last_365_days_land_and_the_rest_is_noted(opened, landing, market):
    with running_sandbox(market, market_instant(SUNDAY), full_history=False) as sandbox:
        run = Settings(simulation={"tokens": 130})
        with open_connections(run, lambda text: None, sandbox=sandbox) as connections:
            reach = connections.reach(last=SUNDAY, first=FIRST_DAY, partition="year")
            for step in coingecko.STEPS[:2]:
                step.load(landing, connections, reach)
            before = len(sandbox.requests)
            (result,) = coingecko.load_market_daily(landing, connections, reach)
            asked = len(sandbox.requests) - before

    landed = landing.store.newest(MARKET_DAILY)
    coins = landed["coin_id"].n_unique()
    assert (landed["market_date"].min(), landed["market_date"].max()) == (date(2024, 1, 7), SUNDAY)
    (note,) = result.failures
    assert note.startswith("closes before 2024-01-07 of ")
    assert "365 days" in result.failures[note]
    assert asked <= coins + 20  # one refusal, then nobody is asked for more than the plan gives; the dead have nothing
