"""The answer in words and tables: a page for people and a table of all variants.

Belongs here: sentences that follow from figures, Markdown. Does not: the figures (`answer.py`), files (`orchestration`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from models_ml.optimiser.answer import AS_IS, Answer
from models_ml.optimiser.luck import DeflatedSharpe

HALF = 0.5
NEAR_HALF = 0.4
FEW = 0.2
MOST_ON_PAGE = 12

VARIANT_SCHEMA: dict[str, pl.DataType] = {
    "variant": pl.Int64(),
    "is_as_it_is": pl.Boolean(),
    "is_chosen": pl.Boolean(),
    "is_best_of_all_days": pl.Boolean(),
    "choices": pl.String(),
    "annual_return": pl.Float64(),
    "volatility": pl.Float64(),
    "sharpe": pl.Float64(),
    "max_drawdown": pl.Float64(),
    "turnover_per_year": pl.Float64(),
    "median_rank": pl.Float64(),
    "median_half_annual_return": pl.Float64(),
    "median_half_max_drawdown": pl.Float64(),
    "share_of_halves_met": pl.Float64(),
    "is_goal_met": pl.Boolean(),
    "is_on_drawdown_frontier": pl.Boolean(),
    "is_on_volatility_frontier": pl.Boolean(),
}


def variants_table(answer: Answer) -> pl.DataFrame:
    """One row a variant (`VARIANT_SCHEMA`), by median rank; `choices` is JSON, fractions run 0-1 and are after costs."""
    positions = np.arange(len(answer.definitions))
    figures, halves = answer.figures, answer.splits.figures
    return pl.DataFrame(
        {
            "variant": positions,
            "is_as_it_is": positions == AS_IS,
            "is_chosen": positions == answer.chosen,
            "is_best_of_all_days": positions == answer.best,
            "choices": [json.dumps(dict(choice), sort_keys=True) for choice in answer.choices],
            "annual_return": figures.annual_return,
            "volatility": figures.volatility,
            "sharpe": figures.sharpe,
            "max_drawdown": figures.max_drawdown,
            "turnover_per_year": answer.turnover_per_year,
            "median_rank": answer.splits.median_rank,
            "median_half_annual_return": np.median(halves.annual_return, axis=0),
            "median_half_max_drawdown": np.median(halves.max_drawdown, axis=0),
            "share_of_halves_met": answer.met_in_halves,
            "is_goal_met": answer.met,
            "is_on_drawdown_frontier": np.isin(positions, answer.by_drawdown),
            "is_on_volatility_frontier": np.isin(positions, answer.by_volatility),
        },
        schema=VARIANT_SCHEMA,
    ).sort("median_rank", "variant")


def verdict(answer: Answer) -> list[str]:
    """What a user should take from it, most important first: one sentence or two an entry."""
    return [*_goal_words(answer), *_luck_words(answer), *_choice_words(answer)]


def page(answer: Answer, *, index_id: str, name: str) -> str:
    """The whole answer as Markdown."""
    counts = answer.counts
    lines = [
        f"# Optimiser: {name}",
        "",
        f"{counts.compared} variants of `{index_id}` from {answer.first_day} to {answer.last_day}, after {answer.cost_bps:g} "
        f"basis points of what is bought and of what is sold. Asked: {_asked(answer)}. Scores and grades are walk-forward: each "
        "was made by a model that had seen nothing later, and trades one day after it is known. What looks back is the choice "
        "among variants, and this page is about that.",
        "",
        "## What it says",
        "",
        *(f"- {sentence}" for sentence in verdict(answer)),
        "",
        "## The three that matter",
        "",
        *_variant_rows(answer, _three(answer)),
        "",
        *(f"- {label}: {_choices(answer, position)}" for label, position in _three(answer).items()),
        "",
        "## Luck",
        "",
        *_luck_table(answer),
        "",
        "## Frontier: return against the largest drawdown",
        "",
        "Over all days, so each row is the best in hindsight of its risk; `median half` is what the variant did in half of history.",
        "",
        *_variant_rows(answer, _numbered(answer.by_drawdown.tolist())),
        "",
        "## Frontier: return against volatility",
        "",
        *_variant_rows(answer, _numbered(answer.by_volatility.tolist())),
        "",
        "## What was tried",
        "",
        f"{counts.expanded} definitions ({counts.refused} combinations are no valid definition, {counts.repeated} were there twice); "
        f"{counts.late} start too late to compare, {counts.alike} have the levels of another.",
        *([f"First refused: {counts.example}."] if counts.example else []),
        "",
        *_tried_table(answer.choices),
        "",
    ]
    return "\n".join(lines)


def _goal_words(answer: Answer) -> list[str]:
    if not answer.goal.limits:
        return []
    met = int(answer.met.sum())
    total = len(answer.definitions)
    words = [
        f"No variant met the goal ({_limits(answer)}) over all days."
        if not met
        else f"{met} of {total} variants met the goal ({_limits(answer)}) over all days, with hindsight."
    ]
    if answer.often_met is not None:
        often = answer.often_met[answer.chosen]
        words.append(
            f"The chosen variant met it in {often.share:.0%} of {often.stretches} stretches of a year (95 % interval "
            f"{often.low:.0%} to {often.high:.0%}, because only {often.years:.1f} years do not overlap) and in "
            f"{answer.met_in_halves[answer.chosen]:.0%} of the halves of history."
        )
    return words


def _luck_words(answer: Answer) -> list[str]:
    taken, halves = answer.best_overfitting, len(answer.splits.halves)
    words = (
        "choosing among these variants by their past is worth nothing"
        if taken.probability >= HALF
        else "choosing among these variants by their past is worth hardly anything"
        if taken.probability >= NEAR_HALF
        else "the past says something about which variant is better, but not much"
        if taken.probability >= FEW
        else "the better variants tended to stay the better ones"
    )
    inside, outside = np.median(taken.inside.annual_return), np.median(taken.outside.annual_return)
    best = answer.deflated[answer.best]
    more = answer.deflated_excess[answer.best]
    return [
        f"Probability of overfitting {taken.probability:.2f}: the best of one half of history was in the lower half of all "
        f"variants in the other in {taken.probability:.0%} of {halves} splits; {words}. It returned {inside:.0%} a year where it "
        f"was chosen and {outside:.0%} in the other half (medians).",
        f"Probability that the best is luck: {1 - best.probability:.2f} that its Sharpe ratio is no more than the best of "
        f"{best.trials.independent} trials without skill, and {1 - more.probability:.2f} that what it returned more than the mean variant "
        f"is no more than the best of {more.trials.independent}.",
    ]


def _choice_words(answer: Answer) -> list[str]:
    own = answer.chosen_overfitting
    if answer.chosen == AS_IS:
        return ["The definition as it is ranks best in the median half of history: leave it."]
    words = [
        f"Chosen is variant {answer.chosen}, median rank {answer.splits.median_rank[answer.chosen]:.0f} of "
        f"{len(answer.definitions)} over all halves ({_changes(answer, answer.chosen)}). Chosen by the same rule in one half "
        f"only, a variant was in the lower half in the other in {own.probability:.0%} of splits and beat the definition as it "
        f"is in {answer.chosen_beats_as_is:.0%}."
    ]
    if answer.chosen == answer.best:
        words.append("It is the best of all days as well, so its figures over all days are the luckiest of all.")
    if own.probability >= HALF or answer.chosen_beats_as_is <= HALF:
        words.append("On this history there is no reason to leave the definition as it is.")
    return words


def _three(answer: Answer) -> dict[str, int]:
    return {"as it is": AS_IS, "chosen": answer.chosen, "best of all days": answer.best}


def _numbered(positions: list[int]) -> dict[str, int]:
    if len(positions) > MOST_ON_PAGE:
        chosen = np.unique(np.linspace(0, len(positions) - 1, MOST_ON_PAGE).round().astype(int))
        positions = [positions[number] for number in chosen]
    return {f"variant {position}": position for position in positions}


def _variant_rows(answer: Answer, named: Mapping[str, int]) -> Iterable[str]:
    halves = answer.splits.figures
    yield (
        "| | return a year | volatility | Sharpe | largest drawdown | turnover a year | median rank | median half: return | drawdown | "
        "halves that met the goal |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for label, position in named.items():
        one = answer.figures.of(position)
        met = f"{answer.met_in_halves[position]:.0%}" if answer.goal.limits else "-"
        yield (
            f"| {label} | {one['annual_return']:.1%} | {one['volatility']:.1%} | {one['sharpe']:.2f} | {one['max_drawdown']:.1%} "
            f"| {answer.turnover_per_year[position]:.1f} | {answer.splits.median_rank[position]:.0f} "
            f"| {np.median(halves.annual_return[:, position]):.1%} | {np.median(halves.max_drawdown[:, position]):.1%} | {met} |"
        )


def _luck_table(answer: Answer) -> Iterable[str]:
    yield (
        f"{len(answer.splits.halves)} splits into two halves of blocks of {answer.splits.block_days} days. "
        "Overfitting: Bailey, Borwein, López de Prado, Zhu 2017; "
        "deflated Sharpe ratio: Bailey, López de Prado 2014. See docs/explanation/optimiser.md."
    )
    yield ""
    yield "| chosen in one half by | probability of overfitting | return a year there | in the other | Sharpe there | in the other |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for label, taken in (("best score", answer.best_overfitting), ("median rank", answer.chosen_overfitting)):
        returns = [np.median(half.annual_return) for half in (taken.inside, taken.outside)]
        sharpes = [np.nanmedian(half.sharpe) for half in (taken.inside, taken.outside)]
        yield (
            f"| {label} | {taken.probability:.2f} | {returns[0]:.1%} | {returns[1]:.1%} | {sharpes[0]:.2f} | {sharpes[1]:.2f} |"
        )
    yield ""
    yield "| variant | deflated Sharpe ratio | trials | their correlation | of the return above the mean variant | trials | correlation |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for label, position in _three(answer).items():
        yield f"| {label} | {_deflated(answer.deflated[position])} | {_deflated(answer.deflated_excess[position])} |"


def _deflated(one: DeflatedSharpe) -> str:
    return (
        f"{one.probability:.2f} | {one.trials.independent} of {one.trials.variants} | {one.trials.mean_correlation:.2f}"
    )


def _tried_table(choices: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    found: dict[str, dict[str, int]] = {}
    for choice in choices:
        for name, value in choice.items():
            shown = json.dumps(value)
            found.setdefault(name, {})[shown] = found.setdefault(name, {}).get(shown, 0) + 1
    yield "| field | values, and how many compared variants have each |"
    yield "| --- | --- |"
    for name, values in found.items():
        yield f"| {name} | {', '.join(f'{value} ({number})' for value, number in sorted(values.items()))} |"


def _choices(answer: Answer, position: int) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in answer.choices[position].items())


def _changes(answer: Answer, position: int) -> str:
    before = answer.choices[AS_IS]
    changed = {name: value for name, value in answer.choices[position].items() if before.get(name) != value}
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in changed.items()) or "nothing changed"


def _asked(answer: Answer) -> str:
    order = {"sharpe": "the highest Sharpe ratio", "annual_return": "the highest return"}[answer.goal.rank_by]
    return f"{_limits(answer)}, then {order}" if answer.goal.limits else order


def _limits(answer: Answer) -> str:
    named = {
        "annual_return": "at least {:.0%} a year",
        "max_drawdown": "no drawdown above {:.0%}",
        "volatility": "volatility of at most {:.0%}",
    }
    return " and ".join(named[name].format(limit) for name, limit in answer.goal.limits.items())
