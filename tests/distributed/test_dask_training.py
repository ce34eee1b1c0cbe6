"""Training on the workers of a Dask cluster gives models that predict as those of one process do."""

import numpy as np
import polars as pl
import pytest

from models_ml.learning.boosters import apply, boost
from orchestration.lib.dask_training import training_place
from orchestration.settings import Settings

pytestmark = pytest.mark.slow  # a drill: starts two processes of workers
pytest.importorskip("distributed", reason="Dask is not installed: requirements-distributed.lock has it")

COLUMNS = [f"feature_{number}" for number in range(12)]
ROWS, TRAINED_ON = 12_000, 9_000


def panel() -> tuple[pl.DataFrame, np.ndarray]:
    """Rows whose label follows three of twelve columns, weakly, as returns do."""
    random = np.random.default_rng(7)
    features = random.normal(size=(ROWS, len(COLUMNS)))
    signal = features[:, 0] + np.where(features[:, 1] > 0, features[:, 2], 0.0)
    label = signal + random.normal(scale=3.0, size=ROWS)
    return pl.DataFrame(features, schema=COLUMNS), label


@pytest.mark.filterwarnings("ignore")  # of Dask's own modules, as they start
def test_a_cluster_of_two_workers_predicts_as_one_process_does():
    frame, label = panel()
    held_out = frame[TRAINED_ON:]
    arguments = {"columns": COLUMNS, "parameters": {"objective": "regression"}, "rounds": 80}

    here = boost(frame[:TRAINED_ON], {"one": label[:TRAINED_ON]}, **arguments)
    with training_place(Settings(training="dask", dask_workers=2)):
        there = boost(frame[:TRAINED_ON], {"one": label[:TRAINED_ON]}, **arguments)
    again = boost(frame[:TRAINED_ON], {"one": label[:TRAINED_ON]}, **arguments)

    alone, spread = apply(here["one"], held_out), apply(there["one"], held_out)
    # Rows are sampled by each worker for itself, so trees differ; what they say of rows they never saw does hardly.
    assert np.corrcoef(alone, spread)[0, 1] > 0.97
    skill_alone, skill_spread = (np.corrcoef(each, label[TRAINED_ON:])[0, 1] for each in (alone, spread))
    assert skill_spread == pytest.approx(skill_alone, abs=0.02)
    assert skill_alone > 0.3
    # Afterwards it is this process again that trains, byte for byte as before.
    assert again == here
