"""Every query of README.md and docs/ runs, and the outputs that the pages show are what a run returns."""

import pytest

from tests.documented import HIGHEST, commands, pages, queries, rendered

QUERIES = {query.place: query for query in queries()}
SHOWN = {place: query for place, query in QUERIES.items() if query.shown is not None}
COMMANDS = {command.place: command for command in commands()}

MAY_BE_EMPTY = {
    # A healthy run, or a market as small as that of the tests, has none of these.
    "api.check_results where not is_passed",
    "from quality.check_results where severity = 'error' and not is_passed",
    "offending_rows is not null",
    "reason like 'left out%'",
    "from raw.quarantine where resolved_at is null",
    "from api.errata",
}


def test_all_queries_and_outputs_of_the_pages_are_found():
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages())

    found = list(queries())

    assert len(found) == len(QUERIES) == text.count("```sql\n") + text.count("`select ")
    assert len(SHOWN) == text.count("<!-- output ") > 0


@pytest.mark.parametrize("place", QUERIES)
def test_a_query_of_the_documentation_runs_and_finds_something(first, place):
    query = QUERIES[place]

    answers = query.ask(first.folder)

    assert len(answers) == len(query.statements)
    for statement, (names, rows) in zip(query.statements, answers, strict=True):
        assert names
        assert rows or any(part in statement for part in MAY_BE_EMPTY), statement
    if query.shown is not None and query.shown.startswith("|"):
        assert rendered(*answers[-1], like=query.shown).splitlines()[:2] == query.shown.splitlines()[:2]


@pytest.mark.parametrize("place", COMMANDS)
def test_a_command_that_asks_the_published_copy_prints_an_answer(first, place):
    command = COMMANDS[place]
    # The structured logs name steps, the copy tokens.
    expected = "dbt_marts" if "/logs/" in command.text else first.query(HIGHEST).item()

    printed = command.run(first.folder)

    assert expected in printed


@pytest.fixture(scope="module")
def default_run(new_folder):
    """A run of the whole simulated market, as `make run` makes it."""
    tidemark = new_folder().with_settings(TIDEMARK_SIMULATION__TOKENS="250")
    tidemark.run()
    return tidemark


@pytest.mark.slow
@pytest.mark.parametrize("place", SHOWN)
def test_a_shown_output_is_what_the_default_run_returns(default_run, place):
    """A drill: it makes the default run, which takes minutes. The tests hold the columns on a smaller market.

    `python -m tests.documented <folder of a default run>` writes the outputs anew.
    """
    query = SHOWN[place]

    assert rendered(*query.ask(default_run.folder)[-1], like=query.shown) == query.shown
