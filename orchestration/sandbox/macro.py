"""The economy beside the simulated market: rates, the dollar, volatility, money, and when each figure is released.

Every series wanders on its own within the range it has had, independent of the tokens: it leads nothing and follows nothing.

Belongs here: true figures, first figures that are revised, holidays, release instants. Does not: FRED's wire format
(`routes_fred.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.settings import SimulationSettings, Stream

Floats = NDArray[np.float64]

NEW_YORK: Final = ZoneInfo("America/New_York")
DAILY: Final = ("DFF", "DGS10", "DGS2", "T10Y2Y", "T10YIE", "DFII10", "VIXCLS")
WEEKLY: Final = ("DTWEXBGS", "WALCL", "RRPONTSYD")
MONTHLY: Final = ("M2SL",)

_DAYS_BEFORE_START = 800
_FOMC_DAYS = 42
_REVISED_FOR = timedelta(days=70)
_REVISION = 0.0006
_DIGITS = {"WALCL": 0, "DTWEXBGS": 4, "RRPONTSYD": 3, "M2SL": 1}


@dataclass(frozen=True)
class Observation:
    """One figure as FRED has it at an instant.

    Attributes:
        day: Observation date.
        text: The figure as text; empty on a holiday.
    """

    day: date
    text: str


class MacroSeries:
    """The series of one simulation, drawn when first asked for."""

    def __init__(self, settings: SimulationSettings) -> None:
        """Keep the settings; nothing is drawn yet."""
        self._settings = settings
        self._first = settings.start - timedelta(days=_DAYS_BEFORE_START)
        self._days = settings.day_count + _DAYS_BEFORE_START

    def visible(
        self, series_id: str, now: datetime, *, first: date = date.min, last: date = date.max
    ) -> list[Observation]:
        """What has been released by an instant of some days, oldest first; KeyError for a series that does not exist."""
        values = self._values[series_id]
        found = []
        start, stop = (first - self._first).days, (min(last, now.date()) - self._first).days + 1
        for position in range(max(start, 0), min(stop, self._days)):
            day = self._first + timedelta(days=position)
            if not is_observed(series_id, day):
                continue
            if released_at(series_id, day) > now:
                break
            if is_holiday(day) and series_id in HOLIDAY_ROWS:
                found.append(Observation(day, ""))
                continue
            value = float(values[position])
            if series_id in MONTHLY and now - released_at(series_id, day) < _REVISED_FOR:
                value *= 1.0 + _REVISION * (1.0 if day.month % 2 else -1.0)  # the first figure is off either way
            found.append(Observation(day, f"{value:.{_DIGITS.get(series_id, 2)}f}"))
        return found

    @cached_property
    def _values(self) -> dict[str, Floats]:
        """Figures by day from the first day on, all days; what is published of them is `is_observed`'s business."""
        policy = self._policy_rate()
        ten_years = self._reverting(1, mean=3.4, start=3.0, pull=0.004, step=0.055, low=0.5)
        two_years = np.round(self._reverting(2, mean=3.3, start=3.1, pull=0.006, step=0.06, low=0.1), 2)
        inflation = np.round(self._reverting(3, mean=2.3, start=2.3, pull=0.01, step=0.03, low=0.5), 2)
        ten_years = np.round(ten_years, 2)
        dollar = np.exp(self._reverting(4, mean=np.log(118.0), start=np.log(116.0), pull=0.003, step=0.003))
        assets = np.exp(self._reverting(5, mean=np.log(7.6e6), start=np.log(8.2e6), pull=0.002, step=0.0008))
        return {
            "DFF": policy,
            "DGS10": ten_years,
            "DGS2": two_years,
            "T10Y2Y": np.round(ten_years - two_years, 2),
            "T10YIE": inflation,
            "DFII10": np.round(ten_years - inflation, 2),
            "VIXCLS": np.exp(
                self._reverting(6, mean=np.log(18.0), start=np.log(18.0), pull=0.03, step=0.06, low=np.log(9.0))
            ),
            "DTWEXBGS": dollar,
            "WALCL": assets,
            "RRPONTSYD": self._reverting(7, mean=900.0, start=1200.0, pull=0.004, step=35.0, low=0.0),
            "M2SL": 21_000.0 * np.exp(np.cumsum(self._noise(8, 0.0002)) + 0.00008 * np.arange(self._days)),
        }

    def _noise(self, number: int, deviation: float) -> Floats:
        random = np.random.default_rng([self._settings.seed, int(Stream.MACRO), number])
        return random.normal(0.0, deviation, self._days)

    def _reverting(
        self, number: int, *, mean: float, start: float, pull: float, step: float, low: float = -np.inf
    ) -> Floats:
        """A path that wanders and is drawn back to a mean; never below `low`."""
        path = self._noise(number, step)
        level = start
        for position in range(self._days):
            level = max(level + pull * (mean - level) + float(path[position]), low)
            path[position] = level
        return path

    def _policy_rate(self) -> Floats:
        """Steps of a quarter point at a meeting every six weeks, between 0.08 and 5.58 %."""
        random = np.random.default_rng([self._settings.seed, int(Stream.MACRO), 0])
        meetings = -(-self._days // _FOMC_DAYS)
        steps = random.choice([-0.25, 0.0, 0.25], size=meetings, p=[0.25, 0.5, 0.25])
        level, levels = 2.33, []
        for step in steps:
            level = float(np.clip(level + step, 0.08, 5.58))
            levels.append(level)
        return np.repeat(levels, _FOMC_DAYS)[: self._days]


HOLIDAY_ROWS: Final = frozenset({*DAILY, "DTWEXBGS", "RRPONTSYD"} - {"DFF"})
"""Series that have a row with an empty figure on a holiday."""


def is_observed(series_id: str, day: date) -> bool:
    """Whether a series has a row for a day."""
    if series_id == "DFF":
        return True
    if series_id == "WALCL":
        return day.weekday() == 2
    if series_id in MONTHLY:
        return day.day == 1
    return day.weekday() < 5


@cache
def released_at(series_id: str, day: date) -> datetime:
    """When FRED has the figure of a day, UTC.

    Rates (H.15) come on the next business day in the afternoon, the spread of yields on the same evening, volatility on the
    next business morning; the dollar (H.10) of a whole week on the Monday after it, the Fed's assets (H.4.1) on Thursday,
    reverse repos on the same afternoon, money (H.6) on the fourth Tuesday of the next month.
    """
    release, at = _RELEASES.get(series_id, (next_business_day, time(16, 20)))
    return datetime.combine(release(day), at, tzinfo=NEW_YORK).astimezone(UTC)


def next_business_day(day: date) -> date:
    """The first business day after a day."""
    return _business_day_from(day + timedelta(days=1))


def is_holiday(day: date) -> bool:
    """Whether the Federal Reserve is closed on a weekday."""
    return day in _holidays(day.year)


def _business_day_from(day: date) -> date:
    while day.weekday() >= 5 or is_holiday(day):
        day += timedelta(days=1)
    return day


def _monday_after(day: date) -> date:
    return _business_day_from(day + timedelta(days=7 - day.weekday()))


def _thursday_of(day: date) -> date:
    return _business_day_from(day + timedelta(days=(3 - day.weekday()) % 7))


def _fourth_tuesday_of_next_month(day: date) -> date:
    first = (day.replace(day=28) + timedelta(days=7)).replace(day=1)
    return first + timedelta(days=(1 - first.weekday()) % 7 + 21)


_RELEASES: Final[dict[str, tuple[Callable[[date], date], time]]] = {
    "T10Y2Y": (_business_day_from, time(17, 5)),
    "VIXCLS": (next_business_day, time(9, 40)),
    "DTWEXBGS": (_monday_after, time(16, 20)),
    "WALCL": (_thursday_of, time(16, 35)),
    "RRPONTSYD": (_business_day_from, time(14, 5)),
    "M2SL": (_fourth_tuesday_of_next_month, time(13, 5)),
}


@cache
def _holidays(year: int) -> frozenset[date]:
    """Holidays of the Federal Reserve: one on a Sunday is kept on Monday, one on a Saturday not at all."""

    def weekday(month: int, day: int, number: int) -> date:
        """The `number`-th weekday `day` (Monday 0) of a month."""
        first = date(year, month, 1)
        return first + timedelta(days=(day - first.weekday()) % 7 + 7 * (number - 1))

    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    fixed += [date(year, 6, 19)] if year >= 2022 else []
    last_of_may = date(year, 5, 31)
    floating = [
        weekday(1, 0, 3),
        weekday(2, 0, 3),
        last_of_may - timedelta(days=last_of_may.weekday()),
        weekday(9, 0, 1),
        weekday(10, 0, 2),
        weekday(11, 3, 4),
    ]
    kept = (day + timedelta(days=1) if day.weekday() == 6 else day for day in fixed)
    return frozenset({*floating, *(day for day in kept if day.weekday() < 5)})
