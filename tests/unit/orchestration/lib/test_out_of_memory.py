"""Training that gets no more memory says so in one line, whatever the library that was refused."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.lib.training import OutOfMemoryError, out_of_memory_said

REPOSITORY = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ValueError("std::bad_alloc"),
        OSError("Cannot allocate memory"),
    ],
)
def test_every_face_of_a_failed_allocation_is_one_error(error):
    with (
        pytest.raises(OutOfMemoryError, match="training trader, refit 2025-01-06 ran out of memory") as raised,
        out_of_memory_said("training trader, refit 2025-01-06"),
    ):
        raise error

    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is error


def test_another_error_passes():
    with pytest.raises(ValueError, match="labels"), out_of_memory_said("training"):
        raise ValueError("no labels")


def test_a_real_fit_without_memory():
    """LightGBM under RLIMIT_AS, in a process of its own."""
    program = """
import resource
import lightgbm, numpy as np
from orchestration.lib.training import OutOfMemoryError, out_of_memory_said
features, labels = np.random.default_rng(1).normal(size=(40_000, 40)), np.zeros(40_000)
labels[::3] = 1
with open("/proc/self/statm") as statm:
    pages = int(statm.read().split()[0])
limit = pages * resource.getpagesize() + 6 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with out_of_memory_said("training"):
        lightgbm.train({"verbose": -1, "num_threads": 1, "num_leaves": 255}, lightgbm.Dataset(features, labels), 50)
except OutOfMemoryError as error:
    print("told:", error)
"""
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, (
        "the test itself must not be short of memory"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.stdout.startswith("told: training ran out of memory"), done.stdout + done.stderr
