"""The landing datasets: columns, types, units, keys and row rules, each stated once.

Belongs here: what a landed row looks like and which rows are refused. Live adapters check the rules as polars
expressions, the bulk import as DuckDB SQL; both read the same predicates, so they cannot drift apart.
Does not: how a provider spells its fields (its own module), where files lie (`orchestration/lib/landing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Dtype = DataType | DataTypeClass

INSTANT: Final = pl.Datetime("us", "UTC")

COMMON_COLUMNS: Final[Mapping[str, Dtype]] = {
    "source": pl.String,
    "data_source": pl.String,
    "available_at": INSTANT,
    "loaded_at": INSTANT,
    "load_id": pl.String,
}
"""Carried by every landed row: provider, kind of run, when the fact was known, when and by which load it came."""

COMMON_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "source": "provider the row came from",
    "data_source": "simulated, archive or live",
    "available_at": "UTC instant the fact became known: end of market_date + lag; null for undated archive rows",
    "loaded_at": "UTC instant our load ended; of several loads of one key the newest counts",
    "load_id": "load that wrote the row; sorts by time",
}

QUARANTINE_COLUMNS: Final[Mapping[str, Dtype]] = {
    "source": pl.String,
    "dataset": pl.String,
    "data_source": pl.String,
    "reason": pl.String,
    "payload": pl.String,
    "loaded_at": INSTANT,
    "load_id": pl.String,
}
"""Of a quarantined record: where it was meant to go, why it was refused, and the record as JSON text."""

DATA_SOURCES: Final = ("simulated", "archive", "live")


class UnknownDatasetError(LookupError):
    """No dataset is registered under that source and name."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset.

    Attributes:
        dtype: Polars type of the landed column.
        unit: What one unit of the value is ("USD", "tokens", "UTC day"); empty for names and flags.
        description: What the value means.
        nullable: Whether a landed row may lack it.
    """

    dtype: Dtype
    unit: str
    description: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to refuse a row, and the SQL predicate (polars and DuckDB both read it) that is true for such rows."""

    reason: str
    predicate: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What one provider lands under one name.

    Attributes:
        source: Provider, the first folder of the landing layout.
        name: Dataset, the second folder.
        fields: Columns in landing order, without the common ones.
        key: Columns that identify a row; a second load of a key is a correction.
        description: Row grain and conventions, in words.
        rules: Reasons to refuse a row, the first that matches counts.
    """

    source: str
    name: str
    fields: Mapping[str, Column]
    key: tuple[str, ...]
    description: str
    rules: tuple[Rule, ...] = ()

    @property
    def label(self) -> str:
        """`source/name`, as messages and mapping files write it."""
        return f"{self.source}/{self.name}"

    @property
    def columns(self) -> dict[str, Dtype]:
        """Own columns and their polars types, in landing order."""
        return {name: column.dtype for name, column in self.fields.items()}

    @property
    def landed_columns(self) -> dict[str, Dtype]:
        """Own and common columns, as the landed file has them."""
        return {**self.columns, **COMMON_COLUMNS}

    @property
    def units(self) -> dict[str, str]:
        """Unit of every own column."""
        return {name: column.unit for name, column in self.fields.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that may not be null."""
        return tuple(name for name, column in self.fields.items() if not column.nullable)

    @property
    def values(self) -> tuple[str, ...]:
        """Columns outside the key: a row is a correction when one of them differs from the load before."""
        return tuple(name for name in self.fields if name not in self.key)

    @property
    def is_dated(self) -> bool:
        """Whether rows belong to a `market_date`; reference tables do not."""
        return "market_date" in self.fields

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules every dataset has (no required value missing), then its own."""
        missing = (Rule(f"{name} is missing or not readable", f"{name} IS NULL") for name in self.required)
        return (*missing, *self.rules)

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the dataset's own columns."""
        return pl.DataFrame(schema=self.columns)


