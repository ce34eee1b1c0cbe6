"""State of an index between weeks, and how it is rebuilt from the rows that were published.

Belongs here: the published tables' columns, and the little that the next week needs from them.
Does not: computing a week (`engine.py`).

Units are not published: they follow from target weights, the level at which they were bought and that day's prices.
So the state begins at the last rebalance whose level is known, keeps the later ones (made while the index was
unavailable, or still pending), and forgets all before. A published week is never needed again to continue, and never
rewritten when prices before it are corrected.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import StateError
from models_ml.indices.reasons import is_rotation

ONE_DAY = dt.timedelta(days=1)
SAME_SHARE = 1e-9

REBALANCE_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "effective_at": pl.Datetime("us", "UTC"),
    "token_id": pl.String(),
    "symbol": pl.String(),
    "target_weight": pl.Float64(),
    "reason": pl.String(),
}
RebalanceRow = tuple[str, dt.datetime, str, str, float, str]  # in the order of REBALANCE_SCHEMA
LEVEL_SCHEMA: dict[str, pl.DataType] = {"date": pl.Date(), "index_id": pl.String(), "level": pl.Float64()}
COMPOSITION_SCHEMA: dict[str, pl.DataType] = {
    "as_of_week": pl.Date(),
    "index_id": pl.String(),
    "token_id": pl.String(),
    "symbol": pl.String(),
    "weight": pl.Float64(),
    "weight_change": pl.Float64(),
    "reason": pl.String(),
}


@dataclass(frozen=True)
class Holding:
    """One token as held when the decision is made."""

    token_id: str
    symbol: str
    weight: float
    is_rotation: bool


@dataclass(frozen=True)
class Target:
    """One token of a rebalance; weight 0 for one that leaves."""

    token_id: str
    symbol: str
    weight: float
    reason: str


@dataclass(frozen=True)
class Rebalance:
    """Target weights that take effect at an instant, priced at the close of the day that ends then.

    `level` is the index level at that close, None while it is not known from published levels.
    """

    effective_at: dt.datetime
    targets: tuple[Target, ...]
    level: float | None = None

    @property
    def close_date(self) -> dt.date:
        """The market_date whose close prices the trades."""
        return self.effective_at.date() - ONE_DAY

    @cached_property
    def held(self) -> tuple[Target, ...]:
        """Targets with weight, in the order of their token_id."""
        return tuple(target for target in self.targets if target.weight > 0)

    @property
    def share_in_stables(self) -> float:
        """Weight that the rotation put into stablecoins."""
        return sum(target.weight for target in self.held if is_rotation(target.reason))


@dataclass(frozen=True)
class Stance:
    """Share that the rotation holds in stablecoins, and since when (None: never changed)."""

    share: float = 0.0
    since: dt.datetime | None = None

    def after(self, rebalance: Rebalance) -> "Stance":
        """The stance once a rebalance is in force."""
        share = rebalance.share_in_stables
        if abs(share - self.share) <= SAME_SHARE:
            return self
        return Stance(share, rebalance.effective_at)


@dataclass(frozen=True)
class IndexState:
    """What the next week needs to know of an index.

    Attributes:
        index_id: The index.
        rebalances: From the last one whose level is known, in order; those after the week's close are pending.
        stance: What the rotation holds after the newest rebalance.
        last_level: Newest published (date, level).
        composition: Weights of the newest published composition by token_id, against which changes are measured.
    """

    index_id: str
    rebalances: tuple[Rebalance, ...] = ()
    stance: Stance = Stance()
    last_level: tuple[dt.date, float] | None = None
    composition: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_started(self) -> bool:
        """Whether the index has ever been composed."""
        return bool(self.rebalances)

    def applied(self, until: dt.datetime) -> tuple[Rebalance, ...]:
        """Rebalances in force at an instant, from the last one whose level is known."""
        return tuple(rebalance for rebalance in self.rebalances if rebalance.effective_at <= until)

    def pending(self, after: dt.datetime) -> tuple[Rebalance, ...]:
        """Rebalances decided but not yet in force at an instant."""
        return tuple(rebalance for rebalance in self.rebalances if rebalance.effective_at > after)

    def advanced(
        self,
        definition: IndexDefinition,
        *,
        rebalances: Iterable[Rebalance],
        levels: Mapping[dt.date, float],
        composition: Mapping[str, float] | None,
    ) -> "IndexState":
        """The state after a week that published these rows (`composition` None where it published none)."""
        stance = self.stance
        new = tuple(rebalances)
        for rebalance in new:
            stance = stance.after(rebalance)
        everything = (*self.rebalances, *new)
        # The very first rebalance buys at the base level, whether or not its week could be published.
        root = definition.base.level if not self.rebalances else None
        return IndexState(
            index_id=self.index_id,
            rebalances=_from_last_known(everything, levels=levels, root_level=root),
            stance=stance,
            last_level=max(levels.items()) if levels else self.last_level,
            composition=dict(composition) if composition is not None else self.composition,
        )


def new_state(definition: IndexDefinition) -> IndexState:
    """State of an index that has never been composed."""
    return IndexState(definition.index_id)


def state_from_rows(
    definition: IndexDefinition,
    rebalances: pl.DataFrame,
    levels: pl.DataFrame,
    compositions: pl.DataFrame,
    *,
    as_of_week: dt.date | None = None,
) -> IndexState:
    """Rebuild the state from published rows; rows of other indices are ignored.

    Args:
        definition: The index.
        rebalances: All published rows since the index began (`REBALANCE_SCHEMA`): the minimum hold of a rotation and
            the base level need the first ones.
        levels: Published levels (`LEVEL_SCHEMA`).
        compositions: Published compositions (`COMPOSITION_SCHEMA`); the newest is enough.
        as_of_week: Rebuild the state after this week, whatever was published later, as reproducing the week after it
            needs; None for the state after the newest rows.

    Raises:
        StateError: A column is missing.
    """
    rebalance_rows = _rows_of(definition, rebalances, REBALANCE_SCHEMA, what="rebalances")
    level_rows = _rows_of(definition, levels, LEVEL_SCHEMA, what="levels")
    composition_rows = _rows_of(definition, compositions, COMPOSITION_SCHEMA, what="compositions")
    if as_of_week is not None:
        # A model-driven index has by then also published what it will trade one day later.
        newest = midnight(as_of_week + ONE_DAY if definition.is_model_driven else as_of_week)
        rebalance_rows = rebalance_rows.filter(pl.col("effective_at") <= newest)
        level_rows = level_rows.filter(pl.col("date") < as_of_week)
        composition_rows = composition_rows.filter(pl.col("as_of_week") <= as_of_week)
    history = rebalances_of(rebalance_rows)
    closes = level_rows.filter(pl.col("date").is_in([rebalance.close_date for rebalance in history]))
    newest_level = level_rows.sort("date").tail(1)
    last_week = composition_rows.filter(pl.col("as_of_week") == pl.col("as_of_week").max())
    stance = Stance()
    for rebalance in history:
        stance = stance.after(rebalance)
    return IndexState(
        index_id=definition.index_id,
        rebalances=_from_last_known(
            history, levels=dict(closes.select("date", "level").iter_rows()), root_level=definition.base.level
        ),
        stance=stance,
        last_level=(newest_level["date"][0], newest_level["level"][0]) if newest_level.height else None,
        composition=dict(last_week.select("token_id", "weight").iter_rows()),
    )


def rebalance_rows(index_id: str, rebalances: Iterable[Rebalance]) -> list[RebalanceRow]:
    """Rebalances as published rows, one per token and rebalance."""
    return [
        (index_id, rebalance.effective_at, target.token_id, target.symbol, target.weight, target.reason)
        for rebalance in rebalances
        for target in rebalance.targets
    ]


def midnight(day: dt.date) -> dt.datetime:
    """00:00 UTC at which a day begins."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _from_last_known(
    rebalances: tuple[Rebalance, ...], *, levels: Mapping[dt.date, float], root_level: float | None
) -> tuple[Rebalance, ...]:
    """Fill in levels that are published, then drop what lies before the last rebalance with a level."""
    filled = [_with_level(each, levels.get(each.close_date, each.level)) for each in rebalances]
    if filled and filled[0].level is None:
        filled[0] = _with_level(filled[0], root_level)
    known = [position for position, each in enumerate(filled) if each.level is not None]
    return tuple(filled[known[-1] :]) if known else tuple(filled)


def _with_level(rebalance: Rebalance, level: float | None) -> Rebalance:
    return rebalance if rebalance.level == level else replace(rebalance, level=level)


def rebalances_of(rows: pl.DataFrame) -> tuple[Rebalance, ...]:
    """Rebalances from the published rows of one index (`REBALANCE_SCHEMA`), in order, without levels."""
    found: dict[dt.datetime, list[Target]] = {}
    columns = ("effective_at", "token_id", "symbol", "target_weight", "reason")
    for effective_at, *values in rows.sort("effective_at", "token_id").select(columns).iter_rows():
        found.setdefault(effective_at, []).append(Target(*values))
    return tuple(Rebalance(effective_at.astimezone(dt.UTC), tuple(targets)) for effective_at, targets in found.items())


def _rows_of(
    definition: IndexDefinition, rows: pl.DataFrame, schema: dict[str, pl.DataType], *, what: str
) -> pl.DataFrame:
    missing = [column for column in schema if column not in rows.columns]
    if missing:
        raise StateError(f"{what}: column {', '.join(missing)} is missing; needed are {', '.join(schema)}")
    own = rows.filter(pl.col("index_id") == definition.index_id)
    return own.select(pl.col(column).cast(dtype) for column, dtype in schema.items())
