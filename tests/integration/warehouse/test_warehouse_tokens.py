"""Tokens, their sectors and their ids in the warehouse of the synthetic market: renames, changes of sector, links.

The rules themselves are in dbt's unit tests; that no table knows the future is held in test_warehouse_point_in_time.py.
"""

from datetime import timedelta

import pytest

from tests.integration.warehouse.synthetic_facts import READ_ON
from tests.integration.warehouse.synthetic_market import CUT


def test_every_token_has_one_row_a_day_of_its_life_and_one_now(full):
    odd = full.query(
        """select token_id from marts.dim_tokens group by token_id
        having count(*) filter (where is_current) != 1 or min(valid_from) != any_value(first_date)"""
    )
    days = full.query(
        """select count(*) as days, count(tokens.token_id) as joined from marts.fct_daily as daily
        left join marts.dim_tokens as tokens on daily.token_id = tokens.token_id and daily.market_date >= tokens.valid_from
            and (tokens.valid_to is null or daily.market_date < tokens.valid_to)"""
    )

    assert odd.is_empty()
    assert days["days"].item() == days["joined"].item() > 10_000


def test_a_renamed_token_has_a_row_for_each_name_and_is_shown_as_renamed(full):
    names = full.query(
        """select symbol, name, valid_from, is_recently_renamed from marts.dim_tokens
        where token_id = 'late-crash' order by valid_from"""
    )
    recent = full.query("select name from marts.dim_tokens where is_current and is_recently_renamed order by name")

    assert names["symbol"].to_list() == ["CRA", "CRX"]
    assert names.rows()[1] == ("CRX", "Crash Again", READ_ON["late"], True)
    assert recent["name"].to_list() == ["Crash Again", "Renamed"]


def test_a_category_that_changes_between_loads_ends_one_membership_and_begins_another(full):
    sectors = full.query(
        "select sector, valid_from, valid_to, is_hindsight from marts.dim_token_sectors where token_id = 'late-peg' order by all"
    )

    assert sectors.rows() == [("AI", READ_ON["late"], None, False), ("DeFi", None, READ_ON["late"], True)]


def test_a_token_has_at_most_one_primary_sector_on_any_day_and_one_where_it_has_any(full):
    primaries = full.query(
        """select daily.token_id, daily.market_date, count(*) filter (where sectors.is_primary) as primaries
        from marts.fct_daily as daily
        inner join marts.dim_token_sectors as sectors on daily.token_id = sectors.token_id and not sectors.is_sub_sector
            and daily.market_date >= coalesce(sectors.valid_from, date '0001-01-01')
            and daily.market_date < coalesce(sectors.valid_to, date '9999-12-31')
        group by all"""
    )

    assert set(primaries["primaries"]) == {1}


def test_the_simulated_tokens_have_the_sectors_of_their_categories(full):
    sectors = dict(full.query("select token_id, sector from marts.dim_tokens where is_current").rows())
    classes = dict(full.query("select token_id, token_class from marts.dim_tokens where is_current").rows())
    placed = full.query(
        """select count(sector) / count(*) as share from marts.dim_tokens
        where is_current and token_id in (select coin_id from staging.stg_coingecko__asset_categories)"""
    )

    assert placed.item() > 0.95
    assert (sectors["bitcoin"], sectors["ethereum"], sectors["tether"]) == ("L1", "L1", "Stable")
    assert (classes["tether"], classes["wrapped-bitcoin"], classes["moored-ether"]) == ("stable", "wrapped", "staked")


@pytest.mark.parametrize(
    ("kind", "value", "token_id", "method"),
    [
        ("gate perpetual", "RIV", "rival-old", "largest cap of the ticker"),
        ("coinmetrics", "riv", "rival-old", "largest cap of the ticker"),
        ("binance market", "RIV/USDT", "rival-old", "price agreement"),
        ("contract on ethereum", "0x2", "rival-new", "link of the provider"),
        ("coingecko", "bitcoin", "bitcoin", "link of the provider"),
        ("coinmarketcap", "namesake", "coinmarketcap:namesake", "own series"),
    ],
)
def test_an_id_elsewhere_leads_to_its_token(kind, value, token_id, method, full):
    found = full.query(
        f"select token_id, method from marts.dim_token_ids where kind = '{kind}' and value = '{value}' and valid_to is null"
    )

    assert found.rows() == [(token_id, method)]


def test_gold_is_held_against_an_auction_that_was_over_by_the_day_before(full):
    rows = full.query(
        "select market_date, underlying_date, premium from marts.fct_security_tracking_daily order by market_date"
    )

    assert rows.height > 40
    assert (rows["market_date"] - rows["underlying_date"]).min() == timedelta(days=1)
    assert (rows["market_date"] - rows["underlying_date"]).max() <= timedelta(days=5)
    assert rows["premium"].abs().max() < 0.03
    assert rows["market_date"].min() < CUT < rows["market_date"].max()
