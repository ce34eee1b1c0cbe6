"""CoinGecko's documents and lists of coins: metadata, communities, developers, contracts, totals."""

import json
from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.coingecko import (
    CoinDocument,
    CoinGecko,
    kept,
    parse_category_daily,
    parse_coin_list,
    parse_coins,
    parse_contracts,
    parse_global_daily,
)
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
SUNDAY = date(2025, 1, 5)

ZEROS = {
    "forks": 0,
    "stars": 0,
    "subscribers": 0,
    "total_issues": 0,
    "closed_issues": 0,
    "pull_requests_merged": 0,
    "pull_request_contributors": 0,
    "code_additions_deletions_4_weeks": {"additions": None, "deletions": None},
    "commit_count_4_weeks": 0,
    "last_4_weeks_commit_activity_series": [],
}
"""What CoinGecko says of a coin without a repository (seen in answers of 2023)."""


def document(**changes) -> CoinDocument:
    content = {
        "id": "wrapped-bitcoin",
        "symbol": "wbtc",
        "name": "Wrapped Bitcoin",
        "asset_platform_id": "ethereum",
        "genesis_date": "null",
        "categories_details": [{"id": "wrapped-tokens", "name": "Wrapped-Tokens"}],
        "links": {"homepage": ["", "https://wbtc.network"], "repos_url": {"github": ["https://github.com/x/y", ""]}},
        "sentiment_votes_up_percentage": 80.5,
        "sentiment_votes_down_percentage": 19.5,
        "watchlist_portfolio_users": 1500,
        "community_data": {"reddit_subscribers": None, "telegram_channel_user_count": 70},
        "developer_data": {
            **ZEROS,
            "forks": 30,
            "stars": 70,
            "pull_requests_merged": 10,
            "pull_request_contributors": 8,
            "code_additions_deletions_4_weeks": {"additions": 1264, "deletions": -1314},
        },
    }
    return CoinDocument.of(content | changes)


def asset_of(**changes) -> dict:
    return parse_coins([document(**changes)], now=NOW)[0].frame.row(0, named=True)


def activity_of(**changes) -> dict:
    return parse_coins([document(**changes)], now=NOW)[1].frame.row(0, named=True)


def test_metadata_derives_flags_from_category_ids():
    row = asset_of()

    assert (row["is_wrapped"], row["is_stablecoin"], row["is_native"]) == (True, False, False)
    assert (row["homepage"], row["platform"], row["genesis_date"]) == ("https://wbtc.network", "ethereum", None)
    assert json.loads(row["github_repos"]) == ["https://github.com/x/y"]


def test_metadata_without_category_ids_leaves_flags_unknown():
    row = asset_of(categories_details=None, genesis_date="2019-01-24", asset_platform_id=None)

    assert (row["is_wrapped"], row["is_stablecoin"], row["is_native"]) == (None, None, True)
    assert row["genesis_date"] == date(2019, 1, 24)


def test_activity_is_of_the_last_finished_day_with_shares_and_positive_counts():
    row = activity_of()

    assert (row["coin_id"], row["market_date"], row["watchlist_users"]) == ("wrapped-bitcoin", SUNDAY, 1500)
    assert row["sentiment_up_share"] == pytest.approx(0.805)
    assert (row["stars"], row["forks"], row["contributors"], row["pull_requests_merged"]) == (70, 30, 8, 10)
    assert (row["commits_4w"], row["additions_4w"], row["deletions_4w"]) == (0, 1264, 1314)
    assert (row["reddit_subscribers"], row["telegram_users"]) == (None, 70)


@pytest.mark.parametrize(
    "changes",
    [
        {"developer_data": ZEROS},  # a repository that CoinGecko cannot read
        {"links": {"repos_url": {"github": [], "bitbucket": []}}},  # numbers that belong to no repository
        {"developer_data": None},
    ],
)
def test_counts_of_no_readable_repository_are_unknown_and_not_zero(changes):
    row = activity_of(**changes)

    names = ("stars", "forks", "contributors", "pull_requests_merged", "commits_4w", "additions_4w", "deletions_4w")
    assert {row[name] for name in names} == {None}
    assert row["watchlist_users"] == 1500


def test_a_repository_elsewhere_than_on_github_counts():
    links = {"repos_url": {"github": [], "bitbucket": ["https://bitbucket.org/x/y"]}}

    assert activity_of(links=links)["stars"] == 70


def test_what_is_no_longer_counted_or_never_was_voted_on_is_unknown():
    community = {"reddit_subscribers": 0, "telegram_channel_user_count": None}

    row = activity_of(
        community_data=community, sentiment_votes_up_percentage=None, sentiment_votes_down_percentage=None
    )

    assert (row["reddit_subscribers"], row["telegram_users"], row["sentiment_up_share"]) == (None, None, None)
    assert (
        activity_of(sentiment_votes_up_percentage=0.0, sentiment_votes_down_percentage=100.0)["sentiment_up_share"] == 0
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"watchlist_portfolio_users": "many"}, "watchlist_portfolio_users is text, not a number"),
        ({"watchlist_portfolio_users": 1.5}, "watchlist_portfolio_users is no whole number"),
        ({"sentiment_votes_up_percentage": 120.0}, "sentiment_up_share is outside 0-1"),
        ({"developer_data": [1]}, "developer_data is no object"),
        ({"community_data": "gone"}, "community_data is no object"),
    ],
)
def test_an_unreadable_part_costs_the_activity_and_leaves_the_metadata(changes, reason):
    assets, activity = parse_coins([document(**changes), document(id="tether")], now=NOW)

    assert assets.frame["coin_id"].to_list() == ["wrapped-bitcoin", "tether"]
    assert activity.frame["coin_id"].to_list() == ["tether"]
    assert [each.reason for each in activity.rejected] == [reason]


