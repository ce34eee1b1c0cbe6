"""The report card: what was said and what came of it, misses included; published and backfilled calls are never pooled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models_ml.learning.evaluation.intervals import mean_interval
from orchestration.site.charts import line_chart
from orchestration.site.formats import call, change, day, interval, number, percent, points
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, sign, table

BLOCK_WEEKS = 3
"""Outcomes of fourteen days overlap: weeks are drawn in runs of so many."""

GROUP_ORDER = {
    name: place
    for place, name in enumerate(("bullish", "neutral", "bearish", "80 and above", "60 to 80", "50 to 60", "below 50"))
}
GROUPINGS = {"call": "Calls", "grade": "Bands of the Trader Grade"}


def record(copy: Published) -> Page:
    """The page."""
    origins = [
        row["call_origin"]
        for row in copy.rows("select distinct call_origin from api.report_card order by call_origin desc")
    ]
    return Page(
        path="report-card.html",
        title="Report card",
        template="record.html",
        section="Report card",
        context={
            "cards": [
                _card(copy, origin, grouping, title) for origin in origins for grouping, title in GROUPINGS.items()
            ],
            "skill": [chart for chart in (_skill(copy, model) for model in ("trader", "investor")) if chart],
            "calibration": _calibration(copy),
            "worst": _worst(copy),
            "models": _models(copy),
        },
    )


def _card(copy: Published, origin: str, grouping: str, title: str) -> Any:
    rows = copy.rows(
        """select group_name, sum(calls) as calls,
            sum(precision * calls_known) / sum(calls_known) filter (precision is not null) as precision,
            sum(base_rate * calls_known) / sum(calls_known) filter (base_rate is not null) as base_rate,
            sum(hit_rate_over_bitcoin * calls_known) / sum(calls_known) as hit_rate,
            sum(worst_decile_share * calls_known) / sum(calls_known) as worst_decile
        from api.report_card where call_origin = $origin and grouping = $grouping group by group_name""",
        origin=origin,
        grouping=grouping,
    )
    excess = weekly_excess(copy, origin, grouping)
    for row in rows:
        weekly = excess.get(row["group_name"])
        found = mean_interval(weekly, block=BLOCK_WEEKS) if weekly is not None else None
        row["excess"] = found.estimate if found else None
        row["interval"] = (
            interval(change(found.low, 2), change(found.high, 2)) if found and found.low is not None else None
        )
        row["median"] = float(np.median(weekly)) if weekly is not None else None
    rows.sort(key=lambda row: GROUP_ORDER.get(row["group_name"], len(GROUP_ORDER)))
    return table(
        f"card-{origin}-{grouping}",
        f"{title}, {origin}, all months together: fourteen days on, against the market of the same days. "
        "The excess is the mean of weekly means; its interval holds nineteen in twenty times, from blocks of three weeks. Where mean and "
        "median are far apart, single weeks decide the mean.",
        rows,
        [
            Column("Group", "group_name"),
            Column("Calls", "calls", number, is_number=True),
            Column("Right", "precision", percent, is_number=True),
            Column("Base rate", "base_rate", percent, is_number=True),
            Column("Excess over the market", "excess", lambda value: change(value, 2), is_number=True, tone=sign),
            Column("Interval", "interval", str),
            Column("Median week", "median", lambda value: change(value, 2), is_number=True, tone=sign),
            Column("Beat bitcoin", "hit_rate", percent, is_number=True),
            Column("Among the worst tenth", "worst_decile", percent, is_number=True),
        ],
    )


def weekly_excess(copy: Published, origin: str, grouping: str) -> dict[str, npt.NDArray[np.float64]]:
    """The mean excess over the market (fraction) of each week with a known one, oldest first, by group of a grouping of `GROUPINGS`."""
    group = {"call": "signal", "grade": "grade_band"}[grouping]
    # Groups are spelled out: `group by all` would take in what `having` names, and a row would be a token's week.
    frame = copy.frame(
        f"""select {group} as member, as_of_week, avg(excess_over_market) as excess from api.call_outcomes
        where call_origin = $origin and {group} is not null and excess_over_market is not null
        group by {group}, as_of_week order by {group}, as_of_week""",
        origin=origin,
    )
    return {
        call(key[0]) if grouping == "call" else key[0]: rows["excess"].to_numpy()
        for key, rows in frame.partition_by("member", as_dict=True, maintain_order=True).items()
    }


def _skill(copy: Published, model: str) -> Any:
    frame = copy.frame(
        """select as_of_week, max(mean_value) filter (metric = 'rank_ic_lag1') as ic,
            max(mean_value) filter (metric = 'partial_rank_ic') as partial
        from api.model_evaluation_cumulative where model = $model and universe = 'broad' group by as_of_week order by as_of_week""",
        model=model,
    )
    values = [value for name in ("ic", "partial") for value in frame[name].drop_nulls().to_list()]
    return line_chart(
        f"{model.capitalize()} Grade: mean rank correlation with later returns so far",
        frame["as_of_week"],
        {"with a day of lag": frame["ic"], "beyond known factors": frame["partial"]},
        write=lambda value: points(value, 2),
        # Zero, no skill, is always on the scale.
        bounds=(min(0.0, *values), max(0.0, *values)) if values else None,
    )


def _calibration(copy: Published) -> Any:
    rows = copy.rows(
        """select call_origin, bin, count(*) as calls, avg(p_bullish) as said, avg((outcome = 1)::int) as came
        from (
            select call_origin, least(floor(p_bullish * 10), 9)::int as bin, p_bullish, outcome
            from api.call_outcomes inner join api.trading_signals using (as_of_week, token_id)
            where outcome is not null
        ) group by call_origin, bin order by call_origin desc, bin"""
    )
    for row in rows:
        row["range"] = f"{10 * row['bin']} to {10 * row['bin'] + 10} %"
    return table(
        "calibration",
        "When a bullish outcome was said to be so likely, how often it came.",
        rows,
        [
            Column("Said", "range"),
            Column("Origin", "call_origin"),
            Column("Token-weeks", "calls", number, is_number=True),
            Column("Mean of what was said", "said", percent, is_number=True),
            Column("Came", "came", percent, is_number=True),
        ],
    )


def _worst(copy: Published) -> Any:
    rows = copy.rows(
        """select as_of_week, token_id, symbol, trader_grade, return_14d, excess_over_market, call_origin from api.call_outcomes
        where signal = 1 and return_14d is not null order by return_14d, as_of_week, token_id limit 15"""
    )
    return table(
        "worst",
        "The fifteen bullish calls after which most was lost.",
        rows,
        [
            Column("Week", "as_of_week", day),
            Column("Token", "symbol"),
            Column("Grade then", "trader_grade", lambda value: number(value, 0), is_number=True),
            Column("Return in 14 days", "return_14d", change, is_number=True, tone=sign),
            Column("Less the market", "excess_over_market", change, is_number=True, tone=sign),
            Column("Origin", "call_origin"),
        ],
    )


def _models(copy: Published) -> Any:
    rows = copy.rows(
        """select model, refit_date, training_rows, column_count, mean_rank_ic, evaluated_weeks, expires_date, is_in_force
        from api.models where is_in_force order by model"""
    )
    return table(
        "models",
        "Models in force.",
        rows,
        [
            Column("Model", "model"),
            Column("Trained on", "refit_date", day),
            Column("Rows", "training_rows", number, is_number=True),
            Column("Features", "column_count", number, is_number=True),
            Column("Rank correlation since", "mean_rank_ic", lambda value: points(value, 3), is_number=True),
            Column("Over weeks", "evaluated_weeks", number, is_number=True),
            Column("Trusted until", "expires_date", day),
        ],
    )
