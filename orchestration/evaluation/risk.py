"""Figures of the risk score: what came of the tokens it called risky, beside what simple predictors say.

Belongs here: the panel of scores and outcomes and its statistics as frames. Does not: the score (`fct_risk_daily`), price paths
(`models_ml.learning.price_paths`), intervals (`models_ml.learning.evaluation`), the page (`orchestration/risk_report.py`).
"""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl

from models_ml.learning.evaluation.discrimination import selection_auc
from models_ml.learning.evaluation.intervals import paired_difference, summarise_weekly
from models_ml.learning.evaluation.rank_skill import weekly_rank_ic
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.price_paths import path_drawdown, path_low, path_volatility, paths_after

HORIZON_DAYS = 30
LEAST_DAYS = 20
"""Closes of the 30 days that have to be known."""
DEATH_DAYS = 90
LEAST_CAP_USD, LEAST_VOLUME_USD = 5e6, 1e5
"""What the broad universe asks of market cap and of median 30-day volume (`fct_universe_daily`)."""

FEED_END_TOKENS = 10
FEED_END_SHARE = 0.02
"""From so many tokens on, and such a share of those priced, that end on one day, it is the source that ended."""

SCORE = "risk score"
PREDICTORS = {
    "risk_score": SCORE,
    "volatility_30d": "30-day volatility alone",
    "volatility_90d": "90-day volatility alone",
    "smallness": "small market cap alone",
    "youth": "youth alone",
}
OUTCOMES = {
    "next_volatility": f"volatility, next {HORIZON_DAYS} days",
    "next_fall": f"depth of the drawdown, next {HORIZON_DAYS} days",
}


