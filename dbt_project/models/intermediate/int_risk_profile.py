"""Risk quantities of every token and day that are no features, computed by `models_ml.features.risk_profile` on polars.

Days are computed as in int_features: from intermediate.rebuilt_days on, reading as many before them as the longest look-back needs.
"""

from itertools import chain


def model(dbt, session):
    dbt.config(materialized="incremental")
    from datetime import timedelta

    import pyarrow

    from models_ml.features.risk_profile import LOOK_BACK_DAYS, risk_profile_batches

    daily = dbt.ref("fct_daily")
    since = None
    if dbt.is_incremental:
        first = "select rebuilt_from from intermediate.first_rebuilt_days where node = 'int_risk_profile'"
        since = session.execute(first).fetchone()[0]
        session.execute("insert into intermediate.rebuilt_days values ('int_risk_profile', ?)", [since])
        # One day more than the look-back: a daily return needs the price of the day before.
        daily = daily.filter(f"market_date >= date '{since - timedelta(days=LOOK_BACK_DAYS + 1)}'")
    # As in int_features, DuckDB writes one batch while the next is computed.
    tables = (batch.to_arrow() for batch in risk_profile_batches(daily.pl(), since=since))
    first = next(tables)
    return pyarrow.RecordBatchReader.from_batches(
        first.schema, (part for table in chain([first], tables) for part in table.to_batches())
    )
