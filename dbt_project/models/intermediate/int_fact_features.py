"""Features that need on-chain metrics, or what other sources say of a token, on the days on which at least one of them is known.

Computed as int_price_features, for the tokens that any of these sources knows.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    import polars as pl

    from models_ml.features.catalogue import FACT_FEATURES, LONGEST_LOOK_BACK_DAYS
    from models_ml.features.compute import feature_batches
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days, reader_of

    since = first_rebuilt_day(dbt, session)
    in_reach = in_rebuilt_days(since, days_before=LONGEST_LOOK_BACK_DAYS + 1)
    daily = dbt.ref("fct_daily").filter(in_reach)
    onchain = dbt.ref("fct_onchain_daily").filter(in_reach)
    facts = dbt.ref("int_token_facts").filter(in_reach)
    news = dbt.ref("fct_news_daily").filter(in_reach)
    tokens = onchain.select("token_id").union(facts.select("token_id")).distinct()
    known = daily.set_alias("daily").join(tokens.set_alias("tokens"), "token_id", how="semi")
    batches = feature_batches(known.pl(), onchain.pl(), FACT_FEATURES, facts=facts.pl(), news=news.pl(), since=since)
    return reader_of(batch.filter(pl.col("known_features") > 0) for batch in batches)
