"""Processes of the service: started in sessions of their own, ended with all they started.

Belongs here: starting, ending, finding what is left. Does not: when to do which (`supervisor.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import IO, Final, TextIO

import psutil  # type: ignore[import-untyped]

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
IS_LINUX = sys.platform.startswith("linux")

COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")

DULL: Final = re.compile(
    r"SensorDaemon - INFO - (Checking for new runs|Sensor \S+ skipped)|MonitoringDaemon - INFO - (Collected|Checking)"
)
"""Said by the daemon every half minute, thousands of times a day; the UI keeps why a sensor started nothing."""

_LIBC = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind, so that it is found (Linux; elsewhere the run lock tells what is left)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(arguments: Sequence[str], *, name: str) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own: a Ctrl-C at the terminal is ours to pass on. It hears SIGTERM when we are killed.

    Args:
        arguments: Its command.
        name: What stands before each line it says.
    """
    process = subprocess.Popen(  # noqa: S603 - our own programs
        arguments,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_end_with_parent,  # one system call
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    threading.Thread(target=_relay, args=(name, process.stdout, sys.stdout), daemon=True, name=f"log of {name}").start()
    return process


def _relay(name: str, stream: IO[bytes], to: TextIO) -> None:
    """Pass lines on whole, so that those of several programs do not mix; colours are for terminals."""
    is_terminal = to.isatty()
    with stream:
        for line in stream:
            text = line.decode(errors="replace").rstrip("\n")
            if DULL.search(COLOUR.sub("", text)):
                continue
            to.write(f"{name}: {text if is_terminal else COLOUR.sub('', text)}\n")
            to.flush()


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """All living processes below one, by default below this one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid).children(recursive=True)
        return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    return []


def workers_of(pid: int) -> list[psutil.Process]:
    """Processes below one that can be asked to end: Python's own, which looks after shared memory, is deaf and ends with its parent."""
    found = []
    for process in descendants(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "multiprocessing.resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Ask processes to end and wait; returns those that did not."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(asked, timeout=seconds)
    return alive


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL, and wait until the system has taken them away."""
    killed = list(processes)
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(killed, timeout=10)


def reap(own: Collection[int]) -> None:
    """Take leave of adopted processes that have ended; otherwise they would stay in the process table for good.

    Args:
        own: Processes whose end somebody else waits for.
    """
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)
