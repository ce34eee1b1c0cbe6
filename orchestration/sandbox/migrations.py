"""Identities that change, as they did on the real market, lived through by eight tokens besides all others.

    story          like                        tokens
    rename         Elrond to MultiversX        cobaltine-network: COBL becomes KEST, the id stays
    migration      MATIC to POL                wexford-network 1:1 to wexford-ecosystem-token, at the same price and cap
    merger         AGIX and OCEAN into FET     agora-minds and deepwater-data into fathom-intelligence, at fixed ratios
    ticker reuse   LUNA, LUNC and LUNA         lunette collapses; its ticker passes to lunette-2, itself becomes LNETC

The eight are drawn from streams of their own, so that no other token changes when they appear. They follow the market
and their sector; nothing predicts them.

Belongs here: who they are, what happens to them and when, and their returns. Does not: how the providers show it
(`served.py`, `coingecko_coins.py`, the exchanges' `routes_*.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from orchestration.sandbox.categories import SECTOR_CATEGORIES
from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.prices import CommonMoves, Floats, ReturnBlock, fat_tailed, total_volatility
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

_DAYS_A_YEAR = 365

# Days of the stories as fractions of the market's span.
_COLLAPSE, _RENAME, _ANNOUNCEMENT, _SWAP, _MIGRATION = 0.25, 0.50, 0.55, 0.62, 0.70
_RELAUNCH_DAYS = 18  # LUNA 2.0 began 18 days after LUNA was halted
_CLASSIC_LISTING_DAYS = 30
_MIGRATED_DAYS = 150  # how long the old coin's data go on
_MERGED_DAYS = 40
_COLLAPSE_LOG_RETURNS = (-0.6, -1.4, -3.0, -4.0, -1.5)
_HYPERINFLATION = 1_000.0  # LUNA's supply grew from 0.35 to 6,500 billion within a week

_RENAMED, _OLD, _NEW, _MERGING, _ALSO_MERGING, _MERGED, _COLLAPSING, _RELAUNCHED = range(8)


@dataclass(frozen=True)
class NameChange:
    """From `first_day` on a token is called otherwise, under the same coin id."""

    index: int
    first_day: int
    symbol: str
    name: str


@dataclass(frozen=True)
class TickerUse:
    """One token's time on the exchange under one ticker. Several in a row make a spliced market.

    Attributes:
        symbol: Ticker in upper case.
        index: Number of the token.
        first_day: First day with a candle.
        last_day: Last one; None where the use does not end.
    """

    symbol: str
    index: int
    first_day: int
    last_day: int | None


@dataclass(frozen=True)
class IdentityEvent:
    """What became of a token.

    Attributes:
        kind: rename, migration, merger or ticker_reuse.
        index: Token that changes.
        successor_index: Token that goes on; in a rename the same one.
        first_day: Rename: first day under the new name. Migration: first day of the successor. Merger: day of the
            announcement, from which the prices move together. Ticker reuse: first day of the collapse.
        last_day: Rename: the same day. Migration: last day with data of the old token. Merger: last day of the old
            token on the exchange. Ticker reuse: the day before the successor's first.
        ratio: Successor tokens for one old token; None where holding one gives no claim on the other.
        symbol: Ticker before.
        successor_symbol: Ticker of the successor.
    """

    kind: str
    index: int
    successor_index: int
    first_day: int
    last_day: int
    ratio: float | None
    symbol: str
    successor_symbol: str


@dataclass(frozen=True)
class Identities:
    """Tokens with a story, and the stories. Numbers of tokens are those of the whole market.

    Attributes:
        tokens: As they start, after all others in the market.
        lifetimes: Of these tokens.
        name_changes: In the order of their days.
        ticker_uses: Every use of a ticker by these tokens, by ticker in the order of days.
        events: The stories.
        log_returns: Shape (days, tokens of this list).
        total_volatility: Shape (days, tokens of this list).
        volume_multiplier: Shape (days, tokens of this list).
        supply_factor: What multiplies the supply besides its growth, by number of the token, shape (days,).
        noise: Of the candles, shape (4, days, tokens of this list).
    """

    tokens: list[Token]
    lifetimes: Lifetimes
    name_changes: list[NameChange]
    ticker_uses: list[TickerUse]
    events: list[IdentityEvent]
    log_returns: Floats
    total_volatility: Floats
    volume_multiplier: Floats
    supply_factor: dict[int, Floats]
    noise: Floats

    def beside(self, block: ReturnBlock, noise: Floats) -> tuple[ReturnBlock, Floats]:
        """Some days of all other tokens, with these appended."""
        days = slice(block.days.start, block.days.stop)
        joined = replace(
            block,
            log_returns=np.hstack([block.log_returns, self.log_returns[days]]),
            total_volatility=np.hstack([block.total_volatility, self.total_volatility[days]]),
            volume_multiplier=np.hstack([block.volume_multiplier, self.volume_multiplier[days]]),
        )
        return joined, np.concatenate([noise, self.noise[:, days]], axis=2)


def make_identities(settings: SimulationSettings, common: CommonMoves, *, first_index: int) -> Identities:
    """The eight tokens and their stories; nobody where the settings leave them out.

    Args:
        settings: Of the market.
        common: What moves all tokens.
        first_index: Number of tokens before these.
    """
    tokens = [_token(*row) for row in _CAST] if settings.identity_events else []
    stage = _Stage(settings, common, tokens, first_index)
    if tokens:
        stage.collapse_and_return()
        stage.rename()
        stage.merge()
        stage.migrate()
    return stage.finish()


# fmt: off
#            coin_id, symbol, name, sector, platform, cap in USD, price in USD, own daily volatility
_CAST: Final = (
    ("cobaltine-network", "COBL", "Cobaltine Network", "L1", None, 2.4e9, 38.0, 0.028),
    ("wexford-network", "WEXN", "Wexford Network", "L2", "ethereum", 5.5e9, 0.92, 0.026),
    ("wexford-ecosystem-token", "WXET", "Wexford Ecosystem Token", "L2", "ethereum", 5.5e9, 0.92, 0.026),
    ("agora-minds", "AGMI", "Agora Minds", "AI", "ethereum", 6.0e8, 0.31, 0.038),
    ("deepwater-data", "DPWD", "Deepwater Data", "AI", "ethereum", 4.2e8, 0.68, 0.036),
    ("fathom-intelligence", "FTHM", "Fathom Intelligence", "AI", "ethereum", 9.0e8, 0.74, 0.035),
    ("lunette", "LNET", "Lunette", "L1", None, 1.6e10, 52.0, 0.030),
    ("lunette-2", "LNET", "Lunette", "L1", None, 1.2e9, 5.8, 0.050),
)
# fmt: on


def _token(
    coin_id: str,
    symbol: str,
    name: str,
    sector: str,
    platform: str | None,
    cap_usd: float,
    price_usd: float,
    volatility: float,
) -> Token:
    return Token(
        coin_id=coin_id,
        symbol=symbol,
        name=name,
        sector=sector,
        categories=SECTOR_CATEGORIES[sector][:1],
        platform=platform,
        opening_cap_usd=cap_usd,
        opening_price_usd=price_usd,
        daily_volatility=volatility,
        turnover=0.06,
    )


@dataclass
class _Stage:
    """The eight tokens while their stories are written."""

    settings: SimulationSettings
    common: CommonMoves
    tokens: list[Token]
    first_index: int
    name_changes: list[NameChange] = field(default_factory=list)
    ticker_uses: list[TickerUse] = field(default_factory=list)
    events: list[IdentityEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let all of them live an ordinary life."""
        days, count = self.settings.day_count, len(self.tokens)
        shocks, self.noise_random, self.deviation_random = self.settings.random(Stream.IDENTITIES).spawn(3)
        own_volatility = np.tile([token.daily_volatility for token in self.tokens], (days, 1))
        beta = np.ones(count)
        sector = np.zeros((days, count))
        for place, token in enumerate(self.tokens):
            if token.sector in self.common.sector_names:
                sector[:, place] = self.common.sectors[:, self.common.sector_names.index(token.sector)]
        own = own_volatility * fat_tailed(shocks, (days, count))
        self.log_returns = self.common.market[:, None] * beta + sector + own
        self.total_volatility = total_volatility(self.common.market_volatility(slice(None)), beta, own_volatility)
        self.volume_multiplier = np.ones((days, count))
        self.supply_factor = np.ones((days, count))
        self.birth = np.zeros(count, dtype=np.int64)
        self.last = np.full(count, days - 1, dtype=np.int64)

    # -- the stories -----------------------------------------------------------------------------------------------

    def rename(self) -> None:
        """A new name and ticker for the same coin: the id stays, the exchange closes one market and opens another."""
        day = self._day(_RENAME)
        self._call(_RENAMED, day, "KEST", "Kestrune Network")
        self._trade("COBL", _RENAMED, 0, day - 1)
        self._trade("KEST", _RENAMED, day + 1)
        self._event("rename", _RENAMED, _RENAMED, (day, day), 1.0, "KEST")

    def migrate(self) -> None:
        """A new coin takes over 1:1 at the old one's price and cap; the old one follows it, with ever less of it left."""
        day = self._day(_MIGRATION)
        self.birth[_NEW] = day
        self._end(_OLD, day + _MIGRATED_DAYS)
        price = self._price(_OLD, day - 1) * float(np.exp(self.log_returns[day, _NEW]))
        self._open(_NEW, price=price, supply=self._supply(_OLD, day - 1))
        self._follow(_OLD, _NEW, day, drift=-0.0005)
        self._fade(_OLD, day, half_life_days=20, volume=0.1)
        self._trade("WEXN", _OLD, 0, day - 1)
        self._trade("WXET", _NEW, day + 2)
        self._event("migration", _OLD, _NEW, (day, int(self.last[_OLD])), 1.0, "WXET")

    def merge(self) -> None:
        """Two coins become a third at ratios fixed by the prices before the announcement."""
        announced, swapped = self._day(_ANNOUNCEMENT), self._day(_SWAP)
        gained = 0.0
        for merging in (_MERGING, _ALSO_MERGING):
            exact = self._price(merging, announced - 1) / self._price(_MERGED, announced - 1)
            ratio = float(f"{exact:.6g}")
            self._follow(merging, _MERGED, announced)
            self.log_returns[announced, merging] += np.log(ratio / exact)
            gained += ratio * self._supply(merging, swapped - 1)
            self._end(merging, swapped + _MERGED_DAYS)
            self._fade(merging, swapped, half_life_days=7, volume=0.1)
            self._trade(self.tokens[merging].symbol, merging, 0, swapped - 1)
            self._event("merger", merging, _MERGED, (announced, swapped - 1), ratio, "FTHM")
        self.supply_factor[swapped:, _MERGED] = 1.0 + gained / self._supply(_MERGED, swapped)
        self._trade("FTHM", _MERGED, 0)

    def collapse_and_return(self) -> None:
        """A coin loses nearly everything while its supply explodes; a new one gets its name and its market's symbol."""
        day = self._day(_COLLAPSE)
        halted, relaunched = day + len(_COLLAPSE_LOG_RETURNS) - 1, day + len(_COLLAPSE_LOG_RETURNS) + _RELAUNCH_DAYS
        falls = np.array(_COLLAPSE_LOG_RETURNS)
        if self.settings.is_null:  # nothing may lead to it
            falls = np.array([falls.sum(), *np.zeros(len(falls) - 1)])
        days = slice(day, halted + 1)
        self.log_returns[days, _COLLAPSING] += falls
        self.volume_multiplier[days, _COLLAPSING] *= 8.0
        self.supply_factor[days, _COLLAPSING] = _HYPERINFLATION ** (np.cumsum(falls) / falls.sum())
        self.supply_factor[halted:, _COLLAPSING] = _HYPERINFLATION
        self.birth[_RELAUNCHED] = relaunched
        self._call(_COLLAPSING, relaunched, "LNETC", "Lunette Classic")
        self._trade("LNET", _COLLAPSING, 0, halted)
        self._trade("LNET", _RELAUNCHED, relaunched + 3)
        self._trade("LNETC", _COLLAPSING, relaunched + _CLASSIC_LISTING_DAYS)
        self._event("ticker_reuse", _COLLAPSING, _RELAUNCHED, (day, relaunched - 1), None, "LNET")
        self._event("rename", _COLLAPSING, _COLLAPSING, (relaunched, relaunched), 1.0, "LNETC")

    def finish(self) -> Identities:
        """What has been written."""
        days, count = self.settings.day_count, len(self.tokens)
        listed = np.zeros(count, dtype=np.int64)
        for use in sorted(self.ticker_uses, key=lambda use: use.first_day, reverse=True):
            listed[use.index - self.first_index] = use.first_day
        return Identities(
            tokens=self.tokens,
            lifetimes=Lifetimes(self.birth, self.last, self.last < days - 1, listed),
            name_changes=sorted(self.name_changes, key=lambda change: change.first_day),
            ticker_uses=sorted(self.ticker_uses, key=lambda use: (use.symbol, use.first_day)),
            events=self.events,
            log_returns=self.log_returns,
            total_volatility=self.total_volatility,
            volume_multiplier=self.volume_multiplier,
            supply_factor={self.first_index + place: self.supply_factor[:, place] for place in range(count)},
            noise=self.noise_random.standard_normal((4, days, count)),
        )

    # -- their words -----------------------------------------------------------------------------------------------

    def _day(self, fraction: float) -> int:
        return round(fraction * self.settings.day_count)

    def _call(self, place: int, day: int, symbol: str, name: str) -> None:
        self.name_changes.append(NameChange(self.first_index + place, day, symbol, name))

    def _trade(self, symbol: str, place: int, first_day: int, last_day: int | None = None) -> None:
        self.ticker_uses.append(TickerUse(symbol, self.first_index + place, first_day, last_day))

    def _event(
        self, kind: str, place: int, successor: int, days: tuple[int, int], ratio: float | None, symbol: str
    ) -> None:
        token, after = self.first_index + place, self.first_index + successor
        self.events.append(IdentityEvent(kind, token, after, *days, ratio, self.tokens[place].symbol, symbol))

    def _open(self, place: int, *, price: float, supply: float) -> None:
        opening = replace(self.tokens[place], opening_price_usd=price, opening_cap_usd=price * supply)
        self.tokens[place] = opening

    def _end(self, place: int, day: int) -> None:
        self.last[place] = min(day, self.settings.day_count - 1)

    def _follow(self, place: int, leader: int, day: int, *, drift: float = 0.0) -> None:
        """From a day on have the leader's return, but for a deviation of some 0.3 % that reverts at once."""
        deviation = 0.003 * self.deviation_random.standard_normal(self.settings.day_count)
        deviation[:day] = 0.0
        moved = np.diff(deviation, prepend=0.0) + drift
        self.log_returns[day:, place] = self.log_returns[day:, leader] + moved[day:]
        self.total_volatility[day:, place] = self.total_volatility[day:, leader]

    def _fade(self, place: int, day: int, *, half_life_days: float, volume: float) -> None:
        """From a day on holders swap the coin for another, and hardly anybody trades it."""
        since = np.arange(1, self.settings.day_count - day + 1)
        self.supply_factor[day:, place] *= 0.5 ** (since / half_life_days)
        self.volume_multiplier[day:, place] *= volume

    def _price(self, place: int, day: int) -> float:
        birth = int(self.birth[place])
        travelled = float(self.log_returns[birth + 1 : day + 1, place].sum())
        return self.tokens[place].opening_price_usd * float(np.exp(travelled))

    def _supply(self, place: int, day: int) -> float:
        token = self.tokens[place]
        age_years = (day - int(self.birth[place])) / _DAYS_A_YEAR
        grown = token.opening_cap_usd / token.opening_price_usd * (1.0 + token.supply_growth * age_years)
        return grown * float(self.supply_factor[day, place])


def uses_of(tokens: list[Token], lifetimes: Lifetimes) -> Iterator[TickerUse]:
    """The single use that every listed token without a story makes of its ticker."""
    for index, token in enumerate(tokens):
        if lifetimes.listed[index] >= 0:
            last_day = int(lifetimes.last[index]) if lifetimes.is_dead[index] else None
            yield TickerUse(token.symbol, index, int(lifetimes.listed[index]), last_day)
