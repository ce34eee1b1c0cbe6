"""The scam filter against the simulated market, which knows its scams: recall by kind, and false alarms where nothing happened.

Belongs here: the truth as spells of token-weeks, the join with the warnings, the counts.
Does not: the warnings (`models_ml.screens.scam_filter`), the market (`orchestration.sandbox`).

A token-week is *in force* of a spell from the first Monday after its first day to some days after its last one: while it can hurt. It is
*clean* where no spell of any kind is in force nor was within the time for which a warning of it stands. Only warnings that exclude count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from models_ml.screens.scam_filter.pump_shape import PumpThresholds
from orchestration.sandbox.market import SimulatedMarket

KEYS = ("as_of_week", "token_id")

HURTS_AFTER = {"pump": 14, "rug_pull": 14, "wash_trading": 0, "wash_volume": 0, "fake_cap": 0}
"""Days after the last day of a spell for which it must still be known."""

WINDOW_DAYS = 30
"""Days that the longest window of a warning without a stated time reaches back."""

COLLAPSE_DAYS = 3
"""Days before a token's end within which its price collapses."""


@dataclass(frozen=True)
class FilterSkill:
    """What the filter finds.

    Attributes:
        by_kind: One row a kind: kind, spells, spells_caught, token_weeks, token_weeks_caught, recall (of token-weeks), spell_recall.
        clean_weeks: Token-weeks that are clean.
        false_alarms: Of these, those with an excluding warning.
        alarms_by_warning: One row a warning raised in clean weeks: warning, token_weeks, tokens.
    """

    by_kind: pl.DataFrame
    clean_weeks: int
    false_alarms: int
    alarms_by_warning: pl.DataFrame

    @property
    def recall(self) -> float:
        """Share of all token-weeks in force of any kind that have an excluding warning."""
        return int(self.by_kind["token_weeks_caught"].sum()) / int(self.by_kind["token_weeks"].sum())

    @property
    def false_alarm_rate(self) -> float:
        """Share of clean token-weeks with an excluding warning."""
        return self.false_alarms / self.clean_weeks


def true_spells(market: SimulatedMarket) -> pl.DataFrame:
    """Everything of the market that a filter should know of.

    Returns:
        One row a spell: kind (pump, wash_trading, rug_pull, death, wash_volume, fake_cap), token_id (CoinGecko's id), first_date,
        last_date. Deaths are no scam that can be known before it is over; they are there so that their weeks are not called clean.
    """
    kinds = ["pump", "wash_trading", "rug_pull", "death"]
    events = market.events.filter(pl.col("kind").is_in(kinds)).select(
        "kind",
        pl.col("coin_id").alias("token_id"),
        pl.when(pl.col("kind") == "death")
        .then(pl.col("first_date").dt.offset_by(f"-{COLLAPSE_DAYS}d"))
        .otherwise("first_date")
        .alias("first_date"),
        "last_date",
    )
    days = market.defects.filter(pl.col("kind").is_in(["wash_volume", "fake_cap"])).sort(
        "kind", "coin_id", "market_date"
    )
    is_next = pl.col("market_date").diff().dt.total_days().over("kind", "coin_id") == 1
    runs = (
        days.with_columns(run=(~is_next.fill_null(value=False)).cum_sum())
        .group_by("kind", "coin_id", "run")
        .agg(first_date=pl.col("market_date").min(), last_date=pl.col("market_date").max())
        .select("kind", pl.col("coin_id").alias("token_id"), "first_date", "last_date")
    )
    claims = market.tokens.filter("is_fake_cap").select(
        pl.lit("fake_cap").alias("kind"),
        pl.col("coin_id").alias("token_id"),
        pl.col("birth_date").alias("first_date"),
        pl.lit(market.settings.end).alias("last_date"),
    )
    return pl.concat([events, runs, claims]).sort("kind", "token_id", "first_date")


def filter_skill(spells: pl.DataFrame, warnings: pl.DataFrame, judged: pl.DataFrame) -> FilterSkill:
    """Recall and false alarms of excluding warnings.

    Args:
        spells: As from `true_spells`.
        warnings: Rows of `screens.token_warnings`.
        judged: Rows of `screens.warning_coverage`: the token-weeks that count, those of pools left out.
    """
    alarms = warnings.filter("is_excluding").select(*KEYS, "warning")
    weeks = judged.select(KEYS).filter(~pl.col("token_id").str.starts_with("geckoterminal:"))
    weeks = weeks.join(alarms.select(KEYS).unique().with_columns(is_caught=pl.lit(value=True)), on=KEYS, how="left")
    weeks = weeks.with_columns(pl.col("is_caught").fill_null(value=False))
    joined = weeks.join(spells, on="token_id")
    begins, ends = pl.col("first_date"), pl.col("last_date")
    in_force = joined.filter(
        (pl.col("as_of_week") > begins)
        & (
            pl.col("as_of_week")
            <= ends + pl.duration(days=pl.col("kind").replace_strict(HURTS_AFTER, default=0, return_dtype=pl.Int64) + 1)
        )
        & pl.col("kind").is_in(list(HURTS_AFTER))
    )
    by_kind = (
        in_force.group_by("kind", "token_id", "first_date")
        .agg(weeks=pl.len(), caught=pl.col("is_caught").sum())
        .group_by("kind")
        .agg(
            spells=pl.len(),
            spells_caught=(pl.col("caught") > 0).sum(),
            token_weeks=pl.col("weeks").sum(),
            token_weeks_caught=pl.col("caught").sum(),
        )
        .with_columns(
            recall=pl.col("token_weeks_caught") / pl.col("token_weeks"),
            spell_recall=pl.col("spells_caught") / pl.col("spells"),
        )
        .sort("kind")
    )
    limits = PumpThresholds()
    stands = max(limits.dump_in_force_days, limits.collapse_in_force_days, WINDOW_DAYS)
    touched = joined.filter(
        (pl.col("as_of_week") > begins) & (pl.col("as_of_week") <= ends + timedelta(days=stands + 8))
    )
    clean = weeks.join(touched.select(KEYS).unique(), on=KEYS, how="anti")
    alarms_by_warning = (
        alarms.join(clean.select(KEYS), on=KEYS)
        .group_by("warning")
        .agg(token_weeks=pl.len(), tokens=pl.col("token_id").n_unique())
        .sort("token_weeks", "warning", descending=[True, False])
    )
    return FilterSkill(by_kind, clean.height, int(clean["is_caught"].sum()), alarms_by_warning)
