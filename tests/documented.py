"""Queries and outputs that the documentation shows: where they stand, and how they are asked.

Belongs here: finding every query of README.md and docs/, running it on a data folder, writing what it returns.
Does not: on which folder they must hold (`tests/integration/test_documented_queries.py`), the examples in the descriptions of views.

A block ```sql is a query, or several parted by `;`. So is a span `select ...` in a sentence or a table. A shell command in a block that
asks DuckDB from Python is run as it stands, on another folder. Where a block is followed by `<!-- output n -->`, what comes next is what
its last query returned on the default run: a table, or one text as a quotation. After a change of the models or the market,

    python -m tests.documented data/simulated

writes those outputs anew from a folder of `make run`.
"""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_FOLDER = "data/simulated"
"""As the documentation writes it: the folder of a default run."""

BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"\s*<!-- output \d+ -->\n(?P<shown>(?:[|>][^\n]*\n?)+)")
SPAN = re.compile(r"`(?P<query>select [^`]+)`")
CONNECTION = re.compile(r"`(?P<call>duckdb\.connect\([^`]+\))`")
HIGHEST = "select arg_max(symbol, (as_of_week, trader_grade)) from api.trader_grades"
"""What a connection is asked that the pages show without a query."""

QUOTATION_WIDTH = 138


@dataclass(frozen=True)
class Query:
    """A query as the documentation shows it.

    Attributes:
        place: File and line, for the name of a test.
        path: The file.
        statements: What is asked, in order.
        shown: The lines that the page gives as the output of the last statement, None where it gives none.
        shown_at: Where those lines begin and end in the file, in characters.
    """

    place: str
    path: Path
    statements: tuple[str, ...]
    shown: str | None = None
    shown_at: tuple[int, int] = (0, 0)

    def ask(self, folder: Path) -> list[tuple[list[str], list[tuple[object, ...]]]]:
        """Names and rows of every statement, asked of a data folder.

        The published copy answers, and of `raw`, which is never published, the warehouse.
        """
        is_landing = any(re.search(r"\bfrom raw\.", statement) for statement in self.statements)
        file = folder / "warehouse.duckdb" if is_landing else folder / "published" / "warehouse.duckdb"
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            answers = []
            for statement in self.statements:
                answer = connection.execute(statement)
                answers.append(([column[0] for column in answer.description], answer.fetchall()))
        return answers


@dataclass(frozen=True)
class Command:
    """A shell command of the documentation that asks DuckDB from Python."""

    place: str
    text: str

    def run(self, folder: Path) -> str:
        """What it prints when the default folder is another one.

        Raises:
            subprocess.CalledProcessError: It fails.
        """
        text = self.text.replace(f"{DEFAULT_FOLDER}/", f"{folder}/").replace(".venv/bin/python", sys.executable)
        done = subprocess.run(["sh", "-ec", text], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return done.stdout


def pages() -> list[Path]:
    """README.md and every page of docs/ but the dictionary, whose queries are copied from the descriptions of views."""
    written = (path for path in sorted((REPOSITORY / "docs").rglob("*.md")) if path.name != "data-dictionary.md")
    return [REPOSITORY / "README.md", *written]


def queries() -> Iterator[Query]:
    """Every query of the pages, blocks and spans, in the order they stand in."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if block["language"] == "sql":
                output = OUTPUT.match(text, block.end())
                yield Query(
                    place=_place(path, text, block.start()),
                    path=path,
                    statements=_statements(block["body"]),
                    shown=output["shown"].rstrip("\n") if output else None,
                    shown_at=(output.start("shown"), output.start("shown") + len(output["shown"].rstrip("\n")))
                    if output
                    else (0, 0),
                )
        for span in SPAN.finditer(text):
            yield Query(_place(path, text, span.start()), path, (" ".join(span["query"].split()),))


def commands() -> Iterator[Command]:
    """Every shell command of the pages that asks DuckDB from Python, and every connection shown without one."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if "duckdb.connect(" in block["body"] and block["language"] in ("", "sh", "python"):
                body = textwrap.dedent(block["body"])
                if block["language"] == "python":
                    body = f".venv/bin/python - <<'END'\n{body}END\n"
                yield Command(_place(path, text, block.start()), body)
        for span in CONNECTION.finditer(text):
            ask = f".venv/bin/python -c 'import duckdb; print({span['call']}.sql(\"{HIGHEST}\"))'"
            yield Command(_place(path, text, span.start()), ask)


def rendered(names: list[str], rows: list[tuple[object, ...]], *, like: str) -> str:
    """Rows as a page shows them: a table, or one text as a quotation where `like`, what it shows so far, is one."""
    if like.startswith(">"):
        lines = textwrap.wrap(str(rows[0][0]), QUOTATION_WIDTH, break_on_hyphens=False)
        return "\n".join(f"> {line}" for line in lines)
    table = [names, ["---"] * len(names), *([_text(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def write_outputs(folder: Path) -> list[str]:
    """Put into the pages what their queries return on a folder of the default run.

    Returns:
        Places whose output changed.
    """
    changed = []
    for query in sorted(
        queries(), key=lambda query: (query.path, -query.shown_at[0])
    ):  # from the end, so that places stay
        if query.shown is None:
            continue
        output = rendered(*query.ask(folder)[-1], like=query.shown)
        if output != query.shown:
            text = query.path.read_text(encoding="utf-8")
            start, end = query.shown_at
            query.path.write_text(text[:start] + output + text[end:], encoding="utf-8")
            changed.append(query.place)
    return changed


def _statements(body: str) -> tuple[str, ...]:
    """The statements of a block, comments kept; none of them holds a `;` in a text."""
    return tuple(part.strip() for part in body.split(";") if part.strip())


def _place(path: Path, text: str, at: int) -> str:
    """File and line, as in `docs/how-to/reproduce.md:7`."""
    return f"{path.relative_to(REPOSITORY)}:{text.count(chr(10), 0, at) + 1}"


def _text(value: object) -> str:
    """A value in a table; null is a dash, and what would end a cell is escaped."""
    return "-" if value is None else str(value).replace("|", r"\|")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("python -m tests.documented: name the data folder of a default run, e.g. data/simulated")
    for changed_place in write_outputs(Path(sys.argv[1]).resolve()):
        print(changed_place)
