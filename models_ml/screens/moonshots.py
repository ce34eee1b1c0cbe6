"""Moonshot screen: small, liquid tokens that no warning keeps out, those with the best chance of doubling first.

Belongs here: who is screened, the score, the order, who is picked and why the others are not.
Does not: the checklist's items (`checklist.py`), the plan of a pick (`plan.py`), its words (`rationale.py`, `research_card.py`), how past
picks turned out.

**Unproven.** On nearly survivorship-free data of 2019-2020 a screen of this kind found doublings with a lift of 1.20,
no more than sorting by volatility did. The score is a plain count that anybody can recompute from the row, not a forecast; the chance
is a model's. Read picks as a reading list, and judge the screen by the recorded outcomes of its picks beside their controls.
"""

from __future__ import annotations

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
    "as_of_week": pl.Date(),
    "token_id": pl.String(),
    "symbol": pl.String(),
    "sector": pl.String(),
    "is_stable": pl.Boolean(),
    "is_wrapped": pl.Boolean(),
    "price_usd": pl.Float64(),
    "priced_date": pl.Date(),
    "market_cap_usd": pl.Float64(),
    "volume_24h_usd": pl.Float64(),
    "volume_30d_median_usd": pl.Float64(),
    "age_days": pl.Int64(),
    "trader_grade": pl.Float64(),
    "grade_date": pl.Date(),
    "score": pl.Float64(),
    "signal": pl.String(),
    "p_bullish": pl.Float64(),
    "bullish_closes_7d": pl.Int64(),
    "calls_date": pl.Date(),
    "return_7d": pl.Float64(),
    "return_30d": pl.Float64(),
    "momentum_score": pl.Float64(),
    "momentum_score_change_7d": pl.Float64(),
    "volume_surge_7d_30d": pl.Float64(),
    "volatility_30d": pl.Float64(),
}
"""What every installation has: `priced_date`, `grade_date` and `calls_date` are the UTC days the price, the grade and the newest call
are of; `bullish_closes_7d` counts the closes of the last seven days that were called bullish."""

JUDGEMENTS: dict[str, pl.DataType] = {
    "p_2x_90d": pl.Float64(),
    "p_3x_90d": pl.Float64(),
    "chance_model_version": pl.String(),
    "excluding_warnings": pl.String(),
    "other_warnings": pl.String(),
    "warnings_checked": pl.Int64(),
}
"""What other tables of the week say of the token, null where they have no row: calibrated chances (0-1) and the model behind them;
names of raised warnings, comma-separated, empty where none is raised and null where the week has not been judged."""

RiskFlag = Literal["pump_shape", "thin_volume"]
RISK_FLAGS: tuple[RiskFlag, ...] = ("pump_shape", "thin_volume")

BY_CHANCE, BY_SCORE = "p_2x_90d", "score"
"""What the picks of a week are ranked by: the chance where the week has chances, else the score of the checklist."""

# The grade is the one item tested out of sample; freedom from an unlock is the absence of harm, not a sign of strength.
ITEM_WEIGHTS: dict[str, float] = {"is_grade_high": 2.0, "is_free_of_major_unlock": 0.5}
DEFAULT_ITEM_WEIGHT = 1.0

UNIT = "as_of_week"


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
    """Flags that keep a token out of a week whose warnings are not recorded."""
    min_checks_known: int = Field(default=3, ge=1)
    """Items that must be known where the checklist ranks."""
    min_checks_true: int = Field(default=2, ge=0)
    """Items that must be true where the checklist ranks."""
    max_picks: int = Field(default=10, ge=1)
    max_candidates: int = Field(default=50, ge=1)
    """Tokens of the universe, best first, whose place and reason are published each week."""

    @model_validator(mode="after")
    def caps_leave_a_range(self) -> Self:
        """Reject bounds between which no token fits."""
        if self.min_market_cap_usd >= self.max_market_cap_usd:
            raise ValueError(
                f"min_market_cap_usd {self.min_market_cap_usd:g} is not below max_market_cap_usd "
                f"{self.max_market_cap_usd:g}; raise the one or lower the other"
            )
        return self


def screen_moonshots(snapshot: pl.DataFrame, *, settings: MoonshotSettings) -> pl.DataFrame:
    """The picks of every week in the snapshot, best first; unproven (see the module).

    Args:
        snapshot: As in `screen_universe`.
        settings: Universe, thresholds and size.

    Returns:
        At most `settings.max_picks` rows a week: the columns of `screen_universe` without `is_pick` and the reasons, and `evidence`
        (JSON text).

    Raises:
        ValueError: As in `screen_universe`.
    """
    universe = screen_universe(snapshot, settings=settings)
    return with_evidence(universe.filter("is_pick").drop("is_pick", "exclusion_reasons", "universe_reasons"), settings)


