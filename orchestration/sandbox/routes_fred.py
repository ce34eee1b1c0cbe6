"""FRED's keyless CSV: one column a series, empty cells on holidays, an HTML page for a series that does not exist.

Belongs here: the wire format of fred.stlouisfed.org. Does not: figures and release times (`macro.py`).
"""

from __future__ import annotations

from datetime import date
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.macro import MacroSeries
from orchestration.sandbox.served import ServedMarket

HOSTS = ("fred.stlouisfed.org",)
LIMITS = (1, 1.0)
BLOCKED_STATUS = 403


def error_body(status: int) -> str:
    """What FRED says under an HTTP status: a page, whatever was asked for."""
    return f"<!DOCTYPE html><html><head><title>FRED | Error {status}</title></head><body><h1>Error</h1></body></html>"


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    return [Route("/graph/fredgraph.csv", _Fred(served).graph)]


class _Fred:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served

    @cached_property
    def _series(self) -> MacroSeries:
        return MacroSeries(self._served.market.settings)

    async def graph(self, request: Request) -> Response:
        """Series by day; several are joined, a day that one of them lacks has a point there."""
        params = request.query_params
        names = params.get("id", "").upper().split(",")
        try:
            first, last = _day(params.get("cosd")) or date.min, _day(params.get("coed")) or date.max
            columns = [self._visible(name, first, last) for name in names]
        except (KeyError, ValueError):
            return Response(error_body(404), media_type="text/html; charset=utf-8")
        days = sorted(set().union(*columns))
        lines = [",".join(["observation_date", *names])]
        lines += [",".join([day.isoformat(), *(column.get(day, ".") for column in columns)]) for day in days]
        return Response("\n".join(lines) + "\n", media_type="application/csv")

    def _visible(self, name: str, first: date, last: date) -> dict[date, str]:
        observations = self._series.visible(name, self._served.clock.now, first=first, last=last)
        return {each.day: each.text for each in observations}


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
