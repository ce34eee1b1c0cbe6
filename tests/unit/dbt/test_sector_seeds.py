"""The seeds that sectors are made of: sound in themselves, and with well-known tokens where people expect them.

The SQL that uses them is in dbt's unit tests; here stands what the seeds say, by the same rule in a few lines.
"""

import csv
from datetime import date
from itertools import combinations

import pytest

from orchestration.lib.sector_names import seed_category_names
from orchestration.settings import REPOSITORY_ROOT

TODAY = date(2026, 1, 1)

# Sector, then CoinGecko's id and those of its categories of July 2025 that the seeds know. All of them are expected as the primary sector.
EXPECTED = {
    "AI": {
        "fetch-ai": ["AI Agents", "Artificial Intelligence (AI)", "NFT"],
        "singularitynet": ["AI Agents", "Artificial Intelligence (AI)"],
        "the-graph": ["Artificial Intelligence (AI)", "Business Services", "DePIN", "Smart Contract Platform"],
        "bittensor": ["Artificial Intelligence (AI)", "DePIN", "Layer 1 (L1)", "Smart Contract Platform"],
        "numbers-protocol": [],
        "ocean-protocol": ["Artificial Intelligence (AI)", "DePIN", "Storage"],
    },
    "DeFi": {
        "aave": ["Decentralized Finance (DeFi)", "Lending/Borrowing Protocols", "Yield Farming"],
        "lido-dao": ["Decentralized Finance (DeFi)", "Liquid Staking"],
        "uniswap": ["Decentralized Exchange (DEX)", "Decentralized Finance (DeFi)", "Exchange-based Tokens"],
        "thorchain": ["Decentralized Exchange (DEX)", "Exchange-based Tokens", "Smart Contract Platform"],
        "dydx-chain": ["Decentralized Exchange (DEX)", "Layer 1 (L1)", "Perpetuals", "Smart Contract Platform"],
        "dydx": [],
        "gmx": ["Decentralized Finance (DeFi)", "Derivatives", "Perpetuals"],
    },
    "Meme": {
        "dogecoin": ["Dog-Themed", "Meme", "Proof of Work (PoW)", "Smart Contract Platform"],
        "shiba-inu": ["Dog-Themed", "Meme"],
        "pepe": ["Meme"],
        "dogwifcoin": ["Dog-Themed", "Meme"],
        "bonk": ["Dog-Themed", "Meme"],
        "floki": ["Dog-Themed", "Gaming (GameFi)", "Meme", "Metaverse", "NFT", "Play To Earn"],
    },
    "RWA": {
        "maker": ["Decentralized Finance (DeFi)"],
        "ondo-finance": ["Decentralized Finance (DeFi)", "Real World Assets (RWA)"],
        "polymesh": ["Layer 1 (L1)", "Real World Assets (RWA)", "Smart Contract Platform"],
        "xdce-crowd-sale": ["Layer 1 (L1)", "Real World Assets (RWA)", "Smart Contract Platform"],
        "centrifuge": ["Real World Assets (RWA)"],
    },
    "L1": {
        "ethereum": ["Layer 1 (L1)", "Smart Contract Platform"],
        "solana": ["Layer 1 (L1)", "Smart Contract Platform"],
        "avalanche-2": ["Layer 1 (L1)", "Smart Contract Platform"],
        "near": ["Artificial Intelligence (AI)", "Layer 1 (L1)", "Smart Contract Platform"],
        "sui": ["Layer 1 (L1)", "Smart Contract Platform"],
        "the-open-network": ["Layer 1 (L1)", "Smart Contract Platform"],
        "bitcoin": ["Layer 1 (L1)", "Proof of Work (PoW)", "Smart Contract Platform"],
        "ripple": [],
        "litecoin": ["Layer 1 (L1)", "Proof of Work (PoW)", "Smart Contract Platform"],
    },
}
CASES = [(token, sector) for sector, tokens in EXPECTED.items() for token in tokens]


def seed(name):
    with (REPOSITORY_ROOT / "dbt_project" / "seeds" / f"{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def span(row):
    begins = date.fromisoformat(row["valid_from"]) if row["valid_from"] else date.min
    return begins, date.fromisoformat(row["valid_to"]) if row["valid_to"] else date.max


@pytest.mark.parametrize(("token", "sector"), CASES)
def test_a_well_known_token_is_in_the_sector_where_people_expect_it(token, sector):
    curated = [
        row["sector"]
        for row in seed("sector_overrides")
        if row["token_id"] == token and row["is_primary"] == "true" and span(row)[0] <= TODAY < span(row)[1]
    ]
    sub_sectors = {row["sector"] for row in seed("sector_list") if row["is_sub_sector"] == "true"}
    by_category = sorted(
        (int(row["priority"]), row["sector"])
        for row in seed("sector_categories")
        if row["category_name"] in EXPECTED[sector][token] and row["sector"] not in sub_sectors
    )

    assert [*curated, *(name for _, name in by_category)][0] == sector


def test_every_sector_that_a_seed_names_is_described_and_every_one_is_used():
    named = {row["sector"] for name in ("sector_categories", "sector_overrides") for row in seed(name)}
    described = {row["sector"] for row in seed("sector_list")}

    # Those two come from the class of a token.
    assert described - named == {"Stable", "Security token"}
    assert named <= described


def test_a_curated_token_has_one_primary_sector_at_a_time():
    primaries = {}
    for row in seed("sector_overrides"):
        assert span(row)[0] < span(row)[1], row
        if row["is_primary"] == "true":
            primaries.setdefault(row["token_id"], []).append(span(row))

    for token, spans in primaries.items():
        assert all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(spans, 2)), token
    assert sum(len(spans) > 1 for spans in primaries.values()) >= 2


def test_a_sub_sector_is_never_curated_as_the_primary_one():
    sub_sectors = {row["sector"] for row in seed("sector_list") if row["is_sub_sector"] == "true"}

    assert sub_sectors == {"Perp DEX", "ZK", "Launchpad"}
    assert not [row for row in seed("sector_overrides") if row["sector"] in sub_sectors and row["is_primary"] == "true"]


def test_every_claim_whose_price_is_tracked_is_classed_as_one():
    classes = {row["token_id"]: row["token_class"] for row in seed("token_class_overrides")}

    assert {classes[row["token_id"]] for row in seed("tracked_underlyings")} == {"commodity"}


def test_each_category_is_asked_for_once():
    names = seed_category_names()

    assert len(names) == len(set(names))
    assert {"Perpetuals", "Tokenized Stock", "Meme"} <= set(names)
