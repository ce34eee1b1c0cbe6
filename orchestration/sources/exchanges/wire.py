"""Between ccxt and the network: status and headers of each answer, and pages of candles that stay text.

Belongs here: the two hooks that ccxt leaves for this. Does not: what the answers mean.

A page of a thousand candles is twelve thousand small texts. Turned into Python objects and then into columns they cost more
than all else together, so a page that is nothing but candles is handed on as the text that came, and polars reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.sources.exchanges.bounded_numbers import refuse_far_exponents
from orchestration.sources.json_text import read_json

ENVELOPE: Final = re.compile(r'\{\s*"code":\s*"(0|200000)",\s*(?:"msg":\s*"",\s*)?"data":\s*(?=\[\s*\[)')
"""How a page of OKX or KuCoin begins where all went well and rows came."""


class TextPage(list[Any]):
    """Rows that were left as text: an empty list to ccxt, which looks for errors in it.

    Attributes:
        text: The rows as JSON.
    """

    def __init__(self, text: str) -> None:
        """Keep the text."""
        super().__init__()
        self.text = text


@dataclass
class Seen:
    """What is known of the answer to one call.

    Attributes:
        wants_text: Whether a page of candles may stay text.
        status: HTTP status, 0 where no answer came.
        headers: Its headers.
        records: Records of the longest list or table in it; of several answers the most.
    """

    wants_text: bool
    status: int = 0
    headers: Mapping[str, Any] = field(default_factory=dict)
    records: int = 0


_SEEN: ContextVar[Seen | None] = ContextVar("exchange_call", default=None)


@contextmanager
def call_under_way(*, wants_text: bool) -> Iterator[Seen]:
    """Watch the answer to the call that is made within the block, and only to it, whatever else is under way."""
    seen = Seen(wants_text)
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def watch_answers(client: Any) -> None:
    """Set the hooks of a ccxt client."""

    def on_rest_response(
        code: int, reason: str, url: str, method: str, headers: Mapping[str, Any], body: str, *_request: Any
    ) -> str:
        seen = _SEEN.get()
        if seen is not None:
            seen.status, seen.headers = code, headers
        return body.strip()

    def on_json_response(body: str) -> Any:
        seen = _SEEN.get()
        if seen is not None and seen.wants_text and (page := as_text_page(body)) is not None:
            return page
        refuse_far_exponents(body)
        try:
            answer = parse(body)
        except ValueError:  # ccxt's reader is quicker, and refuses a list for the sake of half a character in one name
            answer = read_json(body)
        if seen is not None:
            seen.records = max(seen.records, _longest(answer))
        return answer

    parse = client.on_json_response
    client.on_rest_response = on_rest_response
    client.on_json_response = on_json_response


def records_seen() -> int:
    """Records of the answer that is being read: what ccxt makes of a list may be shorter, without a word."""
    seen = _SEEN.get()
    return 0 if seen is None else seen.records


def _longest(answer: Any) -> int:
    if isinstance(answer, list):
        return len(answer)
    parts = answer.values() if isinstance(answer, Mapping) else ()
    return max((len(part) for part in parts if isinstance(part, (list, Mapping))), default=0)


def as_text_page(body: str) -> Any:
    """The answer with its rows left as text; None where it is anything but a page of rows."""
    if body.startswith("[["):
        return TextPage(body) if body.endswith("]]") else None
    opening = ENVELOPE.match(body)
    if opening is None or not body.endswith("]]}"):
        return None
    return {"code": opening[1], "data": TextPage(body[opening.end() : -1])}


def rows_as_text(rows: Any) -> str:
    """Rows as JSON text, as they came or written anew."""
    return rows.text if isinstance(rows, TextPage) else json.dumps(rows)


def rows_as_objects(rows: Any) -> Any:
    """Rows as Python objects.

    Raises:
        ValueError: The text is no JSON.
    """
    return read_json(rows.text) if isinstance(rows, TextPage) else rows
