"""Answers that contradict what has landed: a provider that lies says of most tokens at once what cannot be true of so many.

    prices off        a tenth of the tokens stand over three times away from their last landed price or cap, as under another unit or
                      with names and values mixed up; then whatever else moved by a tenth is not believed either
    repeated days     half of the tokens have price and volume of a day exactly as on the day before, as when yesterday's data are given
                      out as today's
    swapped           two tokens each stand where the other one stood

Eleven years of real closes from five sources have no day on which over a twentieth of twenty tokens moved three-fold; the one on which
over two fifths of them repeated the day before (CoinGecko, 2019-10-02: 107 of 164) is of the kind that is meant.

Belongs here: which rows of an answer are in doubt, and what many doubts together mean. Does not: landing and quarantine
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

MOVED: Final = math.log(1.1)
"""Least distance of one that is believed only if its load is: a mix-up of names sets most tokens far from where they stood, not all."""

LOOK_BACK: Final = timedelta(days=30)
"""A price is compared with one landed at most so long before; after a longer absence a lie would pass."""

FEWEST: Final = 5
"""Tokens in doubt, below which they are left to the screens of the warehouse."""

FAR_SHARE: Final = 0.1
REPEATED_SHARE: Final = 0.5
"""Of the tokens that could be compared, the share in doubt from which on nothing in doubt is believed."""

ALIKE: Final = math.log(1.3)
"""Distance within which a token stands where another one stood."""

PRICES_OFF: Final = "stands far from what had landed, as do a tenth of the load and more"
REPEATED_DAY: Final = "repeats the day before, as does half of the load and more"
SWAPPED: Final = "stands where another token stood, and that one where it did"
REFUTED: Final = frozenset({PRICES_OFF, REPEATED_DAY, SWAPPED})
"""Reasons of quarantine: no rule on the row alone is broken, so no replay can find it right."""


@dataclass(frozen=True)
class PriceColumns:
    """The columns of a dataset of prices by token and day.

    Attributes:
        entity: What the price is of.
        price: The price.
        volume: What was traded.
        cap: Market cap, None where the dataset has none.
    """

    entity: str
    price: str
    volume: str
    cap: str | None = None


PRICE_COLUMNS: Final[Mapping[str, PriceColumns]] = {
    "market_daily": PriceColumns("coin_id", "price_usd", "volume_24h_usd", "market_cap_usd"),
    "candles_daily": PriceColumns("market_id", "close_quote", "volume_base"),
    "pool_candles": PriceColumns("pool_id", "close_usd", "volume_usd"),
    # The "price" of a category is what all its coins are worth.
    "category_daily": PriceColumns("category_id", "market_cap_usd", "volume_24h_usd"),
}
"""By name of dataset."""


@dataclass(frozen=True)
class Doubted:
    """What of an answer is in doubt.

    Attributes:
        sure: Rows that are not.
        doubted: The others: of each token all rows from its first doubtful day on, with `__kind` (`far` or `repeated` where a day is, else
            `moved`) and, of the first far or repeated one, `__price` and `__known_price` (null in the others).
        compared: Tokens that could be compared with what had landed.
    """

    sure: pl.DataFrame
    doubted: pl.DataFrame
    compared: frozenset[str]


def doubt(dataset: Dataset, frame: pl.DataFrame, known: pl.DataFrame) -> Doubted:
    """Part an answer into what agrees with what has landed and what does not.

    Args:
        dataset: One of `PRICE_COLUMNS`.
        frame: Rows of the answer in the dataset's columns, one per token and day.
        known: Newest landed rows of the same tokens from `LOOK_BACK` before the answer's first day on.
    """
    columns = PRICE_COLUMNS[dataset.name]
    entity, price, volume = columns.entity, columns.price, columns.volume
    values = [name for name in (price, volume, columns.cap) if name]
    landed = known.filter(pl.col(price) > 0).select(entity, "market_date", *values)
    entities = landed.select(entity).unique()
    answered = frame.filter(pl.col(price) > 0).join(entities, on=entity, how="semi")
    if answered.is_empty():
        return Doubted(frame, _none_doubted(frame), frozenset())
    answer = answered.select(entity, "market_date", *values)
    # What was believed until then: of a day that is told again what landed, else what the answer itself says.
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
    is_comparable = is_told | (gap <= LOOK_BACK)

    def is_beyond(distance: float) -> pl.Expr:
        prices = [_is_beyond(distance, pl.col(name), reference[name]) for name in (price, columns.cap) if name]
        return (pl.any_horizontal(prices) & is_comparable).fill_null(value=False)

    judged = judged.with_columns(
        is_beyond(FAR).alias("__is_far"),
        is_beyond(MOVED).alias("__is_moved"),
        (
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
        .fill_null(value=False)
        .alias("__is_repeated"),
        reference[price].alias("__known_price"),
    )
    serious = (
        judged.filter(pl.col("__is_far") | pl.col("__is_repeated"))
        .sort("market_date")
        .group_by(entity, maintain_order=True)
        .first()
        .select(
            entity,
            pl.col("market_date").alias("__at"),
            pl.when("__is_far").then(pl.lit("far")).otherwise(pl.lit("repeated")).alias("__kind"),
            pl.col(price).alias("__price"),
            "__known_price",
        )
    )
    first = (
        judged.filter(pl.col("__is_moved") | pl.col("__is_repeated"))
        .group_by(entity)
        .agg(pl.col("market_date").min().alias("__from"))
        .join(serious, on=entity, how="left")
        .with_columns(pl.col("__kind").fill_null("moved"))
    )
    parted = frame.join(first, on=entity, how="left", maintain_order="left")
    is_doubted = (pl.col("market_date") >= pl.col("__from")).fill_null(value=False)
    is_serious = (pl.col("market_date") == pl.col("__at")).fill_null(value=False)
    return Doubted(
        parted.filter(~is_doubted).select(frame.columns),
        parted.filter(is_doubted).select(
            *frame.columns,
            "__kind",
            *(pl.when(is_serious).then(name).alias(name) for name in ("__price", "__known_price")),
        ),
        frozenset(answered[entity].unique().to_list()),
    )


def verdict(dataset: Dataset, doubted: pl.DataFrame, *, compared: int) -> pl.DataFrame:
    """Judge the doubts of a whole load together.

    Args:
        dataset: One of `PRICE_COLUMNS`.
        doubted: As in `Doubted`, of all answers of the load.
        compared: Tokens of the load that could be compared.

    Returns:
        The rows with `__reason`: why the row is refused, null where it is believed after all.
    """
    entity = PRICE_COLUMNS[dataset.name].entity
    count = {
        str(kind): number for kind, number in doubted.group_by("__kind").agg(pl.col(entity).n_unique()).iter_rows()
    }
    reasons = {
        kind: reason
        for kind, share, reason in (("far", FAR_SHARE, PRICES_OFF), ("repeated", REPEATED_SHARE, REPEATED_DAY))
        if count.get(kind, 0) >= max(FEWEST, share * compared)
    }
    if "far" in reasons:
        reasons["moved"] = PRICES_OFF
    swapped = [] if "far" in reasons else _swapped(doubted, entity=entity)
    return doubted.with_columns(
        pl.when(pl.col(entity).is_in(swapped))
        .then(pl.lit(SWAPPED))
        .otherwise(pl.col("__kind").replace_strict(reasons, default=None, return_dtype=pl.String))
        .alias("__reason")
    )


def _is_beyond(distance: float, value: pl.Expr, reference: pl.Expr) -> pl.Expr:
    """Whether two positive numbers lie further apart than a distance (log ratio); false where one is missing."""
    both = (value > 0) & (reference > 0)
    return (both & ((value / reference).log().abs() > distance)).fill_null(value=False)


def _swapped(doubted: pl.DataFrame, *, entity: str) -> list[str]:
    """Tokens whose price is another's last one, whose price is theirs."""
    moved = doubted.filter((pl.col("__kind") == "far") & pl.col("__known_price").is_not_null()).select(
        entity, now=pl.col("__price").log(), then=pl.col("__known_price").log()
    )
    pairs = moved.join(moved, how="cross", suffix="_other").filter(
        (pl.col(entity) != pl.col(f"{entity}_other"))
        & ((pl.col("now") - pl.col("then_other")).abs() <= ALIKE)
        & ((pl.col("now_other") - pl.col("then")).abs() <= ALIKE)
        & ((pl.col("now") - pl.col("then")).abs() > FAR)
    )
    return sorted(pairs[entity].unique().to_list())


def _none_doubted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.clear().with_columns(
        pl.lit(None, pl.String).alias("__kind"),
        pl.lit(None, pl.Float64).alias("__price"),
        pl.lit(None, pl.Float64).alias("__known_price"),
    )
