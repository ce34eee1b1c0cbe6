"""Moonshot screen: small, liquid tokens that answer most of a checklist with yes.

Belongs here: who is screened, the score, the risk flags and the picks.
Does not: the checklist's items (`checklist.py`), how past picks turned out.

**Unproven.** On nearly survivorship-free data of 2019-2020 a screen of this kind found doublings with a lift of 1.20,
no more than sorting by volatility did. The score is therefore a plain count that anybody can recompute from the row,
not a forecast; read picks as a reading list, and judge the screen by the recorded outcomes of its picks, with the sort
by volatility beside them.
"""

import datetime as dt
from typing import Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models_ml.screens.checklist import (
    OPTIONAL_INPUTS,
    ChecklistItem,
    ChecklistThresholds,
    answered,
    checklist,
    evidence_text,
)

SNAPSHOT_SCHEMA: dict[str, pl.DataType] = {
    "token_id": pl.String(),
    "symbol": pl.String(),
    "sector": pl.String(),
    "is_stable": pl.Boolean(),
    "is_wrapped": pl.Boolean(),
    "price_usd": pl.Float64(),
    "market_cap_usd": pl.Float64(),
    "volume_24h_usd": pl.Float64(),
    "volume_30d_median_usd": pl.Float64(),
    "age_days": pl.Int64(),
    "trader_grade": pl.Float64(),
    "score": pl.Float64(),
    "signal": pl.String(),
    "p_bullish": pl.Float64(),
    "return_7d": pl.Float64(),
    "return_30d": pl.Float64(),
    "volume_surge_7d_30d": pl.Float64(),
    "volatility_30d": pl.Float64(),
    "sector_return_30d_rank": pl.Float64(),
    "active_addresses_growth_30d": pl.Float64(),
    "exchange_listed_at": pl.Date(),
    "has_exchange_data": pl.Boolean(),
    "bullish_signals_4w": pl.Int64(),
}
RiskFlag = Literal["pump_shape", "thin_volume"]
RISK_FLAGS: tuple[RiskFlag, ...] = ("pump_shape", "thin_volume")

# The grade is the one item tested out of sample; freedom from an unlock is the absence of harm, not a sign of strength.
ITEM_WEIGHTS: dict[str, float] = {"is_grade_high": 2.0, "is_free_of_major_unlock": 0.5}
DEFAULT_ITEM_WEIGHT = 1.0


