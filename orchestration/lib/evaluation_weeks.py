"""How the grades of a week turned out, once their labels have ended, as versions.

Belongs here: which heads are evaluated, which weeks can be, and the rows they become.
Does not: metrics (`models_ml.learning.evaluation`), grades (`calls.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, LAG_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.evaluation import evaluate_groups, evaluate_week, trailing_icir
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.training import labels_of
from orchestration.lib.versioned_tables import (
    INVESTOR_EVALUATION,
    INVESTOR_GRADES,
    MODEL_EVALUATION,
    TRADER_GRADES,
    VersionedTable,
)
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import features_of_weeks, sectors_of_weeks
from orchestration.lib.weekly_versions import append_weeks
from orchestration.lib.weeks import WEEK


@dataclass(frozen=True)
class EvaluatedHead:
    """A ranking head as its weeks are evaluated.

    Attributes:
        name: Its name in the column model.
        grades: Table of its scores.
        table: Table of its evaluation: a week has one version before any of another horizon could be known.
        horizon_days: How far its label looks ahead.
    """

    name: str
    grades: VersionedTable
    table: VersionedTable
    horizon_days: int

    @property
    def evaluated_after(self) -> timedelta:
        """A week is evaluated on the first Monday by which its lagged label has ended."""
        return -(-(self.horizon_days + LAG_DAYS) // 7) * WEEK

    def label_end(self, week: date) -> date:
        """Day of the last close that the lagged label of a week reads."""
        return week + timedelta(days=self.horizon_days + LAG_DAYS - 1)


EVALUATED_TRADER = EvaluatedHead("trader", TRADER_GRADES, MODEL_EVALUATION, TRADER_HORIZON_DAYS)
EVALUATED_INVESTOR = EvaluatedHead("investor", INVESTOR_GRADES, INVESTOR_EVALUATION, INVESTOR_HORIZON_DAYS)
EVALUATED_HEADS = (EVALUATED_TRADER, EVALUATED_INVESTOR)


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    head: EvaluatedHead,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Evaluate the weeks of a head whose labels have ended, as versions of its table.

    Scores are those recorded as current now; `icir_52w` rests on the evaluations recorded before the week.
    """
    if weeks is None:
        weeks = weeks_to_evaluate(connection, context, head, head.table)
    if not weeks:
        return Appended.nothing(head.table)
    rows = with_trailing_icir(_metrics(connection, context, head, weeks), _recorded_ics(connection, head, weeks), head)
    return append_weeks(connection, head.table, rows, weeks, context)


def _metrics(
    connection: duckdb.DuckDBPyConnection, context: RunContext, head: EvaluatedHead, weeks: Sequence[date]
) -> pl.DataFrame:
    """as_of_week, model, universe, metric, value of the weeks, but for what rests on other weeks."""
    keys = ["as_of_week", "token_id"]
    eligible = features_of_weeks(connection, weeks)
    outcomes = labels_of(connection, eligible, context.as_of_week)
    scores = connection.execute(
        f"""select as_of_week, token_id, score from {head.grades.current_view_sql_name}
        where as_of_week in (select unnest(?::date[]))""",
        [list(weeks)],
    ).pl()
    panel = (
        eligible.join(sectors_of_weeks(connection, weeks), on=keys, how="left")
        .join(scores, on=keys, how="left")
        .join(outcomes, on=keys, how="left")
    )
    by_week = [
        frame.partition_by("as_of_week", as_dict=True, include_key=False) for frame in (scores, outcomes, eligible)
    ]
    whole = pl.concat(
        evaluate_week(*(frames[(week,)] for frames in by_week), model=head.name, horizon_days=head.horizon_days).select(
            pl.lit(week).alias("as_of_week"), pl.all()
        )
        for week in sorted(weeks)
    )
    return pl.concat([whole, evaluate_groups(panel, model=head.name, horizon_days=head.horizon_days)])


def _recorded_ics(connection: duckdb.DuckDBPyConnection, head: EvaluatedHead, weeks: Sequence[date]) -> pl.DataFrame:
    """Rank ICs that other evaluations than those of the weeks recorded: as_of_week, universe, value."""
    return connection.execute(
        f"""select as_of_week, universe, value from {head.table.current_view_sql_name}
        where model = ? and universe in ('broad', 'liquid') and metric = 'rank_ic'
            and as_of_week not in (select unnest(?::date[])) order by as_of_week""",
        [head.name, list(weeks)],
    ).pl()


def with_trailing_icir(rows: pl.DataFrame, recorded: pl.DataFrame, head: EvaluatedHead) -> pl.DataFrame:
    """The rows with icir_52w of the broad and the liquid universe, where there are enough weeks up to theirs.

    Args:
        rows: Metrics of some weeks: as_of_week, model, universe, metric, value.
        recorded: Rank ICs of other weeks: as_of_week, universe, value.
        head: Whose rows they are.
    """
    own = rows.filter((pl.col("model") == head.name) & (pl.col("metric") == "rank_ic"))
    history = pl.concat([recorded, own.select(recorded.columns)]).sort("as_of_week")
    trailing = [
        (week, head.name, universe, "icir_52w", value)
        for week in rows["as_of_week"].unique().sort()
        for universe in ("broad", "liquid")
        if (value := trailing_icir(history.filter(universe=universe).filter(pl.col("as_of_week") <= week))) is not None
    ]
    return pl.concat([rows, pl.DataFrame(trailing, schema=rows.schema, orient="row")])


def weeks_to_evaluate(
    connection: duckdb.DuckDBPyConnection, context: RunContext, head: EvaluatedHead, table: VersionedTable
) -> list[date]:
    """Graded weeks whose labels have ended and that a table of outcomes lacks, or that a late fact may have changed."""
    graded = connection.execute(
        f"select distinct as_of_week from {head.grades.current_view_sql_name} order by as_of_week"
    ).fetchall()
    recorded = recorded_weeks(connection, table.full_name)
    ended = [week for (week,) in graded if week + head.evaluated_after <= context.as_of_week]
    return [week for week in ended if week not in recorded or _is_reached(week, context, head)]


def _is_reached(week: date, context: RunContext, head: EvaluatedHead) -> bool:
    """Whether a late fact of this build may change the evaluation of a week, within the reach of corrections.

    The reach counts from the Monday the evaluation was due: the labels of an Investor Grade end when its week is older than the reach.
    """
    if context.is_asked(week):
        return True
    if context.changed_from is None:
        return False
    is_in_reach = week + head.evaluated_after > context.oldest_correction
    return is_in_reach and head.label_end(week) >= context.changed_from
