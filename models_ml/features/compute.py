"""Computes the features of the catalogue for a frame of token days.

Belongs here: the calendar grid, the prepared columns, the batches of tokens, the evaluation.
Does not: formulas (the family modules), the sharing of windows (`plan.py`), reading or writing tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.feature import FACT_COLUMNS, ONCHAIN_COLUMNS, Feature
from models_ml.features.onchain import LAG_DAYS
from models_ml.features.plan import Plan, plan

LARGEST_LOG_RETURN = 2.0
"""Daily log returns are cut at a factor of e^2 = 7.4: beyond it one print would rule every window it stands in."""

ROWS_A_BATCH = 150_000
"""Rows of the frame computed at once. A batch and its windows take some 300 MB; larger ones are no faster."""

SPANS = (40, 100, 200)
"""Days of look-back that new days are computed from, for features that need no more; the others read all there is."""

KEY = ["token_id", "market_date"]
TOKEN = "token"  # noqa: S105 - the number of a token, no secret

DAILY_COLUMNS = ["price_usd", "market_cap_usd", "is_supply_carried", "volume_24h_usd"]


def token_features(
    daily: pl.DataFrame,
    onchain: pl.DataFrame | None,
    features: Sequence[Feature] = CATALOGUE,
    *,
    facts: pl.DataFrame | None = None,
    news: pl.DataFrame | None = None,
    since: date | None = None,
    dtype: type[pl.Float32 | pl.Float64] = pl.Float32,
) -> pl.DataFrame:
    """Features of every token and day that has a price.

    A row depends on rows up to its own day only. Rolling sums run over calendar days: a day without a price is a null in its
    window, not a shorter window.

    Args:
        daily: One row a token and day: token_id, market_date, price_usd > 0, market_cap_usd and volume_24h_usd (nullable),
            is_supply_carried (whether the cap is a later supply times the price), first_date (first day of the token's whole
            history, which may lie before the frame).
        onchain: One row a token and day with the columns `ONCHAIN_COLUMNS`. None is as good as no rows.
        features: What to compute.
        facts: Sparse rows, one a token and day at whose close they were known: token_id, market_date, `FACT_COLUMNS`. None is as
            good as no rows.
        news: One row a day with headlines: market_date, headlines. None is as good as no rows.
        since: First day to return; the frame begins as many days before it as the longest look-back, and one. None returns all.
        dtype: Of the features. Single precision is what is stored, double what formulas are checked in.

    Returns:
        One row a token and day of `daily`, by token and day: token_id, market_date, the features (non-finite values are null),
        `coverage`, the share of the model inputs among `features` that is not null, and `coverage_all`, that of all.
    """
    batches = feature_batches(daily, onchain, features, facts=facts, news=news, since=since, dtype=dtype)
    inputs = sum(feature.is_model_input for feature in features)
    return (
        pl.concat(list(batches))
        .with_columns(coverage=_share("known_inputs", inputs), coverage_all=_share("known_features", len(features)))
        .drop("known_inputs", "known_features")
    )


def feature_batches(
    daily: pl.DataFrame,
    onchain: pl.DataFrame | None,
    features: Sequence[Feature] = CATALOGUE,
    *,
    facts: pl.DataFrame | None = None,
    news: pl.DataFrame | None = None,
    since: date | None = None,
    dtype: type[pl.Float32 | pl.Float64] = pl.Float32,
) -> Iterator[pl.DataFrame]:
    """The rows of `token_features`, some tokens at a time, so that memory does not grow with their number.

    Yields:
        At least one frame; all of them have the same columns, and their tokens follow one another. In place of the two shares they
        have what these count, `known_inputs` and `known_features`.
    """
    evaluation = _Evaluation(features, since=since, dtype=dtype)
    ordered = _by_token_and_day(daily)
    market = _market_returns(ordered)
    days = pl.DataFrame(schema={"market_date": pl.Date, "headlines": pl.Int32}) if news is None else news
    days = days.select("market_date", pl.col("headlines").cast(pl.Float64))
    # A day's metrics are known a day later, so the row of a day carries those of the day before.
    known = None
    if onchain is not None:
        known = onchain.select("token_id", pl.col("market_date").dt.offset_by(f"{LAG_DAYS}d"), *ONCHAIN_COLUMNS)
    for batch in _token_batches(ordered):
        prepared = _with_prepared_columns(_calendar_grid(batch), market)
        yield evaluation.of(prepared, known, facts, days)


class _Evaluation:
    """The features, taken apart once and evaluated batch by batch.

    Tokens without a row of on-chain metrics or of facts are left out where those are read: most of a long history has none.
    """

    def __init__(
        self, features: Sequence[Feature], *, since: date | None, dtype: type[pl.Float32 | pl.Float64]
    ) -> None:
        """Make the plans, one for each span of days that new days need."""
        self._since = since
        self._dtype = dtype
        self._names = [feature.name for feature in features]
        self._inputs = [feature.name for feature in features if feature.is_model_input]
        self._dense = self._plans([f for f in features if not (f.reads_facts or f.reads_onchain)])
        self._onchain = self._plans([f for f in features if f.reads_onchain])
        self._facts = self._plans([f for f in features if f.reads_facts])

    def of(
        self, prepared: pl.DataFrame, onchain: pl.DataFrame | None, facts: pl.DataFrame | None, news: pl.DataFrame
    ) -> pl.DataFrame:
        """The features of a batch of tokens."""
        rows = self._returned(prepared.select(*KEY, "price_usd"))
        parts = [rows]
        if self._dense:
            parts.append(self._values(prepared, self._dense))
        if self._onchain:
            grid = _with_sparse_columns(prepared, onchain)
            parts.append(self._sparse_values(rows, grid, self._onchain))
        if self._facts:
            grid = _with_sparse_columns(prepared, facts)
            grid = grid.join(news, on="market_date", how="left", maintain_order="left")
            parts.append(self._sparse_values(rows, grid, self._facts))
        computed = pl.concat(parts, how="horizontal").filter(pl.col("price_usd").is_not_null())
        return computed.select(
            *KEY,
            *self._names,
            _known(self._inputs).alias("known_inputs"),
            _known(self._names).alias("known_features"),
        )

    def _plans(self, features: Sequence[Feature]) -> list[tuple[date | None, Plan]]:
        """Plans with the first day each of them reads, None for all days."""
        if self._since is None:
            return [(None, plan(features, token=TOKEN))] if features else []
        plans: list[tuple[date | None, Plan]] = []
        for shortest, longest in zip((-1, *SPANS), (*SPANS, math.inf), strict=True):
            if chosen := [feature for feature in features if shortest < feature.span_days <= longest]:
                # One day more than the look-back: a daily return needs the price of the day before.
                days = timedelta(days=max(feature.span_days for feature in chosen) + 1)
                plans.append((self._since - days, plan(chosen, token=TOKEN)))
        return plans

    def _values(self, prepared: pl.DataFrame, plans: Sequence[tuple[date | None, Plan]]) -> pl.DataFrame:
        """Features of every row of the calendar grid that is to be returned."""
        parts = []
        for first, steps in plans:
            read = prepared if first is None else prepared.filter(pl.col("market_date") >= first)
            columns = self._returned(steps.evaluate(read))
            values = [_finite(expr, self._dtype).alias(name) for name, expr in steps.values.items()]
            parts.append(columns.lazy().select(values).collect())
        return pl.concat(parts, how="horizontal")

    def _sparse_values(
        self, rows: pl.DataFrame, grid: pl.DataFrame, plans: Sequence[tuple[date | None, Plan]]
    ) -> pl.DataFrame:
        """Features of the tokens of a sparse grid, null for all others."""
        names = [name for _, steps in plans for name in steps.values]
        if grid.is_empty():
            return rows.select(KEY[0], *(pl.lit(None, self._dtype).alias(name) for name in names)).drop(KEY[0])
        values = pl.concat([self._returned(grid).select(KEY), self._values(grid, plans)], how="horizontal")
        return rows.select(KEY).join(values, on=KEY, how="left", maintain_order="left").select(names)

    def _returned(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows if self._since is None else rows.filter(pl.col("market_date") >= self._since)


def _finite(expr: pl.Expr, dtype: type[pl.Float32 | pl.Float64]) -> pl.Expr:
    """The value with null for NaN and infinity, which a division by zero leaves behind."""
    stored = expr.cast(dtype)
    return pl.when(stored.is_finite()).then(stored)


def _by_token_and_day(daily: pl.DataFrame) -> pl.DataFrame:
    """The columns that features read, by token and day, with the tokens numbered."""
    tokens = pl.Enum(daily["token_id"].unique().sort())
    day = pl.col("market_date").to_physical().cast(pl.Int64)
    rows = daily.select(
        *KEY,
        *DAILY_COLUMNS,
        "first_date",
        pl.col("token_id").cast(tokens).to_physical().cast(pl.UInt32).alias(TOKEN),
    ).with_columns(place=pl.col(TOKEN).cast(pl.Int64) * 2**24 + day)
    is_ordered = rows.select((pl.col("place").diff() > 0).all()).item()
    return (rows if is_ordered else rows.sort("place")).drop("place")


def _market_returns(ordered: pl.DataFrame) -> pl.DataFrame:
    """Log returns of bitcoin, of ether and of the median token, one row a day that has any price."""
    days = pl.col("market_date").diff().dt.total_days()
    is_next_day = (pl.col(TOKEN).diff().fill_null(1) == 0) & (days == 1)
    returns = ordered.select(
        *KEY,
        log_return=pl.when(is_next_day).then(_clipped(pl.col("price_usd").log().diff())),
        # Large and traded enough that its return is a market return, not the noise of a dead one.
        is_counted=(pl.col("market_cap_usd") > 2e7) & (pl.col("volume_24h_usd") > 1e5),
    )
    median = returns.filter("is_counted").group_by("market_date").agg(market_log_return=pl.col("log_return").median())
    market = returns.select("market_date").unique().join(median, on="market_date", how="left")
    for coin, name in (("bitcoin", "btc_log_return"), ("ethereum", "eth_log_return")):
        reference = returns.filter(pl.col("token_id") == coin).select("market_date", pl.col("log_return").alias(name))
        market = market.join(reference, on="market_date", how="left")
    return market


def _clipped(log_return: pl.Expr) -> pl.Expr:
    return log_return.clip(-LARGEST_LOG_RETURN, LARGEST_LOG_RETURN)


def _token_batches(ordered: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Whole tokens, as many as fit into a batch and at least one; one empty frame where there is no row."""
    if ordered.is_empty():
        yield ordered
    begin = end = 0
    for count in ordered[TOKEN].rle().struct.field("len"):
        if end > begin and end + count - begin > ROWS_A_BATCH:
            yield ordered.slice(begin, end - begin)
            begin = end
        end += count
    if end > begin:
        yield ordered.slice(begin, end - begin)


