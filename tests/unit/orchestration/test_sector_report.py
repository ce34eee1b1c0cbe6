"""Shares of the page on sectors, from a warehouse of a few rows."""

import duckdb
import pytest

from orchestration.sector_report import compare_labels, coverage


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema marts;
            create table marts.dim_tokens as
            select token_id, upper(token_id) as symbol, date '2024-01-01' as valid_from, null::date as valid_to, true as is_current,
                sector, token_id = 'claim' as is_wrapped
            from (values ('defi', 'DeFi'), ('usd', null), ('service', 'Services'), ('none', null), ('claim', null)) as t(token_id, sector);
            create table marts.fct_universe_daily as
            select date '2024-01-07' as market_date, token_id, 10.0 as market_cap_usd, token_id = 'usd' as is_stable, is_wrapped
            from marts.dim_tokens;
            create table marts.fct_daily as select token_id, 10.0 as market_cap_usd from marts.dim_tokens;
            create table marts.dim_token_sectors as
            select * from (values ('defi', 'DeFi', null::date), ('service', 'AI', null)) as t(token_id, sector, valid_to);
            """
        )
        yield connection


def test_stable_tokens_count_and_claims_are_left_out(warehouse):
    week = coverage(warehouse).row(0, named=True)

    assert (week["tokens"], week["claims"]) == (4, 1)
    assert week["share"] == week["share_of_cap"] == 3 / 4
    assert week["share_without_services"] == 2 / 4


def test_a_label_is_held_against_the_primary_sector_and_all_memberships(warehouse, tmp_path):
    labels = tmp_path / "labels.parquet"
    warehouse.execute(
        f"""copy (select * from (values ('DEFI', 'DEX Tokens'), ('SERVICE', 'AI/Compute'), ('NONE', 'ETH Ecosystem'))
        as t(symbol, category)) to '{labels}' (format parquet)"""
    )

    compared = compare_labels(warehouse, labels)

    assert compared.select("symbol", "wanted", "is_primary", "is_member").rows() == [
        ("SERVICE", "AI", False, True),
        ("DEFI", "DeFi", True, True),
    ]