def not_above_zero(columns: Iterable[str]) -> Rule:
    """Refuse rows in which a price is zero or negative: no provider means it, it stands for missing."""
    names = tuple(columns)
    return Rule(f"{' or '.join(names)} is not above zero", " OR ".join(f"{name} <= 0" for name in names))


def below_zero(columns: Iterable[str]) -> Rule:
    """Refuse rows in which a volume, cap or supply is negative."""
    names = tuple(columns)
    return Rule(f"{' or '.join(names)} is negative", " OR ".join(f"{name} < 0" for name in names))


MARKET_DATE = Column(pl.Date, "UTC day", "day at whose close (24:00 UTC) the values hold")
OBSERVED_AT = Column(INSTANT, "UTC instant", "when the provider last updated the quote")

CANDLE_FIELDS: Final[Mapping[str, Column]] = {
    "market_id": Column(pl.String, "", "market as the source names it, BTC/USDT; for coinmarketcap the slug"),
    "symbol": Column(pl.String, "", "ticker, upper case; null where the source has none to trust", nullable=True),
    "quote": Column(pl.String, "", "currency that prices are in, upper case: USDT, USD"),
    "name": Column(pl.String, "", "full name of the base token", nullable=True),
    "market_date": MARKET_DATE,
    "open_quote": Column(pl.Float64, "quote per token", "first price of the day"),
    "high_quote": Column(pl.Float64, "quote per token", "highest price of the day"),
    "low_quote": Column(pl.Float64, "quote per token", "lowest price of the day"),
    "close_quote": Column(pl.Float64, "quote per token", "last price of the day"),
    "volume_base": Column(pl.Float64, "tokens per day", "traded in units of the base token", nullable=True),
    "volume_quote": Column(pl.Float64, "quote per day", "traded in units of the quote currency", nullable=True),
    "market_cap_usd": Column(
        pl.Float64, "USD", "market capitalisation at the close; unknown is null, never 0", nullable=True
    ),
}

ONE_NANO_ABOVE, ONE_NANO_BELOW = "1.000000001", "0.999999999"  # 1e-9 relative: the last digit of rounded text feeds

CANDLE_RULES: Final = (
    not_above_zero(("open_quote", "high_quote", "low_quote", "close_quote")),
    Rule("high_quote is below low_quote", "high_quote < low_quote"),
    Rule(
        "close_quote is outside [low_quote, high_quote]",
        f"close_quote > high_quote * {ONE_NANO_ABOVE} OR close_quote < low_quote * {ONE_NANO_BELOW}",
    ),
    below_zero(("volume_base", "volume_quote", "market_cap_usd")),
)


def _candles(source: str, description: str) -> Dataset:
    return Dataset(
        source=source,
        name="candles_daily",
        fields=CANDLE_FIELDS,
        key=("market_id", "market_date"),
        description=f"One row per market and finished UTC day. {description}",
        rules=CANDLE_RULES,
    )


_TICKERS = Dataset(
    source="binance",
    name="tickers",
    fields={
        "market_id": CANDLE_FIELDS["market_id"],
        "symbol": CANDLE_FIELDS["symbol"],
        "quote": CANDLE_FIELDS["quote"],
        "market_date": Column(pl.Date, "UTC day", "last finished day when the quote was read"),
        "observed_at": OBSERVED_AT,
        "last_quote": Column(pl.Float64, "quote per token", "last traded price"),
        "bid_quote": Column(pl.Float64, "quote per token", "best bid; null when the book is empty", nullable=True),
        "ask_quote": Column(pl.Float64, "quote per token", "best ask; null when the book is empty", nullable=True),
        "volume_base": Column(pl.Float64, "tokens per 24 h", "traded over the rolling day, base units", nullable=True),
        "volume_quote": Column(pl.Float64, "quote per 24 h", "traded over the rolling day, quote units", nullable=True),
    },
    key=("market_id", "market_date"),
    description="One row per market and day: the rolling 24 hours at the time of reading, for spreads and liquidity.",
    rules=(not_above_zero(("last_quote",)), below_zero(("bid_quote", "ask_quote", "volume_base", "volume_quote"))),
)

