"""Copies made from the copy before: the same rows as one written whole, whatever changed in between, and nothing of what is left out."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.lib import brought_up as module
from orchestration.lib import publishing
from orchestration.lib.brought_up import brought_up
from orchestration.lib.published_copy import build_copy
from orchestration.lib.redistribution import NOTHING_LEFT_OUT, LeftOut
from orchestration.lib.versioned_tables import TRADER_GRADES

PRICES = """
select 'token-' || (i % 7) as token_id, date '2025-01-01' + (i // 7)::integer as market_date, i / 3 as price, [i, null] as pair
from range(280) r(i)
"""


@pytest.fixture
def large(monkeypatch):
    """Every table is large enough to be taken over."""
    monkeypatch.setattr(module, "FEWEST_VALUES", 0)


@pytest.fixture
def prices():
    with duckdb.connect() as connection:
        connection.execute(f"create table source as {PRICES}")
        connection.execute("create table target as from source")
        yield connection


CHANGES = {
    "a value": "update source set price = -1 where token_id = 'token-3' and market_date = date '2025-01-09'",
    "a value that is gone": "update source set price = null where token_id = 'token-3' and market_date = date '2025-01-09'",
    "a value within a list": "update source set pair = [null, 1] where token_id = 'token-0' and market_date = date '2025-01-02'",
    "two rows swapped": (
        "update source set token_id = case token_id when 'token-1' then 'token-2' else 'token-1' end "
        "where token_id in ('token-1', 'token-2') and market_date = date '2025-01-09'"
    ),
    "a row twice": "insert into source select * from source where token_id = 'token-1' and market_date = date '2025-01-09'",
    "a row less": "delete from source where token_id = 'token-1' and market_date = date '2025-01-20'",
    "a new day": "insert into source values ('token-1', date '2025-03-10', 1, null)",
    "a month less": "delete from source where market_date >= date '2025-02-01' and token_id = 'token-3'",
    "rows without a day": "insert into source values ('token-1', null, 1, null), ('token-1', null, 1, null)",
    "nothing": "select 1",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_table_comes_to_the_rows_of_the_query(prices, large, change):
    prices.execute(change)

    assert brought_up(prices, "target", "select * from source")

    assert (
        prices.execute("from source order by all").fetchall() == prices.execute("from target order by all").fetchall()
    )


def test_only_months_of_tokens_that_differ_are_written(prices, large):
    prices.execute(CHANGES["a value"])

    brought_up(prices, "target", "select * from source")

    written = (
        "select token_id, min(market_date), max(market_date), count(*) from target where rowid >= 280 group by token_id"
    )
    assert prices.execute(written).fetchall() == [("token-3", date(2025, 1, 1), date(2025, 1, 31), 31)]


def test_without_a_column_of_text_a_part_is_a_month(prices, large):
    for table in ("source", "target"):
        prices.execute(f"alter table {table} alter token_id type integer using right(token_id, 1)::integer")
    prices.execute("update source set price = 0 where market_date = date '2025-02-01' and token_id = 1")

    brought_up(prices, "target", "select * from source")

    assert prices.execute("select min(market_date), count(*) from target where rowid >= 280").fetchall() == [
        (date(2025, 2, 1), 9 * 7)
    ]


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("update source set price = price + 1 where market_date = date '2025-01-10'", 0),
        ("alter table target drop market_date", 0),
        ("update source set price = -1 where token_id = 'token-3'", 280 * 4 + 1),
    ],
    ids=["most differ", "no day", "small"],
)
def test_what_is_better_written_whole_is_left_alone(prices, monkeypatch, change, values):
    monkeypatch.setattr(module, "FEWEST_VALUES", values)
    prices.execute(change)
    before = prices.execute("from target order by all").fetchall()

    assert not brought_up(prices, "target", "select * from source")

    assert prices.execute("from target order by all").fetchall() == before


SOURCE_CHANGES = {
    "nothing": ["select 1"],
    "a day of a mart": [
        "update marts.fct_prices set price = 0 where market_date = date '2025-01-05' and token_id = 'token-2'"
    ],
    "a column": ["alter table marts.fct_prices add column volume double default 3"],
    "a type": ["alter table marts.fct_prices alter price type float"],
    "a mart less": ["drop view api.prices", "drop table marts.fct_prices"],
    "a mart that became a view": [
        "alter table marts.fct_prices rename to fct_all",
        "create view marts.fct_prices as select * from warehouse.marts.fct_all where token_id < 'token-5'",
    ],
    "a view that became a table": ["drop view api.prices", "create table api.prices as select 1 as one"],
    "another view": ["create or replace view api.prices as select price from warehouse.marts.fct_prices"],
    "a view that cannot move": ["create or replace view api.prices as select * from warehouse.staging.stg_secret"],
    "a comment": ["comment on table marts.fct_prices is 'Other words.'"],
    "a comment less": ["comment on table marts.fct_prices is null", "comment on column marts.fct_prices.price is null"],
    "a version": [
        "insert into learning.trader_grades select * replace (9 as version) from learning.trader_grades limit 3"
    ],
    "a version's end": ["update learning.trader_grades set superseded_at = now() where token_id = 'token-1'"],
}


def described(path: Path):
    """All that a reader finds in a copy: rows of every table and view, columns, comments."""
    with duckdb.connect(str(path), read_only=True) as connection:
        objects = connection.execute(
            "select schema_name, table_name, 'table', comment from duckdb_tables() union all "
            "select schema_name, view_name, 'view', comment from duckdb_views() where not internal order by all"
        ).fetchall()
        columns = connection.execute(
            "select schema_name, table_name, column_index, column_name, data_type, is_nullable, comment from duckdb_columns() "
            "where not internal order by all"
        ).fetchall()
        rows = {
            (schema, name): sorted(map(repr, connection.execute(f'from "{schema}"."{name}"').fetchall()))
            for schema, name, *_ in objects
        }
    return objects, columns, rows


@pytest.fixture
def source(warehouse):
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"create table marts.fct_prices as {PRICES}")
        connection.execute("comment on table marts.fct_prices is 'Prices.'")
        connection.execute("comment on column marts.fct_prices.price is 'In USD.'")
        connection.execute(
            "create view api.prices as select * from warehouse.marts.fct_prices where token_id > 'token-1'"
        )
    return warehouse


def copied(source, path, *, before=None, left_out=NOTHING_LEFT_OUT):
    return build_copy(path, source, alias="warehouse", tables=[TRADER_GRADES], before=before, left_out=left_out)


@pytest.mark.parametrize("changes", SOURCE_CHANGES.values(), ids=SOURCE_CHANGES)
@pytest.mark.parametrize("again", [False, True], ids=["there", "and back"])
def test_a_copy_made_from_the_one_before_is_the_one_written_whole(source, tmp_path, large, changes, again):
    first, second, whole = (tmp_path / f"{name}.duckdb" for name in ("first", "second", "whole"))
    unchanged = tmp_path / "unchanged" / "warehouse.duckdb"
    unchanged.parent.mkdir()
    unchanged.write_bytes(source.read_bytes())
    with duckdb.connect(str(source)) as connection:
        for change in changes:
            connection.execute(change)
    before, after = (source, unchanged) if again else (unchanged, source)
    copied(before, first)

    contents = copied(after, second, before=first)

    assert contents == copied(after, whole)
    assert described(second) == described(whole)


def test_views_over_what_is_left_out_keep_their_rows_in_the_copy_after(source, tmp_path, large):
    without = LeftOut(tables={"marts.fct_prices": "not ours"}, columns={"marts.dim_tokens": {"place": "nor this"}})
    first, second, whole = (tmp_path / f"{name}.duckdb" for name in ("first", "second", "whole"))
    copied(source, first, left_out=without)

    copied(source, second, before=first, left_out=without)

    copied(source, whole, left_out=without)
    assert described(second) == described(whole)


def test_a_publication_starts_from_the_one_before(publish_week, warehouse, monkeypatch):
    starts = started_from(monkeypatch)

    for day in range(7, 9):
        publish_week(created_at=datetime(2025, 1, day, tzinfo=UTC), code_version=str(day))

    assert starts == [None, warehouse.parent / "published" / "warehouse.duckdb"]


def test_a_copy_that_was_not_signed_is_not_started_from(publish_week, warehouse, monkeypatch):
    publish_week()
    (warehouse.parent / "published" / "warehouse.duckdb").write_bytes(b"not a warehouse")
    starts = started_from(monkeypatch)

    publish_week(created_at=datetime(2025, 1, 8, tzinfo=UTC), code_version="other")

    assert starts == [None]


def test_what_must_not_be_passed_on_is_not_in_the_bytes_of_a_copy_for_others(publish_week, warehouse):
    copy = warehouse.parent / "published" / "warehouse.duckdb"
    secret = b"a-value-of-a-source-that-forbids-it"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update quality.check_results set offending_rows = ?", [secret.decode()])
    publish_week()
    assert secret in copy.read_bytes()

    publish_week(created_at=datetime(2025, 1, 8, tzinfo=UTC), publish_for="commercial", code_version="other")

    assert secret not in copy.read_bytes()


def test_now_and_then_a_copy_is_written_whole(publish_week, monkeypatch):
    monkeypatch.setattr(publishing, "WRITTEN_WHOLE_EVERY", 3)
    starts = started_from(monkeypatch)

    for count in range(4):
        publish_week(created_at=datetime(2025, 1, 7 + count, tzinfo=UTC), code_version=str(count))

    assert [start is None for start in starts] == [True, False, True, False]


def started_from(monkeypatch):
    starts = []

    def build(*arguments, before, **options):
        starts.append(before)
        return build_copy(*arguments, before=before, **options)

    monkeypatch.setattr("orchestration.lib.publishing.build_copy", build)
    return starts
