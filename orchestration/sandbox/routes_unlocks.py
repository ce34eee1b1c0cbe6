"""DefiLlama's datasets host: the index of unlock schedules, the list of files, and one file a schedule.

Belongs here: the wire format of defillama-datasets.llama.fi, where some timestamps are text. Does not: the schedules (`unlocks.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.exchange_wire import json_answer
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.unlocks import CATEGORIES, SECONDS_A_DAY, Release, Schedule, UnlockSchedules

HOSTS = ("defillama-datasets.llama.fi",)
BLOCKED_STATUS = 403
LIMITS = (120, 60.0)

_SECONDS_A_WEEK = 7 * SECONDS_A_DAY
_TEXT_EVERY = 5
_RATE_DIGITS = 4


def error_body(status: int) -> Any:
    """What the host says under an HTTP status: the XML of a file store, as text."""
    return f"<Error><Code>{status}</Code><Message>The request could not be served.</Message></Error>"


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    host = _Datasets(served)
    return [
        Route("/emissionsProtocolsList", host.slugs),
        Route("/emissionsIndex", host.index),
        Route("/emissions/{slug}", host.schedule),
    ]


class _Datasets:
    def __init__(self, served: ServedMarket) -> None:
        self._unlocks = UnlockSchedules(served)

    async def slugs(self, request: Request) -> Response:
        """Names of files; not of all there are."""
        return json_answer([each.slug for each in self._unlocks.known() if each.is_listed])

    async def index(self, request: Request) -> Response:
        """Most schedules, compact."""
        now = self._unlocks.now_seconds()
        return json_answer({"data": [_index_row(each, now) for each in self._unlocks.known() if each.is_in_index]})

    async def schedule(self, request: Request) -> Response:
        """One schedule with a point a day of every section."""
        found = next((each for each in self._unlocks.known() if each.slug == request.path_params["slug"]), None)
        if found is None:
            return Response(error_body(404), 404, media_type="application/xml")
        return json_answer(_file(found, self._unlocks.now_seconds()))


def _index_row(schedule: Schedule, now: float) -> dict[str, Any]:
    releases = schedule.releases(now)
    return {
        "token": f"coingecko:{schedule.coin_id}",
        "gecko_id": schedule.coin_id,
        "protocolSlug": schedule.slug,
        "name": schedule.name,
        "circSupply": None,
        "totalLocked": sum(each.amount for each in releases if each.start > now),
        "maxSupply": schedule.total_tokens,
        "unlockEvents": _unlock_events(releases),
        "events": [_event(each) for each in releases],
        "tokenPrice": [{"symbol": schedule.symbol, "price": None}],
    }


def _file(schedule: Schedule, now: float) -> dict[str, Any]:
    releases = schedule.releases(now)
    metadata = {
        "token": f"coingecko:{schedule.coin_id}",
        "sources": [],
        "protocolIds": [],
        "events": [_event(each) for each in releases],
        "unlockEvents": _unlock_events(releases) if schedule.lists_releases else [],
        "notes": [],
        "total": schedule.total_tokens,
        "chain": "ethereum",
    }
    sections = sorted({each.section for each in releases})
    categories: dict[str, list[str]] = {}
    for section in sections:
        categories.setdefault(CATEGORIES[section], []).append(section)
    series = [{"label": section, "data": _series(releases, section)} for section in sections]
    return {
        "name": schedule.name,
        "gecko_id": schedule.coin_id,
        "documentedData": {"data": series, "tokenAllocation": {}},
        "categories": categories,
        "metadata": metadata,
        "supplyMetrics": {"maxSupply": schedule.total_tokens},
    }


def _unlock_events(releases: list[Release]) -> list[dict[str, Any]]:
    by_start: dict[int, list[Release]] = {}
    for release in releases:
        by_start.setdefault(release.start, []).append(release)
    events = []
    for number, (start, group) in enumerate(sorted(by_start.items())):
        cliffs = [
            _head(each) | {"unlockType": "cliff", "amount": each.amount} for each in group if each.kind == "cliff"
        ]
        linears = [
            _head(each)
            | {
                "unlockType": "linear_start",
                "previousRatePerWeek": 0,
                "newRatePerWeek": _rate_a_week(each),
                "endTimestamp": each.end,
            }
            for each in group
            if each.kind == "linear"
        ]
        summary = {"totalTokensCliff": sum(each["amount"] for each in cliffs)}
        timestamp = str(start) if number % _TEXT_EVERY == 0 else start
        allocations = {"cliffAllocations": cliffs, "linearAllocations": linears}
        events.append({"timestamp": timestamp, **allocations, "summary": summary})
    return events


def _event(release: Release) -> dict[str, Any]:
    is_cliff = release.kind == "cliff"
    days = None if release.end is None else (release.end - release.start) / SECONDS_A_DAY
    return {
        "description": f"{release.section}: {{tokens[0]}} tokens on {{timestamp}}",
        "timestamp": release.start,
        "noOfTokens": [release.amount] if is_cliff else [0, _rate_a_week(release)],
        "category": CATEGORIES[release.section],
        "unlockType": release.kind,
        "rateDurationDays": days,
    }


def _head(release: Release) -> dict[str, Any]:
    return {"recipient": release.section, "category": CATEGORIES[release.section]}


def _rate_a_week(release: Release) -> float:
    """Rates are given with four digits."""
    length = (release.end or release.start) - release.start
    return float(f"{release.amount * _SECONDS_A_WEEK / length:.{_RATE_DIGITS}g}")


def _series(releases: list[Release], section: str) -> list[dict[str, Any]]:
    """Tokens unlocked so far at 00:00 UTC of every day from the first release of all to the last of the section."""
    own = [each for each in releases if each.section == section]
    first = min(each.start for each in releases)
    last = max(each.end or each.start for each in own) + SECONDS_A_DAY
    times = np.arange(first, last + 1, SECONDS_A_DAY)
    totals = np.sum([_unlocked(each, times) for each in own], axis=0)
    return [
        {"timestamp": at, "unlocked": total, "rawEmission": 0, "burned": 0}
        for at, total in zip(times.tolist(), totals.tolist(), strict=True)
    ]


def _unlocked(release: Release, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Tokens of one release unlocked by some instants."""
    if release.end is None:
        return np.asarray(release.amount * (times >= release.start))
    return np.asarray(release.amount * np.clip((times - release.start) / (release.end - release.start), 0.0, 1.0))
