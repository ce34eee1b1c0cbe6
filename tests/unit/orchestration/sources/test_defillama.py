"""DefiLlama: what is locked, families, which day a point describes, and what must never be summed or guessed."""

from datetime import UTC, date, datetime

import httpx
import polars as pl
import pytest

from orchestration.sources.defillama.chains import ALL_CHAINS, fetch_chain_tvl, parse_chain_tvl, parse_chains
from orchestration.sources.defillama.families import FAMILY_COINS, holders_of_coins
from orchestration.sources.defillama.metrics import (
    FLOWS,
    fetch_flow_history,
    fetch_overview,
    parse_flow_history,
    parse_overview,
    parse_tvl_history,
    tvl_rows,
    with_coins,
)
from orchestration.sources.defillama.protocols import fetch_family_coin, parse_protocols
from orchestration.sources.defillama.stablecoins import parse_stablecoins, parse_supply_history
from orchestration.sources.defillama.wire import Host
from orchestration.sources.defillama.yields import parse_yields
from orchestration.sources.errors import RequestRejectedError, ResponseTooLargeError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.replay import READERS
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
NEWEST = date(2025, 1, 5)
FEES, REVENUE, VOLUME = FLOWS


def seconds(day: date, hour: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp())


def protocol(number: str = "1", **more) -> dict:
    """A row as the documentation shows it."""
    row = {
        "id": number,
        "name": f"Protocol {number}",
        "symbol": "PRT",
        "slug": f"protocol-{number}",
        "category": "Lending",
        "chain": "Multi-Chain",
        "chains": ["Ethereum"],
        "gecko_id": None,
        "cmcId": None,
        "tvl": 100.0,
        "chainTvls": {"Ethereum": 100.0},
        "mcap": None,
        "tokenBreakdowns": {},
    }
    return row | more


def version(number: str, family: str = "parent#swap", **more) -> dict:
    return protocol(number, parentProtocol=family, parentProtocolSlug=family.removeprefix("parent#"), **more)


def rows_of(payload: list, coins: dict | None = None) -> dict[str, dict]:
    found = parse_protocols(payload, coins=coins or {}, now=NOW)
    return {row["protocol_id"]: row for row in found.fetched.frame.to_dicts()}


def host_for(answer, **options) -> Host:
    limits = HttpLimits(attempts=1, **options)
    http = HttpClient(transport=httpx.MockTransport(answer), limits=limits, sleep=lambda seconds: None)
    return Host(http, "http://127.0.0.1:8000/api.llama.fi/")


# -- the list of protocols -------------------------------------------------------------------------------------------------


def test_borrowed_staked_and_pool2_are_not_locked():
    parts = {"Ethereum": 60.0, "Base": 40.0, "Ethereum-borrowed": 30.0, "Base-borrowed": 5.0, "staking": 7.0}
    parts |= {"Ethereum-staking": 7.0, "pool2": 3.0, "Ethereum-pool2": 3.0}

    row = rows_of([protocol(tvl=None, chainTvls=parts)])["1"]

    assert (row["tvl_usd"], row["borrowed_usd"], row["staking_usd"]) == (100.0, 35.0, 7.0)


def test_the_providers_own_total_prevails():
    row = rows_of([protocol(tvl=99.5, chainTvls={"Ethereum": 60.0, "borrowed": 12.0, "Ethereum-borrowed": 12.0})])["1"]

    assert (row["tvl_usd"], row["borrowed_usd"], row["staking_usd"]) == (99.5, 12.0, None)


def test_nothing_given_stays_unknown():
    row = rows_of([protocol(tvl=None, chainTvls={"borrowed": None})])["1"]

    assert (row["tvl_usd"], row["borrowed_usd"]) == (None, None)


@pytest.mark.parametrize(
    ("category", "is_double"),
    [
        ("CEX", True),
        ("Bridge", True),
        ("Liquid Staking", True),
        ("Yield Aggregator", True),
        ("Dexs", False),
        (None, False),
    ],
)
def test_what_lies_elsewhere_too_is_flagged(category, is_double):
    row = rows_of([protocol(category=category)])["1"]

    assert row["is_double_counted"] is is_double


