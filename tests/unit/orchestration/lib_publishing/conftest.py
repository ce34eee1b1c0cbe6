"""Small warehouses with versioned tables, for the tests of versions and publishing."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.publishing import Publication, PublicationInfo, SourceLoads, publish
from orchestration.lib.verification import VerifyReport, verify_chain
from orchestration.lib.versioned_tables import BULL_BEAR, COMPOSITIONS, LEVELS, MOONSHOTS, TRADER_GRADES
from orchestration.lib.versions import Provenance, append_versions, create_versioned_tables

TABLES = (TRADER_GRADES, COMPOSITIONS, LEVELS, BULL_BEAR, MOONSHOTS)
"""What warehouses have whose publication is tested, some without a row. The whole registry would take twice as long; runs publish it."""

WEEK = date(2025, 1, 6)
MONDAY_MORNING = datetime(2025, 1, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of versioned tables without a row; their comments alone cost half a second. Copied, never changed."""
    path = tmp_path_factory.mktemp("created") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_versioned_tables(connection)
    return path


@pytest.fixture
def connection(created: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = Path(shutil.copy(created, tmp_path_factory.mktemp("tables")))
    with duckdb.connect(str(path)) as connection:
        yield connection


@pytest.fixture
def provenance() -> Callable[..., Provenance]:
    def build(recorded_at: datetime = MONDAY_MORNING, **changes: object) -> Provenance:
        facts = {"run_id": "run-1", "code_version": "abc", "inputs_hash": "in", "input_cutoff": recorded_at} | changes
        return Provenance(recorded_at=recorded_at, **facts)

    return build


@pytest.fixture
def bull_bear() -> Callable[..., pl.DataFrame]:
    """Rows of the smallest versioned table: one per universe, bullish share as given."""

    def build(shares: dict[str, float | None], week: date = WEEK) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "as_of_week": [week] * len(shares),
                "universe": list(shares),
                "bullish_share": list(shares.values()),
                "bearish_share": [0.25] * len(shares),
                "tokens": [100] * len(shares),
            },
            schema={
                "as_of_week": pl.Date,
                "universe": pl.String,
                "bullish_share": pl.Float64,
                "bearish_share": pl.Float64,
                "tokens": pl.Int32,
            },
        )

    return build


