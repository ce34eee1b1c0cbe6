"""What the engine may know of the market: prices by day and token, candidate snapshots, the state of Bitcoin.

Belongs here: the input contract and the fast price lookup. Every question names a day and is answered from that day or
earlier, so nothing later can reach a result.
Does not: where the frames come from (`orchestration/defs/indices`), which candidates are taken (`selection.py`).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.indices.errors import MarketDataError
from models_ml.indices.feature_rules import COLUMN_PREFIX

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

EPOCH = dt.date(1970, 1, 1)
NEVER = -(10**9)  # the last day with a price of a token that has had none
STALE_AFTER_DAYS = 3  # a price older than this counts as no price

PRICE_SCHEMA: dict[str, pl.DataType] = {
    "market_date": pl.Date(),
    "token_id": pl.String(),
    "price_usd": pl.Float64(),
}
CAP_SCHEMA: dict[str, pl.DataType] = {
    "market_date": pl.Date(),
    "token_id": pl.String(),
    "market_cap_usd": pl.Float64(),
}
CANDIDATE_SCHEMA: dict[str, pl.DataType] = {
    "token_id": pl.String(),
    "symbol": pl.String(),
    "sector": pl.String(),
    "is_stable": pl.Boolean(),
    "is_wrapped": pl.Boolean(),
    "is_fiat_backed": pl.Boolean(),
    "price_usd": pl.Float64(),
    "market_cap_usd": pl.Float64(),
    "volume_30d_median_usd": pl.Float64(),
    "age_days": pl.Int64(),
    "trader_grade": pl.Float64(),
    "score": pl.Float64(),
}
OPTIONAL_CANDIDATE_SCHEMA: dict[str, pl.DataType] = {
    "free_float_share": pl.Float64(),
    "signal": pl.Int64(),
    # Score of the model at the newest close before the snapshot's: the snapshot's own is known only after the index has traded.
    "prior_score": pl.Float64(),
}


@dataclass(frozen=True)
class MarketState:
    """Bitcoin at a close; an average is None while too few days are known, and then moves nothing into stables."""

    btc_price_usd: float | None
    btc_sma_100_usd: float | None = None
    btc_sma_200_usd: float | None = None


@dataclass(frozen=True)
class PriceBlock:
    """Closes of some tokens over consecutive days, the last known one where a day has none.

    `prices_usd` and `priced_on` have one row per day and one column per token; `numbers` are the days as `day_number`
    counts them, and `priced_on` is that of the close used. A token without any close so far has NaN and `NEVER`.
    """

    numbers: Integers
    prices_usd: Floats
    priced_on: Integers

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The day of each row."""
        return tuple(day_of(number) for number in self.numbers.tolist())

    def is_priced(self) -> Booleans:
        """Whether each close is at most `STALE_AFTER_DAYS` old."""
        return np.asarray(self.numbers[:, None] - self.priced_on <= STALE_AFTER_DAYS)


