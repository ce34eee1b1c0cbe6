"""Who is who in the simulated DeFi: protocols and their families, chains, stablecoins, pools.

A protocol belongs to a token by a fixed rule: every DeFi token that is not pegged has one, what it is follows from the last word
of the token's name; exchange tokens have an exchange's wallets (`CEX`); the staked ether has its protocol. A bridge and a market
have no token. Of some, lending and trading ones, two versions are on the list and the coin is the family's.

Belongs here: names, ids, categories. Does not: values by day (`defi.py`), wire formats (`routes_defillama.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

import numpy as np

from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.tokens import Token

FAMILY_CATEGORIES: Final = frozenset({"Dexs", "Lending"})
_MOST_CHAINS: Final = 60


class Draw(IntEnum):
    """What is drawn, the first key of every draw."""

    KIND = 101
    FAMILY = 102
    COIN_KNOWN_TO = 103
    RATIO = 104
    SHARE = 105
    TAKE = 106
    HAS_FEES = 107
    TVL_NOISE = 108
    VOLUME_NOISE = 109
    CHAIN_RATIO = 110
    CHAIN_NOISE = 111
    YIELD_LEVEL = 112
    YIELD_NOISE = 113
    HAS_POOL2 = 114


@dataclass(frozen=True, kw_only=True)
class Version:
    """A protocol as the list has it, one of several where it is a family.

    Attributes:
        protocol_id: Number as text.
        coin_id: What `gecko_id` says; null where only the family knows its coin.
        order: 0 for the older, 1 for the newer of two.
    """

    protocol_id: str
    slug: str
    name: str
    coin_id: str | None
    order: int = 0


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol or a family of two versions.

    Attributes:
        index: Number of its token; None where it has none.
        follows: Number of the token whose price its TVL follows.
        entity_id: Id of the family, or of the protocol itself.
        slug: Name in addresses.
        coin_id: CoinGecko id of its token.
        symbol: Ticker; `-` without a token, as the provider writes it.
        category: DefiLlama's category.
        chains: Chains it runs on, with the parts they hold.
        has_fees: Whether anybody counts its fees.
        versions: One, or the two of a family.
        opening_tvl_usd: TVL on its first day.
    """

    index: int | None
    follows: int
    entity_id: str
    slug: str
    name: str
    coin_id: str | None
    symbol: str
    category: str
    chains: dict[str, float]
    has_fees: bool
    has_pool2: bool = False
    versions: tuple[Version, ...]
    opening_tvl_usd: float

    @property
    def is_family(self) -> bool:
        """Whether its versions are what the list has."""
        return self.entity_id.startswith("parent#")

    @property
    def has_borrowed(self) -> bool:
        """Whether a part of what it holds is lent out."""
        return self.category == "Lending"


@dataclass(frozen=True)
class Stablecoin:
    """A stablecoin: number of its token, or None for one of another currency that is no token of the market."""

    stablecoin_id: str
    index: int | None
    coin_id: str | None
    symbol: str
    name: str
    peg: str


@dataclass(frozen=True)
class Chain:
    """A chain; without a coin it follows ether."""

    name: str
    index: int
    coin_id: str | None
    symbol: str | None


@dataclass(frozen=True)
class Pool:
    """A pool of a version."""

    pool_id: str
    project: str
    chain: str
    symbol: str
    is_stablecoin: bool
    protocol: Protocol
    version: Version
    number: int
    has_reward: bool


