"""Great Expectations at the edge where data lands, as results of Dagster asset checks.

Belongs here: which rows of a dataset are judged, and the translation of a suite's result.
Does not: the expectations (`suites_landing.py`), running them (`expectations.py`).
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from orchestration.lib.expectations import SuiteResult, run_suite
from orchestration.lib.landing import LandingStore, read_parquet_sql
from orchestration.lib.metadata import markdown_table
from orchestration.lib.suites_landing import LANDING_SUITES, PreviousLoad
from orchestration.sources.datasets import Dataset

CHECK_NAME = "great_expectations"
JUDGED_DAYS = 7
"""Newest days a suite judges, against the same number of days before them; all history is judged once, when it first lands."""


def key_of(dataset: Dataset) -> dg.AssetKey:
    """Asset key of a landed dataset."""
    return dg.AssetKey(["landing", dataset.source, dataset.name])


def landing_check_specs(keys: list[dg.AssetKey]) -> list[dg.AssetCheckSpec]:
    """A blocking check for every asset whose dataset has a suite."""
    return [
        dg.AssetCheckSpec(
            CHECK_NAME, asset=key, blocking=True, description="Types, keys, ranges, freshness and coverage."
        )
        for key in keys
        if "/".join(key.path[1:]) in LANDING_SUITES
    ]


def judge_landing(
    store: LandingStore, dataset: Dataset, *, as_of: datetime, is_first: bool
) -> dg.AssetCheckResult | None:
    """The check result of a dataset's newest days; None where it has no suite or nothing landed.

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
    frame = _newest_rows(files, dataset, as_of=as_of, days=None if is_first else 2 * JUDGED_DAYS)
    previous = None
    entity = next((name for name in ("coin_id", "market_id", "asset") if name in frame.columns), None)
    if entity is not None and not is_first:
        is_new = frame["market_date"] >= as_of.date() - timedelta(days=JUDGED_DAYS)
        previous = PreviousLoad(ids=frame.filter(~is_new)[entity].n_unique())
        frame = frame.filter(is_new)
    result = run_suite(frame, build(as_of=as_of, previous=previous), name=dataset.label)
    return check_result(result, asset_key=key_of(dataset))


def _newest_rows(files: list[Path], dataset: Dataset, *, as_of: datetime, days: int | None) -> pl.DataFrame:
    """The newest load of every key known at `as_of`, of the last `days` days or of all."""
    keys = ", ".join(dataset.key)
    since = "" if days is None else f"and market_date >= date '{as_of.date()}' - {days}"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.sql(
            f"select * from {read_parquet_sql(files)} where available_at <= '{as_of.isoformat()}'::timestamptz {since} "
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


def check_result(result: SuiteResult, *, asset_key: dg.AssetKey, check_name: str = CHECK_NAME) -> dg.AssetCheckResult:
    """A suite's result as a check: it fails on any failure, and blocks on a critical one."""
    severity = dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {
        name: value if isinstance(value, (int, float, str, bool)) else dg.MetadataValue.json(value)  # type: ignore[arg-type]
        for name, value in result.as_metadata().items()
    }
    metadata["results"] = dg.MetadataValue.md(markdown_table(results_of(result)))
    return dg.AssetCheckResult(
        passed=result.success, severity=severity, metadata=metadata, asset_key=asset_key, check_name=check_name
    )
