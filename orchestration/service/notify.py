"""Messages to systemd over the socket it names in NOTIFY_SOCKET (sd_notify(3)); nothing where there is none.

Belongs here: the protocol, a datagram of lines. Does not: what is said and when (`supervisor.py`).
"""

from __future__ import annotations

import os
import socket


def notify(**lines: str) -> None:
    """Tell systemd, e.g. `notify(READY="1", STATUS="...")`. A socket that is gone is no reason to stop a service."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    message = "\n".join(f"{name}={value}" for name, value in lines.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as stream:
        try:
            stream.sendto(message.encode(), "\0" + address[1:] if address[0] == "@" else address)
        except OSError as error:
            print(f"tidemark: systemd was not told {message!r}: {error.strerror}", flush=True)  # noqa: T201 - the log
