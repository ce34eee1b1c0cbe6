"""What one of several writing processes does, under the settings of the environment.

    python -m tests.distributed.writers land|record <number of the process>

Belongs here: landing loads and recording versions as steps do. Does not: starting processes, judging what came of it (`test_writers.py`).
"""

import sys
from datetime import UTC, date, datetime, timedelta

import polars as pl

from orchestration.lib.content_hash import POLARS_TYPES
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore
from orchestration.lib.versioned_tables import TRADER_GRADES, VersionedTable
from orchestration.lib.versions import Provenance, append_versions
from orchestration.lib.warehouse import connect
from orchestration.settings import load_settings
from orchestration.sources.datasets import DATASETS

DATASET = next(each for each in DATASETS.values() if each.label == "coingecko/market_daily")
LOADS, ROWS = 12, 25
WEEKS, TOKENS = 6, 20
FIRST_WEEK = date(2024, 1, 1)
RECORDED_AT = datetime(2025, 1, 6, 1, tzinfo=UTC)


def landed_rows(process: int, load: int) -> pl.DataFrame:
    """Rows of one load: as many coins, on a day of its own for each load."""
    market_date = date(2024, 1, 1) + timedelta(days=load)
    ids = [f"coin-{process}-{number}" for number in range(ROWS)]
    frame = pl.DataFrame({"coin_id": ids}).with_columns(
        pl.lit(market_date).alias("market_date"), pl.lit(1.0 + process).alias("price_usd")
    )
    others = [pl.lit(None, dtype).alias(name) for name, dtype in DATASET.columns.items() if name not in frame.columns]
    return frame.with_columns(others)


def land(process: int) -> None:
    """Land loads, one after another, into partitions that other processes write as well."""
    folder = DataFolder(load_settings().folder)
    store = LandingStore(folder.landing, beside=folder.root)
    for load in range(LOADS):
        rows = landed_rows(process, load)
        partition = str(rows["market_date"][0])
        store.write(
            DATASET,
            rows,
            data_source="simulated",
            partition=partition,
            loaded_at=datetime.now(UTC),
            lag_hours=1,
        )


def graded(week: date, grade: float, table: VersionedTable = TRADER_GRADES) -> pl.DataFrame:
    """Rows of one unit, every value the same number or text."""
    rows = pl.DataFrame({"token_id": [f"token-{number}" for number in range(TOKENS)]}).with_columns(
        pl.lit(week).alias("as_of_week")
    )
    return rows.with_columns(
        literal(grade, POLARS_TYPES[kind]).alias(name) for name, kind in table.value_columns.items()
    )


def literal(number: float, dtype: pl.DataType) -> pl.Expr:
    """A value of a type that tells the number."""
    if dtype == pl.Boolean:
        return pl.lit(True)
    return pl.lit(str(number) if dtype == pl.String else number).cast(dtype)


def record(process: int) -> None:
    """Record weeks of its own, then, with all others, weeks that each of them fills with numbers of its own."""
    provenance = Provenance(
        recorded_at=RECORDED_AT,
        run_id=f"process-{process}",
        code_version="test",
        inputs_hash="test",
        input_cutoff=RECORDED_AT,
        model_version="test",
    )
    own = [FIRST_WEEK + timedelta(weeks=WEEKS * process + number) for number in range(WEEKS)]
    shared = [FIRST_WEEK + timedelta(weeks=100 + number) for number in range(WEEKS)]
    with connect(DataFolder(load_settings().folder).warehouse) as connection:
        for week in (*own, *shared):
            append_versions(
                connection,
                TRADER_GRADES,
                graded(week, 10.0 + process),
                provenance=provenance,
                units=pl.DataFrame({"as_of_week": [week]}),
            )


if __name__ == "__main__":
    {"land": land, "record": record}[sys.argv[1]](int(sys.argv[2]))
