"""Use of DeFi in the simulated market: what protocols hold, earn and trade, what lies on chains, in stablecoins and pools.

True daily values, each computed when somebody asks, from the token's own prices and draws by address (`draws.py`):

- TVL follows the token's price (elasticity 0.8) and its sector (0.4) with smooth noise of its own. It says nothing of later
  returns: its lead on the price is `TVL_LEAD`, 0, and stays 0 in the null setting whatever that is set to.
- Traded volume is a fixed share of the token's with noise; fees are proportional to it, revenue to the fees.
- TVL of chains follows the cap of the chain's coin. It is not the sum of the simulated protocols, as a real chain holds many
  without a token. Supply of stablecoins is the market's.

Nothing of this moves a price.

Belongs here: values by day. Does not: who there is (`defi_names.py`), the wire format (`routes_defillama.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.defi_names import Chain, DefiNames, Draw, Pool, Protocol, Stablecoin, Version
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.served import ServedMarket

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

TVL_LEAD: Final = 0.0
"""By how much of the token's coming log return TVL moves `TVL_LEAD_DAYS` before the price does."""
TVL_LEAD_DAYS: Final = 7

PRICE_ELASTICITY: Final = 0.8
SECTOR_ELASTICITY: Final = 0.4
NOISE: Final = 0.15
_SMOOTH_DAYS: Final = 20
_SECTOR_TOKENS: Final = 5

FEE_RATES: Final = {
    "Dexs": 0.003,
    "Lending": 0.0008,
    "Derivatives": 0.001,
    "Yield": 0.0004,
    "Liquid Staking": 0.0006,
}
"""Fees as a fraction of the protocol's traded volume."""
BORROWED_SHARE: Final = 0.6
STAKED_SHARE: Final = 0.05
POOL2_SHARE: Final = 0.01


