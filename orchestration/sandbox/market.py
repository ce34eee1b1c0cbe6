"""The simulated market as a whole: one call makes it, frames hold it.

Belongs here: assembly and the shape of the result. Does not: any of the subjects (`tokens.py`, `prices.py`,
`candles.py`, `activity.py`, `defects.py`), serving it (`server.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from orchestration.sandbox.activity import ActivityDrivers, make_fear_greed, make_on_chain, market_dates
from orchestration.sandbox.candles import CandleNoise, Panel, make_panel
from orchestration.sandbox.categories import CATEGORY_NAMES
from orchestration.sandbox.defects import make_defects
from orchestration.sandbox.events import Events, draw_events
from orchestration.sandbox.lifetimes import NEVER, Lifetimes, draw_lifetimes
from orchestration.sandbox.migrations import Identities, TickerUse, make_identities, uses_of
from orchestration.sandbox.movers import Mover, draw_movers
from orchestration.sandbox.prices import (
    CommonMoves,
    Floats,
    Regime,
    ReturnBlock,
    simulate_common_moves,
    simulate_returns,
)
from orchestration.sandbox.settings import SimulationSettings
from orchestration.sandbox.tokens import Token, make_tokens


@dataclass(frozen=True)
class SimulatedMarket:
    """A market and the truth about it. Equal settings give equal frames.

    Prices lie on disk (`candles.py`); a frame is made when it is first asked for and kept.

    Attributes:
        settings: What it was made from.
        members: The tokens in the order of the panel's columns, called as on their first day.
        lifetimes: Day numbers of births, listings and deaths.
        panel: Prices, candles, supplies, caps and volumes by day and token.
        identities: The last tokens of `members`, whose identity changes; nobody by default.
    """

    settings: SimulationSettings
    members: list[Token]
    lifetimes: Lifetimes
    panel: Panel
    identities: Identities
    _ordinary_lifetimes: Lifetimes
    _common: CommonMoves
    _events: Events
    _drivers: ActivityDrivers
    _movers: list[Mover]

    @cached_property
    def tokens(self) -> pl.DataFrame:
        """One row per token.

        Columns: coin_id, symbol (upper case), name, sector, categories (CoinGecko display names), is_stable,
        is_wrapped, is_fake_cap, platform, genesis_date, github_repo, binance_listed_date (null where never),
        coinmetrics_metrics (empty where not covered), birth_date, death_date (last day with data; null where it lives).
        """
        return _token_frame(self.settings, self.members, self.lifetimes)

    @cached_property
    def daily(self) -> pl.DataFrame:
        """One row per token and day alive, without defects; all in memory, so for small markets.

        Columns: coin_id, market_date, price_usd (close), open_usd, high_usd, low_usd, market_cap_usd, volume_usd,
        circulating_supply_tokens.
        """
        return _daily_frame(self.settings, self.members, self.lifetimes, self.panel)

    @cached_property
    def on_chain(self) -> pl.DataFrame:
        """One row per covered token and day: coin_id, asset, market_date and a column per metric."""
        return make_on_chain(self.settings, self.members, self.panel, self._drivers)

    @cached_property
    def fear_greed(self) -> pl.DataFrame:
        """One row per day: market_date, value (0-100), classification, is_served (false where the provider has none)."""
        return make_fear_greed(self.settings, self._common)

    @cached_property
    def defects(self) -> pl.DataFrame:
        """One row per wrong field served, see `defects.Defect`; none for tokens whose identity changes."""
        ordinary = self.members[: len(self._ordinary_lifetimes.birth)]
        return make_defects(self.settings, ordinary, self._ordinary_lifetimes, self.panel)

    @cached_property
    def events(self) -> pl.DataFrame:
        """One row per event.

        Columns: kind (pump, jump, wash_trading, rug_pull, death, rename, migration, merger, ticker_reuse), coin_id, first_date,
        last_date, and for the last four kinds, described in `migrations.IdentityEvent`, successor_coin_id, ratio (successor tokens for
        one old token; null for ticker_reuse), symbol and successor_symbol; null for the others. A coin that ends because
        its holders swapped it has no death.
        """
        return _event_frame(self.settings, self.members, self._ordinary_lifetimes, self._events, self.identities)

    @cached_property
    def movers(self) -> pl.DataFrame:
        """One row per planted rise: coin_id, sign_date (first day of its weak signs), first_date and last_date of the rise itself."""
        start = self.settings.start
        rows = [
            (
                self.members[each.token_index].coin_id,
                *(start + timedelta(days=day) for day in (each.sign_day, each.first_day, each.last_day)),
            )
            for each in self._movers
        ]
        schema = {"coin_id": pl.String, "sign_date": pl.Date, "first_date": pl.Date, "last_date": pl.Date}
        return pl.DataFrame(rows, schema=schema, orient="row").sort("first_date", "coin_id")

    @cached_property
    def ticker_uses(self) -> list[TickerUse]:
        """Which token the reference exchange trades under which ticker and when, in the order of the tokens."""
        ordinary = self.members[: len(self._ordinary_lifetimes.birth)]
        return [*uses_of(ordinary, self._ordinary_lifetimes), *self.identities.ticker_uses]

    @cached_property
    def regimes(self) -> pl.DataFrame:
        """One row per day: market_date, regime (bull, sideways, bear), market_log_return."""
        return _regime_frame(self.settings, self._common)


def simulate_market(settings: SimulationSettings | None = None) -> SimulatedMarket:
    """Simulate a market from its settings; without any, the default one.

    Takes a third of a second at the default size, and some seconds for 6,000 tokens over 4 years.
    """
    settings = settings or SimulationSettings()
    ordinary = make_tokens(settings)
    ordinary_lifetimes = draw_lifetimes(settings, ordinary)
    events = draw_events(settings, ordinary, ordinary_lifetimes)
    movers, changes = draw_movers(settings, ordinary, ordinary_lifetimes)
    events.changes.extend(changes)
    common = simulate_common_moves(settings, sorted({token.sector for token in ordinary}))
    drivers = ActivityDrivers.of(settings, ordinary)
    identities = make_identities(settings, common, first_index=len(ordinary))

    def blocks() -> Iterator[tuple[ReturnBlock, Floats]]:
        noise = CandleNoise(settings, len(ordinary))
        for block in simulate_returns(settings, ordinary, events, common):
            drivers.note(block)
            yield identities.beside(block, noise.take(len(block.days)))

    members = ordinary + identities.tokens
    lifetimes = ordinary_lifetimes.followed_by(identities.lifetimes)
    panel = make_panel(settings, members, lifetimes, blocks(), identities.supply_factor)
    return SimulatedMarket(
        settings, members, lifetimes, panel, identities, ordinary_lifetimes, common, events, drivers, movers
    )


def _token_frame(settings: SimulationSettings, members: list[Token], lifetimes: Lifetimes) -> pl.DataFrame:
    def dated(day: int) -> date:
        return settings.start + timedelta(days=int(day))

    return pl.DataFrame(
        {
            "coin_id": [token.coin_id for token in members],
            "symbol": [token.symbol for token in members],
            "name": [token.name for token in members],
            "sector": [token.sector for token in members],
            "categories": [[CATEGORY_NAMES[category] for category in token.categories] for token in members],
            "is_stable": [token.is_stable for token in members],
            "is_wrapped": [token.is_wrapped for token in members],
            "is_fake_cap": [token.is_fake_cap for token in members],
            "platform": [token.platform for token in members],
            "genesis_date": [token.genesis_date for token in members],
            "github_repo": [token.github_repo for token in members],
            "binance_listed_date": [None if day == NEVER else dated(day) for day in lifetimes.listed],
            "coinmetrics_metrics": [list(token.coinmetrics_metrics) for token in members],
            "birth_date": [dated(day) for day in lifetimes.birth],
            "death_date": [
                dated(day) if dead else None for day, dead in zip(lifetimes.last, lifetimes.is_dead, strict=True)
            ],
        },
        schema_overrides={
            "platform": pl.String,
            "genesis_date": pl.Date,
            "github_repo": pl.String,
            "binance_listed_date": pl.Date,
            "coinmetrics_metrics": pl.List(pl.String),
            "death_date": pl.Date,
        },
    )


def _daily_frame(
    settings: SimulationSettings, members: list[Token], lifetimes: Lifetimes, panel: Panel
) -> pl.DataFrame:
    fields = {
        "price_usd": "close",
        "open_usd": "open",
        "high_usd": "high",
        "low_usd": "low",
        "market_cap_usd": "cap",
        "volume_usd": "volume",
        "circulating_supply_tokens": "supply",
    }
    lengths = lifetimes.last - lifetimes.birth + 1
    stops = np.cumsum(lengths)
    columns = {name: np.empty(stops[-1]) for name in fields}
    for index, stop in enumerate(stops):
        token = panel.token(index)
        life = slice(int(lifetimes.birth[index]), int(lifetimes.last[index]) + 1)
        for name, field in fields.items():
            columns[name][stop - lengths[index] : stop] = getattr(token, field)[life]
    is_alive = lifetimes.alive(settings.day_count).T.ravel()
    return pl.DataFrame(
        {
            "coin_id": np.repeat([token.coin_id for token in members], lengths),
            "market_date": market_dates(settings, copies=len(members)).filter(pl.Series(is_alive)),
            **columns,
        }
    )


def _event_frame(
    settings: SimulationSettings, members: list[Token], lifetimes: Lifetimes, events: Events, identities: Identities
) -> pl.DataFrame:
    def dated(day: int) -> date:
        return settings.start + timedelta(days=int(day))

    def row(kind: str, index: int, first_day: int, last_day: int) -> dict[str, object]:
        coin_id = members[index].coin_id
        return {"kind": kind, "coin_id": coin_id, "first_date": dated(first_day), "last_date": dated(last_day)}

    pump = "jump" if settings.is_null else "pump"
    rows = [row(pump, found.token_index, found.first_day, found.last_day) for found in events.pumps]
    rows += [row(found.kind, found.token_index, found.first_day, found.last_day) for found in events.scams]
    rows += [
        row("death", int(index), lifetimes.last[index], lifetimes.last[index])
        for index in np.flatnonzero(lifetimes.is_dead)
    ]
    rows += [
        {
            **row(event.kind, event.index, event.first_day, event.last_day),
            "successor_coin_id": members[event.successor_index].coin_id,
            "ratio": event.ratio,
            "symbol": event.symbol,
            "successor_symbol": event.successor_symbol,
        }
        for event in identities.events
    ]
    schema = {
        "kind": pl.String,
        "coin_id": pl.String,
        "first_date": pl.Date,
        "last_date": pl.Date,
        "successor_coin_id": pl.String,
        "ratio": pl.Float64,
        "symbol": pl.String,
        "successor_symbol": pl.String,
    }
    return pl.DataFrame(rows, schema=schema).sort("first_date", "coin_id", "kind")


def _regime_frame(settings: SimulationSettings, common: CommonMoves) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "market_date": market_dates(settings, copies=1),
            "regime": [Regime(int(regime)).name.lower() for regime in common.regimes],
            "market_log_return": common.market,
        }
    )
