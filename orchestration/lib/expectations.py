"""Running Great Expectations suites on frames: expectations as code, results as plain values.

Great Expectations is imported when the first suite runs (it takes two seconds), its context lives in memory, and nothing
is sent anywhere. Suites are lists of `ExpectationSpec`: what must hold of what lands is in `suites_landing.py`, of
what leaves in `suites_published.py`.

Belongs here: running any suite. Does not: what is expected of a dataset; turning results into Dagster checks.
"""

import functools
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import polars as pl

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

Severity = Literal["critical", "warning"]

SAMPLE_ROWS = 5


class ExpectationSpecError(ValueError):
    """A suite cannot be run as it is written."""


@dataclass(frozen=True)
class ExpectationSpec:
    """One thing that must hold of a frame.

    Attributes:
        expectation: Name in Great Expectations' registry, e.g. expect_column_values_to_be_between.
        column: Column it is about, None where it is about several or the whole frame.
        arguments: Further arguments of the expectation.
        severity: critical where going on would be wrong, warning elsewhere.
        derive: Computes `column` from the frame where the frame does not have it, e.g. the sum of a unit's weights.
    """

    expectation: str
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    severity: Severity = "critical"
    derive: Callable[[pd.DataFrame], pd.Series] | None = None

    def __post_init__(self) -> None:
        """Refuse a derived column without a name."""
        if self.derive and not self.column:
            raise ExpectationSpecError(f"{self.expectation}: derives a column without a name; set column")

    @property
    def subject(self) -> str:
        """The column or columns it is about, for messages."""
        several = self.arguments.get("column_list") or [self.arguments.get("column_A"), self.arguments.get("column_B")]
        return self.column or ", ".join(str(column) for column in several if column) or "rows"


@dataclass(frozen=True)
class ExpectationResult:
    """How one expectation turned out.

    Attributes:
        expectation: Its name.
        column: Column or columns it is about; `rows` for the whole frame.
        success: Whether it held.
        severity: What its failure means.
        unexpected_count: Rows that break it; None where it is about the frame as a whole, or could not be evaluated.
        sample: The first rows that break it, columns to values that JSON can hold.
        detail: One line: expected and observed, or why it could not be evaluated.
    """

    expectation: str
    column: str
    success: bool
    severity: Severity
    unexpected_count: int | None
    sample: tuple[dict[str, object], ...]
    detail: str


@dataclass(frozen=True)
class SuiteResult:
    """How a suite turned out on one frame.

    Attributes:
        name: Name of the suite.
        success: Whether everything held, warnings included.
        rows: Rows of the frame.
        results: In the order of the suite.
        document: The same as Great Expectations writes it in JSON, for Data Docs; empty for an empty suite.
    """

    name: str
    success: bool
    rows: int
    results: tuple[ExpectationResult, ...]
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def failures(self) -> tuple[ExpectationResult, ...]:
        """What did not hold."""
        return tuple(result for result in self.results if not result.success)

    @property
    def is_blocking(self) -> bool:
        """Whether something critical did not hold."""
        return any(result.severity == "critical" for result in self.failures)

    def as_metadata(self) -> dict[str, object]:
        """Counts and failures for the metadata of a check, JSON-serialisable."""
        return {
            "rows": self.rows,
            "expectations": len(self.results),
            "failed": len(self.failures),
            "failures": [
                {
                    "expectation": result.expectation,
                    "column": result.column,
                    "severity": result.severity,
                    "unexpected_count": result.unexpected_count,
                    "detail": result.detail,
                    "sample": list(result.sample),
                }
                for result in self.failures
            ],
        }


def run_suite(
    frame: pd.DataFrame | pl.DataFrame, suite: Sequence[ExpectationSpec], *, name: str, sample_rows: int = SAMPLE_ROWS
) -> SuiteResult:
    """Evaluate all expectations of a suite on a frame.

    Args:
        frame: Rows to check; it is not changed.
        suite: What must hold.
        name: Name of the suite in the result.
        sample_rows: How many offending rows each result shows at most.

    Raises:
        ExpectationSpecError: The suite names an expectation that does not exist, or arguments it does not take.
    """
    rows = _with_derived(frame.to_pandas() if isinstance(frame, pl.DataFrame) else frame, suite)
    if not suite:
        return SuiteResult(name=name, success=True, rows=len(rows), results=())
    checked, document = _validate(rows, suite, name=name, sample_rows=sample_rows)
    success = all(result.success for result in checked)
    return SuiteResult(name=name, success=success, rows=len(rows), results=checked, document=document)


def _with_derived(frame: pd.DataFrame, suite: Sequence[ExpectationSpec]) -> pd.DataFrame:
    """A frame with rows numbered from 0 and all derived columns whose inputs it has."""
    rows = frame.reset_index(drop=True)
    derived = {}
    for spec in suite:
        if spec.derive and spec.column and spec.column not in rows.columns:
            try:
                derived[spec.column] = spec.derive(rows)
            except KeyError:
                # An input is missing; the expectation then fails for want of its column, which is reported like any
                # other.
                continue
    return rows.assign(**derived) if derived else rows


