"""What must hold of a parser, whatever it is given: rows that may land, or an error of the house, and soon.

Belongs here: that property, and telling one defect from another. Does not: what the parsers are given (`wire.py`, `files.py`).
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from models_ml.indices.errors import IndicesError
from models_ml.optimiser.errors import SearchProblem
from models_ml.orders.errors import OrdersError
from orchestration.lib.errors import TidemarkError
from orchestration.lib.manifest import ManifestError
from orchestration.sources.replay import READERS
from orchestration.sources.validation import Fetched, UnreadableValueError, validate_frame
from tests.fuzz.defect import DefectError

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("orchestration", "models_ml")
HOUSE_ERRORS = (TidemarkError, IndicesError, SearchProblem, OrdersError, ManifestError)
LONGEST_SECONDS = 5.0
"""Of processor time for one input of some kilobytes."""
LONGEST_MESSAGE = 20_000


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a parser took an input: whether it gave something, and the error of the house where it did not."""

    is_accepted: bool
    error: Exception | None = None


def judge(read: Callable[[], Any], *, now: datetime) -> Verdict:
    """Call a parser and look at what it gives.

    Raises:
        DefectError: It raised what is no error of the house, gave what must not land, or took too long.
    """
    began = time.process_time()
    try:
        given = read()
    except HOUSE_ERRORS as error:
        message = str(error)
        if not message.strip() or len(message) > LONGEST_MESSAGE:
            raise DefectError(f"{type(error).__name__} says {len(message)} characters: {message[:200]!r}") from error
        _in_time(began)
        return Verdict(is_accepted=False, error=error)
    except DefectError:
        raise
    except Exception as error:
        raise DefectError(signature(error)) from error
    for fetched in _fetched_in(given):
        _check_rows(fetched, now=now)
        _check_refused(fetched, now=now)
    for number in _numbers_in(given):
        if not math.isfinite(number):
            raise DefectError(f"a value is {number}")
    _in_time(began)
    return Verdict(is_accepted=True)


def signature(error: BaseException) -> str:
    """What tells defects apart: the error, and the innermost line of ours it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    where = f"{Path(frames[-1].filename).relative_to(REPOSITORY)}:{frames[-1].lineno}" if frames else "outside"
    return f"{type(error).__name__} at {where}"


def _is_ours(name: str) -> bool:
    path = Path(name)
    return path.is_relative_to(REPOSITORY) and path.relative_to(REPOSITORY).parts[0] in OURS


def _in_time(began: float) -> None:
    took = time.process_time() - began
    if took > LONGEST_SECONDS:
        raise DefectError(f"took {took:.1f} s")


def _fetched_in(value: Any) -> Iterator[Fetched]:
    if isinstance(value, Fetched):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _fetched_in(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _fetched_in(getattr(value, field.name))


def _numbers_in(value: Any) -> Iterator[float]:
    """Numbers of frames and tables outside of `Fetched`."""
    if isinstance(value, pl.DataFrame):
        for column in value.select(pl.selectors.float()).iter_columns():
            yield from column.drop_nulls().to_list()
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _numbers_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _numbers_in(part)
    elif isinstance(value, float):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, (type, Fetched)):
        for field in dataclasses.fields(value):
            yield from _numbers_in(getattr(value, field.name))


def _check_rows(fetched: Fetched, *, now: datetime) -> None:
    """Rows keep every rule of their dataset, and hold no number that is none."""
    frame = fetched.frame
    dataset = fetched.dataset
    if frame.schema != pl.Schema(dataset.columns):
        raise DefectError(f"{dataset.label} has columns {frame.schema}")
    for column in frame.select(pl.selectors.float()).iter_columns():
        if not column.drop_nulls().is_finite().all():
            raise DefectError(f"{dataset.label}.{column.name} holds a number that is not finite")
    again = validate_frame(dataset, frame, now=now)
    if again.rejected or again.frame.height != frame.height:
        raise DefectError(f"{dataset.label} gives rows that break its rules: {again.rejected[:1]}")


def _check_refused(fetched: Fetched, *, now: datetime) -> None:
    """Records that were refused can be kept as text, and read again by today's parser, or refused again."""
    reader = READERS.get(fetched.dataset.label)
    for rejected in fetched.rejected:
        try:
            rejected.payload.encode()
            rejected.reason.encode()
            payload = json.loads(rejected.payload)
        except (ValueError, RecursionError) as error:
            raise DefectError(f"{fetched.dataset.label} keeps a record that is no JSON text: {error!r:.100}") from error
        if reader is None:
            continue
        try:
            reader(payload, now)
        except UnreadableValueError:
            continue
        except Exception as error:
            raise DefectError(f"replay of {fetched.dataset.label}: {signature(error)}") from error
