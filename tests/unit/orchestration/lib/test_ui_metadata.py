"""What materialisations, dbt nodes and launchpad values become in the UI."""

import warnings
from datetime import date

import dagster as dg
import duckdb
import polars as pl
import pytest

from orchestration.lib.landing_files import last_rows
from orchestration.lib.metadata import (
    INLINE_CHARACTERS,
    PREVIEW_ROWS,
    markdown_table,
    preview_of,
    read_layout,
    table_columns,
    table_metadata,
)
from orchestration.lib.partitions import days_to_cover, last_day_of, range_tags
from orchestration.lib.resources import Week
from orchestration.lib.weeks import WeekError

with warnings.catch_warnings():
    # dagster-dbt imports sqlglot, which warns of its own tokenizer; nobody here can do anything about that.
    warnings.simplefilter("ignore", DeprecationWarning)
    from orchestration.lib.dbt_translator import (
        grain_of_sources,
        implied,
        in_markdown,
        opening_comment,
        words_of_columns,
        words_of_test,
    )

LANDED = dg.AssetKey(["landing", "coingecko", "market_daily"])
START, SUNDAY = date(2025, 1, 5), date(2025, 1, 19)


def rows(columns: int, *, height: int = PREVIEW_ROWS) -> pl.DataFrame:
    return pl.DataFrame({f"a_column_{number}": ["some text"] * height for number in range(columns)})


def test_a_preview_keeps_as_many_rows_as_the_ui_shows_in_place():
    shown = preview_of(rows(12)).value

    assert len(shown) < INLINE_CHARACTERS
    assert 3 <= shown.count("\n") - 1 < PREVIEW_ROWS


def test_a_table_too_wide_to_be_shown_in_place_is_previewed_by_its_first_columns():
    shown = preview_of(rows(60)).value

    header = shown.splitlines()[0].strip("|").split("|")
    assert len(shown) < INLINE_CHARACTERS
    assert header == rows(60).columns[: len(header)]
    assert shown.endswith(f"and {60 - len(header)} more columns, listed in the schema")


def test_a_preview_of_two_rows_shows_both():
    assert preview_of(rows(3, height=2)).value == markdown_table(rows(3, height=2))


def test_the_last_rows_of_a_file_come_in_the_order_of_columns_asked_for(tmp_path):
    pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}).write_parquet(tmp_path / "few.parquet")
    pl.DataFrame(schema={"a": pl.Int64, "b": pl.String}).write_parquet(tmp_path / "none.parquet")

    assert last_rows(tmp_path / "few.parquet", ["b", "a"], 2).rows() == [("y", 2), ("z", 3)]
    assert last_rows(tmp_path / "none.parquet", ["b", "a"], 2).rows() == []


def test_large_numbers_flags_and_nulls_read_well_in_a_preview():
    frame = pl.DataFrame({"cap": [52_379_762_930.4], "price": [0.037614], "is_stable": [False], "sector": [None]})

    assert markdown_table(frame).splitlines()[-1] == "|52,379,762,930|0.03761|no||"


def test_a_table_is_previewed_newest_week_first_and_without_the_bookkeeping_of_versions():
    with duckdb.connect() as connection:
        connection.execute("create schema learning")
        connection.execute(
            "create table learning.grades (as_of_week date, symbol varchar, version int, run_id varchar)"
        )
        connection.execute(
            "insert into learning.grades values ('2025-01-06', 'OLD', 1, 'x'), ('2025-01-13', 'NEW', 1, 'x')"
        )

        metadata = table_metadata(connection, "learning.grades")

    assert metadata["dagster/row_count"] == 2
    assert [column.name for column in metadata["dagster/column_schema"].columns][-1] == "run_id"
    assert metadata["preview"].value.splitlines()[:3] == [
        "|as_of_week|symbol|version|",
        "|-|-|-|",
        "|2025-01-13|NEW|1|",
    ]


def test_a_view_is_run_once_for_its_newest_days_and_for_all_only_where_it_has_none():
    with duckdb.connect() as connection:
        connection.execute("create schema api")
        connection.execute(
            "create view api.calls as select date, if(date < date '2025-01-06', error('not asked for'), 1)::int as call "
            "from (values (date '2024-12-30'), (date '2025-01-06')) as days(date)"
        )
        connection.execute("create view api.ended as select date '2020-01-06' as date, 1 as call")

        recent, ended = (
            table_metadata(connection, name, recent_from=date(2025, 1, 6)) for name in ("api.calls", "api.ended")
        )

    assert "dagster/row_count" not in recent
    assert recent["preview"].value.splitlines()[2:] == ["|2025-01-06|1|"]
    assert ended["preview"].value.splitlines()[2:] == ["|2020-01-06|1|"]


