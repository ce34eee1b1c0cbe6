"""The contract of the SQL interface finds what a copy does not keep, and lets no promised name go without notice."""

from datetime import date

import duckdb
import pytest

from orchestration.lib.api_contract import (
    ContractError,
    PromisedColumn,
    broken_names,
    broken_promises,
    promise_again,
    promised_text,
    read_promised,
    read_views,
)

AS_OF = date(2025, 1, 6)
PROMISE = {"key": ["date", "token_id"], "newest": {"date": [1, 1]}, "least_rows": 2}
COLUMNS = {"date": "date", "token_id": "varchar", "price_usd": "double"}
GOOD = "('2025-01-04', 'a', 1.0), ('2025-01-05', 'a', 2.0), ('2025-01-05', 'b', 3.0)"


def manifest(*, promise=PROMISE, columns=COLUMNS, example="select * from api.prices", description=None, name="prices"):
    """A manifest of dbt with one view."""
    told = description or f"Prices. Grain - one row a day and token. Example - {example}."
    described = {
        column: {"data_type": kind, "description": text}
        for column, (kind, text) in (
            (column, kind if isinstance(kind, tuple) else (kind, f"The {column}.")) for column, kind in columns.items()
        )
    }
    node = {
        "resource_type": "model",
        "schema": "api",
        "name": name,
        "description": told,
        "config": {"meta": {"promise": promise} if promise else {}},
        "patch_path": "tidemark://models/api/_api.yml",
        "columns": described,
    }
    return {"nodes": {f"model.tidemark.{name}": node}}


def copy(rows=GOOD, *, columns="date date, token_id varchar, price_usd double", commented=True):
    """A published copy with that view, as a table."""
    connection = duckdb.connect()
    connection.execute("create schema api")
    connection.execute(f"create table api.prices ({columns})")
    if rows:
        connection.execute(f"insert into api.prices values {rows}")
    if commented:
        for column in columns.split(", "):
            connection.execute(f"comment on column api.prices.{column.split()[0]} is 'Said.'")
    return connection


def broken(connection, *, has_all_sources=True, **facts):
    return broken_promises(connection, read_views(manifest(**facts)), as_of=AS_OF, has_all_sources=has_all_sources)


def test_a_copy_that_keeps_the_contract_has_no_problem():
    assert broken(copy()) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (GOOD + ", ('2025-01-05', 'b', 9.0)", "1 rows too many for its key (date, token_id)"),
        ("('2025-01-05', 'a', 1.0)", "1 rows of 2025-01-05, and at least 2"),
        ("('2025-01-03', 'a', 1.0), ('2025-01-03', 'b', 1.0)", "2025-01-03 at most in the week of 2025-01-06"),
        ("('2025-01-06', 'a', 1.0), ('2025-01-06', 'b', 1.0)", "2025-01-06 at most in the week of 2025-01-06"),
        ("", "0 rows of any day"),
    ],
)
def test_rows_that_break_the_contract_are_named(rows, said):
    problems = broken(copy(rows))

    assert len(problems) == 1
    assert said in problems[0]


def test_a_null_in_the_key_is_a_value():
    rows = "('2025-01-05', null, 1.0), ('2025-01-05', 'a', 1.0)"

    assert broken(copy(rows)) == []
    assert "1 rows too many" in broken(copy(rows + ", ('2025-01-05', null, 2.0)"))[0]


def test_rows_of_a_source_that_is_over_are_held_only_where_every_source_is_there():
    old, promise = "('2022-07-05', 'a', 1.0)", {**PROMISE, "follows_a_source": True}

    assert broken(copy(old), promise=promise, has_all_sources=False) == []
    assert len(broken(copy(old), promise=promise)) == 2
    assert "at most in the week" in broken(copy("('2025-01-07', 'a', 1.0)"), promise=promise, has_all_sources=False)[0]


