"""What the rotation of each index costs and saves, from the index folded once more without it.

Belongs here: the table `indices.insurance`, written anew by every run. Does not: returns and falls (`models_ml.backtest.insurance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.backtest.insurance import price_of_insurance
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import fold
from models_ml.indices.market import MarketData
from models_ml.indices.state import new_state
from orchestration.lib.run_context import recorded_weeks
from orchestration.lib.versioned_tables import COMPOSITIONS
from orchestration.lib.weeks import mondays
from orchestration.lib.written_anew import write_anew

CREATE_TABLE = """create table if not exists indices.insurance
    (index_id varchar, year integer, return_with double, return_without double, given_up double, is_bull_year boolean,
    max_drawdown_with double, max_drawdown_without double, first_date date, last_date date)"""

UNINSURED = "{} without rotation"


def create_insurance_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table, which the api view needs before the first index is computed."""
    connection.execute(CREATE_TABLE)


def write_insurance(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[IndexDefinition], market: MarketData, until: date
) -> None:
    """Write the table anew, from the published levels and from levels that the same rules without rotation have.

    Indices that park empty places have none to compare with: without parking they would be another index.

    Args:
        connection: The warehouse with the table and the recorded weeks.
        definitions: The indices in force.
        market: `read_market`.
        until: As of.
    """
    insured = [each for each in definitions if each.rotation is not None and not each.parks_empty_places]
    ids = [each.index_id for each in insured]
    published = connection.execute(
        "select date, index_id, level from indices.levels_current where level is not null and index_id in (select unnest(?::varchar[]))",
        [ids],
    ).pl()
    frames = [published]
    for definition in insured:
        recorded = recorded_weeks(connection, COMPOSITIONS.full_name, index_id=definition.index_id)
        if not recorded:
            continue
        plain = definition.model_copy(update={"rotation": None})
        rows = [
            (day, UNINSURED.format(definition.index_id), level)
            for result in fold(plain, new_state(plain), mondays(min(recorded), until), market)
            for day, _, level in result.level_rows
        ]
        frames.append(pl.DataFrame(rows, schema=published.schema, orient="row"))
    prices = price_of_insurance(pl.concat(frames), {index_id: UNINSURED.format(index_id) for index_id in ids})
    write_anew(connection, "indices.insurance", prices)
