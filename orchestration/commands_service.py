"""The commands of the service: serve a data folder, and ask how its service is.

Belongs here: what is checked before, what is said. Does not: keeping processes alive (`service/supervisor.py`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from orchestration.commands import UI_HOST, checked, free_port, live_in
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import moves_with_calendar
from orchestration.lib.errors import TidemarkError
from orchestration.lib.serve_lock import SERVING, is_served, refuse_served, served_by, serving
from orchestration.settings import load_settings


def serve() -> int:
    """The Dagster daemon and UI in the foreground, schedules on, until Ctrl-C or SIGTERM."""
    settings, folder, choice = checked()
    if settings.as_of is not None and moves_with_calendar(settings, now=datetime.now(UTC)):
        raise TidemarkError(
            f"AS_OF={settings.as_of} and a service contradict each other: it runs the week that is due. Leave AS_OF out, or use make run"
        )
    host = os.environ.get("TIDEMARK_UI_HOST", UI_HOST)
    # The lock is asked for first: whoever serves the folder has the port as a rule, and is the better answer.
    refuse_served(folder.root)
    port = free_port(host, command="serve")
    folder.root.mkdir(parents=True, exist_ok=True)
    with serving(folder.root, port=port):
        live_in(folder, settings, choice)
        os.environ[SERVING] = "1"
        print(f"tidemark: serving {folder.root} ({settings.source} data); stop it with Ctrl-C or SIGTERM", flush=True)
        if host != UI_HOST:
            print(
                f"tidemark: the UI listens on {host} and asks nobody for a password; see docs/how-to/serve.md",
                flush=True,
            )
        from orchestration.service.supervisor import Supervisor

        return Supervisor(settings, host=host, port=port).run()


def health() -> int:
    """Whether the service of the data folder works: 0 it does, 1 it does not."""
    from orchestration.service.health import ask_health, health_line

    settings = load_settings()
    folder = DataFolder(settings.folder)
    holder = served_by(folder.root)
    if holder is None or not is_served(folder.root):
        print(f"tidemark: nobody serves {folder.root}; start it with make serve", file=sys.stderr)
        return 1
    asked = ask_health(holder.port)
    print(health_line(asked, settings, now=datetime.now(UTC)), file=sys.stdout if asked.is_well else sys.stderr)
    return 0 if asked.is_well else 1