def test_versions_are_summed_to_their_family():
    rows = rows_of(
        [
            version("1", tvl=10.0, chainTvls={"staking": 1.0}),
            version("2", tvl=30.0, category="Dexs", chainTvls={}),
            version("3", tvl=None, chainTvls={}),
        ]
    )

    family = rows["parent#swap"]
    assert (family["tvl_usd"], family["staking_usd"], family["borrowed_usd"]) == (40.0, 1.0, None)
    assert (family["slug"], family["category"], family["parent_id"]) == ("swap", "Dexs", None)
    assert rows["1"]["parent_id"] == "parent#swap"


@pytest.mark.parametrize(
    ("known_to_versions", "named", "coin"),
    [
        ((None, None), {}, None),
        (("swap-token", None), {}, "swap-token"),
        (("swap-token", "swap-token"), {}, "swap-token"),
        (("one", "other"), {}, None),
        (("one", "other"), {"parent#swap": "own"}, "own"),
    ],
)
def test_the_coin_of_a_family_is_what_it_says_or_its_versions_agree_on(known_to_versions, named, coin):
    versions = [version(str(number), gecko_id=coin_id) for number, coin_id in enumerate(known_to_versions)]

    assert rows_of(versions, named)["parent#swap"]["coin_id"] == coin


def test_large_families_need_not_be_asked():
    rows = rows_of([version("1", "parent#uniswap")])

    assert rows["parent#uniswap"]["coin_id"] == FAMILY_COINS["parent#uniswap"] == "uniswap"


def test_a_family_without_one_of_its_versions_is_left_out_of_the_day():
    broken = version("2", tvl="much")

    found = parse_protocols([version("1"), broken, version("3", "parent#lend")], coins={}, now=NOW)

    assert set(found.fetched.frame["protocol_id"]) == {"1", "3", "parent#lend"}
    assert [each.reason for each in found.fetched.rejected] == [
        "tvl is text, not a number",
        "a version of the family was refused, so that its sum would be too small",
    ]


def test_a_refused_record_that_may_be_of_any_family_spoils_all_sums():
    found = parse_protocols([version("1"), ["damaged"], protocol("9")], coins={}, now=NOW)

    assert set(found.fetched.frame["protocol_id"]) == {"1", "9"}


def test_no_sum_of_a_family_takes_the_place_of_a_protocol():
    found = parse_protocols([version("1"), protocol("9"), protocol("2", parentProtocol="9")], coins={}, now=NOW)

    # The refused record may be a version of any family.
    assert found.fetched.frame["protocol_id"].to_list() == ["1", "9"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("text", "record is no object"),
        (protocol(id=None), "protocol_id is missing or not readable"),
        (protocol(tvl=-1.0), "tvl_usd or borrowed_usd or staking_usd is negative"),
        (protocol(gecko_id=["a"]), "gecko_id is no text"),
        (protocol(chainTvls=None), "chainTvls is no object"),
        (protocol(chainTvls={"borrowed": "1"}), "borrowed is text, not a number"),
        (protocol(id="parent#swap"), "id is that of a family"),
        (protocol(parentProtocol="9"), "parentProtocol is no id of a family"),
    ],
)
def test_malformed_protocols_are_refused(record, reason):
    found = parse_protocols([record], coins={}, now=NOW)

    assert found.fetched.frame.is_empty()
    assert found.fetched.rejected[0].reason == reason


def test_a_coin_is_stood_for_once():
    frame = parse_protocols(
        [
            version("1", gecko_id="swap-token"),
            version("2", gecko_id=None),
            version("3", "parent#maker", gecko_id="spark"),
            version("4", "parent#maker", gecko_id="maker"),
            protocol("5", gecko_id="alone"),
            protocol("6", gecko_id="exchange-token", category="CEX"),
            protocol("7", gecko_id=None),
        ],
        coins={"parent#maker": "maker"},
        now=NOW,
    ).fetched.frame

    holders = holders_of_coins(frame)

    assert dict(holders.select("protocol_id", "coin_id").iter_rows()) == {
        "3": "spark",
        "5": "alone",
        "parent#swap": "swap-token",
        "parent#maker": "maker",
    }


