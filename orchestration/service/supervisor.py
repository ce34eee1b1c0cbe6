"""Keeps the code server, the daemon and the UI alive in the foreground, and ends them with the run they have under way.

A child that dies is started again after 1 s, 2 s, 4 s and so on; the fifth death within ten minutes ends the service with exit code 1, as
does a service that is not well for a quarter of an hour, so that whoever watches over it (systemd, a container engine) starts it anew.

Belongs here: the loop, the order of starting and ending, what is said. Does not: processes (`children.py`), asking (`health.py`).
"""

# ruff: noqa: T201 - the service speaks to the terminal, or to the journal

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import STOPPED_TAG
from orchestration.lib.run_lock import RunLock, RunLockError
from orchestration.service import children
from orchestration.service.health import Health, ask_health, health_line
from orchestration.service.notify import notify
from orchestration.settings import Settings

LOOK_SECONDS: Final = 1.0
REAP_SECONDS: Final = 30.0
ASK_SECONDS: Final = 30.0
SAY_SECONDS: Final = 3600.0
UNWELL_SAY_SECONDS: Final = 120.0
UNWELL_SECONDS: Final = 900.0
START_SECONDS: Final = 720.0
"""For the definitions to load and the daemons to beat: half a minute on an idle machine, ten minutes were seen on a very busy one."""

DEATHS: Final = 5
DEATHS_WITHIN_SECONDS: Final = 600.0
RUN_END_SECONDS: Final = 25.0
CHILD_END_SECONDS: Final = 20.0
"""Both together stay below the 90 s after which systemd's default would kill us, and ours of 120 s."""

CODE_SERVER: Final = "code server"
NOT_ASKED: Final = Health(problems=("its programs are being started",))


