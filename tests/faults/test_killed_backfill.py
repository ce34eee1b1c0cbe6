"""A backfill killed at any instant: the repeated command completes, and landing holds every row once."""

import random
import subprocess
import sys
import time

import pytest

from orchestration.lib.landing import LandingStore
from orchestration.sources.datasets import DATASETS
from tests.conftest import REPOSITORY

KILLS, KILLS_OF_A_DRILL = 1, 20


def start(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.backfill", str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"
    return process


def finish(process):
    """The requests that were made."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return int(out.split()[1])


def landed(folder):
    """Of every dataset the rows that count, without what says when they came."""
    store = LandingStore(folder)
    return {
        label: store.newest(dataset).select(list(dataset.columns))
        for label, dataset in ((each.label, each) for each in DATASETS.values())
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Rows, seconds of loading and requests of a backfill that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(folder)
    began = time.monotonic()
    requests = finish(process)
    return landed(folder), time.monotonic() - began, requests


def kill_and_repeat(folder, moment, undisturbed):
    rows, _, requests = undisturbed
    process = start(folder)
    time.sleep(moment)
    process.kill()
    process.communicate()

    repeated = finish(start(folder))

    found = landed(folder)
    for label, expected in rows.items():
        place = f"{label} after a kill at {moment:.2f} s"
        if label.startswith("github/"):  # a kill after its turn leaves the next repositories to the repeated run
            assert expected.join(found[label], on=expected.columns, how="anti", nulls_equal=True).is_empty(), place
        else:
            assert found[label].equals(expected), place
    assert repeated <= requests * 1.02 + 5, "the repeated run asks no more than a whole one"
    left = [path for path in folder.rglob("*.tmp") if path.stat().st_size == 0]
    assert not [path for path in folder.rglob("*.parquet") if path.name.startswith(".")], left
    return repeated


def moments(count, seconds, *, seed):
    draw = random.Random(seed)
    return [draw.uniform(0.0, seconds) for _ in range(count)]


@pytest.mark.parametrize("number", range(KILLS))
def test_a_backfill_killed_at_a_random_instant_completes_when_repeated(number, undisturbed, tmp_path):
    moment = moments(KILLS, undisturbed[1], seed=3)[number]

    kill_and_repeat(tmp_path / "data", moment, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS_OF_A_DRILL))
def test_a_backfill_killed_at_twenty_random_instants_completes_when_repeated(number, undisturbed, tmp_path):
    """A drill: forty backfills; the tests kill one at a random instant and one near its end."""
    moment = moments(KILLS_OF_A_DRILL, undisturbed[1], seed=20)[number]

    kill_and_repeat(tmp_path / "data", moment, undisturbed)


def test_what_had_landed_before_the_kill_is_not_asked_again(undisturbed, tmp_path):
    _, seconds, requests = undisturbed

    repeated = kill_and_repeat(tmp_path / "data", seconds * 0.9, undisturbed)

    assert repeated < 0.6 * requests, "a backfill killed near its end has little left to ask"
