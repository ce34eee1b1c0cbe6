"""Landing what a provider gave: which rows are new, where they lie, what is counted.

Belongs here: the time a load is for, landing of changed rows, quarantine, counts, prices that wait for the end of their load.
Does not: which dataset asks what (`loads`), wire formats (`orchestration/sources`), files (`landing.py`), what is in doubt
(`contradictions.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import polars as pl

from orchestration.lib.contradictions import LOOK_BACK, PRICE_COLUMNS, Verdict, judge
from orchestration.lib.landing import LandingStore, find_lag
from orchestration.lib.quarantine import unseen
from orchestration.sources.datasets import Dataset
from orchestration.sources.validation import Fetched, Rejected, reverting_jumps

DAYS_A_WEEK = 7
SUNDAY = 6

REREAD_DAYS = 3
"""Days before the newest landed one that are asked again: rows come late and are revised; only changes land."""


@dataclass(frozen=True)
class Reach:
    """The time a load is for.

    Attributes:
        now: Instant of the load; days that have not ended by then are left out.
        first: First day wanted of a token that has none yet.
        last: Last day wanted.
        partition: `day` lands each market_date in its own partition, `year` each calendar year (backfills).
    """

    now: datetime
    first: date
    last: date
    partition: Literal["day", "year"]

    def is_week_due(self, newest: date | None) -> bool:
        """Whether what costs a request each is to be asked: never before, a week ago, or now that a week ends and grades need it."""
        if newest is None:
            return True
        days_behind = (self.last - newest).days
        return days_behind >= DAYS_A_WEEK or (days_behind > 0 and self.is_week_end)

    @property
    def is_week_end(self) -> bool:
        """Whether the last day wanted is a Sunday: the week that follows is graded on it."""
        return self.last.weekday() == SUNDAY

    def start_after(self, newest: date | None) -> date:
        """First day to ask of a token: its whole history, nothing when up to date, else a few days back."""
        if newest is None:
            return self.first
        if newest >= self.last:
            return newest + timedelta(days=1)
        return max(self.first, newest - timedelta(days=REREAD_DAYS - 1))


@dataclass(frozen=True)
class Ingested:
    """What one load did to one dataset.

    Attributes:
        dataset: The dataset.
        received: Rows the provider gave.
        landed: Rows that were new or other than landed before.
        quarantined: Records refused.
        failures: What could not be fetched, by token or market.
    """

    dataset: Dataset
    received: int = 0
    landed: int = 0
    quarantined: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Ingested) -> Ingested:
        """Two loads of one dataset as one."""
        return Ingested(
            self.dataset,
            self.received + other.received,
            self.landed + other.landed,
            self.quarantined + other.quarantined,
            {**self.failures, **other.failures},
        )

    def with_failures(self, failures: Mapping[str, str]) -> Ingested:
        """The same with more that could not be fetched."""
        return Ingested(self.dataset, self.received, self.landed, self.quarantined, {**self.failures, **dict(failures)})


class Ingestion:
    """Landing for one run.

    Args:
        store: Where rows land.
        data_source: simulated or live.
        lags: Publication lags.
        report: Told progress in words.
    """

    def __init__(
        self,
        store: LandingStore,
        *,
        data_source: str,
        lags: Mapping[tuple[str, str], float],
        report: Callable[[str], None],
    ) -> None:
        """Keep where rows land and how they are dated."""
        self.store = store
        self.report = report
        self._data_source = data_source
        self._lags = lags
        self._held: dict[str, list[pl.DataFrame]] = {}

    def land(self, fetched: Fetched, reach: Reach, *, is_all_news: bool = False) -> Ingested:
        """Land the changed rows of an answer; quarantine what was refused, and what contradicts its neighbours.

        Prices of a daily load wait for `settle`: whether they can be believed is known only of all of them together. Backfills have
        nothing to contradict.

        Args:
            fetched: The answer.
            reach: The time the load is for.
            is_all_news: Whether none of its keys can have landed before, so that nothing needs to be compared.
        """
        dataset, frame = fetched.dataset, fetched.frame
        if dataset.name in PRICE_COLUMNS and reach.partition == "day":
            self._held.setdefault(dataset.label, []).append(with_columns_of(dataset, frame))
            frame = frame.clear()
        landed = self._land(dataset, frame, fetched.rejected, reach, is_all_news=is_all_news)
        return replace(landed, received=fetched.frame.height)

    def settle(self, dataset: Dataset, reach: Reach) -> Ingested:
        """Judge what a load held back, now that all of it is here: land it, or quarantine it.

        Args:
            dataset: A dataset of the load that has ended, well or not.
            reach: The time the load was for.

        Returns:
            What became of the rows; they were counted as received before.
        """
        verdict = self._verdict(dataset)
        self._held.pop(dataset.label, None)
        if verdict is None:
            return Ingested(dataset)
        refuted = verdict.refuted
        rejected = [Rejected.of(row.pop("__reason"), row) for row in refuted.to_dicts()]
        entity = PRICE_COLUMNS[dataset.name].entity
        failures = {
            f"{number} of {verdict.compared} from {first} on": f"{reason}; kept in quarantine, asked again by the next run"
            for reason, number, first in refuted.group_by("__reason", maintain_order=True)
            .agg(pl.col(entity).n_unique().alias("number"), pl.col("market_date").min())
            .iter_rows()
        }
        return self._land(dataset, verdict.believed, rejected, reach).with_failures(failures)

    def is_refuted(self, dataset: Dataset) -> bool:
        """Whether what a load has of a dataset so far is refuted: then its provider's other totals are no better."""
        verdict = self._verdict(dataset)
        return verdict is not None and not verdict.refuted.is_empty()

    def _verdict(self, dataset: Dataset) -> Verdict | None:
        """What the rows that are held back are worth; None where there are none."""
        held = self._held.get(dataset.label)
        if not held or (frame := pl.concat(held).unique(dataset.key, keep="last", maintain_order=True)).is_empty():
            return None
        first = frame.select(pl.col("market_date").min()).item()
        return judge(dataset, frame, self.store.newest(dataset, since=first - LOOK_BACK))

    def _land(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        rejected: Sequence[Rejected],
        reach: Reach,
        *,
        is_all_news: bool = False,
    ) -> Ingested:
        changed = frame if is_all_news else self.store.changed_rows(dataset, frame)
        loaded_at = datetime.now(UTC)
        # Refused records first: a load that is killed in between asks again only from its newest landed day on.
        findings = _bad_ticks(dataset, frame, changed)
        refused = self._refuse(dataset, (*rejected, *findings), reach, loaded_at=loaded_at)
        self.store.write_parts(
            dataset,
            _partitions(dataset, changed, reach),
            data_source=self._data_source,
            loaded_at=loaded_at,
            lag_hours=find_lag(self._lags, dataset),
        )
        return Ingested(dataset, landed=changed.height, quarantined=refused)

    def _refuse(self, dataset: Dataset, rejected: Sequence[Rejected], reach: Reach, *, loaded_at: datetime) -> int:
        """Quarantine the records that are not there yet; returns how many."""
        refused = unseen(self.store, dataset, rejected)
        if refused:
            self.store.write_quarantine(
                dataset,
                refused,
                data_source=self._data_source,
                partition=reach.last.isoformat(),
                loaded_at=loaded_at,
            )
        return len(refused)


