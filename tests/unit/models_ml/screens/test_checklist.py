"""The moonshot checklist: answers by threshold, nulls, dates, evidence."""

import datetime as dt
import json

import pytest

from models_ml.screens.checklist import ChecklistThresholds, checklist
from models_ml.screens.moonshots import MoonshotSettings, screen_moonshots, screen_universe
from tests.unit.models_ml.screens.snapshots import CLOSE, ITEMS, snapshot, token

SETTINGS = MoonshotSettings()
HOLDERS_READ, COMMITS_READ = dt.date(2024, 2, 25), dt.date(2024, 2, 18)


def answers(**fields):
    return screen_universe(snapshot(token(**fields)), settings=SETTINGS).row(0, named=True)


def evidence(**fields):
    picks = screen_moonshots(snapshot(token(**fields)), settings=SETTINGS)
    return json.loads(picks["evidence"][0])


def test_the_checklist_has_the_ten_items_in_order():
    assert [item.name for item in checklist(ChecklistThresholds())] == ITEMS


def test_items_without_a_source_are_null_and_the_others_answered():
    row = answers()

    unknown = {"is_developer_activity_rising", "is_large_holder_inflow", "is_free_of_major_unlock"}
    assert {name: row[name] for name in ITEMS} == {name: None if name in unknown else True for name in ITEMS}
    assert (row["checks_true"], row["checks_known"]) == (7, 7)


def test_every_source_answers_its_item():
    row = answers(
        commits_growth_12w=0.2,
        developers_date=COMMITS_READ,
        top_10_holder_share_change_28d=0.02,
        holders_date=HOLDERS_READ,
        cliff_unlock_30d_share=0.0,
        linear_unlock_30d_share=0.001,
        unlocks_date=CLOSE,
    )

    assert (row["checks_true"], row["checks_known"]) == (10, 10)


@pytest.mark.parametrize(
    ("item", "fields", "answer"),
    [
        ("is_grade_high", {"trader_grade": 85.0}, True),
        ("is_grade_high", {"trader_grade": 84.9}, False),
        ("is_grade_high", {"trader_grade": None}, None),
        ("is_grade_high", {"trader_grade": float("nan")}, None),
        ("is_momentum_surging", {"momentum_score": 79.9}, False),
        ("is_momentum_surging", {"momentum_score_change_7d": 9.0}, False),
        ("is_momentum_surging", {"momentum_score_change_7d": None, "momentum_score": 10.0}, None),
        ("is_narrative_early", {"sector_rank_gain_7d": 0}, False),
        ("is_narrative_early", {"sector_volume_share_change_7d": -0.001}, False),
        ("is_narrative_early", {"sector_return_less_btc_7d": 0.0}, False),
        ("is_narrative_early", {"sector_return_90d": 1.0}, False),
        ("is_narrative_early", {"sector_return_90d": None}, None),
        ("is_volume_surging_with_price", {"return_7d": -0.1}, False),
        ("is_volume_surging_with_price", {"volume_surge_7d_30d": 1.4}, False),
        ("is_volume_surging_with_price", {"volume_surge_7d_30d": None}, None),
        ("is_bullish_repeated", {"bullish_closes_7d": 3}, True),
        ("is_bullish_repeated", {"bullish_closes_7d": 2}, False),
        ("is_bullish_repeated", {"bullish_closes_7d": None}, None),
        # The close is 3 March: 2 February is 30 days before it, 1 February 31.
        ("is_newly_listed", {"exchange_listed_at": dt.date(2024, 2, 2)}, True),
        ("is_newly_listed", {"exchange_listed_at": dt.date(2024, 2, 1)}, False),
        ("is_newly_listed", {"exchange_listed_at": None}, False),
        ("is_newly_listed", {"has_exchange_data": False}, None),
        ("is_newly_listed", {"has_exchange_data": None}, None),
        ("is_free_of_major_unlock", {"cliff_unlock_30d_share": 0.01, "linear_unlock_30d_share": 0.0}, False),
        ("is_free_of_major_unlock", {"cliff_unlock_30d_share": 0.009, "linear_unlock_30d_share": 0.029}, True),
        ("is_free_of_major_unlock", {"cliff_unlock_30d_share": 0.0, "linear_unlock_30d_share": 0.03}, False),
        ("is_free_of_major_unlock", {"cliff_unlock_30d_share": 0.0, "linear_unlock_30d_share": None}, None),
    ],
)
def test_an_item_is_true_false_or_null_by_its_threshold(item, fields, answer):
    assert answers(**fields)[item] is answer


@pytest.mark.parametrize(
    ("item", "fields", "answer"),
    [
        ("is_community_growing", {"active_addresses_growth_30d": None}, None),
        ("is_community_growing", {"active_addresses_growth_30d": 0.0}, False),
        ("is_community_growing", {"active_addresses_growth_30d": None, "news_mention_surge_7d_90d": 2.0}, True),
        ("is_community_growing", {"watchlist_growth_28d": 0.0}, True),  # one of two
        ("is_community_growing", {"watchlist_growth_28d": 0.0, "holders_growth_28d": 0.0}, False),  # one of three
        ("is_community_growing", {"watchlist_growth_28d": 0.06, "reddit_subscribers_growth_28d": 0.0}, True),
        ("is_developer_activity_rising", {"commits_growth_12w": 0.05}, False),
        ("is_developer_activity_rising", {"commits_growth_12w": 0.05, "authors_growth_12w": 0.2}, True),
        ("is_large_holder_inflow", {"exchange_net_inflow_7d": -0.005}, True),
        ("is_large_holder_inflow", {"exchange_net_inflow_7d": 0.02}, False),
        ("is_large_holder_inflow", {"exchange_net_inflow_7d": 0.02, "top_10_holder_share_change_28d": 0.01}, True),
        ("is_newly_listed", {"has_exchange_data": False, "has_dex_data": True}, False),
        (
            "is_newly_listed",
            {"exchange_listed_at": None, "has_dex_data": True, "dex_listed_at": dt.date(2024, 2, 25)},
            True,
        ),
    ],
)
def test_of_several_sources_half_of_the_known_decide(item, fields, answer):
    assert answers(**fields)[item] is answer


def test_evidence_names_value_date_and_threshold_of_every_item():
    found = evidence(active_addresses_growth_30d=None)

    assert sorted(found) == sorted(ITEMS)
    assert found["is_grade_high"] == {
        "answer": True,
        "values": {"trader_grade": 90.0},
        "date": "2024-03-03",
        "threshold": "trader_grade >= 85",
    }
    assert found["is_community_growing"]["answer"] is None
    assert found["is_community_growing"]["date"] is None
    assert found["is_newly_listed"]["values"]["exchange_listed_at"] == "2024-02-20"
    assert found["is_newly_listed"]["date"] == "2024-02-20"
    assert found["is_narrative_early"]["is_hindsight"] is True


def test_evidence_is_dated_by_the_newest_source_that_is_known():
    found = evidence(holders_growth_28d=0.1, holders_date=HOLDERS_READ, community_date=CLOSE, watchlist_growth_28d=None)

    # The watch list was read later, but says nothing of its growth yet.
    assert found["is_community_growing"]["date"] == "2024-03-02"
    assert evidence(exchange_listed_at=None)["is_newly_listed"]["date"] == "2024-03-03"


def test_a_stale_price_dates_its_evidence():
    found = evidence(priced_date=dt.date(2024, 3, 1))

    assert found["is_volume_surging_with_price"]["date"] == "2024-03-01"
