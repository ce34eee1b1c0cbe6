"""Pools of decentralised exchanges: one for every contract of the market's tokens, and thirty new ones a day.

A token's pools trade at the token's true price; they hold a small, steady part of its cap and see a small part of its
volume. The new ones belong to tokens that nobody else knows: prices of no drift and no tie to the market, liquidity of
some thousand dollars, and a short life that ends with the liquidity taken out. Some are honeypots (bought and never sold),
some hold nothing from the start. Nothing about them predicts anything, in the null market as elsewhere.

Every draw has an address (`draws.py`), and a new pool's place among all is part of its own address, so that no table of
pools is kept.

Belongs here: which pools there are, and their true state by day. Does not: wire format (`routes_geckoterminal.py`),
holders (`dex_holders.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.contracts import address_on, contracts_of
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.served import ServedMarket

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


@dataclass(frozen=True)
class Chain:
    """A chain that GeckoTerminal follows.

    Attributes:
        network: GeckoTerminal's name of it.
        platform: CoinGecko's name of it.
        name: Display name.
        dex: Its main exchange.
        quote: Ticker of the token that pools are paid in.
        quote_coin_id: CoinGecko id of that token.
    """

    network: str
    platform: str
    name: str
    dex: str
    quote: str
    quote_coin_id: str

    @property
    def quote_address(self) -> str:
        """Contract of the quote token."""
        return address_on(self.platform, f"quote/{self.quote}")


CHAINS: Final = (
    Chain("eth", "ethereum", "Ethereum", "uniswap_v2", "WETH", "weth"),
    Chain("bsc", "binance-smart-chain", "BNB Chain", "pancakeswap_v2", "WBNB", "wbnb"),
    Chain("solana", "solana", "Solana", "raydium", "SOL", "wrapped-solana"),
    Chain("base", "base", "Base", "uniswap-v4-base", "WETH", "l2-standard-bridged-weth-base"),
    Chain("arbitrum", "arbitrum-one", "Arbitrum", "camelot", "WETH", "arbitrum-bridged-weth"),
    Chain("polygon_pos", "polygon-pos", "Polygon POS", "quickswap", "USDC", "bridged-usdc-polygon-pos-bridge"),
)
CHAIN_OF_PLATFORM: Final = {chain.platform: chain for chain in CHAINS}
CHAIN_OF_NETWORK: Final = {chain.network: chain for chain in CHAINS}

NEW_POOLS_A_DAY: Final = 30
NEW_POOL_CHAINS: Final = ("solana", "solana", "solana", "solana", "solana", "base", "base", "eth", "bsc", "bsc")
"""Where new pools are made, each name a tenth of them."""

LONGEST_LIFE_DAYS: Final = 240
_DAILY_VOLATILITY: Final = 0.35
_CRASH: Final = 4.0  # log price that the last day of a new pool costs

_MADE, _WHERE, _PRICE, _DEPTH, _LIFE, _KIND, _MOVE, _RANGE, _TURNOVER, _TREND, _SHARE = range(8_101, 8_112)


@dataclass(frozen=True)
class Pool:
    """A pool, of a token of the market or of one that nobody else knows.

    Attributes:
        chain: Where it is.
        address: Its address.
        token_address: Contract of the base token.
        symbol: Ticker of the base token.
        coin_id: CoinGecko id of the base token, None where it has none.
        index: Number of the base token in the market, None for new pools.
        made: Instant it was made, in days since the market's start.
        number: Place among the new pools, None for pools of the market's tokens.
    """

    chain: Chain
    address: str
    token_address: str
    symbol: str
    coin_id: str | None
    index: int | None
    made: float
    number: int | None = None

    @property
    def id(self) -> str:
        """network_address."""
        return f"{self.chain.network}_{self.address}"


@dataclass(frozen=True)
class PoolState:
    """A pool now.

    Attributes:
        price: Of the base token, USD.
        price_day_ago: The same 24 hours before, NaN where it did not exist.
        liquidity: Of both tokens, USD; 0 where drained, None where nobody has counted yet.
        volume: USD of the last 24 hours.
        buys: Trades of the last 24 hours that buy.
        sells: Trades that sell; 0 in a honeypot.
        valuation: Price times all tokens, USD.
        market_cap: As CoinGecko knows it, None for tokens it does not know.
    """

    price: float
    price_day_ago: float
    liquidity: float | None
    volume: float
    buys: int
    sells: int
    valuation: float
    market_cap: float | None


class DexPools:
    """All pools as of the served market's clock."""

    def __init__(self, served: ServedMarket) -> None:
        """Keep the market; pools are listed when they are first asked for."""
        self._served = served
        self._seed = served.market.settings.seed
        self._paths = lru_cache(maxsize=2_000)(self._draw_path)
        self._newest = lru_cache(maxsize=2)(self._list_newest)  # pages of one list are asked one after the other
        self._trending = lru_cache(maxsize=2)(self._list_trending)

    # -- which there are -------------------------------------------------------------------------------------------

    def find(self, network: str, address: str) -> Pool | None:
        """The pool with an address, None where there is none yet."""
        pool = self._token_pools.get((network, address)) or self._new_pool_at(network, address, kind="pool")
        return pool if pool is not None and pool.made <= self._served.instant() else None

    def of_token(self, network: str, token_address: str) -> Pool | None:
        """The pool whose base token has a contract, None where there is none yet."""
        pool = self._by_token.get((network, token_address)) or self._new_pool_at(network, token_address, kind="token")
        return pool if pool is not None and pool.made <= self._served.instant() else None

    def newest(self, count: int) -> list[Pool]:
        """The pools made last, the newest first."""
        return self._newest(self._served.instant(), count)

    def _list_newest(self, now: float, count: int) -> list[Pool]:
        days = count // NEW_POOLS_A_DAY + 2
        pools = [pool for pool in self._new_pools(self._served.today(), days) if pool.made <= now]
        pools += [pool for pool in self._token_pools.values() if now - days < pool.made <= now]
        return sorted(pools, key=lambda pool: (-pool.made, pool.id))[:count]

    def trending(self, count: int) -> list[Pool]:
        """The liveliest pools: by volume of the last day, with luck."""
        return self._trending(self._served.instant(), count)

    def _list_trending(self, now: float, count: int) -> list[Pool]:
        today = self._served.today()
        pools = [pool for pool in self._token_pools.values() if pool.made <= now]
        pools += [pool for pool in self._new_pools(today, 14) if pool.made <= now]
        volumes = np.array([self._volume_yesterday(pool) for pool in pools])
        keys = np.array([_key(pool.id) for pool in pools], dtype=np.int64)
        scores = np.where(
            volumes > 0, np.log(np.maximum(volumes, 1e-9)) + 3.0 * normal(self._seed, _TREND, today, keys), -np.inf
        )
        order = np.argsort(-scores, kind="stable")[:count]
        return [pools[place] for place in order if np.isfinite(scores[place])]

    @cached_property
    def _token_pools(self) -> dict[tuple[str, str], Pool]:
        pools = {}
        for index, token in enumerate(self._served.market.members):
            birth = int(self._served.market.lifetimes.birth[index])
            for platform, contract in contracts_of(token).items():
                chain = CHAIN_OF_PLATFORM.get(platform)
                if chain is None:
                    continue
                address = address_on(platform, f"pool/{token.coin_id}")
                made = birth + 0.4 if birth > 0 else -200.0 - index % 700
                pool = Pool(chain, address, contract, token.symbol, token.coin_id, index, made)
                pools[chain.network, address] = pool
        return pools

    @cached_property
    def _by_token(self) -> dict[tuple[str, str], Pool]:
        return {(pool.chain.network, pool.token_address): pool for pool in self._token_pools.values()}

    def _new_pools(self, last_day: int, days: int) -> Iterable[Pool]:
        first = max(0, last_day - days + 1)
        return (self._new_pool(number) for number in range(first * NEW_POOLS_A_DAY, (last_day + 1) * NEW_POOLS_A_DAY))

    def _new_pool(self, number: int) -> Pool:
        chain = CHAIN_OF_NETWORK[NEW_POOL_CHAINS[int(10 * float(uniform(self._seed, _WHERE, number)))]]
        made = number // NEW_POOLS_A_DAY + float(uniform(self._seed, _MADE, number))
        return Pool(
            chain,
            _numbered_address(chain, number, kind="pool"),
            _numbered_address(chain, number, kind="token"),
            _ticker(number),
            None,
            None,
            made,
            number,
        )

    def _new_pool_at(self, network: str, address: str, *, kind: str) -> Pool | None:
        number = _number_in(address)
        if number is None or number // NEW_POOLS_A_DAY > self._served.today():
            return None
        pool = self._new_pool(number)
        is_it = address == (pool.address if kind == "pool" else pool.token_address)
        return pool if is_it and pool.chain.network == network else None

    # -- how they are ----------------------------------------------------------------------------------------------

    def state(self, pool: Pool) -> PoolState:
        """A pool now."""
        return self._state_of_token(pool) if pool.index is not None else self._state_of_new(pool)

    def candles(self, pool: Pool) -> tuple[Days, Floats]:
        """Days of a pool's life with trades, today included, as far as they have passed.

        Returns:
            Day numbers, and rows of open, high, low, close (USD) and volume (USD); the row of today is not complete.
        """
        if pool.index is not None:
            return self._candles_of_token(pool)
        days, path = self._paths(pool.number or 0)
        shown = days <= self._served.today()
        days, rows = days[shown], path[shown].copy()
        if len(days) and days[-1] == self._served.today():
            rows[-1] = _so_far(rows[-1], self._served.clock.day_fraction)
        return days, rows

    def is_honeypot(self, pool: Pool) -> bool:
        """Whether its token can be bought and never sold."""
        return pool.number is not None and float(uniform(self._seed, _KIND, pool.number)) < 0.12

    def _share(self, pool: Pool, of: int) -> float:
        """A part of a token's cap (1) or volume (2) that belongs to a pool, typically 0.6 % and 2 %."""
        typical = {1: 0.006, 2: 0.02}[of]
        return typical * float(np.exp(0.7 * normal(self._seed, _SHARE, of, _key(pool.id))))

    def _state_of_token(self, pool: Pool) -> PoolState:
        index = pool.index or 0
        moment, token = self._served.moment(), self._served.market.members[index]
        if not moment.is_alive[index]:
            _, closes = self._served.closes(index)
            last = float(closes[-1])
            return PoolState(last, last, 0.0, 0.0, 0, 0, last * (token.max_supply_tokens or 1e9), None)
        _, caps = self._served.caps(index)
        price = float(moment.price[index])
        volume = self._share(pool, 2) * float(moment.volume[index])
        trades = 1 + int(volume / 900.0)
        buys = int(trades * (0.45 + 0.1 * float(uniform(self._seed, _TREND, self._served.today(), _key(pool.id)))))
        cap = float(moment.cap[index])
        return PoolState(
            price=price,
            price_day_ago=float(moment.price_day_ago[index]),
            liquidity=self._share(pool, 1) * float(caps[-1] if len(caps) else cap),
            volume=volume,
            buys=buys,
            sells=trades - buys,
            valuation=price * (token.max_supply_tokens or float(moment.supply[index])),
            market_cap=cap if cap > 0 and not token.is_fake_cap else None,
        )

    def _state_of_new(self, pool: Pool) -> PoolState:
        number = pool.number or 0
        days, path = self._paths(number)
        now, fraction = self._served.instant(), self._served.clock.day_fraction
        place = self._served.today() - int(days[0])
        is_over = place >= len(days)
        today = path[-1] if is_over else path[place]
        price = float(today[3] if is_over else _so_far(today, fraction)[3])
        before = float(path[place - 1][3]) if 1 <= place <= len(days) else np.nan
        volume = 0.0
        if not is_over:
            volume = fraction * float(today[4]) + (1.0 - fraction) * float(path[place - 1][4] if place > 0 else 0.0)
        trades = int(volume / 120.0)
        sells = 0 if self.is_honeypot(pool) else int(trades * (0.35 + 0.3 * float(uniform(self._seed, _SHARE, number))))
        supply = 10.0 ** (8 + number % 3)
        return PoolState(
            price=price,
            price_day_ago=before,
            liquidity=self._liquidity_of_new(number, is_over=is_over, age_days=now - pool.made),
            volume=volume,
            buys=trades - sells,
            sells=sells,
            valuation=price * supply,
            market_cap=None,
        )

    def _liquidity_of_new(self, number: int, *, is_over: bool, age_days: float) -> float | None:
        kind = float(uniform(self._seed, _KIND, number))
        if is_over or kind > 0.92:  # drained, or nothing in it from the start
            return 0.0
        if age_days < 0.02:
            return None
        return self._depth(number)

    def _depth(self, number: int) -> float:
        return 12_000.0 * float(np.exp(1.4 * normal(self._seed, _DEPTH, number)))

    def _candles_of_token(self, pool: Pool) -> tuple[Days, Floats]:
        index = pool.index or 0
        token, lifetimes = self._served.market.panel.token(index), self._served.market.lifetimes
        today = self._served.today()
        days = np.arange(int(lifetimes.birth[index]), min(int(lifetimes.last[index]), today, len(token.close) - 1) + 1)
        volume = self._share(pool, 2) * token.volume[days]
        rows = np.column_stack([token.open[days], token.high[days], token.low[days], token.close[days], volume])
        if len(days) and days[-1] == today and not self._served.is_gone(index):
            last, fraction = float(self._served.moment().price[index]), self._served.clock.day_fraction
            opened = rows[-1, 0]
            rows[-1] = opened, max(opened, last), min(opened, last), last, fraction * rows[-1, 4]
        return days, rows

    def _volume_yesterday(self, pool: Pool) -> float:
        if pool.index is None:
            days, path = self._paths(pool.number or 0)
            place = self._served.today() - int(days[0])
            return float(path[min(place, len(path) - 1)][4]) if place < len(path) else 0.0
        volume = float(self._served.moment().volume[pool.index])
        return 0.0 if np.isnan(volume) or not self._served.is_alive(pool.index) else self._share(pool, 2) * volume

    def _draw_path(self, number: int) -> tuple[Days, Floats]:
        """All days of a new pool: day numbers, and rows of open, high, low, close and volume."""
        luck = float(uniform(self._seed, _LIFE, number))
        length = 2 + int(min(-9.0 * np.log(1.0 - luck), 40.0)) + (LONGEST_LIFE_DAYS if luck > 0.93 else 0)
        ages = np.arange(length)
        moves = _DAILY_VOLATILITY * normal(self._seed, _MOVE, number, ages)
        moves[-1] -= _CRASH
        opening = 10.0 ** (-8.0 + 6.0 * float(uniform(self._seed, _PRICE, number)))
        close = opening * np.exp(np.cumsum(moves))
        open_ = np.concatenate([[opening], close[:-1]])
        above, below = (
            np.abs(normal(self._seed, _RANGE, number, ages, 1)),
            np.abs(normal(self._seed, _RANGE, number, ages, 2)),
        )
        high = np.maximum(open_, close) * np.exp(0.15 * above)
        low = np.minimum(open_, close) * np.exp(-0.15 * below)
        turnover = np.exp(-0.5 + 0.8 * normal(self._seed, _TURNOVER, number, ages)) / np.sqrt(1.0 + ages)
        rows = np.column_stack([open_, high, low, close, self._depth(number) * turnover])
        return number // NEW_POOLS_A_DAY + ages, rows


