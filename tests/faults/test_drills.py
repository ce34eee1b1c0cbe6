"""The drills' own measures: what is lost, what is wrong, what the table says. The drills themselves run with `make drills`."""

import os
import shutil
import subprocess
import sys
import time

import duckdb
import pytest

from tests.faults.drills.ground import DrillError, refusal, tree_cpu_seconds
from tests.faults.drills.report import table
from tests.faults.drills.state import digest_of, published_difference


class Said:
    """What a command left."""

    def __init__(self, code, err):
        self.code, self.out, self.err = code, "", err
        self.said = err


@pytest.fixture
def folders(tmp_path):
    """Two equal published copies of a table of prices and one that tells of runs."""
    one = tmp_path / "one"
    (one / "published").mkdir(parents=True)
    with duckdb.connect(str(one / "published" / "warehouse.duckdb")) as connection:
        for schema in ("marts", "quality"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table marts.prices as select range as token, range * 1.5::double as price, now() as recorded_at from range(10)"
        )
        connection.execute("create table quality.builds as select 1 as run")
    return one, shutil.copytree(one, tmp_path / "two")


def change(folder, sql):
    with duckdb.connect(str(folder / "published" / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def test_who_recorded_a_row_and_when_makes_no_difference(folders):
    one, two = folders
    change(two, "update marts.prices set recorded_at = '2020-01-01'; insert into quality.builds values (2)")

    assert digest_of(one) == digest_of(two)
    assert published_difference(one, two).where == ()


def test_a_row_that_is_gone_is_lost(folders):
    one, two = folders
    change(two, "delete from marts.prices where token = 3")

    found = published_difference(one, two)

    assert digest_of(one) != digest_of(two)
    assert (found.lost, found.wrong) == (1, 0)


def test_a_number_that_differs_is_wrong_and_not_lost(folders):
    one, two = folders
    change(two, "update marts.prices set price = price + 1e-6 where token < 2")

    found = published_difference(one, two)

    assert (found.lost, found.wrong) == (0, 2)
    assert "marts.prices: 2 rows missing, 2 others" in str(found)


def test_last_digits_make_no_difference(folders):
    one, two = folders
    change(two, "update marts.prices set price = price * (1 + 4e-16) where token > 2")

    assert published_difference(one, two).where == ()


def test_a_stack_trace_is_no_clear_line():
    with pytest.raises(DrillError, match="stack trace"):
        refusal(Said(1, "Traceback (most recent call last)\nOSError: disk full"), names="disk full")
    with pytest.raises(DrillError, match="ended well"):
        refusal(Said(0, "tidemark: disk full"), names="disk full")

    assert refusal(Said(1, "tidemark: disk full"), names="disk full") == "tidemark: disk full"


def test_processor_seconds_of_children_count():
    # More than is waited for: the kernel counts whole ticks of 1/100 s, each process and mode by itself, and rounds down.
    spin = "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], start_new_session=True) as process:
        try:
            end = time.monotonic() + 60
            while tree_cpu_seconds(process.pid) < 0.3:
                assert time.monotonic() < end, "the child's seconds never count"
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, 9)


def test_the_table_says_what_was_not_done_and_what_did_not_hold():
    result = {
        "name": "full disk",
        "must": "it must",
        "happened": "NOT HELD: a | b",
        "lost": 2,
        "wrong": 0,
        "seconds": 3.4,
        "is_held": False,
    }
    done = {"disk": {"at": "2026-01-02T03:04", "code_version": "x", "commit": "abc", "results": [result]}}

    page = table(done, expected=["disk", "kills"], tokens=130)

    assert "| full disk | it must | **not held**: a \\| b | 2 | 0 | 3 | abc, 2026-01-02 |" in page
    assert "| kills | | not performed | | | | |" in page
    assert "1 of 2 drills performed, 0 of 1 rows held; rows lost 2, wrong numbers published 0." in page


def test_what_a_drill_could_not_count_is_unknown_and_not_zero():
    result = {
        "name": "model",
        "must": "",
        "happened": "NOT HELD: a",
        "lost": None,
        "wrong": None,
        "seconds": 1.0,
        "is_held": False,
    }
    done = {"model": {"at": "2026-01-02T03:04", "code_version": "x", "commit": "abc", "results": [result]}}

    page = table(done, expected=["model"], tokens=130)

    assert "| **not held**: a | ? | ? | 1 | abc, 2026-01-02 |" in page
    assert "rows lost 0, wrong numbers published 0, both unknown in 1 of them." in page
