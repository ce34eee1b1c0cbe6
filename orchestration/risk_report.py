"""Writes docs/results/risk.md: what the risk score says of the weeks after it, and whether support and resistance hold.

Belongs here: the page. Does not: its figures (`evaluation/risk.py`, `evaluation/levels.py`).

    python -m orchestration.risk_report WAREHOUSE

WAREHOUSE is a built DuckDB file.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.price_paths import AWAY, DECIDE_DAYS, REACH_DAYS, TOUCH
from orchestration.evaluation.levels import DRAWS, FARTHEST, NEAREST, level_panel, level_skill
from orchestration.evaluation.risk import (
    DEATH_DAYS,
    FEED_END_SHARE,
    FEED_END_TOKENS,
    HORIZON_DAYS,
    LEAST_DAYS,
    SCORE,
    event_skill,
    forecast_skill,
    gain_over_best,
    outcomes_by,
    risk_panel,
    skill_by_year,
)
from orchestration.lib.metadata import markdown_table
from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "results" / "risk.md"
FIRST_WEEK = date(2020, 1, 1)
CLASSES = ("low", "medium", "high", "extreme")


def page(connection: duckdb.DuckDBPyConnection) -> str:
    """The page as Markdown."""
    panel = risk_panel(connection)
    levels = level_panel(connection).filter(pl.col("as_of_week") >= FIRST_WEEK)
    first, last = (panel.select(edge).item() for edge in (pl.col("as_of_week").min(), pl.col("as_of_week").max()))
    return "\n\n".join(
        [
            f"""# Risk score and price levels, against what came after

Written by `make evaluate`, or `python -m orchestration.risk_report WAREHOUSE`. The risk score and the levels have no fitted
parameter and were fixed before these figures were made, so every week is out of sample. Figures are of the closes of Sundays
from {FIRST_WEEK} on unless a table says otherwise; the score begins in the week of {first}, the last is that of {last}.
Intervals: 95 %, stationary bootstrap with blocks of {block_weeks(HORIZON_DAYS)} weeks, of {block_weeks(DEATH_DAYS)} where an outcome
takes {DEATH_DAYS} days.""",
            *_score_sections(panel, panel.filter(pl.col("as_of_week") >= FIRST_WEEK)),
            _levels_section(level_skill(levels)),
        ]
    )


def _score_sections(panel: pl.DataFrame, recent: pl.DataFrame) -> list[str]:
    skill, events = forecast_skill(recent), event_skill(panel)
    gains = gain_over_best(recent, skill)
    decile = (pl.col("risk_score") / 10).floor().clip(0, 9).cast(pl.Int8).alias("decile") + 1
    risk_class = pl.col("risk_class").cast(pl.Enum(CLASSES))
    return [
        _score_reading(skill, gains, events),
        f"""## Rank correlation with what came after

Mean over weeks of Spearman's correlation within the week; the predictors below the score are the simple ones it has to beat.
Rows need {LEAST_DAYS} known days of the {HORIZON_DAYS}.

{markdown_table(skill)}""",
        f"""## By decile and class of the score

`median_volatility` is annualised, `share_halved` the share that closed at half its price or less within {HORIZON_DAYS} days,
`share_faded` that which {DEATH_DAYS} days later had no price, or a market cap or volume below what the broad universe asks for.

{markdown_table(outcomes_by(recent, decile))}

{markdown_table(outcomes_by(recent, risk_class))}""",
        f"""## By year

{markdown_table(skill_by_year(panel))}""",
        f"""## Halving, fading and death

All weeks since the score begins. AUC: chance that of a token to which it happened and one of the same week to which it did not
the former had the higher value; 0.5 is no skill. A death is a last price within {DEATH_DAYS} days; days on which at least
{FEED_END_TOKENS} tokens and {FEED_END_SHARE:.0%} of those priced end together are ends of a source, and their tokens unknown.
A small cap fades most easily because fading is defined by the cap.

{markdown_table(events)}""",
    ]


def _score_reading(skill: pl.DataFrame, gains: pl.DataFrame, events: pl.DataFrame) -> str:
    """What the tables say of the score, in words that follow from the numbers."""
    lines = []
    scores = {row["outcome"]: row for row in skill.filter(pl.col("predictor") == SCORE).iter_rows(named=True)}
    for gain in gains.iter_rows(named=True):
        score = scores[gain["outcome"]]
        verdict = _verdict(gain, "it forecasts better", "it forecasts worse", "it cannot be told apart")
        lines.append(
            f"- {gain['outcome']}: rank correlation {score['mean']:.3f} ({_span(score)}). Against {gain['best']}, the best of the\n"
            f"  simple predictors, {verdict}: {gain['mean']:+.3f} ({_span(gain)})."
        )
    for row in events.filter(pl.col("predictor") == SCORE).iter_rows(named=True):
        verdict = _verdict(row, "above chance", "below chance", "not shown to differ from chance", chance=0.5)
        lines.append(
            f"- {row['event']}: AUC {row['auc']:.3f} ({_span(row)}) over {row['tokens_with_one']} tokens; {verdict}."
        )
    return "\n".join(lines)


def _levels_section(turns: pl.DataFrame) -> str:
    verdicts = (
        "holds more often than a random level",
        "holds less often than a random level",
        "cannot be told from a random level",
    )
    reading = "\n".join(
        f"- {row['side']}, {row['levels']}: {_verdict(row, *verdicts)} ({row['difference']:+.3f}, {_span(row)})."
        for row in turns.iter_rows(named=True)
    )
    return f"""## Support and resistance

Levels of `api.support_resistance` at {NEAREST:g} to {FARTHEST:g} average moves. A level is reached on the first of {REACH_DAYS} days
that closes within {TOUCH:g} moves of it or beyond, and then holds where a close {AWAY:g} move on the near side comes before one as far
beyond, within {DECIDE_DAYS} days. `held` is the share of those decided; as closes leap over levels, it is below one half for any level.
Random levels have the distances of other tokens' levels of the same week and number of swings, dealt by permutation {DRAWS}
times; `difference` is held less held_random.

{markdown_table(turns)}

{reading}
"""


def _verdict(row: Mapping[str, Any], above: str, below: str, neither: str, *, chance: float = 0.0) -> str:
    if row["low"] is None:
        return "too few to say"
    return above if row["low"] > chance else below if row["high"] < chance else neither


def _span(row: Mapping[str, Any]) -> str:
    return "no interval" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"


def write_risk_page(warehouse: Path) -> None:
    """Write docs/results/risk.md from a built warehouse."""
    with connect(warehouse, read_only=True) as connection:
        PAGE.write_text(page(connection), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Write the page, or say how."""
    if len(arguments) != 1:
        sys.exit("usage: python -m orchestration.risk_report WAREHOUSE")
    write_risk_page(Path(arguments[0]))
    print(f"wrote {PAGE.relative_to(REPOSITORY_ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