def quoted_closes(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Closes that were quoted, not carried: token_id, market_date, price_usd."""
    return connection.execute("select token_id, market_date, price_usd from marts.fct_daily where not is_carried").pl()


def risk_panel(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Scores at the closes of Sundays with what came after them.

    Returns:
        One row a week and scored token: as_of_week, token_id, risk_score, risk_class, volatility_30d, volatility_90d, smallness and
        youth (minus market cap and age), next_volatility (fraction per year), next_fall (deepest drawdown, positive fraction),
        has_halved, has_died and has_faded (`deaths`); outcomes are null where they cannot be known.
    """
    panel = connection.execute(
        """
        select
            risk.market_date, risk.market_date + 1 as as_of_week, risk.token_id, risk.risk_score, risk.risk_class,
            features.volatility_30d, risk.volatility_90d, -universe.market_cap_usd as smallness, -risk.age_days as youth
        from marts.fct_risk_daily as risk
        inner join marts.feat_token_daily as features
            on risk.token_id = features.token_id and risk.market_date = features.market_date
        inner join marts.fct_universe_daily as universe
            on risk.token_id = universe.token_id and risk.market_date = universe.market_date
        where risk.risk_score is not null and isodow(risk.market_date) = 7
        order by risk.market_date, risk.token_id
        """
    ).pl()
    paths = paths_after(quoted_closes(connection), panel, days=HORIZON_DAYS)
    low = path_low(paths, least=LEAST_DAYS)
    return panel.with_columns(
        pl.Series("next_volatility", path_volatility(paths, least=LEAST_DAYS), nan_to_null=True),
        pl.Series("next_fall", -path_drawdown(paths, least=LEAST_DAYS), nan_to_null=True),
        pl.Series("has_halved", np.where(np.isnan(low), np.nan, low <= -0.5), nan_to_null=True),
    ).join(deaths(connection, panel), on=["token_id", "market_date"], how="left", maintain_order="left")


def deaths(connection: duckdb.DuckDBPyConnection, panel: pl.DataFrame) -> pl.DataFrame:
    """What had become of the tokens of a panel (token_id, market_date) `DEATH_DAYS` days later.

    A token has died when its last price lies within the days, unless a source ended on that day or the token migrated: such rows
    are unknown, as are all whose days are not over. It has faded when it has died, or when its market cap or volume is below what
    the broad universe asks for: a holder could hardly have sold.

    Returns:
        token_id, market_date, has_died and has_faded (1, 0 or null).
    """
    connection.register("panel_rows", panel.select("token_id", "market_date"))
    return connection.execute(
        f"""
        with lives as (
            select token_id, max(priced_date) as last_date from marts.fct_daily group by token_id
        ),
        alive as (
            select market_date, count(*) as tokens from marts.fct_daily where not is_carried group by market_date
        ),
        ends as (
            select lives.last_date, count(*) >= {FEED_END_TOKENS} and count(*) >= {FEED_END_SHARE} * any_value(alive.tokens) as is_feed
            from lives
            inner join alive on lives.last_date = alive.market_date
            group by lives.last_date
        ),
        judged as (
            select
                rows.token_id, rows.market_date,
                case
                    when rows.market_date + {DEATH_DAYS} > (select max(market_date) from alive) then null
                    when lives.last_date > rows.market_date + {DEATH_DAYS} then 0
                    when ends.is_feed or migrated.token_id is not null then null
                    else 1
                end as has_died
            from panel_rows as rows
            inner join lives on rows.token_id = lives.token_id
            inner join ends on lives.last_date = ends.last_date
            left join (select distinct token_id from marts.dim_tokens where successor_token_id is not null) as migrated
                on rows.token_id = migrated.token_id
        )
        select
            judged.token_id, judged.market_date, judged.has_died,
            case
                when later.token_id is not null
                    then (later.market_cap_usd <= {LEAST_CAP_USD:f} or later.volume_30d_median_usd <= {LEAST_VOLUME_USD:f})::int
                when judged.has_died = 1 then 1
            end as has_faded
        from judged
        left join marts.fct_universe_daily as later
            on judged.token_id = later.token_id and judged.market_date + {DEATH_DAYS} = later.market_date
        """
    ).pl()


def forecast_skill(panel: pl.DataFrame) -> pl.DataFrame:
    """Mean weekly rank correlation of every predictor with every outcome, with its interval over blocks of weeks."""
    rows = [
        summarise_weekly(weekly_rank_ic(panel, score=predictor, outcome=outcome), block=block_weeks(HORIZON_DAYS))
        .select("mean", "low", "high", "share_above_0", "weeks")
        .insert_column(0, pl.Series("outcome", [outcome_label]))
        .insert_column(1, pl.Series("predictor", [label]))
        for outcome, outcome_label in OUTCOMES.items()
        for predictor, label in PREDICTORS.items()
    ]
    return pl.concat(rows)


def gain_over_best(panel: pl.DataFrame, skill: pl.DataFrame) -> pl.DataFrame:
    """Weekly rank correlation of the risk score less that of the simple predictor with the highest mean.

    Args:
        panel: As `risk_panel` gives it.
        skill: As `forecast_skill` gives it for the panel.

    Returns:
        One row an outcome: outcome, best (the simple predictor), mean, low, high.
    """
    rows = []
    for outcome, label in OUTCOMES.items():
        simple = skill.filter((pl.col("outcome") == label) & (pl.col("predictor") != SCORE)).sort("mean")
        best = str(simple["predictor"][-1])
        predictor = next(name for name, text in PREDICTORS.items() if text == best)
        gain = paired_difference(
            weekly_rank_ic(panel, score="risk_score", outcome=outcome),
            weekly_rank_ic(panel, score=predictor, outcome=outcome),
            block=block_weeks(HORIZON_DAYS),
        )
        rows.append(gain.select(pl.lit(label).alias("outcome"), pl.lit(best).alias("best"), "mean", "low", "high"))
    return pl.concat(rows)


def outcomes_by(panel: pl.DataFrame, group: pl.Expr) -> pl.DataFrame:
    """What came of the rows of each group: medians of volatility and drawdown, shares that halved and faded."""
    return (
        panel.group_by(group)
        .agg(
            rows=pl.len(),
            median_volatility=pl.col("next_volatility").median(),
            median_drawdown=pl.col("next_fall").median(),
            share_halved=pl.col("has_halved").mean(),
            share_faded=pl.col("has_faded").mean(),
        )
        .sort(group.meta.output_name())
    )


def skill_by_year(panel: pl.DataFrame) -> pl.DataFrame:
    """Mean weekly rank correlations of the risk score, and how many tokens a week they rest on."""
    found = [
        weekly_rank_ic(panel, score="risk_score", outcome=outcome)
        .group_by(pl.col("as_of_week").dt.year().alias("year"))
        .agg(pl.col("value").mean().alias(label), pl.col("tokens").mean().cast(pl.Int64).alias("tokens"))
        for outcome, label in OUTCOMES.items()
    ]
    return found[0].join(found[1].drop("tokens"), on="year", how="full", coalesce=True).sort("year")


def event_skill(panel: pl.DataFrame) -> pl.DataFrame:
    """AUC within weeks of every predictor for tokens that halve, fade and die, with intervals over blocks of weeks."""
    rows = []
    for event, label, days in (
        ("has_halved", f"halves within {HORIZON_DAYS} days", HORIZON_DAYS),
        ("has_faded", f"faded after {DEATH_DAYS} days", DEATH_DAYS),
        ("has_died", f"last price within {DEATH_DAYS} days", DEATH_DAYS),
    ):
        judged = panel.drop_nulls(event).with_columns(happened=pl.col(event).cast(pl.Int8) * 2 - 1)
        tokens = judged.filter(pl.col("happened") > 0)["token_id"].n_unique()
        for predictor, name in PREDICTORS.items():
            auc = selection_auc(judged, block=block_weeks(days), probability=predictor, outcome="happened")
            rows.append((label, name, auc.estimate, auc.low, auc.high, auc.weeks, tokens))
    return pl.DataFrame(
        rows, schema=["event", "predictor", "auc", "low", "high", "weeks_with_one", "tokens_with_one"], orient="row"
    )
