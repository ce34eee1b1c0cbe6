"""Models, grades, signals and their evaluation for the weeks of a build.

Belongs here: which weeks are computed from which tables, and the versions they become.
Does not: formulas (`models_ml.learning`), files of models (`registry.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl

from models_ml.learning.calendar import HORIZON_DAYS, LAG_DAYS, refit_dates
from models_ml.learning.dataset import model_frame
from models_ml.learning.evaluation import evaluate_week, trailing_icir
from models_ml.learning.grades import MINIMUM_REFERENCE_WEEKS, cross_sectional_rank, market_part, percentile_grades
from models_ml.learning.labels import forward_returns
from models_ml.learning.signals import bull_bear, call_signals
from models_ml.learning.trader_model import TraderModel, predict, train
from models_ml.learning.walk_forward import first_refit, out_of_fold_scores, training_rows
from orchestration.lib.errors import TidemarkError
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks, units_of
from orchestration.lib.versioned_tables import BULL_BEAR, MODEL_EVALUATION, TRADER_GRADES, TRADING_SIGNALS
from orchestration.lib.versions import Appended, append_versions
from orchestration.lib.weekly_inputs import daily_closes, weekly_features, weekly_market
from orchestration.lib.weeks import WEEK, monday_of

CALL_TABLES = (TRADER_GRADES, TRADING_SIGNALS, BULL_BEAR)

EVALUATED_AFTER = -(-(HORIZON_DAYS + LAG_DAYS) // 7) * WEEK
"""A week is evaluated on the first Monday by which its lagged label has ended."""


class TooLittleHistoryError(TidemarkError):
    """There is not enough history to train a first model."""


@dataclass(frozen=True)
class WeeklyInputs:
    """Frames that all learning steps of a build share.

    Attributes:
        weekly: `weekly_inputs.weekly_features` up to the week of the build.
        market: `weekly_inputs.weekly_market`.
    """

    weekly: pl.DataFrame
    market: pl.DataFrame


def read_inputs(connection: duckdb.DuckDBPyConnection, until: date) -> WeeklyInputs:
    """Read the marts once."""
    return WeeklyInputs(weekly=weekly_features(connection, until=until), market=weekly_market(connection, until=until))


def labels_of(connection: duckdb.DuckDBPyConnection, inputs: WeeklyInputs, until: date) -> pl.DataFrame:
    """Forward quantities of every eligible token-week, from closes known at `until`."""
    tokens = inputs.weekly["token_id"].unique().to_list()
    closes = daily_closes(connection, until=until, tokens=[*tokens, "bitcoin"])
    return forward_returns(inputs.weekly, closes)


def ensure_models(
    connection: duckdb.DuckDBPyConnection,
    inputs: WeeklyInputs,
    registry: ModelRegistry,
    *,
    until: date,
    report: Callable[[str], None],
) -> list[TraderModel]:
    """Train and freeze every refit that is due up to `until` and not frozen yet.

    Returns:
        The models trained now, oldest first.

    Raises:
        TooLittleHistoryError: No refit date has 52 weeks of labels from 50 eligible tokens before it.
    """
    frame = model_frame(inputs.weekly)
    frozen = registry.refits()
    first = frozen[0] if frozen else first_refit(frame, until)
    if first is None:
        weeks = inputs.weekly["as_of_week"].n_unique()
        raise TooLittleHistoryError(
            f"grades start with the first quarter that has 52 weeks of labels from 50 eligible tokens before it; up to {until} "
            f"there are {weeks} weeks with eligible tokens. Land more history, or choose a later AS_OF."
        )
    due = [refit for refit in refit_dates(first, until) if refit not in frozen]
    if not due:
        return []
    labels = labels_of(connection, inputs, until)
    trained = []
    for refit in due:
        rows = training_rows(frame, refit)
        model = train(rows, labels, refit=refit)
        reference = out_of_fold_scores(frame, labels, refit=refit) if refit == first else None
        registry.freeze(model, reference=reference)
        report(f"refit {refit}: {model.training_rows} rows of {model.training_weeks[0]} to {model.training_weeks[1]}")
        trained.append(model)
    return trained


def build_calls(
    connection: duckdb.DuckDBPyConnection,
    inputs: WeeklyInputs,
    registry: ModelRegistry,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> dict[str, Appended]:
    """Grades, signals and the bull-bear indicator of the weeks a build has to compute, as versions.

    Each week is scored by the model in force: the newest refit on or before it. A grade's reference is every earlier
    out-of-sample score as recorded; while there are fewer than 104 weeks of them, the out-of-fold scores of the first model's
    training weeks are added and the grade is provisional.

    Args:
        connection: The warehouse.
        inputs: Frames of the marts.
        registry: Frozen models.
        context: The build.
        weeks: Weeks to compute instead of those the context chooses.

    Returns:
        What was appended, by table name.
    """
    refits = registry.refits()
    if weeks is None:
        weeks = context.weeks_to_build(refits[0], recorded_weeks(connection, TRADER_GRADES.full_name))
    if not weeks:
        return {table.full_name: Appended(table.full_name, 0, 0, 0, 0, ()) for table in CALL_TABLES}
    frame = model_frame(inputs.weekly.filter(pl.col("as_of_week").is_in(list(weeks))))
    predictions, signals = _score(frame, weeks, registry)
    market = market_part(inputs.market)
    symbols = inputs.weekly.select("as_of_week", "token_id", "symbol", "coverage", "is_liquid")
    scored = (
        predictions.join(market, on="as_of_week", how="left")
        .join(symbols, on=["as_of_week", "token_id"], how="left")
        .with_columns(pl.col("score_market").fill_null(0.0))
        .with_columns(score=pl.col("score_cross_section") + pl.col("score_market"))
    )
    recorded = connection.execute(
        "select as_of_week, score from learning.trader_grades_current where as_of_week < ? order by as_of_week",
        [max(weeks, default=context.as_of_week)],
    ).pl()
    graded = _grade(scored, recorded, registry.reference_scores().join(market, on="as_of_week", how="left"))
    reason = context.reason_for_new() if not recorded.height or context.changed_from is None else "scheduled"
    grades = graded.select("as_of_week", *TRADER_GRADES.hashed_columns, "model_version")
    calls = signals.join(symbols.select("as_of_week", "token_id", "symbol"), on=["as_of_week", "token_id"], how="left")
    indicator = bull_bear(signals).join(
        graded.group_by("as_of_week").agg(pl.col("model_version").first()), on="as_of_week", how="left"
    )
    expected = units_of(list(weeks))
    appended = {}
    for table, rows in (
        (TRADER_GRADES, grades),
        (TRADING_SIGNALS, calls.select("as_of_week", *TRADING_SIGNALS.hashed_columns, "model_version")),
        (BULL_BEAR, indicator.select("as_of_week", *BULL_BEAR.hashed_columns, "model_version")),
    ):
        appended[table.full_name] = append_corrections_apart(connection, table, rows, expected, context, reason)
    return appended


def append_corrections_apart(connection, table, rows, expected, context, reason):  # type: ignore[no-untyped-def]
    """Append weeks with a reason each: weeks recorded before are corrections, the others are new."""
    recorded = recorded_weeks(connection, table.full_name)
    results = []
    for is_known, text in ((False, reason), (True, "correction")):
        chosen = expected.filter(pl.col("as_of_week").is_in(list(recorded)) == is_known)
        if chosen.is_empty():
            continue
        part = rows.filter(pl.col("as_of_week").is_in(chosen["as_of_week"].unique().to_list()))
        results.append(append_versions(connection, table, part, provenance=context.provenance(text), units=chosen))
    return merge_appended(table.full_name, results)


def merge_appended(table_name: str, results: Sequence[Appended]) -> Appended:
    """The sum of several calls on one table."""
    return Appended(
        table_name=table_name,
        new_units=sum(result.new_units for result in results),
        new_versions=sum(result.new_versions for result in results),
        unchanged_units=sum(result.unchanged_units for result in results),
        rows=sum(result.rows for result in results),
        units=tuple(unit for result in results for unit in result.units),
    )


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    inputs: WeeklyInputs,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Evaluate the weeks whose labels have ended, as versions of `learning.model_evaluation`.

    Scores are those recorded as current now; `icir_52w` rests on the evaluations recorded before the week.
    """
    graded = (
        connection.execute("select distinct as_of_week from learning.trader_grades_current order by as_of_week")
        .pl()["as_of_week"]
        .to_list()
    )
    ended = [week for week in graded if week + EVALUATED_AFTER <= context.as_of_week]
    if weeks is None:
        recorded = recorded_weeks(connection, MODEL_EVALUATION.full_name)
        weeks = [week for week in ended if week not in recorded or _is_reached(week, context)]
    expected = units_of(list(weeks))
    empty = pl.DataFrame(
        schema={
            "as_of_week": pl.Date,
            "model": pl.String,
            "universe": pl.String,
            "metric": pl.String,
            "value": pl.Float64,
        }
    )
    if not weeks:
        return append_versions(
            connection, MODEL_EVALUATION, empty, provenance=context.provenance("scheduled"), units=expected
        )
    chosen = WeeklyInputs(inputs.weekly.filter(pl.col("as_of_week").is_in(list(weeks))), inputs.market)
    outcomes = labels_of(connection, chosen, context.as_of_week).partition_by(
        "as_of_week", as_dict=True, include_key=False
    )
    eligible = chosen.weekly.partition_by("as_of_week", as_dict=True, include_key=False)
    scores = (
        connection.execute(
            "select as_of_week, token_id, score from learning.trader_grades_current where as_of_week >= ?", [min(weeks)]
        )
        .pl()
        .partition_by("as_of_week", as_dict=True, include_key=False)
    )
    history = (
        connection.execute(
            """select as_of_week, universe, value from learning.model_evaluation_current
        where model = 'trader' and metric = 'rank_ic' order by as_of_week"""
        )
        .pl()
        .filter(~pl.col("as_of_week").is_in(list(weeks)))
    )
    evaluated = []
    for week in sorted(weeks):
        key = (week,)
        rows = evaluate_week(scores[key], outcomes[key], eligible[key]).with_columns(as_of_week=pl.lit(week))
        ics = rows.filter((pl.col("model") == "trader") & (pl.col("metric") == "rank_ic"))
        history = pl.concat([history, ics.select("as_of_week", "universe", "value")]).sort("as_of_week")
        for universe in ("broad", "liquid"):
            value = trailing_icir(history.filter((pl.col("universe") == universe) & (pl.col("as_of_week") <= week)))
            if value is not None:
                row = {
                    "model": ["trader"],
                    "universe": [universe],
                    "metric": ["icir_52w"],
                    "value": [value],
                    "as_of_week": [week],
                }
                rows = pl.concat([rows, pl.DataFrame(row)])
        evaluated.append(rows)
    return append_corrections_apart(
        connection,
        MODEL_EVALUATION,
        pl.concat(evaluated).select(empty.columns),
        expected,
        context,
        context.reason_for_new(),
    )


