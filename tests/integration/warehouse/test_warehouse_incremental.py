"""Weeks added one after another give the warehouse that one full build gives, late and corrected rows included.

Features are single precision. On this market they are equal bit for bit, but a rolling sum that began on another day may round the
other way (41 of 27 million values of the real history from 2022 on), so a neighbouring float passes.
"""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.connections import LAGS
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import read_lags
from orchestration.lib.resources import EVERY_DAY, FIRST_DAY, RebuiltDays
from orchestration.lib.run_context import begin_build, complete_build, last_completed
from orchestration.lib.warehouse import changes_since, connect, create_raw_views, create_schemas
from orchestration.lib.weeks import instant_of, mondays
from orchestration.sources.datasets import DATASETS
from tests.integration.warehouse.comparison import ONE_ULP, differences
from tests.integration.warehouse.scratch import LATEST
from tests.integration.warehouse.synthetic_market import (
    ASSETS,
    CATEGORIES,
    CHARTS,
    CUT,
    END,
    FREE_DAYS,
    FREE_PRICES,
    START,
    around,
    chart_frame,
)

CORRECTED = CUT - timedelta(days=40)
LATE = around(-1, 1)
COMMITTED = CUT - timedelta(days=CUT.weekday() + 16)
"""The Saturday two weeks before the cut; its commits are known one day later."""


def split_at(frames, week):
    """What had been known at a Monday, and the dated rows that came later."""
    lags, before, after = read_lags(LAGS), {}, {}
    for label, (dataset, frame) in frames.items():
        lag = timedelta(days=1, hours=lags[dataset.source, dataset.name])
        instants = pl.col("market_date").cast(pl.Datetime("us", "UTC")) + lag
        known = instants <= instant_of(week) if dataset.is_dated else pl.lit(value=True)
        before[label], after[label] = (dataset, frame.filter(known)), (dataset, frame.filter(~known))
    return before, after


def counted_again(frames):
    """GitHub's commits of one week, counted anew."""
    dataset, commits = frames["github/commits_weekly"]
    week = (pl.col("feed") == "github") & (pl.col("market_date") == COMMITTED)
    return {dataset.label: (dataset, commits.filter(week).with_columns(pl.col("commits") + 7))}


def corrections(frames):
    """A second load of bitcoin's price of a day, as far off as other sources allow, and ether's days that were left out."""
    charts = frames[CHARTS.label][1]
    is_corrected = (pl.col("coin_id") == "bitcoin") & (pl.col("market_date") == CORRECTED)
    corrected = charts.filter(is_corrected).with_columns(pl.col("price_usd") * 1.02)
    late = pl.DataFrame(
        {"coin_id": "ethereum", "symbol": "ETH", "market_date": LATE, "price_usd": [2500.0, 2400.0, 2600.0]}
    )
    return {CHARTS.label: (CHARTS, pl.concat([corrected, late], how="diagonal"))}


def build_as_a_run(warehouse, week):
    """Build a week the way the weekly run chooses the days to compute.

    Returns:
        The first day that was computed.
    """
    cutoff = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=warehouse.loads)
    with connect(DataFolder(warehouse.root).warehouse) as connection:
        create_schemas(connection)
        create_raw_views(connection, warehouse.root, input_cutoff=LATEST)
        before = last_completed(connection)
        changed = changes_since(
            connection,
            since=before["input_cutoff"] if before else None,
            as_of=instant_of(week),
            datasets=[dataset for dataset in DATASETS.values() if dataset.is_dated],
        )
        run = begin_build(
            connection,
            build_id=str(warehouse.loads),
            as_of_week=week,
            data_source="simulated",
            input_cutoff=cutoff,
            inputs_hash="",
            code_version="",
            earliest_change=changed.first_recent_day,
            rebuild=None,
            version_reason=None,
            correction_weeks=8,
        )
    new_days = RebuiltDays(min(before["as_of_week"], week), changed.first_days) if before else EVERY_DAY
    warehouse.build(week, rebuilt=new_days)
    with connect(DataFolder(warehouse.root).warehouse) as connection:
        complete_build(connection, run.build_id)
    return run.changed_from or FIRST_DAY


