import duckdb
import pytest

from orchestration.lib.portable_views import portable_view

SCHEMAS = frozenset({"marts", "api", "main"})


def stored_sql(select: str, columns: str = "") -> str:
    """What DuckDB stores for a view in a catalogue called warehouse."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse; create schema marts; create schema api")
        connection.execute("create table marts.tokens as select 'a' as token_id, {'marts': {'tokens': 1}} as nested")
        connection.execute(f'create view api."The View" {columns} as {select}')
        row = connection.execute("select sql from duckdb_views() where view_name = 'The View'").fetchone()
    return str(row[0])


def portable(sql: str, catalogue: str = "warehouse"):
    with duckdb.connect() as connection:
        return portable_view(connection, sql, catalogue=catalogue, schemas=SCHEMAS)


@pytest.mark.parametrize(
    "select",
    [
        pytest.param("select token_id from warehouse.marts.tokens", id="plain"),
        pytest.param('select token_id from "warehouse"."marts"."tokens"', id="quoted"),
        pytest.param("select warehouse.marts.tokens.token_id from warehouse.marts.tokens", id="column with catalogue"),
        pytest.param("with t as (select * from warehouse.marts.tokens) select token_id from t", id="common table"),
        pytest.param("select token_id from marts.tokens where exists (from warehouse.marts.tokens)", id="subquery"),
        pytest.param("from WAREHOUSE.marts.tokens select token_id", id="other case"),
        pytest.param(
            "select a.token_id from warehouse.marts.tokens a join warehouse.marts.tokens b using (token_id)", id="join"
        ),
    ],
)
def test_the_catalogue_is_taken_off_and_the_result_stays(select):
    view = portable(stored_sql(select))

    assert view.tables == {("marts", "tokens")}
    assert "warehouse" not in view.query.lower()
    with duckdb.connect() as connection:
        connection.execute("create schema marts; create table marts.tokens as select 'a' as token_id")
        assert connection.execute(view.query).fetchall() == [("a",)]


def test_text_and_aliases_called_like_the_catalogue_stay():
    select = "select warehouse.token_id, 'warehouse.marts.tokens' as text from warehouse.marts.tokens as warehouse"

    view = portable(stored_sql(select))

    with duckdb.connect() as connection:
        connection.execute("create schema marts; create table marts.tokens as select 'a' as token_id")
        assert connection.execute(view.query).fetchall() == [("a", "warehouse.marts.tokens")]


def test_fields_of_an_alias_called_like_the_catalogue_stay():
    view = portable(stored_sql("select warehouse.nested.marts.tokens from warehouse.marts.tokens as warehouse"))

    assert "warehouse.nested" in view.query


def test_column_names_of_the_view_are_kept():
    view = portable(stored_sql("select token_id, 1 from warehouse.marts.tokens", columns='(token, "how many")'))

    assert view.columns == '(token, "how many")'


def test_a_catalogue_that_needs_quotes_is_taken_off():
    view = portable('CREATE VIEW api.v AS SELECT token_id FROM "my data".marts.tokens;', catalogue="my data")

    assert view.query == "SELECT token_id FROM marts.tokens"


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("CREATE VIEW api.v AS SELECT * FROM read_parquet('x.parquet');", id="files"),
        pytest.param("CREATE VIEW api.v AS SELECT * FROM glob('*');", id="folder"),
        pytest.param("CREATE VIEW api.v AS SELECT * FROM other.marts.tokens;", id="other catalogue"),
        pytest.param("CREATE MACRO api.v() AS 1;", id="not a view"),
        pytest.param("CREATE VIEW api.v AS SELEKT;", id="not SQL"),
    ],
)
def test_what_cannot_be_a_view_elsewhere_is_told(sql):
    assert portable(sql) is None
