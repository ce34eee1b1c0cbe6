"""The service of an empty folder: it starts the first run by itself, refuses a second service, and takes everything along when it ends."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.processes import free_port, pids_of

START_SECONDS = 240


def runs_for_weeks(folder):
    """Status and tags of ours of every run that Dagster knows."""
    storage = folder / "dagster" / "history" / "runs.db"
    with closing(sqlite3.connect(f"file:{storage}?mode=ro", uri=True)) as connection:
        return connection.execute(
            "select run_id, status, (select group_concat(key) from run_tags where run_tags.run_id = runs.run_id and key like 'tidemark/%') "
            "from runs order by id"
        ).fetchall()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc, which is Linux")
def test_a_service_starts_the_run_that_is_due_and_ends_with_it(fresh, wait_for):
    port = free_port()
    with fresh.started("serve", TIDEMARK_UI_PORT=str(port)) as service:
        wait_for(lambda: "ready after" in service.out.read_text(), seconds=START_SECONDS, what="the service")

        refused = fresh.call("serve", TIDEMARK_UI_PORT=str(free_port()))
        healthy = fresh.call("health")
        wait_for(
            lambda: any(status == "STARTED" for _, status, _ in runs_for_weeks(fresh.folder)),
            seconds=START_SECONDS,
            what="the first run",
        )
        daemon = next(
            each
            for each in psutil.Process(service.process.pid).children()
            if "dagster._daemon" in " ".join(each.cmdline())
        )
        daemon.kill()
        wait_for(lambda: "the daemon (process" in service.out.read_text(), seconds=30, what="word of the dead daemon")
        service.process.send_signal(signal.SIGTERM)
        code = service.process.wait(timeout=120)

    said = service.out.read_text()
    assert code == 0, said
    assert refused.code == 2
    assert f"is served by process {service.process.pid}, with its UI on port {port}" in refused.err
    assert healthy.code == 0, healthy.said
    assert "week 2025-01-06 is due" in healthy.out
    assert "started again in 1 s" in said
    ((_, status, tags),) = runs_for_weeks(fresh.folder)
    assert status in ("CANCELED", "FAILURE")
    assert set(tags.split(",")) == {"tidemark/week", "tidemark/stopped_by"}
    wait_for(lambda: not pids_of(fresh.folder), seconds=30, what="the end of all processes of the service")