def _validate(
    rows: pd.DataFrame, suite: Sequence[ExpectationSpec], *, name: str, sample_rows: int
) -> tuple[tuple[ExpectationResult, ...], dict[str, Any]]:
    """Results in the order of the suite, which Great Expectations does not keep, and its own account of them.

    Nearly all hold, and looking for the rows that break one costs as much as counting them, so rows are only looked for
    where the counts say that there are some.
    """
    expectations = _expectations(suite, name=name)
    with _batch(rows) as batch:
        validated = _run(batch, expectations, name=name, result_format={"result_format": "BASIC"})
        outcomes = _by_place(validated)
        broken = [place for place, outcome in outcomes.items() if outcome.result.get("unexpected_count")]
        if broken:
            shown = {"result_format": "SUMMARY", "partial_unexpected_count": sample_rows}
            again = [expectations[place] for place in broken]
            outcomes |= _by_place(_run(batch, again, name=name, result_format=shown))
    validated.results = [outcomes[place] for place in range(len(suite))]
    return tuple(_result(spec, outcomes[place], rows) for place, spec in enumerate(suite)), validated.to_json_dict()


def _expectations(suite: Sequence[ExpectationSpec], *, name: str) -> list["Expectation"]:
    _great_expectations()  # the package quietly first
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    built = []
    for place, spec in enumerate(suite):
        facts: dict[str, Any] = {**spec.arguments, "severity": spec.severity, "meta": {"place": place}}
        if spec.column:
            facts["column"] = spec.column
        try:
            build = get_expectation_impl(spec.expectation)
            built.append(build(**facts))
        except (ExpectationNotFoundError, ValueError, TypeError) as error:
            raise ExpectationSpecError(
                f"suite {name}: {spec.expectation} on {spec.subject} cannot be built: {error}"
            ) from error
    return built


def _run(
    batch: "Batch", expectations: list["Expectation"], *, name: str, result_format: dict[str, Any]
) -> "ExpectationSuiteValidationResult":
    """What Great Expectations found."""
    suite = _great_expectations().ExpectationSuite(name=name, expectations=expectations)
    return batch.validate(suite, result_format=result_format)


def _by_place(validated: "ExpectationSuiteValidationResult") -> dict[int, "ExpectationValidationResult"]:
    """Results by place in the suite."""
    return {
        result.expectation_config.meta["place"]: result for result in validated.results if result.expectation_config
    }


def _great_expectations() -> ModuleType:
    """The package, imported when it is first needed, quiet and without analytics."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # One expectation that cannot be evaluated is logged with a traceback per metric; the result says it in a line.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # It imports sre_constants, which Python deprecates; nobody here can do anything about that.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
        from great_expectations.expectations import expectation

    # An expectation spells its own name by regular expressions wherever it is asked for an argument, some hundred times a suite.
    if not hasattr(expectation.camel_to_snake, "cache_info"):
        expectation.camel_to_snake = functools.cache(expectation.camel_to_snake)
    return great_expectations


@functools.cache
def _batches() -> Any:
    """Where frames become batches: one context for all suites, since making one takes longer than a small suite."""
    import tqdm
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # Its progress bars are off, but not their lock between processes, which a command that ends at once leaves behind with a warning.
    tqdm.tqdm.set_lock(threading.RLock())
    context = _great_expectations().get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("whole")
    )


@contextmanager
def _batch(rows: pd.DataFrame) -> Iterator["Batch"]:
    """A frame as Great Expectations wants it; afterwards it is let go, which the context would not do by itself."""
    try:
        yield _batches().get_batch({"dataframe": rows})
    finally:
        _batches().get_batch({"dataframe": rows.head(0)})


def _result(spec: ExpectationSpec, outcome: "ExpectationValidationResult", rows: pd.DataFrame) -> ExpectationResult:
    facts = outcome.result
    count = facts.get("unexpected_count")
    numbers = facts.get("partial_unexpected_index_list")
    offending = rows.loc[numbers].to_dict(orient="records") if numbers else []
    return ExpectationResult(
        expectation=spec.expectation,
        column=spec.subject,
        success=bool(outcome.success),
        severity=spec.severity,
        unexpected_count=None if count is None else int(count),
        sample=tuple({str(column): plain(value) for column, value in row.items()} for row in offending),
        detail=_detail(spec, outcome),
    )


def _detail(spec: ExpectationSpec, outcome: "ExpectationValidationResult") -> str:
    if message := _exception_message(outcome.exception_info or {}):
        return f"could not be evaluated: {message}"
    expected = ", ".join(f"{name} {_short(value)}" for name, value in spec.arguments.items())
    facts = outcome.result
    if facts.get("observed_value") is not None:
        observed = f"observed {_short(facts['observed_value'])}"
    elif "unexpected_count" in facts:
        observed = f"{facts['unexpected_count']} of {facts['element_count']} rows break it"
    else:
        observed = "held" if outcome.success else "did not hold"
    return f"{observed} ({expected})" if expected else observed


def _exception_message(info: Mapping[str, Any]) -> str:
    """First line of the message: of the expectation itself, or of the first metric that failed."""
    for one in (info, *(value for value in info.values() if isinstance(value, Mapping))):
        if one.get("raised_exception"):
            return str(one.get("exception_message") or "no message").strip().splitlines()[0]
    return ""


def _short(value: object) -> str:
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def plain(value: object) -> object:
    """A value that JSON can hold."""
    if isinstance(value, date | datetime):
        return None if value is pd.NaT else value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None if value != value else str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