class PriceLookup:
    """Closes in the order of token and day, and which of them stands on each day: built once, then nothing is searched.

    A token has an entry for every day from its first close to its last, so memory grows with what was traded rather than
    with days times tokens, most of which never had a price together.
    """

    def __init__(self, prices: pl.DataFrame) -> None:
        """Index the closes.

        Args:
            prices: One row per token and day with `market_date`, `token_id`, `price_usd`; prices that are null, NaN,
                infinite, zero or negative count as no price.

        Raises:
            MarketDataError: A column is missing, or a token has two prices on one day.
        """
        rows = _with_schema(prices, PRICE_SCHEMA, what="prices")
        is_usable = pl.col("price_usd").is_finite() & (pl.col("price_usd") > 0)
        rows = rows.filter(is_usable).sort("token_id", "market_date")
        days: Integers = rows["market_date"].to_physical().cast(pl.Int64).to_numpy()
        runs = rows["token_id"].rle()
        token_ids = runs.struct.field("value").to_list()
        ends: Integers = runs.struct.field("len").cast(pl.Int64).cum_sum().to_numpy()
        starts = np.concatenate([[0], ends])[:-1].astype(np.int64)
        is_repeated = days[1:] == days[:-1]
        is_repeated[starts[1:] - 1] = False  # the first close of a token is not one of the token before
        if is_repeated.any():
            position = int(is_repeated.argmax())
            raise MarketDataError(
                f"prices: {rows['token_id'][position]} has more than one price on {rows['market_date'][position]}; "
                "pass one row per token and day"
            )
        # Last comes what stands for no close: of an unknown token, and of a day before the first one.
        self._days = np.append(days, NEVER)
        self._prices: Floats = np.append(rows["price_usd"].to_numpy(), np.nan)
        self._first_close = np.append(starts, len(days))
        self._first_day = np.append(days[starts], -NEVER)
        self._last_day = np.append(days[ends - 1], -NEVER)
        lengths = self._last_day - self._first_day + 1
        entries = np.cumsum(lengths) - lengths
        self._entry = entries - self._first_day  # of day 0, were there one: the entry of a day is that many further on
        self._nothing = int(entries[-1])
        self._close = np.zeros(self._nothing + 1, dtype=np.int32)
        numbers = np.repeat(np.arange(len(token_ids)), ends - starts)
        self._close[self._entry[numbers] + days] = np.arange(len(days), dtype=np.int32)
        self._close[-1] = len(days)
        # Closes are numbered in the order of their entries, so the newest one is the largest number so far.
        np.maximum.accumulate(self._close, out=self._close)
        self._number = dict(zip(token_ids, range(len(token_ids)), strict=True))

    def block(self, token_ids: Sequence[str], first: dt.date, last: dt.date) -> PriceBlock:
        """Closes of the days `first` to `last`, both included."""
        numbers = np.arange(day_number(first), day_number(last) + 1, dtype=np.int64)
        close = self._closes_on(self._numbers_of(token_ids), numbers[:, None])
        return PriceBlock(numbers, self._prices[close], self._days[close])

    def are_priced(self, token_ids: Sequence[str], day: dt.date) -> Booleans:
        """Whether each token has a close at most `STALE_AFTER_DAYS` old on `day`."""
        number = day_number(day)
        close = self._closes_on(self._numbers_of(token_ids), np.int64(number))
        return np.asarray(number - self._days[close] <= STALE_AFTER_DAYS)

    def closes_until(self, token_ids: Sequence[str], day: dt.date) -> Integers:
        """Number of closes each token has had up to `day`."""
        tokens = self._numbers_of(token_ids)
        close = self._closes_on(tokens, np.int64(day_number(day)))
        return np.where(close < len(self._days) - 1, close - self._first_close[tokens] + 1, 0)

    def last_priced(self, token_id: str, day: dt.date) -> dt.date | None:
        """Newest day up to `day` on which the token has a price."""
        token, number = self._number.get(token_id), day_number(day)
        if token is None or number < self._first_day[token]:
            return None
        close = self._close[self._entry[token] + min(number, self._last_day[token])]
        return day_of(self._days[close])

    def is_priced(self, token_id: str, day: dt.date) -> bool:
        """Whether the token has a close at most `STALE_AFTER_DAYS` old on `day`."""
        newest = self.last_priced(token_id, day)
        return newest is not None and (day - newest).days <= STALE_AFTER_DAYS

    def _numbers_of(self, token_ids: Sequence[str]) -> Integers:
        known, unknown = self._number, len(self._number)
        return np.array([known.get(token_id, unknown) for token_id in token_ids], dtype=np.int64)

    def _closes_on(self, tokens: Integers, days: Integers | np.int64) -> Integers:
        """Numbers of the newest closes of tokens up to days, broadcast."""
        entry = self._entry[tokens] + np.minimum(days, self._last_day[tokens])
        return np.asarray(self._close[np.where(days >= self._first_day[tokens], entry, self._nothing)])


