"""Drift of every model, and novelty and confidence of every token, for the weeks of a build, as versions.

Belongs here: which weeks are watched, and the rows they become.
Does not: formulas (`models_ml.learning`: `training_profile.py`, `confidence.py`), the models in force (`registry.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.calendar import expires_date, newest_refit
from models_ml.learning.confidence import confidence, drifted_share, watched_figures
from models_ml.learning.moves import CALLS
from models_ml.learning.ranking import INVESTOR, TRADER
from models_ml.learning.training_profile import DRIFT_WEEKS, drift_by_week, novelty_against
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.training import HEADS
from orchestration.lib.versioned_tables import CONFIDENCE, MODEL_MONITOR, TRADER_GRADES, VersionedTable
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import closing_features
from orchestration.lib.weekly_versions import append_weeks, weeks_behind
from orchestration.lib.weeks import WEEK

MONITOR_TABLES: tuple[VersionedTable, ...] = (MODEL_MONITOR, CONFIDENCE)

CONFIDENT_HEADS = (TRADER.name, INVESTOR.name, CALLS)
"""Heads whose grades and calls get a confidence; the reach of a price range says by itself how little is known."""

KEYS = ["as_of_week", "token_id"]


@dataclass(frozen=True)
class Watched:
    """What is seen of one model in the weeks it is in force.

    Attributes:
        figures: as_of_week, model, metric, value, model_version.
        tokens: as_of_week, token_id, novelty, confidence, model_version.
    """

    figures: pl.DataFrame
    tokens: pl.DataFrame


def build_monitor(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> dict[str, Appended]:
    """Hold the graded weeks that a build has to compute against the training of the models in force.

    Args:
        connection: The warehouse; the grades of the weeks are recorded.
        registry: Frozen models with their profiles; one that an earlier release froze has none, and its weeks no drift or novelty.
        context: The build.
        weeks: Weeks to watch instead of those the context chooses.

    Returns:
        What was appended, by table name.
    """
    if weeks is None:
        weeks = weeks_behind(connection, context, MODEL_MONITOR, TRADER_GRADES)
    if not weeks:
        return {table.full_name: Appended.nothing(table) for table in MONITOR_TABLES}
    rows = closing_features(connection, first=min(weeks) - DRIFT_WEEKS * WEEK, last=max(weeks))
    figures = []
    tokens = rows.filter(pl.col("as_of_week").is_in(list(weeks))).select(*KEYS, "symbol")
    for head in HEADS:
        seen = [
            watch_model(registry, head.name, refit, rows, in_force)
            for refit, in_force in _by_refit(registry.refits(head.name), weeks).items()
        ]
        figures += [each.figures for each in seen]
        if head.name in CONFIDENT_HEADS:
            named = {
                "novelty": f"{head.name}_novelty",
                "confidence": f"{head.name}_confidence",
                "model_version": f"{head.name}_version",
            }
            of_head = pl.concat([_no_tokens(), *(each.tokens for each in seen)]).rename(named)
            tokens = tokens.join(of_head, on=KEYS, how="left", maintain_order="left")
    versions = [f"{head}_version" for head in CONFIDENT_HEADS]
    content = {
        MODEL_MONITOR.full_name: pl.concat(figures),
        CONFIDENCE.full_name: tokens.with_columns(
            model_version=pl.concat_str(versions, separator=" ", ignore_nulls=True)
        ),
    }
    reason = context.reason_for_new() if recorded_weeks(connection, MODEL_MONITOR.full_name) else "backfill"
    return {
        table.full_name: append_weeks(connection, table, content[table.full_name], weeks, context, reason=reason)
        for table in MONITOR_TABLES
    }


def watch_model(registry: ModelRegistry, head: str, refit: date, rows: pl.DataFrame, weeks: Sequence[date]) -> Watched:
    """Figures of a model and confidence of its tokens in the weeks it is in force.

    Args:
        registry: Frozen models.
        head: Its head.
        refit: Its refit date.
        rows: Features of the weeks and of the `DRIFT_WEEKS` before them (`closing_features`).
        weeks: The weeks.
    """
    version = registry.version(head, refit)
    profile = registry.profile(head, refit)
    judged = rows.filter(pl.col("as_of_week").is_in(list(weeks)))
    if profile is None:
        drift = pl.DataFrame(schema={"as_of_week": pl.Date, "feature": pl.String, "psi": pl.Float64})
        novel = judged.select(*KEYS, novelty=pl.lit(None, dtype=pl.Float64))
    else:
        drift = drift_by_week(profile, rows, weeks)
        novel = judged.select(KEYS).with_columns(novelty_against(profile, judged))
    figures: list[tuple[date, str, str, float | None, str]] = []
    tokens = [_no_tokens()]
    for week in weeks:
        of_week = drift.filter(pl.col("as_of_week") == week)
        present = novel.filter(pl.col("as_of_week") == week)
        metrics = watched_figures(of_week, present["novelty"], age_days=(week - refit).days)
        figures += [(week, head, metric, value, version) for metric, value in metrics.items()]
        trusted = confidence(
            present["novelty"], drifted_share=drifted_share(of_week), is_expired=week > expires_date(refit)
        )
        tokens.append(present.with_columns(trusted, model_version=pl.lit(version)))
    schema = {"as_of_week": pl.Date, **dict.fromkeys(("model", "metric"), pl.String), "value": pl.Float64}
    table = pl.DataFrame(figures, schema={**schema, "model_version": pl.String}, orient="row")
    return Watched(table.drop_nulls("value"), pl.concat(tokens))


def _by_refit(refits: Sequence[date], weeks: Sequence[date]) -> dict[date, list[date]]:
    """The weeks by the refit that is in force in them; weeks before the first are left out."""
    chosen: dict[date, list[date]] = {}
    for week in sorted(weeks):
        refit = newest_refit(refits, week)
        if refit:
            chosen.setdefault(refit, []).append(week)
    return chosen


def _no_tokens() -> pl.DataFrame:
    numbers = dict.fromkeys(("novelty", "confidence"), pl.Float64)
    return pl.DataFrame(schema={"as_of_week": pl.Date, "token_id": pl.String, **numbers, "model_version": pl.String})
