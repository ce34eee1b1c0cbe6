"""Boosters in threads: heads are trained side by side, one predicts while another bins its data, and rows are predicted in parts."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from models_ml.learning import boosters
from models_ml.learning.boosters import boost

SIDE_BY_SIDE = """
import time
from concurrent.futures import ThreadPoolExecutor
import numpy as np, polars as pl
from models_ml.learning.boosters import apply, boost

generator = np.random.default_rng(0)
sparse = {f"x{place}": np.where(generator.random(3000) < 0.95, 0.0, generator.normal(size=3000)) for place in range(40)}
frame, label = pl.DataFrame(sparse), generator.normal(size=3000)

def train():
    return boost(frame, {"a": label}, columns=frame.columns, parameters={"objective": "regression"}, rounds=1)["a"]

text, end = train(), time.monotonic() + 15
def repeat(work):
    while time.monotonic() < end:
        work()

with ThreadPoolExecutor(2) as pool:
    list(pool.map(repeat, [train, lambda: apply(text, frame)]))
"""


@pytest.mark.slow
def test_predicting_while_another_head_bins_its_data_crashes_nothing():
    """A drill of fifteen seconds: with two threads a prediction it ended in a segmentation fault."""
    done = subprocess.run([sys.executable, "-c", SIDE_BY_SIDE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"


def test_rows_are_predicted_alike_by_one_thread_and_by_several(monkeypatch):
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{place}": generator.normal(size=301) for place in range(4)})
    label = frame["x0"].to_numpy() + generator.normal(size=301)
    text = boost(frame, {"a": label}, columns=frame.columns, parameters={"objective": "regression"}, rounds=5)["a"]
    alone = boosters.apply(text, frame), boosters.contributions(text, frame)

    monkeypatch.setattr(boosters, "ROWS_A_THREAD", 50)
    monkeypatch.setattr(boosters.os, "cpu_count", lambda: 3)

    assert (boosters.apply(text, frame) == alone[0]).all()
    assert boosters.contributions(text, frame).equals(alone[1])