def _is_reached(week: date, context: RunContext) -> bool:
    """Whether a late fact of this build may change the evaluation of a week, within the reach of corrections."""
    if (
        context.rebuild_from is not None
        and context.rebuild_to is not None
        and context.rebuild_from <= week <= context.rebuild_to
    ):
        return True
    if context.changed_from is None:
        return False
    oldest = context.as_of_week - WEEK * context.correction_weeks
    label_end = week + timedelta(days=HORIZON_DAYS + LAG_DAYS - 1)
    return week > oldest and label_end >= context.changed_from


def _score(frame: pl.DataFrame, weeks: Sequence[date], registry: ModelRegistry) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions and signals of the weeks, each by its model in force."""
    refits = registry.refits()
    by_refit: dict[date, list[date]] = {}
    for week in weeks:
        due = [refit for refit in refits if refit <= week]
        if due:
            by_refit.setdefault(due[-1], []).append(week)
    predictions, signals = [], []
    for refit, scored_weeks in by_refit.items():
        model = registry.load(refit)
        if model is None:
            raise TidemarkError(
                f"the model of {refit} left the registry during the run; restore {registry.root} from a backup"
            )
        rows = predict(model, frame.filter(pl.col("as_of_week").is_in(scored_weeks))).with_columns(
            model_version=pl.lit(model.version)
        )
        predictions.append(rows)
        signals.append(call_signals(rows, model).with_columns(model_version=pl.lit(model.version)))
    if not predictions:
        raise TidemarkError(
            f"no model is in force for {list(weeks)[:3]}; the first refit is {refits[0] if refits else 'missing'}"
        )
    return pl.concat(predictions), pl.concat(signals)


def _grade(scored: pl.DataFrame, recorded: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Add trader_grade, trader_rank, is_grade_provisional and universe, week by week in order."""
    own = {
        week: frame
        for (week,), frame in scored.sort("as_of_week", "token_id").partition_by("as_of_week", as_dict=True).items()
    }
    earlier = {
        week: frame["score"].to_numpy() for (week,), frame in recorded.partition_by("as_of_week", as_dict=True).items()
    }
    earlier |= {week: frame["score"].to_numpy() for week, frame in own.items()}
    stand_in = (reference["score_cross_section"] + reference["score_market"].fill_null(0.0)).to_numpy()
    graded = []
    for week in sorted(own):
        before = [values for other, values in earlier.items() if other < week]
        is_provisional = len(before) < MINIMUM_REFERENCE_WEEKS
        pool = np.sort(np.concatenate([*before, stand_in] if is_provisional else before))
        frame = own[week]
        graded.append(
            frame.with_columns(
                trader_grade=pl.Series(percentile_grades(frame["score"].to_numpy(), pool)),
                is_grade_provisional=pl.lit(value=is_provisional),
            )
        )
    return pl.concat(graded).with_columns(
        trader_rank=cross_sectional_rank("score"),
        universe=pl.when(pl.col("is_liquid")).then(pl.lit("liquid")).otherwise(pl.lit("broad")),
        coverage=pl.col("coverage").cast(pl.Float64),
    )


def newest_refit(registry: ModelRegistry, week: date) -> str | None:
    """Version of the model in force in a week, None before the first."""
    due = [refit for refit in registry.refits() if refit <= monday_of(week)]
    model = registry.load(due[-1]) if due else None
    return model.version if model else None
