"""Time-series features of every token and day, computed by `models_ml.features` on polars.

A build computes the days from TIDEMARK_FEATURES_FROM on, reading as many days before it as the longest look-back needs;
rows before it stay as they are. So a new week costs a week, and a late row rebuilds the days it touches.
"""

from datetime import date, timedelta


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="market_date",
        on_schema_change="fail",
    )
    from models_ml.features.catalogue import LONGEST_LOOK_BACK_DAYS
    from models_ml.features.compute import token_features

    daily = dbt.ref("fct_daily")
    onchain = dbt.ref("fct_onchain_daily")
    since = date.fromisoformat(dbt.config.get("features_from"))
    if not dbt.is_incremental:
        since = date(1900, 1, 1)
    # One day more than the look-back: a daily return needs the price of the day before.
    read_from = max(since, date(1905, 1, 1)) - timedelta(days=LONGEST_LOOK_BACK_DAYS + 1)

    features = token_features(
        daily.filter(f"market_date >= date '{read_from.isoformat()}'").pl(),
        onchain.filter(f"market_date >= date '{read_from.isoformat()}'").pl(),
    )
    features = features.filter(features["market_date"] >= since)
    return features.to_arrow()
