"""Risk quantities of every token and day that are no features, computed by `models_ml.features.risk_profile` on polars.

Days are computed as in int_price_features: from intermediate.rebuilt_days on, reading as many before them as the longest look-back needs.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from datetime import timedelta

    from models_ml.features.risk_profile import LOOK_BACK_DAYS, risk_profile_batches
    from orchestration.lib.rebuilt_days import first_rebuilt_day, reader_of

    daily = dbt.ref("fct_daily")
    since = first_rebuilt_day(dbt, session)
    if since is not None:
        # One day more than the look-back: a daily return needs the price of the day before.
        daily = daily.filter(f"market_date >= date '{since - timedelta(days=LOOK_BACK_DAYS + 1)}'")
    return reader_of(risk_profile_batches(daily.pl(), since=since))
