"""The unit in a systemd of its own: a Debian in a folder, booted in namespaces of this machine (systemd-nspawn), no network but loopback.

The packages are those of this environment, seen through a read-only mount: what the unit forbids is tried on the programs that it starts.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from orchestration.service import supervisor
from tests.conftest import REPOSITORY, TOKENS, WEEK

pytestmark = pytest.mark.slow  # a drill: a Debian is unpacked and a first run made, ten minutes of an idle machine

UNIT = Path(supervisor.__file__).with_name("tidemark.service")
PROGRAMS = ("debootstrap", "systemd-nspawn", "nsenter", "git")
PACKAGES = "systemd,systemd-sysv,dbus,python3.11,libgomp1,ca-certificates"
INSTALLED = "/opt/tidemark"
PYTHON = f"{INSTALLED}/.venv/bin/python"
PACKAGES_HERE = Path(psutil.__file__).resolve().parents[1]
BOOTED_WITHIN_SECONDS = 180
SETTINGS = {
    "TIDEMARK_SOURCE": "simulated",
    "TIDEMARK_AS_OF": WEEK.isoformat(),
    "TIDEMARK_SIMULATION__TOKENS": str(TOKENS),
}


@dataclass(frozen=True)
class Machine:
    """A Debian that has booted.

    Attributes:
        root: Its files.
        init: Process of its systemd, as this machine numbers it.
    """

    root: Path
    init: int

    def run(self, *command: str, may_fail: bool = False) -> str:
        """What a command in it said."""
        entered = ["nsenter", "--target", str(self.init), "--mount", "--pid", "--net", "--uts", "--ipc", *command]
        done = subprocess.run(entered, capture_output=True, text=True, check=False)
        assert may_fail or done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def show(self, *names: str) -> dict[str, str]:
        """Properties of the service."""
        lines = self.run("systemctl", "show", "tidemark", *(f"--property={name}" for name in names)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait_for(self, *, seconds: float, **wanted: str) -> dict[str, str]:
        """Wait until properties of the service begin with what is wanted."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.show(*wanted)
            if all(found[name].startswith(value) for name, value in wanted.items()):
                return found
            time.sleep(1)
        log = self.run("journalctl", "--unit=tidemark", "--no-pager", "--lines=60")
        raise AssertionError(f"{wanted} wanted, {found} found after {seconds:.0f} s\n{log}")

    def set(self, **settings: str) -> None:
        """Write the file of settings that systemd reads."""
        file = self.root / "etc" / "tidemark" / "tidemark.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def programs(self) -> list[str]:
        """Command lines of the service's processes."""
        children = psutil.Process(self.init).children(recursive=True)
        return [line for line in (" ".join(each.cmdline()) for each in children) if PYTHON in line]


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing or sys.version_info[:2] != (3, 11):
        pytest.skip(f"needs root, Python 3.11 as Debian 12 has it, and {', '.join(missing or PROGRAMS)}")
    root = tmp_path_factory.mktemp("machine") / "root"  # pytest's own folder is closed to all users but this one
    unpacked = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if unpacked.returncode:
        pytest.skip(f"debootstrap: {unpacked.stdout[-300:]}")
    _install(root)
    log = root.parent / "machine.log"
    command = [
        "systemd-nspawn",
        "--directory",
        str(root),
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--boot",
    ]
    with log.open("w") as said:
        nspawn = subprocess.Popen(
            [*command, f"--bind-ro={PACKAGES_HERE}:{INSTALLED}/.venv/lib/python3.11/site-packages"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        machine = _booted(nspawn, root, log)
        machine.run(
            "sh", "-c", f"cd {INSTALLED}/dbt_project && {PYTHON} -c 'from dbt.cli.main import cli; cli()' --quiet parse"
        )
        yield machine
    finally:
        nspawn.terminate()
        nspawn.wait(180)


def _install(root: Path) -> None:
    """The project as docs/how-to/serve.md installs it, but for its packages."""
    project = root / INSTALLED.removeprefix("/")
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(project)], check=True)
    for command in (
        ["python3.11", "-m", "venv", "--without-pip", f"{INSTALLED}/.venv"],
        ["useradd", "--system", "--home-dir", "/var/lib/tidemark", "--shell", "/usr/sbin/nologin", "tidemark"],
    ):
        subprocess.run(["chroot", str(root), *command], check=True)
    (root / "etc" / "tidemark").mkdir(mode=0o700)
    shutil.copy(UNIT, root / "etc" / "systemd" / "system" / UNIT.name)


def _booted(nspawn: subprocess.Popen, root: Path, log: Path) -> Machine:
    """The machine, once its systemd has started all there is to start."""
    until = time.monotonic() + BOOTED_WITHIN_SECONDS
    while time.monotonic() < until:
        if nspawn.poll() is not None:
            pytest.skip(f"systemd-nspawn cannot boot here: {log.read_text()[-300:]}")
        for child in psutil.Process(nspawn.pid).children():
            machine = Machine(root, child.pid)
            if machine.run("systemctl", "is-system-running", may_fail=True).strip() in ("running", "degraded"):
                return machine
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def test_the_service_makes_its_week_survives_kill_and_stops(machine):
    machine.set(**SETTINGS)
    machine.run("systemctl", "start", "tidemark")
    machine.wait_for(seconds=1800, StatusText=f"well; week {WEEK} is published")
    stat = (machine.root / "var" / "lib" / "tidemark").stat()
    assert stat.st_mode & 0o777 == 0o700
    assert stat.st_uid not in (0, os.getuid())
    assert "active" in machine.run("systemctl", "is-active", "tidemark")

    machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "tidemark")
    machine.wait_for(seconds=30, SubState="auto-restart")
    assert machine.programs() == []
    machine.wait_for(seconds=300, ActiveState="active", NRestarts="1")

    machine.run("systemctl", "stop", "tidemark")
    assert machine.show("ActiveState", "Result", "ExecMainStatus") == {
        "ActiveState": "inactive",
        "Result": "success",
        "ExecMainStatus": "0",
    }
    assert machine.programs() == []


def test_what_no_restart_mends_is_not_started_again(machine):
    machine.set(**SETTINGS | {"TIDEMARK_SOURCE": "hearsay"})

    machine.run("systemctl", "start", "tidemark", may_fail=True)

    found = machine.wait_for(seconds=60, ActiveState="failed")
    assert found == {"ActiveState": "failed"}
    assert machine.show("ExecMainStatus", "NRestarts") == {"ExecMainStatus": "2", "NRestarts": "0"}
    assert "hearsay" in machine.run("journalctl", "--unit=tidemark", "--no-pager", "--lines=20")
