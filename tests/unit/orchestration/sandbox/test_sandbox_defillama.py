"""DefiLlama in the sandbox: its wire format and traps, and what the simulated values follow."""

from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.defi import DefiWorld
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings
from orchestration.sandbox.unlocks import POSTPONED_DAYS, UnlockSchedules

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
MIDNIGHT = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp())
DAY = 86_400


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, host: str = "api.llama.fi", **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for(host)}/{path}", params=params)


def served(market: SimulatedMarket, now: datetime = NOW) -> ServedMarket:
    return ServedMarket(market, SandboxClock(now))


@pytest.fixture(scope="module")
def world(market: SimulatedMarket) -> DefiWorld:
    return DefiWorld(served(market))


# -- the wire --------------------------------------------------------------------------------------------------------------


def test_protocols_are_a_bare_list_with_an_exchange_on_it_and_versions_without_a_coin(sandbox, http):
    rows = get(http, sandbox, "protocols").json()

    assert {"CEX", "Bridge", "Dexs", "Lending"} <= {row["category"] for row in rows}
    assert [row["tvl"] for row in rows] == sorted((row["tvl"] for row in rows), reverse=True)
    versions = [row for row in rows if row.get("parentProtocol")]
    assert versions
    assert {row["gecko_id"] for row in versions} > {None}
    assert not any(row["id"].startswith("parent#") for row in rows)
    lending = next(row for row in rows if row["category"] == "Lending")
    assert {"borrowed", "staking"} < set(lending["chainTvls"])
    plain = [value for name, value in lending["chainTvls"].items() if name in lending["chains"]]
    assert sum(plain) == pytest.approx(lending["tvl"], abs=0.02)


def test_a_family_knows_its_coin_and_ends_now(sandbox, http):
    rows = get(http, sandbox, "protocols").json()
    family = next(row["parentProtocolSlug"] for row in rows if row.get("parentProtocol"))

    answer = get(http, sandbox, f"protocol/{family}").json()

    assert answer["id"] == f"parent#{family}"
    assert answer["gecko_id"]
    stamps = [point["date"] for point in answer["tvl"]]
    assert {stamp % DAY for stamp in stamps[:-1]} == {0}
    assert stamps[-2:] == [MIDNIGHT, int(NOW.timestamp())]
    now = sum(row["tvl"] for row in rows if row.get("parentProtocol") == f"parent#{family}")
    assert answer["tvl"][-1]["totalLiquidityUSD"] == now


def test_an_overview_has_two_days_and_the_history_the_same(sandbox, http):
    rows = get(http, sandbox, "overview/fees", dataType="dailyRevenue").json()["protocols"]
    row = next(
        each
        for each in rows
        if each["total24h"] and not each.get("parentProtocol") and each["protocolType"] == "protocol"
    )

    chart = get(http, sandbox, f"summary/fees/{row['slug']}", dataType="dailyRevenue").json()["totalDataChart"]

    assert chart[-2:] == [[MIDNIGHT - 2 * DAY, row["total48hto24h"]], [MIDNIGHT - DAY, row["total24h"]]]
    assert any(each["protocolType"] == "chain" for each in rows)


def test_only_markets_report_volume_and_some_report_nothing(sandbox, http):
    listed = {row["id"]: row["category"] for row in get(http, sandbox, "protocols").json()}
    fees = {row["defillamaId"] for row in get(http, sandbox, "overview/fees").json()["protocols"]}
    volumes = get(http, sandbox, "overview/dexs").json()["protocols"]

    assert {row["category"] for row in volumes if row["protocolType"] == "protocol"} == {"Dexs"}
    assert set(listed) - fees - {name for name, category in listed.items() if category in ("CEX", "Bridge")}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("protocol/nobody", 404),
        ("summary/fees/nobody", 404),
        ("v2/historicalChainTvl/Nowhere", 404),
        ("overview/derivatives", 400),
        ("emissions", 402),
        ("emission/arbitrum", 402),
    ],
)
def test_refusals(sandbox, http, path, status):
    answer = get(http, sandbox, path)

    assert answer.status_code == status
    assert "paid API plan" in answer.text or status != 402


