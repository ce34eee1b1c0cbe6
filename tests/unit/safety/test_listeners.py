"""What listens, listens on this machine only: looked up in the kernel's table of sockets, and where the commands are written."""

import os
import re
from pathlib import Path

import pytest

from orchestration import commands
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from tests.fuzz.wire import NOW
from tests.unit.safety.sockets import listening, others

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_socket_that_everybody_reaches_would_be_found():
    import socket

    before = others(listening(os.getpid()))
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - the mistake that is looked for
        listener.listen()

        found = others(listening(os.getpid())) - before

        assert found == {("0.0.0.0", listener.getsockname()[1])}  # noqa: S104


def test_the_sandbox_listens_on_loopback_only():
    before = listening(os.getpid())

    with running_sandbox(simulate_market(SimulationSettings(tokens=130)), NOW) as sandbox:
        opened = listening(os.getpid()) - before

    port = int(sandbox.base_url.rpartition(":")[2])
    assert ("127.0.0.1", port) in opened
    assert others(opened) == set()


def test_the_user_interface_and_the_notebook_are_told_to_listen_on_loopback():
    makefile = (REPOSITORY / "Makefile").read_text()

    assert commands.UI_HOST == "127.0.0.1"
    assert re.search(r"marimo edit \S+ --host 127\.0\.0\.1 ", makefile)


@pytest.mark.parametrize("wide", ["0.0.0.0", "::"])  # noqa: S104 - what is looked for
def test_no_command_listens_everywhere(wide):
    files = [REPOSITORY / "Makefile", *(REPOSITORY / "orchestration").rglob("*.py")]

    named = [str(path) for path in files if f'"{wide}"' in path.read_text() or f"--host {wide}" in path.read_text()]

    assert named == []
