"""Others want in: a second run, and a reader that does not stop asking.

Belongs here: what happens beside one run. Does not: the same with a few reads, which `make test` holds (`test_concurrent_runs.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.faults.drills.ground import WEEK, DrillError, Ground, Result, finish, refusal, timed, wait_for_step

READER = """
import json, sys, time
from pathlib import Path
import duckdb

path, stop, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
reads, errors, answers = 0, [], {}
while not stop.exists():
    try:
        with duckdb.connect(path, read_only=True) as connection:
            connection.execute("set threads = 1")
            weeks = connection.execute("select count(*), max(as_of_week)::varchar, max(run_id) from quality.builds").fetchone()
            parts = [
                connection.execute(f"select count(*), sum(hash({columns})::hugeint)::varchar from {table}").fetchone()
                for table, columns in (
                    ("learning.trader_grades", "as_of_week, token_id, score"),
                    ("indices.levels", "index_id, date, level"),
                    ("marts.fct_daily", "token_id, market_date, price_usd"),
                    ("api.trading_signals", "as_of_week, token_id, signal"),
                )
            ]
    except Exception as error:
        errors.append(repr(error))
    else:
        reads += 1
        key = json.dumps([weeks[1], parts])
        answers[key] = answers.get(key, 0) + 1
    time.sleep(0.02)
result.write_text(json.dumps({"reads": reads, "errors": errors[:5], "answers": answers}))
"""
"""A process that opens the published warehouse, asks five questions in one connection and closes it, as often as it can."""


def crowd(ground: Ground) -> list[Result]:
    """One run of the week with a hammering reader beside it, and a second run that wants in at three points."""
    stop, told = ground.root / "crowd.stop", ground.root / "crowd.json"
    for path in (stop, told):
        path.unlink(missing_ok=True)
    with timed() as seconds, ground.copy("crowd") as tidemark:
        arguments = [str(tidemark.published), str(stop), str(told)]
        reader = subprocess.Popen([sys.executable, "-c", READER.replace(", max(run_id)", ", 0"), *arguments])
        refused = []
        try:
            with tidemark.started("run", **WEEK) as running:
                (tidemark.folder / "run.log").unlink(missing_ok=True)
                for step in ("coingecko_markets", "dbt_marts", "published__warehouse"):
                    wait_for_step(tidemark, running, step)
                    if running.process.poll() is None:
                        second = tidemark.call("run", **WEEK)
                        refusal(second, names="run.lock is held by process ")
                        refused.append(f"in {step} after {second.seconds:.0f} s")
                finished = finish(running)
        finally:
            stop.touch()
            reader.wait(timeout=120)
        if finished.code != 0:
            raise DrillError(f"the first run failed: {finished.said[-1500:]}")
        ground.hold_equal(tidemark)
        seen = json.loads(told.read_text())
        stop.unlink()
        if seen["errors"] or len(seen["answers"]) != 2:
            raise DrillError(f"{len(seen['answers'])} different answers, errors {seen['errors']}")
        counts = sorted(seen["answers"].values(), reverse=True)
        return [
            Result(
                "two runs at once",
                "The second is refused in one line that names the holder; the first is undisturbed",
                f"refused {', '.join(refused)}; the first complete and equal",
                seconds(),
                is_held=len(refused) == 3,
            ),
            Result(
                "a reader hammering the published copy",
                "Every answer is whole and of one week; no read fails",
                f"{seen['reads']} reads of five questions each beside the whole run: {counts[0]} of one week, "
                f"{counts[1]} of the other, none mixed, "
                "none failed",
                seconds(),
            ),
        ]
