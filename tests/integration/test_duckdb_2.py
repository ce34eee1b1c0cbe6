"""Drill: the next major release of DuckDB opens a published copy and gives the same answers.

It makes a throw-away environment and installs duckdb 2.0 from the registry (half a minute), so `make test` leaves it out; where no
registry can be reached it is skipped. Another copy than that of the tests: PUBLISHED=folder/published.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.lib.api_contract import read_views
from orchestration.table_reference import read_manifest
from tests.documented import REPOSITORY

NEXT_RELEASE = "duckdb==2.0.*"
SCRIPT = REPOSITORY / "tests" / "duckdb_answers.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def next_python(tmp_path_factory) -> Path:
    """Python of an environment that has the next DuckDB, and pytz, which it needs for instants."""
    folder = tmp_path_factory.mktemp("duckdb")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        NEXT_RELEASE,
        "pytz",
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{NEXT_RELEASE} cannot be installed here: {done.stderr.strip()[-200:]}")
    return python


def queries() -> dict[str, str]:
    """Of every view of api the example of its description, and how many rows it has."""
    views = read_views(read_manifest())
    examples = {f"{name} example": _determined(view.example) for name, view in views.items()}
    return examples | {f"{name} rows": f"select count(*) from api.{name}" for name in views}


def _determined(query: str) -> str:
    """The query with an order that leaves no choice to its limit: equal rows at the edge are no difference between releases."""
    found = re.fullmatch(r"(?P<body>.+) limit (?P<rows>\d+)", query)
    return f"select * from ({found['body']}) order by all limit {found['rows']}" if found else query


def asked(python: Path | str, database: Path, folder: Path) -> dict[str, dict[str, object]]:
    path = folder / "queries.json"
    path.write_text(json.dumps(queries()))
    done = subprocess.run(
        [str(python), str(SCRIPT), str(database), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_next_duckdb_gives_the_answers_of_this_one_on_the_published_copy(next_python, tmp_path, request):
    given = os.environ.get("PUBLISHED")
    published = Path(given) if given else request.getfixturevalue("first").folder / "published"

    now, then = (asked(python, published / "warehouse.duckdb", tmp_path) for python in (sys.executable, next_python))

    assert now.pop("version") != then.pop("version")
    assert len(now) > 100
    absent = {
        name for name, answer in now.items() if "error" in answer
    }  # a copy of an earlier release lacks newer views
    assert not absent or given
    assert absent == {name for name, answer in then.items() if "error" in answer}
    assert {name: then[name] for name in now if name not in absent and then[name] != now[name]} == {}
