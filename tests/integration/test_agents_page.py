"""The page for agents: its queries answer on a published copy that is opened as the page says, and what it says is refused is."""

import json
import re
import shutil

import duckdb
import pytest

from orchestration.settings import REPOSITORY_ROOT

PAGE = (REPOSITORY_ROOT / "docs" / "how-to" / "agents.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```\n\n<!-- output \d+ -->\n(.*?)\n\n", PAGE, re.DOTALL)
SERVER = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])["mcpServers"]["tidemark"]


@pytest.fixture(scope="module")
def as_served(first):
    """The published copy as the page has a server open it."""
    opening = SERVER["args"][SERVER["args"].index("--init-sql") + 1]
    with duckdb.connect(str(first.published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(opening)
        yield connection


def test_the_page_has_five_questions_with_answers():
    assert len(EXAMPLES) == PAGE.count("```sql") == 5


@pytest.mark.parametrize("place", range(5))
def test_a_question_is_answered_in_the_shape_that_is_shown(as_served, place):
    query, shown = EXAMPLES[place]
    head, _, *rows = shown.splitlines()

    answer = as_served.execute(query)

    assert [column[0] for column in answer.description] == [cell.strip() for cell in head.strip("|").split("|")]
    # The market of the tests is smaller than the default one: other tokens, as many rows; sources may all be well.
    found = len(answer.fetchall())
    assert found == len(rows) or "source_health" in query or ("index_fact_sheet" in query and found > 0)


@pytest.mark.parametrize(
    "statement",
    [
        "create table evil as select 1",
        "update learning.trader_grades set trader_grade = 100",
        "delete from learning.trader_grades",
        "copy (select 1) to '{folder}/evil.csv'",
        "export database '{folder}/evil'",
        "select * from read_csv('{folder}/secret.csv')",
        "select * from read_text('{folder}/secret.csv')",
        "attach '{folder}/other.duckdb' as other",
        "install httpfs",
        "load '{folder}/evil.duckdb_extension'",
        "set enable_external_access = true",
        "set threads = 8",
    ],
)
def test_what_the_page_says_is_refused_is(as_served, tmp_path, statement):
    (tmp_path / "secret.csv").write_text("key\n1\n")

    with pytest.raises(duckdb.Error, match=r"read-only mode|disabled (by|through) configuration|has been locked"):
        as_served.execute(statement.format(folder=tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_a_copy_elsewhere_answers_but_without_the_opening_statement_files_could_be_written(first, tmp_path):
    """The reason for the page's warning: read-only is the file, not the machine."""
    moved = shutil.copy(first.published, tmp_path / "elsewhere.duckdb")
    target = tmp_path / "written.csv"

    with duckdb.connect(str(moved), read_only=True) as connection:
        answer = connection.execute(EXAMPLES[0][0]).fetchall()
        connection.execute(f"copy (select 1) to '{target}'")

    assert answer
    assert target.is_file()
