"""The journal of alerts: what was told to whom, so that nothing is told twice and nothing due is forgotten.

One file, `alerts_journal.json` in the data folder, replaced in whole. What is under way is written down before it is sent: after a
crash it counts as told, for nobody knows whether it arrived and a second time is worse. An event that a correction takes back and
brings again is a new one: its id counts the times it was withdrawn.

Belongs here: the file, and which events are new, withdrawn, due. Does not: addresses (only their names are written), sending.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.events import MARKET_KINDS, Event, Fact
from orchestration.lib.whole_file import write_whole

NAME: Final = "alerts_journal.json"
LOCK_NAME: Final = "alerts.lock"
GIVEN_UP_AFTER: Final = timedelta(days=14)
"""What could not be sent for so long is no news any more."""

KEPT_FOR: Final = timedelta(days=400)

State = Literal["due", "sending", "sent", "unknown", "given_up", "withdrawn"]
TOLD: Final = frozenset({"sending", "sent", "unknown"})


class Delivery(BaseModel):
    """An event and one address.

    `unknown` was under way when the process ended; `withdrawn` was no longer so before it could be sent.
    """

    model_config = ConfigDict(extra="forbid")

    state: State = "due"
    attempts: int = 0
    tried_at: datetime | None = None
    reason: str = ""


class Entry(BaseModel):
    """An event that was found for somebody."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    key: str
    week: date | None
    is_withdrawal: bool = False
    found_at: datetime
    facts: dict[str, Fact]
    deliveries: dict[str, Delivery]

    @property
    def is_told(self) -> bool:
        """Whether anybody heard of it, or may have."""
        return any(each.state in TOLD for each in self.deliveries.values())


class Journal(BaseModel):
    """What was told so far.

    Attributes:
        manifest_sha256: The publication that was read last; the same one holds nothing new.
        setup: Fingerprint of the rules it was read with.
        weeks: Weeks whose events were told with it.
        entries: Events by id.
    """

    model_config = ConfigDict(extra="forbid")

    format_version: Literal[1] = 1
    manifest_sha256: str = ""
    setup: str = ""
    weeks: list[date] = Field(default_factory=list)
    entries: dict[str, Entry] = Field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Journal:
        """The journal of a data folder, empty where there is none.

        Raises:
            AlertsError: It is damaged; going on without it would tell everything again.
        """
        path = root / NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise AlertsError(
                f"{path} is damaged ({error.errors()[0]['msg']}); restore it from a backup, or move it away: then what the newest "
                "week has to tell is told once more"
            ) from None

    def write(self, root: Path) -> None:
        """Replace the file; it is whole at any instant."""
        write_whole(root / NAME, self.model_dump_json(indent=1), is_durable=True)

    def recover(self) -> int:
        """Mark what was under way when a process ended; returns how many deliveries that are."""
        interrupted = [each for _, each in self._all() if each.state == "sending"]
        for each in interrupted:
            each.state, each.reason = "unknown", "the process ended while it was sent; it may have arrived"
        return len(interrupted)

    def knows(self, key: str) -> bool:
        """Whether an event was found before and not withdrawn since."""
        return self._id(key) in self.entries

    def add(self, found: Event, destinations: Iterable[str], *, now: datetime) -> bool:
        """Note an event for some addresses; False where it is known, or nobody wants to hear it."""
        names = list(destinations)
        if not names or self.knows(found.key):
            return False
        self.entries[self._id(found.key)] = Entry(
            kind=found.kind,
            key=found.key,
            week=found.week,
            found_at=now,
            facts=found.facts,
            deliveries={name: Delivery() for name in names},
        )
        return True

    def withdraw_missing(
        self, present: frozenset[str], *, kinds: frozenset[str], weeks: Iterable[date], now: datetime
    ) -> int:
        """Take back the events of some weeks that are no longer so.

        Whoever heard of one hears that it is withdrawn; what was not sent yet will not be.

        Args:
            present: Keys of all events that hold now, whoever wants to hear them.
            kinds: Kinds that were read.
            weeks: Weeks that were read.
            now: Current instant, UTC.

        Returns:
            Events withdrawn.
        """
        read = set(weeks)
        gone = [
            (name, entry)
            for name, entry in self.entries.items()
            if entry.kind in kinds & MARKET_KINDS.keys()
            and not entry.is_withdrawal
            and entry.week in read
            and entry.key not in present
            and name == self._id(entry.key)
        ]
        for name, entry in gone:
            told = [address for address, each in entry.deliveries.items() if each.state in TOLD]
            for each in entry.deliveries.values():
                if each.state == "due":
                    each.state, each.reason = "withdrawn", "a correction took it back before it was sent"
            self.entries[f"withdrawn:{name}"] = entry.model_copy(
                update={
                    "is_withdrawal": True,
                    "found_at": now,
                    "deliveries": {address: Delivery() for address in told},
                }
            )
        return len(gone)

    def age(self, *, now: datetime) -> None:
        """Give up what could not be sent for too long, and forget what is so old that it cannot be found again."""
        for entry, each in self._all():
            if each.state == "due" and entry.found_at < now - GIVEN_UP_AFTER:
                each.state = "given_up"
        self.entries = {name: entry for name, entry in self.entries.items() if entry.found_at > now - KEPT_FOR}

    def due(self) -> list[tuple[str, Entry, Delivery]]:
        """Address, event and delivery of everything that is to be sent."""
        return [
            (address, entry, each)
            for entry in self.entries.values()
            for address, each in entry.deliveries.items()
            if each.state == "due"
        ]

    def _all(self) -> list[tuple[Entry, Delivery]]:
        return [(entry, each) for entry in self.entries.values() for each in entry.deliveries.values()]

    def _id(self, key: str) -> str:
        """The id an event has now: its key, and how often it was withdrawn before."""
        times = 0
        while f"withdrawn:{key}#{times}" in self.entries:
            times += 1
        return f"{key}#{times}"
