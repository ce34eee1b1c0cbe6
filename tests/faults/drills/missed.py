"""Schedule drill: five weeks without a run, then one.

Belongs here: what one run must fill. Does not: the schedules themselves (`tests/unit/orchestration/test_definitions.py`).
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product

from tests.conftest import NEXT_WEEK, WEEK, Tidemark
from tests.faults.drills.ground import DrillError, Ground, Result, timed
from tests.faults.drills.state import chain_problems

MISSED = 5
AFTER = [WEEK + timedelta(weeks=number) for number in range(1, MISSED + 1)]
LAST = AFTER[-1]


def five_weeks(ground: Ground) -> Result:
    """Run once, five weeks after the first run: every week and every day in between must be there."""
    with timed() as seconds, ground.copy("missed") as tidemark:
        finished = ground.call(tidemark, week={"TIDEMARK_AS_OF": LAST.isoformat()})
        if finished.code != 0:
            raise DrillError(f"the run failed: {finished.said[-1500:]}")
        if problems := chain_problems(tidemark.folder):
            raise DrillError(f"make verify: {'; '.join(problems)}")
        units = _missing_units(tidemark, ground.first)
        days = _thin_days(tidemark)
        if units or days:
            raise DrillError(f"weeks missing: {units}; days with too few prices: {days}")
        wrong = _changed(tidemark, ground.undisturbed)
        return Result(
            f"schedule missed for {MISSED} weeks",
            "The next run fills every day and every week in between",
            f"one run for {LAST} in {finished.seconds:.0f} s: all {7 * MISSED} days have their prices, every weekly table "
            f"all {MISSED} weeks; what it says of {NEXT_WEEK} differs from a run on time in {wrong} grades",
            seconds(),
            wrong=wrong,
            is_held=wrong == 0,
        )


def _missing_units(tidemark: Tidemark, first: Tidemark) -> list[tuple[object, ...]]:
    """Tables that a run writes for its own week, as the first run did, and weeks after it of which they have none."""
    weekly = first.ledger("as_of_week = ? and table_name != 'indices.rebalances'", WEEK)["table_name"].unique(
        maintain_order=True
    )
    return tidemark.query(
        """
        with wanted as (
            select unnest(?) as table_name, unnest(?)::date as as_of_week
        )
        select wanted.table_name, wanted.as_of_week::varchar
        from wanted left join quality.unit_versions as ledger
            on wanted.table_name = ledger.table_name and wanted.as_of_week = ledger.as_of_week
        group by all having count(ledger.unit) = 0 order by all
        """,
        *map(list, zip(*product(weekly, AFTER), strict=True)),
    ).rows()


def _thin_days(tidemark: Tidemark) -> list[tuple[object, ...]]:
    """Days since the first run with under nine tenths of the prices that its last day had."""
    return tidemark.query(
        """
        with days as (
            select day::date as market_date from generate_series(?::timestamp, ?::timestamp, interval 1 day) as days(day)
        ),
        counted as (select market_date, count(price_usd) as prices from marts.fct_daily group by all)
        select days.market_date::varchar, coalesce(counted.prices, 0)
        from days left join counted using (market_date)
        where coalesce(counted.prices, 0) < 0.9 * (select prices from counted where market_date = ?::date)
        order by all
        """,
        WEEK,
        LAST - timedelta(days=1),
        WEEK - timedelta(days=1),
    ).rows()


def _changed(late: Tidemark, on_time: Tidemark) -> int:
    """Trader grades of the week after the first run that a run on time gave otherwise."""
    sql = "select token_id, trader_grade from learning.trader_grades_current where as_of_week = ? order by token_id"
    one, other = late.query(sql, NEXT_WEEK), on_time.query(sql, NEXT_WEEK)
    both = one.join(other, on="token_id", how="full", suffix="_on_time")
    return both.filter(
        both["trader_grade"].is_null() | ((both["trader_grade"] - both["trader_grade_on_time"]).abs() > 1e-9)
    ).height
