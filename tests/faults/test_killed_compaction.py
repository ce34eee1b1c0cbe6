"""SIGKILL while landed files are put together: every reader sees every row once, and the next compaction finishes."""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_listing import list_files
from orchestration.lib.landing_maintenance import Limits, compact
from orchestration.lib.warehouse import create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
MARKET_DAILY = find_dataset("coingecko", "market_daily")
FIRST_DAY = date(2023, 12, 1)
DAYS = 60
KILLS = 20
NOW = datetime(2025, 1, 1, tzinfo=UTC)

COMPACTION = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_maintenance import Limits, compact

root, dies_at = Path(sys.argv[1]), int(sys.argv[2])
steps = 0

def report(step):
    global steps
    steps += 1
    if steps == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)

print("ready", flush=True)
compact(LandingStore(root), now=datetime(2025, 1, 1, tzinfo=UTC), limits=Limits(), switch_readers=lambda: None, report=report)
print(steps, flush=True)
"""


def land(store, day, coins, *, price, hours=0):
    frame = pl.DataFrame(
        {"coin_id": coins, "symbol": None, "market_date": day, "price_usd": price, "market_cap_usd": None}
    ).with_columns(volume_24h_usd=pl.lit(None, pl.Float64))
    at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(days=1, hours=hours)
    store.write(MARKET_DAILY, frame, data_source="live", partition=day.isoformat(), loaded_at=at, lag_hours=0.0)


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    """Sixty days of daily files over two calendar years, every seventh day corrected."""
    root = tmp_path_factory.mktemp("landed")
    store = LandingStore(root)
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        land(store, day, [f"coin-{coin}" for coin in range(50)], price=float(number + 1))
        if number % 7 == 0:
            land(store, day, ["coin-1"], price=1000.0 + number, hours=5)
    return root


@contextmanager
def started(root, dies_at=0):
    """A compaction in a process of its own that is about to begin; it does not outlive the block."""
    arguments = [sys.executable, "-c", COMPACTION, str(root), str(dies_at)]
    with subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def seen(root):
    """What builds and loads read: raw rows, newest rows, fingerprints, loads."""
    store = LandingStore(root)
    cutoffs = [datetime(2023, 12, 20, tzinfo=UTC), NOW]
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_raw_views(connection, root, input_cutoff=NOW)
        raw = connection.sql(
            "select count(*), count(distinct (coin_id, market_date, load_id)), sum(price_usd), sum(hash(load_id)::hugeint) "
            "from raw.coingecko__market_daily"
        ).fetchall()
    loads = [(load.load_id, load.partition, load.rows) for load in store.loads()]
    return raw, store.newest(MARKET_DAILY).rows(), [store.inputs_hash(cutoff) for cutoff in cutoffs], loads


def finish(root):
    compact(LandingStore(root), now=NOW, limits=Limits(), switch_readers=lambda: None, report=lambda _step: None)
    (folder,) = LandingStore(root).folders("landing")
    return list_files(folder)


def hold(root, expected):
    """Readers see the same after the kill and after the compaction that finishes it, and nothing is left over."""
    assert seen(root) == expected
    files = finish(root)
    assert seen(root) == expected
    assert (len(files.live), files.replaced, files.lost) == (2, (), ())


def test_a_compaction_killed_between_two_steps_doubles_and_loses_nothing(landed, tmp_path):
    expected = seen(landed)

    for step in (2, 4, 5, 30):  # before the first rename, after it, before anything is removed, amid removing
        root = tmp_path / str(step)
        shutil.copytree(landed, root)

        with started(root, dies_at=step) as process:
            assert process.wait(60) == -signal.SIGKILL
        hold(root, expected)


@pytest.mark.slow
def test_a_compaction_killed_at_random_instants_doubles_and_loses_nothing(landed, tmp_path):
    """A drill: twenty compactions; the tests kill one at each instant that differs."""
    expected = seen(landed)
    chance = random.Random(11)
    whole = tmp_path / "whole"
    shutil.copytree(landed, whole)
    with started(whole) as process:
        began = time.monotonic()
        assert process.wait(60) == 0
    seconds = time.monotonic() - began
    killed = 0

    for number in range(KILLS):
        root = tmp_path / str(number)
        shutil.copytree(landed, root)
        with started(root) as process:
            time.sleep(chance.uniform(0, seconds))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        hold(root, expected)

    assert killed >= KILLS // 2


@pytest.mark.slow
def test_writers_and_readers_beside_a_compaction_lose_nothing(landed, tmp_path):
    """A drill: it writes and reads as long as a whole compaction takes."""
    root = tmp_path / "shared"
    shutil.copytree(landed, root)
    store = LandingStore(root)
    before = {load.load_id for load in store.loads()}
    written, reads = 0, 0

    with started(root) as process:
        while process.poll() is None:
            land(store, date(2024, 1, 5), ["coin-7"], price=5000.0 + written, hours=100 + written)
            written += 1
            assert before <= {load.load_id for load in store.loads()}
            assert store.newest(MARKET_DAILY).height == DAYS * 50
            reads += 1

    assert process.returncode == 0
    assert reads > 0
    assert len({load.load_id for load in store.loads()}) == len(store.loads()) == len(before) + written
    finish(root)
    assert len(store.loads()) == len(before) + written
