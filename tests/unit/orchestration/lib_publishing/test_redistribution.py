"""What a copy for others leaves out: every table classified, sources as dbt has them, and a copy that still answers queries."""

import json
import re
from datetime import UTC, datetime

import duckdb
import pytest

from orchestration.lib.attribution import TERMS
from orchestration.lib.published_copy import PublishError, build_copy
from orchestration.lib.redistribution import CALLS, CLASSIFIED, COLUMNS, DERIVED, SERIES, LeftOut, left_out
from orchestration.lib.versioned_tables import VERSIONED_TABLES
from orchestration.lib.warehouse_tables import HISTORIES
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets.exchanges import EXCHANGES
from tests.unit.orchestration.lib_publishing.conftest import TABLES, verified

MODELS = REPOSITORY_ROOT / "dbt_project" / "models"
PUBLISHED_SCHEMAS = ("api", "marts", "quality")
ANY_EXCHANGE = "exchanges"


def models_of(schema: str) -> set[str]:
    return {
        f"{schema}.{path.stem}"
        for path in (MODELS / schema).iterdir()
        if path.suffix in (".sql", ".py") and not path.name.startswith("_")
    }


def sources_behind(model: str) -> set[str]:
    """Sources of the staging models a model is built from, as its texts name them."""
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in MODELS.rglob("*") if path.suffix in (".sql", ".py")
    }
    seen: set[str] = set()
    waiting = [model]
    while waiting:
        name = waiting.pop()
        if name not in seen and name in texts:
            seen.add(name)
            waiting += re.findall(r"ref\(\s*['\"](\w+)['\"]", texts[name])
    return {name.removeprefix("stg_").split("__")[0] for name in seen if name.startswith("stg_")}


@pytest.mark.parametrize("schema", PUBLISHED_SCHEMAS)
def test_every_table_and_view_that_is_published_is_classified(schema):
    unknown = models_of(schema) - CLASSIFIED

    assert not unknown, (
        f"{', '.join(sorted(unknown))}: say in orchestration/lib/redistribution.py whether it shows values of a source row by "
        "row (SERIES), in single columns (COLUMNS), prices of our calls (CALLS) or none of them (DERIVED)"
    )


def test_nothing_is_classified_that_is_not_there():
    made_in_python = {"quality.builds", *HISTORIES}
    versioned = {table.full_name for table in VERSIONED_TABLES}

    gone = CLASSIFIED - versioned - made_in_python - set().union(*map(models_of, PUBLISHED_SCHEMAS))

    assert not gone, (
        f"{', '.join(sorted(gone))}: no such table or view; take it out of orchestration/lib/redistribution.py"
    )


def test_a_table_has_one_class():
    assert not set(SERIES) & (set(COLUMNS) | set(CALLS) | DERIVED)
    assert not DERIVED & (set(COLUMNS) | set(CALLS))
    assert all(not set(CALLS[name]) & set(COLUMNS[name]) for name in set(CALLS) & set(COLUMNS))


def test_versioned_tables_are_never_left_out_as_their_rows_are_signed():
    versioned = {table.full_name for table in VERSIONED_TABLES}

    assert not versioned & (set(SERIES) | set(COLUMNS))


@pytest.mark.parametrize("name", sorted((set(SERIES) | set(COLUMNS)) - {"api.check_results", "quality.check_results"}))
def test_a_table_is_built_from_the_sources_it_is_said_to_show(name):
    said = SERIES.get(name) or frozenset().union(*COLUMNS[name].values())

    found = sources_behind(name.split(".")[1])
    found |= set(EXCHANGES) if ANY_EXCHANGE in found else set()

    assert said <= found


def test_for_own_use_nothing_is_left_out():
    assert left_out("own_use", TERMS).as_manifest() == {}


def test_terms_decide_for_whom_a_table_is_left_out():
    shared, sold = left_out("non_commercial", TERMS), left_out("commercial", TERMS)

    assert "api.daily" in shared.tables
    assert "marts.fct_onchain_daily" not in shared.tables  # Coin Metrics: CC BY-NC
    assert "marts.fct_onchain_daily" in sold.tables
    assert "fear_greed" not in sold.columns["api.market_metrics"]  # alternative.me asks for its name only
    assert set(shared.as_manifest()) < set(sold.as_manifest())


def test_only_sources_that_landed_bind():
    assert left_out("commercial", ["github", "alternative_me", "gdelt"]).as_manifest() == {}
    assert "coinmetrics" in left_out("commercial", ["coinmetrics"]).tables["marts.fct_onchain_daily"]
    assert "coingecko" not in left_out("commercial", ["binance"]).tables["api.daily"]


def test_a_source_without_terms_of_its_own_binds_nobody():
    assert left_out("commercial", ["reference"]).as_manifest() == {}


@pytest.fixture
def without() -> LeftOut:
    return LeftOut(tables={"marts.dim_tokens": "not ours"}, columns={"api.best": {"token_id": "a name"}})


def test_a_copy_keeps_columns_and_loses_rows_and_values(warehouse, tmp_path, without):
    copy = tmp_path / "copy.duckdb"

    contents = build_copy(copy, warehouse, alias="warehouse", tables=TABLES, left_out=without)

    with duckdb.connect(str(copy), read_only=True) as reader:
        kept = reader.execute("describe marts.dim_tokens").fetchall()
        best = reader.execute("select token_id from api.best").fetchall()
        comments = dict(
            reader.execute(
                "select table_name, comment from duckdb_tables() where table_name in ('dim_tokens', 'grades')"
            ).fetchall()
        )
        graded = reader.execute("select count(*), count(place) from api.grades").fetchone()
    assert [row[0] for row in kept] == ["token_id", "place"]
    assert contents["marts.dim_tokens"].rows == 0
    assert best == [(None,)]
    # A view over what is left out is a table with its rows.
    assert (contents["api.grades"].kind, graded) == ("table", (10, 10))
    assert comments["dim_tokens"] == "Left out of this copy (not ours). Tokens, it's all of them."
    assert comments["grades"] == "Grades of all weeks."


def test_a_column_that_is_to_be_left_out_must_exist(warehouse, tmp_path):
    without = LeftOut(columns={"marts.dim_tokens": {"price_usd": "not ours"}})

    with pytest.raises(PublishError, match=r"marts\.dim_tokens has no column price_usd"):
        build_copy(tmp_path / "copy.duckdb", warehouse, alias="warehouse", tables=TABLES, left_out=without)


def test_the_chain_goes_on_after_a_manifest_of_before_there_were_terms(publish_week, warehouse):
    published = warehouse.parent / "published"
    publish_week()
    for path in (published / "manifests" / "000001.json", published / "manifest.json"):
        old = json.loads(path.read_text())
        for name in ("terms", "publish_for", "left_out"):
            del old[name]
        path.write_text(json.dumps(old, indent=2) + "\n")

    again = publish_week(
        created_at=datetime(2025, 1, 9, tzinfo=UTC), publish_for="commercial", terms={"coingecko": TERMS["coingecko"]}
    )

    newest = json.loads((published / "manifest.json").read_text())
    assert (again.reason, again.manifest.sequence) == ("content changed", 2)
    assert newest["publish_for"] == "commercial"
    assert newest["terms"]["coingecko"]["redistribution"] == "restricted"
    # Of all that is left out, this warehouse has one column.
    assert newest["left_out"] == {
        "quality.check_results.offending_rows": "raw values of coingecko, whose terms do not allow commercial redistribution"
    }
    assert verified(published).is_ok
