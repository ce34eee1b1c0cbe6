"""Misbehaviour on demand: which requests fail, and how.

Belongs here: rules and the deterministic choice. Does not: what is done to a body (`damage.py`), sending it (`server.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from orchestration.sandbox.providers import HOSTS_BY_NAME, PROVIDERS


class FaultKind(StrEnum):
    """Ways a provider fails.

    `RATE_LIMITED` is a 429 without `Retry-After`, `RATE_LIMITED_RETRY_AFTER` one with it. `BLOCKED` is the status 451
    or 403 that providers give to countries they do not serve. `HTML_PAGE`, `ERROR_UNDER_200` and `EMPTY_BODY` carry
    status 200. `TRUNCATED` ends the body in the middle under a correct length; `DISCONNECTED` cuts the connection there;
    `DRIP` sends a good answer slowly. `WRONG_TYPES`, `IMPOSSIBLE_VALUES` and `FUTURE_TIMESTAMPS` damage some records of
    a good answer (`damage.py`). `PRICES_TENFOLD`, `YESTERDAY_AS_TODAY` and `SYMBOLS_SWAPPED` are good answers that lie about
    the newest days (`lies.py`).
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
    IMPOSSIBLE_VALUES = "impossible_values"
    FUTURE_TIMESTAMPS = "future_timestamps"
    EMPTY_BODY = "empty_body"
    DRIP = "drip"
    PRICES_TENFOLD = "prices_tenfold"
    YESTERDAY_AS_TODAY = "yesterday_as_today"
    SYMBOLS_SWAPPED = "symbols_swapped"


class FaultSettingError(ValueError):
    """A setting of faults that cannot be read; says which part and what there is."""


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
        damage_every: The first record is damaged and every so many after it.
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

    @classmethod
    def from_text(cls, text: str, *, seed: int = 0) -> Self:
        """Read a setting: parts `who:kind` or `who:kind:rate`, separated by commas.

        `who` is a provider by the name of its route module (`binance`: both its hosts), a host, or `*`; the rate is 1
        where it is not given. A provider with several hosts gets a rule for each, in the order of `PROVIDERS`.

        Example:
            >>> FaultPlan.from_text("binance:rate_limited:0.1,coingecko:timeout").rules[0].host
            'api.binance.com'

        Raises:
            FaultSettingError: A provider or kind is unknown, or a rate is no chance; names all such parts.
        """
        rules: list[FaultRule] = []
        wrong: list[str] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            try:
                rules += _read_rules(part)
            except ValueError as error:
                wrong.append(f"{part!r}: {error}")
        if wrong:
            raise FaultSettingError("; ".join(wrong))
        return cls(rules, seed=seed)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in order."""
        return tuple(self._rules)

    def add(self, rule: FaultRule) -> None:
        """Add a rule behind the others."""
        self._rules.append(rule)
        self._matched.append(0)
        self._struck.append(0)

    @property
    def struck(self) -> int:
        """Requests that the present rules have struck."""
        return sum(self._struck)

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


def _read_rules(part: str) -> list[FaultRule]:
    who, *rest = (word.strip() for word in part.split(":"))
    if not 1 <= len(rest) <= 2:
        raise ValueError("write provider:kind or provider:kind:rate")
    hosts = HOSTS_BY_NAME.get(who, (who,))
    if who != "*" and hosts[0] not in PROVIDERS:
        raise ValueError(f"no provider {who!r}; there are {', '.join(sorted(HOSTS_BY_NAME))}, their hosts, and *")
    if rest[0] not in set(FaultKind):
        raise ValueError(f"no fault {rest[0]!r}; there are {', '.join(sorted(FaultKind))}")
    try:
        rate = float(rest[1]) if len(rest) == 2 else 1.0
    except ValueError:
        raise ValueError(f"rate {rest[1]!r} is no number") from None
    return [FaultRule(kind=FaultKind(rest[0]), host=host, rate=rate) for host in hosts]
