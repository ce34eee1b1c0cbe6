"""Every query of the README and the docs answers, and the answers that the README shows are those of the default run."""

import re
from pathlib import Path

import duckdb
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
GENERATED = REPOSITORY / "docs" / "reference" / "data-dictionary.md"
QUERY = re.compile(r"^ *```sql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```sql\n(.*?)^```\n\n<!-- output \d+ -->\n(.*?)\n\n", re.MULTILINE | re.DOTALL)


def queries():
    """Page and query of every block of SQL; the dictionary's are examples of the contract, which runs them."""
    return [
        pytest.param(query, id=f"{page.relative_to(REPOSITORY)}:{number}")
        for page in PAGES
        if page != GENERATED
        for number, query in enumerate(QUERY.findall(page.read_text(encoding="utf-8")), start=1)
    ]


@pytest.fixture(scope="module")
def copy(first):
    with duckdb.connect(str(first.published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def table_of(connection, query):
    """The answer of a query as the README shows it."""
    answer = connection.execute(query)
    lines = [[column[0] for column in answer.description], ["---"] * len(answer.description), *answer.fetchall()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


@pytest.mark.parametrize("query", queries())
def test_a_query_of_the_docs_runs(copy, query):
    columns = copy.execute(query).description

    assert columns


def test_the_readme_shows_answers_that_a_test_can_find():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")

    assert len(SHOWN.findall(text)) == text.count("<!-- output ") > 0


@pytest.mark.slow
def test_answers_that_the_readme_shows_are_those_of_the_default_run(fresh):
    """A drill: the default run takes up to five minutes, and changes with every model."""
    fresh.run(TIDEMARK_SIMULATION__TOKENS="250")
    shown = SHOWN.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))

    with duckdb.connect(str(fresh.published), read_only=True) as connection:
        answers = [table_of(connection, query) for query, _ in shown]

    assert answers == [answer for _, answer in shown]
