"""docs/results/moonshots.md: what the moonshot screen found on the history that holds dead tokens, beside everything else that was tried.

Belongs here: the ranking rules, the periods and the criterion by which a rule is chosen, the figures of each.
Does not: the model (`models_ml.screens`), the simulated market (`planted_movers.py`).

The criterion stood here before any rule was measured by it: at every quarterly refit the rule with the highest hit rate minus controls over
all weeks whose outcome had ended by then, once there are 26 of them. Before 2019 there is too little: the model's first refit is of
2018-10-01, so that a choice on earlier years alone would rest on one week.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import duckdb
import numpy as np
import polars as pl

from models_ml.backtest.costs import cost_fraction, cost_inputs
from models_ml.learning.calendar import refit_dates, training_end
from models_ml.learning.evaluation.discrimination import selection_auc, weekly_auc
from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import Interval, bootstrap_interval, ratio_of_totals
from models_ml.learning.places import place_among
from models_ml.screens.chance_refits import walk_chances
from models_ml.screens.chances import chance_frame
from models_ml.screens.controls import draw_controls, random_hit_rates
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcomes import HORIZON_DAYS, follow
from models_ml.screens.record import BLOCK_WEEKS, Record, screen_record
from orchestration.evaluation.planted_movers import KEYS, section, top_of_each_week
from orchestration.lib.low_cap_inputs import low_cap_weeks, market_closes
from orchestration.lib.metadata import markdown_table

FIRST_JUDGED: Final = date(2019, 1, 7)
FEED_END: Final = date(2020, 12, 16)
"""Day on which the CoinMarketCap history ends, the only one here that holds the tokens that died."""

LAST_JUDGED: Final = FEED_END - timedelta(days=HORIZON_DAYS + 2)
LEAST_WEEKS: Final = 26
"""Weeks with an ended outcome before a rule is chosen."""

TRADE_USD: Final = 1_000.0
"""Size of the purchase and of the sale whose costs are taken off."""

CHOSEN_RULE: Final = "p_2x"
"""What the screen ranks by; the page says what the criterion would have chosen."""

NOT_BLIND: Final = (
    "The choice of the label was not blind to these years. Twelve ways to train were looked at on them before this page "
    "existed: a double, a treble, a double less the share of its week, the rank of the best held price, the rank of the "
    "90-day return, a double with market columns, a double and the rank with smaller trees, and a double, its rank, the third "
    "way and the return trained on 0.3 to 500 million USD. Their percentiles among random screens were 73, 43, 96, 95, 16, "
    "94, 68, 93, 66, 95, 96 and 13. The screen uses the third: it alone compares tokens within weeks, which is what a screen "
    "does, and it was among the best. Read its percentile with that in mind; only picks published from now on are beyond "
    "doubt."
)


@dataclass(frozen=True)
class Evaluated:
    """The universe with scores and outcomes, and what controls are drawn from.

    Attributes:
        rows: One row a week and token from the first model on: `low_cap_weeks`, the chances, one column a rule, `follow`.
        net: as_of_week, token_id, net_return_90d (fraction, after the costs of a purchase and a sale of `TRADE_USD`).
    """

    rows: pl.DataFrame
    net: pl.DataFrame


def rules() -> Mapping[str, pl.Expr]:
    """Every rule that was tried, by name; the highest are picked."""

    def place(name: str) -> pl.Expr:
        return place_among(pl.col(name), "as_of_week")

    chance, wildness = place("p_2x_90d"), place("volatility_90d")
    return {
        "p_2x": pl.col("p_2x_90d"),
        "p_3x": pl.col("p_3x_90d"),
        "p_2x less volatility": chance - wildness,
        "p_2x within volatility quintiles": place_among(pl.col("p_2x_90d"), "volatility_cell"),
        "p_2x and trader grade": chance + place("trader_grade"),
        "p_2x and fall from high": chance - place("drawdown_365d"),
        "p_2x and youth": chance - place("age_days"),
        "trader grade": pl.col("trader_grade"),
        "volatility 90 d": pl.col("volatility_90d"),
        "volatility 30 d": pl.col("volatility_30d"),
        "calm 90 d": -pl.col("volatility_90d"),
        "low price": -pl.col("price_usd"),
        "small cap": -pl.col("market_cap_usd"),
        "youth": -pl.col("age_days"),
        "low turnover": -pl.col("turnover_30d"),
        "high turnover": pl.col("turnover_30d"),
        "momentum 30 d": pl.col("return_30d"),
        "momentum 90 d": pl.col("return_90d_before"),
        "reversal 30 d": -pl.col("return_30d"),
        "fall from high": -pl.col("drawdown_365d"),
        "best day 30 d": pl.col("best_day_30d"),
        "skewness 90 d": pl.col("skewness_90d"),
        "beta": pl.col("beta_btc_90d"),
        "volume surge": pl.col("volume_surge_7d_30d"),
    }


def evaluated(connection: duckdb.DuckDBPyConnection, settings: MoonshotSettings) -> Evaluated:
    """Walk the model through the warehouse's history and follow every token of the universe."""
    newest = connection.execute("select max(market_date) from marts.fct_daily").fetchone()
    if newest is None or newest[0] is None:
        raise ValueError("marts.fct_daily is empty; run make run on an archive first")
    until = newest[0] + timedelta(days=1)
    until -= timedelta(days=until.weekday())
    universe = low_cap_weeks(connection, settings, until=until)
    outcomes = follow(universe, market_closes(connection, until=until), until=until)
    said = walk_chances(chance_frame(universe), outcomes, until=until)
    grades = connection.execute("select as_of_week, token_id, trader_grade from learning.trader_grades_current").pl()
    rows = (
        universe.rename({"return_90d": "return_90d_before"})
        .join(said, on=KEYS, how="inner")
        .join(grades, on=KEYS, how="left")
        .with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
        .with_columns(volatility_cell=pl.concat_str("as_of_week", "volatility_quintile", separator=" "))
        .with_columns(score.alias(f"rule {name}") for name, score in rules().items())
        .join(outcomes, on=KEYS, how="inner")
        .sort(KEYS)
    )
    return Evaluated(rows, net_returns(connection, rows))


