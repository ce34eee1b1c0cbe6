"""Writes docs/results/sectors.md: how much of the market has a sector, and where labels made by hand say otherwise.

Belongs here: the page and its figures. Does not: which token is in which sector (`dbt_project/seeds`, `marts.dim_token_sectors`).

    python -m orchestration.sector_report WAREHOUSE [LABELS]

WAREHOUSE is a built DuckDB file, LABELS the Parquet file of hand-made labels (symbol, category, priority); without it the page has
no comparison. The labels are for checking only, no sector is taken from them.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "results" / "sectors.md"
TOP = 500
FIRST_WEEK = "2020-01-01"
AIM = 0.95

LABEL_SECTORS: dict[str, tuple[str, ...]] = {
    "AI/Compute": ("AI",),
    "Avalanche Ecosystem": (),
    "BNB Ecosystem": (),
    "BTC Ecosystem": (),
    "Cosmos Ecosystem": (),
    "Creator Economy": (),
    "DEX Tokens": ("DeFi",),
    "Data Economy": ("AI",),
    "DeFi Blue Chips": ("DeFi",),
    "Dino Coins": (),
    "ETH Ecosystem": (),
    "Enterprise": (),
    "Exchange Tokens": ("Exchange",),
    "Fan Tokens": ("NFT",),
    "Gaming/Metaverse": ("Gaming/Metaverse",),
    "Infra/Tooling": (),
    "L1 Smart Contract": ("L1",),
    "L2 Scaling": ("L2",),
    "LST/LRT": ("DeFi",),
    "Legacy DeFi": ("DeFi",),
    "Meme Coins": ("Meme",),
    "Move VMs": ("L1",),
    "Move-to-Earn": ("Gaming/Metaverse",),
    "NFT Marketplaces": ("NFT",),
    "NFT/Culture": ("NFT",),
    "Oracle Networks": ("Oracle",),
    "Polkadot Ecosystem": (),
    "Privacy Coins": ("Privacy",),
    "Privacy/Infra": ("Privacy",),
    "RWA": ("RWA",),
    "Real Estate/Metaverse": ("Gaming/Metaverse",),
    "SOL Ecosystem": (),
    "Stablecoins": ("Stable",),
    "Storage/Infra": ("DePIN",),
    "Web3 Social": ("Services",),
    "Yield Aggregators": ("DeFi",),
}
"""What a hand-made label would be here; labels of ecosystems, of age and of customers say nothing about a sector."""


def coverage(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Shares of the largest tokens by market cap that have a primary sector, at the last close of each week.

    Stablecoins count, by class or by price; other claims (wrapped, bridged, staked, leveraged, tokenised) are left out of the
    shares and counted apart.

    Returns:
        One row a week: market_date, tokens (free and stable ones), claims, share, share_without_services, share_of_cap.
    """
    return connection.execute(
        f"""
        with largest as (
            select market_date, token_id, market_cap_usd, is_stable, is_wrapped from marts.fct_universe_daily
            where isodow(market_date) = 7 and market_date >= date '{FIRST_WEEK}' and market_cap_usd is not null
            qualify row_number() over (partition by market_date order by market_cap_usd desc, token_id) <= {TOP}
        ),
        placed as (
            select largest.*, tokens.sector, tokens.sector is not null or largest.is_stable as has_sector
            from largest
            inner join marts.dim_tokens as tokens
                on largest.token_id = tokens.token_id and largest.market_date >= tokens.valid_from
                and (tokens.valid_to is null or largest.market_date < tokens.valid_to)
        )
        select
            market_date,
            count(*) filter (where not is_wrapped) as tokens,
            count(*) filter (where is_wrapped) as claims,
            avg(has_sector::int) filter (where not is_wrapped) as share,
            avg((has_sector and sector is distinct from 'Services')::int) filter (where not is_wrapped) as share_without_services,
            sum(market_cap_usd) filter (where not is_wrapped and has_sector)
                / sum(market_cap_usd) filter (where not is_wrapped) as share_of_cap
        from placed group by market_date order by market_date
        """
    ).pl()


