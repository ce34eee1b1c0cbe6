"""Loads that contradict what has landed: a provider that lies says of most tokens at once what cannot be true of so many.

    prices off        on one day a tenth of the tokens (half of the pools) stand over three times away from where they stood before, in
                      price or cap, as under another unit or with names and values mixed up
    repeated days     on one day half of the tokens have price and volume exactly as on the day before, as when yesterday's data are
                      given out as today's
    swapped           two tokens each stand where the other one stood

The first two refute the load: nothing in it is believed from such a day on, for a mix-up of names leaves tokens that stood close
within what a day can bring. The third refutes the two tokens.

Eleven years of real closes from five sources have no day on which over a twentieth of twenty tokens moved three-fold; the one on which
over two fifths of them repeated the day before (CoinGecko, 2019-10-02: 107 of 164) is of the kind that is meant.

Belongs here: which rows of a load are in doubt, and what many doubts together mean. Does not: landing and quarantine
(`ingestion.py`), rules on single rows (`sources/validation.py`), single bad ticks (the warehouse screens them by what was known then).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from orchestration.sources.datasets import Dataset

FAR: Final = math.log(3.0)
"""Least distance (log ratio) between a price or cap and the last landed one that puts it in doubt."""

LOOK_BACK: Final = timedelta(days=30)
"""A price is compared with one landed at most so long before; after a longer absence a lie would pass."""

FEWEST: Final = 5
"""Tokens in doubt on a day, below which they are left to the screens of the warehouse."""

REPEATED_SHARE: Final = 0.5
"""Of the tokens of a day that could be compared, the share that repeats the day before from which on the load is not believed."""

ALIKE: Final = math.log(1.3)
"""Distance within which a token stands where another one stood."""

PRICES_OFF: Final = "came with a day on which too many at once stand far from what had landed"
REPEATED_DAY: Final = "came with a day on which half of the load repeats the day before"
SWAPPED: Final = "stands where another token stood, and that one where it did"
REFUTED: Final = frozenset(
    {
        *(PRICES_OFF, REPEATED_DAY, SWAPPED),
        # As folders of before say it.
        "stands far from what had landed, as do a tenth of the load and more",
        "repeats the day before, as does half of the load and more",
    }
)
"""Reasons of quarantine: no rule on the row alone is broken, so no replay can find it right."""


@dataclass(frozen=True)
class PriceColumns:
    """The columns of a dataset of prices by token and day.

    Attributes:
        entity: What the price is of.
        price: The price.
        volume: What was traded.
        cap: Market cap, None where the dataset has none.
        far_share: Of the tokens of a day that could be compared, the share that stands far off from which on the load is not believed.
    """

    entity: str
    price: str
    volume: str
    cap: str | None = None
    far_share: float = 0.1


PRICE_COLUMNS: Final[Mapping[str, PriceColumns]] = {
    "market_daily": PriceColumns("coin_id", "price_usd", "volume_24h_usd", "market_cap_usd"),
    "candles_daily": PriceColumns("market_id", "close_quote", "volume_base"),
    # Of young pools a tenth may well lose all in a day, and those are not to be left out.
    "pool_candles": PriceColumns("pool_id", "close_usd", "volume_usd", far_share=0.5),
    # The "price" of a category is what all its coins are worth.
    "category_daily": PriceColumns("category_id", "market_cap_usd", "volume_24h_usd"),
}
"""By name of dataset."""


@dataclass(frozen=True)
class Verdict:
    """What a load is worth.

    Attributes:
        rows: Its rows with `__reason`: why the row is refused, null where it is believed.
        compared: Tokens that could be compared with what had landed.
    """

    rows: pl.DataFrame
    compared: int

    @property
    def refuted(self) -> pl.DataFrame:
        """The rows that are refused."""
        return self.rows.filter(pl.col("__reason").is_not_null())

    @property
    def believed(self) -> pl.DataFrame:
        """The others, in the dataset's columns."""
        return self.rows.filter(pl.col("__reason").is_null()).drop("__reason")


