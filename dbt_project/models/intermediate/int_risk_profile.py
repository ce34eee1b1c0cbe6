"""Risk quantities of every token and day that are no features, computed by `models_ml.features.risk_profile` on polars.

Days are computed as in int_features: from intermediate.rebuilt_days on, reading as many before them as the longest look-back needs.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    from datetime import timedelta

    from models_ml.features.risk_profile import LOOK_BACK_DAYS, risk_profile

    daily = dbt.ref("fct_daily")
    since = None
    if dbt.is_incremental:
        since = session.execute("select min(rebuilt_from) from intermediate.rebuilt_days").fetchone()[0]
        session.execute("insert into intermediate.rebuilt_days values ('int_risk_profile', ?)", [since])
        # One day more than the look-back: a daily return needs the price of the day before.
        daily = daily.filter(f"market_date >= date '{since - timedelta(days=LOOK_BACK_DAYS + 1)}'")
    return risk_profile(daily.pl(), since=since).to_arrow()
