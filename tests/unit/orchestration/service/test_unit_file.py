"""The systemd unit, judged by systemd itself where it is installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.service import supervisor

UNIT = Path(supervisor.__file__).with_name("tidemark.service")
REPOSITORY = UNIT.parents[2]
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed: apt-get install systemd")
MOST_EXPOSED = 2.0
"""Of 10, as systemd-analyze reckons; below it stands a service that only lacks what it needs, the network."""


def analyzed(*arguments):
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    """Its program is the one of this checkout, since systemd looks whether it is there."""
    here = (
        UNIT.read_text()
        .replace("/opt/tidemark/.venv/bin/python", sys.executable)
        .replace("/opt/tidemark", str(REPOSITORY))
    )
    (tmp_path / "tidemark.service").write_text(here)

    done = analyzed("verify", "--man=no", str(tmp_path / "tidemark.service"))

    own = [line for line in (done.stdout + done.stderr).splitlines() if "tidemark" in line]
    assert own == []
    assert done.returncode == 0, done.stderr


@needs_systemd
def test_a_mistake_in_the_unit_would_be_found(tmp_path):
    broken = (
        UNIT.read_text()
        .replace("/opt/tidemark/.venv/bin/python", sys.executable)
        .replace("KillMode=mixed", "KillMode=gently")
    )
    (tmp_path / "tidemark.service").write_text(broken)

    assert "gently" in analyzed("verify", "--man=no", str(tmp_path / "tidemark.service")).stderr


@needs_systemd
def test_the_unit_gives_a_service_that_is_broken_into_little():
    done = analyzed("security", "--offline=true", str(UNIT))

    level = re.search(r"exposure level for tidemark.service: ([0-9.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED


def test_the_unit_waits_longer_than_the_service_takes_to_stop():
    seconds = int(re.search(r"TimeoutStopSec=(\d+)min", UNIT.read_text())[1]) * 60

    assert seconds > supervisor.RUN_END_SECONDS + 2 * supervisor.CHILD_END_SECONDS
    start = int(re.search(r"TimeoutStartSec=(\d+)min", UNIT.read_text())[1]) * 60
    assert start > supervisor.START_SECONDS
