"""How the sources stand: coverage by day, and for every week which of them were stale or down.

Belongs here: `quality.source_coverage` and `quality.source_health`, made from landing, quarantine and journal; whether the
week has prices. Does not: asking sources (`loads`), the journal's format (`source_journal.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any, Final

import duckdb
import polars as pl

from orchestration.lib.lake import without_keys
from orchestration.lib.landing import find_lag
from orchestration.lib.source_journal import Attempt
from orchestration.sources.datasets import Dataset

Lags = Mapping[tuple[str, str], float]

COVERED_DAYS: Final = 28
"""Days whose coverage is told anew each week; older rows stay as they were."""

EXPECTED_OVER_DAYS: Final = 7
"""A day is expected to have as many tokens, markets or series as the most of the days before it had."""

TOLERATED_DAYS: Final = 2
"""A source is stale when its newest day lies further back than its cadence, its lag and so many days."""

ENDED_AFTER_DAYS: Final = 90
"""A source whose newest day lies further back has ended, as files of an archive do; nothing waits for it any more."""

LEAST_PRICED_SHARE: Final = 0.5

COVERAGE = """
    create table if not exists quality.source_coverage (
        source varchar not null,
        dataset varchar not null,
        market_date date not null,
        expected bigint,
        received bigint not null,
        quarantined bigint not null,
        primary key (source, dataset, market_date)
    )
"""

HEALTH = """
    create table if not exists quality.source_health (
        as_of_week date not null,
        source varchar not null,
        dataset varchar not null,
        status varchar not null,
        newest_date date,
        days_behind bigint,
        last_status varchar,
        last_attempt_at timestamptz,
        received bigint,
        quarantined bigint,
        failed bigint,
        reason varchar,
        primary key (as_of_week, source, dataset)
    )
"""


def create_health_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make both tables where they are missing."""
    connection.execute(without_keys(connection, COVERAGE))
    connection.execute(without_keys(connection, HEALTH))


@dataclass(frozen=True)
class PriceCover:
    """Whether a week has the prices that everything rests on.

    Attributes:
        last_day: Day before as_of.
        expected: Tokens with a price of its own a week before that day.
        priced: Those of them that have one on that day.
    """

    last_day: date
    expected: int
    priced: int

    @property
    def is_enough(self) -> bool:
        """Whether at least half of the tokens still have prices."""
        return self.priced > 0 and self.priced >= LEAST_PRICED_SHARE * self.expected


def write_coverage(
    connection: duckdb.DuckDBPyConnection, datasets: Iterable[Dataset], *, as_of: datetime, lags: Lags
) -> int:
    """Count for each of the newest days what came, what was expected, and what was refused.

    Args:
        connection: The warehouse with its raw views, `raw.quarantine` among them.
        datasets: Datasets to tell of; undated ones are left out.
        as_of: Days before it are told, up to the newest one that the publication lag allows.
        lags: Publication lags in hours.

    Returns:
        Rows written.
    """
    connection.execute(without_keys(connection, COVERAGE))
    first = as_of.date() - timedelta(days=COVERED_DAYS)
    written = 0
    for dataset in datasets:
        if not dataset.is_dated:
            continue
        thing = _thing_of(dataset)
        connection.execute(
            f"""
            merge into quality.source_coverage as known using (
            with counted as (
                select market_date, count(distinct {thing}) as received
                from raw.{dataset.source}__{dataset.name}
                where market_date between $first - {EXPECTED_OVER_DAYS} and $last and available_at <= $as_of
                group by market_date
            ),
            days as (
                select unnest(range($first, $last + 1, interval 1 day))::date as market_date
            ),
            refused as (
                -- The partition of a daily load is its last day, also where it caught up or time is simulated.
                select
                    coalesce(try_cast(landing_partition as date), loaded_at::date - 1) as market_date,
                    count(*) as quarantined
                from raw.quarantine
                where source = $source and dataset = $dataset
                group by 1
            ),
            judged as (
                select
                    days.market_date,
                    max(before.received) as expected,
                    coalesce(any_value(counted.received), 0) as received,
                    coalesce(any_value(refused.quarantined), 0) as quarantined
                from days
                left join counted using (market_date)
                left join refused using (market_date)
                left join counted as before
                    on before.market_date between days.market_date - {EXPECTED_OVER_DAYS} and days.market_date - 1
                group by days.market_date
            ),
            expected_on as (
                -- In an outage longer than that, what was expected when it began.
                select
                    * replace (last_value(expected ignore nulls) over (order by market_date) as expected)
                from judged
            )
            select $source as source, $dataset as dataset, market_date, expected, received, quarantined
            from expected_on
            where (expected is not null and $is_daily) or received > 0 or quarantined > 0
            ) as counted_anew using (source, dataset, market_date)
            when matched then update when not matched then insert
            """,
            {
                "first": first,
                "last": _newest_due(dataset, as_of, lags),
                "is_daily": dataset.cadence_days == 1,
                "as_of": as_of,
                "source": dataset.source,
                "dataset": dataset.name,
            },
        )
        written += 1
    row = connection.execute("select count(*) from quality.source_coverage where market_date >= ?", [first]).fetchone()
    return int(row[0]) if row else 0