def test_charts_of_stablecoins_have_text_dates_and_several_pegs(sandbox, http):
    everything = get(http, sandbox, "stablecoincharts/all", host="stablecoins.llama.fi").json()
    tether = get(http, sandbox, "stablecoincharts/all", host="stablecoins.llama.fi", stablecoin=1).json()
    coins = get(http, sandbox, "stablecoins", host="stablecoins.llama.fi", includePrices="true").json()["peggedAssets"]

    assert everything[-1]["date"] == str(MIDNIGHT)
    assert set(everything[-1]["totalCirculatingUSD"]) == {"peggedUSD", "peggedEUR"}
    assert set(tether[-1]["totalCirculatingUSD"]) == {"peggedUSD"}
    assert coins[0]["circulating"]["peggedUSD"] * coins[0]["price"] == pytest.approx(
        tether[-1]["totalCirculatingUSD"]["peggedUSD"], abs=0.02
    )


def test_pools_give_percent_and_some_are_small(sandbox, http):
    answer = get(http, sandbox, "pools", host="yields.llama.fi").json()

    assert answer["status"] == "success"
    rates = [row["apyBase"] for row in answer["data"]]
    assert 1.0 < np.median(rates) < 20.0
    assert {row["apyReward"] is None for row in answer["data"]} == {True, False}


def test_schedules_have_text_among_their_timestamps_and_a_list_that_is_not_complete(sandbox, http, market):
    host = "defillama-datasets.llama.fi"
    index = get(http, sandbox, "emissionsIndex", host=host).json()["data"]
    slugs = get(http, sandbox, "emissionsProtocolsList", host=host).json()
    known = UnlockSchedules(served(market)).known()

    stamps = {type(event["timestamp"]) for row in index for event in row["unlockEvents"]}
    assert stamps == {int, str}
    assert {row["gecko_id"] for row in index} < {each.coin_id for each in known}
    assert set(slugs) < {each.slug for each in known}
    for each in known:
        assert get(http, sandbox, f"emissions/{each.slug}", host=host).json()["gecko_id"] == each.coin_id
    assert get(http, sandbox, "emissions/nobody", host=host).status_code == 404


# -- the values ------------------------------------------------------------------------------------------------------------


