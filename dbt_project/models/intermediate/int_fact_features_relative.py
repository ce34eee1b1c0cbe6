"""Places and distances as in int_price_features_relative, in those features of int_fact_features, where one of them is known."""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from models_ml.features.catalogue import FACT_FEATURES
    from models_ml.features.relative import names_read, relative_features
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days

    names = names_read(FACT_FEATURES)
    computed = in_rebuilt_days(first_rebuilt_day(dbt, session))
    features = dbt.ref("int_fact_features").filter(computed).select(", ".join(("token_id", "market_date", *names)))
    features = features.filter(f"coalesce({', '.join(names)}) is not null")
    members = dbt.ref("int_market_members").filter("is_broad").filter(computed).select("token_id, market_date, sector")
    broad = features.join(members, "token_id, market_date").order("token_id, market_date").pl()
    return relative_features(broad).drop("sector").to_arrow()
