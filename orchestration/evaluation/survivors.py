"""A check that does not rest on who survived: the members of a monthly top 200 as it was known then.

Belongs here: linking the snapshots' members to tokens, and the rank IC among them with a stopped price ranking last.
Does not: the main figures (`ranking.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME, weekly_rank_ic
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.evaluation.ranking import TRADER
from orchestration.lib.metadata import markdown_table

AGREEMENT = 0.1
"""A member is the token of its ticker whose close of the snapshot's day lies within this of its price."""

MEMBERS = f"""
    with candidates as (
        select snapshots.market_date, snapshots.rank, daily.token_id,
            row_number() over (
                partition by snapshots.market_date, snapshots.rank order by abs(ln(daily.price_usd / snapshots.price_usd))
            ) as place
        from staging.stg_coinmarketcap__market_cap_snapshots as snapshots
        inner join marts.dim_tokens as tokens on upper(tokens.symbol) = snapshots.symbol
        inner join marts.fct_daily as daily on tokens.token_id = daily.token_id and snapshots.market_date = daily.market_date
        where abs(daily.price_usd / snapshots.price_usd - 1) < {AGREEMENT}
    ),
    snapshots as (
        select market_date, min(timezone('UTC', available_at)::date) as known_date
        from staging.stg_coinmarketcap__market_cap_snapshots group by market_date
    ),
    weeks as (select distinct as_of_week from learning.trader_grades_current where as_of_week >= '{FIRST_WEEK}')
    select distinct weeks.as_of_week, candidates.token_id
    from weeks asof join snapshots on weeks.as_of_week >= snapshots.known_date
    inner join candidates on snapshots.market_date = candidates.market_date and candidates.place = 1
"""


def section(history: History) -> str:
    """Rank IC among the members, with a stopped price unknown and with a stopped price last."""
    scores = history.query("select as_of_week, token_id, score from api.trader_grades")
    members = history.query(MEMBERS)
    panel = history.panel(scores)
    newest = panel.drop_nulls(LAGGED_OUTCOME)["as_of_week"].max()
    chosen = panel.join(members, on=KEYS, how="semi").filter(pl.col("as_of_week") <= newest)
    last = chosen.with_columns(pl.col(LAGGED_OUTCOME).fill_null(-1.0))
    rows = []
    for name, frame in (("all graded", panel), ("members, stopped unknown", chosen), ("members, stopped last", last)):
        weekly = weekly_rank_ic(frame, outcome=LAGGED_OUTCOME)
        summary = summarise_weekly(weekly, block=TRADER.block).select("mean", "low", "high", "weeks")
        rows.append(
            summary.select(pl.lit(name).alias("tokens"), pl.all(), tokens_a_week=pl.lit(weekly["tokens"].mean()))
        )
    stopped = chosen[LAGGED_OUTCOME].null_count() + chosen["forward_has_ended_14d"].sum()
    return (
        "## Without survivors\n\nMembers of the newest monthly top 200 of CoinMarketCap known at as_of, linked by ticker and a price "
        f"within {AGREEMENT:.0%}: {chosen.height / max(chosen['as_of_week'].n_unique(), 1):.0f} graded members a week; {stopped} of "
        f"{chosen.height} rows have a price that stops or is unknown.\n\n" + markdown_table(pl.concat(rows))
    )
