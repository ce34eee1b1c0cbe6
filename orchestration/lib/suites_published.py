"""What must hold of what leaves: unique keys, weights and probabilities that sum to one, grades in 0-100, levels > 0.

Each suite is for rows of a `<table>_current` view, of one unit or of many. All of it is critical: publishing a number
that breaks one of these would be wrong.

Belongs here: expectations of versioned tables. Does not: running them (`expectations.py`), checks across tables.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pandas as pd

from models_ml.learning.actions import ACTIONS, CONFIRMATIONS, ENTER_IN_FULL, ENTER_SMALL
from models_ml.screens.base_rates import ALL, CAP_BUCKETS, HORIZONS_DAYS, OUTCOMES, VOLATILITY_BUCKETS
from models_ml.screens.moonshots import BY_CHANCE, BY_SCORE
from models_ml.screens.plan import RISK_CLASSES, PlanSettings
from models_ml.screens.scam_filter.token_warnings import WARNING_NAMES
from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.versioned_tables import (
    BASE_RATES,
    BULL_BEAR,
    CALL_OUTCOMES,
    COMPOSITIONS,
    CONFIDENCE,
    DAILY_GRADES,
    DAILY_SIGNALS,
    GRADE_EXPLANATIONS,
    INVESTOR_EVALUATION,
    INVESTOR_GRADES,
    LEVELS,
    MODEL_EVALUATION,
    MODEL_MONITOR,
    MOONSHOT_CANDIDATES,
    MOONSHOT_CHANCES,
    MOONSHOTS,
    PRICE_RANGES,
    REBALANCES,
    SUB_GRADES,
    TOKEN_WARNINGS,
    TRADE_ACTIONS,
    TRADER_GRADES,
    TRADING_SIGNALS,
    WARNING_COVERAGE,
    VersionedTable,
)

SUM_TOLERANCE = 1e-6
PROBABILITIES = ("p_bullish", "p_neutral", "p_bearish")
CORRELATIONS = ("rank_ic", "rank_ic_lag1", "partial_rank_ic")
DAYS_A_WEEK = 7
PLANNED_PRICES = (
    ("entry_low_usd", "stop_usd"),
    ("entry_high_usd", "entry_low_usd"),
    ("target_1_usd", "entry_high_usd"),
    ("target_2_usd", "target_1_usd"),
    ("target_3_usd", "target_2_usd"),
)
"""Prices of a pick's plan, the higher one first."""


def trader_grades_suite() -> list[ExpectationSpec]:
    """Expectations of learning.trader_grades."""
    return _grades(TRADER_GRADES, "trader")


def investor_grades_suite() -> list[ExpectationSpec]:
    """Expectations of learning.investor_grades."""
    return _grades(INVESTOR_GRADES, "investor")


def _grades(table: VersionedTable, head: str) -> list[ExpectationSpec]:
    return [
        *_keys(table),
        _known(f"{head}_rank"),
        _known("score"),
        _between(f"{head}_grade", 0, 100),
        _between(f"{head}_rank", 0, 100),
        _between("coverage", 0, 1),
    ]


def daily_grades_suite() -> list[ExpectationSpec]:
    """Expectations of learning.daily_grades."""
    grades = ("trader_grade", "trader_rank", "investor_grade", "investor_rank")
    return [*_keys(DAILY_GRADES), _known("trader_score"), *(_between(column, 0, 100) for column in grades)]


def trading_signals_suite() -> list[ExpectationSpec]:
    """Expectations of learning.trading_signals."""
    return _calls(TRADING_SIGNALS)


def daily_signals_suite() -> list[ExpectationSpec]:
    """Expectations of learning.daily_signals."""
    return _calls(DAILY_SIGNALS)


def _calls(table: VersionedTable) -> list[ExpectationSpec]:
    return [
        *_keys(table),
        _known("signal"),
        _known("signal_since_date"),
        ExpectationSpec("expect_column_values_to_be_in_set", "signal", {"value_set": [-1, 0, 1]}),
        *(check for column in PROBABILITIES for check in (_known(column), _between(column, 0, 1))),
        _sums_to_one("probability_sum", lambda rows: rows[list(PROBABILITIES)].sum(axis="columns")),
    ]


def price_ranges_suite() -> list[ExpectationSpec]:
    """Expectations of learning.price_ranges."""
    return [
        *_keys(PRICE_RANGES),
        _between("price_usd", 0, None, strict_min=True),
        _between("return_low", -1, 0),
        _between("return_high", 0, None),
    ]


