"""What a warehouse said up to an instant, and where two of them differ."""

from datetime import date

import polars as pl

from orchestration.lib.weeks import instant_of
from tests.integration.warehouse.scratch import ScratchWarehouse

RELATIVE = 1e-9
ONE_ULP = 2.0**-23
"""Largest relative distance of two neighbouring floats of single precision."""

SCHEMAS = ("intermediate", "marts", "quality")

BORN = {
    "marts.dim_tokens": "first_date",
    "marts.fct_listings": "listed_date",
    "marts.dim_token_names": "coalesce(valid_from, date '1900-01-01')",
    "intermediate.int_perpetuals_linked": "linked_date",
    "intermediate.int_series_linked": "linked_date",
}
"""Day from which a row of a table without `market_date` exists."""

UNDATED = {
    "marts.feature_catalogue": "the catalogue is code",
    "intermediate.int_token_classes": "sectors and pegged classes come from undated lists (is_hindsight)",
}

CURRENT_STATE = {
    "marts.dim_tokens": {
        "symbol": "the newest name a token goes by",
        "name": "the newest name a token goes by",
        "is_stable": "pegged by price on its newest day; fct_universe_daily.is_stable is the dated one",
        "last_date": "the newest day with a price",
    },
    "marts.dim_token_names": {"valid_to": "the day a later name was first seen"},
}
"""Columns that say how things stand now, with the reason; no model, index or screen may take history from them."""


def known_rows(warehouse: ScratchWarehouse, relation: str, week: date) -> pl.DataFrame:
    """Rows of a relation that were known at Monday `week`, without columns of the current state, in a fixed order.

    By `available_at` where there is one, else by `market_date`, else by the day `BORN` names. A new relation without any of them
    fails here, until somebody says when its rows are known.
    """
    columns = warehouse.query(f"select * from {relation} limit 0").columns
    if relation in UNDATED:
        condition = "true"
    elif "available_at" in columns:
        condition = f"available_at <= '{instant_of(week).isoformat()}'::timestamptz"
    elif "market_date" in columns:
        condition = f"market_date < date '{week}'"
    else:
        assert relation in BORN, (
            f"{relation}: no available_at, no market_date; say in BORN or UNDATED when its rows are known"
        )
        condition = f"{BORN[relation]} < date '{week}'"
    left_out = CURRENT_STATE.get(relation, {})
    rows = warehouse.query(f"select * from {relation} where {condition}").drop(left_out)
    exact = [name for name, dtype in rows.schema.items() if not dtype.is_float()]
    return rows.sort(exact + [name for name in rows.columns if name not in exact], nulls_last=True)


def first_difference(one: pl.DataFrame, other: pl.DataFrame, *, single_relative: float = RELATIVE) -> str | None:
    """Where two frames of `known_rows` first differ, in words; None where they are equal.

    Floats may differ by `RELATIVE` of the greater, those of single precision by `single_relative`; all else must be equal.
    """
    if one.schema != other.schema:
        return f"columns: {one.schema} and {other.schema}"
    if one.height != other.height:
        keys = [name for name, dtype in one.schema.items() if not dtype.is_float()]
        extra = pl.concat(
            [
                one.join(other, on=keys, how="anti", nulls_equal=True),
                other.join(one, on=keys, how="anti", nulls_equal=True),
            ]
        )
        return f"{one.height} and {other.height} rows, such as {extra.head(3).to_dicts()}"
    for name, dtype in one.schema.items():
        left, right = one[name], other[name]
        is_equal = left.eq_missing(right)
        if dtype.is_float():
            relative = single_relative if dtype == pl.Float32 else RELATIVE
            largest = pl.max_horizontal(left.abs(), right.abs())
            is_equal = is_equal | pl.select((left - right).abs() <= relative * largest).to_series().fill_null(
                value=False
            )
        if not is_equal.all():
            at = (~is_equal).arg_max()
            return (
                f"{name}: {(~is_equal).sum()} of {one.height} rows, such as {one.row(at, named=True)} and {right[at]}"
            )
    return None
