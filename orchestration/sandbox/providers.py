"""The providers the sandbox stands in for: one route module each. A new provider is one more module in `MODULES`.

Belongs here: the list. Does not: wire formats (`routes_*.py`), routing (`server.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.routing import Route

from orchestration.sandbox import (
    routes_alternative_me,
    routes_binance,
    routes_binance_futures,
    routes_bitstamp,
    routes_coinbase,
    routes_coingecko,
    routes_coinmetrics,
    routes_defillama,
    routes_fred,
    routes_gate,
    routes_gdelt,
    routes_geckoterminal,
    routes_github,
    routes_kraken,
    routes_kucoin,
    routes_okx,
    routes_reddit,
    routes_rss,
    routes_unlocks,
)
from orchestration.sandbox.served import ServedMarket


class Provider(Protocol):
    """What a route module offers; besides, it may declare `LIMITS`, `LIMITED_STATUS` and `BANS_AFTER` (`limits.py`)."""

    @property
    def HOSTS(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """Hosts it answers for, as they stand in the provider's addresses."""

    @property
    def BLOCKED_STATUS(self) -> int:  # noqa: N802 - a module's constant
        """HTTP status with which it turns countries away."""

    def make_routes(self, served: ServedMarket) -> list[Route]:
        """Routes below the host."""

    def error_body(self, status: int) -> Any:
        """What it says under an HTTP status: text, or what becomes JSON."""


MODULES: tuple[Provider, ...] = (
    routes_binance,
    routes_binance_futures,
    routes_okx,
    routes_coinbase,
    routes_kucoin,
    routes_gate,
    routes_kraken,
    routes_bitstamp,
    routes_coingecko,
    routes_geckoterminal,
    routes_coinmetrics,
    routes_alternative_me,
    routes_github,
    routes_defillama,
    routes_unlocks,
    routes_fred,
    routes_rss,
    routes_gdelt,
    routes_reddit,
)

PROVIDERS: Mapping[str, Provider] = {host: module for module in MODULES for host in module.HOSTS}
"""Host to the module that speaks for it."""

HOSTS_BY_NAME: Mapping[str, tuple[str, ...]] = {
    getattr(module, "__name__", "").rpartition("routes_")[2]: module.HOSTS for module in MODULES
}
"""Name of a route module without `routes_` to its hosts."""
