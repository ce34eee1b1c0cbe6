"""Places among the broad universe of the day and distances from the sector's median in price features, by `models_ml.features.relative`."""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from models_ml.features.catalogue import PRICE_FEATURES
    from models_ml.features.relative import names_read, relative_features
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days

    names = names_read(PRICE_FEATURES)
    computed = in_rebuilt_days(first_rebuilt_day(dbt, session))
    features = dbt.ref("int_price_features").filter(computed).select(", ".join(("token_id", "market_date", *names)))
    members = dbt.ref("int_market_members").filter("is_broad").filter(computed)
    members = members.select("token_id, market_date, sector, is_sector_hindsight as is_hindsight")
    broad = features.join(members, "token_id, market_date").order("token_id, market_date").pl()
    return relative_features(broad).with_columns(broad["is_hindsight"]).to_arrow()
