"""Unlock schedules: who receives how many tokens when, past and future.

Belongs here: the index of all schedules and the file of one. Does not: single releases (`unlock_rows.py`), series without a list
of releases (`unlocked_series.py`), releases that vanish from a schedule (`orchestration/lib/loads/unlocks.py`).

The datasets host is not documented and promises nothing; `/emissions` and `/emission/{slug}` of the API host need a paid plan.

Traps:

- Of a linear release `noOfTokens` is `[old rate, new rate]`, no amount. Each entry of `linearAllocations` is one release from
  the event's timestamp to `endTimestamp` at `newRatePerWeek`, so its amount is rate times length. Rates have four digits, so
  amounts are good to 0.05 %; a release that goes on at the same rate after its end has no entry of its own and is not seen.
- Timestamps are seconds, some as text. Slugs differ between the index and the files, so schedules are matched by `gecko_id`.
- The paid `/emission/{slug}` wraps its answer as JSON text in `body`; both forms are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import polars as pl

from orchestration.sources.defillama.protocols import read_optional
from orchestration.sources.defillama.unlock_rows import UNLOCK_EVENTS, UNLOCK_SCHEDULES, ScheduleRows
from orchestration.sources.defillama.wire import Host
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.json_text import read_json
from orchestration.sources.validation import (
    Fetched,
    UnreadableValueError,
    last_finished_day,
    read_positive,
    read_text,
)


@dataclass(frozen=True)
class Schedules:
    """Some unlock schedules.

    Attributes:
        events: Rows of `defillama/unlock_events`.
        schedules: Rows of `defillama/unlock_schedules`.
        complete: Slugs of schedules of which nothing was refused; only these may say what was withdrawn.
    """

    events: Fetched
    schedules: Fetched
    complete: frozenset[str]

    @classmethod
    def join(cls, parts: Iterable[Schedules]) -> Schedules:
        """Several as one."""
        gathered = list(parts)
        return cls(
            Fetched.join(UNLOCK_EVENTS, [part.events for part in gathered]),
            Fetched.join(UNLOCK_SCHEDULES, [part.schedules for part in gathered]),
            frozenset().union(*(part.complete for part in gathered)),
        )

    def without_coins(self, coins: Iterable[str]) -> Schedules:
        """The same without the releases of some coins; their schedules stay, as a note of what was read."""
        is_other = ~pl.col("coin_id").is_in(sorted(coins)) | pl.col("coin_id").is_null()
        events = Fetched(UNLOCK_EVENTS, self.events.frame.filter(is_other), self.events.rejected)
        left = frozenset(events.frame["protocol"].to_list())
        return Schedules(events, self.schedules, self.complete & left)


def fetch_index(host: Host, *, now: datetime) -> Schedules:
    """Fetch the index: nearly all schedules in one compact answer.

    Raises:
        SourceError: See `errors.py`.
    """
    return parse_index(host.get_object("/emissionsIndex", holding="data"), now=now)


def fetch_slugs(host: Host) -> list[str]:
    """List the schedules that have a file. The list is not complete: some files are not on it.

    Raises:
        SourceError: See `errors.py`.
    """
    return sorted({slug for each in host.get_list("/emissionsProtocolsList") if (slug := read_text(each))})


def fetch_schedule(host: Host, slug: str, *, now: datetime) -> Schedules:
    """Fetch the file of one schedule, 0.1 to 2.5 MB.

    Raises:
        RequestRejectedError: There is none (404).
        SourceError: See `errors.py`.
    """
    return parse_schedule(host.get_object(f"/emissions/{quote(slug, safe='')}"), slug=slug, now=now)


def parse_index(payload: dict[str, Any], *, now: datetime) -> Schedules:
    """Turn the index into releases and schedules."""
    records = payload.get("data")
    if not isinstance(records, list):
        raise UnexpectedBodyError(f"defillama: index of unlocks holds no list `data`: {str(payload)[:200]}")
    gathered = ScheduleRows(now)
    for record in records:
        try:
            if not isinstance(record, dict):
                raise UnreadableValueError("record is no object")
            slug = read_text(record.get("protocolSlug"))
            if slug is None:
                raise UnreadableValueError("protocolSlug is missing")
            coin_id, token = _read_token(read_optional(record, "gecko_id"), record.get("token"))
            supply = read_positive(record.get("maxSupply"), column="maxSupply")
        except UnreadableValueError as error:
            gathered.refuse_schedule(str(error), record)
            continue
        gathered.add_schedule(slug, coin_id, token, max_supply_tokens=supply, file_read_date=None)
        gathered.add_events(slug, coin_id, token, record.get("unlockEvents"))
    return Schedules(*gathered.fetched())


def parse_schedule(payload: dict[str, Any], *, slug: str, now: datetime) -> Schedules:
    """Turn the file of one schedule into its releases.

    Sections that `metadata.unlockEvents` lists come from there, all others from their `unlocked` series.
    """
    content = _unwrapped(payload, slug)
    documented, metadata = content.get("documentedData"), content.get("metadata")
    series = documented.get("data") if isinstance(documented, dict) else None
    if not isinstance(series, list) or not isinstance(metadata, dict):
        raise UnexpectedBodyError(
            f"defillama: schedule {slug} holds no documentedData.data or metadata: {str(content)[:200]}"
        )
    supplies = content.get("supplyMetrics")
    gathered = ScheduleRows(now)
    try:
        coin_id, token = _read_token(read_optional(content, "gecko_id"), metadata.get("token"))
        stated = supplies.get("maxSupply") if isinstance(supplies, dict) else metadata.get("total")
        supply = read_positive(stated, column="maxSupply")
    except UnreadableValueError as error:
        gathered.refuse_schedule(str(error), {"slug": slug, "gecko_id": content.get("gecko_id"), "metadata": metadata})
        return Schedules(*gathered.fetched())
    gathered.add_schedule(slug, coin_id, token, max_supply_tokens=supply, file_read_date=last_finished_day(now))
    gathered.add_events(slug, coin_id, token, metadata.get("unlockEvents") or [])
    gathered.add_series(slug, coin_id, token, series, categories=content.get("categories"))
    return Schedules(*gathered.fetched())


def _read_token(coin_id: str | None, token: Any) -> tuple[str | None, str | None]:
    """Coin and token of a schedule.

    Raises:
        UnreadableValueError: They contradict each other, so that it could be either's schedule.
    """
    name = read_text(token)
    if name and coin_id and name.startswith("coingecko:") and name != f"coingecko:{coin_id}":
        raise UnreadableValueError("token and gecko_id name different coins")
    return coin_id, name


def _unwrapped(payload: dict[str, Any], slug: str) -> dict[str, Any]:
    """The schedule itself, also where it comes as JSON text or as an object in `body`."""
    body = payload.get("body")
    if isinstance(body, str):
        try:
            body = read_json(body)
        except ValueError as error:
            raise UnexpectedBodyError(
                f"defillama: body of schedule {slug} is no JSON ({error}): {body[:200]}"
            ) from None
    if body is None:
        return payload
    if not isinstance(body, dict):
        raise UnexpectedBodyError(f"defillama: body of schedule {slug} is no object: {str(body)[:200]}")
    return body
