"""Challengers of the trader head, trained and scored in shadow: docs/results/challengers.md.

Belongs here: the walk-forward of each challenger beside the champion's, and the verdict of the promotion rule.
Does not: the challengers and the rule (`models_ml/learning/challengers.py`), the weekly run, which knows the champion only.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from models_ml.learning.challengers import CHALLENGERS, CHAMPION, RULE, UNIVERSES, Gain, judge_challenger
from models_ml.learning.dataset import model_frame
from models_ml.learning.evaluation.intervals import paired_difference
from models_ml.learning.ranking import RankingHead
from orchestration.evaluation.experiments import BLOCK, Outcome, walk_forward
from orchestration.evaluation.history import FIRST_WEEK, History
from orchestration.lib.metadata import markdown_table

CHAMPION_NAME = "champion"


def page(history: History, code: str) -> str:
    """The page: every challenger beside the champion, and what the rule says of it."""
    frame = model_frame(history.weekly)
    heads: Mapping[str, RankingHead] = {CHAMPION_NAME: CHAMPION, **CHALLENGERS}
    outcomes = {name: walk_forward(history, frame, history.labels, head=head) for name, head in heads.items()}
    return (
        "# Challengers\n\nOther ways to build the trader head, in whole walk-forwards of their own (refitted once a year, like the "
        f"champion here), judged by the 14-day return from the close a day after the call, from {FIRST_WEEK} on. Code {code}.\n\n"
        f"**Rule.** {RULE} Promotion is a change of the code that acts from the next refit on. {len(CHALLENGERS)} challengers are tried at "
        "once: the more of them, the likelier one passes by luck, so the number stands here.\n\n" + comparison(outcomes)
    )


def comparison(outcomes: Mapping[str, Outcome]) -> str:
    """The table of paired gains and the verdict of each challenger.

    Args:
        outcomes: Walk-forwards by name, the champion's as `champion`.
    """
    champion = outcomes[CHAMPION_NAME]
    rows: list[tuple[object, ...]] = []
    verdicts = []
    for name, outcome in outcomes.items():
        gains = []
        for universe in UNIVERSES:
            partial = _gain(outcome.partial, champion.partial, universe)
            rank = _gain(outcome.ics, champion.ics, universe)
            rows.append((name, universe, "partial_rank_ic", _mean(outcome.partial, universe), *partial))
            rows.append((name, universe, "rank_ic", _mean(outcome.ics, universe), *rank))
            gains.append(Gain(universe, partial[1], rank[0] or 0.0))
        if name != CHAMPION_NAME:
            verdict = judge_challenger(gains)
            said = "**promoted**" if verdict.is_promoted else f"not promoted: {'; '.join(verdict.reasons)}"
            verdicts.append(f"- {name}: {said}.")
    table = pl.DataFrame(
        rows, schema=["variant", "universe", "measure", "mean", "gain", "gain_low", "gain_high", "weeks"], orient="row"
    )
    return (
        f"## Paired by week\n\nIntervals from blocks of {BLOCK} weeks.\n\n{markdown_table(table)}\n\n## Verdicts\n\n"
        + "\n".join(verdicts)
    )


def _gain(
    own: pl.DataFrame, champion: pl.DataFrame, universe: str
) -> tuple[float | None, float | None, float | None, int]:
    """Mean paired gain with its interval and the weeks it rests on."""
    chosen = pl.col("universe") == universe
    gain = paired_difference(own.filter(chosen), champion.filter(chosen), block=BLOCK)
    mean, low, high, weeks = gain.select("mean", "low", "high", "weeks").row(0)
    return mean, low, high, weeks


def _mean(weekly: pl.DataFrame, universe: str) -> float:
    mean = weekly.filter(pl.col("universe") == universe)["value"].mean()
    return float(mean) if isinstance(mean, float) else float("nan")
