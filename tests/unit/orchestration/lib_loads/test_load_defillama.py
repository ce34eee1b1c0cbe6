"""DefiLlama through its loads: what lands is the simulated truth, few requests, gaps are filled, a kill costs little."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.loads import batches, defillama
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.defi import DefiWorld
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.served import ServedMarket
from orchestration.settings import Settings
from orchestration.sources.defillama.chains import CHAIN_TVL
from orchestration.sources.defillama.metrics import PROTOCOL_METRICS
from orchestration.sources.defillama.protocols import PROTOCOLS
from orchestration.sources.defillama.stablecoins import STABLECOIN_SUPPLY
from orchestration.sources.defillama.yields import YIELDS
from orchestration.sources.errors import SourceError
from tests.limits import QUICK

FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)
API = "api.llama.fi"


@pytest.fixture(scope="module")
def opened() -> Iterator[Connections]:
    """Connections of a simulated run that wait for nothing."""
    with open_connections(Settings(simulation={"tokens": 130}), lambda text: None, limits=QUICK) as connections:
        connections.reach(last=SUNDAY, first=FIRST_DAY, partition="year")
        yield connections


@pytest.fixture
def world(sandbox) -> DefiWorld:
    return DefiWorld(ServedMarket(sandbox.app.market, SandboxClock(sandbox.clock.now)))


def day_number(day: date) -> int:
    return (day - FIRST_DAY).days


def dates_of(days: np.ndarray) -> list[date]:
    return [FIRST_DAY + timedelta(days=int(day)) for day in days]


def true_metrics(world: DefiWorld, protocol) -> dict[tuple[str, date], float]:
    """Every finished day of a protocol or family on which there was something, as it was."""
    days = world.finished_days(protocol.follows)
    series = {"tvl_usd": world.family_tvl(protocol, days)}
    flows = ("fees_usd", "revenue_usd", "dex_volume_usd")
    series |= {name: world.family_flow(protocol, name, days) for name in flows if world.reports(protocol, name)}
    return {
        (metric, day): value
        for metric, values in series.items()
        for day, value in zip(dates_of(days), values, strict=True)
        if value > 0
    }


def with_token(world: DefiWorld) -> list:
    return [each for each in world.names.protocols if each.coin_id and each.category != "CEX" and world.is_there(each)]


def load_all(ingestion, opened, reach) -> None:
    for step in defillama.STEPS:
        step.load(ingestion, opened, reach)


def test_every_day_of_every_protocol_with_a_token_lands_as_it_was(opened, ingestion, sandbox, reach):
    defillama.load_protocols(ingestion, opened, reach(partition="year"))

    world = DefiWorld(ServedMarket(sandbox.app.market, SandboxClock(sandbox.clock.now)))
    landed = ingestion.store.newest(PROTOCOL_METRICS)
    by_protocol = {
        str(name): {(row["metric"], row["market_date"]): row["value"] for row in rows.iter_rows(named=True)}
        for (name,), rows in landed.group_by("protocol_id")
    }
    assert set(by_protocol) == {each.entity_id for each in with_token(world)}
    assert any(each.is_family for each in with_token(world))
    for protocol in with_token(world):
        assert by_protocol[protocol.entity_id] == true_metrics(world, protocol), protocol.slug
        coins = landed.filter(pl.col("protocol_id") == protocol.entity_id)["coin_id"].unique().to_list()
        assert coins == [protocol.coin_id]


def test_the_list_lands_with_versions_families_and_what_does_not_count(opened, ingestion, reach, world):
    reach_now = reach()
    defillama.load_protocols(ingestion, opened, reach_now)

    rows = {row["protocol_id"]: row for row in ingestion.store.newest(PROTOCOLS).iter_rows(named=True)}
    today = np.array([day_number(SUNDAY)])
    for protocol in world.names.protocols:
        if not world.is_there(protocol):
            continue
        row = rows[protocol.entity_id]
        assert row["tvl_usd"] == world.family_tvl(protocol, today)[0]
        assert (row["category"], row["coin_id"]) == (protocol.category, protocol.coin_id)
        assert (row["borrowed_usd"] is not None) == protocol.has_borrowed
        for version in protocol.versions if protocol.is_family else ():
            assert rows[version.protocol_id]["parent_id"] == protocol.entity_id
            assert rows[version.protocol_id]["coin_id"] == version.coin_id
    flagged = {row["category"] for row in rows.values() if row["is_double_counted"]}
    assert flagged == {"CEX", "Bridge", "Liquid Staking", "Yield"}


def test_chains_stablecoins_and_pools_land_as_they_were(opened, ingestion, reach, world):
    load_all(ingestion, opened, reach(partition="year"))

    store = ingestion.store
    chains = store.newest(CHAIN_TVL)
    for chain in world.names.chains[:3]:
        days = world.finished_days(chain.index)
        assert (
            chains.filter(pl.col("chain") == chain.name)["tvl_usd"].to_list() == world.chain_tvl(chain, days).tolist()
        )
    supply = store.newest(STABLECOIN_SUPPLY)
    tether = world.names.stablecoins[0]
    days = world.finished_days(tether.index)
    expected = world.supply(tether, days) * world.stablecoin_price(tether, days)
    found = supply.filter(pl.col("stablecoin_id") == tether.stablecoin_id)
    assert found["circulating_usd"].to_list() == pytest.approx(expected.tolist(), abs=0.02)
    assert found["price_usd"][-1] == world.stablecoin_price(tether, days)[-1]
    total = supply.filter((pl.col("stablecoin_id") == "ALL") & (pl.col("market_date") == SUNDAY))[
        "circulating_usd"
    ].item()
    parts = supply.filter((pl.col("stablecoin_id") != "ALL") & (pl.col("market_date") == SUNDAY))["circulating_usd"]
    assert total == pytest.approx(parts.sum(), abs=0.05)
    pools = {row["pool_id"]: row for row in store.newest(YIELDS).iter_rows(named=True)}
    large = [
        each
        for each in world.names.pools
        if world.is_there(each.protocol) and world.pool_tvl(each, int(days[-1])) >= 1e6
    ]
    assert set(pools) == {each.pool_id for each in large}
    base, reward = world.pool_rates(large[0], int(days[-1]))
    assert pools[large[0].pool_id]["apy_base"] == pytest.approx(base / 100)
    assert (pools[large[0].pool_id]["apy_reward"] is None) == (reward is None)


def test_a_daily_run_asks_for_no_history_of_a_protocol(opened, ingestion, sandbox, reach):
    load_all(ingestion, opened, reach(SUNDAY - timedelta(days=1), partition="year"))
    sandbox.requests.clear()

    results = [result for step in defillama.STEPS for result in step.load(ingestion, opened, reach())]

    paths = [request.path for request in sandbox.requests]
    assert [path for path in paths if path.startswith(("/protocol/", "/summary/"))] == []
    assert len(paths) <= 45
    landed = {result.dataset.name: result.landed for result in results}
    newest = ingestion.store.newest(PROTOCOL_METRICS).filter(pl.col("market_date") == SUNDAY)
    assert landed["protocol_metrics"] == newest.height > 50


def test_a_second_load_of_a_day_lands_nothing(opened, ingestion, reach):
    load_all(ingestion, opened, reach(partition="year"))

    again = [result for step in defillama.STEPS for result in step.load(ingestion, opened, reach())]

    assert [result.landed for result in again] == [0] * len(again)


def test_a_week_without_runs_leaves_no_gap(opened, ingestion, reach, world):
    load_all(ingestion, opened, reach(SUNDAY - timedelta(days=7), partition="year"))

    load_all(ingestion, opened, reach())

    landed = ingestion.store.newest(PROTOCOL_METRICS)
    for protocol in with_token(world)[:5]:
        rows = landed.filter(pl.col("protocol_id") == protocol.entity_id)
        assert {
            (row["metric"], row["market_date"]): row["value"] for row in rows.iter_rows(named=True)
        } == true_metrics(world, protocol)


def test_as_many_histories_as_allowed_are_asked_the_largest_first(
    opened, ingestion, sandbox, reach, monkeypatch, world
):
    few = opened.settings.model_copy(update={"protocol_histories": 2, "chain_histories": 1})
    monkeypatch.setattr(opened, "settings", few)

    load_all(ingestion, opened, reach(partition="year"))

    asked = {request.path for request in sandbox.requests if request.path.startswith("/protocol/")}
    today = np.array([day_number(SUNDAY)])
    largest = sorted(with_token(world), key=lambda each: -world.family_tvl(each, today)[0])[:2]
    assert asked >= {f"/protocol/{each.slug}" for each in largest}
    full = ingestion.store.newest(PROTOCOL_METRICS).filter(pl.col("market_date") < date(2024, 1, 1))
    assert set(full["protocol_id"]) <= {each.entity_id for each in largest}
    assert ingestion.store.newest(CHAIN_TVL)["chain"].n_unique() == 2


def rows_of(ingestion, protocol, metric: str) -> pl.DataFrame:
    landed = ingestion.store.newest(PROTOCOL_METRICS)
    return landed.filter((pl.col("protocol_id") == protocol.entity_id) & (pl.col("metric") == metric))


def test_a_history_that_failed_in_passing_is_filled_by_the_next_run(opened, ingestion, sandbox, reach, world):
    struck = next(each for each in with_token(world) if each.category == "Derivatives" and each.has_fees)
    sandbox.faults.add(FaultRule(kind=FaultKind.TRUNCATED, host=API, path_contains=f"/protocol/{struck.slug}"))
    _, first = defillama.load_protocols(ingestion, opened, reach(SUNDAY - timedelta(days=1), partition="year"))
    landed_first = rows_of(ingestion, struck, "tvl_usd").height, rows_of(ingestion, struck, "fees_usd").height
    sandbox.faults.clear()

    _, second = defillama.load_protocols(ingestion, opened, reach())

    assert list(first.failures) == [f"{struck.slug}: tvl_usd"]
    assert landed_first[0] == 0 < landed_first[1]
    assert second.failures == {}
    truth = {day: value for (metric, day), value in true_metrics(world, struck).items() if metric == "tvl_usd"}
    assert dict(rows_of(ingestion, struck, "tvl_usd").select("market_date", "value").iter_rows()) == truth


def test_a_history_that_is_refused_for_good_leaves_the_days_from_now_on(opened, ingestion, sandbox, reach, world):
    struck = next(each for each in with_token(world) if each.category == "Derivatives" and each.has_fees)
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host=API, path_contains=f"/protocol/{struck.slug}"))
    defillama.load_protocols(ingestion, opened, reach(SUNDAY - timedelta(days=1), partition="year"))
    sandbox.requests.clear()

    _, second = defillama.load_protocols(ingestion, opened, reach())

    days = rows_of(ingestion, struck, "tvl_usd")["market_date"].to_list()
    assert days == [SUNDAY - timedelta(days=1), SUNDAY]
    assert second.failures == {}
    assert [each.path for each in sandbox.requests if each.path.startswith("/protocol/")] == []


def test_a_load_that_stopped_half_way_goes_on_where_it_was(
    opened, ingestion, sandbox, reach, monkeypatch, new_process, world
):
    monkeypatch.setattr(batches, "MOST_A_BATCH", 5)
    down = FaultRule(kind=FaultKind.UNAVAILABLE, host=API, skip_first=50)
    sandbox.faults.add(down)
    with pytest.raises(SourceError):
        defillama.load_protocols(ingestion, opened, reach(partition="year"))
    filled = set(ingestion.store.newest(PROTOCOL_METRICS)["protocol_id"])
    sandbox.faults.clear()
    sandbox.requests.clear()
    new_process()

    defillama.load_protocols(ingestion, opened, reach(partition="year"))

    asked = [request.path for request in sandbox.requests if request.path.startswith("/protocol/")]
    slugs = {each.entity_id: each.slug for each in with_token(world)}
    assert 5 <= len(filled) < len(slugs)
    assert {f"/protocol/{slugs[name]}" for name in filled} & set(asked) == set()
    landed = ingestion.store.newest(PROTOCOL_METRICS)
    assert set(landed["protocol_id"]) == set(slugs)
    assert landed.select(PROTOCOL_METRICS.key).is_duplicated().any() is False
    for protocol in with_token(world):
        rows = landed.filter(pl.col("protocol_id") == protocol.entity_id)
        assert rows.height == len(true_metrics(world, protocol)), protocol.slug


def test_families_are_asked_for_their_coin_once(opened, ingestion, sandbox, reach, world):
    asking = [each for each in world.names.protocols if each.is_family and not any(v.coin_id for v in each.versions)]
    assert asking
    defillama.load_protocols(ingestion, opened, reach(SUNDAY - timedelta(days=1), partition="year"))
    sandbox.requests.clear()

    defillama.load_protocols(ingestion, opened, reach())

    assert [request.path for request in sandbox.requests if request.path.startswith("/protocol/")] == []
    coins = dict(ingestion.store.newest(PROTOCOLS).select("protocol_id", "coin_id").iter_rows())
    assert {coins[each.entity_id] for each in asking} == {each.coin_id for each in asking}


def test_families_beyond_a_runs_share_wait_for_the_next(opened, ingestion, reach, monkeypatch, world):
    monkeypatch.setattr(defillama, "MOST_FAMILIES_ASKED", 0)
    defillama.load_protocols(ingestion, opened, reach(SUNDAY - timedelta(days=1), partition="year"))
    before = set(ingestion.store.newest(PROTOCOLS)["protocol_id"])
    monkeypatch.setattr(defillama, "MOST_FAMILIES_ASKED", 20)

    defillama.load_protocols(ingestion, opened, reach())

    asking = {
        each.entity_id for each in world.names.protocols if each.is_family and not any(v.coin_id for v in each.versions)
    }
    assert not asking & before
    assert asking <= set(ingestion.store.newest(PROTOCOLS)["protocol_id"])


def test_damaged_records_are_refused_and_no_wrong_number_lands(opened, ingestion, sandbox, reach, world):
    sandbox.faults.add(FaultRule(kind=FaultKind.WRONG_TYPES))

    load_all(ingestion, opened, reach(partition="year"))

    landed = ingestion.store.newest(PROTOCOL_METRICS)
    truth = {
        (protocol.entity_id, metric, day): value
        for protocol in with_token(world)
        for (metric, day), value in true_metrics(world, protocol).items()
    }
    keys = landed.select(PROTOCOL_METRICS.key).rows()
    assert landed.height > 10_000
    assert [key for key, value in zip(keys, landed["value"], strict=True) if truth[key] != value] == []
    chains = {each.name: each for each in world.names.chains}
    wrong = [
        row
        for row in ingestion.store.newest(CHAIN_TVL).filter(pl.col("chain") != "ALL").iter_rows(named=True)
        if row["tvl_usd"] != world.chain_tvl(chains[row["chain"]], np.array([day_number(row["market_date"])]))[0]
    ]
    assert wrong == []
    assert (ingestion.store.root / "quarantine" / "defillama").is_dir()


@pytest.mark.parametrize(
    "kind", [FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.HTML_PAGE, FaultKind.BLOCKED]
)
def test_a_host_that_is_down_ends_the_load(opened, ingestion, sandbox, reach, kind):
    sandbox.faults.add(FaultRule(kind=kind, host=API))

    with pytest.raises(SourceError):
        defillama.load_protocols(ingestion, opened, reach())

    assert ingestion.store.loads() == [load for load in ingestion.store.loads() if load.source == "coingecko"]