def grade_explanations_suite() -> list[ExpectationSpec]:
    """Expectations of learning.grade_explanations."""
    return [*_keys(GRADE_EXPLANATIONS), *(_known(column) for column in ("feature", "contribution", "sentence"))]


def sub_grades_suite() -> list[ExpectationSpec]:
    """Expectations of learning.sub_grades."""
    basis = ExpectationSpec("expect_column_values_to_be_in_set", "basis", {"value_set": ["model", "descriptive"]})
    return [*_keys(SUB_GRADES), _between("grade", 0, 100), _between("coverage", 0, 1), basis]


def trade_actions_suite() -> list[ExpectationSpec]:
    """Expectations of learning.trade_actions; whoever asks for no position gets none."""
    return [
        *_keys(TRADE_ACTIONS),
        *(_known(column) for column in ("signal", "action", "action_reason", "confirmations_true")),
        ExpectationSpec("expect_column_values_to_be_in_set", "action", {"value_set": list(ACTIONS)}),
        _between("position_weight", 0, 1),
        _between("weight_without_entry", 0, 0, _weight_without_entry),
        _between("peer_share", 0, 1),
        _between("closes_on_side", 0, DAYS_A_WEEK),
        _between("confirmations_known", 0, len(CONFIRMATIONS)),
        ExpectationSpec(
            "expect_column_pair_values_a_to_be_greater_than_b",
            None,
            {"column_A": "confirmations_known", "column_B": "confirmations_true", "or_equal": True},
        ),
    ]


def model_evaluation_suite() -> list[ExpectationSpec]:
    """Expectations of learning.model_evaluation."""
    return _evaluation(MODEL_EVALUATION)


def investor_evaluation_suite() -> list[ExpectationSpec]:
    """Expectations of learning.investor_evaluation."""
    return _evaluation(INVESTOR_EVALUATION)


def _evaluation(table: VersionedTable) -> list[ExpectationSpec]:
    return [
        *_keys(table),
        _known("value"),
        _between("correlation", -1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE, _correlation),
    ]


def model_monitor_suite() -> list[ExpectationSpec]:
    """Expectations of learning.model_monitor."""
    return [*_keys(MODEL_MONITOR), _known("value"), _between("value", 0, None)]


def confidence_suite() -> list[ExpectationSpec]:
    """Expectations of learning.confidence."""
    shares = [column for column in CONFIDENCE.value_columns if column != "symbol"]
    return [*_keys(CONFIDENCE), *(_between(column, 0, 1) for column in shares)]


def call_outcomes_suite() -> list[ExpectationSpec]:
    """Expectations of learning.call_outcomes."""
    origins = ExpectationSpec(
        "expect_column_values_to_be_in_set", "call_origin", {"value_set": ["published", "backfilled"]}
    )
    return [*_keys(CALL_OUTCOMES), _known("signal"), origins, _between("return_14d", -1, None)]


def bull_bear_suite() -> list[ExpectationSpec]:
    """Expectations of learning.bull_bear."""
    shares = ("bullish_share", "bearish_share")
    return [
        *_keys(BULL_BEAR),
        *(_between(column, 0, 1) for column in shares),
        _between("share_sum", 0, 1 + SUM_TOLERANCE, lambda rows: rows[list(shares)].sum(axis="columns")),
        _between("tokens", 0, None),
    ]


def compositions_suite() -> list[ExpectationSpec]:
    """Expectations of indices.compositions."""
    return [
        *_keys(COMPOSITIONS),
        _known("weight"),
        _between("weight", 0, 1 + SUM_TOLERANCE),
        _sums_to_one("weight_sum", _sum_of_unit(COMPOSITIONS, "weight")),
    ]


def rebalances_suite() -> list[ExpectationSpec]:
    """Expectations of indices.rebalances."""
    return [
        *_keys(REBALANCES),
        _known("target_weight"),
        _between("target_weight", 0, 1 + SUM_TOLERANCE),
        _sums_to_one("target_weight_sum", _sum_of_unit(REBALANCES, "target_weight")),
    ]


def levels_suite() -> list[ExpectationSpec]:
    """Expectations of indices.levels; a level is missing only where the index is unavailable for a given reason."""
    return [
        *_keys(LEVELS),
        _known("status"),
        _between("level", 0, None, strict_min=True),
        ExpectationSpec(
            "expect_column_values_to_be_in_set",
            "is_level_accounted_for",
            {"value_set": [True]},
            derive=_is_level_accounted_for,
        ),
        _between("days_of_unit", 1, DAYS_A_WEEK, _rows_of_unit(LEVELS)),
    ]