def write_health(
    connection: duckdb.DuckDBPyConnection,
    datasets: Sequence[Dataset],
    *,
    as_of: datetime,
    attempts: Sequence[Attempt],
    lags: Lags,
) -> pl.DataFrame:
    """Judge every source as the week saw it, and keep the judgement with the week.

    Args:
        connection: The warehouse with its raw views.
        datasets: Datasets that the run asks for, or that have rows.
        as_of: Instant of the week.
        attempts: The journal, oldest first.
        lags: Publication lags in hours.

    Returns:
        The week's rows of `quality.source_health`, the worst first.
    """
    connection.execute(without_keys(connection, HEALTH))
    newest_attempt = {(each.source, each.dataset): each for each in attempts}
    rows = [
        _judge(connection, dataset, newest_attempt.get((dataset.source, dataset.name)), as_of=as_of, lags=lags)
        for dataset in datasets
    ]
    week = as_of.date()
    connection.execute("delete from quality.source_health where as_of_week = ?", [week])
    if rows:
        connection.executemany(f"insert into quality.source_health values ({', '.join('?' * 12)})", rows)
    return connection.execute(
        """select * from quality.source_health where as_of_week = ?
        order by array_position(['down', 'stale', 'never', 'partly', 'ended', 'fresh'], status), source, dataset""",
        [week],
    ).pl()


def price_cover(connection: duckdb.DuckDBPyConnection, *, as_of: datetime) -> PriceCover:
    """How many of the tokens that had prices a week ago still have them on the last day before as_of."""
    last = as_of.date() - timedelta(days=1)
    row = connection.execute(
        """
        with before as (select token_id from marts.fct_daily where market_date = $before and not is_carried)
        select
            (select count(*) from before),
            (select count(*) from marts.fct_daily
             where market_date = $last and not is_carried
             and (token_id in (from before) or not exists (from before)))
        """,
        {"before": last - timedelta(days=7), "last": last},
    ).fetchone()
    expected, priced = row if row else (0, 0)
    return PriceCover(last, int(expected), int(priced))


def _judge(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    attempt: Attempt | None,
    *,
    as_of: datetime,
    lags: Lags,
) -> tuple[Any, ...]:
    """One row of `quality.source_health`."""
    newest, behind = None, None
    if dataset.is_dated:
        row = connection.execute(
            f"select max(market_date) from raw.{dataset.source}__{dataset.name} where available_at <= ?", [as_of]
        ).fetchone()
        newest = row[0] if row else None
        if newest is not None:
            behind = max(0, (_newest_due(dataset, as_of, lags) - newest).days)
    has_rows = newest is not None or (not dataset.is_dated and _has_rows(connection, dataset))
    if attempt is not None and attempt.status == "down":
        status = "down"
    elif not has_rows:
        status = "never"
    elif behind is not None and behind > ENDED_AFTER_DAYS:
        status = "ended"
    elif behind is not None and behind >= dataset.cadence_days + TOLERATED_DAYS:
        status = "stale"
    else:
        status = "partly" if attempt is not None and attempt.status == "partly" else "fresh"
    return (
        as_of.date(),
        dataset.source,
        dataset.name,
        status,
        newest,
        behind,
        attempt.status if attempt else None,
        datetime.fromisoformat(attempt.at) if attempt else None,
        attempt.received if attempt else None,
        attempt.quarantined if attempt else None,
        attempt.failed if attempt else None,
        attempt.reason if attempt else None,
    )


def _newest_due(dataset: Dataset, as_of: datetime, lags: Lags) -> date:
    """The newest day that can be known at as_of."""
    return as_of.date() - timedelta(days=1 + ceil(find_lag(lags, dataset) / 24))


def _has_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> bool:
    row = connection.execute(f"select exists (select 1 from raw.{dataset.source}__{dataset.name} limit 1)").fetchone()
    return bool(row and row[0])


def _thing_of(dataset: Dataset) -> str:
    """What a day has one row of each: the key without the day."""
    parts = [name for name in dataset.key if name != "market_date"]
    return f"({', '.join(parts)})" if parts else "market_date"
