"""The simulated market as a whole: one call makes it, frames hold it.

Belongs here: assembly and the shape of the result. Does not: any of the subjects (`tokens.py`, `prices.py`,
`candles.py`, `activity.py`, `defects.py`), serving it (`server.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from orchestration.sandbox.activity import make_fear_greed, make_on_chain, market_dates
from orchestration.sandbox.candles import Panel, make_panel
from orchestration.sandbox.categories import CATEGORY_NAMES
from orchestration.sandbox.defects import make_defects
from orchestration.sandbox.events import Events, draw_events
from orchestration.sandbox.lifetimes import NEVER, Lifetimes, draw_lifetimes
from orchestration.sandbox.prices import Regime, Returns, simulate_returns
from orchestration.sandbox.settings import SimulationSettings
from orchestration.sandbox.tokens import Token, make_tokens


@dataclass(frozen=True)
class SimulatedMarket:
    """A market and the truth about it. Equal settings give equal frames.

    Attributes:
        settings: What it was made from.
        tokens: One row per token: coin_id, symbol (upper case), name, sector, categories (CoinGecko display names),
            is_stable, is_wrapped, is_fake_cap, platform, genesis_date, github_repo, binance_listed_date (null where
            never), coinmetrics_metrics (empty where not covered), birth_date, death_date (last day with data; null
            where it lives).
        daily: One row per token and day alive, without defects: coin_id, market_date, price_usd (close), open_usd,
            high_usd, low_usd, market_cap_usd, volume_usd, circulating_supply_tokens.
        on_chain: One row per covered token and day: coin_id, asset, market_date and a column per metric.
        fear_greed: One row per day: market_date, value (0-100), classification, is_served (false where the provider
            has none).
        defects: One row per wrong field served, see `defects.Defect`.
        events: One row per event: kind (pump, jump, death), coin_id, first_date, last_date.
        regimes: One row per day: market_date, regime (bull, sideways, bear), market_log_return.
        panel: The same truth as arrays, for the server.
        members: The tokens in the order of the panel's columns.
        lifetimes: Day numbers of births, listings and deaths.
    """

    settings: SimulationSettings
    tokens: pl.DataFrame
    daily: pl.DataFrame
    on_chain: pl.DataFrame
    fear_greed: pl.DataFrame
    defects: pl.DataFrame
    events: pl.DataFrame
    regimes: pl.DataFrame
    panel: Panel
    members: list[Token]
    lifetimes: Lifetimes


def simulate_market(settings: SimulationSettings | None = None) -> SimulatedMarket:
    """Simulate a market from its settings; without any, the default one.

    Takes about a quarter of a second at the default size.
    """
    settings = settings or SimulationSettings()
    members = make_tokens(settings)
    lifetimes = draw_lifetimes(settings, members)
    events = draw_events(settings, members, lifetimes)
    returns = simulate_returns(settings, members, events)
    panel = make_panel(settings, members, lifetimes, returns, events)
    return SimulatedMarket(
        settings=settings,
        tokens=_token_frame(settings, members, lifetimes),
        daily=_daily_frame(settings, members, lifetimes, panel),
        on_chain=make_on_chain(settings, members, panel, returns),
        fear_greed=make_fear_greed(settings, returns),
        defects=make_defects(settings, members, lifetimes, panel),
        events=_event_frame(settings, members, lifetimes, events),
        regimes=_regime_frame(settings, returns),
        panel=panel,
        members=members,
        lifetimes=lifetimes,
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
    is_alive = lifetimes.alive(settings.day_count).T.ravel()
    columns = {
        "price_usd": panel.close,
        "open_usd": panel.open,
        "high_usd": panel.high,
        "low_usd": panel.low,
        "market_cap_usd": panel.cap,
        "volume_usd": panel.volume,
        "circulating_supply_tokens": panel.supply,
    }
    lengths = lifetimes.last - lifetimes.birth + 1
    return pl.DataFrame(
        {
            "coin_id": np.repeat([token.coin_id for token in members], lengths),
            "market_date": market_dates(settings, copies=len(members)).filter(pl.Series(is_alive)),
            **{name: matrix.T.ravel()[is_alive] for name, matrix in columns.items()},
        }
    )


def _event_frame(
    settings: SimulationSettings, members: list[Token], lifetimes: Lifetimes, events: Events
) -> pl.DataFrame:
    kind = "jump" if settings.is_null else "pump"
    rows = [(kind, pump.token_index, pump.first_day, pump.last_day) for pump in events.pumps]
    rows += [
        ("death", int(index), int(lifetimes.last[index]), int(lifetimes.last[index]))
        for index in np.flatnonzero(lifetimes.is_dead)
    ]
    return pl.DataFrame(
        {
            "kind": [row[0] for row in rows],
            "coin_id": [members[row[1]].coin_id for row in rows],
            "first_date": [settings.start + timedelta(days=row[2]) for row in rows],
            "last_date": [settings.start + timedelta(days=row[3]) for row in rows],
        },
        schema={"kind": pl.String, "coin_id": pl.String, "first_date": pl.Date, "last_date": pl.Date},
    ).sort("first_date", "coin_id", "kind")


def _regime_frame(settings: SimulationSettings, returns: Returns) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "market_date": market_dates(settings, copies=1),
            "regime": [Regime(int(regime)).name.lower() for regime in returns.regimes],
            "market_log_return": returns.market,
        }
    )
