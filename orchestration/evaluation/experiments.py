"""Models trained on purpose: permuted labels, other labels, other features, each in a whole walk-forward of its own.

Belongs here: docs/results/falsification.md, labels.md and families.md.
Does not: what is published (`ranking.py`), how a week is scored in the weekly run (`orchestration/lib/scoring.py`).

A walk-forward here refits once a year instead of once a quarter: it is repeated many times, and compared with its like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.learning.calendar import first_monday
from models_ml.learning.dataset import MARKET_COLUMNS, MODEL_COLUMNS, model_frame
from models_ml.learning.evaluation.baselines import permuted_within_weeks
from models_ml.learning.evaluation.intervals import paired_difference
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME, weekly_partial_rank_ic, weekly_rank_ic
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.labels import EndedLabel, forward_returns
from models_ml.learning.places import place_among
from models_ml.learning.ranking import TRADER, RankingHead, predict_ranking, train_ranking
from models_ml.learning.tuning import MARGIN, SPACE, Tuning, defaults_of, tune, with_parameters
from models_ml.learning.walk_forward import training_rows
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.lib.metadata import markdown_table
from orchestration.lib.warehouse import connect
from orchestration.lib.weekly_inputs import daily_closes

PERMUTATIONS = 20
TUNING_TRIALS = (10, 30)
"""Trials a year of the tunings compared."""

YEARS_AT_ONCE = 2
"""Years of a walk-forward that are trained side by side, each on one thread."""

BLOCK = block_weeks(TRADER.horizon_days)

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "on-chain": ("on-chain", "exchange flow"),
    "valuation": ("valuation",),
    "social and news": ("community", "sentiment"),
    "developers": ("developers",),
    "derivatives": ("derivatives",),
    "DeFi usage": ("DeFi usage",),
    "tokenomics and unlocks": ("tokenomics", "unlocks"),
    "trend, all": ("trend",),
    "risk, all": ("risk", "volatility"),
    "liquidity, all": ("liquidity",),
}
"""Families added alone: those of the catalogue under each name, as ranks."""


@dataclass(frozen=True)
class Outcome:
    """What one walk-forward scored.

    Attributes:
        ics: Weekly rank IC with a day of lag, by universe: as_of_week, universe, value.
        partial: Weekly partial rank IC likewise.
        tunings: What was tuned, by year.
    """

    ics: pl.DataFrame
    partial: pl.DataFrame
    tunings: Mapping[int, Tuning] = field(default_factory=dict)


def walk_forward(
    history: History,
    frame: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    head: RankingHead,
    judged: pl.DataFrame | None = None,
    trials: int = 0,
) -> Outcome:
    """Train once a year on `labels`, score the weeks from 2020 on, judge by the true outcomes.

    Args:
        history: The history; its labels judge.
        frame: The model frame with the head's columns.
        labels: What is learnt.
        head: The head.
        judged: Labels that judge instead of the history's: permuted ones judge themselves.
        trials: Trials of each year's tuning; 0 leaves the head as it is.
    """
    years = range(FIRST_WEEK.year, history.until.year + 1)

    def score_year(year: int) -> tuple[pl.DataFrame, Tuning]:
        refit, end = first_monday(year, 1), first_monday(year + 1, 1)
        weeks = frame.filter((pl.col("as_of_week") >= refit) & (pl.col("as_of_week") < end))
        rows = training_rows(frame, refit, horizon_days=head.horizon_days)
        tuning = tune(head, rows, labels, refit=refit, trials=trials)
        chosen = with_parameters(head, tuning.parameters)
        return predict_ranking(train_ranking(chosen, rows, labels, refit=refit), weeks), tuning

    with ThreadPoolExecutor(YEARS_AT_ONCE) as pool:
        scored, found = zip(*pool.map(score_year, years), strict=True)
    tunings = dict(zip(years, found, strict=True))
    scores = pl.concat(scored).select(*KEYS, score="score_cross_section")
    panel = history.panel(scores)
    if judged is not None:
        panel = panel.drop(LAGGED_OUTCOME).join(judged.select(*KEYS, LAGGED_OUTCOME), on=KEYS, how="left")
    return Outcome(_by_universe(weekly_rank_ic, panel), _by_universe(weekly_partial_rank_ic, panel), tunings)


def _by_universe(measure: Callable[..., pl.DataFrame], panel: pl.DataFrame) -> pl.DataFrame:
    universes = (("broad", panel), ("liquid", panel.filter(pl.col("is_liquid"))))
    return pl.concat(
        measure(members, outcome=LAGGED_OUTCOME).with_columns(universe=pl.lit(name)) for name, members in universes
    )


def permutation_page(history: History, made_up_markets: str, code: str) -> str:
    """Skill where none can be: labels dealt to other tokens of the week, then the sections of made-up markets."""
    frame = model_frame(history.weekly)
    means = []
    for seed in range(1, PERMUTATIONS + 1):
        labels = permuted_within_weeks(history.labels, seed)
        ics = walk_forward(history, frame, labels, head=TRADER, judged=labels).ics
        means.append(_mean(ics, "broad"))
    values = np.array(means)
    spread = values.std(ddof=1)
    return "\n\n".join(
        [
            f"# Falsification\n\nSkill found where none can be is a leak; where its size is known, that size should come out. Code {code}.",
            f"## Permuted labels\n\nMean weekly rank IC of {PERMUTATIONS} whole walk-forwards of the trader head (refitted once a year) on "
            f"labels dealt to other tokens of the week: mean {values.mean():+.4f}, standard deviation {spread:.4f}, from "
            f"{values.min():+.4f} to {values.max():+.4f}. " + ", ".join(f"{value:+.4f}" for value in means) + ".",
            made_up_markets,
        ]
    )


def label_page(history: History, code: str) -> str:
    """Choices of the label, compared: what the boosters learn, and how the end of a token is labelled."""
    frame = model_frame(history.weekly)
    single = {name: replace(TRADER, labels={name: columns}) for name, columns in TRADER.labels.items()}
    longer = replace(TRADER, labels={"return_30d": ("forward_return_30d",)}, horizon_days=30)
    heads = {"mixture of three (published)": TRADER, **single, "return_30d": longer}
    compared = {name: walk_forward(history, frame, history.labels, head=head) for name, head in heads.items()}
    first = next(iter(compared))
    ended: dict[str, Outcome] = {}
    closes = _closes(history)
    kinds: tuple[EndedLabel, ...] = ("sold", "last_price", "missing")
    for kind in kinds:
        labels = forward_returns(history.weekly, closes, ended=kind)
        ended[kind] = walk_forward(history, frame, labels, head=single["return_14d"])
    counts = history.labels.filter(pl.col("as_of_week") >= FIRST_WEEK).select(
        rows=pl.len(),
        ended_14d=pl.col("forward_has_ended_14d").sum(),
        ended_90d=pl.col("forward_has_ended_90d").sum(),
        unknown_14d=pl.col("forward_return_14d_lag1").null_count(),
    )
    return "\n\n".join(
        [
            "# Labels, compared\n\nWhole walk-forwards, refitted once a year, judged by the 14-day return from the close a day after the "
            f"call, from {FIRST_WEEK} on; gains are paired by week against the first row. Code {code}.",
            "## What is learnt\n\n" + markdown_table(_compare(compared, against=first)),
            "## The end of a token\n\nA price that stops: sold at the last price, or lost where nobody traded it (published); the last "
            "price always; no label. All judged by the published labels.\n\n"
            + markdown_table(_compare(ended, against="sold"))
            + "\n\nRows from 2020 on, and how many end:\n\n"
            + markdown_table(counts),
            tuning_section(history, frame, compared[first]),
        ]
    )


def tuning_section(history: History, frame: pl.DataFrame, untuned: Outcome) -> str:
    """Parameters searched once a year inside the training window, against those of the head."""
    outcomes = {"stated parameters": untuned} | {
        f"tuned, {trials} trials": walk_forward(history, frame, history.labels, head=TRADER, trials=trials)
        for trials in TUNING_TRIALS
    }
    found = pl.DataFrame(
        [
            (name, year, tuning.trials, tuning.default_ic, tuning.best_ic, *defaults_of(_tuned(tuning)).values())
            for name, outcome in outcomes.items()
            for year, tuning in outcome.tunings.items()
            if tuning.trials
        ],
        schema=["variant", "year", "trials", "default_ic", "best_ic", *SPACE],
        orient="row",
    )
    return (
        "## Tuning\n\nThe trader head with parameters searched each January inside its training window (`models_ml/learning/tuning.py`) "
        f"against its stated ones; a search must beat them by {MARGIN} on past folds. Gains are paired by week against the first row.\n\n"
        + markdown_table(_compare(outcomes, against="stated parameters"))
        + "\n\nWhat the searches found, with the mean weekly rank IC over the past folds of the stated and of the best parameters:\n\n"
        + markdown_table(found)
    )


def _tuned(tuning: Tuning) -> RankingHead:
    return with_parameters(TRADER, tuning.parameters)


def family_page(history: History, extended: pl.DataFrame, code: str) -> str:
    """Each family added alone to what the model sees.

    Args:
        history: The history.
        extended: All features of the catalogue at the closes of `history.weekly`: as_of_week, token_id, one column a feature.
        code: Version of the code.
    """
    base = model_frame(history.weekly)
    outcomes = {"published": walk_forward(history, base, history.labels, head=TRADER)}
    known: dict[str, float] = {"published": 1.0}
    for name, families in FAMILIES.items():
        added = [feature.name for feature in CATALOGUE if feature.family in families and not feature.is_model_input]
        if not added:  # the model sees all of it already: what is it worth?
            seen = [feature.name for feature in CATALOGUE if feature.family in families]
            left = tuple(column for column in MODEL_COLUMNS if column.removeprefix("rank_") not in seen)
            outcomes[f"without {name}"] = walk_forward(
                history, base, history.labels, head=replace(TRADER, columns=left)
            )
            known[f"without {name}"] = _share_known(extended, seen)
            continue
        ranks = extended.select(*KEYS, *(_rank(column) for column in added))
        frame = base.join(ranks, on=KEYS, how="left", maintain_order="left")
        columns = (*MODEL_COLUMNS, *(f"rank_{column}" for column in added))
        outcomes[name] = walk_forward(history, frame, history.labels, head=replace(TRADER, columns=columns))
        known[name] = _share_known(extended, added)
    without_market = replace(TRADER, columns=tuple(name for name in MODEL_COLUMNS if name not in MARKET_COLUMNS))
    outcomes["without the state of the market"] = walk_forward(history, base, history.labels, head=without_market)
    known["without the state of the market"] = 1.0
    table = _compare(outcomes, against="published").with_columns(
        share_known=pl.col("variant").replace_strict(known, return_dtype=pl.Float64)
    )
    return (
        "# Families of features, each added alone\n\nWhole walk-forwards of the trader head, refitted once a year, judged by the 14-day "
        f"return from the close a day after the call, from {FIRST_WEEK} on. `share_known` is the mean share of rows in which the added "
        "features have a value: what the history does not hold can add nothing. A family that the model sees already is left out "
        "instead. Gains are paired by week, intervals from blocks of "
        f"{BLOCK} weeks; what adds nothing stays out of the score. Code {code}.\n\n" + markdown_table(table)
    )


def _closes(history: History) -> pl.DataFrame:
    tokens = [*history.weekly["token_id"].unique().to_list(), "bitcoin"]
    with connect(history.warehouse, read_only=True) as connection:
        return daily_closes(connection, until=history.until, tokens=tokens)


def _rank(column: str) -> pl.Expr:
    return place_among(pl.col(column), "as_of_week").cast(pl.Float32).alias(f"rank_{column}")


def _share_known(extended: pl.DataFrame, columns: Sequence[str]) -> float:
    recent = extended.filter(pl.col("as_of_week") >= FIRST_WEEK)
    return float(np.mean([1 - recent[column].null_count() / max(recent.height, 1) for column in columns]))


def _mean(weekly: pl.DataFrame, universe: str) -> float:
    mean = weekly.filter(pl.col("universe") == universe)["value"].mean()
    return float(mean) if isinstance(mean, float) else float("nan")


def _compare(outcomes: Mapping[str, Outcome], *, against: str) -> pl.DataFrame:
    """Mean figures of each variant, and its paired gain over `against` with an interval."""
    rows: list[tuple[object, ...]] = []
    for name, outcome in outcomes.items():
        for universe in ("broad", "liquid"):
            for measure, series in (("rank_ic", outcome.ics), ("partial_rank_ic", outcome.partial)):
                own = series.filter(pl.col("universe") == universe)
                reference = outcomes[against].ics if measure == "rank_ic" else outcomes[against].partial
                gain = paired_difference(own, reference.filter(pl.col("universe") == universe), block=BLOCK)
                bounds = gain.select("mean", "low", "high").row(0)
                rows.append((name, universe, measure, _mean(series, universe), *bounds))
    schema = ["variant", "universe", "measure", "mean", "gain", "gain_low", "gain_high"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def extended_features(history: History) -> pl.DataFrame:
    """All features of the catalogue at the closes of `history.weekly`."""
    names = ", ".join(f"features.{feature.name}" for feature in CATALOGUE)
    rows = history.query(
        f"""select features.market_date + 1 as as_of_week, features.token_id, {names} from marts.feat_token_daily as features
        inner join marts.fct_universe_daily as universe
            on features.token_id = universe.token_id and features.market_date = universe.market_date
        where universe.is_broad and isodow(features.market_date) = 7"""
    )
    return history.weekly.select(*KEYS).join(rows, on=KEYS, how="left", maintain_order="left")
