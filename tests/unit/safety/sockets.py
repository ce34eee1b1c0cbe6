"""Listening TCP sockets of a process, from the kernel's table."""

import ipaddress
import re
import struct
from pathlib import Path

LISTENING = "0A"


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of every TCP socket on which a process, its threads included, listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
        if found:
            inodes.add(found[1])
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                address, port = fields[1].split(":")
                sockets.add((readable(address), int(port, 16)))
    return sockets


def readable(address: str) -> str:
    """An address of the table, which is written word by word in the machine's order of bytes."""
    words = [address[start : start + 8] for start in range(0, len(address), 8)]
    raw = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    return str(ipaddress.ip_address(raw))


def others(sockets: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those that another machine could reach."""
    return {(address, port) for address, port in sockets if not _is_loopback(address)}


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
