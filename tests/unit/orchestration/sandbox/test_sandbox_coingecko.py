from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from orchestration.sandbox.developers import DeveloperActivity
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox, running_sandbox

HOST = "api.coingecko.com"
NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for(HOST)}/api/v3/{path}", params=params)


def milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def test_ping_answers(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, "ping").json() == {"gecko_says": "(V3) To the Moon!"}


def test_markets_rows_are_numbers_and_nulls_largest_first(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "coins/markets", vs_currency="usd", per_page=250).json()

    bitcoin = next(row for row in rows if row["id"] == "bitcoin")
    assert bitcoin["symbol"] == "btc"
    assert bitcoin["max_supply"] == 21_000_000
    assert all(isinstance(bitcoin[name], float) for name in ("current_price", "market_cap", "total_volume"))
    assert [row["market_cap"] for row in rows] == sorted((row["market_cap"] for row in rows), reverse=True)
    assert any(row["max_supply"] is None for row in rows)
    assert any(row["total_supply"] is None for row in rows)
    assert {"ath", "ath_date", "atl", "roi", "last_updated", "fully_diluted_valuation"} <= set(bitcoin)


def test_markets_pages_hold_every_coin_once_and_end_empty(sandbox: RunningSandbox, http: httpx.Client):
    pages = [
        get(http, sandbox, "coins/markets", vs_currency="usd", per_page=90, page=page, order="id_asc").json()
        for page in (1, 2, 3, 4)
    ]

    ids = [row["id"] for page in pages for row in page]
    assert ids == sorted(set(ids))
    assert ids == [row["id"] for row in get(http, sandbox, "coins/list").json()]
    assert pages[3] == []


