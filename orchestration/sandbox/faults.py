"""Misbehaviour on demand: which requests fail, and how.

Belongs here: rules, the deterministic choice, the damage done to bodies. Does not: sending it (`server.py`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """Ways a provider fails.

    `RATE_LIMITED` is a 429 without `Retry-After`, `RATE_LIMITED_RETRY_AFTER` one with it. `TRUNCATED` ends the JSON in
    the middle under a correct length; `DISCONNECTED` cuts the connection in the middle of the body. `HTML_PAGE` and
    `ERROR_UNDER_200` carry status 200. `WRONG_TYPES` damages some records of a good answer. `DRIP` sends a good answer
    slowly.
    `BLOCKED` is the status 451 or 403 that providers give to countries they do not serve.
    """

    RATE_LIMITED = "rate_limited"
    RATE_LIMITED_RETRY_AFTER = "rate_limited_retry_after"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"
    BLOCKED = "blocked"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    DISCONNECTED = "disconnected"
    HTML_PAGE = "html_page"
    ERROR_UNDER_200 = "error_under_200"
    WRONG_TYPES = "wrong_types"
    DRIP = "drip"


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """Which requests fail in which way.

    Attributes:
        kind: The way.
        host: Provider host, or `*` for all.
        path_contains: Part of the path that a request must have; empty for any.
        rate: Chance of failure of a matching request, 0 to 1.
        skip_first: Matching requests that are spared at first.
        times: Failures after which the rule rests; None for no limit.
        retry_after_seconds: Value of the header of `RATE_LIMITED_RETRY_AFTER`.
        delay_seconds: Wait of `TIMEOUT` before a good answer, whole duration of `DRIP`.
        damage_every: `WRONG_TYPES` damages the first record and every so many after it.
    """

    kind: FaultKind
    host: str = "*"
    path_contains: str = ""
    rate: float = 1.0
    skip_first: int = 0
    times: int | None = None
    retry_after_seconds: int = 1
    delay_seconds: float = 30.0
    damage_every: int = 7

    def __post_init__(self) -> None:
        """Refuse a chance outside 0 to 1."""
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"rate of {self.kind} on {self.host} is {self.rate}, but a chance lies between 0 and 1")

    def matches(self, host: str, path: str) -> bool:
        """Whether the rule is about this request."""
        return self.host in {"*", host} and self.path_contains in path


class FaultPlan:
    """Rules in order; the first that strikes decides.

    Deterministic: the n-th matching request of a rule meets the same fate each time.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), *, seed: int = 0) -> None:
        """Start with some rules, or none."""
        self._seed = seed
        self._rules: list[FaultRule] = []
        self._matched: list[int] = []
        self._struck: list[int] = []
        for rule in rules:
            self.add(rule)

    def add(self, rule: FaultRule) -> None:
        """Add a rule behind the others."""
        self._rules.append(rule)
        self._matched.append(0)
        self._struck.append(0)

    def clear(self) -> None:
        """Drop all rules and their counts: the providers behave again."""
        self._rules, self._matched, self._struck = [], [], []

    def decide(self, host: str, path: str) -> FaultRule | None:
        """The rule that strikes this request, or None. Counts the request."""
        for number, rule in enumerate(self._rules):
            if not rule.matches(host, path):
                continue
            order = self._matched[number]
            self._matched[number] += 1
            is_spent = rule.times is not None and self._struck[number] >= rule.times
            if order < rule.skip_first or is_spent:
                continue
            draw = random.Random(f"{self._seed}/{number}/{order}").random()
            if draw < rule.rate:
                self._struck[number] += 1
                return rule
        return None


def damage_types(body: bytes, *, every: int) -> bytes:
    """Replace the values of the first and each `every`-th record of a JSON answer by values of other types.

    Records are the items of every list of lists or objects; an answer without such a list is damaged as a whole.
    """
    document = json.loads(body)
    damaged = _damage_records(document, every)
    return json.dumps(_wrong(document) if damaged is None else damaged).encode()


def _damage_records(document: Any, every: int) -> Any:
    if isinstance(document, list) and document and isinstance(document[0], list | dict):
        return [_wrong(record) if number % every == 0 else record for number, record in enumerate(document)]
    if isinstance(document, dict):
        parts = {name: _damage_records(part, every) for name, part in document.items()}
        if any(part is not None for part in parts.values()):
            return {name: document[name] if part is None else part for name, part in parts.items()}
    return None


def _wrong(value: Any) -> Any:
    """The same shape with each number a word, each text a list, each null an object."""
    if isinstance(value, dict):
        return {name: _wrong(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_wrong(part) for part in value]
    if value is None:
        return {}
    return [] if isinstance(value, str) else "not a number"
