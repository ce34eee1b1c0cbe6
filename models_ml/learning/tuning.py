"""Tuning of a ranking head inside its own training window.

Belongs here: the space searched, the search, and when its result replaces the defaults.
Does not: which rows a window holds (`walk_forward.py`), how often a head is tuned (`orchestration/lib/training.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from models_ml.learning.boosters import PARAMETERS
from models_ml.learning.calendar import TUNING_TRIALS_A_YEAR
from models_ml.learning.evaluation.rank_skill import weekly_rank_ic
from models_ml.learning.ranking import RankingHead, fit_ranking, predict_ranking
from models_ml.learning.walk_forward import purged_folds

if TYPE_CHECKING:
    import optuna

MARGIN = 0.002
"""Mean weekly rank IC by which a trial must beat the defaults. Ties and less are luck: the folds of a window have standard errors of
some 0.01, so that a search over parameters without effect finds differences of this size."""

FOLDS = 3
WEEKS_APART = 2
"""The search sees every second week: the labels of neighbours overlap by half, so that the others cost as much and add little."""

SEED = 7
ROUNDS = "rounds"
TRIALS = "trials"


@dataclass(frozen=True)
class Span:
    """Values of one parameter.

    Attributes:
        low: Least value.
        high: Largest value.
        is_whole: Whether it takes whole numbers only.
        is_log: Whether it is searched evenly in the logarithm.
    """

    low: float
    high: float
    is_whole: bool = False
    is_log: bool = True


SPACE: Mapping[str, Span] = {
    "learning_rate": Span(0.02, 0.1),
    "num_leaves": Span(7, 63, is_whole=True),
    "min_data_in_leaf": Span(50, 800, is_whole=True),
    "feature_fraction": Span(0.25, 0.8, is_log=False),
    "lambda_l2": Span(0.5, 50.0),
    ROUNDS: Span(50, 300, is_whole=True),
}
"""What is searched: how much a tree may learn, how many there are, and how much is held back. The defaults of all heads lie inside."""


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        parameters: Values of `SPACE` that replace the head's own; empty where its own stay.
        trials: Trials made, that of the defaults among them.
        default_ic: Mean weekly rank IC of the defaults over the folds; None without a trial.
        best_ic: That of the best trial.
    """

    parameters: dict[str, float]
    trials: int
    default_ic: float | None = None
    best_ic: float | None = None

    def logged(self) -> dict[str, float]:
        """What a frozen model keeps of it: the parameters, and the number of trials."""
        return {**self.parameters, TRIALS: self.trials}


def defaults_of(head: RankingHead) -> dict[str, float]:
    """The head's own values of the parameters in `SPACE`."""
    own = {**PARAMETERS, **head.parameters, ROUNDS: head.rounds}
    return {name: own[name] for name in SPACE}


def with_parameters(head: RankingHead, parameters: Mapping[str, float]) -> RankingHead:
    """The head with tuned values, as `Tuning.parameters` or a frozen model has them; what is not in `SPACE` is passed over."""
    typed = {name: int(value) if SPACE[name].is_whole else value for name, value in parameters.items() if name in SPACE}
    rounds = int(typed.pop(ROUNDS, head.rounds))
    return replace(head, rounds=rounds, parameters={**head.parameters, **typed})


def tune(head: RankingHead, rows: pl.DataFrame, labels: pl.DataFrame, *, refit: date, trials: int) -> Tuning:
    """Search parameters by the mean weekly rank IC over purged folds of a training window.

    The defaults are the first trial. To be quick, a trial trains the head's first booster alone, on every second week, and leaves the
    guard against leaks to the training that follows on the same rows.

    Args:
        head: What is tuned.
        rows: The purged training rows of a refit (`walk_forward.training_rows`); nothing else is seen.
        labels: Forward quantities; those of other rows are passed over.
        refit: Refit date the rows were purged for.
        trials: Trials to make, 0 to `TUNING_TRIALS_A_YEAR`; 0 keeps the defaults.

    Returns:
        The best trial's parameters where it beats the defaults by `MARGIN`, else none. The same arguments give the same result.

    Raises:
        ValueError: `trials` lies outside its range.
    """
    if not 0 <= trials <= TUNING_TRIALS_A_YEAR:
        raise ValueError(f"{trials} trials, but a search takes 0 to {TUNING_TRIALS_A_YEAR}; choose a number among them")
    if trials == 0:
        return Tuning({}, 0)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    weeks = sorted(rows["as_of_week"].unique().to_list())[::-WEEKS_APART][::-1]
    first = next(iter(head.labels.items()))
    searched = replace(head, labels=dict([first]))
    defaults = defaults_of(head)
    sampler = optuna.samplers.TPESampler(seed=SEED, n_startup_trials=max(3, trials // 3))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(defaults)

    measured: list[float] = []

    def skill(trial: optuna.Trial) -> float:
        candidate = with_parameters(searched, {name: _suggest(trial, name, span) for name, span in SPACE.items()})
        measured.append(_skill_over_folds(candidate, rows, labels, weeks, refit))
        return measured[-1]

    study.optimize(skill, n_trials=trials, n_jobs=1)
    is_better = study.best_value > measured[0] + MARGIN
    return Tuning(dict(study.best_params) if is_better else {}, len(measured), measured[0], study.best_value)


def _suggest(trial: optuna.Trial, name: str, span: Span) -> float:
    if span.is_whole:
        return trial.suggest_int(name, int(span.low), int(span.high), log=span.is_log)
    return trial.suggest_float(name, span.low, span.high, log=span.is_log)


def _skill_over_folds(
    head: RankingHead, rows: pl.DataFrame, labels: pl.DataFrame, weeks: list[date], refit: date
) -> float:
    """Mean weekly rank IC of the main label, each week scored by a model that saw neither it nor its neighbours; 0 without any."""
    scored = []
    for block, kept in purged_folds(weeks, folds=FOLDS, horizon_days=head.horizon_days):
        model = fit_ranking(head, rows.filter(pl.col("as_of_week").is_in(kept)), labels, refit=refit)
        scored.append(predict_ranking(model, rows.filter(pl.col("as_of_week").is_in(block))))
    panel = (
        pl.concat(scored)
        .select("as_of_week", "token_id", score="score_cross_section")
        .join(labels.select("as_of_week", "token_id", head.main_label), on=["as_of_week", "token_id"])
    )
    mean = weekly_rank_ic(panel, outcome=head.main_label)["value"].mean()
    return mean if isinstance(mean, float) else 0.0
