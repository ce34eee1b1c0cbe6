"""Mapping files: every problem at once, with file, key and remedy."""

import pytest

from orchestration.lib.import_mapping import MappingError, Transform, load_mapping, quote_name, quote_value

GOOD = """
version: 1
files:
  - path: a.parquet
    dataset: alternative_me/fear_greed
    columns: {market_date: date, value: value}
"""


def problems_of(tmp_path, text: str) -> tuple[str, ...]:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    return caught.value.problems


def test_a_good_mapping_is_read(tmp_path):
    path = tmp_path / "mapping.yaml"
    path.write_text(GOOD)

    (entry,) = load_mapping(path).files

    assert entry.target.label == "alternative_me/fear_greed"
    assert entry.transforms()["classification"] is None
    assert entry.required is False


def test_all_problems_are_reported_with_file_and_key(tmp_path):
    text = """
version: 1
author: me
files:
  - path: ../a.parquet
    dataset: alternative_me/fear_greed
    colums: {}
    columns: {market_date: date, value: value}
  - path: b.xlsx
    dataset: alternative_me/fear_greed
    columns: {market_date: {column: a, sql: b}, value: {}}
  - path: c.csv
    dataset: alternative_me/greed
    columns: {}
  - path: d.csv
    dataset: alternative_me/fear_greed
    columns: {market_day: date}
"""

    problems = problems_of(tmp_path, text)

    assert all("mapping.yaml, " in problem for problem in problems)
    said = "\n".join(problems)
    for expected in (
        "author: unknown key; remove it",
        "files[0].colums: unknown key; remove it",
        "files[0].path: ../a.parquet leaves the archive's folder; give a path relative to it",
        "files[1].path: b.xlsx is neither .parquet nor .csv; convert it",
        "needs exactly one of column, constant, sql; it has column and sql",
        "needs exactly one of column, constant, sql; it has none",
        "files[2]: no dataset alternative_me/greed; registered are:",
        "files[3]: alternative_me/fear_greed has no column market_day; did you mean market_date?",
        "requires market_date, value; map a file column, a constant or sql to each",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("text", "said"),
    [("files: [", "is no YAML"), ("", "top level: must be a mapping"), ("version: 2\nfiles: []", "version: ")],
)
def test_what_is_no_mapping_is_refused(tmp_path, text, said):
    assert said in problems_of(tmp_path, text)[0]


def test_an_absent_mapping_file_is_named(tmp_path):
    with pytest.raises(MappingError, match=r"none\.yaml: cannot be read"):
        load_mapping(tmp_path / "none.yaml")


def test_names_and_values_cannot_break_out_of_the_sql():
    assert quote_name('a"b') == '"a""b"'
    assert quote_value("it's") == "'it''s'"
    assert Transform(column="x", case="upper", zero_to_null=True).to_sql() == 'nullif(upper("x"), 0)'
