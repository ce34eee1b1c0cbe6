"""Contracts of the simulated tokens: on which chains each is issued, and under which address.

A token of its own chain has none; every other has one on its platform, and some have more on the larger chains, as
bridged tokens do. Addresses are digests of the token's id, so they are the same wherever a provider tells them.

Belongs here: chains and addresses. Does not: what trades on the chains (`dex_pools.py`), wire formats (`routes_*.py`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from orchestration.sandbox.tokens import Token

BRIDGED_SHARES: Final = {
    "ethereum": 0.55,
    "solana": 0.20,
    "binance-smart-chain": 0.25,
    "base": 0.20,
    "polygon-pos": 0.12,
    "arbitrum-one": 0.12,
}
"""Chains, as CoinGecko names them, on which a token of another chain may be issued too, with the share that is."""

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SOLANA_CHARACTERS: Final = 44


def contracts_of(token: Token) -> dict[str, str]:
    """Contract addresses by chain, the token's own platform first; empty for coins of their own chain."""
    if token.platform is None:
        return {}
    others = (chain for chain in BRIDGED_SHARES if chain != token.platform)
    bridged = (chain for chain in others if _chance(token.coin_id, chain) < BRIDGED_SHARES[chain])
    return {chain: address_on(chain, token.coin_id) for chain in (token.platform, *bridged)}


@lru_cache(maxsize=50_000)
def address_on(chain: str, name: str) -> str:
    """The address that belongs to a name on a chain: 44 characters of base 58 on Solana, 0x and 40 digits elsewhere."""
    digest = hashlib.sha256(f"{chain}/{name}".encode()).digest()
    if chain != "solana":
        return "0x" + digest.hex()[:40]
    number, characters = int.from_bytes(digest * 2, "big"), []
    for _ in range(_SOLANA_CHARACTERS):
        number, digit = divmod(number, 58)
        characters.append(_BASE58[digit])
    return "".join(characters)


def _chance(coin_id: str, chain: str) -> float:
    return int.from_bytes(hashlib.sha256(f"bridge/{chain}/{coin_id}".encode()).digest()[:6], "big") / 2**48
