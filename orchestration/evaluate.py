"""make evaluate: every quality figure of the docs, measured on real history and on the null market, into docs/results/.

Belongs here: the runs the figures rest on, the order of the pages, and where an interrupted evaluation goes on.
Does not: the weekly run (`commands.py`), what a page shows (`orchestration/evaluation/`).

The folder with the history is ARCHIVE, by default the shared data beside the project. Nothing is tuned on what is printed here. Runs and
finished pages are kept below the data folder under the version of the code: a second call goes on where the first stopped.
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import duckdb

from orchestration.cleaning_report import write_report
from orchestration.evaluation import (
    ai_rules,
    calls,
    case_studies,
    challengers,
    claims,
    confidence,
    experiments,
    index_survivors,
    index_twins,
    moonshots,
    planted,
    price_share,
    ranges,
    ranking,
    survivors,
)
from orchestration.evaluation.case_pictures import draw_cases
from orchestration.evaluation.claims_panel import read_panel
from orchestration.evaluation.claims_picture import draw_effects
from orchestration.evaluation.history import History, read_history
from orchestration.lib.code_version import code_version
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.warehouse import connect
from orchestration.replica_report import write_replica_page
from orchestration.risk_report import write_risk_page
from orchestration.sector_report import write_page
from orchestration.sentiment_report import write_sentiment_page
from orchestration.settings import REPOSITORY_ROOT

RESULTS = REPOSITORY_ROOT / "docs" / "results"
IMAGES = REPOSITORY_ROOT / "docs" / "images"
WORK = REPOSITORY_ROOT / "data" / "evaluate"


def main() -> int:
    """Measure and write; returns the exit code."""
    archive = Path(os.environ.get("TIDEMARK_ARCHIVE", REPOSITORY_ROOT.parent / "shared" / "data"))
    if not archive.is_dir():
        print(
            f"tidemark: {archive} is not a folder; make evaluate needs real history, ARCHIVE=<folder>", file=sys.stderr
        )
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    work = WORK / code_version()
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    todo = steps(archive, work)
    for number, (name, step) in enumerate(todo.items(), start=1):
        counted = f"{number:>6} of {len(todo)}"
        done = work / f"{name}.done"
        if done.exists():
            print(f"  {name:<20} done before{counted}")
            continue
        began = time.monotonic()
        try:
            step()
        except TidemarkError as error:
            print(f"tidemark: {name}: {error}; make evaluate again goes on from here", file=sys.stderr)
            return 1
        done.touch()
        print(f"  {name:<20} {time.monotonic() - began:9.1f} s{counted}", flush=True)
    print(f"Measured in {(time.monotonic() - started) / 60:.0f} minutes; the pages lie in {RESULTS}")
    return 0


def steps(archive: Path, work: Path) -> dict[str, Callable[[], None]]:
    """The steps in order: two weekly runs, then a page each."""
    real, null = DataFolder(work / "real"), DataFolder(work / "null")
    code = code_version()

    @cache
    def history() -> History:
        return read_history(real.warehouse)

    def write(page: str, text: Callable[[], str]) -> Callable[[], None]:
        def step() -> None:
            (RESULTS / f"{page}.md").write_text(text() + "\n")

        return step

    def from_warehouse(page: Callable[[duckdb.DuckDBPyConnection, str], str]) -> Callable[[], str]:
        def text() -> str:
            with connect(real.warehouse, read_only=True) as connection:
                return page(connection, code)

        return text

    sectors = archive / "sectors_manual.parquet"
    labelled = archive / "sentiment_labelled_reddit.parquet"
    return {
        "run_archive": lambda: run_weekly(real, {"TIDEMARK_SOURCE": "archive", "TIDEMARK_ARCHIVE": str(archive)}),
        "run_null": lambda: run_weekly(null, {"TIDEMARK_SOURCE": "simulated", "TIDEMARK_SIMULATION__IS_NULL": "true"}),
        "cleaning": lambda: write_report(real),
        "sectors": lambda: write_page(real.warehouse, sectors if sectors.is_file() else None),
        "sentiment": lambda: write_sentiment_page(real.warehouse, labelled if labelled.is_file() else None),
        "risk": lambda: write_risk_page(real.warehouse),
        "replicas": lambda: write_replica_page(real.warehouse, archive),
        "index_survivors": write("index-survivors", from_warehouse(index_survivors.page)),
        "index_twins": write("index-twins", from_warehouse(index_twins.page)),
        "ai_rules": write("ai-index", from_warehouse(ai_rules.page)),
        "ranking": write(
            "ranking",
            lambda: ranking.page(history(), ranking.TRADER, code) + "\n\n" + survivors.section(history()) + READING,
        ),
        "investor": write(
            "investor",
            lambda: (
                ranking.page(history(), ranking.INVESTOR, code)
                + "\n\n"
                + price_share.section(history(), ModelRegistry(real.models))
            ),
        ),
        "moonshots": write("moonshots", from_warehouse(moonshots.page)),
        "calls": write("calls", lambda: calls.page(history(), code)),
        "ranges": write("ranges", lambda: ranges.page(history(), code)),
        "falsification": write(
            "falsification",
            lambda: experiments.permutation_page(history(), null_section(null) + "\n\n" + planted.section(), code),
        ),
        "labels": write("labels", lambda: experiments.label_page(history(), code)),
        "families": write(
            "families",
            lambda: experiments.family_page(history(), experiments.extended_features(history()), code),
        ),
        "challengers": write("challengers", lambda: challengers.page(history(), code)),
        "confidence": write("confidence", lambda: confidence.page(history(), code)),
        "claims": write("claims", from_warehouse(claims_page)),
        "case_studies": write("case-studies", from_warehouse(case_page)),
    }


def claims_page(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The audit of claims; draws its picture."""
    panel = read_panel(connection)
    found = claims.findings(panel)
    draw_effects(found, IMAGES / "claims.png")
    return claims.page(panel, found, code, picture="../images/claims.png")


def case_page(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The case studies; draws their pictures."""
    cases = case_studies.read_cases(connection)
    draw_cases(cases, IMAGES)
    return case_studies.page(cases, code, pictures="../images/")


READING = """

Reading it: the plain reference of the shared results reaches 0.137 (0.123 with a day of lag) on its broad universe and a partial rank IC
of 0.059; most of both is the low-volatility effect, which stands beside it as a baseline. The smallest share of known returns is that of
the weeks around 2020-12-16, where the CoinMarketCap history ends: those tokens have a score and no known outcome."""


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
