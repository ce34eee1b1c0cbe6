"""make evaluate: every quality figure of the docs, measured on real history and on the null market, into docs/results/.

Belongs here: which figures there are and how they are written down.
Does not: the weekly run (`commands.py`), metrics of a week (`models_ml.learning.evaluation`).

The folder with the history is ARCHIVE, by default the shared data beside the project. Nothing is tuned on what is printed here.
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from models_ml.learning.calendar import HORIZON_DAYS, refit_dates
from models_ml.learning.dataset import model_frame
from models_ml.learning.evaluation.baselines import permuted_within_weeks
from models_ml.learning.evaluation.calibration_slope import calibration_slopes
from models_ml.learning.evaluation.calls import call_precision, strongest_calls
from models_ml.learning.evaluation.discrimination import selection_auc, timing_auc, with_direction
from models_ml.learning.evaluation.performance import VOLUME
from models_ml.learning.evaluation.probabilities import brier_scores, calibration_error, one_class, top_label
from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS, LAGGED_OUTCOME
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.trader_model import predict, train
from models_ml.learning.walk_forward import first_refit, training_rows
from orchestration.cleaning_report import write_report
from orchestration.evaluation_sections import attribution_section, portfolio_section, skill_sections
from orchestration.lib.calls import WeeklyInputs, labels_of, read_inputs
from orchestration.lib.code_version import code_version
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.metadata import markdown_table
from orchestration.lib.warehouse import connect
from orchestration.lib.weekly_inputs import token_of_day
from orchestration.risk_report import write_risk_page
from orchestration.sector_report import write_page
from orchestration.settings import REPOSITORY_ROOT

RESULTS = REPOSITORY_ROOT / "docs" / "results"
FIRST_WEEK = date(2020, 1, 1)
"""Figures start where the reference of the shared results does."""

PERMUTATIONS = 5
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


def main() -> int:
    """Measure and write; returns the exit code."""
    archive = Path(os.environ.get("TIDEMARK_ARCHIVE", REPOSITORY_ROOT.parent / "shared" / "data"))
    if not archive.is_dir():
        print(
            f"tidemark: {archive} is not a folder; make evaluate needs real history, ARCHIVE=<folder>", file=sys.stderr
        )
        return 2
    # Threads that spin while they wait make training many times slower as soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.monotonic()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tidemark-evaluate-") as scratch:
        real = DataFolder(Path(scratch) / "real")
        null = DataFolder(Path(scratch) / "null")
        run_weekly(real, {"TIDEMARK_SOURCE": "archive", "TIDEMARK_ARCHIVE": str(archive)})
        write_report(real)
        labels = archive / "sectors_manual.parquet"
        write_page(real.warehouse, labels if labels.is_file() else None)
        write_risk_page(real.warehouse)
        run_weekly(null, {"TIDEMARK_SOURCE": "simulated", "TIDEMARK_SIMULATION__IS_NULL": "true"})
        sections = [
            heading(real),
            *ranking_sections(real),
            signal_section(real),
            permutation_section(real),
            null_section(null),
        ]
    minutes = (time.monotonic() - started) / 60
    text = "\n\n".join([*sections, f"Measured in {minutes:.0f} minutes by `make evaluate`.", READING])
    (RESULTS / "ranking.md").write_text(text + "\n")
    print(text)
    return 0


READING = """Reading it: the plain reference of the shared results reaches 0.137 (0.123 with a day of lag) on its broad universe and a
partial rank IC of 0.059; most of both is the low-volatility effect, which stands beside it as a baseline. `label_coverage` falls to
0.42 in the weeks around 2020-12-16, where the CoinMarketCap history ends: those tokens have a score and no known outcome."""


def run_weekly(folder: DataFolder, environment: Mapping[str, str]) -> None:
    """Run the weekly job in a process of its own, as a user would."""
    inherited = {name: value for name, value in os.environ.items() if name != "TIDEMARK_AS_OF"}
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run"],
        env={**inherited, **environment, "TIDEMARK_DATA_DIR": str(folder.root)},
        cwd=REPOSITORY_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise TidemarkError(f"the run {dict(environment)} failed: {(done.stdout + done.stderr).strip()[-600:]}")


def heading(folder: DataFolder) -> str:
    """What was measured, by which code."""
    with connect(folder.warehouse, read_only=True) as connection:
        span = connection.execute("select min(as_of_week), max(as_of_week) from api.trader_grades").fetchone()
    weeks = f"{span[0]} to {span[1]}" if span else "no week"
    return (
        "# Ranking, out of sample\n\n"
        "Walk-forward: quarterly refits on expanding windows, purged by 16 days; every score comes from a model that had not seen\n"
        "its week. `rank_ic` is Spearman's correlation of the score at Sunday's close with the 14-day return, `rank_ic_lag1` with\n"
        "the return from Monday's close. Sectors and part of the exclusions rest on undated categories (hindsight).\n"
        f"Graded weeks {weeks}; figures from {FIRST_WEEK} on unless a row says otherwise. Code {code_version()}."
    )


def ranking_sections(folder: DataFolder) -> list[str]:
    """Skill by universe and year, beside the baselines, and what is left beyond the known factors."""
    with connect(folder.warehouse, read_only=True) as connection:
        rows = connection.execute("select * from api.model_evaluation").pl()
        scores = connection.execute("select as_of_week, token_id, score from api.trader_grades").pl()
        last = connection.execute("select max(as_of_week) from api.trader_grades").fetchone()
        until = last[0] if last else FIRST_WEEK
        inputs = read_inputs(connection, until)
        labels = labels_of(connection, inputs, until)
        sectors = connection.execute(
            f"""select universe.market_date + 1 as as_of_week, universe.token_id, tokens.sector
            from marts.fct_universe_daily as universe inner join {token_of_day("universe")}
            where universe.is_broad and isodow(universe.market_date) = 7"""
        ).pl()
    recent = rows.filter(pl.col("as_of_week") >= FIRST_WEEK)
    skill = (
        recent.filter(pl.col("metric").is_in(["rank_ic", "rank_ic_lag1", "decile_spread"]))
        .group_by("universe", "model", "metric")
        .agg(
            mean=pl.col("value").mean(),
            icir=pl.col("value").mean() / pl.col("value").std(),
            share_above_0=(pl.col("value") > 0).mean(),
            weeks=pl.len(),
        )
        .sort("universe", "metric", "model")
    )
    by_year = (
        rows.filter((pl.col("model") == "trader") & pl.col("metric").is_in(["rank_ic", "rank_ic_lag1"]))
        .group_by(pl.col("as_of_week").dt.year().alias("year"), "universe", "metric")
        .agg(mean=pl.col("value").mean())
        .with_columns(name=pl.col("universe") + " " + pl.col("metric"))
        .pivot("name", index="year", values="mean", sort_columns=True)
        .sort("year")
    )
    coverage = (
        recent.filter(pl.col("metric").is_in(["coverage", "label_coverage", "tokens"]))
        .group_by("universe", "metric")
        .agg(mean=pl.col("value").mean(), smallest=pl.col("value").min())
        .sort("universe", "metric")
    )
    keys = ["as_of_week", "token_id"]
    panel = (
        inputs.weekly.select(*keys, "is_liquid", VOLUME, *KNOWN_FACTORS)
        .join(scores, on=keys)
        .join(sectors, on=keys, how="left")
        .join(labels.select(*keys, LAGGED_OUTCOME), on=keys, how="left")
        .filter(pl.col("as_of_week") >= FIRST_WEEK)
    )
    return [
        "## Skill and baselines\n\n" + markdown_table(skill),
        "## By year\n\n" + markdown_table(by_year),
        "## Coverage\n\nShare of the universe with a score, and with a known return.\n\n" + markdown_table(coverage),
        *skill_sections(panel),
        portfolio_section(panel),
        attribution_section(panel),
    ]


def signal_section(folder: DataFolder) -> str:
    """Calls against what happened: Brier score beside the base rates, and how often each call was right."""
    with connect(folder.warehouse, read_only=True) as connection:
        calls = connection.execute(
            "select as_of_week, token_id, signal, p_bullish, p_neutral, p_bearish from api.trading_signals"
        ).pl()
        last = connection.execute("select max(as_of_week) from api.trader_grades").fetchone()
        until = last[0] if last else FIRST_WEEK
        outcomes = labels_of(connection, read_inputs(connection, until), until)
    judged = with_direction(
        calls.join(outcomes.select("as_of_week", "token_id", "forward_barrier"), on=["as_of_week", "token_id"])
    ).filter(pl.col("as_of_week") >= FIRST_WEEK)
    block = block_weeks(HORIZON_DAYS)
    figures = brier_scores(judged, block=block) | {
        "calibration error of the likeliest outcome": calibration_error(
            top_label(judged), probability="p_top", outcome="is_right", block=block
        )[0],
        "calibration error of bullish": calibration_error(
            one_class(judged, "bullish"), probability="p_class", outcome="is_class", block=block
        )[0],
        "selection: AUC of P(up given move) within weeks": selection_auc(judged, block=block),
        "timing: AUC of its weekly mean across weeks": timing_auc(judged, block=block),
    }
    rows = [(name, interval.estimate, interval.low, interval.high) for name, interval in figures.items()]
    table = pl.DataFrame(rows, schema=["measure", "value", "low", "high"], orient="row")
    by_year = one_class(judged, "bullish").with_columns(year=pl.col("as_of_week").dt.year())
    slopes = calibration_slopes(by_year, probability="p_class", outcome="is_class", block=block, by="year")
    return (
        "## Calls\n\nOutcome: which of +-1 sigma * sqrt(14) a close passes first within 14 days.\n\n"
        + markdown_table(table)
        + "\n\nCalibration of P(bullish) by year: slope below 1 is too bold, intercept above 0 too low.\n\n"
        + markdown_table(slopes)
        + "\n\nCalls as made, and the tenth of the rows at each end of P(bullish) - P(bearish): `opposite` above its base rate would "
        "say that the model knows volatility and not direction.\n\n"
        + "\n\n".join(
            markdown_table(part.select(CALL_COLUMNS))
            for part in (call_precision(judged, block=block), strongest_calls(judged, block=block))
        )
    )


def walk_forward_ic(inputs: WeeklyInputs, labels: pl.DataFrame, *, until: date) -> float:
    """Mean weekly rank IC of a whole walk-forward on given labels, from FIRST_WEEK or the first refit on."""
    frame = model_frame(inputs.weekly)
    first = first_refit(frame, until)
    if first is None:
        raise ValueError(f"no refit has 52 weeks of labels before {until}")
    refits = refit_dates(first, until)
    scored = []
    for number, refit in enumerate(refits):
        end = refits[number + 1] if number + 1 < len(refits) else until + timedelta(days=7)
        weeks = frame.filter((pl.col("as_of_week") >= refit) & (pl.col("as_of_week") < end))
        if end > FIRST_WEEK and weeks.height:
            scored.append(predict(train(training_rows(frame, refit), labels, refit=refit), weeks))
    joined = pl.concat(scored).join(labels, on=["as_of_week", "token_id"]).drop_nulls("forward_return_14d")
    weekly = (
        joined.filter(pl.col("as_of_week") >= FIRST_WEEK)
        .group_by("as_of_week")
        .agg(ic=pl.corr("score_cross_section", "forward_return_14d", method="spearman"), tokens=pl.len())
        .filter((pl.col("tokens") >= 20) & pl.col("ic").is_finite())
    )
    return float(weekly["ic"].mean() or 0.0)  # type: ignore[arg-type]  # of floats


def permutation_section(folder: DataFolder) -> str:
    """The whole walk-forward on permuted labels: skill found there would be a leak."""
    with connect(folder.warehouse, read_only=True) as connection:
        last = connection.execute("select max(as_of_week) from api.trader_grades").fetchone()
        until = last[0] if last else FIRST_WEEK
        inputs = read_inputs(connection, until)
        labels = labels_of(connection, inputs, until)
    values = [
        walk_forward_ic(inputs, permuted_within_weeks(labels, seed), until=until) for seed in range(1, PERMUTATIONS + 1)
    ]
    return (
        f"## Permuted labels\n\nMean weekly rank IC of {PERMUTATIONS} whole walk-forwards on labels dealt to other tokens of the week: "
        + ", ".join(f"{value:+.4f}" for value in values)
        + f"; mean {np.mean(values):+.4f}."
    )


def null_section(folder: DataFolder) -> str:
    """The weekly job on the simulated market in which nothing predicts anything."""
    with connect(folder.warehouse, read_only=True) as connection:
        row = connection.execute(
            """select avg(value), count(*), stddev_samp(value) / sqrt(count(*)) from api.model_evaluation
            where model = 'trader' and universe = 'broad' and metric = 'rank_ic'"""
        ).fetchone()
    mean, weeks, error = row if row else (float("nan"), 0, float("nan"))
    return (
        f"## Null market\n\nMean weekly rank IC of the weekly job on the null market: {mean:+.4f} over {weeks} weeks "
        f"(standard error {error:.4f})."
    )


if __name__ == "__main__":
    sys.exit(main())