@dataclass
class Child:
    """A program that is kept alive.

    Attributes:
        name: What it is called in the log.
        arguments: Its command.
        needs: File that must be there before it is started; the socket of the code server appears once the definitions are loaded.
        process: It, once started.
        deaths: When it died, seconds of a clock that only rises.
        start_at: When to start it (again), on the same clock; None while it lives.
    """

    name: str
    arguments: Sequence[str]
    needs: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    start_at: float | None = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it is time to start it."""
        return self.start_at is not None and now >= self.start_at and (self.needs is None or self.needs.exists())

    def back_off(self, now: float) -> float | None:
        """Note a death; seconds until the next start, or None when it has died too often."""
        self.deaths = [*(at for at in self.deaths if at > now - DEATHS_WITHIN_SECONDS), now]
        if len(self.deaths) >= DEATHS:
            return None
        return float(2 ** (len(self.deaths) - 1))


class Supervisor:
    """The service of one data folder, whose lock the caller holds."""

    def __init__(self, settings: Settings, *, host: str, port: int, ask: Callable[[int], Health] = ask_health) -> None:
        """Describe the service; nothing is started before `run`.

        Args:
            settings: Settings of the service; the children read the same environment.
            host: Address the UI listens on.
            port: Port of the UI.
            ask: Asks the service how it is.
        """
        self._settings = settings
        self._folder = DataFolder(settings.folder)
        self._host, self._port = host, port
        self._ask = ask
        self._stop = threading.Event()
        self._signal: int | None = None
        self._health: Health | None = None
        self._children: list[Child] = []

    def run(self) -> int:
        """Serve until a signal or a fault that does not heal; returns the exit code: 0 SIGTERM, 130 Ctrl-C, 1 fault."""
        children.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._hear)
        self._fail_dead_runs()
        with tempfile.TemporaryDirectory(prefix="tidemark-") as sockets:
            self._children = _programs(Path(sockets), self._folder, host=self._host, port=self._port)
            asking = threading.Thread(target=self._keep_asking, name="health", daemon=True)
            asking.start()
            code = 1
            try:
                code = self._watch()
            finally:
                self._stop.set()
                notify(STOPPING="1")
                self._end_all()
            return code

    def _watch(self) -> int:
        """The loop: start what is to be started, see what died, say how it is."""
        began = time.monotonic()
        well_at, said_at, reaped_at, is_ready, told = began, -SAY_SECONDS, began, False, NOT_ASKED
        while not self._stop.wait(LOOK_SECONDS):
            now = time.monotonic()
            for child in self._children:
                if child.is_due(now):
                    child.process, child.start_at = children.start(child.arguments, name=child.name), None
                elif child.process is not None and child.start_at is None and child.process.poll() is not None:
                    wait = self._bury(child, now)
                    if wait is None:
                        _say(
                            f"the {child.name} died {DEATHS} times in {DEATHS_WITHIN_SECONDS / 60:.0f} minutes; giving up"
                        )
                        return 1
                    child.start_at = now + wait
            if now - reaped_at >= REAP_SECONDS:
                reaped_at = now
                children.reap({child.process.pid for child in self._children if child.process is not None})
            health = self._health or NOT_ASKED
            if health.is_well:
                well_at = now
                if not is_ready:
                    is_ready = True
                    notify(READY="1")
                    _say(f"ready after {now - began:.0f} s: UI on http://{self._host}:{self._port}")
            is_time = now - said_at >= (SAY_SECONDS if health.is_well else UNWELL_SAY_SECONDS)
            if is_ready and (is_time or health is not told):
                line = health_line(health, self._settings, now=datetime.now(UTC))
                if is_time:
                    said_at = now
                    _say(line)
                told = health
                notify(STATUS=line)
            if now - well_at > (UNWELL_SECONDS if is_ready else START_SECONDS):
                _say(f"not well for {now - well_at:.0f} s, giving up: {'; '.join(health.problems)}")
                return 1
        return 130 if self._signal == signal.SIGINT else 0

    def _bury(self, child: Child, now: float) -> float | None:
        """What to do about a child that died: end what it left, and the run it may have had; returns the wait, None for no more."""
        assert child.process is not None  # noqa: S101 - it died, so it was started
        wait = child.back_off(now)
        ended = "" if wait is None else f"; it is started again in {wait:.0f} s"
        _say(f"the {child.name} (process {child.process.pid}) died with exit code {child.process.returncode}{ended}")
        own = {each.process.pid for each in self._children if each.process is not None and each is not child}
        alive = (
            set().union(*({pid, *(process.pid for process in children.descendants(pid))} for pid in own))
            if own
            else set()
        )
        children.kill(process for process in children.descendants() if process.pid not in alive)
        if child.name == CODE_SERVER:
            self._fail_dead_runs()
        return wait

    def _keep_asking(self) -> None:
        """In a thread: a UI that hangs must not keep the loop from seeing a child die."""
        while not self._stop.wait(2.0 if self._health is None or not self._health.is_well else ASK_SECONDS):
            if all(child.process is not None for child in self._children):
                self._health = self._ask(self._port)

    def _hear(self, number: int, _frame: object) -> None:
        if self._stop.is_set():
            _say("killed everything at the second signal")
            children.kill(children.descendants())
            os._exit(128 + number)
        self._signal = number
        self._stop.set()

    def _end_all(self) -> None:
        """The run first, then the three programs, then whatever is left; the run counts as cancelled and is started again later."""
        began = time.monotonic()
        _say("stopping")
        self._note_stopped_runs()
        server = next((child.process for child in self._children if child.name == CODE_SERVER and child.process), None)
        workers = [] if server is None else children.workers_of(server.pid)
        if workers:
            holder = RunLock(self._folder.root).holder()
            if holder is not None and holder.pid in {process.pid for process in workers}:
                _say(
                    f"ending {holder.command}: what was published before stays, and it is started again when the service is"
                )
            children.kill(children.end(workers, seconds=RUN_END_SECONDS))
        programs = [
            child.process for child in self._children if child.process is not None and child.process.poll() is None
        ]
        for program in programs:
            program.terminate()
        deadline = time.monotonic() + CHILD_END_SECONDS
        for program in programs:
            try:
                program.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _say(f"process {program.pid} did not end in {CHILD_END_SECONDS:.0f} s and is killed")
                program.kill()
        children.kill(children.descendants())
        self._fail_dead_runs()
        _say(f"stopped after {time.monotonic() - began:.0f} s")

    def _note_stopped_runs(self) -> None:
        """Tag the runs that end with us: they are started again at once, and no failed try of their week."""
        import dagster as dg
        from dagster import RunsFilter

        from orchestration.lib.dead_runs import RUNNING

        with dg.DagsterInstance.get() as instance:
            for run in instance.get_runs(RunsFilter(statuses=RUNNING)):
                instance.add_run_tags(run.run_id, {STOPPED_TAG: "tidemark serve"})

    def _fail_dead_runs(self) -> None:
        """Mark runs that no process executes any more as failed; not while somebody's run holds the lock."""
        import dagster as dg

        from orchestration.lib.dead_runs import fail_dead_runs

        try:
            with RunLock(self._folder.root, command="tidemark serve, tidying"), dg.DagsterInstance.get() as instance:
                for run_id in fail_dead_runs(instance, current_run_id=None):
                    _say(f"run {run_id[:8]} had not ended and is marked as failed")
        except RunLockError as error:
            _say(f"runs are left as they are, for {error}")


def _programs(sockets: Path, folder: DataFolder, *, host: str, port: int) -> list[Child]:
    """The three programs. Daemon and UI reach the code over a socket that only this user can open."""
    socket, workspace = sockets / "code.sock", folder.dagster / "serve-workspace.yaml"
    workspace.write_text(f"load_from:\n  - grpc_server:\n      socket: {socket}\n      location_name: tidemark\n")
    module = ["-m", "orchestration.definitions", "-a", "defs", "--location-name", "tidemark"]
    plain = ["--log-level", "warning"]
    return [
        Child(CODE_SERVER, [sys.executable, "-m", "dagster", "api", "grpc", "-s", str(socket), *module, *plain]),
        Child(
            "daemon",
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace), "--log-level", "info"],
            socket,
        ),
        Child(
            "UI", [sys.executable, "-m", "dagster_webserver", "-w", str(workspace), "-h", host, "-p", str(port)], socket
        ),
    ]


def _say(line: str) -> None:
    print(f"tidemark: {line}", flush=True)
