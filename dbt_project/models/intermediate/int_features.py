"""Time-series features of every token and day, computed by `models_ml.features` on polars.

A build computes the days from intermediate.rebuilt_days on (see macros/rebuilt_days.sql), reading as many days before them as the longest
look-back needs; rows before them stay as they are.
"""

from itertools import chain


def model(dbt, session):
    dbt.config(materialized="incremental")
    from datetime import timedelta

    import pyarrow

    from models_ml.features.catalogue import LONGEST_LOOK_BACK_DAYS
    from models_ml.features.compute import feature_batches

    daily = dbt.ref("fct_daily")
    onchain = dbt.ref("fct_onchain_daily")
    facts = dbt.ref("int_token_facts")
    news = dbt.ref("fct_news_daily")
    since = None
    if dbt.is_incremental:
        first = "select rebuilt_from from intermediate.first_rebuilt_days where node = 'int_features'"
        since = session.execute(first).fetchone()[0]
        session.execute("insert into intermediate.rebuilt_days values ('int_features', ?)", [since])
        # One day more than the look-back: a daily return needs the price of the day before.
        in_reach = f"market_date >= date '{since - timedelta(days=LONGEST_LOOK_BACK_DAYS + 1)}'"
        daily, onchain, facts, news = (relation.filter(in_reach) for relation in (daily, onchain, facts, news))

    batches = feature_batches(daily.pl(), onchain.pl(), facts=facts.pl(), news=news.pl(), since=since)
    # DuckDB draws batch after batch and writes one while the next is computed: the features are never in memory as a whole.
    tables = (batch.to_arrow() for batch in batches)
    first = next(tables)
    return pyarrow.RecordBatchReader.from_batches(
        first.schema, (part for table in chain([first], tables) for part in table.to_batches())
    )
