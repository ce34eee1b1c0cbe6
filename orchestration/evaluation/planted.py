"""The trader head on a market whose skill is known: what it finds of what is there, and that it finds nothing where nothing is.

Belongs here: the planted market as a history, and its section of docs/results/falsification.md.
Does not: the market and the derivation (`models_ml/learning/evaluation/planted_market.py`), the null setting of the simulated market
(`orchestration/evaluate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.compute import token_features
from models_ml.features.feature import ONCHAIN_COLUMNS
from models_ml.learning.dataset import MARKET_COLUMNS, READ_FEATURES, model_frame
from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.evaluation.planted_market import PlantedMarket, attainable_rank_ic, daily_rows
from models_ml.learning.labels import forward_returns
from models_ml.learning.ranking import TRADER, RankingHead
from orchestration.evaluation.experiments import BLOCK, walk_forward
from orchestration.evaluation.history import KEYS, History
from orchestration.lib.metadata import markdown_table

MARKET = PlantedMarket(tokens=250, first=date(2018, 7, 2), days=4 * 365, strength=0.08)
SEEDS = (1, 2, 3)

SUNDAY = 7
NORMAL_95 = 1.959964
"""Half the width of a 95 % interval in standard errors."""

WARM_UP_DAYS = 91
"""Days before the first week, so that most windows are full."""

BITCOIN_COLUMNS = {
    "btc_return_7d": "return_7d",
    "btc_return_30d": "return_30d",
    "btc_return_90d": "return_90d",
    "btc_volatility_30d": "volatility_30d",
    "btc_drawdown_365d": "drawdown_365d",
    "btc_to_sma_200d": "price_to_sma_200d",
}


def planted_history(market: PlantedMarket) -> History:
    """The market as a history: every Sunday's features as `weekly_inputs.weekly_features` gives them, and labels; it has no warehouse."""
    daily = daily_rows(market)
    read = [feature for feature in CATALOGUE if feature.name in READ_FEATURES]
    no_onchain = pl.DataFrame(
        schema={"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
    )
    features = token_features(daily, no_onchain, read)
    begins = market.first + timedelta(days=WARM_UP_DAYS)
    weekly = (
        features.join(_state_of_the_market(features, daily), on="market_date", how="left")
        .filter((pl.col("market_date").dt.weekday() == SUNDAY) & (pl.col("market_date") >= begins))
        .with_columns(
            as_of_week=pl.col("market_date").dt.offset_by("1d"), symbol=pl.col("token_id"), is_liquid=pl.lit(value=True)
        )
        .sort("as_of_week", "token_id")
    )
    labels = forward_returns(weekly, daily)
    sectors = weekly.select(*KEYS, sector=pl.lit(None, pl.String))
    return History(Path(), weekly["as_of_week"].max(), weekly, labels, sectors)  # type: ignore[arg-type]  # a date by schema


def _state_of_the_market(features: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    """`MARKET_COLUMNS` of every day, as `marts.feat_market_daily` has them; there is no fear and greed index."""
    bitcoin = features.filter(pl.col("token_id") == "bitcoin").select(
        "market_date", *(pl.col(feature).alias(name) for name, feature in BITCOIN_COLUMNS.items())
    )
    average = daily.filter(pl.col("token_id") == "bitcoin").select(
        "market_date", btc_to_sma_100d=pl.col("price_usd") / pl.col("price_usd").rolling_mean(100) - 1
    )
    universe = features.group_by("market_date").agg(
        breadth_50d=(pl.col("price_to_sma_50d") > 0).mean(),
        median_return_7d=pl.col("return_7d").median(),
        median_return_30d=pl.col("return_30d").median(),
        dispersion_7d=pl.col("return_7d").clip(upper_bound=3).std(),
        median_volatility_30d=pl.col("volatility_30d").median(),
        median_volume_surge=pl.col("volume_surge_7d_30d").median(),
        fear_greed=pl.lit(None, pl.Float64),
    )
    joined = universe.join(bitcoin, on="market_date").join(average, on="market_date")
    return joined.select("market_date", *MARKET_COLUMNS)


def measured_ics(market: PlantedMarket, *, head: RankingHead = TRADER) -> pl.DataFrame:
    """Weekly rank ICs with a day of lag of the head's walk-forward on the market, refitted once a year: as_of_week, value."""
    history = planted_history(market)
    ics = walk_forward(history, model_frame(history.weekly), history.labels, head=head).ics
    return ics.filter(pl.col("universe") == "broad").select("as_of_week", "value")


def standard_error(ics: pl.DataFrame, *, block: int = BLOCK) -> float:
    """Standard error of the mean of weekly ICs whose outcomes overlap (Newey-West, `hac.py`)."""
    row = summarise_weekly(ics, block=block).select("hac_low", "hac_high").row(0)
    return float((row[1] - row[0]) / (2 * NORMAL_95))


def section(market: PlantedMarket = MARKET, seeds: Sequence[int] = SEEDS) -> str:
    """The planted market and the same one with nothing planted, each by seed and over all seeds."""
    rows: list[tuple[object, ...]] = []
    for strength in (market.strength, 0.0):
        attainable = attainable_rank_ic(replace(market, strength=strength))
        means, errors = [], []
        for seed in seeds:
            ics = measured_ics(replace(market, strength=strength, seed=seed))
            means.append(float(ics["value"].to_numpy().mean()))
            errors.append(standard_error(ics))
        # The markets of the seeds are independent of each other.
        together = ("all", float(np.mean(means)), float(np.linalg.norm(errors)) / len(errors))
        for name, mean, error in (*zip(map(str, seeds), means, errors, strict=True), together):
            rows.append((strength, name, attainable, mean, error, mean / attainable if attainable else None))
    schema = ["strength", "seed", "attainable", "rank_ic", "standard_error", "share_of_attainable"]
    return (
        f"## Planted market\n\nThe trader head, refitted once a year, on {market.tokens} made-up tokens over {market.days / 365:.0f} years "
        "whose returns depend on the turnover of the day before with the strength shown, and on nothing else before them; `attainable` is "
        "what that strength allows ([derivation](../explanation/evaluation.md)), 0 where nothing is planted. Asked for: within 15 % of it, "
        "and within two standard errors of 0 without.\n\n"
        + markdown_table(pl.DataFrame(rows, schema=schema, orient="row"))
    )
