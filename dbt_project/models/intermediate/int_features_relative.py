"""Places among the broad universe of the day and distances from the sector's median, by `models_ml.features.relative` on polars."""


def model(dbt, session):
    dbt.config(materialized="table")
    from models_ml.features.relative import COMPARED, RANKED, relative_features

    # Named, because the query below reads them by these names.
    names = {
        "features": dbt.ref("feat_token_daily"),
        "universe": dbt.ref("fct_universe_daily"),
        "tokens": dbt.ref("dim_tokens"),
    }
    columns = ", ".join(f"features.{name}" for name in dict.fromkeys((*RANKED, *COMPARED)))
    for name, relation in names.items():
        relation.create_view(f"relative_{name}", replace=True)
    broad = session.execute(
        f"""
        select
            features.token_id, features.market_date, tokens.sector,
            coalesce(tokens.sector is not null and tokens.is_hindsight, false) as is_hindsight, {columns}
        from relative_features as features
        inner join relative_universe as universe
            on features.token_id = universe.token_id and features.market_date = universe.market_date
        left join relative_tokens as tokens
            on features.token_id = tokens.token_id
            and features.market_date >= tokens.valid_from
            and features.market_date < coalesce(tokens.valid_to, date '9999-12-31')
        where universe.is_broad
        order by features.token_id, features.market_date
        """
    ).pl()
    for name in names:
        session.execute(f"drop view relative_{name}")
    return relative_features(broad).with_columns(broad["is_hindsight"]).to_arrow()
