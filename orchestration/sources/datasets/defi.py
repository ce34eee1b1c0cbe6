"""Use of DeFi, and supply to come: what DefiLlama gives.

Belongs here: protocols, chains, fees, volumes, stablecoins, yields, unlock schedules.
Does not: pools of decentralised exchanges (`dex.py`), on-chain metrics of tokens (`onchain.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    HIGHEST_USD_AMOUNT,
    INSTANT,
    MARKET_DATE,
    SEEN_DATE,
    Column,
    Dataset,
    Rule,
    above,
    below_zero,
    flag,
    not_above_zero,
    number,
    outside,
    text,
)

PROTOCOL_ID = text("DefiLlama's id; of a family `parent#name`")

_PROTOCOLS = Dataset(
    source="defillama",
    name="protocols",
    fields={
        "protocol_id": PROTOCOL_ID,
        "slug": text("name in addresses"),
        "name": text("display name"),
        "symbol": text("ticker of its token; never a join key", nullable=True),
        "coin_id": text("CoinGecko id of its token; versions of a protocol have none, their family has", nullable=True),
        "parent_id": text("family a version belongs to", nullable=True),
        "category": text("Lending, Dexs, CEX, Bridge, Liquid Staking ...", nullable=True),
        "market_date": SEEN_DATE,
        "tvl_usd": number("USD", "locked, without borrowed, staked and pool2"),
        "borrowed_usd": number("USD", "lent out of what is locked"),
        "staking_usd": number("USD", "of its own token staked in it"),
        "is_double_counted": flag(
            "whether its TVL lies in another protocol too (liquid staking, yield aggregators, CEX excluded elsewhere)",
            nullable=False,
        ),
    },
    key=("protocol_id", "market_date"),
    description="One row per protocol and day read.",
    rules=(
        below_zero(("tvl_usd", "borrowed_usd", "staking_usd")),
        above(("tvl_usd", "borrowed_usd", "staking_usd"), HIGHEST_USD_AMOUNT),
    ),
)

_PROTOCOL_METRICS = Dataset(
    source="defillama",
    name="protocol_metrics",
    fields={
        "protocol_id": PROTOCOL_ID,
        "coin_id": text("CoinGecko id of its token, where known", nullable=True),
        "metric": text("tvl_usd, fees_usd, revenue_usd, dex_volume_usd"),
        "market_date": MARKET_DATE,
        "value": number("USD, per day for flows", "value of the metric", nullable=False),
    },
    key=("protocol_id", "metric", "market_date"),
    description="One row per protocol, metric and finished day: history of TVL, fees, revenue, volume. A value of 0 is no value.",
    rules=(below_zero(("value",)), above(("value",), HIGHEST_USD_AMOUNT)),
)

_CHAIN_TVL = Dataset(
    source="defillama",
    name="chain_tvl",
    fields={
        "chain": text("chain as DefiLlama names it; ALL for all chains together"),
        "coin_id": text("CoinGecko id of the chain's token, where known", nullable=True),
        "market_date": MARKET_DATE,
        "tvl_usd": number("USD", "locked, without double counts, staking and borrowed", nullable=False),
    },
    key=("chain", "market_date"),
    description="One row per chain and finished day.",
    rules=(below_zero(("tvl_usd",)), above(("tvl_usd",), HIGHEST_USD_AMOUNT)),
)

_STABLECOIN_SUPPLY = Dataset(
    source="defillama",
    name="stablecoin_supply",
    fields={
        "stablecoin_id": text("DefiLlama's id; ALL for all together"),
        "coin_id": text("CoinGecko id", nullable=True),
        "symbol": text("ticker", nullable=True),
        "peg": text("what it is pegged to, e.g. peggedUSD; null for ALL", nullable=True),
        "market_date": MARKET_DATE,
        "circulating_usd": number("USD", "in circulation", nullable=False),
        "price_usd": number("USD per token", "where given"),
    },
    key=("stablecoin_id", "market_date"),
    description="One row per stablecoin and day, and one for all.",
    rules=(
        below_zero(("circulating_usd",)),
        above(("circulating_usd",), HIGHEST_USD_AMOUNT),
        not_above_zero(("price_usd",)),
    ),
)

_YIELDS = Dataset(
    source="defillama",
    name="yields",
    fields={
        "pool_id": text("DefiLlama's id of the pool"),
        "project": text("protocol slug"),
        "chain": text("chain"),
        "symbol": text("tokens in the pool"),
        "market_date": SEEN_DATE,
        "tvl_usd": number("USD", "in the pool"),
        "apy_base": number("fraction per year", "from fees or interest"),
        "apy_reward": number("fraction per year", "from token rewards"),
        "is_stablecoin": flag("whether the pool holds stablecoins only"),
    },
    key=("pool_id", "market_date"),
    description="One row per pool and day read; pools above a million USD.",
    rules=(below_zero(("tvl_usd",)), outside("apy_base", -1, 1000), outside("apy_reward", -1, 1000)),
)

_UNLOCK_EVENTS = Dataset(
    source="defillama",
    name="unlock_events",
    fields={
        "protocol": text("slug of the schedule"),
        "section": text("who receives"),
        "starts_at": Column(INSTANT, "UTC instant", "when the tokens are released, or the release begins"),
        "unlock_type": text("cliff: all at starts_at; linear: evenly until ends_at"),
        "position": Column(pl.Int64, "number", "tells apart events of one section, type and start"),
        "coin_id": text("CoinGecko id of the token", nullable=True),
        "token": text("the token as the schedule names it, chain:address or coingecko:id", nullable=True),
        "category": text(
            "insiders, privateSale, publicSale, airdrop, farming, noncirculating, liquidity, staking", nullable=True
        ),
        "ends_at": Column(INSTANT, "UTC instant", "end of a linear release; null for a cliff", nullable=True),
        "amount_tokens": number("tokens", "released in all", nullable=False),
        "is_forecast": flag("whether the schedule calls it a forecast"),
        "is_withdrawn": flag(
            "whether a later reading of the schedule no longer has the release; null, as in archive copies, means no"
        ),
    },
    key=("protocol", "section", "starts_at", "unlock_type", "position"),
    description=(
        "One row per release of a schedule, of no date of its own: schedules as published when read, past and future; an "
        "undated archive copy is hindsight and enters no backtested model. To read the schedule known at an instant, take of "
        "every key the newest load available by then and leave out those that are withdrawn: a release that vanished from "
        "its schedule lands again as withdrawn, because else its last load would count for ever."
    ),
    rules=(
        not_above_zero(("amount_tokens",)),
        Rule("unlock_type is neither cliff nor linear", "unlock_type NOT IN ('cliff', 'linear')"),
        Rule("ends_at is not after starts_at", "ends_at <= starts_at"),
        Rule("a linear release has no end", "unlock_type = 'linear' AND ends_at IS NULL"),
    ),
)

_UNLOCK_SCHEDULES = Dataset(
    source="defillama",
    name="unlock_schedules",
    fields={
        "protocol": text("slug of the schedule"),
        "coin_id": text("CoinGecko id of the token", nullable=True),
        "token": text("the token as the schedule names it, chain:address or coingecko:id", nullable=True),
        "max_supply_tokens": number("tokens", "ever to exist, where stated"),
        "has_unknown_parts": flag("whether sections need calls to a chain, so that the events are not all"),
        "file_read_date": Column(
            pl.Date,
            "UTC day",
            "last finished day when the schedule's own file was read; null where the index of all schedules has it",
            nullable=True,
        ),
    },
    key=("protocol",),
    description="One row per unlock schedule, of no date.",
    rules=(not_above_zero(("max_supply_tokens",)),),
)

DATASETS: Final = (
    _PROTOCOLS,
    _PROTOCOL_METRICS,
    _CHAIN_TVL,
    _STABLECOIN_SUPPLY,
    _YIELDS,
    _UNLOCK_EVENTS,
    _UNLOCK_SCHEDULES,
)
