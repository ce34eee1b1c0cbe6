"""Families of protocols: who belongs together, and whose coin it is.

DefiLlama splits a large protocol into versions (`Uniswap V2`, `Uniswap V3`). The token belongs to the family, whose id is
`parent#uniswap`; most versions have `gecko_id: null`. The list of protocols holds versions only, so families are summed here.

Belongs here: the coin of a family, families as rows, which rows stand for a coin. Does not: wire format (`protocols.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

FAMILY_PREFIX: Final = "parent#"

FAMILY_COINS: Final[Mapping[str, str]] = {
    "parent#aave": "aave",
    "parent#balancer": "balancer",
    "parent#bancor": "bancor",
    "parent#benqi": "benqi",
    "parent#compound-finance": "compound-governance-token",
    "parent#frax-finance": "frax-share",
    "parent#kyberswap": "kyber-network-crystal",
    "parent#pancakeswap": "pancakeswap-token",
    "parent#quickswap": "quickswap",
    "parent#sushi": "sushi",
    "parent#trader-joe": "joe",
    "parent#uniswap": "uniswap",
}
"""Coins of families whose own answer is tens of MB; all other families are asked, or have a version that knows."""


def family_rows(
    versions: pl.DataFrame, slugs: Mapping[str, str], *, coins: Mapping[str, str], broken: Collection[str]
) -> pl.DataFrame:
    """Sum versions to families.

    Args:
        versions: Rows of `defillama/protocols`.
        slugs: Names of families in addresses.
        coins: Coins that families named themselves; they prevail over `FAMILY_COINS`, and that over the one coin that the
            versions agree on. Versions of different coins leave the family without any.
        broken: Families one of whose versions was refused; a sum without it would be too small, so they are left out.

    Returns:
        One row per family, in the columns of `versions`. Its category is that of its largest version, and so is whether it
        counts double. Sums are over the versions that have a value, null where none has.
    """
    members = versions.filter(pl.col("parent_id").is_not_null() & ~pl.col("parent_id").is_in(list(broken)))
    by_size = members.sort("tvl_usd", descending=True, nulls_last=True, maintain_order=True)
    summed = by_size.group_by("parent_id", maintain_order=True).agg(
        pl.col("name").first(),
        pl.col("coin_id").drop_nulls().unique().alias("coins"),
        pl.col("category").first(),
        pl.col("market_date").first(),
        *(
            pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
            for name in ("tvl_usd", "borrowed_usd", "staking_usd")
        ),
        pl.col("is_double_counted").first(),
    )
    agreed = {row["parent_id"]: row["coins"][0] for row in summed.to_dicts() if len(row["coins"]) == 1}
    known = {**agreed, **FAMILY_COINS, **coins}
    ids = summed["parent_id"].to_list()
    named = {each: slugs.get(each) or each.removeprefix(FAMILY_PREFIX) for each in ids}
    return summed.with_columns(
        pl.Series("protocol_id", ids, dtype=pl.String),
        pl.Series("slug", [named[each] for each in ids], dtype=pl.String),
        pl.Series("name", [each.removeprefix(FAMILY_PREFIX) for each in ids], dtype=pl.String),
        pl.Series("coin_id", [known.get(each) for each in ids], dtype=pl.String),
        pl.lit(None, dtype=pl.String).alias("symbol"),
        pl.lit(None, dtype=pl.String).alias("parent_id"),
    ).select(versions.columns)


def holders_of_coins(protocols: pl.DataFrame) -> pl.DataFrame:
    """The rows that stand for a coin: families, protocols of no family, and versions with a coin other than their family's.

    So no value counts twice for one coin. Several unrelated protocols of one coin all stay; readers add them up. What exchanges
    hold for their customers is no use of their token, so they stand for nobody.

    Args:
        protocols: Rows of `defillama/protocols`, families among them.
    """
    families = protocols.filter(pl.col("protocol_id").str.starts_with(FAMILY_PREFIX)).select(
        pl.col("protocol_id").alias("parent_id"), pl.col("coin_id").alias("family_coin_id"), is_summed=True
    )
    joined = protocols.join(families, on="parent_id", how="left", maintain_order="left")
    # A version whose family could not be summed is a part of its coin's value, which must not pass for the whole.
    is_other = pl.col("is_summed").fill_null(value=False) & ~pl.col("coin_id").eq_missing(pl.col("family_coin_id"))
    is_exchange = pl.col("category").eq_missing("CEX")
    is_holder = pl.col("coin_id").is_not_null() & (pl.col("parent_id").is_null() | is_other) & ~is_exchange
    return joined.filter(is_holder).drop("family_coin_id", "is_summed")