def net_returns(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> pl.DataFrame:
    """90-day returns after fee, half spread and impact of a purchase at the entry and a sale 90 days later."""
    tokens = rows["token_id"].unique().to_list()
    daily = connection.execute(
        """select market_date, token_id, price_usd, trusted_volume_24h_usd from marts.fct_daily
        where token_id in (select unnest(?))""",
        [tokens],
    ).pl()
    costs = cost_inputs(daily).select("market_date", "token_id", "linear_cost", "impact_per_root_usd")
    sides = []
    for side, days in (("bought", 0), ("sold", HORIZON_DAYS)):
        dated = rows.select(*KEYS, market_date=pl.col("entry_date").dt.offset_by(f"{days}d"))
        found = dated.join(costs, on=["market_date", "token_id"], how="left", maintain_order="left")
        linear, impact = (
            found[name].fill_null(strategy="zero").to_numpy() for name in ("linear_cost", "impact_per_root_usd")
        )
        paid = cost_fraction(np.full(len(linear), TRADE_USD), linear_cost=linear, impact_per_root_usd=impact)
        sides.append(pl.Series(side, np.minimum(paid, 1.0)))
    gross = 1 + pl.col("return_90d")
    return rows.with_columns(sides).select(
        *KEYS, net_return_90d=gross * (1 - pl.col("sold")) / (1 + pl.col("bought")) - 1
    )


def random_rates(data: Evaluated, *, first: date, last: date, count: int) -> Floats:
    """Hit rates of the random screens of a period: the same for every rule that picks as many."""
    settled = data.rows.filter(
        pl.col("as_of_week").is_between(first, last)
        & pl.col("is_success").is_not_null()
        & pl.col("return_90d").is_not_null()
    )
    return random_hit_rates(settled, settled.select("as_of_week").unique().with_columns(picks=pl.lit(count)))


def rule_figures(
    data: Evaluated, rule: str, *, first: date, last: date, count: int, drawn: Floats | None = None
) -> tuple[Record, pl.DataFrame]:
    """The record of the screen that picks the `count` highest of a rule each week of a period, and its picks with their outcome."""
    rows = data.rows.filter(pl.col("as_of_week").is_between(first, last))
    known = rows.filter(pl.col(f"rule {rule}").is_not_null())
    picks = top_of_each_week(known, f"rule {rule}", count=count)
    controls = draw_controls(picks, rows).join(rows, on=KEYS, how="inner")
    followed = picks.join(rows, on=KEYS, how="inner")
    return screen_record(followed, controls, rows, drawn=drawn), followed


def table_of_rules(data: Evaluated, *, first: date, last: date, count: int) -> pl.DataFrame:
    """A row a rule: hit rate, controls, their difference with its interval, lift, percentile, AUC within weeks, halved, net return."""
    lines = []
    drawn = random_rates(data, first=first, last=last, count=count)
    for rule in rules():
        record, picks = rule_figures(data, rule, first=first, last=last, count=count, drawn=drawn)
        in_period = data.rows.filter(pl.col("as_of_week").is_between(first, last))
        auc = auc_within_weeks(in_period, f"rule {rule}")
        net = picks.join(data.net, on=KEYS, how="inner")["net_return_90d"].median()
        lines.append(
            {
                "rule": rule,
                "hits": record.hit_rate,
                "controls": record.controls_hit_rate,
                "over_controls": record.difference.estimate,
                "low": record.difference.low,
                "high": record.difference.high,
                "lift": record.lift,
                "percentile": record.random_percentile,
                "over_volatility": record.over_volatility.estimate,
                "auc": auc.estimate,
                "auc_low": auc.low,
                "auc_high": auc.high,
                "halved": record.halved_rate,
                "median_net_90d": net,
            }
        )
    return pl.DataFrame(lines, infer_schema_length=None)


def auc_within_weeks(rows: pl.DataFrame, score: str) -> Interval:
    """Share of pairs of a doubler and another token of the same week that a score orders rightly, with its interval."""
    judged = rows.filter(pl.col("return_90d").is_not_null()).select(
        "as_of_week",
        pl.col(score).cast(pl.Float64),
        outcome=pl.when("is_success").then(1).otherwise(-1),
    )
    if weekly_auc(judged, probability=score, outcome="outcome").is_empty():
        return Interval(float("nan"), None, None, 0)
    return selection_auc(judged, block=BLOCK_WEEKS, probability=score, outcome="outcome")


def choice_by_quarter(data: Evaluated, *, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the criterion chooses at each quarterly refit up to `LAST_JUDGED`, and the picks of the screen that follows it.

    Returns:
        refit, rule, weeks (with an ended outcome), over_controls (of them); and the picks: as_of_week, token_id.
    """
    rows = data.rows
    known = rows.filter(pl.col("is_success").is_not_null() & pl.col("return_90d").is_not_null())
    outcome = known.select(*KEYS, hit=pl.col("is_success").cast(pl.Float64))
    picks, weekly = {}, []
    for rule in rules():
        scored = rows.filter(pl.col(f"rule {rule}").is_not_null())
        picks[rule] = top_of_each_week(scored, f"rule {rule}", count=count)
        controls = draw_controls(picks[rule], rows).join(outcome, on=KEYS)
        of_controls = controls.group_by("as_of_week", "pick_token_id").agg(control=pl.col("hit").mean())
        paired = picks[rule].join(outcome, on=KEYS).join(of_controls.rename({"pick_token_id": "token_id"}), on=KEYS)
        weekly.append(
            paired.group_by("as_of_week")
            .agg(gap=(pl.col("hit") - pl.col("control")).sum(), picks=pl.len())
            .with_columns(rule=pl.lit(rule))
        )
    gaps = pl.concat(weekly)
    first = rows["as_of_week"].min()
    chosen, followed = [], []
    refits = refit_dates(first, LAST_JUDGED)  # type: ignore[arg-type]  # a date by schema
    for refit, following in zip(refits, [*refits[1:], LAST_JUDGED + timedelta(days=1)], strict=True):
        ended = gaps.filter(pl.col("as_of_week") <= training_end(refit, horizon_days=HORIZON_DAYS))
        weeks = ended["as_of_week"].n_unique()
        if weeks < LEAST_WEEKS:
            continue
        totals = ended.group_by("rule").agg(over_controls=pl.col("gap").sum() / pl.col("picks").sum())
        rule, gap = totals.sort("over_controls", "rule", descending=[True, False]).row(0)[0:2]
        chosen.append({"refit": refit, "rule": rule, "weeks": weeks, "over_controls": gap})
        followed.append(picks[rule].filter(pl.col("as_of_week").is_between(refit, following, closed="left")))
    return pl.DataFrame(chosen), pl.concat(followed)


def recorded_picks(connection: duckdb.DuckDBPyConnection, data: Evaluated, *, first: date, last: date) -> Record:
    """The record of the picks that the warehouse holds (first versions), as the product made them."""
    picks = connection.execute(
        "select as_of_week, token_id from screens.moonshots where version = 1 and as_of_week between ? and ?",
        [first, last],
    ).pl()
    return record_of_picks(data, picks, first=first, last=last)


def record_of_picks(data: Evaluated, picks: pl.DataFrame, *, first: date, last: date) -> Record:
    """The record of given picks (as_of_week, token_id) among the universe of a period."""
    rows = data.rows.filter(pl.col("as_of_week").is_between(first, last))
    controls = draw_controls(picks, rows).join(rows, on=KEYS, how="inner")
    return screen_record(picks.join(rows, on=KEYS, how="inner"), controls, rows)


def calibration_table(data: Evaluated, *, first: date, last: date) -> pl.DataFrame:
    """Said against happened by fifths of p_2x: said, happened, and the interval of what happened from 13-week blocks."""
    rows = data.rows.filter(pl.col("as_of_week").is_between(first, last) & pl.col("return_90d").is_not_null())
    fifths = rows.with_columns(
        fifth=(place_among(pl.col("p_2x_90d"), "as_of_week") * 5).floor().clip(0, 4).cast(pl.Int32) + 1
    )
    lines = []
    for fifth in range(1, 6):
        weekly = (
            fifths.filter(pl.col("fifth") == fifth)
            .group_by("as_of_week")
            .agg(
                hits=pl.col("is_success").cast(pl.Float64).sum(),
                tokens=pl.len().cast(pl.Float64),
                said=pl.col("p_2x_90d").sum(),
            )
            .sort("as_of_week")
        )
        happened = bootstrap_interval(
            ratio_of_totals(weekly.select("hits", "tokens").to_numpy()), weekly.height, block=BLOCK_WEEKS
        )
        lines.append(
            {
                "fifth": fifth,
                "said": float(weekly["said"].sum()) / float(weekly["tokens"].sum()),
                "happened": happened.estimate,
                "low": happened.low,
                "high": happened.high,
            }
        )
    return pl.DataFrame(lines)


def page(connection: duckdb.DuckDBPyConnection, code: str, *, simulated: bool = True) -> str:
    """The page.

    Args:
        connection: A warehouse of real history.
        code: Version of the code.
        simulated: Whether the simulated market is measured, too.
    """
    settings = MoonshotSettings()
    data = evaluated(connection, settings)
    count = settings.max_picks
    judged = table_of_rules(data, first=FIRST_JUDGED, last=LAST_JUDGED, count=count)
    after = table_of_rules(data, first=LAST_JUDGED + timedelta(days=1), last=date.max, count=count)
    ours, _ = rule_figures(data, CHOSEN_RULE, first=FIRST_JUDGED, last=LAST_JUDGED, count=count)
    choices, picks = choice_by_quarter(data, count=count)
    chosen_from = choices["refit"][0]
    chosen = record_of_picks(data, picks, first=chosen_from, last=LAST_JUDGED)
    beside, _ = rule_figures(data, CHOSEN_RULE, first=chosen_from, last=LAST_JUDGED, count=count)
    past = recorded_picks(connection, data, first=FIRST_JUDGED, last=LAST_JUDGED)
    parts = [
        "# The moonshot screen",
        f"Does the screen find tokens that double within {HORIZON_DAYS} days and hold it for three closes, better than chance and than "
        f"a sort by volatility? Weeks of {FIRST_JUDGED} to {LAST_JUDGED}, the only ones here with the tokens that died (CoinMarketCap's "
        f"history, which ends on {FEED_END}); market caps of {settings.min_market_cap_usd / 1e6:g} to "
        f"{settings.max_market_cap_usd / 1e6:g} million "
        f"USD; {count} picks a week, bought at the next day's close. The model is refitted every quarter on weeks whose outcome had ended. "
        f"Intervals are 95 % from blocks of {BLOCK_WEEKS} weeks. Code {code}.",
        verdict_lines(
            {
                f"ranked by {CHOSEN_RULE}, as the screen does": ours,
                f"ranked by what the criterion chooses each quarter, from {chosen_from} on": chosen,
                f"ranked by {CHOSEN_RULE} in the same weeks": beside,
                "the picks this warehouse has recorded, from before the chances existed": past,
            }
        ),
        "## What was tried, 2019 and 2020",
        f"`hits`: share of the picks that held 2x; `controls`: that of five tokens of the same week, fifth by "
        "volatility and third by size; "
        f"`lift`: hits over those of the universe; `percentile`: among 1,000 screens that pick by a fixed random number a token; "
        f"`over_volatility`: hits minus those of a sort by 90-day volatility; `auc`: within weeks; `halved`: share that fell to half; "
        f"`median_net_90d`: after the costs of buying and selling {TRADE_USD:,.0f} USD.",
        markdown_table(judged),
        f"{judged.height} rules: at the 95th percentile one in twenty passes by luck.",
        "## How the model was chosen",
        NOT_BLIND,
        "## What the criterion chooses",
        "Written down before it was measured: at every refit the rule with the highest hit rate minus controls over all weeks whose "
        f"outcome had ended, once there are {LEAST_WEEKS}. Weeks before 2018-10 have no model to compare.",
        markdown_table(choices),
        "## Later years, survivors only",
        f"Weeks after {LAST_JUDGED}: tokens that died are mostly missing, which flatters every rule that picks the "
        "wild and the beaten-down.",
        markdown_table(
            after.select(
                "rule",
                "hits",
                "controls",
                "over_controls",
                "low",
                "high",
                "lift",
                "percentile",
                "over_volatility",
                "auc",
                "halved",
            )
        ),
        "## Said and happened",
        "By fifths of p_2x within each week of 2019 and 2020.",
        markdown_table(calibration_table(data, first=FIRST_JUDGED, last=LAST_JUDGED)),
    ]
    if simulated:
        parts.append(section())
    return "\n\n".join(parts)


def verdict_lines(records: Mapping[str, Record]) -> str:
    """The result in words, a line a screen."""
    return "\n".join(["## Result", "", *(f"- {name}: {_in_words(record)}" for name, record in records.items())])


def _in_words(record: Record) -> str:
    if record.hit_rate is None or record.lift is None or record.random_percentile is None:
        return "no pick with a known outcome"
    gap, sort = record.difference, record.over_volatility
    return (
        f"{record.picks_known} picks of {record.weeks} weeks, hit rate {record.hit_rate:.1%}, lift {record.lift:.2f}, percentile "
        f"{record.random_percentile:.1f} of the random screens; minus controls {gap.estimate:+.1%} ({_span(gap)}), "
        "minus a sort by volatility "
        f"{sort.estimate:+.1%} ({_span(sort)}); fell to half {record.halved_rate or 0:.0%}. Verdict: **{record.verdict}**."
    )


def _span(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "too few weeks for an interval"
    return f"{interval.low:+.1%} to {interval.high:+.1%}"
