"""Where the providers err: every wrong, absent, repeated, late or revised value, listed beside the truth.

Belongs here: the choice of cells and the list of defects. Does not: serving them (`served.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sandbox.candles import Panel
from orchestration.sandbox.lifetimes import NEVER, Lifetimes
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

SPARED = frozenset({"bitcoin", "ethereum", "tether"})
"""Tokens whose data are right, because everything else is measured against them."""

_QUIET_START_DAYS = 40
_QUIET_END_DAYS = 3
_SUNDAY = 6

DEFECT_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "source": pl.String,
    "coin_id": pl.String,
    "market_date": pl.Date,
    "field": pl.String,
    "true_value": pl.Float64,
    "served_value": pl.Float64,
    "resolved_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Defect:
    """One wrong field of one row.

    Attributes:
        kind: gap, bad_tick, zero_cap, duplicate, late, revised, wash_volume or fake_cap.
        source: coingecko or binance.
        field: Column as landed: price_usd, market_cap_usd, volume_24h_usd or close_quote.
        true_value: What a provider without fault serves.
        served_value: What is served until `resolved_at`; None where nothing is.
        resolved_at: When the true value appears; None for never.
    """

    kind: str
    source: str
    coin_id: str
    market_date: date
    field: str
    true_value: float
    served_value: float | None
    resolved_at: datetime | None


def make_defects(settings: SimulationSettings, tokens: list[Token], lifetimes: Lifetimes, panel: Panel) -> pl.DataFrame:
    """One row per defect, day and field, ordered by source, token, day and field.

    In one provider's feed no two defects share a token's day, but for made-up volumes, which stand beside any other.
    """
    random = settings.random(Stream.DEFECTS)
    alive = lifetimes.alive(settings.day_count)
    listed = np.where(lifetimes.listed == NEVER, settings.day_count, lifetimes.listed)
    on_exchange = alive & (np.arange(settings.day_count)[:, None] >= listed)
    charts = _Cells(random, settings, tokens, panel, source="coingecko", first=lifetimes.birth, present=alive)
    candles = _Cells(random, settings, tokens, panel, source="binance", first=listed, present=on_exchange)
    rates = settings.defects
    found = [
        *charts.gaps(rates.gaps),
        *charts.bad_ticks(rates.bad_ticks),
        *charts.zero_caps(rates.zero_caps),
        *charts.duplicates(rates.duplicates),
        *charts.late_rows(rates.late_rows),
        *charts.revised_rows(rates.revised_rows),
        *candles.gaps(rates.candle_gaps),
        *candles.bad_ticks(rates.candle_bad_ticks),
    ]
    # Claims have a stream of their own, so that all other defects are the same with and without them.
    charts.draw_from(settings.random(Stream.CLAIMS))
    found += [*charts.fake_caps(rates.fake_caps), *charts.wash_volumes(rates.wash_volumes)]
    frame = pl.DataFrame([asdict(defect) for defect in found], schema=dict(DEFECT_SCHEMA))
    return frame.sort("source", "coin_id", "market_date", "field")


class _Cells:
    """Days of tokens in one provider's feed, each of which can hold one defect."""

    def __init__(
        self,
        random: np.random.Generator,
        settings: SimulationSettings,
        tokens: list[Token],
        panel: Panel,
        *,
        source: str,
        first: NDArray[np.int64],
        present: NDArray[np.bool_],
    ) -> None:
        self._random, self._settings, self._tokens, self._source = random, settings, tokens, source
        self._panel = panel
        days = np.arange(settings.day_count)[:, None]
        last = settings.day_count - 1 - present[::-1].argmax(axis=0)
        self._free = present & (days >= first + _QUIET_START_DAYS) & (days <= last - _QUIET_END_DAYS)
        self._free[:, [token.coin_id in SPARED for token in tokens]] = False
        self._present_count = int(present.sum())
        self._volume_free = self._free.copy()

    def draw_from(self, random: np.random.Generator) -> None:
        """Take what follows from another random stream."""
        self._random = random

    def gaps(self, rate: float) -> Iterator[Defect]:
        """Runs of 1 to 3 absent days."""
        for day, index, length in self._runs(rate, shortest=1, longest=3):
            for offset in range(length):
                yield from self._rows("gap", day + offset, index, served=None)

    def bad_ticks(self, rate: float) -> Iterator[Defect]:
        """Single days ten times too high or too low."""
        for day, index, _ in self._runs(rate):
            yield from self._rows("bad_tick", day, index, served=10.0 if self._random.random() < 0.5 else 0.1)

    def zero_caps(self, rate: float) -> Iterator[Defect]:
        """Runs of days whose market cap is 0."""
        for day, index, length in self._runs(rate, shortest=5, longest=40):
            for offset in range(length):
                yield self._row("zero_cap", day + offset, index, "market_cap_usd", served=0.0)

    def duplicates(self, rate: float) -> Iterator[Defect]:
        """Points served twice."""
        for day, index, _ in self._runs(rate):
            yield from self._rows("duplicate", day, index, served=1.0)

    def late_rows(self, rate: float) -> Iterator[Defect]:
        """Points that appear 1 or 2 days after their day's end."""
        for day, index, _ in self._runs(rate, half_on_sundays=True):
            resolved = self._end_of(day) + timedelta(days=int(self._random.integers(1, 3)))
            yield from self._rows("late", day, index, served=None, resolved_at=resolved)

    def revised_rows(self, rate: float) -> Iterator[Defect]:
        """Points that are 3 to 8 % off for a day."""
        for day, index, _ in self._runs(rate, half_on_sundays=True):
            error = self._random.uniform(0.03, 0.08) * (1.0 if self._random.random() < 0.5 else -1.0)
            yield from self._rows(
                "revised", day, index, served=1.0 + error, resolved_at=self._end_of(day) + timedelta(days=1)
            )

    def fake_caps(self, rate: float) -> Iterator[Defect]:
        """Runs of days whose market cap is a hundred million times the usual volume."""
        for day, index, length in self._runs(rate, shortest=10, longest=60):
            claim = 1e8 * float(np.median(self._panel.volume[day : day + length, index]))
            for offset in range(length):
                truth = self._truth(day + offset, index, "market_cap_usd")
                moved = truth / self._truth(day, index, "market_cap_usd")
                yield self._row("fake_cap", day + offset, index, "market_cap_usd", served=claim * moved / truth)

    def wash_volumes(self, rate: float) -> Iterator[Defect]:
        """Runs of days on which a steady volume, ten to forty times the usual one, is made up."""
        self._free = self._volume_free
        for number, (day, index, length) in enumerate(self._runs(rate, shortest=40, longest=150)):
            level = float(np.median(self._panel.volume[day : day + length, index])) * self._random.uniform(10.0, 40.0)
            for offset in range(length):
                volume = level * float(np.exp(self._random.normal(0.0, 0.04)))
                if number % 2:
                    volume = float(f"{volume:.2g}")
                truth = float(self._panel.volume[day + offset, index])
                yield self._row("wash_volume", day + offset, index, "volume_24h_usd", served=volume / truth)

    def _runs(
        self, rate: float, *, shortest: int = 1, longest: int = 1, half_on_sundays: bool = False
    ) -> Iterator[tuple[int, int, int]]:
        """Free runs of days as (first day, token, length), each claimed together with a day's distance around it."""
        wanted = round(rate * self._present_count / 100_000)
        for number in range(wanted):
            for _attempt in range(50):
                day = int(self._random.integers(0, self._settings.day_count))
                if half_on_sundays and number % 2 == 0:
                    day += _SUNDAY - (self._settings.start + timedelta(days=day)).weekday()
                index = int(self._random.integers(0, len(self._tokens)))
                length = int(self._random.integers(shortest, longest + 1))
                span = self._free[max(day - 1, 0) : day + length + 1, index]
                if span.size == length + 2 and span.all():
                    span[:] = False
                    yield day, index, length
                    break

    def _rows(
        self, kind: str, day: int, index: int, *, served: float | None, resolved_at: datetime | None = None
    ) -> Iterator[Defect]:
        """Every field of one day, `served` times its true value."""
        fields = ("price_usd", "market_cap_usd") if self._source == "coingecko" else ("close_quote",)
        for name in fields:
            yield self._row(kind, day, index, name, served=served, resolved_at=resolved_at)

    def _row(
        self, kind: str, day: int, index: int, name: str, *, served: float | None, resolved_at: datetime | None = None
    ) -> Defect:
        truth = self._truth(day, index, name)
        return Defect(
            kind=kind,
            source=self._source,
            coin_id=self._tokens[index].coin_id,
            market_date=self._settings.start + timedelta(days=day),
            field=name,
            true_value=truth,
            served_value=None if served is None else truth * served,
            resolved_at=resolved_at,
        )

    def _truth(self, day: int, index: int, name: str) -> float:
        if name == "market_cap_usd":
            return float(self._panel.cap[day, index])
        if name == "volume_24h_usd":
            return float(self._panel.volume[day, index])
        price = self._panel.close[day, index]
        return float(price if name == "price_usd" else price / self._panel.usdt_rate[day])

    def _end_of(self, day: int) -> datetime:
        return datetime.combine(self._settings.start + timedelta(days=day + 1), time(), tzinfo=UTC)
