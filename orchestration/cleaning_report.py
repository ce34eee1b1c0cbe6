"""docs/results/cleaning.md: what cleaning found in a warehouse of real history, rule by rule, and the documented defects.

Belongs here: the figures and how they are written down. Does not: the rules (dbt_project/models/intermediate), the verdicts on sampled
flags, which are somebody's (docs/results/bad-tick-sample.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.metadata import markdown_table
from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "results" / "cleaning.md"

RULES = """
select
    rule,
    column_name,
    price_source as source,
    count(*) as "values",
    count(distinct token_id) as tokens,
    min(market_date) as first_day,
    max(market_date) as last_day
from quality.corrections
group by all
order by rule, "values" desc
"""

OF_ALL_DAYS = """
select
    count(*) as token_days,
    count(*) filter (where is_carried) as carried,
    count(*) filter (where sources_agreeing > 1) as told_by_two_sources,
    count(*) filter (where market_cap_usd is not null) as with_a_cap,
    count(*) filter (where wash_mark is not null) as suspect_volumes
from marts.fct_daily
"""

LINKS = """
select
    split_part(series_id, ':', 1) as source,
    case candidate_rank when 0 then 'a CoinGecko coin' else 'another series' end as linked_to,
    count(*) as series,
    min(share_agreeing) as least_agreement
from intermediate.int_series_linked
group by all
order by all
"""

FAKE_CAPS = """
select
    token_id,
    count(*) as days,
    max(value_before) as largest_claim_usd,
    arg_max(reason, value_before) as reason
from quality.corrections
where rule = 'implausible_cap'
group by token_id
order by largest_claim_usd desc
limit 12
"""

OUTLIERS = """
select
    token_id,
    market_date,
    price_source as source,
    value_before as said,
    value_after as agreed_on
from quality.corrections
where rule = 'source_outlier'
order by abs(ln(value_before / value_after)) desc, token_id, market_date
limit 12
"""

TOTALS = """
select
    max(total_usd) as largest_total_cap_usd,
    arg_max(market_date, total_usd) as on_day,
    arg_max(total_usd, market_date) as total_on_the_last_day_usd
from (
    select
        market_date,
        sum(market_cap_usd) as total_usd
    from {rows}
    where market_date <= (select max(market_date) from raw.coinmarketcap__candles_daily)
    group by market_date
)
"""

OPENING = """# Cleaning, on real history

What the cleaning rules found in the development archive (`make evaluate`, or `python -m orchestration.cleaning_report <data folder>`).
Each row of the first table counts rows of `quality.corrections`, which has every value with its reason. How good the rules are where
the truth is known, and on a hundred flags looked at by hand: [bad-tick-sample.md](bad-tick-sample.md)."""

DOCUMENTED = (
    (
        "LUNAUSDT is two coins spliced",
        "split by the import; live, a jump over a gap of days begins a new series",
        "test_the_market_of_luna_is_two_coins_and_each_has_its_own_days",
    ),
    (
        "UNI and LUNA of CoinMarketCap are other coins",
        "a series is linked by price, never by its ticker",
        "test_namesakes_of_luna_and_uni_stay_tokens_of_their_own",
    ),
    (
        "CoinGecko's day flips on 2018-01-30",
        "the import takes the day of the close; quality.day_conventions watches",
        "test_bitcoin_follows_the_closes_of_coinmarketcap_across_the_day_the_feed_flipped",
    ),
    (
        "caps of 0",
        "unknown, listed as zero_cap",
        "test_every_zero_that_stood_for_unknown_is_listed",
    ),
    (
        "Yahoo's jumps",
        "makes no token, is outvoted where others speak, else the bad-tick rule",
        "test_where_another_source_has_the_day_no_jump_of_yahoos_reaches_the_price",
    ),
    (
        "coins with made-up caps",
        "a cap without trading behind it is unknown, listed as implausible_cap",
        "test_a_coin_that_claims_a_larger_cap_than_bitcoin_has_none",
    ),
    (
        "coins that CoinMarketCap lists twice",
        "ten days of equal close and volume make two ids one",
        "test_of_the_two_names_of_omisego_one_is_left_after_ten_equal_days",
    ),
    (
        "feed errors of CoinGecko",
        "outvoted by two others; of two the one nearer to the days before stays",
        "test_a_price_that_two_other_sources_contradict_is_replaced",
    ),
)
"""Defect, what is done, and the test in tests/integration/warehouse/test_warehouse_real_history.py that holds it."""


def main(arguments: list[str]) -> int:
    """Write the page for the warehouse of a data folder; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m orchestration.cleaning_report <data folder>\n")
        return 2
    write_report(DataFolder(Path(arguments[0])))
    return 0


def write_report(folder: DataFolder, page: Path = PAGE) -> None:
    """Write the page; the warehouse is only read."""
    with connect(folder.warehouse, read_only=True) as connection:
        text = report(connection)
    page.write_text(text)


def report(connection: duckdb.DuckDBPyConnection) -> str:
    """The page as Markdown."""

    def table(sql: str) -> str:
        return markdown_table(connection.execute(sql).pl())

    totals = pl.concat(
        connection.execute(TOTALS.format(rows=rows)).pl().select(pl.lit(kind).alias("to 2020"), pl.all())
        for kind, rows in (
            ("as CoinMarketCap delivers", "raw.coinmarketcap__candles_daily"),
            ("marts.fct_daily", "marts.fct_daily"),
        )
    )
    sections = [
        OPENING,
        "## By rule",
        table(RULES),
        "All token days of `marts.fct_daily`:",
        table(OF_ALL_DAYS),
        "## The documented defects of the archive",
        markdown_table(pl.DataFrame(DOCUMENTED, schema=["defect", "what is done", "held by"], orient="row")),
        "## What it is worth",
        markdown_table(totals),
        "## The largest claims",
        table(FAKE_CAPS),
        "## Where the first source was farthest off",
        table(OUTLIERS),
        "## Series that are the same coin",
        table(LINKS),
    ]
    return "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
