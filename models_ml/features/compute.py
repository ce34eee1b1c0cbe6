"""Computes the features of the catalogue for a frame of token days.

Belongs here: the calendar grid, the prepared columns, the evaluation.
Does not: formulas (the family modules), reading or writing tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.feature import FACT_COLUMNS, Feature
from models_ml.features.onchain import LAG_DAYS

LARGEST_LOG_RETURN = 2.0
"""Daily log returns are cut at a factor of e^2 = 7.4: beyond it one print would rule every window it stands in."""

ONCHAIN_COLUMNS = (
    "active_addresses",
    "transactions",
    "mvrv_ratio",
    "exchange_inflow_tokens",
    "exchange_outflow_tokens",
    "supply_tokens",
)

KEY = ["token_id", "market_date"]


def token_features(
    daily: pl.DataFrame,
    onchain: pl.DataFrame,
    features: Sequence[Feature] = CATALOGUE,
    *,
    facts: pl.DataFrame | None = None,
    news: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Features of every token and day that has a price.

    A row depends on rows up to its own day only. Rolling sums run over calendar days: a day without a price is a null in its
    window, not a shorter window.

    Args:
        daily: One row a token and day: token_id, market_date, price_usd > 0, market_cap_usd and volume_24h_usd (nullable),
            is_supply_carried (whether the cap is a later supply times the price), first_date (first day of the token's whole
            history, which may lie before the frame).
        onchain: One row a token and day with the columns `ONCHAIN_COLUMNS`, or no rows.
        features: What to compute.
        facts: Sparse rows, one a token and day at whose close they were known: token_id, market_date, `FACT_COLUMNS`. None is as
            good as no rows.
        news: One row a day with headlines: market_date, headlines. None is as good as no rows.

    Returns:
        One row a token and day of `daily`, by token and day: token_id, market_date, the features as Float32 (non-finite values
        are null), `coverage`, the share of the model inputs among `features` that is not null, and `coverage_all`, that of all.
    """
    prepared = _with_prepared_columns(_calendar_grid(daily), onchain)
    dense = [feature for feature in features if not feature.reads_facts]
    sparse = [feature for feature in features if feature.reads_facts]
    values = [_value(feature) for feature in dense]
    computed = prepared.filter(pl.col("token_id").is_not_null()).select(*KEY, "price_usd", *values)
    computed = computed.filter(pl.col("price_usd").is_not_null()).drop("price_usd")
    if sparse:
        computed = _with_sparse_features(computed, prepared, sparse, facts=facts, news=news)
    inputs = [feature.name for feature in features if feature.is_model_input]
    names = [feature.name for feature in features]
    return computed.select(*KEY, *names, _known_share(inputs, "coverage"), _known_share(names, "coverage_all"))


def _with_sparse_features(
    computed: pl.DataFrame,
    prepared: pl.DataFrame,
    features: Sequence[Feature],
    *,
    facts: pl.DataFrame | None,
    news: pl.DataFrame | None,
) -> pl.DataFrame:
    """Add features of sparse facts, computed on the tokens that have some: most of a long history has none."""
    names = [feature.name for feature in features]
    if facts is None or facts.is_empty():
        return computed.with_columns(pl.lit(None, pl.Float32).alias(name) for name in names)
    days = pl.DataFrame(schema={"market_date": pl.Date, "headlines": pl.Int32}) if news is None else news
    grid = (
        prepared.select(*KEY, "price_usd", "market_cap_usd")
        .join(facts.select("token_id").unique(), on="token_id", how="semi")
        .join(facts.select(*KEY, *FACT_COLUMNS), on=KEY, how="left")
        .join(days.select("market_date", pl.col("headlines").cast(pl.Float64)), on="market_date", how="left")
        .sort(KEY)
    )
    values = grid.select(*KEY, *(_value(feature) for feature in features))
    return computed.join(values, on=KEY, how="left", maintain_order="left")


def _calendar_grid(daily: pl.DataFrame) -> pl.DataFrame:
    """Every calendar day from a token's first to last row, by token and day; days without a row have null prices."""
    spans = daily.group_by("token_id").agg(start=pl.col("market_date").min(), end=pl.col("market_date").max())
    days = spans.with_columns(market_date=pl.date_ranges("start", "end")).explode("market_date")
    columns = ["token_id", "market_date", "price_usd", "market_cap_usd", "is_supply_carried", "volume_24h_usd"]
    firsts = daily.group_by("token_id").agg(first_date=pl.col("first_date").min())
    return (
        days.select("token_id", "market_date")
        .join(daily.select(columns), on=["token_id", "market_date"], how="left")
        .join(firsts, on="token_id", how="left")
        .sort("token_id", "market_date")
    )


def _with_prepared_columns(grid: pl.DataFrame, onchain: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that `feature.py` promises to expressions."""
    log_price = pl.col("price_usd").log()
    log_return = log_price.diff().over("token_id").clip(-LARGEST_LOG_RETURN, LARGEST_LOG_RETURN)
    prepared = grid.with_columns(
        log_price=log_price,
        log_return=log_return,
        log_volume=pl.when(pl.col("volume_24h_usd") > 0).then(pl.col("volume_24h_usd").log()),
        age_days=(pl.col("market_date") - pl.col("first_date")).dt.total_days(),
    )
    # The median token: large and traded enough that its return is a market return, not the noise of a dead one.
    market = (
        prepared.filter((pl.col("market_cap_usd") > 2e7) & (pl.col("volume_24h_usd") > 1e5))
        .group_by("market_date")
        .agg(market_log_return=pl.col("log_return").median())
    )
    for coin, name in (("bitcoin", "btc_log_return"), ("ethereum", "eth_log_return")):
        reference = prepared.filter(pl.col("token_id") == coin).select("market_date", pl.col("log_return").alias(name))
        prepared = prepared.join(reference, on="market_date", how="left")
    # A day's metrics are known a day later, so the row of a day carries those of the day before.
    known = onchain.select("token_id", pl.col("market_date").dt.offset_by(f"{LAG_DAYS}d"), *ONCHAIN_COLUMNS)
    return (
        prepared.join(market, on="market_date", how="left")
        .join(known, on=["token_id", "market_date"], how="left")
        .sort("token_id", "market_date")
    )


def _value(feature: Feature) -> pl.Expr:
    """The feature within each token as Float32, with null for NaN and infinity, which a division by zero leaves behind."""
    single = feature.expr.over("token_id").cast(pl.Float32)
    return pl.when(single.is_finite()).then(single).alias(feature.name)


def _known_share(names: Sequence[str], name: str) -> pl.Expr:
    """Share of some columns that is not null; null where there are no columns."""
    if not names:
        return pl.lit(None, pl.Float32).alias(name)
    return (pl.sum_horizontal(pl.col(list(names)).is_not_null()) / len(names)).cast(pl.Float32).alias(name)