def _so_far(row: Floats, fraction: float) -> Floats:
    """A day's candle when a part of the day has passed, on the straight line from open to close."""
    opened, _, _, close, volume = row
    last = opened * (close / opened) ** fraction
    return np.array([opened, max(opened, last), min(opened, last), last, fraction * volume])


# -- addresses that tell their number ----------------------------------------------------------------------------------

_NUMBER_DIGITS: Final = 8
_SYLLABLES: Final = ("MO", "PE", "DO", "GI", "WU", "KA", "ZO", "BI", "LA", "TU", "NE", "FO")


def _numbered_address(chain: Chain, number: int, *, kind: str) -> str:
    plain = address_on(chain.platform, f"{kind}/{number}")
    # Decimal digits without the zero, which base 58 does not have, so that one spelling serves all chains.
    return plain[:-_NUMBER_DIGITS] + str(number).zfill(_NUMBER_DIGITS).translate(str.maketrans("0", "a"))


def _number_in(address: str) -> int | None:
    digits = address[-_NUMBER_DIGITS:].replace("a", "0")
    return int(digits) if len(digits) == _NUMBER_DIGITS and digits.isdecimal() else None


def _ticker(number: int) -> str:
    digest = hashlib.sha256(f"ticker/{number}".encode()).digest()
    return "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[: 2 + digest[9] % 2])


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