WITH_BAD_TICKS = PRICE_COLUMNS.keys() - {"category_daily"}
"""Datasets of prices; what a category is worth is a sum."""


def _bad_ticks(dataset: Dataset, frame: pl.DataFrame, changed: pl.DataFrame) -> list[Rejected]:
    """Ten-fold jumps that revert, as copies; looked for only where rows are news."""
    if dataset.name not in WITH_BAD_TICKS or changed.is_empty():
        return []
    columns = PRICE_COLUMNS[dataset.name]
    of_changed = frame.join(changed.select(columns.entity).unique(), on=columns.entity, how="semi")
    return reverting_jumps(dataset, of_changed, entity=columns.entity, price=columns.price)


def with_columns_of(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of a dataset, absent ones null."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in dataset.columns.items()
    )


def _partitions(dataset: Dataset, rows: pl.DataFrame, reach: Reach) -> dict[str, pl.DataFrame]:
    """Rows by landing partition, the earliest first: their day or calendar year; reference rows under the day they were seen."""
    if not dataset.is_dated:
        return {reach.last.isoformat(): rows}
    form = "%Y-%m-%d" if reach.partition == "day" else "%Y"
    split = rows.with_columns(partition=pl.col("market_date").dt.strftime(form)).partition_by(
        "partition", as_dict=True, include_key=False
    )
    return dict(sorted((str(key[0]), part) for key, part in split.items()))
