"""Features of every token and day that need nothing but prices, caps and volumes, computed by `models_ml.features` on polars.

A build computes the days from intermediate.rebuilt_days on (see macros/rebuilt_days.sql), reading as many days before them as the longest
look-back needs; rows before them stay as they are. Models that need no other features read these: what another source says late of days
long gone is none of theirs.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from models_ml.features.catalogue import LONGEST_LOOK_BACK_DAYS, PRICE_FEATURES
    from models_ml.features.compute import feature_batches
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days, reader_of

    since = first_rebuilt_day(dbt, session)
    daily = dbt.ref("fct_daily").filter(in_rebuilt_days(since, days_before=LONGEST_LOOK_BACK_DAYS + 1))
    return reader_of(feature_batches(daily.pl(), None, PRICE_FEATURES, since=since))