def returns_of(world: DefiWorld, market: SimulatedMarket, weeks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weekly log changes of TVL, of the price in the same week and in the week after, over many protocols."""
    tvl, same, later = [], [], []
    for protocol in world.names.protocols:
        if protocol.index is None or protocol.category in ("CEX", "Liquid Staking"):
            continue
        last = int(market.lifetimes.last[protocol.index])
        days = np.arange(int(market.lifetimes.birth[protocol.index]), last + 1)[:: 7 * weeks]
        log_tvl = np.log(world.tvl(protocol, days))
        log_price = np.log(market.panel.token(protocol.index).close[days])
        tvl += np.diff(log_tvl)[:-1].tolist()
        same += np.diff(log_price)[:-1].tolist()
        later += np.diff(log_price)[1:].tolist()
    return np.array(tvl), np.array(same), np.array(later)


def test_tvl_follows_the_price_and_says_nothing_of_the_next_week(world, market):
    tvl, same, _ = returns_of(world, market, weeks=1)
    own = tvl - np.polyval(np.polyfit(same, tvl, 1), same)
    _, _, later = returns_of(world, market, weeks=1)

    assert np.corrcoef(tvl, same)[0, 1] > 0.6
    assert abs(np.corrcoef(own, later)[0, 1]) < 0.05


def test_a_lead_is_of_the_strength_it_is_given_and_none_in_the_null_market(market):
    leading = DefiWorld(served(market), tvl_lead=0.8)
    tvl, same, later = returns_of(leading, market, weeks=1)
    own = tvl - np.polyval(np.polyfit(same, tvl, 1), same)

    null = simulate_market(SimulationSettings(tokens=60, is_null=True))
    protocol = next(each for each in DefiWorld(served(null)).names.protocols if each.index is not None)
    days = DefiWorld(served(null)).finished_days(protocol.follows)

    assert np.corrcoef(own, later)[0, 1] > 0.4
    assert np.array_equal(
        DefiWorld(served(null), tvl_lead=0.8).tvl(protocol, days), DefiWorld(served(null)).tvl(protocol, days)
    )


def test_fees_are_proportional_to_what_is_traded(world, market):
    protocol = next(
        each for each in world.names.protocols if each.category == "Dexs" and each.index is not None and each.has_fees
    )
    days = world.finished_days(protocol.follows)

    fees, volume = (world.flow(protocol, metric, days) for metric in ("fees_usd", "dex_volume_usd"))
    traded = market.panel.token(protocol.follows).volume[days]

    assert fees == pytest.approx(0.003 * volume, abs=0.02)
    assert np.corrcoef(np.log(volume), np.log(traded))[0, 1] > 0.9


def test_values_of_a_day_do_not_depend_on_what_else_is_asked(world):
    protocol = world.names.protocols[0]
    days = world.finished_days(protocol.follows)

    alone = [world.tvl(protocol, days[[number]])[0] for number in (0, 100, len(days) - 1)]

    assert alone == world.tvl(protocol, days)[[0, 100, len(days) - 1]].tolist()


def test_what_a_protocol_held_is_zero_once_its_token_is_dead(market):
    late = DefiWorld(served(market, datetime(2025, 7, 1, tzinfo=UTC)))
    dead = next(
        each for each in late.names.protocols if each.index is not None and market.lifetimes.is_dead[each.index]
    )
    days = late.finished_days(dead.follows)
    last = int(market.lifetimes.last[dead.follows])

    tvl = late.tvl(dead, days)

    assert (tvl[days <= last] > 0).all()
    assert (tvl[days > last] == 0).all()
    assert np.isnan(late.flow(dead, "fees_usd", days)[days > last]).all()


def test_a_third_of_the_tokens_have_a_schedule_that_releases_all_there_is(market):
    known = UnlockSchedules(served(market, datetime(2025, 7, 1, tzinfo=UTC))).known()

    eligible = [token for token in market.members if not (token.pegged_to or token.is_fake_cap)]
    assert 0.25 < len(known) / len(eligible) < 0.42
    for schedule in known:
        releases = schedule.releases(NOW.timestamp())
        assert sum(each.amount for each in releases) == pytest.approx(schedule.total_tokens, rel=0.02)
        assert min(each.start for each in releases) < NOW.timestamp() + 200 * DAY
    assert (
        max(each.start for schedule in known for each in schedule.releases(NOW.timestamp()))
        > NOW.timestamp() + 365 * DAY
    )


def test_a_schedule_changes_once_as_documented_or_never(market):
    known = UnlockSchedules(served(market)).known()
    instants = [NOW + timedelta(days=30 * number) for number in range(-36, 6)]

    versions = {each.slug: {tuple(each.releases(at.timestamp())) for at in instants} for each in known}

    revised = {each.slug for each in known if each.revised_at is not None}
    assert all(len(found) == 1 for slug, found in versions.items() if slug not in revised)
    assert all(len(found) <= 2 for found in versions.values())
    one = next(each for each in known if each.slug in revised and len(versions[each.slug]) == 2)
    before, after = one.releases(one.revised_at - 1), one.releases(one.revised_at)
    moved = [new.start - old.start for old, new in zip(before, after, strict=True) if new != old]
    assert set(moved) == {POSTPONED_DAYS * DAY}
    assert all(old.start > one.revised_at for old, new in zip(before, after, strict=True) if new != old)