def test_a_version_never_passes_for_its_family():
    frame = parse_protocols(
        [version("1", gecko_id="swap-token"), version("2", tvl="much")], coins={}, now=NOW
    ).fetched.frame

    assert holders_of_coins(frame).is_empty()


def test_a_family_is_asked_for_its_coin_and_must_be_the_one_asked_for():
    host = host_for(
        lambda request: httpx.Response(200, json={"id": "parent#swap", "gecko_id": "swap-token", "tvl": []})
    )

    assert fetch_family_coin(host, "swap", protocol_id="parent#swap") == "swap-token"
    with pytest.raises(UnexpectedBodyError, match=r"parent#swap.*parent#lend"):
        fetch_family_coin(host, "swap", protocol_id="parent#lend")


# -- overviews and histories -----------------------------------------------------------------------------------------------


def reported(number: str, today: object, before: object, **more) -> dict:
    names = {"defillamaId": number, "id": number, "name": number, "slug": number, "protocolType": "protocol"}
    return names | {"total24h": today, "total48hto24h": before} | more


def test_an_overview_tells_the_last_two_finished_days():
    payload = {"protocols": [reported("1", 5.0, 4), reported("2", None, 3.5)], "totalDataChart": []}

    overview = parse_overview(payload, FEES, family_of={}, now=NOW)

    assert overview.fetched.frame.select("protocol_id", "metric", "market_date", "value").rows() == [
        ("1", "fees_usd", NEWEST, 5.0),
        ("1", "fees_usd", date(2025, 1, 4), 4.0),
        ("2", "fees_usd", date(2025, 1, 4), 3.5),
    ]
    assert overview.ids == {"1", "2"}


def test_flows_of_a_family_are_summed_over_the_versions_that_report():
    payload = {
        "protocols": [reported("1", 5.0, None), reported("2", 2.0, None), reported("chain", 9, 9, protocolType="chain")]
    }

    overview = parse_overview(
        payload, VOLUME, family_of={"1": "parent#swap", "2": "parent#swap", "3": "parent#swap"}, now=NOW
    )

    values = {(row["protocol_id"], row["market_date"]): row["value"] for row in overview.fetched.frame.to_dicts()}
    assert values == {("1", NEWEST): 5.0, ("2", NEWEST): 2.0, ("parent#swap", NEWEST): 7.0}


def test_flows_of_nothing_are_no_value():
    overview = parse_overview({"protocols": [reported("1", 0, 0.0)]}, FEES, family_of={}, now=NOW)

    assert overview.fetched.frame.is_empty()
    assert overview.ids == {"1"}


@pytest.mark.parametrize("damaged", [reported("1", "much", 1.0), reported([], 1.0, 1.0), "text"])
def test_a_family_sum_without_a_refused_version_does_not_land(damaged):
    payload = {"protocols": [damaged, reported("2", 2.0, 1.0)]}

    overview = parse_overview(payload, FEES, family_of={"1": "parent#swap", "2": "parent#swap"}, now=NOW)

    assert set(overview.fetched.frame["protocol_id"]) == {"2"}
    assert len(overview.fetched.rejected) == 1


def test_an_overview_is_asked_without_its_charts():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json={"protocols": []})

    fetch_overview(host_for(answer), REVENUE, family_of={}, now=NOW)

    assert seen[0].path == "/api.llama.fi/overview/fees"
    assert dict(seen[0].params) == {
        "excludeTotalDataChart": "true",
        "excludeTotalDataChartBreakdown": "true",
        "dataType": "dailyRevenue",
    }


