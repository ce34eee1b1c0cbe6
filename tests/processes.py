"""Programs that tests start: a port for them, and those that still live."""

import socket
from pathlib import Path


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pids_of(folder: Path) -> list[int]:
    """Living processes that were started for a data folder."""
    wanted = f"TIDEMARK_DATA_DIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found
