"""Writes docs/results/replicas.md: indices rebuilt by published rules, held against the levels that were published.

Belongs here: the page and its figures. Does not: the rules (`models_ml/indices/definitions`), levels (`orchestration/lib/index_weeks.py`).

    python -m orchestration.replica_report WAREHOUSE ARCHIVE

WAREHOUSE is a built DuckDB file of real history, ARCHIVE the folder with index_levels.parquet and index_constituents.parquet. Published
levels are for checking only: no rule, member or weight is taken from them.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.intervals import bootstrap_interval
from models_ml.learning.evaluation.resampling import Counts
from orchestration.lib.metadata import markdown_table
from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "results" / "replicas.md"
NEW_YORK, NEW_YORK_CLOSE = ZoneInfo("America/New_York"), time(16)
BLOCK = {"daily": 30, "weekly": 8, "monthly": 3}
"""Mean length of a run in the resamples of returns: about a month or two."""


@dataclass(frozen=True)
class Comparison:
    """One published index over some years.

    Attributes:
        index_id: Our replica.
        published: The index_id of the published levels.
        first, last: Days compared, both included.
        asked: Least correlation by frequency.
        most_tracking_error: Largest annualised tracking error, or None.
    """

    index_id: str
    published: str
    first: date
    last: date
    asked: dict[str, float]
    most_tracking_error: float | None = None


def _years(index_id: str, published: str, years: Sequence[int], least: float) -> list[Comparison]:
    return [Comparison(index_id, published, date(year, 1, 1), date(year, 12, 31), {"daily": least}) for year in years]


COMPARISONS = (
    Comparison("cci30", "CCI30", date(2015, 1, 1), date(2017, 12, 31), {"daily": 0.94}),
    Comparison("cci30", "CCI30", date(2018, 1, 1), date(2020, 12, 16), {"daily": 0.985, "weekly": 0.997}, 0.13),
    *_years("cci30", "CCI30", (2018, 2019, 2020, 2021), 0.98),
    Comparison(
        "crix", "CRIX", date(2014, 7, 31), date(2021, 10, 31), {"daily": 0.97, "weekly": 0.99, "monthly": 0.995}
    ),
    Comparison("bitwise10", "BITWISE10", date(2018, 1, 1), date(2021, 6, 1), {"weekly": 0.985, "monthly": 0.99}),
    Comparison("bgci", "BGCI", date(2018, 1, 1), date(2021, 6, 1), {"weekly": 0.975}),
)

BAD_DAYS: dict[str, tuple[date, ...]] = {
    # A bad tick spoils its day and the next; a repeated level too.
    "CCI30": (
        date(2015, 4, 1),
        *(date(2019, 11, 30), date(2019, 12, 1)),
        *(date(2020, 5, 19), date(2020, 5, 20)),
        *(date(2020, 11, 2), date(2020, 11, 3)),
        *(date(2020, 12, 28), date(2020, 12, 29)),
        *(date(2017, 11, day) for day in range(1, 31)),
    ),
    "CRIX": (
        *(date(2015, 1, 28), date(2015, 1, 29)),
        *(date(2015, 8, 18), date(2015, 8, 19)),
        *(date(2017, 5, 16), date(2017, 5, 17)),
        *(date(2021, 6, 9), date(2021, 6, 10)),
    ),
}
"""Days on which the published levels themselves are wrong (shared methodologies, section 4), and November 2017 of the CCI30."""


def page(connection: duckdb.DuckDBPyConnection, archive: Path) -> str:
    """The page as Markdown.

    Args:
        connection: A built warehouse.
        archive: Folder of the published levels and constituents.
    """
    ours = connection.execute(
        "select index_id, date, level from indices.levels_current where level is not null order by index_id, date"
    ).pl()
    published = pl.read_parquet(archive / "index_levels.parquet").select(
        "index_id", pl.col("date").cast(pl.Date), pl.col("level").cast(pl.Float64)
    )
    compared = pl.concat(
        [compare(each, ours.filter(pl.col("index_id") == each.index_id), published) for each in COMPARISONS]
    )
    return "\n\n".join(
        [
            "# Replicas of published indices\n\nWritten by `make evaluate`, or `python -m orchestration.replica_report WAREHOUSE ARCHIVE`. "
            "Indices rebuilt from cleaned prices and market caps by their published rules, as every index here is: point in time, with "
            "no exception for any of them. Correlations are those of log returns with the levels their publishers printed; 95 % intervals "
            "resample runs of returns. `without_bad_days` leaves out the days on which the published levels are wrong: it flatters, and "
            "stands beside the other for that reason only. `asked` is what a replica must reach.",
            "## Correlation with the published levels\n\n" + markdown_table(compared),
            "Bitwise 10 and BGCI close at 16:00 New York time, our days at 24:00 UTC: their days compare badly whatever the members are, "
            "their weeks well.",
            "## Bitwise 10 at its own hour\n\n" + _at_new_york(connection, published),
            "## CCI30, members of 2022-02-01\n\n"
            + _members(connection, pl.read_parquet(archive / "index_constituents.parquet")),
        ]
    )


def compare(comparison: Comparison, ours: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """Correlations of a replica with published levels.

    Args:
        comparison: Which index and days.
        ours: date, level of the replica.
        published: index_id, date, level of the publishers.

    Returns:
        One row a frequency: replica, first, last, frequency, returns, correlation, low, high, without_bad_days, asked,
        tracking_error (annualised standard deviation of the difference of log returns; daily only) and most_tracking_error.
    """
    joined = (
        ours.select("date", ours="level")
        .join(published.filter(pl.col("index_id") == comparison.published).select("date", theirs="level"), on="date")
        .filter(pl.col("date").is_between(comparison.first, comparison.last))
        .sort("date")
    )
    bad = list(BAD_DAYS.get(comparison.published, ()))
    rows = []
    for frequency, every in (("daily", None), ("weekly", "1w"), ("monthly", "1mo")):
        if frequency not in comparison.asked and frequency != "daily":
            continue
        levels = joined
        if every is not None:
            levels = joined.group_by_dynamic("date", every=every).agg(pl.col("ours", "theirs").last())
        returns = levels.select("date", pl.col("ours", "theirs").log().diff()).drop_nulls()
        values = returns.select("ours", "theirs").to_numpy()
        interval = bootstrap_interval(correlation(values), len(values), block=BLOCK[frequency])
        good = returns.filter(~pl.col("date").is_in(bad)).select("ours", "theirs").to_numpy()
        is_daily = every is None
        difference = float(np.std(values[:, 0] - values[:, 1], ddof=1) * np.sqrt(DAYS_A_YEAR)) if is_daily else None
        rows.append(
            {
                "replica": comparison.index_id,
                "first": comparison.first,
                "last": comparison.last,
                "frequency": frequency,
                "returns": len(values),
                "correlation": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "without_bad_days": float(np.corrcoef(good.T)[0, 1]) if is_daily and bad else None,
                "asked": comparison.asked.get(frequency),
                "tracking_error": difference,
                "most_tracking_error": comparison.most_tracking_error if is_daily else None,
            }
        )
    return pl.DataFrame(
        rows, schema_overrides={"asked": pl.Float64, "without_bad_days": pl.Float64, "most_tracking_error": pl.Float64}
    )


def correlation(pairs: npt.NDArray[np.float64]) -> Callable[[Counts], npt.NDArray[np.float64]]:
    """Measure for `bootstrap_interval`: Pearson's correlation of two columns."""
    x, y = pairs[:, 0], pairs[:, 1]
    moments = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])

    def measure(counts: Counts) -> npt.NDArray[np.float64]:
        n, sx, sy, sxx, syy, sxy = (counts @ moments).T
        covariance = sxy / n - sx * sy / n**2
        spread = np.sqrt((sxx / n - (sx / n) ** 2) * (syy / n - (sy / n) ** 2))
        return np.asarray(covariance / spread, dtype=np.float64)

    return measure


