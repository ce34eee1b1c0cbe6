"""Sending through apprise, which is loaded when something is sent.

An address holds a secret, and apprise and the HTTP library beneath it write addresses into their logs. So nothing they log gets out:
of a failure only the HTTP status is kept.

Belongs here: one message to one address. Does not: when to send and what becomes of a failure (`delivery.py`).
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pydantic import SecretStr

from orchestration.alerts.errors import AlertsError

STATUS: Final = re.compile(r"error=(\d{3})\b")
NO_ANSWER: Final = "no connection, or no answer in time"
QUIET: Final = ("urllib3", "requests", "asyncio")


class AppriseSender:
    """Sends to addresses by their names."""

    def __init__(self, addresses: Mapping[str, SecretStr]) -> None:
        """Understand the addresses.

        Args:
            addresses: apprise URLs by name.

        Raises:
            AlertsError: apprise does not know the service, or something of an address is missing.
        """
        import apprise

        # In memory: apprise can keep what it learns of services in the user's home, tokens among it.
        asset = apprise.AppriseAsset(
            app_id="Tidemark", async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY
        )
        self._services: dict[str, apprise.Apprise] = {}
        with _kept_quiet(), warnings.catch_warnings():
            # The first address makes apprise load all its services, some of which import what Python is about to drop.
            warnings.simplefilter("ignore", DeprecationWarning)
            for name, address in addresses.items():
                service = apprise.Apprise(asset=asset)
                if not service.add(address.get_secret_value()):
                    scheme = address.get_secret_value().split("://")[0]
                    raise AlertsError(
                        f"TIDEMARK_ALERTS_URLS: apprise cannot use the address {name!r} (a {scheme}:// one; the rest is not "
                        "shown); write it as apprise's page of that service says"
                    )
                self._services[name] = service

    def send(self, name: str, *, title: str, body: str) -> str | None:
        """Send a message.

        Args:
            name: Name of the address.
            title: One line.
            body: Plain text; services that take HTML get it escaped.

        Returns:
            None where the service took it, else why not, in words without secrets.
        """
        import apprise

        with _kept_quiet() as said:
            try:
                is_sent = self._services[name].notify(
                    title=title, body=body, body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False
                )
            except (
                Exception
            ) as error:  # over a hundred services; none may end a run, and what they say may hold the address
                return f"apprise raised {type(error).__name__}"
        if is_sent:
            return None
        statuses = [match[1] for line in said if (match := STATUS.search(line))]
        return f"the service answered with HTTP {statuses[-1]}" if statuses else NO_ANSWER


@contextmanager
def _kept_quiet() -> Iterator[list[str]]:
    """What apprise logs in the block, gathered; none of it reaches a handler of anybody else."""
    said: list[str] = []
    logger = logging.getLogger("apprise")
    others = [logging.getLogger(name) for name in QUIET]
    handler = _Gathering(said)
    before: list[tuple[logging.Logger, Any, Any]] = [(each, each.level, each.propagate) for each in (logger, *others)]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    for other in others:
        other.setLevel(logging.CRITICAL)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        for each, level, propagates in before:
            each.setLevel(level)
            each.propagate = propagates


class _Gathering(logging.Handler):
    """Keeps the lines of a block."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(level=logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())