COIN_ID = Column(pl.String, "", "CoinGecko id, assigned once, the token's identity where there is one")
COIN_SYMBOL = Column(pl.String, "", "ticker, lower case; shared by several coins, never a join key", nullable=True)
MARKET_CAP = Column(pl.Float64, "USD", "market capitalisation; the provider's 0 (unknown) is null here", nullable=True)
VOLUME_24H = Column(pl.Float64, "USD per 24 h", "traded over the rolling day up to the close", nullable=True)

_MARKET_DAILY = Dataset(
    source="coingecko",
    name="market_daily",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "market_date": Column(pl.Date, "UTC day", "day of the close: a point at 00:00 UTC of D closes D - 1"),
        "price_usd": Column(pl.Float64, "USD per token", "volume-weighted price over exchanges at the close"),
        "market_cap_usd": MARKET_CAP,
        "volume_24h_usd": VOLUME_24H,
    },
    key=("coin_id", "market_date"),
    description="One row per coin and day.",
    rules=(not_above_zero(("price_usd",)), below_zero(("market_cap_usd", "volume_24h_usd"))),
)

_SUPPLIES = ("circulating_supply_tokens", "total_supply_tokens", "max_supply_tokens")

_MARKETS = Dataset(
    source="coingecko",
    name="markets",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "name": Column(pl.String, "", "full name", nullable=True),
        "market_date": Column(pl.Date, "UTC day", "last finished day when the row was read"),
        "observed_at": OBSERVED_AT,
        "price_usd": Column(pl.Float64, "USD per token", "price when last updated"),
        "market_cap_usd": MARKET_CAP,
        "volume_24h_usd": VOLUME_24H,
        "circulating_supply_tokens": Column(pl.Float64, "tokens", "in circulation", nullable=True),
        "total_supply_tokens": Column(pl.Float64, "tokens", "minted less burned", nullable=True),
        "max_supply_tokens": Column(
            pl.Float64, "tokens", "ever to exist; null where unlimited or unknown", nullable=True
        ),
    },
    key=("coin_id", "market_date"),
    description="One row per coin and day: the snapshot of all coins, for universe and supply.",
    rules=(not_above_zero(("price_usd",)), below_zero(("market_cap_usd", "volume_24h_usd", *_SUPPLIES))),
)

_ASSETS = Dataset(
    source="coingecko",
    name="assets",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "name": Column(pl.String, "", "full name", nullable=True),
        "platform": Column(pl.String, "", "chain that issues it; null for coins of their own chain", nullable=True),
        "genesis_date": Column(pl.Date, "UTC day", "first block, where stated", nullable=True),
        "homepage": Column(pl.String, "", "address of the project", nullable=True),
        "github_repos": Column(pl.String, "", "JSON list of repository addresses", nullable=True),
        "is_stablecoin": Column(pl.Boolean, "", "pegged to a currency; null = not said", nullable=True),
        "is_wrapped": Column(pl.Boolean, "", "wraps or bridges another token; null = not said", nullable=True),
        "is_native": Column(pl.Boolean, "", "has a chain of its own; null = not said", nullable=True),
    },
    key=("coin_id",),
    description="One row per coin: metadata of no date, so knowledge of later days; marked hindsight downstream.",
)

_ASSET_CATEGORIES = Dataset(
    source="coingecko",
    name="asset_categories",
    fields={
        "coin_id": COIN_ID,
        "category_id": Column(pl.String, "", "id in addresses; null where only the name is known", nullable=True),
        "category_name": Column(pl.String, "", "display name"),
    },
    key=("coin_id", "category_name"),
    description="One row per coin and category it sits in, of no date; marked hindsight downstream.",
)