class DefiNames:
    """Protocols, chains, stablecoins and pools of a served market, made when they are first asked for."""

    def __init__(self, served: ServedMarket) -> None:
        """Keep the market."""
        self._served = served
        self._market = served.market
        self._seed = served.market.settings.seed

    @cached_property
    def protocols(self) -> list[Protocol]:
        """All protocols there will ever be, in the order of their tokens."""
        members = self._market.members
        found = [made for index, token in enumerate(members) if (made := self._protocol_of(index, token))]
        ether = self._served.index_of["ethereum"]
        return [
            *found,
            self._without_token("Harbour Bridge", "Bridge", ether, 1),
            self._without_token("Pierside", "Dexs", ether, 2),
        ]

    @cached_property
    def by_slug(self) -> dict[str, tuple[Protocol, Version | None]]:
        """Whom a name in addresses means: a protocol or family as a whole, or a version of a family."""
        named: dict[str, tuple[Protocol, Version | None]] = {}
        for protocol in self.protocols:
            named[protocol.slug] = (protocol, None)
            if protocol.is_family:
                named |= {version.slug: (protocol, version) for version in protocol.versions}
        return named

    @cached_property
    def stablecoins(self) -> list[Stablecoin]:
        """The tokens pegged to the dollar, and a euro that is no token of the market."""
        members = self._market.members
        dollars = [index for index, token in enumerate(members) if token.pegged_to == "usd"]
        listed = [
            Stablecoin(
                str(order), index, members[index].coin_id, members[index].symbol, members[index].name, "peggedUSD"
            )
            for order, index in enumerate(dollars, start=1)
        ]
        return [*listed, Stablecoin("90", None, None, "PEUR", "Pier Euro", "peggedEUR")]

    @cached_property
    def chains(self) -> list[Chain]:
        """The largest chains of L1 and L2 tokens, and those that tokens are issued on without being a token."""
        members = self._market.members
        ranked = sorted(
            (index for index, token in enumerate(members) if token.sector in {"L1", "L2"}),
            key=lambda index: -members[index].opening_cap_usd,
        )
        own = {
            chain_name(members[index].name): Chain(
                chain_name(members[index].name), index, members[index].coin_id, members[index].symbol
            )
            for index in reversed(ranked[:_MOST_CHAINS])
        }
        ether = self._served.index_of["ethereum"]
        platforms = sorted({chain_name(token.platform) for token in members if token.platform} - set(own))
        return [*reversed(own.values()), *(Chain(name, ether, None, None) for name in platforms)]

    @cached_property
    def pools(self) -> list[Pool]:
        """Two pools of every version that lends or trades."""
        found = []
        for protocol in self.protocols:
            if protocol.category not in FAMILY_CATEGORIES or protocol.index is None:
                continue
            chain = next(iter(protocol.chains))
            for version in protocol.versions:
                for number, (symbol, is_stable) in enumerate((("USDT", True), (f"WETH-{protocol.symbol}", False))):
                    pool_id = f"{protocol.index:08x}-{version.order:04x}-{number:04x}-5eed-{self._seed:012x}"
                    found.append(
                        Pool(pool_id, version.slug, chain, symbol, is_stable, protocol, version, number, not is_stable)
                    )
        return found

    def _protocol_of(self, index: int, token: Token) -> Protocol | None:
        if token.is_fake_cap:
            return None
        if token.sector == "Exchange":
            return self._single(index, token, "CEX", f"{token.name} CEX", ratio=2.0, has_fees=False)
        if token.coin_id == "moored-ether":
            return self._single(index, token, "Liquid Staking", token.name, ratio=1.0, has_fees=True)
        if token.sector != "DeFi" or token.pegged_to:
            return None
        category = self._category(index, token)
        ratio = float(0.6 * np.exp(0.6 * normal(self._seed, Draw.RATIO, index)))
        has_fees = bool(uniform(self._seed, Draw.HAS_FEES, index) < 0.85)
        if category in FAMILY_CATEGORIES and uniform(self._seed, Draw.FAMILY, index) < 0.4:
            return self._family(index, token, category, ratio=ratio, has_fees=has_fees)
        return self._single(index, token, category, token.name, ratio=ratio, has_fees=has_fees)

    def _category(self, index: int, token: Token) -> str:
        by_ending = {"Swap": "Dexs", "Lend": "Lending"}
        other = "Yield" if uniform(self._seed, Draw.KIND, index) < 0.4 else "Derivatives"
        return by_ending.get(token.name.rpartition(" ")[2], other)

    def _single(self, index: int, token: Token, category: str, name: str, *, ratio: float, has_fees: bool) -> Protocol:
        slug = name.lower().replace(" ", "-")
        version = Version(protocol_id=str(1000 + 10 * index), slug=slug, name=name, coin_id=token.coin_id)
        return Protocol(
            index=index,
            follows=index,
            entity_id=version.protocol_id,
            slug=slug,
            name=name,
            coin_id=token.coin_id,
            symbol=token.symbol,
            category=category,
            chains=_chains_of(token),
            has_fees=has_fees,
            has_pool2=bool(uniform(self._seed, Draw.HAS_POOL2, index) < 0.2),
            versions=(version,),
            opening_tvl_usd=ratio * token.opening_cap_usd,
        )

    def _family(self, index: int, token: Token, category: str, *, ratio: float, has_fees: bool) -> Protocol:
        """Of half of the families the older version knows the coin, of the others only the family itself."""
        slug = token.name.lower().replace(" ", "-")
        known_to_version = uniform(self._seed, Draw.COIN_KNOWN_TO, index) < 0.5
        versions = tuple(
            Version(
                protocol_id=str(1000 + 10 * index + 1 + order),
                slug=f"{slug}-v{2 + order}",
                name=f"{token.name} V{2 + order}",
                coin_id=token.coin_id if known_to_version and order == 0 else None,
                order=order,
            )
            for order in (0, 1)
        )
        return Protocol(
            index=index,
            follows=index,
            entity_id=f"parent#{slug}",
            slug=slug,
            name=token.name,
            coin_id=token.coin_id,
            symbol=token.symbol,
            category=category,
            chains=_chains_of(token),
            has_fees=has_fees,
            versions=versions,
            opening_tvl_usd=ratio * token.opening_cap_usd,
        )

    def _without_token(self, name: str, category: str, follows: int, number: int) -> Protocol:
        version = Version(protocol_id=str(number), slug=name.lower().replace(" ", "-"), name=name, coin_id=None)
        return Protocol(
            index=None,
            follows=follows,
            entity_id=version.protocol_id,
            slug=version.slug,
            name=name,
            coin_id=None,
            symbol="-",
            category=category,
            chains={"Ethereum": 1.0},
            has_fees=category == "Dexs",
            versions=(version,),
            opening_tvl_usd=2e9 / number,
        )


def chain_name(name: str) -> str:
    """What DefiLlama would call the chain of a token or platform: the first word, capitalised."""
    return name.partition(" ")[0].capitalize()


def _chains_of(token: Token) -> dict[str, float]:
    platform = chain_name(token.platform) if token.platform else "Ethereum"
    return {"Ethereum": 1.0} if platform == "Ethereum" else {platform: 0.7, "Ethereum": 0.3}
