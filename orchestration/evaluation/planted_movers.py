"""The chance model on the simulated market, which knows its movers: it finds them, and nothing in the null market.

Belongs here: the market as the model reads it, the walk through it, and its section of docs/results/moonshots.md.
Does not: the movers (`orchestration/sandbox/movers.py`), real history (`moonshots.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.compute import token_features
from models_ml.features.feature import ONCHAIN_COLUMNS
from models_ml.screens.chance_refits import walk_chances
from models_ml.screens.chances import READ_FEATURES, chance_frame
from models_ml.screens.controls import draw_controls
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcomes import HORIZON_DAYS, follow
from models_ml.screens.record import Record, screen_record
from models_ml.screens.universe import is_low_cap, with_buckets
from orchestration.lib.metadata import markdown_table
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.movers import SIGN_FACTOR
from orchestration.sandbox.settings import SimulationSettings

MARKET = SimulationSettings(tokens=500, mover_share=0.3)
SEEDS = (7, 8, 9)
KEYS = ["as_of_week", "token_id"]


@dataclass(frozen=True)
class Found:
    """What the screen of the most likely doublers found in a simulated market.

    Attributes:
        record: Its record.
        planted: Planted rises of tokens that were in the universe before them, a count.
        caught: Of them, those picked between their first sign and the first day of the rise, a count.
    """

    record: Record
    planted: int
    caught: int


def low_cap_rows(market: SimulatedMarket, settings: MoonshotSettings) -> pl.DataFrame:
    """The universe of every Monday, as `orchestration.lib.low_cap_inputs.low_cap_weeks` gives it, without on-chain and social facts."""
    daily = market.daily.rename({"coin_id": "token_id", "volume_usd": "volume_24h_usd"}).with_columns(
        is_supply_carried=pl.lit(value=False), first_date=pl.col("market_date").min().over("token_id")
    )
    no_onchain = pl.DataFrame(
        schema={"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
    )
    read = [feature for feature in CATALOGUE if feature.name in {*READ_FEATURES, "volume_30d_median_usd"}]
    features = token_features(daily, no_onchain, read)
    kinds = market.tokens.rename({"coin_id": "token_id"}).select("token_id", "symbol", "is_stable", "is_wrapped")
    sundays = (
        features.filter(pl.col("market_date").dt.weekday() == 7)
        .join(daily.select("token_id", "market_date", "price_usd", "market_cap_usd"), on=["token_id", "market_date"])
        .join(kinds, on="token_id")
        .with_columns(as_of_week=pl.col("market_date").dt.offset_by("1d"))
    )
    return with_buckets(sundays.filter(is_low_cap(settings))).sort(KEYS)


def screened(simulation: SimulationSettings, settings: MoonshotSettings | None = None) -> Found:
    """Walk the chance model through a market and follow the tokens it calls likeliest to double each week."""
    settings = settings or MoonshotSettings()
    market = simulate_market(simulation)
    rows = low_cap_rows(market, settings)
    until = simulation.end + timedelta(days=1)
    until -= timedelta(days=until.weekday())
    closes = market.daily.rename({"coin_id": "token_id", "volume_usd": "volume_24h_usd"}).with_columns(
        is_carried=pl.lit(value=False)
    )
    outcomes = follow(rows, closes, until=until)
    said = walk_chances(chance_frame(rows), outcomes, until=until)
    picks = top_of_each_week(said, "p_2x_90d", count=settings.max_picks)
    universe = said.select(KEYS).join(outcomes, on=KEYS).join(rows.select(*KEYS, "volatility_90d"), on=KEYS)
    controls = draw_controls(picks, rows).join(outcomes, on=KEYS)
    record = screen_record(picks.join(outcomes, on=KEYS), controls, universe)
    return Found(record, *_caught(market, said, picks, until=until))


def top_of_each_week(scored: pl.DataFrame, score: str, *, count: int) -> pl.DataFrame:
    """The `count` highest of each week: as_of_week, token_id; equal scores by token_id, unknown ones last."""
    return (
        scored.sort("as_of_week", score, "token_id", descending=[False, True, False], nulls_last=True)
        .group_by("as_of_week", maintain_order=True)
        .head(count)
        .select(KEYS)
    )


def _caught(market: SimulatedMarket, said: pl.DataFrame, picks: pl.DataFrame, *, until: date) -> tuple[int, int]:
    """Rises whose token was scored between first sign and first day, and those picked in that time."""
    rises = market.movers.with_row_index("rise").filter(pl.col("first_date") < until - timedelta(days=HORIZON_DAYS))

    def met(weeks: pl.DataFrame) -> int:
        both = rises.join(weeks, left_on="coin_id", right_on="token_id")
        return both.filter(pl.col("as_of_week").is_between("sign_date", "first_date"))["rise"].n_unique()

    return met(said.select(KEYS)), met(picks)


def section(simulation: SimulationSettings = MARKET, seeds: Sequence[int] = SEEDS) -> str:
    """A row a seed of the market with movers, and of its null market."""
    rows = []
    for is_null in (False, True):
        for seed in seeds:
            found = screened(
                SimulationSettings(
                    seed=seed,
                    tokens=simulation.tokens,
                    start=simulation.start,
                    end=simulation.end,
                    mover_share=simulation.mover_share,
                    is_null=is_null,
                )
            )
            record = found.record
            rows.append(
                {
                    "market": "null" if is_null else "planted",
                    "seed": seed,
                    "weeks": record.weeks,
                    "picks": record.picks_known,
                    "hit_rate": record.hit_rate,
                    "controls": record.controls_hit_rate,
                    "lift": record.lift,
                    "over_controls": record.difference.estimate,
                    "low": record.difference.low,
                    "high": record.difference.high,
                    "over_volatility": record.over_volatility.estimate,
                    "volatility_low": record.over_volatility.low,
                    "random_percentile": record.random_percentile,
                    "rises": found.planted,
                    "caught": found.caught,
                    "verdict": record.verdict.split(":")[0],
                }
            )
    return (
        "## Simulated market with planted movers\n\n"
        f"{simulation.tokens} tokens, {simulation.mover_share:.2f} planted rises a token: 2.5- to 5-fold over four to eight weeks, after "
        f"five weeks of {SIGN_FACTOR:g} times the usual volume. `caught` counts the rises whose token was picked between its first sign "
        "and the first day of the rise, of the `rises` whose token was in the universe then. In the null market nothing precedes a jump, "
        "and jumps go either way; that some tokens are wilder than others stays known, and is all that is found there.\n\n"
        + markdown_table(pl.DataFrame(rows))
    )