NEVER_NEGATIVE_METRICS: Final = "'Adr', 'Blk', 'Cap', 'Fee', 'Pri', 'Spl', 'TxC', 'TxT', 'vol'"

_ASSET_METRICS = Dataset(
    source="coinmetrics",
    name="asset_metrics",
    fields={
        "asset": Column(pl.String, "", "Coin Metrics ticker, lower case"),
        "market_date": MARKET_DATE,
        "metric": Column(pl.String, "", "Coin Metrics metric name, e.g. AdrActCnt"),
        "value": Column(pl.Float64, "unit of the metric", "measured value; a missing measurement has no row, never 0"),
        "status": Column(pl.String, "", "flash = provisional, reviewed; null where not stated", nullable=True),
        "feed": Column(pl.String, "", "which import, or community for the live API; never sum over feeds"),
    },
    key=("feed", "asset", "market_date", "metric"),
    description="One row per feed, token, day and metric.",
    rules=(
        Rule(
            "value is negative for a metric that counts",
            f"value < 0 AND substr(metric, 1, 3) IN ({NEVER_NEGATIVE_METRICS})",
        ),
        Rule("PriceUSD is not above zero", "metric = 'PriceUSD' AND value <= 0"),
    ),
)

_FEAR_GREED = Dataset(
    source="alternative_me",
    name="fear_greed",
    fields={
        "market_date": Column(pl.Date, "UTC day", "the day the value is stamped with"),
        "value": Column(pl.Int64, "points, 0-100", "0 = extreme fear, 100 = extreme greed"),
        "classification": Column(pl.String, "", "the provider's word for the value", nullable=True),
    },
    key=("market_date",),
    description="One row per day, for the whole market.",
    rules=(Rule("value is outside 0-100", "value < 0 OR value > 100"),),
)

_MARKET_CAP_SNAPSHOTS = Dataset(
    source="coinmarketcap",
    name="market_cap_snapshots",
    fields={
        "rank": Column(pl.Int64, "position", "1 = largest market cap"),
        "name": Column(pl.String, "", "full name"),
        "symbol": Column(pl.String, "", "ticker as delivered"),
        "market_date": MARKET_DATE,
        "price_usd": Column(
            pl.Float64, "USD per token", "close; null where rounding to 8 decimals left 0", nullable=True
        ),
        "market_cap_usd": Column(pl.Float64, "USD", "market capitalisation at the close"),
        "volume_24h_usd": VOLUME_24H,
        "circulating_supply_tokens": Column(pl.Float64, "tokens", "in circulation", nullable=True),
    },
    key=("name", "symbol", "market_date"),
    description="One row per token and snapshot day: the top 200 as they stood, dead ones included.",
    rules=(
        not_above_zero(("market_cap_usd",)),
        below_zero(("price_usd", "volume_24h_usd", "circulating_supply_tokens")),
        Rule("rank is below 1", "rank < 1"),
    ),
)

DATASETS: Final[Mapping[tuple[str, str], Dataset]] = {
    (entry.source, entry.name): entry
    for entry in (
        _candles("binance", "Spot markets; volume_quote is exact."),
        _candles("coinbase", "Spot markets against USD."),
        _candles("coinmarketcap", "Averages over exchanges in USD; volume_quote is the rolling 24 h volume in USD."),
        _TICKERS,
        _MARKET_DAILY,
        _MARKETS,
        _ASSETS,
        _ASSET_CATEGORIES,
        _ASSET_METRICS,
        _FEAR_GREED,
        _MARKET_CAP_SNAPSHOTS,
    )
}


def find_dataset(source: str, name: str) -> Dataset:
    """Look a dataset up.

    Raises:
        UnknownDatasetError: It is not registered; the message lists those that are.
    """
    try:
        return DATASETS[source, name]
    except KeyError:
        known = ", ".join(sorted(entry.label for entry in DATASETS.values()))
        raise UnknownDatasetError(f"no dataset {source}/{name}; registered are: {known}") from None