def with_evidence(rows: pl.DataFrame, settings: MoonshotSettings) -> pl.DataFrame:
    """Rows of `screen_universe` with `evidence`: the text costs too much to be written for every token of a history."""
    items = checklist(settings.thresholds)
    texts = [evidence_text(items, row) for row in rows.iter_rows(named=True)]
    return rows.with_columns(evidence=pl.Series(texts, dtype=pl.String))


def screen_universe(snapshot: pl.DataFrame, *, settings: MoonshotSettings) -> pl.DataFrame:
    """Every token of the snapshot with its answers, its place, and why it is not a pick.

    score = 100 x (weight of true items + prior_share x prior_weight) / (weight of known items + prior_weight). The
    second terms shrink the score of a token of which little is known. Picks of a week that has chances are ranked by `p_2x_90d`, equal
    ones by score; those of another week by score.

    Args:
        snapshot: One row per week and token at the week's close (`SNAPSHOT_SCHEMA`; the columns of `OPTIONAL_INPUTS` and `JUDGEMENTS`
            as well where their sources exist; others are ignored). Figures may be null.
        settings: Universe, thresholds and size.

    Returns:
        One row per week and token: `rank` (1 is best; equal ones by token_id; null where it is no pick), `place` among the tokens of
        the universe, whatever warns of them (null outside it), `ranked_by`, `candidates` (tokens of the week that nothing excludes),
        the columns of the snapshot (its model score as `model_score`), the ten items with the dates of their evidence, `checks_true`,
        `checks_known`, `score` in 0-100, `risk_flags` (comma-separated, empty where there are none), `is_pick`, `universe_reasons` (why
        it is not in the universe, null where it is) and `exclusion_reasons` (all reasons separated by "; ", null for a pick). By week,
        picks first, then by place.

    Raises:
        ValueError: A column is missing, a week is no Monday, a token is there twice in it, or a listing lies after its close.
    """
    items = checklist(settings.thresholds)
    rows = _checked(snapshot).rename({"score": "model_score"})
    rows = rows.with_columns(expression for item in items for expression in answered(item))
    rows = rows.with_columns(*_totals(items, settings), risk_flags=_risk_flags(settings))
    has_chances = pl.col("p_2x_90d").is_not_null().any().over(UNIT)
    rows = rows.with_columns(ranked_by=pl.when(has_chances).then(pl.lit(BY_CHANCE)).otherwise(pl.lit(BY_SCORE)))
    rows = rows.with_columns(universe_reasons=_joined(_universe_tests(settings)), _other=_joined(_pick_tests(settings)))
    rows = rows.with_columns(
        exclusion_reasons=pl.concat_str("universe_reasons", "_other", separator="; ", ignore_nulls=True)
    ).with_columns(exclusion_reasons=pl.when(pl.col("exclusion_reasons") != "").then("exclusion_reasons"))

    first = pl.when(pl.col("ranked_by") == BY_CHANCE).then("p_2x_90d").otherwise("score")
    rows = rows.with_columns(_first=first).sort(
        UNIT, "_first", "score", "token_id", descending=[False, True, True, False], nulls_last=True
    )
    is_member, is_candidate = pl.col("universe_reasons").is_null(), pl.col("exclusion_reasons").is_null()
    rank = is_candidate.cum_sum().over(UNIT).cast(pl.Int64)
    rows = rows.with_columns(
        place=pl.when(is_member).then(is_member.cum_sum().over(UNIT).cast(pl.Int64)),
        candidates=is_candidate.sum().over(UNIT).cast(pl.Int64),
        is_pick=is_candidate & (rank <= settings.max_picks),
        rank=pl.when(is_candidate & (rank <= settings.max_picks)).then(rank),
        exclusion_reasons=pl.when(is_candidate & (rank > settings.max_picks))
        .then(pl.format(f"rank {{}}, only {settings.max_picks} are picked", rank))
        .otherwise("exclusion_reasons"),
    )
    inputs = ["model_score" if column == "score" else column for column in _inputs()]
    answers = [column for item in items for column in (item.name, item.date_column)]
    rows = rows.select(
        *(UNIT, "rank", "place", "ranked_by", "candidates"),
        *(column for column in inputs if column != UNIT),
        *answers,
        *("checks_true", "checks_known", "score", "risk_flags", "is_pick", "universe_reasons", "exclusion_reasons"),
    )
    return rows.sort(UNIT, "is_pick", descending=[False, True], maintain_order=True)