def test_tvl_stamped_at_midnight_is_the_close_of_the_day_before_and_now_is_left_out():
    series = [
        {"date": seconds(date(2025, 1, 4)), "totalLiquidityUSD": 1.0},
        {"date": seconds(date(2025, 1, 5)), "totalLiquidityUSD": 2.5},
        {"date": seconds(date(2025, 1, 5), hour=13), "totalLiquidityUSD": 9.0},
        {"date": seconds(date(2025, 1, 6)), "totalLiquidityUSD": 3.0},
        {"date": int(NOW.timestamp()), "totalLiquidityUSD": 4.0},
    ]

    fetched = parse_tvl_history({"id": "1", "tvl": series}, protocol_id="1", now=NOW)

    assert fetched.frame.select("market_date", "value").rows() == [
        (date(2025, 1, 3), 1.0),
        (date(2025, 1, 4), 2.5),
        (NEWEST, 3.0),
    ]
    assert fetched.rejected == ()


def test_fees_stamped_at_midnight_are_of_that_day_and_the_running_day_is_left_out():
    chart = [[seconds(date(2025, 1, 4)), 7], [seconds(NEWEST), 8.5], [seconds(date(2025, 1, 6)), 0.1]]

    fetched = parse_flow_history({"totalDataChart": chart}, FEES, protocol_id="1", now=NOW)

    assert fetched.frame.select("market_date", "value").rows() == [(date(2025, 1, 4), 7.0), (NEWEST, 8.5)]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ({"date": seconds(date(2026, 1, 4)), "totalLiquidityUSD": 1.0}, "date lies in the future"),
        ({"date": "soon", "totalLiquidityUSD": 1.0}, "date is text that reads as no number"),
        ({"date": seconds(NEWEST), "totalLiquidityUSD": "1"}, "tvl is text, not a number"),
        ({"date": seconds(NEWEST), "totalLiquidityUSD": True}, "tvl is a bool, not a number"),
        ({"date": seconds(NEWEST), "totalLiquidityUSD": -1.0}, "value is negative"),
        ({"date": seconds(NEWEST)}, "point has no date and value"),
        ("text", "point has no date and value"),
    ],
)
def test_malformed_points_are_refused(point, reason):
    fetched = parse_tvl_history({"id": "1", "tvl": [point]}, protocol_id="1", now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_a_point_without_a_value_or_of_nothing_is_no_row(value):
    series = [{"date": seconds(NEWEST), "totalLiquidityUSD": value}]

    fetched = parse_tvl_history({"id": "1", "tvl": series}, protocol_id="1", now=NOW)

    assert fetched.frame.is_empty()
    assert fetched.rejected == ()


@pytest.mark.parametrize("payload", [{"id": "2", "tvl": []}, {"id": "1"}, {"id": "1", "tvl": {}}])
def test_another_protocols_answer_or_one_without_a_series_is_refused(payload):
    with pytest.raises(UnexpectedBodyError):
        parse_tvl_history(payload, protocol_id="1", now=NOW)


def test_metrics_get_the_coin_of_whoever_stands_for_it():
    protocols = parse_protocols([protocol("5", gecko_id="alone")], coins={}, now=NOW).fetched
    metrics = parse_flow_history({"totalDataChart": [[seconds(NEWEST), 1]]}, FEES, protocol_id="5", now=NOW)

    named = with_coins(metrics, holders_of_coins(protocols.frame))

    assert named.frame["coin_id"].to_list() == ["alone"]
    assert tvl_rows(protocols.frame).select("protocol_id", "metric", "value").rows() == [("5", "tvl_usd", 100.0)]
    assert tvl_rows(protocols.frame.with_columns(tvl_usd=0.0)).is_empty()


# -- refusals of the host --------------------------------------------------------------------------------------------------


def test_a_paid_route_names_the_host_that_is_free():
    host = host_for(lambda request: httpx.Response(402, text="Upgrade to the paid API plan at ..."))

    with pytest.raises(RequestRejectedError, match=r"402 for /emissions.*defillama-datasets\.llama\.fi") as caught:
        host.get_object("/emissions")
    assert caught.value.status == 402


@pytest.mark.parametrize("payload", [{"status": "ok", "data": []}, {"message": "Too Many Requests"}, "text", 7])
def test_a_list_in_an_envelope_is_refused(payload):
    host = host_for(lambda request: httpx.Response(200, json=payload))

    with pytest.raises(UnexpectedBodyError, match="gave no list"):
        host.get_list("/protocols")


def test_an_unknown_slug_is_final_and_a_huge_body_is_cut_short():
    unknown = host_for(lambda request: httpx.Response(404, text="Protocol not found"))
    huge = host_for(lambda request: httpx.Response(200, json={"tvl": [1.0] * 10_000}), max_bytes=1000)

    with pytest.raises(RequestRejectedError, match="404"):
        fetch_flow_history(unknown, FEES, "nobody", protocol_id="1", now=NOW)
    with pytest.raises(ResponseTooLargeError):
        huge.get_object("/protocol/huge")


# -- chains, stablecoins, yields -------------------------------------------------------------------------------------------


def test_chains_come_largest_first_with_their_coins():
    payload = [
        {"gecko_id": None, "tvl": 5, "tokenSymbol": None, "cmcId": None, "name": "Arbitrum", "chainId": 42161},
        {"gecko_id": "ethereum", "tvl": 9.5, "tokenSymbol": "ETH", "cmcId": "1027", "name": "Ethereum", "chainId": 1},
        {"gecko_id": "odd", "tvl": "many", "name": "Odd"},
    ]

    chains, refused = parse_chains(payload)

    assert chains.rows() == [("Ethereum", "ethereum", 9.5), ("Arbitrum", None, 5.0)]
    assert [each.reason for each in refused] == ["tvl is text, not a number"]
    with pytest.raises(UnexpectedBodyError, match="no chain with a value"):
        parse_chains([{"error": "no"}])


def test_a_chains_name_is_a_part_of_the_address():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json=[{"date": seconds(date(2025, 1, 6)), "tvl": 1.5}])

    fetched = fetch_chain_tvl(host_for(answer), "OP Mainnet", coin_id="optimism", now=NOW)
    fetch_chain_tvl(host_for(answer), ALL_CHAINS, coin_id=None, now=NOW)

    assert seen == ["/api.llama.fi/v2/historicalChainTvl/OP%20Mainnet", "/api.llama.fi/v2/historicalChainTvl"]
    assert fetched.frame.rows() == [("OP Mainnet", "optimism", NEWEST, 1.5)]