def _calendar_grid(batch: pl.DataFrame) -> pl.DataFrame:
    """Every calendar day from a token's first to last row, by token and day; days without a row have null prices."""
    spans = batch.group_by(TOKEN, maintain_order=True).agg(
        pl.col("token_id").first(),
        start=pl.col("market_date").min(),
        end=pl.col("market_date").max(),
        first_date=pl.col("first_date").min(),
    )
    calendar_days = spans.select(((pl.col("end") - pl.col("start")).dt.total_days() + 1).sum()).item()
    if calendar_days == batch.height:
        return batch.select(*KEY, TOKEN, *DAILY_COLUMNS, pl.col("first_date").min().over(TOKEN))
    days = spans.with_columns(market_date=pl.date_ranges("start", "end")).explode("market_date")
    return days.select(*KEY, TOKEN, "first_date").join(
        batch.select(TOKEN, "market_date", *DAILY_COLUMNS), on=[TOKEN, "market_date"], how="left", maintain_order="left"
    )


def _with_prepared_columns(grid: pl.DataFrame, market: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that `feature.py` promises to expressions over prices."""
    log_price = pl.col("price_usd").log()
    return grid.with_columns(
        log_price=log_price,
        log_return=_clipped(log_price.diff().over(TOKEN)),
        log_volume=pl.when(pl.col("volume_24h_usd") > 0).then(pl.col("volume_24h_usd").log()),
        is_after_first=(pl.col(TOKEN).diff().fill_null(1) == 0).cast(pl.Float64),
        age_days=(pl.col("market_date") - pl.col("first_date")).dt.total_days(),
    ).join(market, on="market_date", how="left", maintain_order="left")


def _with_sparse_columns(prepared: pl.DataFrame, source: pl.DataFrame | None) -> pl.DataFrame:
    """The days of those tokens that a sparse source knows, with its columns; none where there is no source."""
    if source is None:
        return prepared.clear()
    rows = source.join(prepared.select("token_id").unique(), on="token_id", how="semi")
    columns = [name for name in (*FACT_COLUMNS, *ONCHAIN_COLUMNS) if name in rows.columns]
    return prepared.join(rows.select("token_id").unique(), on="token_id", how="semi", maintain_order="left").join(
        rows.select(*KEY, *columns), on=KEY, how="left", maintain_order="left"
    )


def _known(names: Sequence[str]) -> pl.Expr:
    """How many of some columns are not null."""
    return (pl.sum_horizontal(pl.col(list(names)).is_not_null()) if names else pl.lit(0)).cast(pl.UInt8)


def _share(count: str, of: int) -> pl.Expr:
    """A count as a share; null where there is nothing to count."""
    return (pl.col(count) / of if of else pl.lit(None)).cast(pl.Float32)