class MoonshotSettings(BaseModel):
    """Universe, thresholds and size of the screen; frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min_market_cap_usd: float = Field(default=1e6, ge=0)
    max_market_cap_usd: float = Field(default=50e6, gt=0)
    min_volume_30d_usd: float = Field(default=100e3, ge=0)
    min_volume_to_cap: float = Field(default=0.0002, ge=0)
    min_age_days: int = Field(default=30, ge=0)
    thresholds: ChecklistThresholds = ChecklistThresholds()
    prior_share: float = Field(default=0.25, ge=0, le=1)
    """Share of yes expected of an unknown token, towards which the score is shrunk."""
    prior_weight: float = Field(default=3.0, ge=0)
    """Weight of that expectation, in items."""
    pump_return_7d: float = Field(default=1.0, gt=0)
    pump_volume_surge: float = Field(default=3.0, gt=0)
    """A token that gained `pump_return_7d` in a week on `pump_volume_surge` times its usual volume looks pumped."""
    thin_volume_usd: float = Field(default=250e3, ge=0)
    """Below this median daily volume a pick is flagged, as few could buy it without moving its price."""
    excluded_risk_flags: frozenset[RiskFlag] = frozenset({"pump_shape"})
    min_checks_known: int = Field(default=3, ge=1)
    min_checks_true: int = Field(default=2, ge=0)
    max_picks: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def caps_leave_a_range(self) -> Self:
        """Reject bounds between which no token fits."""
        if self.min_market_cap_usd >= self.max_market_cap_usd:
            raise ValueError(
                f"min_market_cap_usd {self.min_market_cap_usd:g} is not below max_market_cap_usd "
                f"{self.max_market_cap_usd:g}; raise the one or lower the other"
            )
        return self


def screen_moonshots(snapshot: pl.DataFrame, *, as_of_week: dt.date, settings: MoonshotSettings) -> pl.DataFrame:
    """The picks of a week, best first; unproven (see the module).

    score = 100 x (weight of true items + prior_share x prior_weight) / (weight of known items + prior_weight). The
    second terms shrink the score of a token of which little is known.

    Args:
        snapshot: One row per token at the week's close (`SNAPSHOT_SCHEMA`; the columns of `OPTIONAL_INPUTS` as well
            where their sources exist; others are ignored). Figures may be null.
        as_of_week: Monday of the week.
        settings: Universe, thresholds and size.

    Returns:
        At most `settings.max_picks` rows with `rank` (1 is best; equal scores by token_id), the columns of the
        snapshot (its model score as `model_score`), the ten items, `checks_true`, `checks_known`, `score` in 0-100,
        `evidence` (JSON text) and `risk_flags` (comma-separated, empty where there are none).

    Raises:
        ValueError: A column is missing, a token is there twice, or an exchange listing lies after the week's close.
    """
    universe = screen_universe(snapshot, as_of_week=as_of_week, settings=settings)
    return universe.filter("is_pick").drop("is_pick", "exclusion_reasons")


def screen_universe(snapshot: pl.DataFrame, *, as_of_week: dt.date, settings: MoonshotSettings) -> pl.DataFrame:
    """Every token of the snapshot with its answers, and why it is not a pick.

    Args:
        snapshot: As in `screen_moonshots`.
        as_of_week: Monday of the week.
        settings: Universe, thresholds and size.

    Returns:
        One row per token: the columns of `screen_moonshots` (`rank` null where it is no pick), `is_pick` and
        `exclusion_reasons` (separated by "; ", null for a pick). Picks first by rank, then by score and token_id.

    Raises:
        ValueError: As in `screen_moonshots`.
    """
    items = checklist(settings.thresholds, as_of_week=as_of_week)
    rows = _checked(snapshot, as_of_week=as_of_week)
    rows = rows.rename({"score": "model_score"}).with_columns(answered(item) for item in items)
    rows = rows.with_columns(*_totals(items, settings), risk_flags=_risk_flags(settings))
    rows = rows.with_columns(exclusion_reasons=_exclusion_reasons(settings))
    rows = rows.sort("score", "token_id", descending=[True, False])
    is_candidate = pl.col("exclusion_reasons").is_null()
    place = is_candidate.cum_sum()
    rows = rows.with_columns(
        is_pick=is_candidate & (place <= settings.max_picks),
        exclusion_reasons=pl.when(is_candidate & (place > settings.max_picks))
        .then(pl.format(f"place {{}}, only {settings.max_picks} are picked", place))
        .otherwise("exclusion_reasons"),
    )
    rank = pl.when("is_pick").then(pl.col("is_pick").cum_sum()).cast(pl.Int64)
    rows = rows.with_columns(
        rank=rank,
        evidence=pl.Series([evidence_text(items, row) for row in rows.iter_rows(named=True)], dtype=pl.String),
    )
    inputs = ["model_score" if column == "score" else column for column in _inputs()]
    names = [item.name for item in items]
    rows = rows.select(
        "rank",
        *inputs,
        *names,
        *("checks_true", "checks_known", "score", "evidence", "risk_flags", "is_pick", "exclusion_reasons"),
    )
    return rows.sort("is_pick", descending=True, maintain_order=True)


def _inputs() -> dict[str, pl.DataType]:
    return SNAPSHOT_SCHEMA | OPTIONAL_INPUTS


def _checked(snapshot: pl.DataFrame, *, as_of_week: dt.date) -> pl.DataFrame:
    """The snapshot with all inputs, typed; NaN counts as null."""
    if as_of_week.weekday() != 0:
        raise ValueError(f"{as_of_week} is no Monday; weeks are keyed by the Monday that ends them")
    missing = [column for column in SNAPSHOT_SCHEMA if column not in snapshot.columns]
    if missing:
        raise ValueError(f"the snapshot lacks {', '.join(missing)}; give unknown figures as nulls")
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in OPTIONAL_INPUTS.items()]
    absent = [column for column in absent if column.meta.output_name() not in snapshot.columns]
    rows = snapshot.with_columns(*absent).select(pl.col(name).cast(dtype) for name, dtype in _inputs().items())
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    repeated = rows.filter(pl.col("token_id").is_duplicated())["token_id"].unique().sort().head(5).to_list()
    if repeated:
        raise ValueError(f"the snapshot has {', '.join(repeated)} more than once; pass one row per token")
    early = rows.filter(pl.col("exchange_listed_at") >= as_of_week)["token_id"].sort().head(5).to_list()
    if early:
        raise ValueError(
            f"exchange_listed_at of {', '.join(early)} is not before {as_of_week}; the snapshot looks ahead: "
            "date listings by candles available at the week's close"
        )
    return rows


def _totals(items: tuple[ChecklistItem, ...], settings: MoonshotSettings) -> list[pl.Expr]:
    weights = {item.name: ITEM_WEIGHTS.get(item.name, DEFAULT_ITEM_WEIGHT) for item in items}
    true_weight = pl.sum_horizontal(pl.col(name).fill_null(value=False) * weight for name, weight in weights.items())
    known_weight = pl.sum_horizontal(pl.col(name).is_not_null() * weight for name, weight in weights.items())
    prior = settings.prior_weight
    # Nothing known and no prior would be 0 / 0; such a token has shown nothing.
    score = pl.when(known_weight + prior > 0).then(
        100.0 * (true_weight + settings.prior_share * prior) / (known_weight + prior)
    )
    return [
        pl.sum_horizontal(pl.col(name).fill_null(value=False).cast(pl.Int64) for name in weights).alias("checks_true"),
        pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int64) for name in weights).alias("checks_known"),
        score.otherwise(0.0).alias("score"),
    ]


def _risk_flags(settings: MoonshotSettings) -> pl.Expr:
    is_pumped = (pl.col("return_7d") >= settings.pump_return_7d) & (
        pl.col("volume_surge_7d_30d") >= settings.pump_volume_surge
    )
    is_thin = pl.col("volume_30d_median_usd") < settings.thin_volume_usd
    flags = [pl.when(raised).then(pl.lit(flag)) for flag, raised in zip(RISK_FLAGS, (is_pumped, is_thin), strict=True)]
    return pl.concat_str(flags, separator=",", ignore_nulls=True).fill_null("")


def _exclusion_reasons(settings: MoonshotSettings) -> pl.Expr:
    """All reasons that keep a token out, null where there is none; an unknown figure counts as not met."""
    cap, volume, age = pl.col("market_cap_usd"), pl.col("volume_30d_median_usd"), pl.col("age_days")
    low, high = settings.min_market_cap_usd, settings.max_market_cap_usd
    tests = {
        "stablecoin": pl.col("is_stable").fill_null(value=False),
        "wrapped token": pl.col("is_wrapped").fill_null(value=False),
        f"market cap outside {low:,.0f} to {high:,.0f} USD": ~cap.is_between(low, high).fill_null(value=False),
        f"median 30-day volume below {settings.min_volume_30d_usd:,.0f} USD": ~(
            volume >= settings.min_volume_30d_usd
        ).fill_null(value=False),
        f"volume over market cap below {settings.min_volume_to_cap:g}": ~(
            volume >= settings.min_volume_to_cap * cap
        ).fill_null(value=False),
        f"younger than {settings.min_age_days} days": ~(age >= settings.min_age_days).fill_null(value=False),
        f"fewer than {settings.min_checks_known} items known": pl.col("checks_known") < settings.min_checks_known,
        f"fewer than {settings.min_checks_true} items true": pl.col("checks_true") < settings.min_checks_true,
    }
    for flag in sorted(settings.excluded_risk_flags):
        tests[f"risk flag {flag}"] = pl.col("risk_flags").str.split(",").list.contains(flag)
    reasons = pl.concat_str(
        [pl.when(fails).then(pl.lit(reason)) for reason, fails in tests.items()], separator="; ", ignore_nulls=True
    )
    return pl.when(reasons != "").then(reasons)