class DefiWorld:
    """DeFi of a served market.

    Attributes:
        names: Who there is.
    """

    def __init__(self, served: ServedMarket, *, tvl_lead: float = TVL_LEAD) -> None:
        """Keep the market; nothing is computed before it is asked for.

        Args:
            served: The market.
            tvl_lead: Strength with which TVL knows the price to come; without effect in the null setting.
        """
        self.names = DefiNames(served)
        self._served = served
        self._market = served.market
        self._seed = served.market.settings.seed
        self._lead = 0.0 if served.market.settings.is_null else tvl_lead

    # -- days ------------------------------------------------------------------------------------------------------

    def is_there(self, protocol: Protocol) -> bool:
        """Whether a protocol has begun by now."""
        return self._served.is_born(protocol.follows if protocol.index is None else protocol.index)

    def finished_days(self, index: int) -> Days:
        """Finished days since a token's birth, its death notwithstanding."""
        first = int(self._market.lifetimes.birth[index])
        return np.arange(first, max(first, self._stop))

    def newest_day(self) -> int:
        """The last finished day."""
        return self._stop - 1

    # -- protocols -------------------------------------------------------------------------------------------------

    def tvl(self, protocol: Protocol, days: Days) -> Floats:
        """USD locked at the close of days, 0 once the token is dead; in whole cents, as all amounts here."""
        index = protocol.follows
        close = self._market.panel.token(index).close
        is_dead = days > int(self._market.lifetimes.last[index])
        price = self._log_close(close, index, days)
        coming = self._log_close(close, index, days + TVL_LEAD_DAYS) - price
        first = int(self._market.lifetimes.birth[index])
        sector = self._sector[days] - self._sector[first] if protocol.index is not None else 0.0
        noise = NOISE * self._smooth_noise(Draw.TVL_NOISE, int(protocol.versions[0].protocol_id), days)
        log_tvl = PRICE_ELASTICITY * (price - np.log(close[first])) + SECTOR_ELASTICITY * sector + noise
        tvl = protocol.opening_tvl_usd * np.exp(log_tvl + self._lead * coming)
        return cents(np.where(is_dead, 0.0, tvl))

    def version_tvl(self, protocol: Protocol, version: Version, days: Days) -> Floats:
        """The part of a version: the newer one grows from 0.3 to 0.7 within three years."""
        whole = self.tvl(protocol, days)
        if not protocol.is_family:
            return whole
        newer = cents(whole * self._newer_share(protocol, days))
        return newer if version.order else cents(whole - newer)

    def family_tvl(self, protocol: Protocol, days: Days) -> Floats:
        """Sum of the versions as they are served."""
        parts = [self.version_tvl(protocol, version, days) for version in protocol.versions]
        return np.asarray(sum(parts[1:], parts[0]))

    def flow(self, protocol: Protocol, metric: str, days: Days) -> Floats:
        """Fees, revenue or DEX volume of a protocol on days, NaN where the token did not trade."""
        index = protocol.follows
        number = int(protocol.versions[0].protocol_id)
        noise = 0.2 * normal(self._seed, Draw.VOLUME_NOISE, number, days)
        traded = self._market.panel.token(index).volume[days] * self._share(number) * np.exp(noise)
        if metric == "dex_volume_usd":
            return cents(traded)
        fees = FEE_RATES.get(protocol.category, 0.001) * traded
        return cents(fees if metric == "fees_usd" else self._take(number) * fees)

    def version_flow(self, protocol: Protocol, version: Version, metric: str, days: Days) -> Floats:
        """The part of a version."""
        whole = self.flow(protocol, metric, days)
        if not protocol.is_family:
            return whole
        newer = cents(whole * self._newer_share(protocol, days))
        return newer if version.order else cents(whole - newer)

    def family_flow(self, protocol: Protocol, metric: str, days: Days) -> Floats:
        """Sum of the versions as they are served."""
        parts = [self.version_flow(protocol, version, metric, days) for version in protocol.versions]
        return np.asarray(sum(parts[1:], parts[0]))

    def reports(self, protocol: Protocol, metric: str) -> bool:
        """Whether somebody counts this flow of a protocol."""
        return protocol.has_fees and (metric != "dex_volume_usd" or protocol.category == "Dexs")

    # -- chains, stablecoins, pools --------------------------------------------------------------------------------

    def chain_tvl(self, chain: Chain, days: Days) -> Floats:
        """USD locked on a chain at the close of days, 0 once its coin is dead."""
        token = self._market.panel.token(chain.index)
        key = _key_of(chain.name)
        ratio = 0.08 * np.exp(0.7 * normal(self._seed, Draw.CHAIN_RATIO, key))
        noise = NOISE * self._smooth_noise(Draw.CHAIN_NOISE, key, days)
        scale = float(ratio) * (1.0 if chain.coin_id else 0.02)
        cap: Floats = np.nan_to_num(token.cap[days])
        return cents(np.asarray(cap * scale * np.exp(noise)))

    def supply(self, coin: Stablecoin, days: Days) -> Floats:
        """Circulating amount in units of the peg, 0 once the coin is dead."""
        if coin.index is None:
            return cents(np.asarray(2.5e8 * (1.0 + 0.0005 * days), dtype=np.float64))
        return cents(np.nan_to_num(self._market.panel.token(coin.index).supply[days]))

    def stablecoin_price(self, coin: Stablecoin, days: Days) -> Floats:
        """USD for one, NaN where it does not trade."""
        if coin.index is None:
            return np.full(len(days), 1.08)
        return np.asarray(self._market.panel.token(coin.index).close[days])

    def first_day_of(self, protocol: Protocol) -> int:
        """First day of a protocol."""
        return int(self._market.lifetimes.birth[protocol.follows])

    def first_day(self, coin: Stablecoin) -> int:
        """First day of a stablecoin."""
        return 0 if coin.index is None else int(self._market.lifetimes.birth[coin.index])

    def pool_tvl(self, pool: Pool, day: int) -> float:
        """USD in a pool at the close of a day."""
        share = 0.25 if pool.number == 0 else 0.15
        return float(cents(share * self.version_tvl(pool.protocol, pool.version, np.array([day])))[0])

    def pool_rates(self, pool: Pool, day: int) -> tuple[float, float | None]:
        """Percent per year from fees or interest, and from rewards where there are any."""
        key = int(pool.version.protocol_id) * 10 + pool.number
        level = 2.0 + 6.0 * float(uniform(self._seed, Draw.YIELD_LEVEL, key))
        noise = float(self._smooth_noise(Draw.YIELD_NOISE, key, np.array([day]))[0])
        base = round(level * float(np.exp(0.4 * noise)), 5)
        return base, round(0.5 * base, 5) if pool.has_reward else None

    # -- how -------------------------------------------------------------------------------------------------------

    @property
    def _stop(self) -> int:
        return min(self._served.today(), self._market.settings.day_count)

    @cached_property
    def _sector(self) -> Floats:
        """Mean log price of the first DeFi tokens that live through the whole span, by day."""
        lifetimes, members = self._market.lifetimes, self._market.members
        steady = [
            index
            for index, token in enumerate(members)
            if token.sector == "DeFi" and lifetimes.birth[index] == 0 and not lifetimes.is_dead[index]
        ][:_SECTOR_TOKENS]
        days = self._market.settings.day_count
        if not steady:
            return np.zeros(days)
        return np.asarray(np.mean([np.log(self._market.panel.token(index).close) for index in steady], axis=0))

    def _log_close(self, close: Floats, index: int, days: Days) -> Floats:
        """Log price at the close of days, of those after the last one the last."""
        return np.asarray(np.log(close[np.minimum(days, int(self._market.lifetimes.last[index]))]))

    def _newer_share(self, protocol: Protocol, days: Days) -> Floats:
        age = (days - int(self._market.lifetimes.birth[protocol.follows])) / 1095.0
        return np.asarray(0.3 + 0.4 * np.clip(age, 0.0, 1.0))

    def _share(self, number: int) -> float:
        return 0.2 + 0.6 * float(uniform(self._seed, Draw.SHARE, number))

    def _take(self, number: int) -> float:
        return 0.1 + 0.3 * float(uniform(self._seed, Draw.TAKE, number))

    def _smooth_noise(self, what: Draw, key: int, days: Days) -> Floats:
        """Noise of unit variance, the mean of the last days' draws, whatever days are asked."""
        if not len(days):
            return np.zeros(0)
        first = int(days[0]) - _SMOOTH_DAYS + 1
        drawn = normal(self._seed, what, key, np.arange(first, int(days[-1]) + 1))
        sums = np.convolve(drawn, np.ones(_SMOOTH_DAYS), mode="valid")
        return np.asarray(sums[days - int(days[0])] / np.sqrt(_SMOOTH_DAYS))


def cents(values: Floats) -> Floats:
    """Amounts in whole cents, so that parts and sums on the wire are exact to the cent."""
    return np.round(values, 2)


def known(days: Days, values: Floats) -> tuple[Days, Floats]:
    """Only the days that have a value."""
    is_known = ~np.isnan(values)
    return days[is_known], values[is_known]


def total_by_day(parts: Sequence[Floats]) -> Floats:
    """Sum of several series of the same days."""
    return np.asarray(np.sum(parts, axis=0)) if parts else np.zeros(0)


def _key_of(name: str) -> int:
    """A number that belongs to a name."""
    return int.from_bytes(name.encode()[:7], "big")