@pytest.fixture(scope="module")
def weekly(new_warehouse, frames):
    """Built at a random week, at the cut and at the end, each time from what was known, and the first day each build computed."""
    warehouse = new_warehouse()
    weeks = [random.Random(4).choice(mondays(START + timedelta(days=60), CUT - timedelta(days=1))), CUT, END]
    firsts, later = [], frames
    for week in weeks:
        known, later = split_at(later, week)
        warehouse.land_all(known)
        firsts.append(build_as_a_run(warehouse, week))
    return warehouse, weeks, firsts


def test_weeks_added_to_a_warehouse_equal_one_full_build(full, weekly):
    warehouse, weeks, firsts = weekly

    assert firsts == [FIRST_DAY, *weeks[:-1]]  # what comes late, as Coin Metrics' Sunday does, changes no earlier day
    assert differences(warehouse, full, END, single_relative=ONE_ULP) == {}


def test_a_build_leaves_none_of_its_tables_behind(weekly):
    warehouse, _, _ = weekly

    left = warehouse.query("select table_name from duckdb_tables() where contains(table_name, '__dbt_')")

    assert left.is_empty()


def test_what_comes_late_rebuilds_what_it_touches_as_a_full_build_does(new_warehouse, frames, weekly):
    """A free plan that makes an exchange's series a coin's past, a sector and a class from undated lists, corrected and late rows.

    Last a week of commits, from which only what rests on them is computed again.

    Each reaches back less far than the one before it, so the days between the two are those that it alone computed last.
    """
    grown, _, _ = weekly
    price = f"select price_usd from marts.fct_daily where token_id = 'bitcoin' and market_date = date '{CORRECTED}'"
    before = grown.query(price).item()
    steps = [
        (free_plan(frames), (around(2, 2)[0], FREE_DAYS[0])),
        (listed("rival-old", "Privacy Coins"), (END, around(-90, -90)[0])),
        (corrections(frames), (CORRECTED, CORRECTED)),
        (listed("late-peg", "Stablecoins"), (END, around(-30, -30)[0])),
        (counted_again(frames), (COMMITTED + timedelta(days=1),) * 2),
    ]
    whole = new_warehouse()
    whole.land_all(frames)

    for landed, _ in steps:
        whole.land_all(landed)
    whole.build(END)
    rebuilt_from = []
    for landed, _ in steps:
        grown.land_all(landed)
        rebuilt_from.append(rebuilt_days(grown, build_as_a_run(grown, END)))

    assert rebuilt_from == [expected for _, expected in steps]
    first_days = dict(grown.query("select node, rebuilt_from from intermediate.first_rebuilt_days").iter_rows())
    assert first_days["int_fact_features"] == COMMITTED + timedelta(days=1)
    for untouched in ("fct_daily", "int_price_features", "fct_universe_daily", "fct_risk_daily"):
        assert first_days[untouched] == END, "no price rests on commits"
    assert grown.query(price).item() == pytest.approx(before * 1.02)
    assert differences(grown, whole, END, single_relative=ONE_ULP) == {}


def free_plan(frames):
    """A year's charts of a coin whose ticker has been a series of an exchange alone for longer; the coin is new."""
    days = FREE_DAYS[-27:]
    coin = pl.DataFrame({"coin_id": ["free"], "symbol": ["FREE"], "name": ["Free"]})
    return {
        CHARTS.label: (CHARTS, chart_frame("free", "FREE", days, FREE_PRICES[-27:], [5e7] * 27, [1e6] * 27)),
        ASSETS.label: (ASSETS, pl.concat([frames[ASSETS.label][1], coin], how="diagonal")),
    }


def listed(coin, category):
    """A load of the list of categories in which a coin is."""
    return {CATEGORIES.label: (CATEGORIES, pl.DataFrame({"coin_id": [coin], "category_name": [category]}))}


def rebuilt_days(warehouse, first):
    """The first day a run was to compute, and the first it did."""
    return first, warehouse.query("select min(rebuilt_from) from intermediate.rebuilt_days").item()
