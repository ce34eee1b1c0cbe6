"""One service a data folder."""

import os
import subprocess
import sys
import time

import pytest

from orchestration.lib.serve_lock import ServedError, is_served, refuse_served, served_by, serving

HOLD = """
import sys, time
from pathlib import Path
from orchestration.lib.serve_lock import serving

with serving(Path(sys.argv[1]), port=3917):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """A process that serves the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_a_second_service_is_refused_in_one_line_that_names_the_first(tmp_path, other):
    with (
        pytest.raises(ServedError, match=f"process {other.pid}, with its UI on port 3917") as refused,
        serving(tmp_path, port=1),
    ):
        pass

    assert "\n" not in str(refused.value)
    with pytest.raises(ServedError):
        refuse_served(tmp_path)


def test_a_service_that_was_killed_frees_the_folder(tmp_path, other):
    other.kill()
    other.wait()

    assert not is_served(tmp_path)
    with serving(tmp_path, port=3000):
        assert served_by(tmp_path).pid == os.getpid()


def test_a_folder_nobody_served_is_free_and_nothing_is_written_to_see_it(tmp_path):
    assert not is_served(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_looking_does_not_take_the_lock_away(tmp_path, other):
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert is_served(tmp_path)

    assert other.poll() is None
