"""Great Expectations at the edge where data lands, as results of Dagster asset checks.

Belongs here: which rows of a dataset are judged, and the translation of a suite's result.
Does not: the expectations (`suites_landing.py`), running them (`expectations.py`).
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from orchestration.lib.data_docs import keep_validation
from orchestration.lib.expectations import SuiteResult, run_suite
from orchestration.lib.ingestion import Ingested
from orchestration.lib.landing import LandingStore, connect, read_parquet_sql
from orchestration.lib.metadata import markdown_table
from orchestration.lib.suites_landing import LANDING_SUITES, OWN_SUITES, PreviousLoad
from orchestration.sources.datasets import Dataset

CHECK_NAME = "great_expectations"
ANSWERED_NAME = "source_answered"
OUTCOMES = "outcomes"
"""Metadata of a check that is a suite: one entry an expectation (`check_results.py` reads it)."""
SHOWN_FAILURES = 20
PRICED = ("market_daily", "candles_daily")
"""Datasets, by name, whose critical failures stop the run: a week without right prices is none. Of every other source a
failure warns and costs its features, since landed files stay as they are and would stop every later run too."""
TOO_MANY_ROWS = {"binance/prices_hourly": timedelta(days=90)}
"""Of seven million hours the newest; in pandas they would take a minute and four gigabytes."""
JUDGED_DAYS = 7
"""Newest days a suite judges, against as many before them (more for a source of a slower cadence); all history is judged once,
when it first lands."""


def key_of(dataset: Dataset) -> dg.AssetKey:
    """Asset key of a landed dataset."""
    return dg.AssetKey(["landing", dataset.source, dataset.name])


def landing_check_specs(keys: list[dg.AssetKey]) -> list[dg.AssetCheckSpec]:
    """A check for every asset whose dataset has a suite; that of prices may block."""
    return [
        dg.AssetCheckSpec(
            CHECK_NAME,
            asset=key,
            blocking=key.path[-1] in PRICED,
            description="Types, keys, ranges, freshness and coverage.",
        )
        for key in keys
        if "/".join(key.path[1:]) in LANDING_SUITES
    ]


def answered_check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """A check that warns when the source of a dataset was down or gave less than was asked."""
    return dg.AssetCheckSpec(
        ANSWERED_NAME, asset=key, description="Whether the source answered; the run goes on without one that is down."
    )


def judge_answer(result: Ingested, *, down: str | None) -> dg.AssetCheckResult:
    """The check result of one load."""
    metadata: dict[str, Any] = {"failed": len(result.failures)}
    if down:
        metadata["reason"] = down
    elif result.failures:
        metadata["failures"] = dg.MetadataValue.json(dict(list(result.failures.items())[:SHOWN_FAILURES]))
    return dg.AssetCheckResult(
        passed=down is None and not result.failures,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
        asset_key=key_of(result.dataset),
        check_name=ANSWERED_NAME,
    )


def judge_landing(
    store: LandingStore, dataset: Dataset, *, as_of: datetime, is_first: bool
) -> dg.AssetCheckResult | None:
    """The check result of a dataset's newest days; None where nothing landed, or a file of an archive has ended before them.

    Args:
        store: The landing store.
        dataset: The dataset.
        as_of: Instant the data are for; its newest day must not lie far before.
        is_first: Whether this is the first load, which has all history to answer for.
    """
    build = LANDING_SUITES.get(dataset.label)
    files = store.files(dataset)
    if build is None or not files:
        return None
    window = timedelta(days=max(JUDGED_DAYS, 2 * dataset.cadence_days))
    since = None if is_first or not dataset.is_dated else as_of - 2 * window
    if is_first and dataset.label in TOO_MANY_ROWS:
        since = as_of - TOO_MANY_ROWS[dataset.label]
    frame = _newest_rows(files, dataset, as_of=as_of, since=since)
    previous = None
    if dataset.is_dated and not is_first:
        is_new = frame["available_at"] > as_of - window
        thing = next((name for name in dataset.key if name != "market_date"), "market_date")
        previous = PreviousLoad(ids=frame.filter(~is_new)[thing].n_unique())
        frame = frame.filter(is_new)
    if frame.is_empty():
        return silent_result(dataset, as_of=as_of) if dataset.label in OWN_SUITES else None
    result = run_suite(frame, build(as_of=as_of, previous=previous), name=dataset.label)
    keep_validation(store.beside, result)
    return check_result(result, asset_key=key_of(dataset), may_block=dataset.name in PRICED)


def silent_result(dataset: Dataset, *, as_of: datetime) -> dg.AssetCheckResult:
    """The result of a source that gave nothing for a week: a warning, since it costs its features and not the run."""
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"found": f"no rows of the {JUDGED_DAYS} days before {as_of.date()}"},
        asset_key=key_of(dataset),
        check_name=CHECK_NAME,
    )


def _newest_rows(files: list[Path], dataset: Dataset, *, as_of: datetime, since: datetime | None) -> pl.DataFrame:
    """The newest load of every key known at `as_of`, of those that became known after `since` or of all."""
    keys = ", ".join(dataset.key)
    after = "" if since is None else f"and available_at > '{since.isoformat()}'::timestamptz"
    with connect(threads=2) as connection:
        rows = connection.sql(
            f"select * from {read_parquet_sql(files)} "
            f"where coalesce(available_at <= '{as_of.isoformat()}'::timestamptz, true) {after} "
            f"qualify row_number() over (partition by {keys} order by loaded_at desc, load_id desc) = 1"
        )
        return rows.pl().select(list(dataset.landed_columns))


def results_of(result: SuiteResult) -> pl.DataFrame:
    """What was expected and how it turned out, one row an expectation, failures first."""
    rows = [
        {
            "held": each.success,
            "column": each.column,
            "expected": each.expectation.removeprefix("expect_").replace("_", " "),
            "found": each.detail,
            "if not": "stops the run" if each.severity == "critical" else "warns",
        }
        for each in result.results
    ]
    return pl.DataFrame(rows).sort("held", maintain_order=True) if rows else pl.DataFrame()


def outcomes_of(result: SuiteResult, *, may_block: bool) -> list[dict[str, Any]]:
    """Every expectation as `quality.check_results` wants it, its offending rows apart: those are in `failures`."""
    return [
        {
            "check_name": each.expectation,
            "column_name": None if each.column == "rows" else each.column,
            "severity": "error" if each.severity == "critical" and may_block else "warning",
            "is_passed": each.success,
            "rows_failed": each.unexpected_count,
            "detail": each.detail,
        }
        for each in result.results
    ]


def check_result(
    result: SuiteResult, *, asset_key: dg.AssetKey, check_name: str = CHECK_NAME, may_block: bool = True
) -> dg.AssetCheckResult:
    """A suite's result as a check: it fails on any failure, and blocks on a critical one unless it may not."""
    blocks = result.is_blocking and may_block
    severity = dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {
        name: value if isinstance(value, (int, float, str, bool)) else dg.MetadataValue.json(value)  # type: ignore[arg-type]
        for name, value in result.as_metadata().items()
    }
    metadata["results"] = dg.MetadataValue.md(markdown_table(results_of(result)))
    metadata[OUTCOMES] = dg.MetadataValue.json(outcomes_of(result, may_block=may_block))
    return dg.AssetCheckResult(
        passed=result.success, severity=severity, metadata=metadata, asset_key=asset_key, check_name=check_name
    )