def test_a_negative_chain_is_refused():
    fetched = parse_chain_tvl([{"date": seconds(NEWEST), "tvl": -1}], chain="Odd", coin_id=None, now=NOW)

    assert [each.reason for each in fetched.rejected] == ["tvl_usd is negative"]


def stablecoin(**more) -> dict:
    row = {"id": "1", "name": "Tether", "symbol": "USDT", "gecko_id": "tether", "pegType": "peggedUSD", "price": 1.001}
    return row | {"pegMechanism": "fiat-backed", "circulating": {"peggedUSD": 1.6e11}, "chains": []} | more


def test_stablecoins_are_valued_at_their_price():
    payload = {
        "peggedAssets": [
            stablecoin(),
            stablecoin(id="50", pegType="peggedEUR", circulating={"peggedEUR": 100}, price=1.08),
        ]
    }

    fetched = parse_stablecoins(payload, now=NOW)

    assert fetched.frame.select("stablecoin_id", "peg", "circulating_usd", "market_date").rows() == [
        ("1", "peggedUSD", pytest.approx(1.6016e11), NEWEST),
        ("50", "peggedEUR", pytest.approx(108.0), NEWEST),
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (stablecoin(price=None), "price is missing, so that the supply in USD is unknown"),
        (stablecoin(circulating=7), "circulating is no object"),
        (stablecoin(circulating={}), "circulating_usd is missing or not readable"),
        (stablecoin(circulating={"peggedUSD": "many"}), "circulating is text, not a number"),
        (stablecoin(price=0), "price_usd is not above zero"),
    ],
)
def test_a_supply_that_is_unknown_in_usd_is_refused(record, reason):
    fetched = parse_stablecoins({"peggedAssets": [record]}, now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


def test_a_delisted_coin_with_nothing_left_is_no_row_and_no_complaint():
    fetched = parse_stablecoins({"peggedAssets": [stablecoin(circulating={"peggedUSD": 0}, price=None)]}, now=NOW)

    assert fetched.frame.is_empty()
    assert fetched.rejected == ()


@pytest.mark.parametrize("stamp", [seconds(NEWEST), str(seconds(NEWEST))])
def test_dates_of_charts_may_be_text_and_pegs_are_added_up_in_usd(stamp):
    payload = [
        {
            "date": stamp,
            "totalCirculating": {"peggedUSD": 1},
            "totalCirculatingUSD": {"peggedUSD": 3.0, "peggedEUR": 1.5},
        }
    ]

    fetched = parse_supply_history(payload, stablecoin_id="ALL", coin_id=None, symbol=None, peg=None, now=NOW)

    assert fetched.frame.select("market_date", "circulating_usd").rows() == [(date(2025, 1, 4), 4.5)]


def test_a_sum_with_an_unreadable_peg_is_refused():
    payload = [{"date": str(seconds(NEWEST)), "totalCirculatingUSD": {"peggedUSD": 3.0, "peggedEUR": "much"}}]

    fetched = parse_supply_history(payload, stablecoin_id="ALL", coin_id=None, symbol=None, peg=None, now=NOW)

    assert fetched.frame.is_empty()
    assert len(fetched.rejected) == 1


def pool(**more) -> dict:
    row = {
        "chain": "Ethereum",
        "project": "aave-v3",
        "symbol": "USDC",
        "tvlUsd": 2e6,
        "apyBase": 4.25,
        "apyReward": None,
    }
    return row | {"apy": 4.25, "pool": "747c1d2a", "stablecoin": True} | more


def test_rates_are_fractions_and_small_pools_are_left_out():
    payload = {"status": "success", "data": [pool(), pool(pool="small", tvlUsd=999_999), pool(pool="odd", tvlUsd=None)]}

    fetched = parse_yields(payload, now=NOW)

    assert fetched.frame.rows() == [("747c1d2a", "aave-v3", "Ethereum", "USDC", NEWEST, 2e6, 0.0425, None, True)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (pool(apyBase="high"), "apyBase is text, not a number"),
        (pool(apyBase=2e5), "apy_base is outside -1-1000"),
        (pool(pool=None), "pool_id is missing or not readable"),
        (pool(tvlUsd=-2e6), "tvl_usd is negative"),
    ],
)
def test_malformed_pools_are_refused(record, reason):
    fetched = parse_yields({"status": "success", "data": [record]}, now=NOW)

    assert [each.reason for each in fetched.rejected] == [reason]


