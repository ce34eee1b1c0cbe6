"""Risk quantities of every token and day that are no features, computed by `models_ml.features.risk_profile` on polars.

Days are computed as in int_price_features: from intermediate.rebuilt_days on, reading as many before them as the longest look-back needs.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from models_ml.features.risk_profile import LOOK_BACK_DAYS, risk_profile_batches
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days, reader_of

    since = first_rebuilt_day(dbt, session)
    daily = dbt.ref("fct_daily").filter(in_rebuilt_days(since, days_before=LOOK_BACK_DAYS + 1))
    return reader_of(risk_profile_batches(daily.pl(), since=since))
