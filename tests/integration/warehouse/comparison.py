"""What a warehouse said up to an instant, and where two of them differ."""

from datetime import date

import polars as pl

from orchestration.lib.weeks import instant_of
from tests.integration.warehouse.scratch import ScratchWarehouse

RELATIVE = 1e-9
ABSOLUTE = 1e-12
"""What is left of a difference of equal prices: a rolling mean that began on another day rounds the other way."""
ONE_ULP = 2.0**-23
"""Largest relative distance of two neighbouring floats of single precision."""

SCHEMAS = ("intermediate", "marts", "quality")

FIRST_PRICE = "(select min(daily.market_date) from marts.fct_daily as daily where daily.token_id = known.token_id)"
SINCE_PRICED = f"case when {FIRST_PRICE} > valid_from then {FIRST_PRICE} else coalesce(valid_from, {FIRST_PRICE}) end"
"""When a row that may be undated is there: not before its token has a price."""

BORN = {
    "marts.dim_tokens": "valid_from",
    "marts.dim_token_sectors": SINCE_PRICED,
    "marts.dim_token_ids": SINCE_PRICED,
    "marts.dim_token_links": SINCE_PRICED,
    "marts.fct_listings": "listed_date",
    "intermediate.int_perpetuals_linked": "linked_date",
    "intermediate.int_series_linked": "linked_date",
    "intermediate.int_series_names": "named_date",
    "intermediate.int_series_candidates": "named_date",
    "intermediate.int_series_backdated": "known_date",
    "intermediate.int_coinmarketcap_doubles": "doubled_date",
    "intermediate.int_coinmetrics_linked": "linked_date",
    "intermediate.int_sector_memberships": SINCE_PRICED,
    "intermediate.int_token_namings": SINCE_PRICED,
    # Classes come from undated lists, flags and names (is_hindsight).
    "intermediate.int_token_classes": FIRST_PRICE,
}
"""Day from which a row of a table without `market_date` exists; `known` is the table."""

OF_THE_BUILD = {
    "intermediate.rebuilt_days": "which days the last build computed",
    "intermediate.first_rebuilt_days": "which days the last build computed",
    "intermediate.node_ancestors": "what stands before a model, which is code",
    "intermediate.int_unlock_releases": "schedules as they stand on the newest day",
    "marts.fct_unlock_calendar": "what lies ahead of the newest day",
    "marts.fct_unlock_months": "what lies ahead of the newest day",
}
"""Relations that say how a warehouse was built or how things stand on its newest day, and nothing of earlier days."""

UNDATED = {
    "marts.feature_catalogue": "the catalogue is code",
    "marts.dim_exchanges": "fees as they are listed now",
}

CURRENT_STATE = {
    "marts.dim_tokens": {
        "valid_to": "the day the next row begins",
        "is_current": "whether there is a next row",
        "is_recently_renamed": "counted back from as_of",
        "is_stable": "pegged by price on its newest day; fct_universe_daily.is_stable is the dated one",
        "last_date": "the newest day with a price",
    },
    "marts.dim_token_sectors": {"valid_to": "the day it ended"},
    "marts.dim_token_ids": {"valid_to": "the day it ended, or the id became another token"},
    "marts.dim_token_links": {"valid_to": "the day it ended, or became another token's"},
    "intermediate.int_sector_memberships": {"valid_to": "the day it ended"},
    "intermediate.int_coinmetrics_linked": {"valid_to": "the day an override began or ended"},
    "intermediate.int_series_candidates": {
        "same_name_date": "a day that counts from itself on",
        "has_name_date": "a day that counts from itself on",
        "rival_dates": "days that count from themselves on",
    },
}
"""Columns that say how things stand now, with the reason; no model, index or screen may take history from them."""


def differences(
    one: ScratchWarehouse, other: ScratchWarehouse, week: date, *, single_relative: float = RELATIVE
) -> dict[str, str]:
    """Where the relations of two warehouses differ in what was known at Monday `week`, in words, by relation.

    Args:
        one: A warehouse.
        other: Another one, whose relations are compared.
        week: Monday.
        single_relative: Largest relative difference of floats of single precision.
    """
    found = {}
    with one.opened(), other.opened():
        for relation in set(other.relations(*SCHEMAS)) - set(OF_THE_BUILD):
            difference = first_difference(
                known_rows(one, relation, week),
                known_rows(other, relation, week),
                single_relative=single_relative,
            )
            if difference is not None:
                found[relation] = difference
    return found


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
    rows = warehouse.query(f"select * from {relation} as known where {condition}").drop(left_out)
    exact = [name for name, dtype in rows.schema.items() if not dtype.is_float()]
    return rows.sort(exact + [name for name in rows.columns if name not in exact], nulls_last=True)


def first_difference(one: pl.DataFrame, other: pl.DataFrame, *, single_relative: float = RELATIVE) -> str | None:
    """Where two frames of `known_rows` first differ, in words; None where they are equal.

    Floats may differ by `RELATIVE` of the greater, those of single precision by `single_relative`, both by `ABSOLUTE`; all else
    must be equal.
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
            is_equal = is_equal | pl.select(
                (left - right).abs() <= ABSOLUTE + relative * largest
            ).to_series().fill_null(value=False)
        if not is_equal.all():
            at = (~is_equal).arg_max()
            return (
                f"{name}: {(~is_equal).sum()} of {one.height} rows, such as {one.row(at, named=True)} and {right[at]}"
            )
    return None