@dataclass(frozen=True)
class MarketData:
    """Everything `advance` reads. Candidates are asked for at rebalances only, weekly for model-driven indices.

    Attributes:
        prices: One row per token and day (`PRICE_SCHEMA`); `price_usd` is the close of `market_date`, 24:00 UTC.
        candidates: The tokens known at the close of a day, one row each (`CANDIDATE_SCHEMA`, of
            `OPTIONAL_CANDIDATE_SCHEMA` what is known, columns of features as `feature_column` names them, any others ignored);
            `sector`, `is_stable`, `is_wrapped`, `is_fiat_backed`, `trader_grade`, `score` and any figure may be null; `signal` is the
            call of the week, -1 bearish, 0 neutral, 1 bullish.
        market_state: Bitcoin at the close of a day.
        market_caps: One row per token and day (`CAP_SCHEMA`), needed where a definition smooths market caps.
    """

    prices: pl.DataFrame
    candidates: Callable[[dt.date], pl.DataFrame]
    market_state: Callable[[dt.date], MarketState]
    market_caps: pl.DataFrame | None = None
    lookup: PriceLookup = field(init=False, repr=False, compare=False)
    _smoothed: dict[float, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)
    _snapshots: dict[tuple[dt.date, float], pl.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Build the lookup once; share one MarketData between indices and weeks."""
        object.__setattr__(self, "lookup", PriceLookup(self.prices))

    def snapshot(self, day: dt.date, *, half_life_days: float = 0.0) -> pl.DataFrame:
        """Candidates of a day with the columns of both schemas, optional ones null where not given, and of the features that are given.

        NaN counts as null, an infinite value of a feature too.

        Rows are ordered by market cap, largest first, then by token_id; those without one come last.

        Args:
            day: The day whose close is asked for.
            half_life_days: Half-life of the exponential average that stands in for the market cap; 0 for the day's own.

        Raises:
            MarketDataError: A column is missing, a token is there twice, or an average is asked for without `market_caps`.
        """
        key = (day, half_life_days)
        if key not in self._snapshots:  # many indices decide on the same closes
            rows = self._clean_candidates(day) if half_life_days == 0 else self._with_smoothed_caps(day, half_life_days)
            by_size = ["market_cap_usd", "token_id"]
            self._snapshots[key] = rows.sort(by_size, descending=[True, False], nulls_last=True)
        return self._snapshots[key]

    def _clean_candidates(self, day: dt.date) -> pl.DataFrame:
        given = self.candidates(day)
        absent = [pl.lit(None).alias(name) for name in OPTIONAL_CANDIDATE_SCHEMA if name not in given.columns]
        features = [name for name in given.columns if name.startswith(COLUMN_PREFIX)]
        schema = CANDIDATE_SCHEMA | OPTIONAL_CANDIDATE_SCHEMA | dict.fromkeys(features, pl.Float64())
        rows = _with_schema(given.with_columns(absent), schema, what=f"candidates of {day}")
        if rows["token_id"].is_duplicated().any():
            token_id = rows.filter(pl.col("token_id").is_duplicated())["token_id"][0]
            raise MarketDataError(f"candidates of {day}: {token_id} is there more than once; pass one row per token")
        return rows.with_columns(
            pl.col(pl.Float64).exclude(features).fill_nan(None),
            *(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in features),
            pl.col("symbol").fill_null(pl.col("token_id")),
            pl.col("is_stable", "is_wrapped", "is_fiat_backed").fill_null(value=False),
        )

    def _with_smoothed_caps(self, day: dt.date, half_life_days: float) -> pl.DataFrame:
        rows = self.snapshot(day)
        averages = self._smoothed_caps(half_life_days)
        start = averages["market_date"].search_sorted(day, "left")
        end = averages["market_date"].search_sorted(day, "right")
        of_day = averages.slice(start, end - start).drop("market_date")
        smoothed = pl.coalesce("smoothed", "market_cap_usd").alias("market_cap_usd")
        return (
            rows.join(of_day, on="token_id", how="left", maintain_order="left").with_columns(smoothed).drop("smoothed")
        )

    def _smoothed_caps(self, half_life_days: float) -> pl.DataFrame:
        """Averages of every token and day: token_id, market_date, smoothed, by day. The first cap of a token starts its average."""
        if self.market_caps is None:
            raise MarketDataError(
                "market caps are to be smoothed, but the market has no market_caps; pass them by day and token"
            )
        if half_life_days not in self._smoothed:
            caps = _with_schema(self.market_caps, CAP_SCHEMA, what="market caps").sort("token_id", "market_date")
            hours = f"{round(24 * half_life_days)}h"
            average = pl.col("market_cap_usd").ewm_mean_by(
                pl.col("market_date").cast(pl.Datetime("us")), half_life=hours
            )
            averages = caps.select("token_id", "market_date", smoothed=average.over("token_id"))
            self._smoothed[half_life_days] = averages.sort("market_date")
        return self._smoothed[half_life_days]


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01, as polars stores a date."""
    return (day - EPOCH).days


def day_of(number: int | np.int64) -> dt.date:
    """The date of a day number."""
    return EPOCH + dt.timedelta(days=int(number))


def _with_schema(rows: pl.DataFrame, schema: dict[str, pl.DataType], *, what: str) -> pl.DataFrame:
    missing = [column for column in schema if column not in rows.columns]
    if missing:
        raise MarketDataError(f"{what}: column {', '.join(missing)} is missing; needed are {', '.join(schema)}")
    try:
        return rows.select(pl.col(column).cast(dtype) for column, dtype in schema.items())
    except pl.exceptions.InvalidOperationError as error:
        raise MarketDataError(f"{what}: a column does not have its type ({error}); needed are {schema}") from error