def sector_counts(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Sectors and sub-sectors with their tokens now: sector, is_sub_sector, primary, members."""
    return connection.execute(
        """
        select
            sectors.sector, sectors.is_sub_sector,
            count(*) filter (where members.is_primary) as primaries, count(members.token_id) as members
        from reference.sector_list as sectors
        left join marts.dim_token_sectors as members
            on sectors.sector = members.sector and members.valid_to is null
        group by sectors.sector, sectors.is_sub_sector order by sectors.is_sub_sector, sectors.sector
        """
    ).pl()


def compare_labels(connection: duckdb.DuckDBPyConnection, labels: Path) -> pl.DataFrame:
    """Hand-made labels beside the sectors of the largest token with the ticker.

    Returns:
        One row a ticker and label that names a sector: symbol, label, wanted, sector (primary), is_primary, is_member.
    """
    wanted = pl.DataFrame(
        [(label, sector) for label, sectors in LABEL_SECTORS.items() for sector in sectors],
        schema=["label", "wanted"],
        orient="row",
    )
    connection.register("wanted_sectors", wanted)
    return connection.execute(
        """
        with tokens as (
            select tokens.token_id, tokens.symbol, tokens.sector from marts.dim_tokens as tokens
            inner join marts.fct_daily as daily on tokens.token_id = daily.token_id
            where tokens.is_current and not tokens.is_wrapped
            group by tokens.token_id, tokens.symbol, tokens.sector
            qualify row_number() over (partition by tokens.symbol order by max(daily.market_cap_usd) desc nulls last, tokens.token_id) = 1
        )
        select distinct
            tokens.symbol, labels.category as label, wanted.wanted, tokens.sector,
            tokens.sector is not distinct from wanted.wanted as is_primary,
            members.sector is not null as is_member
        from read_parquet(?) as labels
        inner join wanted_sectors as wanted on labels.category = wanted.label
        inner join tokens on upper(labels.symbol) = tokens.symbol
        left join marts.dim_token_sectors as members
            on tokens.token_id = members.token_id and wanted.wanted = members.sector and members.valid_to is null
        order by wanted.wanted, tokens.symbol, label
        """,
        [str(labels)],
    ).pl()


def page(connection: duckdb.DuckDBPyConnection, labels: Path | None) -> str:
    """The page as Markdown."""
    weeks = coverage(connection)
    newest = weeks.row(-1, named=True)
    mean_share = weeks.select(pl.col("share").mean()).item()
    years = weeks.group_by(pl.col("market_date").dt.year().alias("year")).agg(
        pl.len().alias("weeks"),
        pl.col("share", "share_without_services", "share_of_cap", "claims").mean(),
        pl.col("share").min().alias("least"),
    )
    lines = [
        "# Sectors of the largest tokens",
        "",
        "Written by `make evaluate`, or `python -m orchestration.sector_report WAREHOUSE [LABELS]`. Sectors come from CoinGecko's",
        "categories and from the curated seeds; nearly all are undated, so the shares of past weeks are hindsight too.",
        "",
        f"Of the {TOP} largest tokens by market cap (those with a cap known, fake ones included) {newest['share']:.1%} had a primary",
        f"sector on {newest['market_date']}, the newest week, and {mean_share:.1%} in the mean of {weeks.height} weeks since"
        f" {weeks.row(0, named=True)['market_date']}; the aim is {AIM:.0%}.",
        "Stablecoins count as Stable, by class or by price. Claims (wrapped, bridged, staked, leveraged, tokenised) are left out and",
        f"counted apart: {newest['claims']} of {TOP} in the newest week. `Services` is a sector of ours, for identity, media, commerce and",
        "data; the shares without it are those of the sectors that the field agrees on. Plain currencies (BTC, LTC, XRP) count as L1.",
        "",
        "| year | weeks | share | least week | share without Services | share of their market cap | claims a week |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {row['year']} | {row['weeks']} | {row['share']:.1%} | {row['least']:.1%} | {row['share_without_services']:.1%}"
            f" | {row['share_of_cap']:.1%} | {row['claims']:.0f} |"
            for row in years.sort("year").iter_rows(named=True)
        ),
        "",
        "## Sectors and their tokens",
        "",
        "Of all tokens that ever had a price, as of now.",
        "",
        "| sector | as the primary one | all members |",
        "|---|---:|---:|",
        *(
            f"| {name}{' (sub-sector)' if is_sub_sector else ''} | {primaries} | {members} |"
            for name, is_sub_sector, primaries, members in sector_counts(connection).iter_rows()
        ),
        "",
    ]
    return "\n".join(lines + ([] if labels is None else _agreement(compare_labels(connection, labels))))


def _agreement(compared: pl.DataFrame) -> list[str]:
    by_sector = compared.group_by("wanted").agg(
        pl.len().alias("labels"),
        pl.col("is_primary").sum(),
        pl.col("is_member").sum(),
        pl.concat_str("symbol", pl.lit(" "), pl.col("sector").fill_null("none"))
        .filter(~pl.col("is_primary"))
        .unique()
        .sort()
        .str.join(", ")
        .alias("others"),
    )
    primaries, members = compared.select(pl.col("is_primary", "is_member").mean()).row(0)
    return [
        "## Against labels made by hand",
        "",
        f"{compared.height} labels of {compared['symbol'].n_unique()} tickers name a sector (labels of ecosystems and of age do not).",
        f"Our primary sector is the same for {compared['is_primary'].sum()} ({primaries:.0%}), and the token is at least a member for",
        f"{compared['is_member'].sum()} ({members:.0%}). A token may carry several labels, and only one can be primary.",
        "",
        "| sector by hand | labels | primary here too | member here | primary elsewhere here |",
        "|---|---:|---:|---:|---|",
        *(
            f"| {row['wanted']} | {row['labels']} | {row['is_primary']} | {row['is_member']} | {row['others'] or ''} |"
            for row in by_sector.sort("wanted").iter_rows(named=True)
        ),
        "",
    ]


def write_page(warehouse: Path, labels: Path | None) -> None:
    """Write docs/results/sectors.md from a built warehouse, compared with labels where there are some."""
    with connect(warehouse, read_only=True) as connection:
        PAGE.write_text(page(connection, labels), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write the page, or say how."""
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m orchestration.sector_report WAREHOUSE [LABELS]")
    write_page(Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else None)
    print(f"wrote {PAGE.relative_to(REPOSITORY_ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
