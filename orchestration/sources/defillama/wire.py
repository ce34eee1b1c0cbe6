"""What all of DefiLlama's hosts share: addresses, refusals, and series of points.

Belongs here: requests, the 402 of paid routes, and the day that a point describes.
Does not: the answers of a subject (its own module).

Which day a point describes, everywhere in this folder:

- A stock (TVL, supply) is sampled. A point at 00:00 UTC of D is what was there then: the close of D - 1. The last point is "now".
- A flow (fees, revenue, volume) is summed. A point at 00:00 UTC of D is stamped at the beginning of what it sums: the day D.

So a stock and a flow of one day carry stamps that lie a day apart. The publication lag of 24 hours covers both sampling that
comes minutes late and flows that are computed during the night.

A value of exactly 0 is no value: it is what is left of a protocol that is dead, of one whose counting failed, and of a day that
nobody counted, and the answers do not tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from orchestration.sources.errors import RequestRejectedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import (
    CLOCK_SKEW,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_unix,
)

API_URL: Final = "https://api.llama.fi"
STABLECOINS_URL: Final = "https://stablecoins.llama.fi"
YIELDS_URL: Final = "https://yields.llama.fi"
DATASETS_URL: Final = "https://defillama-datasets.llama.fi"

SECONDS_A_DAY: Final = 86_400
MIDNIGHT_TOLERANCE_SECONDS: Final = 3_600
"""How long after 00:00 UTC a sample still counts as the close of the day before; samples are hourly."""

PAID: Final = 402


@dataclass(frozen=True, slots=True)
class Host:
    """Requests to one of DefiLlama's hosts.

    Attributes:
        http: Shared client; give it 0.5 s between requests.
        base_url: Address of the host, or of what stands for it.
    """

    http: HttpClient
    base_url: str

    def get_list(self, path: str, *, params: Query | None = None) -> list[Any]:
        """Fetch what must be a bare list.

        Raises:
            UnexpectedBodyError: It is something else.
            SourceError: See `errors.py`.
        """
        found: list[Any] = self._get(path, params, list)
        return found

    def get_object(self, path: str, *, params: Query | None = None, holding: str | None = None) -> dict[str, Any]:
        """Fetch what must be an object.

        Args:
            path: Below the host.
            params: Query parameters.
            holding: Name of the list it must hold; an error under 200 is an object as well.

        Raises:
            UnexpectedBodyError: It is something else.
            SourceError: See `errors.py`.
        """
        found: dict[str, Any] = self._get(path, params, dict, holding)
        return found

    def _get(self, path: str, params: Query | None, kind: type[Any], holding: str | None = None) -> Any:
        def check(payload: Any) -> None:
            if not isinstance(payload, kind):
                raise UnexpectedBodyError(f"defillama: {path} gave no {kind.__name__}: {str(payload)[:200]}")
            if holding is not None and not isinstance(payload.get(holding), list):
                raise UnexpectedBodyError(f"defillama: {path} holds no list `{holding}`: {str(payload)[:200]}")

        try:
            return self.http.get_json(f"{self.base_url.rstrip('/')}{path}", params=params, check=check)
        except RequestRejectedError as error:
            if error.status != PAID:
                raise
            raise RequestRejectedError(
                f"defillama: HTTP {PAID} for {path}: the route needs a paid plan; unlock schedules are free on {DATASETS_URL} "
                "(TIDEMARK_UNLOCKS__BASE_URL), what else needs a plan is not used",
                status=PAID,
                payload=error.payload,
            ) from None


@dataclass(frozen=True, slots=True)
class Points:
    """A series as it came: `seconds` (unix) and `value`, in the order given, and the points refused."""

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]

    def closes(self, now: datetime) -> pl.DataFrame:
        """The series as a stock: `market_date` and `value`, of each day the first sample after its end."""
        day = pl.col("seconds") // SECONDS_A_DAY
        delay = pl.col("seconds") % SECONDS_A_DAY
        is_last = pl.int_range(pl.len()) == pl.len() - 1
        is_now = is_last & (delay > 0) & (day == int(now.timestamp()) // SECONDS_A_DAY)
        sampled = self.frame.filter((delay <= MIDNIGHT_TOLERANCE_SECONDS) & ~is_now)
        first = sampled.filter(pl.col("seconds") == pl.col("seconds").min().over(pl.col("seconds") // SECONDS_A_DAY))
        return _dated(first, day - 1, now)

    def flows(self, now: datetime) -> pl.DataFrame:
        """The series as a flow: `market_date` and `value`."""
        return _dated(self.frame, pl.col("seconds") // SECONDS_A_DAY, now)


def read_points(
    points: Sequence[Any],
    pick: Callable[[Any], tuple[Any, Any]],
    *,
    column: str,
    about: Mapping[str, str],
    now: datetime,
) -> Points:
    """Read a series. A value that is null or 0 gives no point.

    Args:
        points: As they came.
        pick: Date and value of a point; may raise KeyError, IndexError, TypeError or AttributeError.
        column: What the values are, for reasons.
        about: What a refused point is kept with, so that whoever reads it knows whose it was.
        now: Instant of the request; later points are refused.
    """
    latest = int((now + CLOCK_SKEW).timestamp())
    seconds: list[int] = []
    values: list[float] = []
    rejected: list[Rejected] = []
    for point in points:
        try:
            stamp, value = pick(point)
            if value is None or value == 0:
                continue
            if type(stamp) is not int:  # text in some answers; integers, the common case, need no parsing
                stamp = int(read_unix(stamp, column="date", text_allowed=True).timestamp())
            if stamp < 0:
                raise UnreadableValueError("date is beyond the calendar")
            if stamp > latest:
                raise UnreadableValueError("date lies in the future")
            if type(value) is not float:
                value = read_number(value, column=column)
        except (KeyError, IndexError, TypeError, AttributeError):
            rejected.append(Rejected.of("point has no date and value", {**about, "point": point}))
            continue
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {**about, "point": point}))
            continue
        seconds.append(stamp)
        values.append(value)
    frame = pl.DataFrame({"seconds": seconds, "value": values}, schema={"seconds": pl.Int64, "value": pl.Float64})
    return Points(frame, tuple(rejected))


def with_columns_of(series: pl.DataFrame, columns: Mapping[str, Any], **constant: str | None) -> pl.DataFrame:
    """A series with what is the same in all its rows, in the columns of a dataset."""
    filled = series.with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in constant.items())
    return filled.select(
        pl.col(name).cast(dtype) if name in filled.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in columns.items()
    )


def _dated(frame: pl.DataFrame, day: pl.Expr, now: datetime) -> pl.DataFrame:
    dated = frame.select(day.cast(pl.Int32).cast(pl.Date).alias("market_date"), "value")
    return dated.filter(pl.col("market_date") <= last_finished_day(now))
