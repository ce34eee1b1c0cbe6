"""All warnings of the filter over a frame of token-weeks: those that stand, and how many could be checked.

Belongs here: the settings of the whole filter, the list of warnings, the two frames that come of them.
Does not: any single warning (the module of its subject), reading (`orchestration/lib/filter_inputs.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.screens.scam_filter.fake_cap import FakeCapThresholds, fake_cap_warnings
from models_ml.screens.scam_filter.holders import HolderThresholds, holder_warnings
from models_ml.screens.scam_filter.identity import IdentityThresholds, identity_warnings
from models_ml.screens.scam_filter.inputs import INPUT_SCHEMA
from models_ml.screens.scam_filter.pools import PoolThresholds, pool_warnings
from models_ml.screens.scam_filter.pump_shape import PumpThresholds, pump_warnings
from models_ml.screens.scam_filter.thin_liquidity import ThinLiquidityThresholds, thin_liquidity_warnings
from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning
from models_ml.screens.scam_filter.wash_volume import WashVolumeThresholds, wash_volume_warnings

KEYS = ("as_of_week", "token_id")


class FilterSettings(Thresholds):
    """Thresholds of every subject; frozen, unknown keys forbidden."""

    wash_volume: WashVolumeThresholds = WashVolumeThresholds()
    thin_liquidity: ThinLiquidityThresholds = ThinLiquidityThresholds()
    fake_cap: FakeCapThresholds = FakeCapThresholds()
    pump: PumpThresholds = PumpThresholds()
    identity: IdentityThresholds = IdentityThresholds()
    pools: PoolThresholds = PoolThresholds()
    holders: HolderThresholds = HolderThresholds()


def all_warnings(settings: FilterSettings) -> tuple[TokenWarning, ...]:
    """Every warning, in the order in which they are shown."""
    return (
        *wash_volume_warnings(settings.wash_volume),
        *thin_liquidity_warnings(settings.thin_liquidity),
        *fake_cap_warnings(settings.fake_cap),
        *pump_warnings(settings.pump),
        *identity_warnings(settings.identity),
        *pool_warnings(settings.pools),
        *holder_warnings(settings.holders),
    )


WARNING_NAMES: tuple[str, ...] = tuple(warning.name for warning in all_warnings(FilterSettings()))


def raised_warnings(inputs: pl.DataFrame, settings: FilterSettings) -> pl.DataFrame:
    """The warnings that stand.

    Args:
        inputs: One row a token and week, columns of `INPUT_SCHEMA`.
        settings: Thresholds.

    Returns:
        One row a week, token and warning that stands, by these: as_of_week, token_id, warning, is_excluding, value, threshold, reason.

    Raises:
        ValueError: A column is missing, or a token is there twice in a week.
    """
    rows = _checked(inputs)
    found = [
        rows.filter(warning.stands).select(
            *KEYS,
            pl.lit(warning.name).alias("warning"),
            warning.is_excluding.cast(pl.Boolean).alias("is_excluding"),
            warning.value.cast(pl.Float64).alias("value"),
            warning.threshold.cast(pl.Float64).alias("threshold"),
            warning.reason.alias("reason"),
        )
        for warning in all_warnings(settings)
    ]
    return pl.concat(found).sort(*KEYS, "warning")


def warning_coverage(inputs: pl.DataFrame, settings: FilterSettings) -> pl.DataFrame:
    """How much of the filter could be asked of each token-week, and what it says in sum.

    Args:
        inputs: As in `raised_warnings`.
        settings: Thresholds.

    Returns:
        One row a row of the inputs, by week and token: as_of_week, token_id, is_low_cap, is_graded, warnings_checked, warnings_total,
        warnings_raised, is_excluded, not_checked (names of the warnings whose source is absent, comma-separated, null where none is).

    Raises:
        ValueError: As in `raised_warnings`.
    """
    warnings = all_warnings(settings)
    absent = pl.concat_str(
        [pl.when(~warning.is_checked).then(pl.lit(warning.name)) for warning in warnings],
        separator=", ",
        ignore_nulls=True,
    )
    return (
        _checked(inputs)
        .select(
            *KEYS,
            "is_low_cap",
            "is_graded",
            warnings_checked=pl.sum_horizontal(warning.is_checked for warning in warnings).cast(pl.Int64),
            warnings_total=pl.lit(len(warnings), pl.Int64),
            warnings_raised=pl.sum_horizontal(warning.stands for warning in warnings).cast(pl.Int64),
            is_excluded=pl.any_horizontal(
                warning.stands & warning.is_excluding.fill_null(value=False) for warning in warnings
            ),
            not_checked=pl.when(absent != "").then(absent),
        )
        .sort(*KEYS)
    )


def _checked(inputs: pl.DataFrame) -> pl.DataFrame:
    missing = [column for column in INPUT_SCHEMA if column not in inputs.columns]
    if missing:
        raise ValueError(f"the inputs of the filter lack {', '.join(missing)}; give what has no source as nulls")
    rows = inputs.select(pl.col(name).cast(dtype) for name, dtype in INPUT_SCHEMA.items())
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    twice = rows.filter(pl.struct(KEYS).is_duplicated())
    if not twice.is_empty():
        week, token_id = twice.select(KEYS).row(0)
        raise ValueError(f"{token_id} is there more than once in the week {week}; pass one row a token and week")
    return rows