def judge(dataset: Dataset, frame: pl.DataFrame, known: pl.DataFrame) -> Verdict:
    """Hold a load against what has landed.

    Args:
        dataset: One of `PRICE_COLUMNS`.
        frame: Rows of the load in the dataset's columns, one per token and day.
        known: Newest landed rows of the dataset from `LOOK_BACK` before the load's first day on.
    """
    columns = PRICE_COLUMNS[dataset.name]
    entity = columns.entity
    compared = _compared(columns, frame, known)
    number = compared[entity].n_unique()
    days = compared.group_by("market_date").agg(
        pl.len().alias("tokens"), pl.col("__is_far").sum(), pl.col("__is_repeated").sum()
    )
    refuting = [
        (day, reason)
        for doubt, share, reason in (
            ("__is_far", columns.far_share, PRICES_OFF),
            ("__is_repeated", REPEATED_SHARE, REPEATED_DAY),
        )
        for day in days.filter(pl.col(doubt) >= pl.max_horizontal(FEWEST, share * pl.col("tokens")))["market_date"]
    ]
    if refuting:
        first, reason = min(refuting)
        return Verdict(frame.with_columns(_reason(pl.col("market_date") >= first, reason)), number)
    swapped = _swapped(compared, entity=entity).select(entity, __from="market_date")
    is_refuted = (pl.col("market_date") >= pl.col("__from")).fill_null(value=False)
    parted = frame.join(swapped, on=entity, how="left", maintain_order="left")
    return Verdict(parted.with_columns(_reason(is_refuted, SWAPPED)).drop("__from"), number)


def _reason(is_refuted: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(is_refuted).then(pl.lit(reason)).otherwise(pl.lit(None, pl.String)).alias("__reason")


def _compared(columns: PriceColumns, frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows of a load that can be held against an earlier one: whether each is far, or repeats it, `__price` and `__known_price`."""
    entity, price, volume = columns.entity, columns.price, columns.volume
    values = [name for name in (price, volume, columns.cap) if name]
    landed = known.filter(pl.col(price) > 0).select(entity, "market_date", *values)
    answer = (
        frame.filter(pl.col(price) > 0)
        .join(landed.select(entity).unique(), on=entity, how="semi")
        .select(entity, "market_date", *values)
    )
    # What was believed until then: of a day that is told again what landed, else what the load itself says.
    believed = pl.concat([landed, answer.join(landed, on=[entity, "market_date"], how="anti")]).sort(
        entity, "market_date"
    )
    before = believed.with_columns(
        pl.col(name).shift(1).over(entity).alias(f"__{name}") for name in ("market_date", *values)
    ).select(entity, "market_date", *(f"__{name}" for name in ("market_date", *values)))
    told = landed.rename({name: f"__told_{name}" for name in values})
    judged = answer.join(before, on=[entity, "market_date"], how="left").join(
        told, on=[entity, "market_date"], how="left"
    )
    gap = pl.col("market_date") - pl.col("__market_date")
    is_told = pl.col(f"__told_{price}").is_not_null()
    reference = {name: pl.when(is_told).then(f"__told_{name}").otherwise(f"__{name}") for name in values}
    is_repeated = (
        (gap == timedelta(days=1))
        & (pl.col(price) == pl.col(f"__{price}"))
        & (pl.col(volume) == pl.col(f"__{volume}"))
        & (pl.col(volume) > 0)
        # Told as it was told before is no news.
        & ~(
            is_told
            & (pl.col(price) == pl.col(f"__told_{price}"))
            & pl.col(volume).eq_missing(pl.col(f"__told_{volume}"))
        )
    )
    is_far = pl.any_horizontal(_is_far(pl.col(name), reference[name]) for name in (price, columns.cap) if name)
    return judged.filter(is_told | (gap <= LOOK_BACK)).select(
        entity,
        "market_date",
        is_far.alias("__is_far"),
        is_repeated.fill_null(value=False).alias("__is_repeated"),
        pl.col(price).alias("__price"),
        reference[price].alias("__known_price"),
    )


def _is_far(value: pl.Expr, reference: pl.Expr) -> pl.Expr:
    """Whether two positive numbers lie further apart than `FAR`; false where one is missing."""
    both = (value > 0) & (reference > 0)
    return (both & ((value / reference).log().abs() > FAR)).fill_null(value=False)


def _swapped(compared: pl.DataFrame, *, entity: str) -> pl.DataFrame:
    """Of the tokens' first far days those on which its price is another's last one, whose price is its own."""
    far = compared.filter("__is_far").sort("market_date").group_by(entity, maintain_order=True).first()
    moved = far.select(entity, now=pl.col("__price").log(), then=pl.col("__known_price").log())
    pairs = moved.join(moved, how="cross", suffix="_other").filter(
        (pl.col(entity) != pl.col(f"{entity}_other"))
        & ((pl.col("now") - pl.col("then_other")).abs() <= ALIKE)
        & ((pl.col("now_other") - pl.col("then")).abs() <= ALIKE)
        & ((pl.col("now") - pl.col("then")).abs() > FAR)
    )
    return far.join(pairs.select(entity).unique(), on=entity, how="semi")