def _at_new_york(connection: duckdb.DuckDBPyConnection, published: pl.DataFrame) -> str:
    """Holdings of our replica valued at 16:00 New York time, where hourly prices are known (2021 on)."""
    levels = published.filter(
        (pl.col("index_id") == "BITWISE10") & pl.col("date").is_between(date(2021, 1, 1), date(2021, 12, 31))
    ).sort("date")
    closes = hourly_closes(connection, levels["date"].to_list())
    valued = value_at(connection, "bitwise10", closes)
    if valued.height < BLOCK["daily"]:
        return f"Hourly prices of its constituents are known on {valued.height} of {levels.height} days: too few to compare."
    joined = valued.join(levels.select("date", theirs="level"), on="date").sort("date")
    values = joined.select(pl.col("return"), pl.col("theirs").log().diff()).drop_nulls().to_numpy()
    interval = bootstrap_interval(correlation(values), len(values), block=BLOCK["daily"])
    priced = joined.select(pl.col("priced_weight").mean()).item()
    return (
        f"The replica's holdings at 16:00 New York time, by hourly prices of Binance, on the {len(values)} business days of 2021 that were "
        f"published: correlation of daily log returns **{interval.estimate:.4f}** ({interval.low:.4f} to {interval.high:.4f}); asked 0.99. "
        f"Hourly prices are known for {priced:.1%} of the weight on average; the rest stands still."
    )