def test_a_refused_part_can_be_read_again_once_it_is_right():
    (refused,) = parse_coins([document(watchlist_portfolio_users="1500")], now=NOW)[1].rejected
    payload = json.loads(refused.payload)

    with pytest.raises(UnreadableValueError, match="is text"):
        kept.read_kept_activity(payload, NOW)
    (row,) = kept.read_kept_activity(payload | {"watchlist_portfolio_users": 1500}, NOW)

    assert row == activity_of()


def test_an_answer_without_an_id_is_no_document():
    with pytest.raises(UnexpectedBodyError, match="holds no `id`"):
        CoinDocument.of({"error": None})


def test_a_document_is_asked_without_prices_and_tickers():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json=dict(document().content))

    with HttpClient(transport=httpx.MockTransport(answer), limits=HttpLimits(attempts=1)) as http:
        CoinGecko(http).fetch_coin("wrapped-bitcoin")

    assert seen[0].path == "/api/v3/coins/wrapped-bitcoin"
    off = ("localization", "tickers", "market_data", "sparkline")
    on = ("community_data", "developer_data", "include_categories_details")
    assert {seen[0].params[name] for name in off} == {"false"}
    assert {seen[0].params[name] for name in on} == {"true"}


# -- lists -------------------------------------------------------------------------------------------------------------

LISTED = [
    {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "platforms": {}},
    {"id": "ethereum", "symbol": "eth", "name": "Ethereum", "platforms": {"": ""}},
    {"id": "ondo", "symbol": "ondo", "name": "Ondo", "platforms": {"ethereum": "0xFab", "base": "", "solana": None}},
]


def test_contracts_are_those_with_a_chain_and_an_address_as_delivered():
    fetched = parse_contracts(LISTED, now=NOW)

    assert fetched.frame.rows() == [("ondo", "ethereum", "0xFab")]
    assert fetched.rejected == ()
    assert parse_coin_list(LISTED, now=NOW).frame["name"].to_list() == ["Bitcoin", "Ethereum", "Ondo"]


def test_malformed_contracts_are_refused_and_the_others_land():
    broken = [{"id": None, "platforms": {}}, {"id": "x", "platforms": []}, {"id": "y", "platforms": {"base": 7}}]

    fetched = parse_contracts([*LISTED, *broken], now=NOW)

    assert fetched.frame["coin_id"].to_list() == ["ondo"]
    assert len(fetched.rejected) == 3


CATEGORY = {
    "id": "layer-1",
    "name": "Layer 1 (L1)",
    "market_cap": 2.15e12,
    "volume_24h": 4.4e10,
    "updated_at": "2025-01-06T00:20:00.000Z",
}


def test_totals_of_categories_are_of_the_last_finished_day_and_an_empty_category_has_none():
    empty = {"id": "no-coins", "name": "No Coins", "market_cap": None, "volume_24h": None, "updated_at": None}

    zero = {**CATEGORY, "id": "zero", "market_cap": 0, "volume_24h": 0}

    fetched = parse_category_daily([CATEGORY, empty, zero], now=NOW)

    assert fetched.frame.rows() == [
        ("layer-1", "Layer 1 (L1)", SUNDAY, 2.15e12, 4.4e10),
        ("no-coins", "No Coins", SUNDAY, None, None),
        ("zero", "Layer 1 (L1)", SUNDAY, None, None),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"market_cap": -1.0}, "market_cap_usd or volume_24h_usd is negative"),
        ({"market_cap": "1"}, "market_cap is text, not a number"),
        ({"id": None}, "category_id is missing or not readable"),
        ({"updated_at": "2035-01-01T00:00:00Z"}, "updated_at lies in the future"),
    ],
)
def test_malformed_totals_of_a_category_are_refused(changes, reason):
    fetched = parse_category_daily([{**CATEGORY, **changes}], now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


GLOBAL = {
    "active_cryptocurrencies": 17397,
    "total_market_cap": {"btc": 3.4e7, "usd": 2.6e12},
    "total_volume": {"usd": 9.5e10},
    "market_cap_percentage": {"btc": 57.95, "eth": 9.58},
    "updated_at": 1736121600,
}


def test_totals_of_the_market_have_dominance_as_fractions():
    row = parse_global_daily({"data": GLOBAL}, now=NOW).frame.row(0, named=True)

    assert (row["market_date"], row["market_cap_usd"], row["active_coins"]) == (SUNDAY, 2.6e12, 17397)
    assert (row["btc_dominance"], row["eth_dominance"]) == (pytest.approx(0.5795), pytest.approx(0.0958))


@pytest.mark.parametrize(
    "changes",
    [{"total_market_cap": {}}, {"total_market_cap": []}, {"market_cap_percentage": {"btc": 130}}, {"updated_at": 2e9}],
)
def test_malformed_totals_of_the_market_are_refused_and_can_be_read_again(changes):
    fetched = parse_global_daily({"data": {**GLOBAL, **changes}}, now=NOW)

    assert fetched.frame.is_empty()
    assert len(fetched.rejected) == 1
    assert kept.read_kept_global(GLOBAL, NOW)[0]["market_cap_usd"] == 2.6e12


def test_totals_of_another_shape_are_no_answer():
    with pytest.raises(UnexpectedBodyError, match="no object `data`"):
        parse_global_daily({"data": []}, now=NOW)
