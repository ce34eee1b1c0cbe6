"""Time-series features of every token and day, computed by `models_ml.features` on polars.

A build computes the days from TIDEMARK_FEATURES_FROM on, reading as many days before it as the longest look-back needs;
rows before it stay as they are. So a new week costs a week, and a late row rebuilds the days it touches. Where days before it belong to
other tokens than they did, or carry another supply (both in hindsight, see fct_daily.is_supply_carried), it begins with the first of them.
"""

from datetime import date, timedelta
from itertools import chain

FIRST_DAY = date(1900, 1, 1)

LEAST_CHANGE = 1e-5
"""Of a log market cap, in single precision."""


def first_rewritten(session, daily, computed, since):
    """First day before `since` whose tokens or carried market caps are no longer those features were computed from."""
    session.register("daily_now", daily.filter(f"market_date < date '{since.isoformat()}'"))
    row = session.execute(
        f"""
        select min(market_date)
        from daily_now
        full join (
            select token_id, market_date, log_market_cap from {computed} where market_date < date '{since.isoformat()}'
        ) as computed using (token_id, market_date)
        where daily_now.price_usd is null or computed.token_id is null
            or (is_supply_carried and coalesce(abs(log_market_cap - ln(market_cap_usd)), 1) > {LEAST_CHANGE})
        """
    ).fetchone()
    session.unregister("daily_now")
    return row[0]


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="market_date",
        on_schema_change="fail",
    )
    import pyarrow

    from models_ml.features.catalogue import LONGEST_LOOK_BACK_DAYS
    from models_ml.features.compute import feature_batches

    daily = dbt.ref("fct_daily")
    onchain = dbt.ref("fct_onchain_daily")
    facts = dbt.ref("int_token_facts")
    news = dbt.ref("fct_news_daily")
    since = date.fromisoformat(dbt.config.get("features_from"))
    since = min(since, first_rewritten(session, daily, dbt.this, since) or since) if dbt.is_incremental else FIRST_DAY
    # One day more than the look-back: a daily return needs the price of the day before.
    read_from = max(since, date(1905, 1, 1)) - timedelta(days=LONGEST_LOOK_BACK_DAYS + 1)
    in_reach = f"market_date >= date '{read_from.isoformat()}'"

    batches = feature_batches(
        daily.filter(in_reach).pl(),
        onchain.filter(in_reach).pl(),
        facts=facts.filter(in_reach).pl(),
        news=news.filter(in_reach).pl(),
        since=None if since == FIRST_DAY else since,
    )
    # DuckDB draws batch after batch and writes one while the next is computed: the features are never in memory as a whole.
    tables = (batch.to_arrow() for batch in batches)
    first = next(tables)
    return pyarrow.RecordBatchReader.from_batches(
        first.schema, (part for table in chain([first], tables) for part in table.to_batches())
    )
