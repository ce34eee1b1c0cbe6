"""Sectors of the simulated market and the CoinGecko categories that carry them, with the noise a consumer must ignore.

Belongs here: category ids and display names as CoinGecko writes them, and which sector has which.
Does not: the choice of a sector for a token (`tokens.py`), the consumers' own taxonomy.
"""

from __future__ import annotations

from typing import Final

CATEGORY_NAMES: Final[dict[str, str]] = {
    "layer-1": "Layer 1 (L1)",
    "smart-contract-platform": "Smart Contract Platform",
    "layer-2": "Layer 2 (L2)",
    "decentralized-finance-defi": "Decentralized Finance (DeFi)",
    "decentralized-exchange": "Decentralized Exchange (DEX)",
    "lending-borrowing": "Lending/Borrowing",
    "yield-farming": "Yield Farming",
    "artificial-intelligence": "Artificial Intelligence (AI)",
    "ai-agents": "AI Agents",
    "meme-token": "Meme",
    "dog-themed-coins": "Dog-Themed",
    "real-world-assets-rwa": "Real World Assets (RWA)",
    "gaming": "Gaming (GameFi)",
    "play-to-earn": "Play To Earn",
    "metaverse": "Metaverse",
    "non-fungible-tokens-nft": "NFT",
    "depin": "DePIN",
    "exchange-based-tokens": "Exchange-based Tokens",
    "centralized-exchange-token-cex": "Centralized Exchange (CEX) Token",
    "oracle": "Oracle",
    "privacy-coins": "Privacy",
    "governance": "Governance",
    "stablecoins": "Stablecoins",
    "usd-stablecoin": "USD Stablecoin",
    "wrapped-tokens": "Wrapped-Tokens",
    "tokenized-btc": "Tokenized BTC",
    "liquid-staking-tokens": "Liquid Staking Tokens",
    "ethereum-ecosystem": "Ethereum Ecosystem",
    "brinemark-ecosystem": "Brinemark Ecosystem",
    "tarnveil-ecosystem": "Tarnveil Ecosystem",
    "oskerra-ecosystem": "Oskerra Ecosystem",
    "gullhaven-capital-portfolio": "Gullhaven Capital Portfolio",
    "northsound-ventures-portfolio": "Northsound Ventures Portfolio",
    "proof-of-work-pow": "Proof of Work (PoW)",
    "made-on-mars": "Made on Mars",
}

NOISE_CATEGORIES: Final[tuple[str, ...]] = (
    "ethereum-ecosystem",
    "brinemark-ecosystem",
    "tarnveil-ecosystem",
    "oskerra-ecosystem",
    "gullhaven-capital-portfolio",
    "northsound-ventures-portfolio",
    "made-on-mars",
)
"""Tags that say nothing about a token's sector."""

SECTOR_CATEGORIES: Final[dict[str, tuple[str, ...]]] = {
    "L1": ("layer-1", "smart-contract-platform"),
    "L2": ("layer-2",),
    "DeFi": ("decentralized-finance-defi", "decentralized-exchange", "lending-borrowing", "yield-farming"),
    "AI": ("artificial-intelligence", "ai-agents"),
    "Meme": ("meme-token", "dog-themed-coins"),
    "RWA": ("real-world-assets-rwa",),
    "Gaming": ("gaming", "play-to-earn"),
    "Metaverse": ("metaverse",),
    "NFT": ("non-fungible-tokens-nft",),
    "DePIN": ("depin",),
    "Exchange": ("exchange-based-tokens", "centralized-exchange-token-cex"),
    "Oracle": ("oracle",),
    "Privacy": ("privacy-coins",),
    "Stablecoin": ("stablecoins", "usd-stablecoin"),
    "Wrapped": ("wrapped-tokens",),
}
"""Categories of a sector; a token always carries the first and perhaps some of the others."""

SECTOR_WEIGHTS: Final[dict[str, float]] = {
    "L1": 0.15,
    "L2": 0.08,
    "DeFi": 0.20,
    "AI": 0.10,
    "Meme": 0.13,
    "RWA": 0.06,
    "Gaming": 0.09,
    "Metaverse": 0.03,
    "NFT": 0.04,
    "DePIN": 0.05,
    "Exchange": 0.03,
    "Oracle": 0.02,
    "Privacy": 0.02,
}
"""Chance of each sector for an invented token."""

SECTOR_NAME_ENDINGS: Final[dict[str, tuple[str, ...]]] = {
    "L1": ("Chain", "Network"),
    "L2": ("Rollup", "Layer"),
    "DeFi": ("Finance", "Swap", "Lend"),
    "AI": ("Mind", "Agents"),
    "Meme": ("Pup", "Coin"),
    "RWA": ("Estates", "Bonds"),
    "Gaming": ("Games", "Quest"),
    "Metaverse": ("World", "Isles"),
    "NFT": ("Gallery", "Art"),
    "DePIN": ("Grid", "Mesh"),
    "Exchange": ("Exchange", "Trade"),
    "Oracle": ("Feeds", "Oracle"),
    "Privacy": ("Veil", "Shade"),
}
"""Last words of the invented names of a sector."""
