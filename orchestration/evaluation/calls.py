"""docs/results/calls.md: what the calls said and what came of them.

Belongs here: probabilities against outcomes, calls as published after hysteresis, selection apart from timing; confirmations and actions.
Does not: models trained on purpose (`experiments.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.actions import CONFIRMATIONS, ActionRules
from models_ml.learning.calendar import TRADER_HORIZON_DAYS
from models_ml.learning.evaluation.actions import record_of_groups, with_excess, worth_of_answers
from models_ml.learning.evaluation.calibration_slope import calibration_slopes
from models_ml.learning.evaluation.calls import call_precision, strongest_calls
from models_ml.learning.evaluation.discrimination import selection_auc, timing_auc, with_direction
from models_ml.learning.evaluation.probabilities import brier_scores, calibration_error, one_class, top_label
from models_ml.learning.evaluation.resampling import block_weeks
from orchestration.evaluation import calibration
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.evaluation.ranking import BANDS
from orchestration.lib.metadata import markdown_table

CALL_COLUMNS = (
    "call",
    "share_of_rows",
    "precision",
    "precision_low",
    "precision_high",
    "base_rate",
    "lift",
    "lift_low",
    "lift_high",
    "opposite",
    "opposite_low",
    "opposite_high",
    "opposite_base_rate",
)
BLOCK = block_weeks(TRADER_HORIZON_DAYS)


def page(history: History, code: str) -> str:
    """The page of the calls."""
    calls = history.query(
        "select as_of_week, token_id, signal, p_bullish, p_neutral, p_bearish from api.trading_signals"
    )
    judged = with_direction(calls.join(history.labels.select(*KEYS, "forward_barrier"), on=KEYS)).filter(
        pl.col("as_of_week") >= FIRST_WEEK
    )
    return "\n\n".join(
        [
            "# Calls, out of sample\n\nOutcome: which of +-1 sigma * sqrt(14) a close passes first within 14 days. Calls are those of "
            f"Sunday's close, after hysteresis. Weeks from {FIRST_WEEK} on; 95 % intervals from blocks of {BLOCK} weeks. Code {code}.",
            probability_section(judged),
            calibration.section(history),
            precision_section(judged),
            run_section(history),
            *action_sections(_decided(history)),
        ]
    )


def probability_section(judged: pl.DataFrame) -> str:
    """Brier scores, calibration and discrimination."""
    figures = brier_scores(judged, block=BLOCK) | {
        "calibration error of the likeliest outcome": calibration_error(
            top_label(judged), probability="p_top", outcome="is_right", block=BLOCK
        )[0],
        "calibration error of bullish": calibration_error(
            one_class(judged, "bullish"), probability="p_class", outcome="is_class", block=BLOCK
        )[0],
        "selection: AUC of P(up given move) within weeks": selection_auc(judged, block=BLOCK),
        "timing: AUC of its weekly mean across weeks": timing_auc(judged, block=BLOCK),
    }
    rows = [(name, interval.estimate, interval.low, interval.high) for name, interval in figures.items()]
    table = pl.DataFrame(rows, schema=["measure", "value", "low", "high"], orient="row")
    by_year = one_class(judged, "bullish").with_columns(year=pl.col("as_of_week").dt.year())
    slopes = calibration_slopes(by_year, probability="p_class", outcome="is_class", block=BLOCK, by="year")
    return (
        "## Probabilities\n\n"
        + markdown_table(table)
        + "\n\nCalibration of P(bullish) by year: slope below 1 is too bold, intercept above 0 too low.\n\n"
        + markdown_table(slopes)
    )


def precision_section(judged: pl.DataFrame) -> str:
    """How often the calls were right, and how often the opposite came."""
    return (
        "## Precision\n\nCalls as published, and the tenth of the rows at each end of P(bullish) - P(bearish): `opposite` above its base "
        "rate says that the model knows volatility better than direction.\n\n"
        + "\n\n".join(
            markdown_table(part.select(CALL_COLUMNS))
            for part in (call_precision(judged, block=BLOCK), strongest_calls(judged, block=BLOCK))
        )
    )


def run_section(history: History) -> str:
    """How long calls stood, and what holding the token over the run returned beside the market."""
    runs = history.query(
        f"""
        select signal, count(*) as flips, avg(coalesce(ended_date, flip_date) - flip_date) as mean_days,
            median(return_of_run) as median_return, avg(return_of_run) as mean_return, avg((return_of_run > 0)::int) as share_up
        from api.signal_flips where flip_date >= '{FIRST_WEEK}' and ended_date is not null group by signal order by signal desc
        """
    )
    return "## Runs\n\nFrom a flip to the next, daily closes, no costs.\n\n" + markdown_table(runs)


def action_sections(decided: pl.DataFrame) -> list[str]:
    """What came of the calls by number of confirmations, by each of them, by action, and of the bullish ones by grade.

    Args:
        decided: One row a week and token: as_of_week, signal, the confirmations, confirmations_true, action, position_weight,
            trader_grade, forward_barrier, forward_return_14d_lag1.
    """
    judged = with_excess(decided)
    called = judged.with_columns(
        confirmations=pl.when(pl.col("signal") != 0).then("confirmations_true"),
        grade=pl.coalesce(
            pl.when((pl.col("signal") == 1) & (pl.col("trader_grade") >= low) & (pl.col("trader_grade") < high)).then(
                pl.lit(band)
            )
            for band, (low, high) in BANDS.items()
        ),
    )
    by_confirmations = record_of_groups(called, by=["confirmations"], block=BLOCK)
    worth = worth_of_answers(judged, CONFIRMATIONS, block=BLOCK)
    proven = (
        worth.filter(pl.col("difference_low") > 0).select(pl.format("{} of {} calls", "answer", "call")).to_series()
    )
    verdict = (
        f"Above 0 with its whole interval: {', '.join(proven)}."
        if len(proven)
        else "**None has its whole interval above 0**: read confirmations as context, not as a reason to buy more."
    )
    by_grade = record_of_groups(called, by=["grade"], block=BLOCK).filter(pl.col("call") == "bullish")
    rules = ActionRules()
    sized = judged.filter(pl.col("position_weight") > 0)
    size = sized.select(mean=pl.col("position_weight").mean(), a_week=pl.len() / pl.col("as_of_week").n_unique())
    sizes = (
        f" A position was {size['mean'].item():.1%} of capital on average, {size['a_week'].item():.0f} of them a week with any."
        if sized.height
        else ""
    )
    return [
        "## Confirmations\n\n`mean_excess` is the 14-day return from a day after the call less the mean of the week's universe, mean of "
        "weekly means; `precision` the share whose barrier was passed first; `lift_in_weeks` is over the rate of the same weeks, and "
        "leaves out what is due to the choice of weeks. By how many of the five confirmations were true:\n\n"
        + markdown_table(by_confirmations.filter(pl.col("call") != "neutral"))
        + "\n\nWhat each is worth: excess return in the call's direction where it is true less where it is false, within the same "
        "weeks (the market's answer is the same for all of them, and has none). Sectors rest on undated categories (hindsight). "
        + verdict
        + "\n\n"
        + markdown_table(worth),
        "## Actions\n\nWhat came of the calls by the action of the stated rules (`models_ml/learning/actions.py`)."
        + sizes
        + f" `bands_are_ordered` is {rules.bands_are_ordered}.\n\n"
        + markdown_table(record_of_groups(judged, by=["action"], block=BLOCK))
        + "\n\nBullish calls by Trader Grade, the bands that a size growing with the grade would rest on:\n\n"
        + markdown_table(by_grade),
    ]


def _decided(history: History) -> pl.DataFrame:
    """Every call with its confirmations and action, and what happened."""
    names = ", ".join(CONFIRMATIONS)
    decided = history.query(
        f"""select as_of_week, token_id, signal, {names}, confirmations_true, action, position_weight, trader_grade
        from api.trade_actions where as_of_week >= '{FIRST_WEEK}'"""
    )
    outcomes = history.labels.select(*KEYS, "forward_barrier", "forward_return_14d_lag1")
    return decided.join(outcomes, on=KEYS)