def test_columns_of_another_name_or_type_or_order_or_without_a_comment_are_named():
    retyped = broken(copy(columns="date date, token_id varchar, price_usd float"))
    swapped = broken(
        copy(
            "('a', '2025-01-05', 1.0), ('b', '2025-01-05', 1.0)",
            columns="token_id varchar, date date, price_usd double",
        )
    )
    bare = broken(copy(commented=False))

    assert "price_usd FLOAT" in retyped[0]
    assert "another order" in swapped[0]
    assert "without a comment: ['date', 'token_id', 'price_usd']" in bare[0]


def test_an_example_must_run_and_answer():
    fails = broken(copy(), example="select * from api.price")
    empty = broken(copy(), example="select * from api.prices where price_usd > 99")
    none = broken(copy(), description="Prices. Grain - one row a day and token.")
    early = broken(copy(), example="select * from api.prices where price_usd > 99", has_all_sources=False)

    assert "its example fails" in fails[0]
    assert "answers nothing" in empty[0]
    assert "there is none" in none[0]
    assert early == []


def test_a_view_in_no_contract_and_a_contract_without_its_view_are_named():
    problems = broken(copy(), name="levels")

    assert "api.prices is in no contract" in problems[0]
    assert "api.levels is not there" in problems[1]


def test_views_of_as_many_rows_are_compared():
    nodes = manifest()["nodes"] | manifest(name="calls", promise={**PROMISE, "same_rows_as": "prices"})["nodes"]
    connection = copy()
    connection.execute("create table api.calls as from api.prices limit 2")
    connection.execute("create or replace table api.calls as from api.prices where date = '2025-01-05'")

    problems = broken_promises(connection, read_views({"nodes": nodes}), as_of=AS_OF, has_all_sources=True)

    assert "api.calls has 2 rows, and api.prices, which has as many, 3" in problems


@pytest.mark.parametrize(
    ("promise", "said"),
    [
        (None, "key: Field required"),
        ({**PROMISE, "kee": []}, "kee: Extra inputs"),
        ({**PROMISE, "key": ["day"]}, "['day'], which are no columns"),
        ({**PROMISE, "same_rows_as": "levels"}, "levels, which is no view"),
    ],
)
def test_a_view_that_promises_nothing_or_what_cannot_be_is_refused(promise, said):
    with pytest.raises(ContractError) as refused:
        read_views(manifest(promise=promise))

    assert said in str(refused.value)
    assert "api.prices" in str(refused.value)


def test_a_grain_and_an_example_are_read_from_the_description():
    view = read_views(manifest())["prices"]

    assert (view.grain, view.example) == ("a day and token", "select * from api.prices")


PROMISED = [PromisedColumn("prices", name, kind.upper()) for name, kind in COLUMNS.items()]


def test_promised_columns_survive_the_file():
    assert read_promised(promised_text(PROMISED)) == PROMISED


def test_new_columns_are_promised_and_nothing_else_changes():
    views = read_views(manifest(columns={**COLUMNS, "volume_usd": "double"}))

    again = promise_again(PROMISED, views, version="0.2.0")

    assert again == [*PROMISED, PromisedColumn("prices", "volume_usd", "DOUBLE")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"date": "date", "token_id": "varchar"}, "api.prices.price_usd is gone"),
        ({**COLUMNS, "price_usd": "float"}, "api.prices.price_usd is FLOAT and was DOUBLE"),
    ],
)
def test_a_promised_column_that_is_gone_or_retyped_is_refused_with_the_way_to_deprecate(columns, said):
    views = read_views(manifest(columns=columns))

    with pytest.raises(ContractError) as refused:
        promise_again(PROMISED, views, version="9.9.9")

    assert said in str(refused.value)
    assert "Deprecated since <version>" in str(refused.value)
    assert broken_names(PROMISED, views, version="9.9.9") == str(refused.value).splitlines()


def test_a_column_may_go_after_a_release_that_said_so():
    told = ("double", "Deprecated since 0.10.0: use close_usd.")
    said = promise_again(PROMISED, read_views(manifest(columns={**COLUMNS, "price_usd": told})), version="0.10.0")
    gone = read_views(manifest(columns={"date": "date", "token_id": "varchar"}))

    assert said[2].deprecated_in == "0.10.0"
    assert broken_names(said, gone, version="0.10.0") != []
    assert promise_again(said, gone, version="0.11.0") == PROMISED[:2]
