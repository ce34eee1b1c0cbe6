"""Trains and freezes the models that are due.

Belongs here: which refits of which head are missing, the rows each is trained on, and the parameters a year's refits share.
Does not: formulas (`models_ml.learning`), files of models (`registry.py`), scores (`scoring.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from threading import Event

import duckdb
import polars as pl

from models_ml.learning.calendar import RANGE_HORIZONS_DAYS, TRADER_HORIZON_DAYS, refit_dates
from models_ml.learning.dataset import model_frame
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.labels import SELLABLE_ROWS, forward_returns
from models_ml.learning.moves import CALLS, train_moves
from models_ml.learning.price_ranges import RANGES, train_ranges
from models_ml.learning.ranking import INVESTOR, TRADER, RankingHead, train_ranking
from models_ml.learning.training_profile import training_profile
from models_ml.learning.tuning import TRIALS, tune, with_parameters
from models_ml.learning.walk_forward import first_refit, out_of_fold_scores, training_rows
from orchestration.lib.errors import TidemarkError
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.weekly_inputs import daily_closes, last_close, weekly_features

Train = Callable[[pl.DataFrame, pl.DataFrame, date], FrozenModel]


class OutOfMemoryError(TidemarkError):
    """Training got no more memory from the system."""


class TooLittleHistoryError(TidemarkError):
    """There is not enough history to train a first model."""


@dataclass(frozen=True)
class Head:
    """A head as the weekly run trains it.

    Attributes:
        name: Its name in the registry.
        horizon_days: Longest horizon that its first refit must know.
        learner: The ranking head, which is tuned and whose first model needs scores out of fold; for the other heads what trains them
            from the weekly frame, the labels and the refit date.
    """

    name: str
    horizon_days: int
    learner: RankingHead | Train


def _train_moves(frame: pl.DataFrame, labels: pl.DataFrame, refit: date) -> FrozenModel:
    return train_moves(training_rows(frame, refit, horizon_days=TRADER_HORIZON_DAYS), labels, refit=refit)


def _train_ranges(frame: pl.DataFrame, labels: pl.DataFrame, refit: date) -> FrozenModel:
    rows = {days: training_rows(frame, refit, horizon_days=days) for days in RANGE_HORIZONS_DAYS}
    return train_ranges(rows, labels, refit=refit)


HEADS: tuple[Head, ...] = (
    Head(TRADER.name, TRADER.horizon_days, TRADER),
    Head(INVESTOR.name, INVESTOR.horizon_days, INVESTOR),
    Head(CALLS, TRADER_HORIZON_DAYS, _train_moves),
    Head(RANGES, max(RANGE_HORIZONS_DAYS), _train_ranges),
)


MEMORY_SIGNS = ("bad_alloc", "can't start new thread", "Cannot allocate memory", "out of memory", "Unable to allocate")
"""What libraries say when an allocation failed, without an error type of its own."""

HEADS_AT_ONCE = 2
"""Heads that are trained side by side, each on one thread."""

STARTED_FIRST = (TRADER.name, RANGES, CALLS, INVESTOR.name)
"""Heads by how long they take, longest first, so that at the end neither thread works for long while the other has nothing to do."""


def labels_of(connection: duckdb.DuckDBPyConnection, weekly: pl.DataFrame, until: date) -> pl.DataFrame:
    """Forward quantities of every eligible token-week, from closes known at `until`."""
    tokens = weekly["token_id"].unique().to_list()
    first = weekly["as_of_week"].min()
    since = last_close(first) if isinstance(first, date) else until  # without a week nothing is asked
    # No window reaches back behind its week, but what was traded before tells who could still sell.
    closes = daily_closes(
        connection, until=until, tokens=[*tokens, "bitcoin"], since=since, rows_before=SELLABLE_ROWS - 1
    )
    return forward_returns(weekly, closes)


def ensure_models(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    *,
    until: date,
    trials: int,
    report: Callable[[str], None],
) -> list[FrozenModel]:
    """Train and freeze every refit of every head that is due up to `until` and not frozen yet.

    The heads with a longer horizon start later: their labels take longer to end.

    Args:
        connection: Warehouse with the marts.
        registry: Where models are kept.
        until: As of.
        trials: Trials of a tuning (`tuning.tune`), once a ranking head and calendar year; 0 leaves the heads as they are.
        report: Told of every model.

    Returns:
        The models trained now, by head, oldest first.

    Raises:
        TooLittleHistoryError: No refit date has 52 weeks of trader labels from 50 eligible tokens before it.
        OutOfMemoryError: The system gave no more memory. Models that were frozen before stay; none is half-written.
    """
    weekly = weekly_features(connection, until=until)
    frame = model_frame(weekly)
    due = {head.name: _missing_refits(head, registry, frame, until) for head in HEADS}
    if not any(due.values()):
        return []
    labels = labels_of(connection, weekly, until)

    stopped = Event()

    def train_one(head: Head, refit: date) -> FrozenModel:
        with out_of_memory_said(f"training {head.name}, refit {refit}"):
            return _train_and_freeze(head, refit, registry, weekly, frame, labels, trials=trials, report=report)

    def train(head: Head) -> list[FrozenModel]:
        return [train_one(head, refit) for refit in due[head.name] if not stopped.is_set()]

    # A head's refits one after the other: those of a year share their parameters, and the oldest has the scores to compare with.
    with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
        started = sorted(HEADS, key=lambda head: STARTED_FIRST.index(head.name))
        trained = {head.name: pool.submit(train, head) for head in started}
        try:
            return [model for head in HEADS for model in trained[head.name].result()]
        finally:
            stopped.set()  # where a head failed or the run is told to stop, the others end with the refit they are at


@contextmanager
def out_of_memory_said(what: str) -> Iterator[None]:
    """Give the many faces of an allocation that failed one: Python's own, LightGBM's, a thread without room for its stack.

    Args:
        what: What is being done, for the message.

    Raises:
        OutOfMemoryError: In the place of any of them; every other error passes.
    """
    try:
        yield
    except Exception as error:
        said = str(error)
        if not isinstance(error, MemoryError) and not any(sign in said for sign in MEMORY_SIGNS):
            raise
        raise OutOfMemoryError(
            f"{what} ran out of memory ({type(error).__name__}: {said or 'no more pages'}); free memory or raise the limit of this "
            "process, then run again: models that are frozen stay, and training goes on with this one"
        ) from error


def _missing_refits(head: Head, registry: ModelRegistry, frame: pl.DataFrame, until: date) -> list[date]:
    """Refit dates up to `until` that are not frozen, oldest first; none while the history is too short for the head."""
    frozen = registry.refits(head.name)
    first = frozen[0] if frozen else first_refit(frame, until, horizon_days=head.horizon_days)
    if first is not None:
        return [refit for refit in refit_dates(first, until) if refit not in frozen]
    if head.horizon_days == TRADER_HORIZON_DAYS:
        raise TooLittleHistoryError(
            f"grades start with the first quarter that has 52 weeks of labels from 50 eligible tokens before it; up to {until} "
            f"there are {frame['as_of_week'].n_unique()} weeks with eligible tokens. Land more history, or choose a later AS_OF."
        )
    return []


def _train_and_freeze(
    head: Head,
    refit: date,
    registry: ModelRegistry,
    weekly: pl.DataFrame,
    frame: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    trials: int,
    report: Callable[[str], None],
) -> FrozenModel:
    rows = training_rows(frame, refit, horizon_days=head.horizon_days)
    reference = None
    if isinstance(head.learner, RankingHead):
        parameters = parameters_of_year(registry, head.learner, rows, labels, refit=refit, trials=trials)
        tuned = with_parameters(head.learner, parameters)
        model = replace(train_ranking(tuned, rows, labels, refit=refit), parameters=parameters)
        if not registry.refits(head.name):
            reference = out_of_fold_scores(tuned, frame, labels, refit=refit)
    else:
        model = head.learner(frame, labels, refit)
    profile = training_profile(training_rows(weekly, refit, horizon_days=head.horizon_days), model.columns)
    registry.freeze(model, reference=reference, profile=profile)
    weeks = f"{model.training_weeks[0]} to {model.training_weeks[1]}"
    tried = f", parameters of {model.parameters[TRIALS]} trials" if model.parameters.get(TRIALS) else ""
    report(f"{head.name}, refit {refit}: {model.training_rows} rows of {weeks}{tried}")
    return model


def parameters_of_year(
    registry: ModelRegistry, head: RankingHead, rows: pl.DataFrame, labels: pl.DataFrame, *, refit: date, trials: int
) -> dict[str, float]:
    """Parameters of a refit: those of the year's first model where there is one, else what tuning on its training rows finds.

    So another number of trials takes effect with the next year's first refit, and never within a year.

    Returns:
        As `Tuning.logged`: the parameters that replace the head's own, and the number of trials.
    """
    earlier = [other for other in registry.refits(head.name) if other.year == refit.year and other < refit]
    first = registry.load(head.name, earlier[0]) if earlier else None
    if first is not None:
        return first.parameters
    return tune(head, rows, labels, refit=refit, trials=trials).logged()
