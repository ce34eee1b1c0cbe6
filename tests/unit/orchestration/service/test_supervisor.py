"""How often a child is started again, and that a program and all it started end."""

import subprocess
import sys
import time

import psutil

from orchestration.service import children
from orchestration.service.notify import notify
from orchestration.service.supervisor import DEATHS, DEATHS_WITHIN_SECONDS, Child

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("\\x1b[32mstarted\\x1b[0m", child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_that_dies_is_started_again_after_waits_that_double_until_it_died_too_often():
    child = Child("UI", [])

    assert [child.back_off(float(second)) for second in range(DEATHS)] == [1.0, 2.0, 4.0, 8.0, None]


def test_deaths_long_ago_are_forgotten():
    child = Child("UI", [])
    for second in range(DEATHS - 1):
        child.back_off(float(second))

    assert child.back_off(DEATHS_WITHIN_SECONDS * 2) == 1.0


def test_a_child_waits_for_the_file_it_needs(tmp_path):
    child = Child("UI", [], needs=tmp_path / "socket")

    assert not child.is_due(1.0)
    (tmp_path / "socket").touch()
    assert child.is_due(1.0)


def test_lines_of_a_child_bear_its_name_and_no_colours_in_a_file(capfd):
    process = children.start([sys.executable, "-c", PARENT], name="daemon")
    said = ""
    end = time.monotonic() + 20
    while "started" not in said and time.monotonic() < end:
        time.sleep(0.05)
        said += capfd.readouterr().out

    grandchild = int(said.split()[-1])
    try:
        assert said.startswith("daemon: started ")
        assert grandchild in {each.pid for each in children.descendants(process.pid)}
    finally:
        children.kill([*children.descendants(process.pid), psutil.Process(process.pid)])
        process.wait()
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


def test_systemd_is_told_over_its_socket(tmp_path, monkeypatch):
    listen = f"""
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
    stream.bind({str(tmp_path / "notify")!r})
    print("listening", flush=True)
    print(stream.recv(1000).decode(), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE, text=True) as listener:
        listener.stdout.readline()
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        notify(READY="1", STATUS="well")

        assert listener.stdout.read() == "READY=1\nSTATUS=well\n"
