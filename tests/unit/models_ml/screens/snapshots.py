"""Rows of a moonshot snapshot for tests."""

import datetime as dt

import polars as pl

from models_ml.screens.checklist import OPTIONAL_INPUTS
from models_ml.screens.moonshots import JUDGEMENTS, SNAPSHOT_SCHEMA

WEEK = dt.date(2024, 3, 4)
CLOSE = dt.date(2024, 3, 3)
ITEMS = [
    "is_grade_high",
    "is_momentum_surging",
    "is_narrative_early",
    "is_community_growing",
    "is_developer_activity_rising",
    "is_large_holder_inflow",
    "is_volume_surging_with_price",
    "is_bullish_repeated",
    "is_newly_listed",
    "is_free_of_major_unlock",
]


def token(name="star", **fields):
    """A token that passes every test it can, except where `fields` say otherwise; developers, holders and unlocks have no source."""
    row = {
        "as_of_week": WEEK,
        "token_id": name,
        "symbol": name.upper(),
        "sector": "DeFi",
        "is_stable": False,
        "is_wrapped": False,
        "price_usd": 1.0,
        "priced_date": CLOSE,
        "market_cap_usd": 20e6,
        "volume_24h_usd": 900e3,
        "volume_30d_median_usd": 800e3,
        "age_days": 200,
        "trader_grade": 90.0,
        "grade_date": CLOSE,
        "score": 0.4,
        "signal": "bullish",
        "p_bullish": 0.6,
        "bullish_closes_7d": 5,
        "calls_date": CLOSE,
        "return_7d": 0.3,
        "return_30d": 0.5,
        "momentum_score": 92.0,
        "momentum_score_change_7d": 15.0,
        "volume_surge_7d_30d": 2.0,
        "volatility_30d": 1.1,
        "sector_rank_gain_7d": 3,
        "sector_volume_share_change_7d": 0.01,
        "sector_return_less_btc_7d": 0.1,
        "sector_return_90d": 0.4,
        "sector_date": CLOSE,
        "active_addresses_growth_30d": 0.2,
        "onchain_date": dt.date(2024, 3, 2),
        "exchange_listed_at": dt.date(2024, 2, 20),
        "has_exchange_data": True,
    }
    assert fields.keys() <= row.keys() | OPTIONAL_INPUTS.keys() | JUDGEMENTS.keys(), fields
    return row | fields


def snapshot(*rows):
    """The rows as the screen takes them; a column that no row has is left out, as an absent source leaves it out."""
    optional = OPTIONAL_INPUTS | JUDGEMENTS
    present = {name: dtype for name, dtype in optional.items() if any(name in row for row in rows)}
    return pl.DataFrame(list(rows), schema=SNAPSHOT_SCHEMA | present)
