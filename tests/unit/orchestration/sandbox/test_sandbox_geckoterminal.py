from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest

from orchestration.sandbox.contracts import contracts_of
from orchestration.sandbox.dex_pools import CHAIN_OF_PLATFORM, NEW_POOLS_A_DAY, DexPools
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

HOST = "api.geckoterminal.com"
NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
MIDNIGHT = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp())
DAY = 86_400


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params: Any) -> httpx.Response:
    return http.get(f"{sandbox.url_for(HOST)}/api/v2/{path}", params=params)


def all_pools(http: httpx.Client, sandbox: RunningSandbox, path: str) -> list[dict[str, Any]]:
    return [row for page in range(1, 11) for row in get(http, sandbox, path, page=page).json()["data"]]


@pytest.fixture
def truth(market: SimulatedMarket, sandbox: RunningSandbox) -> DexPools:
    return DexPools(ServedMarket(market, sandbox.clock))


def test_a_page_holds_twenty_pools_with_amounts_as_text(sandbox: RunningSandbox, http: httpx.Client):
    answer = get(http, sandbox, "networks/new_pools", include="base_token,quote_token,dex,network").json()

    assert set(answer) == {"data", "included"}
    assert len(answer["data"]) == 20
    pool = answer["data"][0]
    attributes = pool["attributes"]
    assert pool["id"] == f"{pool['relationships']['network']['data']['id']}_{attributes['address']}"
    assert isinstance(attributes["base_token_price_usd"], str)
    assert "e" not in attributes["base_token_price_usd"]
    assert isinstance(attributes["volume_usd"]["h24"], str)
    assert isinstance(attributes["transactions"]["h24"]["buys"], int)
    assert {each["type"] for each in answer["included"]} == {"token", "dex", "network"}
    base = next(each for each in answer["included"] if each["id"] == pool["relationships"]["base_token"]["data"]["id"])
    assert f"{base['attributes']['symbol']} / " in attributes["name"]
    assert "included" not in get(http, sandbox, "networks/new_pools").json()


def test_new_pools_come_newest_first_and_none_from_the_future(sandbox: RunningSandbox, http: httpx.Client):
    rows = all_pools(http, sandbox, "networks/new_pools")

    made = [datetime.fromisoformat(row["attributes"]["pool_created_at"]) for row in rows]
    assert len(rows) == 200
    assert made == sorted(made, reverse=True)
    assert made[0] <= NOW
    assert NOW - made[-1] < timedelta(days=200 / NEW_POOLS_A_DAY + 2)


def test_market_caps_are_mostly_null_and_some_pools_hold_nothing_or_are_not_counted_yet(
    sandbox: RunningSandbox, http: httpx.Client
):
    sandbox.clock.now = datetime(2025, 1, 6, 23, 30, tzinfo=UTC)
    attributes = [row["attributes"] for row in all_pools(http, sandbox, "networks/new_pools")]

    reserves = [each["reserve_in_usd"] for each in attributes]
    trades = [each["transactions"]["h24"] for each in attributes]
    assert sum(each["market_cap_usd"] is None for each in attributes) > 190
    assert "0.0" in reserves
    assert any(each["sells"] == 0 < each["buys"] for each in trades)  # honeypots
    assert all(each["buyers"] <= each["buys"] for each in trades)