def test_pools_without_success_are_refused():
    with pytest.raises(UnexpectedBodyError, match="success"):
        parse_yields({"status": "error", "data": []}, now=NOW)


def test_the_list_of_coins_is_typed_even_when_it_is_empty():
    assert parse_protocols([], coins={}, now=NOW).fetched.frame.schema["coin_id"] == pl.String


# -- records kept for later ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "record", "expected"),
    [
        (
            "defillama/protocols",
            version("1", tvl=7.0),
            {"protocol_id": "1", "parent_id": "parent#swap", "tvl_usd": 7.0},
        ),
        ("defillama/stablecoin_supply", stablecoin(), {"stablecoin_id": "1", "price_usd": 1.001}),
        ("defillama/yields", pool(), {"pool_id": "747c1d2a", "apy_base": 0.0425}),
    ],
)
def test_a_kept_record_gives_the_row_that_its_parser_gives(label, record, expected):
    (row,) = READERS[label](record, NOW)

    assert {name: row[name] for name in expected} == expected
    assert row["market_date"] == NEWEST


@pytest.mark.parametrize(
    ("label", "record"),
    [
        ("defillama/protocols", version("1", tvl="much")),
        ("defillama/protocols", {"protocol_id": "parent#swap"}),
        ("defillama/stablecoin_supply", stablecoin(price=None)),
        ("defillama/yields", "text"),
    ],
)
def test_a_record_that_is_still_broken_stays_kept(label, record):
    with pytest.raises(UnreadableValueError):
        READERS[label](record, NOW)
