"""Running the sandbox: a server in a daemon thread of this process, on a free port of the loopback interface.

Belongs here: the thread's life and the handle on it. Does not: what is served (`server.py`).
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import uvicorn

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.faults import FaultPlan
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.server import LoggedRequest, SandboxApp, create_app

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class SandboxStartError(RuntimeError):
    """The sandbox did not come up."""


@dataclass(frozen=True)
class RunningSandbox:
    """Handle on a running sandbox.

    Attributes:
        base_url: `http://127.0.0.1:port`, without a slash at the end.
        app: The application it runs.
    """

    base_url: str
    app: SandboxApp

    def url_for(self, host: str) -> str:
        """Base URL that stands for `https://host`."""
        return f"{self.base_url}/{host}"

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request so far, in the order in which their answers began."""
        return self.app.requests

    @property
    def clock(self) -> SandboxClock:
        """What is visible; set its `now` to move on."""
        return self.app.clock

    @property
    def faults(self) -> FaultPlan:
        """Misbehaviour; add rules to it, or clear it."""
        return self.app.faults


@contextmanager
def running_sandbox(
    market: SimulatedMarket,
    now: datetime,
    *,
    full_history: bool = True,
    faults: FaultPlan | None = None,
    enforce_limits: bool = False,
    latency_seconds: float = 0.0,
) -> Iterator[RunningSandbox]:
    """Serve a market as of an instant until the block ends. The port is free again afterwards.

    Args:
        market: What to serve.
        now: First instant of the clock, with its time zone.
        full_history: Whether CoinGecko serves more than the last 365 days.
        faults: Misbehaviour; none by default.
        enforce_limits: Whether hosts refuse those who ask more often than the providers allow.
        latency_seconds: Typical wait before an answer.

    Raises:
        SandboxStartError: The server did not start within ten seconds.
    """
    app = create_app(
        market,
        SandboxClock(now),
        full_history=full_history,
        faults=faults,
        enforce_limits=enforce_limits,
        latency_seconds=latency_seconds,
    )
    with ExitStack() as closing:
        listener = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, 0))
        port = listener.getsockname()[1]
        name = f"sandbox-{port}"
        closing.enter_context(_silenced(name))
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name=name, daemon=True)
        thread.start()
        _wait_until_started(server, thread)
        try:
            yield RunningSandbox(f"http://{_LOOPBACK}:{port}", app)
        finally:
            server.should_exit = True
            server.force_exit = True  # an answer that is being dripped must not hold up the exit
            thread.join(_STOP_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise SandboxStartError(f"the sandbox server did not start within {_START_SECONDS:g} s on {_LOOPBACK}")
        time.sleep(0.002)


class _OtherThreads(logging.Filter):
    """Drops what one sandbox's thread says: faults on purpose must not look like errors of the run."""

    def __init__(self, thread_name: str) -> None:
        super().__init__()
        self._thread_name = thread_name

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != self._thread_name


@contextmanager
def _silenced(thread_name: str) -> Iterator[None]:
    logger, other_threads = logging.getLogger("uvicorn.error"), _OtherThreads(thread_name)
    logger.addFilter(other_threads)
    try:
        yield
    finally:
        logger.removeFilter(other_threads)
