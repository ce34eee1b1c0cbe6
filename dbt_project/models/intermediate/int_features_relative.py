"""Places among the broad universe of the day and distances from the sector's median, by `models_ml.features.relative` on polars."""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from models_ml.features.relative import COMPARED, RANKED, relative_features

    columns = ", ".join(f"features.{name}" for name in dict.fromkeys((*RANKED, *COMPARED)))
    features = dbt.ref("feat_token_daily")
    members = dbt.ref("int_market_members").filter("is_broad")
    if dbt.is_incremental:
        first = "select rebuilt_from from intermediate.first_rebuilt_days where node = 'int_features_relative'"
        since = session.execute(first).fetchone()[0]
        session.execute("insert into intermediate.rebuilt_days values ('int_features_relative', ?)", [since])
        features, members = (relation.filter(f"market_date >= date '{since}'") for relation in (features, members))
    broad = (
        features.set_alias("features")
        .join(
            members.set_alias("members"),
            "features.token_id = members.token_id and features.market_date = members.market_date",
        )
        .select(f"features.token_id, features.market_date, members.sector, members.is_sector_hindsight, {columns}")
        .order("token_id, market_date")
        .pl()
    )
    return relative_features(broad).with_columns(is_hindsight=broad["is_sector_hindsight"]).to_arrow()
