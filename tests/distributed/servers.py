"""Servers that tests of more than one machine start for themselves: Postgres and an S3-compatible store, on free ports of loopback.

Belongs here: starting, stopping, and whether they can be started here at all. Does not: what is asked of them.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import free_port

STARTED_WITHIN_SECONDS = 180
KEY = "tidemark-test-key"
SECRET = "tidemark-test-secret"  # noqa: S105 - of a store that lives as long as a test


@dataclass(frozen=True)
class Postgres:
    """A server with an empty superuser's database `postgres`."""

    port: int
    user: str
    programs: Path

    def create(self, database: str) -> None:
        """Make a database."""
        self._run("createdb", database)

    def query(self, database: str, sql: str) -> str:
        """First lines of an answer, unaligned."""
        return self._run("psql", "-d", database, "-At", "-c", sql)

    def catalogue(self, database: str) -> str:
        """As a lake's catalogue."""
        return f"postgres:dbname={database} host=127.0.0.1 port={self.port} user={self.user}"

    def url(self, database: str) -> str:
        """As Dagster's storage."""
        return f"postgresql+psycopg2://{self.user}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self.programs / program), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def postgres_programs() -> Path | None:
    """Folder of Postgres' programs, None where it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    places = [*debian, *([Path(on_path).parent] if on_path else [])]
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server in a temporary folder; it refuses to be root, so root starts it as nobody."""
    programs = postgres_programs()
    assert programs is not None, "Postgres is not installed"
    who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="tidemark-postgres-"))
    if who:
        shutil.chown(folder, "nobody")
    data, port = folder / "data", free_port()
    subprocess.run(
        [str(programs / "initdb"), "-D", str(data), "-U", "tidemark", "--auth=trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        **who,
    )
    # Not what a test waits for: a server that is thrown away need not survive a crash.
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in options.items())],
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=folder,
            **who,
        )
    made = Postgres(port, "tidemark", programs)
    try:
        _wait(lambda: made.query("postgres", "select 1") == "1", server, folder / "log")
        yield made
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for clients to leave
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def object_store(bucket: str) -> Iterator[Mapping[str, str]]:
    """moto's server with one bucket; yields the settings that reach it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: httpx.get(f"{url}/moto-api/", timeout=5).status_code == 200, server, None)
        httpx.put(f"{url}/{bucket}", timeout=30).raise_for_status()
        yield {
            "TIDEMARK_OBJECT_STORE__ENDPOINT": url,
            "TIDEMARK_OBJECT_STORE__ACCESS_KEY": KEY,
            "TIDEMARK_OBJECT_STORE__SECRET_KEY": SECRET,
        }
    finally:
        server.terminate()
        server.wait(60)


def _wait(is_there, server: subprocess.Popen, log: Path | None) -> None:
    until = time.monotonic() + STARTED_WITHIN_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended at once: {log.read_text() if log else server.args}")
        try:
            if is_there():
                return
        except (OSError, httpx.HTTPError, subprocess.CalledProcessError):
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{server.args} did not start")