def moonshots_suite() -> list[ExpectationSpec]:
    """Expectations of screens.moonshots."""
    return [
        *_keys(MOONSHOTS),
        _known("rank"),
        _between("rank", 1, None),
        ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": ["as_of_week", "rank"]}),
        _between("checks_known", 0, 10),
        ExpectationSpec(
            "expect_column_pair_values_a_to_be_greater_than_b",
            None,
            {"column_A": "checks_known", "column_B": "checks_true", "or_equal": True},
        ),
        _between("price_usd", 0, None, strict_min=True),
        _between("market_cap_usd", 0, None, strict_min=True),
        *(_between(column, 0, 1) for column in ("p_2x_90d", "p_3x_90d", "base_rate_2x_90d", "base_rate_half_90d")),
        _between("position_weight", 0, PlanSettings().largest_weight),
        _between("stop_usd", 0, None, strict_min=True),
        *(_above(larger, smaller) for larger, smaller in PLANNED_PRICES),
        ExpectationSpec("expect_column_values_to_be_in_set", "risk_class", {"value_set": list(RISK_CLASSES)}),
        ExpectationSpec("expect_column_values_to_be_in_set", "ranked_by", {"value_set": [BY_CHANCE, BY_SCORE]}),
    ]


def moonshot_candidates_suite() -> list[ExpectationSpec]:
    """Expectations of screens.moonshot_candidates."""
    return [
        *_keys(MOONSHOT_CANDIDATES),
        _known("place"),
        _between("place", 1, None),
        ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": ["as_of_week", "place"]}),
        _known("is_pick"),
        _between("p_2x_90d", 0, 1),
        _above("checks_known", "checks_true", or_equal=True),
    ]


def _above(larger: str, smaller: str, *, or_equal: bool = False) -> ExpectationSpec:
    columns = {"column_A": larger, "column_B": smaller}
    ignored = {"ignore_row_if": "either_value_is_missing"}
    return ExpectationSpec(
        "expect_column_pair_values_a_to_be_greater_than_b", None, {**columns, **ignored, "or_equal": or_equal}
    )


def base_rates_suite() -> list[ExpectationSpec]:
    """Expectations of screens.base_rates; the interval holds the share."""
    known = {
        "cap_bucket": [*CAP_BUCKETS, ALL],
        "volatility_bucket": [*VOLATILITY_BUCKETS, ALL],
        "outcome": list(OUTCOMES),
        "horizon_days": list(HORIZONS_DAYS),
    }
    ordered = (("observations", "hits"), ("share", "share_low"), ("share_high", "share"), ("observations", "tokens"))
    return [
        *_keys(BASE_RATES),
        *(
            ExpectationSpec("expect_column_values_to_be_in_set", column, {"value_set": names})
            for column, names in known.items()
        ),
        *(_known(column) for column in ("observations", "hits", "share")),
        _between("observations", 1, None),
        *(_between(column, 0, 1) for column in ("share", "touched_share", "stopped_share")),
        *(
            ExpectationSpec(
                "expect_column_pair_values_a_to_be_greater_than_b",
                None,
                {
                    "column_A": larger,
                    "column_B": smaller,
                    "or_equal": True,
                    "ignore_row_if": "either_value_is_missing",
                },
            )
            for larger, smaller in ordered
        ),
    ]


def token_warnings_suite() -> list[ExpectationSpec]:
    """Expectations of screens.token_warnings: a warning stands for a known number and says why."""
    return [
        *_keys(TOKEN_WARNINGS),
        _known("is_excluding"),
        _known("value"),
        _known("threshold"),
        _known("reason"),
        ExpectationSpec("expect_column_values_to_be_in_set", "warning", {"value_set": list(WARNING_NAMES)}),
    ]


def warning_coverage_suite() -> list[ExpectationSpec]:
    """Expectations of screens.warning_coverage: what is raised was checked, and what was checked is there."""
    return [
        *_keys(WARNING_COVERAGE),
        _known("is_excluded"),
        _between("warnings_raised", 0, None),
        *(
            ExpectationSpec(
                "expect_column_pair_values_a_to_be_greater_than_b",
                None,
                {"column_A": more, "column_B": less, "or_equal": True},
            )
            for more, less in (("warnings_total", "warnings_checked"), ("warnings_checked", "warnings_raised"))
        ),
    ]


