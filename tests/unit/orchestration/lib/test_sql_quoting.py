import duckdb
from hypothesis import given
from hypothesis.strategies import characters, text

from orchestration.lib.sql_quoting import quoted, sql_text

# DuckDB takes no zero byte in a statement, and no lone surrogate anywhere.
ANY = characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(text(ANY))
def test_a_text_comes_back_as_it_was(value):
    assert duckdb.execute(f"select {sql_text(value)}").fetchone() == (value,)


@given(text(ANY, min_size=1))
def test_a_name_stays_one_name(name):
    assert duckdb.execute(f"select 1 as {quoted(name)}").description[0][0] == name