@pytest.fixture
def weeks() -> Callable[..., pl.DataFrame]:
    def build(*mondays: date) -> pl.DataFrame:
        return pl.DataFrame({"as_of_week": list(mondays or (WEEK,))})

    return build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse that every test of publishing begins with. Copied, never changed."""
    path = tmp_path_factory.mktemp("built") / "warehouse.duckdb"
    build_warehouse(path)
    return path


@pytest.fixture
def warehouse(built: Path, tmp_path: Path) -> Path:
    """A working warehouse with grades of two weeks, a mart, a check result and views as dbt makes them."""
    return Path(shutil.copy(built, tmp_path))


def build_warehouse(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        create_versioned_tables(connection, tables=TABLES)
        record_week(connection, WEEK - timedelta(weeks=1))
        record_week(connection, WEEK)
        for schema in ("marts", "api", "staging"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table marts.dim_tokens as select 'token-' || i as token_id, i as place from range(5) r(i)"
        )
        connection.execute("comment on table marts.dim_tokens is 'Tokens, it''s all of them.'")
        connection.execute("comment on column marts.dim_tokens.token_id is 'Token.'")
        connection.execute("create view marts.dim_even as select * from warehouse.marts.dim_tokens where place % 2 = 0")
        connection.execute("create table quality.check_results as select 'fine' as outcome, '[]' as offending_rows")
        connection.execute("create table staging.stg_secret as select 1 as one")
        connection.execute(
            "create view api.grades as select g.*, t.place from warehouse.learning.trader_grades_current as g "
            'join "warehouse"."marts".dim_tokens as t using (token_id)'
        )
        connection.execute("comment on view api.grades is 'Grades of all weeks.'")
        connection.execute("comment on column api.grades.place is 'Place of the token.'")
        connection.execute(
            "create view api.best as select token_id from warehouse.api.grades order by trader_grade desc limit 1"
        )
        connection.execute("create view api.from_staging as select one from warehouse.staging.stg_secret")
        connection.execute("create table api.glossary as select 'token' as word")


def record_week(connection: duckdb.DuckDBPyConnection, week: date, *, shift: float = 0.0, days_later: int = 0) -> None:
    """Append grades, a composition and an empty indicator for a week, a few hours (and days) after its Monday."""
    recorded_at = datetime.combine(week, datetime.min.time(), tzinfo=UTC) + timedelta(days=days_later, hours=2)
    provenance = Provenance(
        recorded_at=recorded_at, run_id=f"run-{week}", code_version="abc", inputs_hash="in", input_cutoff=recorded_at
    )
    tokens = [f"token-{place}" for place in range(5)]
    grades = pl.DataFrame(
        {
            "as_of_week": [week] * 5,
            "token_id": tokens,
            "symbol": ["AAA", "BBB", "CCC", None, "EEE"],
            "trader_grade": [10.0 + shift, 20.0, 30.0, 40.0, 50.0],
            "trader_rank": [0.0, 25.0, 50.0, 75.0, 100.0],
            "score": [0.1, 0.2, 0.3, 0.4, 0.5],
            "score_cross_section": [0.1, 0.2, 0.3, 0.4, 0.5],
            "score_market": [0.0] * 5,
            "is_grade_provisional": [False] * 5,
            "coverage": [1.0] * 5,
            "universe": ["broad"] * 5,
        }
    )
    units = pl.DataFrame({"as_of_week": [week]})
    append_versions(connection, TRADER_GRADES, grades, provenance=provenance, units=units)
    holdings = pl.DataFrame(
        {
            "as_of_week": [week] * 2,
            "index_id": ["top_two"] * 2,
            "token_id": tokens[:2],
            "symbol": ["AAA", "BBB"],
            "weight": [0.6, 0.4],
            "weight_change": [0.0, 0.0],
            "reason": [None, "capped"],
        }
    )
    append_versions(
        connection,
        COMPOSITIONS,
        holdings,
        provenance=provenance,
        units=holdings.select("as_of_week", "index_id").unique(),
    )
    nothing = pl.DataFrame(schema=dict.fromkeys(BULL_BEAR.content_columns, pl.Null))
    append_versions(connection, BULL_BEAR, nothing, provenance=provenance, units=units)


def publish_into(folder: Path, number: int = 0, **changes: object) -> Publication:
    """Record a further week where the number is above 0, and publish half a day later."""
    week = WEEK + timedelta(weeks=number)
    if number:
        with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
            record_week(connection, week)
    created_at = datetime.combine(week, datetime.min.time(), tzinfo=UTC) + timedelta(hours=12)
    facts = {
        "created_at": created_at,
        "data_source": "simulated",
        "as_of_week": week,
        "code_version": "abc",
        "model_versions": {"trader_grade": "2025-01-06"},
        "inputs_hash": f"in-{week}",
        "input_cutoff": created_at,
        "loads": {"coingecko": SourceLoads(load_count=3)},
        "attribution": {"coingecko": "Data provided by CoinGecko"},
    }
    info = PublicationInfo(**(facts | changes))
    return publish(folder / "warehouse.duckdb", folder / "published", info=info, tables=TABLES)


def verified(published: Path) -> VerifyReport:
    """What `verify_chain` says of a folder with these tables."""
    return verify_chain(published, tables=TABLES)


@pytest.fixture
def publish_week(warehouse: Path) -> Callable[..., Publication]:
    """Publish `warehouse` for the first week, or for a week that many weeks later."""

    def publish_it(number: int = 0, **changes: object) -> Publication:
        return publish_into(warehouse.parent, number, **changes)

    return publish_it


@pytest.fixture(scope="session")
def three_publications(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder published three weeks in a row; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("three_publications")
    shutil.copy(built, folder)
    for number in range(3):
        publish_into(folder, number)
    return folder / "published"


@pytest.fixture
def record() -> Callable[..., None]:
    return record_week


@pytest.fixture(name="publish_into")
def publish_into_any() -> Callable[..., Publication]:
    return publish_into