def test_a_lost_market_cap_is_zero_and_has_no_rank(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    defect = market.defects.filter(kind="zero_cap").row(0, named=True)
    sandbox.clock.now = datetime.combine(defect["market_date"] + timedelta(days=1), datetime.min.time(), tzinfo=UTC)

    (row,) = get(http, sandbox, "coins/markets", vs_currency="usd", ids=defect["coin_id"]).json()

    assert (row["market_cap"], row["market_cap_rank"]) == (0.0, None)


def test_markets_can_be_narrowed_and_drop_unknown_ids_silently(sandbox: RunningSandbox, http: httpx.Client):
    by_id = get(http, sandbox, "coins/markets", vs_currency="usd", ids="bitcoin,no-such-coin,tether").json()
    by_category = get(http, sandbox, "coins/markets", vs_currency="usd", category="stablecoins", per_page=250).json()

    assert {row["id"] for row in by_id} == {"bitcoin", "tether"}
    assert {"tether", "usd-coin"} <= {row["id"] for row in by_category}
    assert len(by_category) <= 3
    assert get(http, sandbox, "coins/markets", vs_currency="usd", category="no-such").status_code == 404


def test_markets_need_a_currency(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, "coins/markets").status_code == 422


def test_asked_for_changes_are_added(sandbox: RunningSandbox, http: httpx.Client):
    (row,) = get(
        http,
        sandbox,
        "coins/markets",
        vs_currency="usd",
        ids="bitcoin",
        price_change_percentage="7d,30d",
        sparkline="true",
    ).json()

    assert isinstance(row["price_change_percentage_7d_in_currency"], float)
    assert isinstance(row["price_change_percentage_30d_in_currency"], float)
    assert len(row["sparkline_in_7d"]["price"]) == 168


def test_a_year_of_daily_points_ends_with_a_point_of_now(sandbox: RunningSandbox, http: httpx.Client):
    answer = get(http, sandbox, "coins/bitcoin/market_chart", vs_currency="usd", days=365, interval="daily").json()

    assert set(answer) == {"prices", "market_caps", "total_volumes"}
    stamps = [stamp for stamp, _ in answer["prices"]]
    assert len(stamps) == 366
    assert stamps[-1] == milliseconds(NOW)
    assert stamps[-2] == milliseconds(datetime(2025, 1, 6, tzinfo=UTC))
    assert all(stamp % 86_400_000 == 0 for stamp in stamps[:-1])


def test_the_point_at_midnight_is_the_close_of_the_day_before(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    answer = get(http, sandbox, "coins/bitcoin/market_chart", vs_currency="usd", days="max").json()

    sunday = market.daily.filter(coin_id="bitcoin", market_date=date(2025, 1, 5))
    assert answer["prices"][-2] == [milliseconds(datetime(2025, 1, 6, tzinfo=UTC)), sunday["price_usd"].item()]
    assert len(answer["prices"]) == (date(2025, 1, 6) - date(2022, 1, 3)).days + 1


def test_granularity_follows_the_length_of_the_chart(sandbox: RunningSandbox, http: httpx.Client):
    def spacing(days: int) -> int:
        points = get(http, sandbox, "coins/bitcoin/market_chart", vs_currency="usd", days=days).json()["prices"]
        return points[-3][0] - points[-4][0]

    assert [spacing(days) for days in (1, 30, 120)] == [300_000, 3_600_000, 86_400_000]


def test_a_range_in_seconds_holds_the_closes_inside_it(sandbox: RunningSandbox, http: httpx.Client):
    first, last = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 12, 31, tzinfo=UTC)

    answer = get(
        http,
        sandbox,
        "coins/ethereum/market_chart/range",
        vs_currency="usd",
        **{"from": int(first.timestamp()), "to": int(last.timestamp())},
    ).json()

    stamps = [stamp for stamp, _ in answer["market_caps"]]
    assert (stamps[0], stamps[-1], len(stamps)) == (milliseconds(first), milliseconds(last), 365)


def test_history_beyond_a_year_is_refused_to_the_public(market: SimulatedMarket, http: httpx.Client):
    with running_sandbox(market, NOW, full_history=False) as sandbox:
        refused = get(http, sandbox, "coins/bitcoin/market_chart", vs_currency="usd", days="max")
        old = get(
            http,
            sandbox,
            "coins/bitcoin/market_chart/range",
            vs_currency="usd",
            **{"from": 1672531200, "to": 1704067200},
        )
        granted = get(http, sandbox, "coins/bitcoin/market_chart", vs_currency="usd", days=365)

    assert refused.status_code == old.status_code == 401
    assert refused.json()["error"]["status"]["error_code"] == 10012
    assert granted.status_code == 200


def test_unknown_coins_and_paths_are_not_found(sandbox: RunningSandbox, http: httpx.Client):
    coin = get(http, sandbox, "coins/no-such-coin")

    assert (coin.status_code, coin.json()) == (404, {"error": "coin not found"})
    assert get(http, sandbox, "coins/no-such-coin/market_chart", vs_currency="usd", days=1).status_code == 404
    assert get(http, sandbox, "no/such/path").status_code == 404


def test_a_coin_is_unknown_until_its_birth_and_inactive_after_its_death(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    born = market.tokens.filter(market.tokens["birth_date"] > market.settings.start).row(0, named=True)
    dead = market.tokens.drop_nulls("death_date").row(0, named=True)

    def listed(day: date, status: str) -> set[str]:
        sandbox.clock.now = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        return {row["id"] for row in get(http, sandbox, "coins/list", status=status).json()}

    assert born["coin_id"] not in listed(born["birth_date"] - timedelta(days=1), "active")
    assert get(http, sandbox, f"coins/{born['coin_id']}").status_code == 404
    assert born["coin_id"] in listed(born["birth_date"], "active")
    after = dead["death_date"] + timedelta(days=1)
    assert dead["coin_id"] not in listed(after, "active")
    assert dead["coin_id"] in listed(after, "inactive")
    history = get(http, sandbox, f"coins/{dead['coin_id']}/market_chart", vs_currency="usd", days="max").json()
    assert history["prices"][-1][0] == milliseconds(sandbox.clock.now)


def test_the_list_names_platforms_on_request(sandbox: RunningSandbox, http: httpx.Client):
    rows = {row["id"]: row for row in get(http, sandbox, "coins/list", include_platform="true").json()}

    assert rows["bitcoin"]["platforms"] == {}
    assert rows["tether"]["platforms"]["ethereum"].startswith("0x")


def test_a_coins_document_has_category_names_with_noise_among_them(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    document = get(http, sandbox, "coins/ethereum", tickers="false", developer_data="false").json()

    assert {"Layer 1 (L1)", "Ethereum Ecosystem"} <= set(document["categories"])
    assert document["genesis_date"] == "2015-07-30"
    assert document["links"]["repos_url"]["github"] == ["https://github.com/ethereum/go-ethereum"]
    assert document["asset_platform_id"] is None
    assert document["market_data"]["current_price"]["usd"] > 0
    assert "tickers" not in document
    assert "developer_data" not in document


def test_categories_have_an_id_in_one_list_and_a_category_id_in_the_other(sandbox: RunningSandbox, http: httpx.Client):
    names = get(http, sandbox, "coins/categories/list").json()
    totals = get(http, sandbox, "coins/categories").json()

    assert {row["category_id"] for row in names} == {row["id"] for row in totals}
    layer_1 = next(row for row in totals if row["id"] == "layer-1")
    assert layer_1["top_3_coins_id"][0] == "bitcoin"


def test_every_answer_is_strict_json_on_the_first_and_after_the_last_day(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    for now in (datetime(2022, 1, 3, 12, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)):
        sandbox.clock.now = now
        for path in ("coins/markets", "coins/categories", "coins/bitcoin", "coins/bitcoin/market_chart"):
            answer = get(http, sandbox, path, vs_currency="usd", days="max", per_page=250)
            assert answer.status_code == 200
            assert "NaN" not in answer.text


@pytest.mark.parametrize("path", ["coins/markets", "coins/bitcoin/market_chart"])
def test_other_currencies_are_refused(sandbox: RunningSandbox, http: httpx.Client, path: str):
    assert get(http, sandbox, path, vs_currency="eur", days=1).status_code == 400


def test_a_documents_developer_data_is_that_of_its_repository_and_zeros_where_none_can_be_read(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    activity = DeveloperActivity(market)
    ethereum = [token.coin_id for token in market.members].index("ethereum")
    gone = next(each for each in activity.repositories if each.is_gone and market.lifetimes.birth[each.index] == 0)
    without = next(token.coin_id for token in market.members if token.github_repo is None)

    counted, broken, none = (
        get(http, sandbox, f"coins/{coin}", market_data="false").json()["developer_data"]
        for coin in ("ethereum", market.members[gone.index].coin_id, without)
    )

    yesterday = (date(2025, 1, 5) - market.settings.start).days
    commits = activity.commits(ethereum)[: yesterday - activity.first_day + 1][-28:]
    assert counted["commit_count_4_weeks"] == sum(counted["last_4_weeks_commit_activity_series"]) == commits.sum()
    assert counted["stars"] == activity.stars(ethereum, yesterday)
    assert counted["code_additions_deletions_4_weeks"]["deletions"] < 0
    for zeros in (broken, none):
        assert (zeros["stars"], zeros["commit_count_4_weeks"]) == (0, 0)
        assert zeros["code_additions_deletions_4_weeks"] == {"additions": None, "deletions": None}


def test_a_documents_community_is_mostly_null(market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client):
    documents = [get(http, sandbox, f"coins/{token.coin_id}").json() for token in market.members[:60]]
    known = [each for each in documents if "error" not in each]

    community = [each["community_data"] for each in known]
    telegram = [each["telegram_channel_user_count"] for each in community]
    assert {each["reddit_subscribers"] for each in community} == {None, 0}
    assert 0 < sum(count is not None for count in telegram) < len(telegram) / 2
    assert any(each["sentiment_votes_up_percentage"] is None for each in known)
    assert all(
        each["sentiment_votes_up_percentage"] + each["sentiment_votes_down_percentage"] == pytest.approx(100.0)
        for each in known
        if each["sentiment_votes_up_percentage"] is not None
    )
    assert known[0]["watchlist_portfolio_users"] > 100_000


def test_contracts_lie_on_several_chains_in_their_own_form(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "coins/list", include_platform="true").json()

    solana = [row["platforms"]["solana"] for row in rows if "solana" in row["platforms"]]
    assert any(len(row["platforms"]) > 1 for row in rows)
    assert solana
    assert all(len(address) == 44 and not set("0OIl") & set(address) for address in solana)
    document = get(http, sandbox, "coins/bitcoin").json()
    assert (document["platforms"], document["detail_platforms"]) == (
        {"": ""},
        {"": {"decimal_place": None, "contract_address": ""}},
    )


def test_global_totals_leave_out_caps_that_nobody_believes(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    data = get(http, sandbox, "global").json()["data"]
    rows = get(http, sandbox, "coins/markets", vs_currency="usd", per_page=250).json()

    fake = set(market.tokens.filter(is_fake_cap=True)["coin_id"])
    total = sum(row["market_cap"] for row in rows if row["id"] not in fake)
    bitcoin = next(row["market_cap"] for row in rows if row["id"] == "bitcoin")
    assert data["total_market_cap"]["usd"] == pytest.approx(total)
    assert data["market_cap_percentage"]["btc"] == pytest.approx(100.0 * bitcoin / total)
    assert data["updated_at"] == int(NOW.timestamp())
    assert data["active_cryptocurrencies"] == len(rows)
