"""Boosters trained by the workers of a Dask cluster: for training rows that one machine's memory cannot hold twice.

Belongs here: starting or finding the cluster, and one booster on it. Does not: which models are due (`training.py`), parameters
(`models_ml.learning.boosters`).

Every worker bins and keeps its part of the rows, so the binned copy, its gradients and histograms are the cluster's; the rows themselves
are gathered by the run's process first, four bytes a value. Trees are grown on all rows (`tree_learner=data`), but each worker draws
its own sample of rows for each tree and bins are those of a sample of all parts, so a model is not the one that a single process
trains: tests/distributed/test_dask_training.py holds how far their predictions may be apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any

from models_ml.learning.boosters import Floats, Matrix, trained_by
from orchestration.lib.errors import TidemarkError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

OF_ONE_PROCESS = ("num_threads", "force_row_wise", "verbose")
"""Parameters that say how one process works, which a worker decides by its threads."""


class DaskError(TidemarkError):
    """The setting asks for Dask, which is not there."""


@contextmanager
def training_place(settings: Settings) -> Iterator[None]:
    """Train where the settings say until the block ends: in this process, or on a cluster that is open for so long.

    Raises:
        DaskError: Dask is not installed, or the scheduler does not answer.
    """
    if settings.training == "here":
        yield
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DaskError(
            f"TIDEMARK_TRAINING=dask, and {error.name} is not installed; run make distributed, or leave the setting away"
        ) from None
    if settings.dask_scheduler:
        place: Any = nullcontext(settings.dask_scheduler)
    else:
        place = LocalCluster(n_workers=settings.dask_workers, threads_per_worker=1, dashboard_address=None)
    with place as cluster:
        try:
            client = Client(cluster, timeout="30s")
        except OSError as error:
            raise DaskError(f"TIDEMARK_DASK_SCHEDULER={settings.dask_scheduler} does not answer ({error})") from None
        with client, trained_by(DaskTrainer(client)):
            yield


class DaskTrainer:
    """Trains boosters on a cluster, one at a time.

    Args:
        client: Of the cluster.
    """

    def __init__(self, client: Client) -> None:
        """Keep the client."""
        self._client = client
        # Every worker takes part in every booster: of two at once, each could wait for workers that the other has.
        self._turn = Lock()

    def __call__(
        self,
        features: Matrix,
        labels: Mapping[str, Floats],
        columns: Sequence[str],
        parameters: Mapping[str, Any],
        rounds: int,
    ) -> dict[str, str]:
        """Train one booster a label; as `models_ml.learning.boosters.Train`."""
        import dask.array
        import distributed
        import lightgbm

        chosen = {name: value for name, value in parameters.items() if name not in OF_ONE_PROCESS}
        with self._turn:
            workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
            rows = -(-len(features) // workers)
            spread = dask.array.from_array(features, chunks=(rows, -1)).persist()
            distributed.wait(spread)
            texts = {}
            for name, label in labels.items():
                model = lightgbm.DaskLGBMRegressor(
                    client=self._client, n_estimators=rounds, tree_learner="data", verbose=-1, **chosen
                )
                model.fit(spread, dask.array.from_array(label, chunks=rows), feature_name=list(columns))
                texts[name] = str(model.booster_.model_to_string())
            return texts
