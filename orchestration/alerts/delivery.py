"""Telling: find what happened, note what is new, send what is due. Every caller does all of it, so each makes good what another missed.

Order: the events of the newest publication, and of past weeks where a correction changed them; failed runs, blocked checks, a late week;
then a message an address, kind and week. An address that fails once is not tried again in the same call; what it missed stays due.

Belongs here: that order, and what came of it. Does not: queries (`market_events.py`, `run_events.py`), the journal's rules (`journal.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol

import dagster as dg
import duckdb
from filelock import FileLock, Timeout

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.events import Event
from orchestration.alerts.journal import LOCK_NAME, Delivery, Entry, Journal
from orchestration.alerts.market_events import chosen, market_events
from orchestration.alerts.messages import Message, Templates
from orchestration.alerts.own_events import own_events
from orchestration.alerts.rules import AlertSetup, load_setup
from orchestration.alerts.run_events import failed_runs, late_week
from orchestration.alerts.sending import AppriseSender
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import moves_with_calendar
from orchestration.lib.manifest import MANIFEST_NAME, WAREHOUSE_NAME, read_manifest
from orchestration.lib.weeks import WEEK
from orchestration.lib.whole_file import sha256_of
from orchestration.settings import Settings

LONGEST_WAIT_SECONDS: Final = 60.0
"""For another process that tells alerts of the same folder: it sends a few messages."""

NOBODY: Final = "(no address is set)"
NOT_TRIED: Final = "not tried, for the address failed just before"


class Sender(Protocol):
    """Sends a message to an address by its name; says why not in words, or None."""

    def send(self, name: str, *, title: str, body: str) -> str | None:
        """Send."""


@dataclass(frozen=True)
class Sent:
    """A message and what became of it.

    Attributes:
        address: Name of the address.
        message: What it says.
        events: Events it tells.
        failure: Why it was not sent; None where it was, or where nothing is sent.
    """

    address: str
    message: Message
    events: int
    failure: str | None


@dataclass
class Told:
    """What a call told.

    Attributes:
        messages: One an address, kind and week.
        problems: What is amiss with the setup, a sentence each.
        interrupted: Deliveries that were under way when an earlier process ended.
        withdrawn: Events that corrected data took back.
        known: Events that somebody was told before.
    """

    messages: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    interrupted: int = 0
    withdrawn: int = 0
    known: int = 0

    @property
    def failed(self) -> list[Sent]:
        """Messages that were not sent and will be tried again."""
        return [each for each in self.messages if each.failure]

    @property
    def events_sent(self) -> int:
        """Events that were sent, counted once an address."""
        return sum(each.events for each in self.messages if not each.failure)


def tell(
    settings: Settings,
    *,
    instance: dg.DagsterInstance | None,
    now: datetime,
    sender: Sender | None = None,
    is_dry: bool = False,
) -> Told:
    """Tell everything that is due.

    Args:
        settings: Settings of the run; without addresses only a dry run does anything.
        instance: Dagster's records of the data folder; None where there are none yet.
        now: Current instant, UTC.
        sender: What sends; by default apprise.
        is_dry: Whether to say only what would be sent: nothing is sent or written.

    Returns:
        What was sent, or would be.

    Raises:
        AlertsError: The setup or the journal cannot be used, or another process has been telling for a minute.
    """
    setup = load_setup(settings)
    templates = Templates(setup.rules, setup.templates)
    if is_dry:
        return _Telling(settings, setup, templates, now).preview(instance)
    if not setup.addresses:
        return Told()
    sender = sender or AppriseSender(setup.addresses)
    folder = DataFolder(settings.folder)
    folder.root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.root / LOCK_NAME, timeout=LONGEST_WAIT_SECONDS):
            return _Telling(settings, setup, templates, now).send(instance, sender)
    except Timeout:
        raise AlertsError(
            f"{folder.root / LOCK_NAME} has been held by another process for {LONGEST_WAIT_SECONDS:.0f} s, which tells these alerts; "
            "stop it if it hangs"
        ) from None


class _Telling:
    """One call of `tell`, which holds the lock or writes nothing."""

    def __init__(self, settings: Settings, setup: AlertSetup, templates: Templates, now: datetime) -> None:
        self._settings = settings
        self._setup = setup
        self._templates = templates
        self._now = now
        self._folder = DataFolder(settings.folder)
        self._journal = Journal.read(self._folder.root)
        self._told = Told()

    def preview(self, instance: dg.DagsterInstance | None) -> Told:
        """What would be sent."""
        self._find(instance)
        for (address, kind, week, is_withdrawal), due in self._batches():
            message = self._message(kind, week, is_withdrawal, [entry for entry, _ in due])
            if message is not None:
                self._told.messages.append(Sent(address, message, len(due), None))
        return self._told

    def send(self, instance: dg.DagsterInstance | None, sender: Sender) -> Told:
        """Send it. The journal is written before and after each message."""
        self._find(instance)
        self._journal.write(self._folder.root)
        dead: set[str] = set()
        for (address, kind, week, is_withdrawal), due in self._batches():
            message = self._message(kind, week, is_withdrawal, [entry for entry, _ in due])
            if message is None or address not in self._setup.addresses:
                continue
            deliveries = [delivery for _, delivery in due]
            if address in dead:
                failure: str | None = NOT_TRIED
            else:
                for each in deliveries:
                    each.state, each.attempts, each.tried_at = "sending", each.attempts + 1, self._now
                self._journal.write(self._folder.root)
                failure = sender.send(address, title=message.title, body=message.body)
            for each in deliveries:
                each.state, each.reason = ("due", failure) if failure else ("sent", "")
            self._journal.write(self._folder.root)
            if failure:
                dead.add(address)
            self._told.messages.append(Sent(address, message, len(due), failure))
        return self._told

    def _find(self, instance: dg.DagsterInstance | None) -> None:
        """Put what happened into the journal in memory."""
        self._told.interrupted = self._journal.recover()
        self._told.known = sum(entry.is_told for entry in self._journal.entries.values())
        published = self._find_in_publication()
        if instance is not None:
            self._note(
                failed_runs(instance, now=self._now, is_known=self._journal.knows, secrets=self._settings.secrets())
            )
        if moves_with_calendar(self._settings, now=self._now):
            late = late_week(self._folder, published, now=self._now, after_hours=self._setup.rules.late_after_hours)
            self._note([late] if late else [])
        self._journal.age(now=self._now)

    def _find_in_publication(self) -> date | None:
        """Events of the published copy, unless it was read with these rules before; its week, None where there is none."""
        manifest_path = self._folder.published / MANIFEST_NAME
        if not manifest_path.is_file():
            return None
        journal, week = self._journal, read_manifest(manifest_path).as_of_week
        manifest_sha256 = sha256_of(manifest_path)
        if (journal.manifest_sha256, journal.setup) == (manifest_sha256, self._setup.fingerprint):
            return week
        oldest = week - WEEK * self._settings.correction_weeks
        past = [each for each in journal.weeks if oldest <= each < week]
        warehouse = self._folder.published / WAREHOUSE_NAME
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            # A week more than is told: a revised turn may have become known in the week before, and was not withdrawn.
            found = market_events(connection, first=min([*past, week]) - WEEK, last=week)
            wanted, problems = chosen(connection, found.events, self._setup.rules)
        own, problems_of_own = own_events(warehouse, self._setup.rules.own, week=week)
        # With other rules than before, a past week would tell what its readers did not ask for then.
        news = {week, *past} if journal.setup == self._setup.fingerprint else {week}
        self._told.withdrawn = journal.withdraw_missing(
            frozenset(each.key for each in found.events), kinds=found.read, weeks=[*past, week], now=self._now
        )
        self._note([*(each for each in wanted if each.week in news), *own])
        self._told.problems += [*found.problems, *problems, *problems_of_own]
        journal.weeks = sorted({*past, week})
        # A publication that could not be read whole is read again.
        if not found.problems:
            journal.manifest_sha256, journal.setup = manifest_sha256, self._setup.fingerprint
        return week

    def _note(self, events: Iterable[Event]) -> None:
        for each in events:
            names = self._setup.rules.destinations(each.kind, self._setup.addresses or {NOBODY: NOBODY})
            # A dry run shows what there is before there is an address, whatever the routes call it.
            self._journal.add(each, names if self._setup.addresses or not names else [NOBODY], now=self._now)

    def _batches(self) -> list[tuple[tuple[str, str, date | None, bool], list[tuple[Entry, Delivery]]]]:
        """What is due, by what makes a message: address, kind, week, and whether it takes back."""

        def of(item: tuple[str, Entry, Delivery]) -> tuple[str, str, date | None, bool]:
            address, entry, _ = item
            return address, entry.kind, entry.week, entry.is_withdrawal

        # By first appearance, so that messages keep the order in which things were found.
        due = self._journal.due()
        order = {key: place for place, key in enumerate(dict.fromkeys(map(of, due)))}
        due.sort(key=lambda item: order[of(item)])
        return [
            (key, [(entry, delivery) for _, entry, delivery in group]) for key, group in itertools.groupby(due, key=of)
        ]

    def _message(self, kind: str, week: date | None, is_withdrawal: bool, entries: list[Entry]) -> Message | None:
        try:
            return self._templates.message(
                kind,
                [entry.facts for entry in entries],
                week=week,
                is_withdrawal=is_withdrawal,
                data_source=self._settings.source,
            )
        except AlertsError as error:
            self._told.problems.append(str(error))
            return None


def as_lines(told: Told) -> list[str]:
    """What came of a call, for a log: counts, failures and problems; the texts of messages stay out of it."""
    lines = [f"{told.events_sent} events sent in {len(told.messages) - len(told.failed)} messages"]
    lines += [
        f"to {each.address}: {each.message.title!r} was not sent ({each.failure}); it is tried again"
        for each in told.failed
    ]
    if told.interrupted:
        lines.append(
            f"{told.interrupted} deliveries were under way when a process ended; they may have arrived and are not sent again"
        )
    return [*lines, *told.problems]
