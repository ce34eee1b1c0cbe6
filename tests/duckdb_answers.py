"""What one release of DuckDB answers to a list of queries on a published copy, as JSON.

Belongs here: a script that another Python with another DuckDB runs, so nothing but the two is imported. Does not: comparing answers
(`tests/integration/test_duckdb_2.py`).

    python duckdb_answers.py published/warehouse.duckdb queries.json
"""

import json
import sys
from pathlib import Path

import duckdb

NOTHING = 1e-12


def answers(database: str, queries: dict[str, str]) -> dict[str, object]:
    """Columns, and rows in a fixed order with floats at 9 digits, of every query; the error where it fails."""
    found: dict[str, object] = {"version": duckdb.__version__}
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, query in queries.items():
            try:
                result = connection.execute(query)
                columns = [column[0] for column in result.description or []]
                rows = sorted(json.dumps([_text(value) for value in row]) for row in result.fetchall())
            except duckdb.Error as error:
                found[name] = {"error": str(error).splitlines()[0]}
                continue
            found[name] = {"columns": columns, "rows": rows}
    return found


def _text(value: object) -> object:
    if isinstance(value, float):
        # The order of a sum over threads moves the last digits, of a difference that is nothing all of them.
        return f"{value:.9g}" if abs(value) > NOTHING else "0"
    return None if value is None else str(value)


if __name__ == "__main__":
    _, database_path, queries_path = sys.argv
    json.dump(answers(database_path, json.loads(Path(queries_path).read_text())), sys.stdout)