def moonshot_chances_suite() -> list[ExpectationSpec]:
    """Expectations of screens.moonshot_chances; whoever holds the treble has held the double."""
    chances = ("p_2x_90d", "p_3x_90d")
    return [
        *_keys(MOONSHOT_CHANCES),
        *(check for column in chances for check in (_known(column), _between(column, 0, 1))),
        ExpectationSpec(
            "expect_column_pair_values_a_to_be_greater_than_b",
            None,
            {"column_A": "p_2x_90d", "column_B": "p_3x_90d", "or_equal": True},
        ),
        _between("price_usd", 0, None, strict_min=True),
        _between("market_cap_usd", 0, None, strict_min=True),
        _between("volatility_30d", 0, None),
        _between("volatility_quintile", 1, 5),
        _between("cap_tercile", 1, 3),
    ]


PUBLISHED_SUITES: Mapping[str, Callable[[], list[ExpectationSpec]]] = MappingProxyType(
    {
        TRADER_GRADES.full_name: trader_grades_suite,
        INVESTOR_GRADES.full_name: investor_grades_suite,
        DAILY_GRADES.full_name: daily_grades_suite,
        TRADING_SIGNALS.full_name: trading_signals_suite,
        DAILY_SIGNALS.full_name: daily_signals_suite,
        PRICE_RANGES.full_name: price_ranges_suite,
        GRADE_EXPLANATIONS.full_name: grade_explanations_suite,
        SUB_GRADES.full_name: sub_grades_suite,
        TRADE_ACTIONS.full_name: trade_actions_suite,
        MODEL_EVALUATION.full_name: model_evaluation_suite,
        INVESTOR_EVALUATION.full_name: investor_evaluation_suite,
        MODEL_MONITOR.full_name: model_monitor_suite,
        CONFIDENCE.full_name: confidence_suite,
        CALL_OUTCOMES.full_name: call_outcomes_suite,
        BULL_BEAR.full_name: bull_bear_suite,
        COMPOSITIONS.full_name: compositions_suite,
        REBALANCES.full_name: rebalances_suite,
        LEVELS.full_name: levels_suite,
        MOONSHOT_CHANCES.full_name: moonshot_chances_suite,
        MOONSHOTS.full_name: moonshots_suite,
        MOONSHOT_CANDIDATES.full_name: moonshot_candidates_suite,
        BASE_RATES.full_name: base_rates_suite,
        TOKEN_WARNINGS.full_name: token_warnings_suite,
        WARNING_COVERAGE.full_name: warning_coverage_suite,
    }
)
"""Suites by `schema.name` of the versioned table."""


def _keys(table: VersionedTable) -> list[ExpectationSpec]:
    columns = [*table.unit_columns, *table.key_columns]
    unique = ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": columns})
    return [*(_known(column) for column in columns), unique]


def _known(column: str) -> ExpectationSpec:
    return ExpectationSpec("expect_column_values_to_not_be_null", column)


def _between(
    column: str,
    low: float,
    high: float | None,
    derive: Callable[[pd.DataFrame], pd.Series] | None = None,
    *,
    strict_min: bool = False,
) -> ExpectationSpec:
    """Range of the known values; nulls pass."""
    limits = {"min_value": low, "strict_min": strict_min} | ({} if high is None else {"max_value": high})
    return ExpectationSpec("expect_column_values_to_be_between", column, limits, derive=derive)


def _sums_to_one(column: str, derive: Callable[[pd.DataFrame], pd.Series]) -> ExpectationSpec:
    return _between(column, 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE, derive)


def _sum_of_unit(table: VersionedTable, column: str) -> Callable[[pd.DataFrame], pd.Series]:
    def sums(rows: pd.DataFrame) -> pd.Series:
        return rows.groupby(list(table.unit_columns), dropna=False)[column].transform("sum")

    return sums


def _rows_of_unit(table: VersionedTable) -> Callable[[pd.DataFrame], pd.Series]:
    def counts(rows: pd.DataFrame) -> pd.Series:
        return rows.groupby(list(table.unit_columns), dropna=False)[table.key_columns[0]].transform("size")

    return counts


def _is_level_accounted_for(rows: pd.DataFrame) -> pd.Series:
    is_unavailable = (rows["status"] == "unavailable") & rows["status_reason"].notna()
    return rows["level"].notna() ^ is_unavailable


def _weight_without_entry(rows: pd.DataFrame) -> pd.Series:
    return rows["position_weight"].where(~rows["action"].isin([ENTER_IN_FULL, ENTER_SMALL]), 0.0)


def _correlation(rows: pd.DataFrame) -> pd.Series:
    return rows["value"].where(rows["metric"].isin(CORRELATIONS))