def hourly_closes(connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> pl.DataFrame:
    """Prices at 16:00 New York time: date, token_id, price_usd."""
    hours = [datetime.combine(day, NEW_YORK_CLOSE, NEW_YORK).astimezone(UTC).hour for day in days]
    asked = pl.DataFrame(
        {"date": days, "hour": [hour - 1 for hour in hours]}, schema={"date": pl.Date, "hour": pl.Int32}
    )
    connection.register("asked_hours", asked.to_arrow())
    try:
        return connection.execute(
            """
            select asked.date, ids.token_id, arg_max(prices.close_quote / prices.multiplier, prices.loaded_at) as price_usd
            from asked_hours as asked
            inner join staging.stg_binance__prices_hourly as prices on prices.market_date = asked.date and prices.hour = asked.hour
            inner join marts.dim_token_ids as ids on ids.kind = 'binance market' and ids.value = prices.market_id
                and (ids.valid_to is null or ids.valid_to > asked.date)
            group by asked.date, ids.token_id
            """
        ).pl()
    finally:
        connection.unregister("asked_hours")


def value_at(connection: duckdb.DuckDBPyConnection, index_id: str, closes: pl.DataFrame) -> pl.DataFrame:
    """Log returns of an index's holdings between the instants of `closes`, weights drifting with the daily levels.

    The holdings between two rebalances are units that never change, so the return from one instant to the next is that of the weights
    of the day before at these prices; a token without a price at either instant stands still.

    Returns:
        date, return, priced_weight (share of the weight with both prices).
    """
    weights = connection.execute(
        """
        with changes as (
            select effective_at::date as effective_date, token_id, target_weight
            from indices.rebalances_current where index_id = ? and target_weight > 0
        ), rebalances as (
            select effective_date, lead(effective_date) over (order by effective_date) as next_date
            from (select distinct effective_date from changes)
        )
        select changes.effective_date, rebalances.next_date, changes.token_id, changes.target_weight, bought.price_usd as bought_usd
        from changes
        inner join rebalances using (effective_date)
        inner join marts.fct_daily as bought on changes.token_id = bought.token_id and bought.market_date = changes.effective_date - 1
        """,
        [index_id],
    ).pl()
    days = sorted(closes["date"].unique())
    rows = []
    for before, day in pairwise(days):
        held = weights.filter(
            (pl.col("effective_date") <= before) & (pl.col("next_date").is_null() | (pl.col("next_date") > before))
        )
        if held.is_empty():
            continue
        prices = held.join(
            closes.filter(pl.col("date") == before).select("token_id", first="price_usd"), on="token_id", how="left"
        ).join(closes.filter(pl.col("date") == day).select("token_id", last="price_usd"), on="token_id", how="left")
        is_known = pl.col("first").is_not_null() & pl.col("last").is_not_null()
        units = pl.col("target_weight") / pl.col("bought_usd")
        sums = prices.select(
            first=pl.when(is_known).then(units * pl.col("first")).otherwise("target_weight").sum(),
            last=pl.when(is_known).then(units * pl.col("last")).otherwise("target_weight").sum(),
            known=pl.when(is_known).then(units * pl.col("first")).otherwise(0.0).sum(),
        ).row(0)
        rows.append((day, float(np.log(sums[1] / sums[0])), sums[2] / sums[0]))
    return pl.DataFrame(rows, schema={"date": pl.Date, "return": pl.Float64, "priced_weight": pl.Float64}, orient="row")


def _members(connection: duckdb.DuckDBPyConnection, constituents: pl.DataFrame) -> str:
    """Members and weights of the CCI30 of 2022-02-01 beside those published."""
    theirs = constituents.filter(pl.col("index_id") == "CCI30").select(
        name="asset_name", symbol=pl.col("asset").str.to_uppercase(), published="weight"
    )
    ours = connection.execute(
        """
        select targets.token_id, upper(targets.symbol) as symbol, list(ids.value) as names, any_value(targets.target_weight) as replica
        from indices.rebalances_current as targets
        left join marts.dim_token_ids as ids on targets.token_id = ids.token_id
        where targets.index_id = 'cci30' and targets.effective_at = '2022-02-01 00:00:00+00' and targets.target_weight > 0
        group by targets.token_id, targets.symbol
        """
    ).pl()
    # The list has the names CoinMarketCap gives: an id of one of our tokens, or else its symbol (LUNA has another one since).
    by_name = (
        ours.explode("names").join(theirs, left_on="names", right_on="name").select("token_id", found="symbol_right")
    )
    found = dict(by_name.iter_rows())
    ours = ours.select(
        symbol=pl.coalesce(pl.col("token_id").replace_strict(found, default=None), "symbol"), replica="replica"
    )
    theirs = theirs.drop("name")
    joined = theirs.join(ours, on="symbol", how="full", coalesce=True).sort(
        "published", "replica", "symbol", descending=[True, True, False], nulls_last=True
    )
    both = joined.drop_nulls()
    largest = both.select((pl.col("published") - pl.col("replica")).abs().max()).item()
    missing, extra = (joined.filter(pl.col(name).is_null())["symbol"].to_list() for name in ("replica", "published"))
    return (
        f"{both.height} of {theirs.height} members agree (asked: 26), largest difference of a weight {100 * (largest or 0):.2f} points "
        f"(asked: 1; published ones are rounded to 1). Not in the replica: {', '.join(missing) or 'none'}; only in the replica: "
        f"{', '.join(extra) or 'none'}.\n\n" + markdown_table(joined)
    )


def write_replica_page(warehouse: Path, archive: Path) -> None:
    """Write the page from a built warehouse."""
    with connect(warehouse, read_only=True) as connection:
        PAGE.write_text(page(connection, archive) + "\n")


def main(arguments: Sequence[str]) -> int:
    """Write the page; returns the exit code."""
    if len(arguments) != 2:
        print("usage: python -m orchestration.replica_report WAREHOUSE ARCHIVE", file=sys.stderr)
        return 2
    write_replica_page(Path(arguments[0]), Path(arguments[1]))
    print(PAGE.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