def _inputs() -> dict[str, pl.DataType]:
    return SNAPSHOT_SCHEMA | OPTIONAL_INPUTS | JUDGEMENTS


def _checked(snapshot: pl.DataFrame) -> pl.DataFrame:
    """The snapshot with all inputs, typed; NaN counts as null."""
    missing = [column for column in SNAPSHOT_SCHEMA if column not in snapshot.columns]
    if missing:
        raise ValueError(f"the snapshot lacks {', '.join(missing)}; give unknown figures as nulls")
    absent = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in _inputs().items() if name not in snapshot.columns
    ]
    rows = snapshot.with_columns(*absent).select(pl.col(name).cast(dtype) for name, dtype in _inputs().items())
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    odd = rows.filter(pl.col(UNIT).dt.weekday() != 1)[UNIT].unique().sort().head(5).to_list()
    if odd:
        raise ValueError(f"{', '.join(map(str, odd))} is no Monday; weeks are keyed by the Monday that ends them")
    repeated = rows.filter(pl.struct(UNIT, "token_id").is_duplicated())["token_id"].unique().sort().head(5).to_list()
    if repeated:
        raise ValueError(f"the snapshot has {', '.join(repeated)} more than once in a week; pass one row per token")
    for column in ("exchange_listed_at", "dex_listed_at"):
        early = rows.filter(pl.col(column) >= pl.col(UNIT)).sort("token_id").head(5)
        if not early.is_empty():
            raise ValueError(
                f"{column} of {', '.join(early['token_id'].to_list())} is not before {early[UNIT][0]}; the snapshot looks ahead: "
                "date listings by facts available at the week's close"
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


def _is_judged() -> pl.Expr:
    """Whether the filter has looked at the week; without it the screen's own two flags stand in."""
    return pl.col("excluding_warnings").is_not_null()


def _risk_flags(settings: MoonshotSettings) -> pl.Expr:
    is_pumped = (pl.col("return_7d") >= settings.pump_return_7d) & (
        pl.col("volume_surge_7d_30d") >= settings.pump_volume_surge
    )
    is_thin = pl.col("volume_30d_median_usd") < settings.thin_volume_usd
    flags = [pl.when(raised).then(pl.lit(flag)) for flag, raised in zip(RISK_FLAGS, (is_pumped, is_thin), strict=True)]
    warnings = [pl.when(pl.col(name) != "").then(name) for name in ("excluding_warnings", "other_warnings")]
    return (
        pl.when(_is_judged())
        .then(pl.concat_str(warnings, separator=",", ignore_nulls=True))
        .otherwise(pl.concat_str(flags, separator=",", ignore_nulls=True))
        .fill_null("")
    )


def _universe_tests(settings: MoonshotSettings) -> dict[str, pl.Expr]:
    """What keeps a token out of the universe; an unknown figure counts as not met."""
    cap, volume, age = pl.col("market_cap_usd"), pl.col("volume_30d_median_usd"), pl.col("age_days")
    low, high = settings.min_market_cap_usd, settings.max_market_cap_usd
    return {
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
    }


def _pick_tests(settings: MoonshotSettings) -> dict[str, pl.Expr]:
    """What keeps a token of the universe from being picked."""
    by_score = pl.col("ranked_by") == BY_SCORE
    tests = {
        "chance of doubling unknown": ~by_score & pl.col("p_2x_90d").is_null(),
        f"fewer than {settings.min_checks_known} items known": by_score
        & (pl.col("checks_known") < settings.min_checks_known),
        f"fewer than {settings.min_checks_true} items true": by_score
        & (pl.col("checks_true") < settings.min_checks_true),
    }
    for flag in sorted(settings.excluded_risk_flags):
        is_raised = pl.col("risk_flags").str.split(",").list.contains(flag)
        tests[f"risk flag {flag}"] = ~_is_judged() & is_raised
    return tests | {"warning": _is_judged() & (pl.col("excluding_warnings") != "")}


def _joined(tests: dict[str, pl.Expr]) -> pl.Expr:
    """The reasons of all tests that a row fails, null where there are none; a warning says which."""
    texts = [
        pl.when(fails).then(pl.format("warnings: {}", "excluding_warnings") if reason == "warning" else pl.lit(reason))
        for reason, fails in tests.items()
    ]
    reasons = pl.concat_str(texts, separator="; ", ignore_nulls=True)
    return pl.when(reasons != "").then(reasons)