def test_a_first_run_covers_its_sunday_and_a_later_one_all_days_since():
    with dg.DagsterInstance.ephemeral() as instance:
        first = days_to_cover(instance, [LANDED], start=START, last=START)
        instance.report_runless_asset_event(dg.AssetMaterialization(LANDED, partition="2025-01-05"))

        later = days_to_cover(instance, [LANDED], start=START, last=SUNDAY)

    assert first == (START, START)
    assert later == (date(2025, 1, 6), SUNDAY)


@pytest.mark.parametrize(("last", "covered"), [(SUNDAY, SUNDAY), (date(2024, 12, 29), START)])
def test_a_run_for_a_week_that_has_landed_covers_its_last_day_again(last, covered):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(LANDED, partition="2025-01-26"))

        assert days_to_cover(instance, [LANDED], start=START, last=last) == (covered, covered)


def test_the_last_day_of_a_run_is_the_end_of_its_range_or_its_one_partition():
    assert last_day_of(range_tags(START, SUNDAY)) == SUNDAY
    assert last_day_of({"dagster/partition": "2025-01-12"}) == date(2025, 1, 12)
    assert last_day_of({}) is None


def test_a_week_typed_as_no_day_is_refused_with_the_form_to_write_it_in():
    with pytest.raises(WeekError, match=r"week.as_of 'next week' is no day; write it as YYYY-MM-DD"):
        Week(as_of="next week").choose()


def test_a_model_without_description_is_described_by_the_comment_that_opens_it():
    assert (
        opening_comment("-- One row a day:\n-- the first source.\nwith a as (\n-- not this")
        == "One row a day: the first source."
    )
    assert opening_comment("select 1") == ""


def test_a_staging_view_without_comment_says_what_it_types():
    node = {
        "resource_type": "model",
        "name": "stg_x__y",
        "depends_on": {"nodes": ["source.tidemark.raw.x__y", "model.tidemark.other"]},
    }

    assert implied(node).startswith("`raw.x__y`, typed and named")


def test_a_staging_view_has_the_grain_and_the_words_of_the_datasets_it_types():
    one = {"depends_on": {"nodes": ["source.tidemark.raw.coingecko__market_daily"]}}
    stacked = {"depends_on": {"nodes": [f"source.tidemark.raw.{name}__candles_daily" for name in ("binance", "okx")]}}

    assert grain_of_sources(one) == "Grain - one row a coin_id and market_date."
    assert grain_of_sources(stacked) == "Grain - one row a source, market_id and market_date."
    assert grain_of_sources({"depends_on": {"nodes": ["model.tidemark.stg_x"]}}) == ""
    assert words_of_columns(one)["price_usd"] == "volume-weighted price over exchanges at the close (USD per token)"
    assert words_of_columns(one)["load_id"] == "load that wrote the row; sorts by time"


def test_a_description_reads_with_colons_and_its_example_can_be_copied():
    said = "Closes. Grain - one row a day. Example - select * from api.daily\norder by date."

    assert in_markdown(said) == (
        "Closes. Grain: one row a day.\n\nAn example:\n\n```sql\nselect * from api.daily order by date\n```"
    )
    assert in_markdown("Closes.") == "Closes."


def test_a_table_that_nobody_previews_shows_its_columns_and_counts_its_rows_but_runs_no_view():
    with duckdb.connect() as connection:
        connection.execute("create schema staging")
        connection.execute("create table staging.prices (coin_id varchar, price_usd double)")
        connection.execute("comment on column staging.prices.price_usd is 'Close.'")
        connection.execute("insert into staging.prices values ('a', 1), ('b', 2)")
        connection.execute("create view staging.broken as select error('never run') as coin_id")

        layout = read_layout(connection)
        words = {"coin_id": "The coin.", "price_usd": "Another word."}
        table = table_columns(connection, "staging.prices", words, layout=layout)
        view = table_columns(connection, "staging.broken", {}, layout=layout)

    described = [(column.name, column.type, column.description) for column in table["dagster/column_schema"].columns]
    assert described == [("coin_id", "VARCHAR", "The coin."), ("price_usd", "DOUBLE", "Close.")]
    assert table["dagster/row_count"] == 2
    assert "dagster/row_count" not in view


def test_a_test_is_put_in_words():
    unique_key = {
        "test_metadata": {"name": "unique_key", "kwargs": {"arguments": {"columns": ["a", "b"]}, "model": "m"}}
    }
    not_null = {"test_metadata": {"name": "not_null", "kwargs": {"column_name": "a", "model": "m"}}}

    assert words_of_test(unique_key) == "unique key: columns a, b"
    assert words_of_test(not_null) == "not null: a"
    assert words_of_test({"name": "t", "raw_code": "-- Weights add up to one.\nselect 1"}) == "Weights add up to one."