def test_pools_of_the_markets_tokens_trade_at_the_tokens_price(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    tether = next(token for token in market.members if token.coin_id == "tether")
    rows = all_pools(http, sandbox, "networks/trending_pools")
    known = [row for row in rows if row["attributes"]["market_cap_usd"] is not None]
    prices = {
        row["id"]: row["current_price"]
        for row in http.get(
            f"{sandbox.url_for('api.coingecko.com')}/api/v3/coins/markets",
            params={"vs_currency": "usd", "per_page": 250},
        ).json()
    }
    contracts = {
        (CHAIN_OF_PLATFORM[chain].network, address): token.coin_id
        for token in market.members
        for chain, address in contracts_of(token).items()
        if chain in CHAIN_OF_PLATFORM
    }

    assert contracts["eth", contracts_of(tether)["ethereum"]] == "tether"
    assert len(known) > 50
    for row in known:
        network = row["relationships"]["network"]["data"]["id"]
        base = row["relationships"]["base_token"]["data"]["id"].removeprefix(f"{network}_")
        assert float(row["attributes"]["base_token_price_usd"]) == prices[contracts[network, base]]


def test_candles_are_numbers_newest_first_with_the_running_day_and_half_a_year(
    sandbox: RunningSandbox, http: httpx.Client, truth: DexPools
):
    pool = next(each for each in truth.trending(200) if each.index is not None and each.made < 0)
    path = f"networks/{pool.chain.network}/pools/{pool.address}/ohlcv/day"

    wanted = {"aggregate": 1, "limit": 1000, "currency": "usd", "token": "base"}
    answer = get(http, sandbox, path, **wanted).json()
    usual = get(http, sandbox, path).json()["data"]["attributes"]["ohlcv_list"]

    candles = answer["data"]["attributes"]["ohlcv_list"]
    assert answer["data"]["type"] == "ohlcv_request_response"
    assert [candle[0] for candle in candles] == [MIDNIGHT - DAY * number for number in range(180)]
    assert all(isinstance(value, float) for candle in candles for value in candle[1:])
    assert all(low <= min(open_, close) and high >= max(open_, close) for _, open_, high, low, close, _ in candles)
    assert usual == candles[:100]
    assert answer["meta"]["base"]["address"] == pool.token_address


def test_candles_can_be_paged_backwards(sandbox: RunningSandbox, http: httpx.Client, truth: DexPools):
    pool = next(each for each in truth.trending(200) if each.index is not None and each.made < 0)
    path = f"networks/{pool.chain.network}/pools/{pool.address}/ohlcv/day"

    first = get(http, sandbox, path, limit=50).json()["data"]["attributes"]["ohlcv_list"]
    second = get(http, sandbox, path, limit=50, before_timestamp=first[-1][0]).json()["data"]["attributes"][
        "ohlcv_list"
    ]

    assert second[0][0] == first[-1][0] - DAY


def test_a_new_pool_lives_and_ends_drained(sandbox: RunningSandbox, http: httpx.Client, truth: DexPools):
    pools = [each for each in truth.newest(200) if each.number is not None]
    ends = {pool.id: int(truth.candles(pool)[0][-1]) for pool in pools}
    yesterday = (NOW.date() - date(2022, 1, 3)).days - 1
    over = [pool for pool in pools if ends[pool.id] < yesterday]

    assert over
    for pool in over:
        row = get(http, sandbox, f"networks/{pool.chain.network}/pools/multi/{pool.address}").json()["data"][0]
        candles = get(http, sandbox, f"networks/{pool.chain.network}/pools/{pool.address}/ohlcv/day").json()
        last = candles["data"]["attributes"]["ohlcv_list"][0]
        assert (row["attributes"]["reserve_in_usd"], row["attributes"]["volume_usd"]["h24"]) == ("0.0", "0.0")
        assert float(row["attributes"]["base_token_price_usd"]) == last[4]
        assert last[4] < 0.2 * last[1]


def test_several_pools_are_found_by_address_and_unknown_ones_dropped(
    sandbox: RunningSandbox, http: httpx.Client, truth: DexPools
):
    pools = [each for each in truth.newest(60) if each.chain.network == "solana"][:3]
    addresses = ",".join([*(pool.address for pool in pools), "nobody"])

    found = get(http, sandbox, f"networks/solana/pools/multi/{addresses}").json()["data"]
    too_many = get(http, sandbox, "networks/solana/pools/multi/" + ",".join(["x"] * 31))

    assert [row["id"] for row in found] == [pool.id for pool in pools]
    assert too_many.status_code == 422


def test_holders_are_cut_by_chain_and_verdicts_are_words_or_flags(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    answers: dict[str, list[dict[str, Any]]] = {"solana": [], "eth": []}
    statuses = []
    for token in market.members:
        for chain, address in contracts_of(token).items():
            network = CHAIN_OF_PLATFORM[chain].network if chain in CHAIN_OF_PLATFORM else ""
            if network in answers:
                answer = get(http, sandbox, f"networks/{network}/tokens/{address}/info")
                statuses.append(answer.status_code)
                if answer.status_code == 200:
                    answers[network].append(answer.json()["data"]["attributes"])

    assert set(statuses) == {200, 404}
    for network, ranks in (("solana", ("11_20", "21_40")), ("eth", ("11_30", "31_50"))):
        counted = [each for each in answers[network] if each["holders"] is not None]
        shares = [each["holders"]["distribution_percentage"] for each in counted]
        assert 0 < len(counted) <= len(answers[network])
        assert {tuple(each) for each in shares} == {("top_10", *ranks, "rest")}
        assert all(sum(map(float, each.values())) == pytest.approx(100.0) for each in shares)
    assert {each["is_honeypot"] for each in answers["solana"]} == {"unknown"}
    assert {each["is_honeypot"] for each in answers["eth"]} == {False}
    assert any(each["holders"] is None for each in answers["eth"])


def test_large_coins_have_more_holders_and_are_in_more_hands(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    def attributes(coin_id: str) -> dict[str, Any]:
        token = next(each for each in market.members if each.coin_id == coin_id)
        return get(http, sandbox, f"networks/eth/tokens/{contracts_of(token)['ethereum']}/info").json()["data"][
            "attributes"
        ]

    large = [attributes(coin)["holders"] for coin in ("tether", "usd-coin")]
    small = [
        attributes(token.coin_id)["holders"]
        for token in market.members[-60:]
        if "ethereum" in contracts_of(token)
        and get(http, sandbox, f"networks/eth/tokens/{contracts_of(token)['ethereum']}/info").status_code == 200
    ]

    counts = [each["count"] for each in small if each]
    tops = [float(each["distribution_percentage"]["top_10"]) for each in small if each]
    assert min(each["count"] for each in large if each) > 10 * np.median(counts)
    assert max(float(each["distribution_percentage"]["top_10"]) for each in large if each) < np.median(tops)


@pytest.mark.parametrize(
    ("path", "params", "status", "title"),
    [
        ("networks/eth/pools/0x9/ohlcv/day", {}, 404, "Not Found"),
        ("networks/eth/tokens/0x9/info", {}, 404, "Not Found"),
        ("networks/nowhere/tokens/0x9/info", {}, 404, "Specified network not found"),
        ("networks/new_pools", {"page": 11}, 400, "page must be between 1 and 10"),
        ("no/such/path", {}, 404, "Not Found"),
    ],
)
def test_refusals_are_lists_of_errors(
    sandbox: RunningSandbox, http: httpx.Client, path: str, params: dict[str, int], status: int, title: str
):
    answer = get(http, sandbox, path, **params)

    assert answer.status_code == status
    assert answer.json() == {"errors": [{"status": str(status), "title": title}]}


def test_a_pool_is_unknown_until_it_is_made(sandbox: RunningSandbox, http: httpx.Client, truth: DexPools):
    pool = next(each for each in truth.newest(60) if each.number is not None)
    made = datetime(2022, 1, 3, tzinfo=UTC) + timedelta(days=pool.made)
    path = f"networks/{pool.chain.network}/pools/{pool.address}/ohlcv/day"

    sandbox.clock.now = made - timedelta(minutes=1)
    before = get(http, sandbox, path).status_code
    sandbox.clock.now = made + timedelta(minutes=1)

    assert (before, get(http, sandbox, path).status_code) == (404, 200)


def test_more_than_thirty_requests_a_minute_are_refused(market: SimulatedMarket, http: httpx.Client):
    with running_sandbox(market, NOW, enforce_limits=True) as sandbox:
        answers = [get(http, sandbox, "networks") for _ in range(31)]

    assert [each.status_code for each in answers] == [200] * 30 + [429]
    assert answers[-1].json()["status"]["error_code"] == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_equal_markets_have_equal_pools_and_another_seed_has_others(market: SimulatedMarket, sandbox: RunningSandbox):
    def pools(of: SimulatedMarket) -> list[tuple[str, float]]:
        found = DexPools(ServedMarket(of, sandbox.clock))
        return [(pool.id, found.state(pool).price) for pool in found.newest(40)]

    other = simulate_market(SimulationSettings(seed=8))

    assert pools(market) == pools(simulate_market(market.settings))
    assert pools(market) != pools(other)


def test_returns_of_new_pools_have_no_memory(market: SimulatedMarket, sandbox: RunningSandbox):
    found = DexPools(ServedMarket(market, sandbox.clock))
    pairs = []
    for pool in found.newest(200):
        if pool.number is not None:
            closes = np.log(found.candles(pool)[1][:-2, 3])  # without the crash at the end
            moves = np.diff(closes)
            pairs += list(pairwise(moves))
    before, after = np.array(pairs).T

    assert abs(np.corrcoef(before, after)[0, 1]) < 4.0 / np.sqrt(len(pairs))
