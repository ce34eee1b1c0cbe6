"""The registry of versioned tables: which tables are append-only, what one unit of each is, and what its columns mean.

Belongs here: names, types and descriptions, nothing else.
Does not: writing versions (`versions.py`), the ledger (`ledger.py`), publishing (`publishing.py`), rows of any table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

IDENTIFIER_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "as_of_week": "DATE",
        "index_id": "VARCHAR",
        "effective_at": "TIMESTAMPTZ",
        "token_id": "VARCHAR",
        "model": "VARCHAR",
        "universe": "VARCHAR",
        "metric": "VARCHAR",
        "date": "DATE",
        "market_date": "DATE",
        "horizon_days": "INTEGER",
        "place": "INTEGER",
        "sub_grade": "VARCHAR",
        "cap_bucket": "VARCHAR",
        "volatility_bucket": "VARCHAR",
        "outcome": "VARCHAR",
        "warning": "VARCHAR",
    }
)
"""DuckDB types of all unit and key columns; one name has one type in every table."""

IDENTIFIER_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "as_of_week": "Monday (UTC) the row is for; only facts available at its 00:00 UTC were used.",
        "index_id": "Identifier of the index, the name of its YAML definition.",
        "effective_at": "Instant (UTC) from which the target weights hold.",
        "token_id": "Token, as assigned once in marts.dim_tokens.",
        "model": "Name of the model that is evaluated.",
        "universe": "Universe of tokens the row is about.",
        "metric": "Name of the metric, as in the catalogue of metrics.",
        "date": "UTC day at whose close (24:00) the value holds.",
        "market_date": "UTC day at whose close (24:00) the value holds.",
        "horizon_days": "Days the row looks ahead.",
        "place": "Place of the contribution by its size, 1 is the largest.",
        "sub_grade": "Name of the sub-grade: technical, quantitative, fundamental, technology, community, on-chain, valuation.",
        "cap_bucket": "Market cap at the Sunday's close by fixed ranges of USD, from 1m_to_5m to over_1b; all holds every size.",
        "volatility_bucket": "30-day volatility by fixed ranges of per cent a year, from under_60 to over_180; all holds every one.",
        "outcome": "2x, 3x, 5x, 10x: three consecutive closes at or above the multiple of the entry; half: at or below half of it.",
        "warning": "Name of the warning (docs/explanation/screens-filter.md).",
    }
)

VERSION_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "version": "INTEGER",
        "content_hash": "VARCHAR",
        "recorded_at": "TIMESTAMPTZ",
        "superseded_at": "TIMESTAMPTZ",
        "run_id": "VARCHAR",
        "code_version": "VARCHAR",
        "model_version": "VARCHAR",
        "inputs_hash": "VARCHAR",
        "input_cutoff": "TIMESTAMPTZ",
        "origin": "VARCHAR",
        "version_reason": "VARCHAR",
    }
)
"""Columns that every versioned table carries after its own; `version_reason`, since compositions have a `reason`."""

VERSION_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "version": "Version of the whole unit, counting from 1.",
        "content_hash": "sha256 over the unit's rows (values at 12 significant digits, never ids or times).",
        "recorded_at": "Instant (UTC) at which this version was recorded.",
        "superseded_at": "Instant (UTC) at which a later version replaced this one; null while it is current.",
        "run_id": "Run that recorded this version.",
        "code_version": "Version of the code that computed it.",
        "model_version": "Model that produced the row; null where no model was used.",
        "inputs_hash": "Hash of the inputs it was computed from.",
        "input_cutoff": "Only loads that ended by this instant (UTC) were read.",
        "origin": "published: recorded within 48 hours of as_of; backfilled: anything else.",
        "version_reason": "Why the version exists: scheduled, backfill, correction, or a text given by hand.",
    }
)

NULLABLE_VERSION_COLUMNS = frozenset({"superseded_at", "model_version"})


@dataclass(frozen=True)
class VersionedTable:
    """One append-only table, whose versions belong to whole units.

    Attributes:
        schema: Schema in the warehouse.
        name: Name inside the schema; `<name>_current` is the view of the newest versions.
        unit_columns: What one unit is; all rows that share these values are versioned together.
        key_columns: What tells the rows of a unit apart.
        value_columns: Name to DuckDB type, in the order in which they are hashed.
        description: Grain and meaning, shown as the table's comment.
        value_descriptions: Meaning and unit of each value column.
    """

    schema: str
    name: str
    unit_columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    value_columns: Mapping[str, str] = field(hash=False)
    description: str
    value_descriptions: Mapping[str, str] = field(hash=False)

    def __post_init__(self) -> None:
        """Refuse a table whose columns are not all described, or that shadows a version column."""
        if missing := set(self.value_columns) ^ set(self.value_descriptions):
            raise ValueError(
                f"{self.full_name}: columns and descriptions differ in {sorted(missing)}; describe each once"
            )
        if taken := set(self.content_columns) & set(VERSION_COLUMNS):
            raise ValueError(
                f"{self.full_name}: {sorted(taken)} are version columns; name the value columns differently"
            )

    @property
    def full_name(self) -> str:
        """`schema.name`, as in the ledger and the manifest."""
        return f"{self.schema}.{self.name}"

    @property
    def sql_name(self) -> str:
        """Quoted name for SQL."""
        return f'"{self.schema}"."{self.name}"'

    @property
    def current_view_sql_name(self) -> str:
        """Quoted name of the view over the newest versions."""
        return f'"{self.schema}"."{self.name}_current"'

    @property
    def content_columns(self) -> dict[str, str]:
        """Types of unit, key and value columns, in their order in the table."""
        identifiers = {column: IDENTIFIER_TYPES[column] for column in (*self.unit_columns, *self.key_columns)}
        return identifiers | dict(self.value_columns)

    @property
    def hashed_columns(self) -> tuple[str, ...]:
        """Key and value columns in declared order: what the content hash covers."""
        return (*self.key_columns, *self.value_columns)

    @property
    def columns(self) -> dict[str, str]:
        """Types of all columns, in their order in the table."""
        return self.content_columns | dict(VERSION_COLUMNS)

    @property
    def column_descriptions(self) -> dict[str, str]:
        """Meaning and unit of every column, those of identifiers and versions included."""
        identifiers = {column: IDENTIFIER_DESCRIPTIONS[column] for column in (*self.unit_columns, *self.key_columns)}
        return identifiers | dict(self.value_descriptions) | dict(VERSION_DESCRIPTIONS)

    @property
    def nullable_columns(self) -> frozenset[str]:
        """Columns that may be null: values, and two of the version columns."""
        return frozenset(self.value_columns) | NULLABLE_VERSION_COLUMNS


_SYMBOL = "Ticker, for reading only; not unique."


def _grades_of(head: str, *, horizon_days: int, description: str) -> VersionedTable:
    """The weekly table of a ranking head."""
    return VersionedTable(
        schema="learning",
        name=f"{head}_grades",
        unit_columns=("as_of_week",),
        key_columns=("token_id",),
        value_columns={
            "symbol": "VARCHAR",
            f"{head}_grade": "DOUBLE",
            f"{head}_rank": "DOUBLE",
            "score": "DOUBLE",
            "score_cross_section": "DOUBLE",
            "score_market": "DOUBLE",
            "is_grade_provisional": "BOOLEAN",
            "coverage": "DOUBLE",
            "universe": "VARCHAR",
        },
        description=description,
        value_descriptions={
            "symbol": _SYMBOL,
            f"{head}_grade": "Percentile (0-100) of the score among all earlier out-of-sample scores.",
            f"{head}_rank": "Cross-sectional percentile (0-100) of the score within the week.",
            "score": f"Raw score over {horizon_days} days: cross-sectional part plus market part (no unit).",
            "score_cross_section": "Part of the score that compares the token with the others of the week (no unit).",
            "score_market": "Part of the score that is common to all tokens of the week (no unit).",
            "is_grade_provisional": "True while fewer than 104 weeks of earlier scores exist.",
            "coverage": "Fraction (0-1) of the model's features that were known.",
            "universe": "Narrowest universe the token belongs to in this week.",
        },
    )


TRADER_GRADES = _grades_of(
    "trader",
    horizon_days=14,
    description="Trader Grade, one row per week and token of the universe; a version belongs to the week.",
)

INVESTOR_GRADES = _grades_of(
    "investor",
    horizon_days=90,
    description=(
        "Investor Grade (90 days), one row per week and token of the universe; a version belongs to the week. Mostly prices and "
        "volumes so far: read it as a long-horizon price grade."
    ),
)

DAILY_GRADES = VersionedTable(
    schema="learning",
    name="daily_grades",
    unit_columns=("as_of_week",),
    key_columns=("market_date", "token_id"),
    value_columns={
        "trader_grade": "DOUBLE",
        "trader_rank": "DOUBLE",
        "trader_score": "DOUBLE",
        "investor_grade": "DOUBLE",
        "investor_rank": "DOUBLE",
        "investor_score": "DOUBLE",
    },
    description=(
        "Grades at every close, one row per day and token of the universe, by the models then in force; a unit is the seven days "
        "before as_of_week, and its Sunday is what the weekly tables hold."
    ),
    value_descriptions={
        "trader_grade": "Percentile (0-100) of the trader score among the weekly out-of-sample scores before as_of_week.",
        "trader_rank": "Cross-sectional percentile (0-100) of the trader score within the day.",
        "trader_score": "Raw score over 14 days (no unit).",
        "investor_grade": "The same of the investor score; null before the first investor model.",
        "investor_rank": "Cross-sectional percentile (0-100) of the investor score within the day.",
        "investor_score": "Raw score over 90 days (no unit).",
    },
)

_CALL_VALUES = {
    "signal": "TINYINT",
    "signal_since_date": "DATE",
    "p_bullish": "DOUBLE",
    "p_neutral": "DOUBLE",
    "p_bearish": "DOUBLE",
}
_CALL_DESCRIPTIONS = {
    "signal": "1 bullish, 0 neutral, -1 bearish: an outcome is called where its probability stands far enough above its base rate.",
    "signal_since_date": "First day (UTC close) of the run of equal calls: the day of the last flip.",
    "p_bullish": "Probability (0-1) that +1 sigma * sqrt(14) is passed first within 14 days.",
    "p_neutral": "Probability (0-1) that neither barrier is passed within 14 days.",
    "p_bearish": "Probability (0-1) that -1 sigma * sqrt(14) is passed first; the three sum to 1.",
}

TRADING_SIGNALS = VersionedTable(
    schema="learning",
    name="trading_signals",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={"symbol": "VARCHAR", **_CALL_VALUES},
    description="Calls for the next 14 days, one row per week and token; a version belongs to the week.",
    value_descriptions={"symbol": _SYMBOL, **_CALL_DESCRIPTIONS},
)

DAILY_SIGNALS = VersionedTable(
    schema="learning",
    name="daily_signals",
    unit_columns=("as_of_week",),
    key_columns=("market_date", "token_id"),
    value_columns=_CALL_VALUES,
    description=(
        "Calls at every close for the next 14 days, one row per day and token; a unit is the seven days before as_of_week, and its "
        "Sunday is what the weekly table holds."
    ),
    value_descriptions=_CALL_DESCRIPTIONS,
)

PRICE_RANGES = VersionedTable(
    schema="learning",
    name="price_ranges",
    unit_columns=("as_of_week",),
    key_columns=("token_id", "horizon_days"),
    value_columns={
        "symbol": "VARCHAR",
        "price_usd": "DOUBLE",
        "return_low": "DOUBLE",
        "return_median": "DOUBLE",
        "return_high": "DOUBLE",
    },
    description="Between which prices a token will probably stand, one row per week, token and horizon; a version belongs to the week.",
    value_descriptions={
        "symbol": _SYMBOL,
        "price_usd": "Close of the Sunday before as_of_week, in USD.",
        "return_low": "10 % quantile of the return over the horizon (fraction).",
        "return_median": "50 % quantile (fraction): 0, since no forecast of it beat no change out of sample.",
        "return_high": "90 % quantile of the return over the horizon (fraction).",
    },
)

GRADE_EXPLANATIONS = VersionedTable(
    schema="learning",
    name="grade_explanations",
    unit_columns=("as_of_week",),
    key_columns=("model", "token_id", "place"),
    value_columns={
        "symbol": "VARCHAR",
        "feature": "VARCHAR",
        "value": "DOUBLE",
        "contribution": "DOUBLE",
        "sentence": "VARCHAR",
    },
    description=(
        "What moved each grade most, the five largest contributions (TreeSHAP) of a row, one row per week, model (trader, investor), "
        "token and place; a version belongs to the week. The first filling of a history explains its newest weeks only."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "feature": "Feature of the catalogue, or a state of the market.",
        "value": "Its rank (0-1) in the universe of the week, or the state's own value; null where unknown.",
        "contribution": "What it adds to the expected rank of the token (fraction of the universe).",
        "sentence": "The same in words.",
    },
)

SUB_GRADES = VersionedTable(
    schema="learning",
    name="sub_grades",
    unit_columns=("as_of_week",),
    key_columns=("token_id", "sub_grade"),
    value_columns={"symbol": "VARCHAR", "grade": "DOUBLE", "basis": "VARCHAR", "coverage": "DOUBLE"},
    description=(
        "Grades by family of features, one row per week, token and sub-grade; a version belongs to the week. The first filling of a "
        "history has its newest weeks only."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "grade": "Percentile (0-100) within the week; null where less than half of the family's features are known.",
        "basis": "model: contributions to the trader score; descriptive: mean rank with fixed signs, confirmed by no outcome.",
        "coverage": "Share (0-1) of the family's features that are known.",
    },
)

_CONFIRMATIONS = {
    "is_volume_confirming": "Volume of 7 days above that of 30 days, in a week whose return has the call's sign.",
    "is_sector_aligned": "The median 7-day return of the token's sector has the call's sign.",
    "is_peer_confirmed": "At least 0.3 of the sector's other tokens have the same call (peer_share).",
    "is_market_aligned": "Neither bitcoin's nor ether's call is the opposite.",
    "is_repeated": "The call held at 4 or more of the week's seven closes, or was given up within them and began anew.",
}

TRADE_ACTIONS = VersionedTable(
    schema="learning",
    name="trade_actions",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "symbol": "VARCHAR",
        "signal": "TINYINT",
        "trader_grade": "DOUBLE",
        "action": "VARCHAR",
        "action_reason": "VARCHAR",
        "position_weight": "DOUBLE",
        "position_limit": "VARCHAR",
        **dict.fromkeys(_CONFIRMATIONS, "BOOLEAN"),
        "peer_share": "DOUBLE",
        "closes_on_side": "INTEGER",
        "confirmations_true": "INTEGER",
        "confirmations_known": "INTEGER",
        "is_hindsight": "BOOLEAN",
        "what_changed": "VARCHAR",
    },
    description=(
        "What the stated rules make of each weekly call: what confirms it, the action, the size of one position, and what changed since "
        "before the last flip; one row per week and token; a version belongs to the week. Rules, not advice: docs/results/calls.md has "
        "what came of them."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "signal": "The call: 1 bullish, 0 neutral, -1 bearish.",
        "trader_grade": "Trader Grade of the week (0-100), which the action goes by.",
        "action": "enter in full, enter small or nothing new (bullish), hold (neutral), scale out (bearish).",
        "action_reason": "The rule in words, with the grade and what bounds the size.",
        "position_weight": (
            "Fraction (0-1) of capital that one position opened on this call may be: 0 where nothing is bought, null where volatility or "
            "volume is unknown. Not a portfolio: the weights of a week do not sum to 1."
        ),
        "position_limit": "What bounds the size: volatility, maximum or liquidity; null where there is none.",
        **{
            column: f"{text} Null where its source is absent, and for neutral calls."
            for column, text in _CONFIRMATIONS.items()
        },
        "peer_share": "Share (0-1) of the sector's other tokens with the same call; null below 4 of them.",
        "closes_on_side": "Number of the week's seven closes at which the call held; null for neutral calls.",
        "confirmations_true": "Number of confirmations that are true.",
        "confirmations_known": "Number of confirmations that are known.",
        "is_hindsight": "True where the sector rests on an undated list, and with it two of the confirmations; null without a sector.",
        "what_changed": (
            "The contributions to the trader score that changed most between the Sunday before the last flip and now, in words; null "
            "where the flip is older than 28 days (to neutral: 7), the token was not scored then, or the week is not explained."
        ),
    },
)


def _evaluation_of(name: str, description: str) -> VersionedTable:
    """The table of the evaluation of a ranking head."""
    return VersionedTable(
        schema="learning",
        name=name,
        unit_columns=("as_of_week",),
        key_columns=("model", "universe", "metric"),
        value_columns={"value": "DOUBLE"},
        description=(
            f"{description}, one row per week, model (the head, or a baseline over the same days), universe (broad, liquid, "
            "size_<bucket>, sector_<name>) and metric. The unit is the week that is scored; its metrics become known when its labels end, "
            "hence its origin is never `published`."
        ),
        value_descriptions={"value": "Value of the metric, in the metric's own unit."},
    )


MODEL_EVALUATION = _evaluation_of("model_evaluation", "How the Trader Grades of a week turned out over 14 days")

INVESTOR_EVALUATION = _evaluation_of("investor_evaluation", "How the Investor Grades of a week turned out over 90 days")

CALL_OUTCOMES = VersionedTable(
    schema="learning",
    name="call_outcomes",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "symbol": "VARCHAR",
        "signal": "TINYINT",
        "trader_grade": "DOUBLE",
        "call_origin": "VARCHAR",
        "outcome": "TINYINT",
        "is_right": "BOOLEAN",
        "return_14d": "DOUBLE",
        "excess_over_market": "DOUBLE",
        "excess_over_bitcoin": "DOUBLE",
        "is_in_worst_decile": "BOOLEAN",
        "has_ended": "BOOLEAN",
    },
    description=(
        "What was said of each token and what came of it, one row per week and called token: the first version of every call, scored once "
        "its 14 days and a day of lag have ended; misses and ended tokens included."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "signal": "Call as first recorded: 1 bullish, 0 neutral, -1 bearish.",
        "trader_grade": "Trader Grade as first recorded (0-100).",
        "call_origin": "published or backfilled, of that first version; never pool the two.",
        "outcome": "Barrier of +-1 sigma * sqrt(14) passed first within 14 days: 1, -1, or 0 for neither; null where unknown.",
        "is_right": "The outcome is the one that was called; null where unknown.",
        "return_14d": "Return of 14 days from the close a day after the call (fraction); null where unknown.",
        "excess_over_market": "That less the mean of the week's universe (fraction).",
        "excess_over_bitcoin": "That less bitcoin's (fraction).",
        "is_in_worst_decile": "Among the worst tenth of the week's universe.",
        "has_ended": "The token's price stopped within the window.",
    },
)

MODEL_MONITOR = VersionedTable(
    schema="learning",
    name="model_monitor",
    unit_columns=("as_of_week",),
    key_columns=("model", "metric"),
    value_columns={"value": "DOUBLE"},
    description=(
        "How far the present is from what the models in force were trained on, one row per week, model (trader, investor, calls, "
        "ranges) and metric; a version belongs to the week."
    ),
    value_descriptions={
        "value": (
            "psi_max, psi_mean: population stability index of the columns between training and the 13 weeks up to this one (no unit; "
            "above 0.25 is drifted); columns_compared, columns_drifted: counts; novel_row_share: fraction of the week's tokens with "
            "more than a tenth of their columns outside the middle 99 % of training; age_days: days since the refit."
        )
    },
)

CONFIDENCE = VersionedTable(
    schema="learning",
    name="confidence",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "symbol": "VARCHAR",
        **{
            f"{head}_{name}": "DOUBLE" for head in ("trader", "investor", "calls") for name in ("novelty", "confidence")
        },
    },
    description=(
        "How like its training each token is to the models in force, one row per week and token of the universe; a version belongs to "
        "the week. Null before a head's first model."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "trader_novelty": "Fraction (0-1) of the trader model's known columns outside the middle 99 % of its training.",
        "trader_confidence": (
            "(1 - 2 x novelty) x (1 - half the fraction of the model's columns that drifted), 0-1; at most 0.5 where the model has "
            "expired. How like its training the row is, not how often the grade is right."
        ),
        "investor_novelty": "The same of the investor model.",
        "investor_confidence": "The same of the investor model (0-1).",
        "calls_novelty": "The same of the model behind the calls.",
        "calls_confidence": "The same of the model behind the calls (0-1).",
    },
)

BULL_BEAR = VersionedTable(
    schema="learning",
    name="bull_bear",
    unit_columns=("as_of_week",),
    key_columns=("universe",),
    value_columns={"bullish_share": "DOUBLE", "bearish_share": "DOUBLE", "tokens": "INTEGER"},
    description="Bull-bear indicator, one row per week and universe; a version belongs to the week.",
    value_descriptions={
        "bullish_share": "Fraction (0-1) of the universe's tokens called bullish.",
        "bearish_share": "Fraction (0-1) of the universe's tokens called bearish.",
        "tokens": "Number of tokens with a call.",
    },
)

COMPOSITIONS = VersionedTable(
    schema="indices",
    name="compositions",
    unit_columns=("as_of_week", "index_id"),
    key_columns=("token_id",),
    value_columns={"symbol": "VARCHAR", "weight": "DOUBLE", "weight_change": "DOUBLE", "reason": "VARCHAR"},
    description=(
        "Holdings of each index at Monday 00:00 UTC after any rebalance then, drift included; one row per week, index "
        "and token; a version belongs to the week of one index. A week without rows is one in which it holds nothing."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "weight": "Fraction (0-1) of the index; the weights of a unit sum to 1.",
        "weight_change": "Weight less the weight a week before (fraction).",
        "reason": "Why the holding changed: entered, left, replaced by, capped, rotated; null if it did not.",
    },
)

REBALANCES = VersionedTable(
    schema="indices",
    name="rebalances",
    unit_columns=("index_id", "effective_at"),
    key_columns=("token_id",),
    value_columns={"symbol": "VARCHAR", "target_weight": "DOUBLE", "reason": "VARCHAR", "as_of_week": "DATE"},
    description=(
        "Target weights at the instant the methodology rebalances, one row per index, instant and token; a version "
        "belongs to one rebalance of one index."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "target_weight": (
            "Fraction (0-1) of the index from effective_at on, 0 for a token that leaves or is left out; the weights of a unit sum to 1."
        ),
        "reason": "Why the token's weight is what it is: entered, left, left out, capped, rotated into stables.",
        "as_of_week": "Monday (UTC) of the week that recorded the rebalance.",
    },
)

LEVELS = VersionedTable(
    schema="indices",
    name="levels",
    unit_columns=("as_of_week", "index_id"),
    key_columns=("date",),
    value_columns={"level": "DOUBLE", "status": "VARCHAR", "status_reason": "VARCHAR"},
    description=(
        "Index levels, one row per index and day, seven days a unit: those before as_of_week; a version belongs to the "
        "week of one index."
    ),
    value_descriptions={
        "level": "Index level (price return, chain-linked, base value as in its definition); null while unavailable.",
        "status": "available, or unavailable below the minimum of constituents or of priced weight.",
        "status_reason": "Why the level is unavailable; null while it is available.",
    },
)

_MOONSHOT_CHECKS = {
    "is_grade_high": "Trader grade high.",
    "is_momentum_surging": "Price momentum surging.",
    "is_narrative_early": "The narrative is early.",
    "is_community_growing": "The community is growing.",
    "is_developer_activity_rising": "Developer activity is rising.",
    "is_large_holder_inflow": "Large holders are adding.",
    "is_volume_surging_with_price": "Volume is surging along with the price.",
    "is_bullish_repeated": "Called bullish repeatedly.",
    "is_newly_listed": "Newly listed.",
    "is_free_of_major_unlock": "No major unlock ahead.",
}

_RANKING_VALUES = {"ranked_by": "VARCHAR", "p_2x_90d": "DOUBLE", "p_3x_90d": "DOUBLE"}
_RANKING_DESCRIPTIONS = {
    "ranked_by": "What the week's order follows: p_2x_90d where the week has chances, else score.",
    "p_2x_90d": "Calibrated probability (0-1) of three consecutive closes at 2 times the entry or more within 90 days; null without.",
    "p_3x_90d": "The same of 3 times the entry.",
}

MOONSHOTS = VersionedTable(
    schema="screens",
    name="moonshots",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "rank": "INTEGER",
        "symbol": "VARCHAR",
        "score": "DOUBLE",
        **dict.fromkeys(_MOONSHOT_CHECKS, "BOOLEAN"),
        "checks_true": "INTEGER",
        "checks_known": "INTEGER",
        "evidence": "VARCHAR",
        "risk_flags": "VARCHAR",
        "price_usd": "DOUBLE",
        "market_cap_usd": "DOUBLE",
        **_RANKING_VALUES,
        "candidates": "INTEGER",
        "warnings_checked": "INTEGER",
        "cap_bucket": "VARCHAR",
        "volatility_bucket": "VARCHAR",
        "base_rate_2x_90d": "DOUBLE",
        "base_rate_3x_90d": "DOUBLE",
        "base_rate_half_90d": "DOUBLE",
        "base_rate_observations": "BIGINT",
        "risk_class": "VARCHAR",
        "risk_marks": "VARCHAR",
        "position_weight": "DOUBLE",
        "position_limit": "VARCHAR",
        "entry_low_usd": "DOUBLE",
        "entry_high_usd": "DOUBLE",
        "stop_usd": "DOUBLE",
        "stop_basis": "VARCHAR",
        "target_1_usd": "DOUBLE",
        "target_1_share": "DOUBLE",
        "target_2_usd": "DOUBLE",
        "target_2_share": "DOUBLE",
        "target_3_usd": "DOUBLE",
        "target_3_share": "DOUBLE",
        "expiry_date": "DATE",
        "rationale": "VARCHAR",
        "research_card": "VARCHAR",
    },
    description="Low-cap early movers, one row per week and picked token; a version belongs to the week.",
    value_descriptions={
        "rank": "Place in the screen, 1 is best.",
        "symbol": _SYMBOL,
        "score": "Share of the known checklist items that hold, weighted and shrunk (0-100).",
        **{column: f"Checklist: {text} Null where unknown." for column, text in _MOONSHOT_CHECKS.items()},
        "checks_true": "Number of checklist items that are true.",
        "checks_known": "Number of checklist items that are known.",
        "evidence": "Numbers behind each item, their date and threshold (JSON text).",
        "risk_flags": "Names of the raised warnings that do not exclude, comma-separated; empty where there are none.",
        "price_usd": "Close of the Sunday before as_of_week, in USD.",
        "market_cap_usd": "Market capitalisation at that close, in USD.",
        **_RANKING_DESCRIPTIONS,
        "candidates": "Number of tokens that were ranked: those of the universe that nothing excludes.",
        "warnings_checked": "Number of warnings that could be checked; null where the week has not been judged.",
        "cap_bucket": "Bucket of the market cap in screens.base_rates; all where fewer than 100 windows of both had ended.",
        "volatility_bucket": "Bucket of the 30-day volatility in screens.base_rates.",
        "base_rate_2x_90d": "Share (0-1) of earlier windows of both buckets that held 2 times the entry, as known before the week.",
        "base_rate_3x_90d": "The same of 3 times the entry.",
        "base_rate_half_90d": "Share (0-1) of them that lost half or stopped.",
        "base_rate_observations": "Number of windows behind these shares; they overlap.",
        "risk_class": "medium, high (one mark) or extreme (more): volatile, thinly traded, tiny, young; no pick is of low risk.",
        "risk_marks": "The marks in words, '; ' between; empty where there are none.",
        "position_weight": "Largest fraction of capital for this pick; null where volatility or volume is unknown.",
        "position_limit": "What bounds the size: volatility, liquidity, maximum, or total (the sum of the week's picks).",
        "entry_low_usd": "Lower end of the entry zone in USD; null where no range is known.",
        "entry_high_usd": "Upper end of the entry zone in USD: dearer, the idea is gone.",
        "stop_usd": "Price in USD below which the idea has failed.",
        "stop_basis": "What the distance of the stop rests on: the average true range, or moves between closes where highs are unknown.",
        **{
            name: text
            for number in (1, 2, 3)
            for name, text in (
                (f"target_{number}_usd", f"Price in USD of target {number}, a multiple of price_usd."),
                (f"target_{number}_share", f"Fraction (0-1) of the position sold at target {number}."),
            )
        },
        "expiry_date": "Day (UTC) on which the idea ends whatever the price; the rest is sold.",
        "rationale": "Why it is picked, what speaks against it, and the odds, in words.",
        "research_card": "Links, contracts, known figures and open questions (JSON text); links are unchecked texts from outside.",
    },
)

MOONSHOT_CANDIDATES = VersionedTable(
    schema="screens",
    name="moonshot_candidates",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "place": "INTEGER",
        "symbol": "VARCHAR",
        **_RANKING_VALUES,
        "score": "DOUBLE",
        "checks_true": "INTEGER",
        "checks_known": "INTEGER",
        "risk_flags": "VARCHAR",
        "is_pick": "BOOLEAN",
        "exclusion_reasons": "VARCHAR",
        "price_usd": "DOUBLE",
        "market_cap_usd": "DOUBLE",
    },
    description=(
        "The best 50 tokens of the screen's universe, whatever warns of them, and why each is not picked: one row per week and token; "
        "a version belongs to the week."
    ),
    value_descriptions={
        "place": "Place in the universe by what the week is ranked by, warnings left aside, 1 is best.",
        "symbol": _SYMBOL,
        **_RANKING_DESCRIPTIONS,
        "score": "Share of the known checklist items that hold, weighted and shrunk (0-100).",
        "checks_true": "Number of checklist items that are true.",
        "checks_known": "Number of checklist items that are known.",
        "risk_flags": "Names of all raised warnings, comma-separated; empty where there are none.",
        "is_pick": "Whether it is one of the picks of the week.",
        "exclusion_reasons": "Why it is not, '; ' between; null for a pick.",
        "price_usd": "Close of the Sunday before as_of_week, in USD.",
        "market_cap_usd": "Market capitalisation at that close, in USD.",
    },
)

BASE_RATES = VersionedTable(
    schema="screens",
    name="base_rates",
    unit_columns=("as_of_week",),
    key_columns=("cap_bucket", "volatility_bucket", "outcome", "horizon_days"),
    value_columns={
        "observations": "BIGINT",
        "hits": "BIGINT",
        "share": "DOUBLE",
        "share_low": "DOUBLE",
        "share_high": "DOUBLE",
        "touched_share": "DOUBLE",
        "stopped_share": "DOUBLE",
        "tokens": "BIGINT",
        "blocks": "BIGINT",
        "effective_observations": "DOUBLE",
    },
    description=(
        "How often tokens of a size and volatility reached a multiple or lost half, over all windows that had ended before the week: "
        "one row per week, buckets, outcome and horizon; a version belongs to the week. Entry is the close of the Monday after the "
        "Sunday that gives the buckets."
    ),
    value_descriptions={
        "observations": "Number of windows (token and week of entry) that had ended; they overlap.",
        "hits": "Of these, the number with the outcome. Prices that stopped count as half lost.",
        "share": "hits / observations, a fraction (0-1).",
        "share_low": "Lower end of the 95 % interval (fraction), windows of one quarter (year, for 365 days) as a cluster; null below 2.",
        "share_high": "Upper end of the same interval (fraction).",
        "touched_share": "Fraction (0-1) of windows in which a single close sufficed; it counts spikes nobody could sell into.",
        "stopped_share": "Fraction (0-1) of windows in which the token's prices stopped.",
        "tokens": "Number of different tokens.",
        "blocks": "Number of quarters (years, for 365 days) in which the windows began.",
        "effective_observations": "Number of independent windows that would give the same interval.",
    },
)

TOKEN_WARNINGS = VersionedTable(
    schema="screens",
    name="token_warnings",
    unit_columns=("as_of_week",),
    key_columns=("token_id", "warning"),
    value_columns={"is_excluding": "BOOLEAN", "value": "DOUBLE", "threshold": "DOUBLE", "reason": "VARCHAR"},
    description=(
        "Warnings of the scam and pump filter that stand, one row per week, token and warning; a version belongs to the week. Only raised "
        "warnings are rows: screens.warning_coverage says of whom which could be asked. `geckoterminal:network_address` is a token that "
        "only a pool is known of."
    ),
    value_descriptions={
        "is_excluding": "Whether the token is kept out of picks for it; others are shown.",
        "value": "What is judged, in the unit of the warning.",
        "threshold": "What it is judged by, in the same unit.",
        "reason": "The warning in words, with its numbers.",
    },
)

WARNING_COVERAGE = VersionedTable(
    schema="screens",
    name="warning_coverage",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "is_low_cap": "BOOLEAN",
        "is_graded": "BOOLEAN",
        "warnings_checked": "INTEGER",
        "warnings_total": "INTEGER",
        "warnings_raised": "INTEGER",
        "is_excluded": "BOOLEAN",
        "not_checked": "VARCHAR",
    },
    description=(
        "Whom the scam and pump filter judged and how much of it could be asked, one row per week and token: graded ones, all with a "
        "claimed cap of 1 M USD or more, and tokens of pools that were read. A version belongs to the week."
    ),
    value_descriptions={
        "is_low_cap": "Claimed cap of 1 to 50 M USD at the close of the Sunday before.",
        "is_graded": "In the broad universe at that close.",
        "warnings_checked": "Number of warnings whose sources are there.",
        "warnings_total": "Number of warnings there are.",
        "warnings_raised": "Number of warnings that stand.",
        "is_excluded": "Whether an excluding one is among them.",
        "not_checked": "Names of the warnings whose source is absent, comma-separated; null where none is.",
    },
)

MOONSHOT_CHANCES = VersionedTable(
    schema="screens",
    name="moonshot_chances",
    unit_columns=("as_of_week",),
    key_columns=("token_id",),
    value_columns={
        "symbol": "VARCHAR",
        "p_2x_90d": "DOUBLE",
        "p_3x_90d": "DOUBLE",
        "price_usd": "DOUBLE",
        "market_cap_usd": "DOUBLE",
        "volatility_30d": "DOUBLE",
        "volatility_quintile": "INTEGER",
        "cap_tercile": "INTEGER",
    },
    description=(
        "Chances of small tokens to double or treble within 90 days and hold it, one row per week and token of the low-cap universe; a "
        "version belongs to the week. Whether they beat a sort by volatility is what screens.moonshot_record says."
    ),
    value_descriptions={
        "symbol": _SYMBOL,
        "p_2x_90d": "Probability (0-1) of three consecutive closes at or above twice the next day's close, within 90 days of it.",
        "p_3x_90d": "The same (0-1) of three times.",
        "price_usd": "Close of the Sunday before as_of_week, in USD.",
        "market_cap_usd": "Market capitalisation at that close, in USD.",
        "volatility_30d": "Annualised volatility of 30 days at that close (fraction); null where unknown.",
        "volatility_quintile": "Fifth of the universe of the week by it, a count from 1, the calmest; null where unknown.",
        "cap_tercile": "Third of the universe of the week by market capitalisation, a count from 1, the smallest.",
    },
)

VERSIONED_TABLES: tuple[VersionedTable, ...] = (
    TRADER_GRADES,
    INVESTOR_GRADES,
    DAILY_GRADES,
    TRADING_SIGNALS,
    DAILY_SIGNALS,
    PRICE_RANGES,
    GRADE_EXPLANATIONS,
    SUB_GRADES,
    TRADE_ACTIONS,
    MODEL_EVALUATION,
    INVESTOR_EVALUATION,
    CALL_OUTCOMES,
    MODEL_MONITOR,
    CONFIDENCE,
    BULL_BEAR,
    COMPOSITIONS,
    REBALANCES,
    LEVELS,
    MOONSHOT_CHANCES,
    MOONSHOTS,
    MOONSHOT_CANDIDATES,
    BASE_RATES,
    TOKEN_WARNINGS,
    WARNING_COVERAGE,
)
"""Every versioned table of the project; what is not here is rebuilt, not versioned."""
