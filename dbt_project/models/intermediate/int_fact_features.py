"""Features that need on-chain metrics, or what other sources say of a token, on the days on which at least one of them is known.

Computed as int_price_features, for the tokens that any of these sources knows.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from datetime import timedelta

    import polars as pl

    from models_ml.features.catalogue import FACT_FEATURES, LONGEST_LOOK_BACK_DAYS
    from models_ml.features.compute import feature_batches
    from orchestration.lib.rebuilt_days import first_rebuilt_day, reader_of

    daily = dbt.ref("fct_daily")
    onchain = dbt.ref("fct_onchain_daily")
    facts = dbt.ref("int_token_facts")
    news = dbt.ref("fct_news_daily")
    since = first_rebuilt_day(dbt, session)
    if since is not None:
        in_reach = f"market_date >= date '{since - timedelta(days=LONGEST_LOOK_BACK_DAYS + 1)}'"
        daily, onchain, facts, news = (relation.filter(in_reach) for relation in (daily, onchain, facts, news))
    tokens = onchain.select("token_id").union(facts.select("token_id")).distinct()
    known = daily.set_alias("daily").join(tokens.set_alias("tokens"), "token_id", how="semi")
    batches = feature_batches(known.pl(), onchain.pl(), FACT_FEATURES, facts=facts.pl(), news=news.pl(), since=since)
    return reader_of(batch.filter(pl.col("known_features") > 0) for batch in batches)
