"""Open connections of one run: the providers of a live run, or one sandbox in place of all of them.

Belongs here: clients, addresses and keys of a run, the sandbox's life and clock.
Does not: wire formats (`orchestration/sources`), what is asked of whom (`loads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from orchestration.lib.ingestion import Ingestion, Reach
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.lib.week_choice import SIMULATED_END
from orchestration.lib.weeks import instant_of
from orchestration.settings import REPOSITORY_ROOT, ProviderSettings, Settings
from orchestration.sources.http import HttpClient, HttpLimits

if TYPE_CHECKING:
    from orchestration.sandbox.runner import RunningSandbox

LAGS = REPOSITORY_ROOT / "dbt_project" / "seeds" / "publication_lags.csv"

Kept = TypeVar("Kept")

AFTER_CLOSE = timedelta(minutes=45)
"""Simulated runs look at the providers this long after a midnight, when a day's close has landed."""


class Connections:
    """Open adapters of one run.

    Attributes:
        settings: Settings of the run.
        report: Told progress in words.
        limits: How patient the clients are.
    """

    def __init__(
        self,
        settings: Settings,
        closing: ExitStack,
        report: Callable[[str], None],
        *,
        sandbox: RunningSandbox | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        """Keep settings; clients and sandbox open on first use and close with `closing`.

        Args:
            settings: Settings of the run.
            closing: Closes what was opened.
            report: Told progress in words.
            sandbox: A sandbox that runs already, for a simulated run; by default one of the settings' market is started.
            limits: How patient the clients are.
        """
        self.settings = settings
        self.report = report
        self.limits = limits or HttpLimits()
        self._closing = closing
        self._sandbox = sandbox
        self._http: dict[str, HttpClient] = {}
        self._kept: dict[str, Any] = {}

    @property
    def is_simulated(self) -> bool:
        """Whether a sandbox stands in for the providers."""
        return self.settings.source == "simulated"

    @property
    def sandbox_prefix(self) -> str | None:
        """What stands before every host in a simulated run, `http://127.0.0.1:port`; None live."""
        return self._sandbox.base_url if self.is_simulated and self._sandbox else None

    @cached_property
    def lags(self) -> Mapping[tuple[str, str], float]:
        """Publication lag in hours by source and dataset."""
        return read_lags(LAGS)

    def reach(self, *, last: date, first: date, partition: Literal["day", "year"]) -> Reach:
        """The time a load is for; the sandbox's clock follows."""
        now = instant_of(last + timedelta(days=1)) + AFTER_CLOSE if self.is_simulated else datetime.now().astimezone()
        if self.is_simulated:
            self._sandbox_at(now)
        return Reach(now=now, first=first, last=last, partition=partition)

    def ingestion(self, store: LandingStore) -> Ingestion:
        """The landing side of a load."""
        return Ingestion(store, data_source=self.settings.source, lags=self.lags, report=self.report)

    def provider(self, name: str) -> ProviderSettings:
        """Settings of a provider by the name of their field."""
        provider: ProviderSettings = getattr(self.settings, name)
        return provider

    def url(self, base_url: str) -> str:
        """An address, or the sandbox's in its place."""
        return base_url.replace("https://", f"{self.sandbox_prefix}/", 1) if self.is_simulated else base_url

    def base_url(self, name: str) -> str:
        """Base address of a provider, or the sandbox's in its place."""
        return self.url(self.provider(name).base_url)

    def key(self, name: str) -> str | None:
        """Key of a provider, None where none is set."""
        key = self.provider(name).api_key
        return key.get_secret_value() if key else None

    def http(self, name: str) -> HttpClient:
        """The shared HTTP client, paced for a provider."""
        if name not in self._http:
            provider = self.provider(name)
            client = HttpClient(
                min_interval_seconds=0.0 if self.is_simulated else provider.min_interval_seconds,
                secrets=self.settings.secrets(),
                limits=self.limits,
            )
            self._closing.callback(client.close)
            self._http[name] = client
        return self._http[name]

    def keep(self, name: str, open_it: Callable[[], AbstractContextManager[Kept]]) -> Kept:
        """What the steps of a run share under a name: opened in the first call, closed with the connections."""
        if name not in self._kept:
            self._kept[name] = self._closing.enter_context(open_it())
        kept: Kept = self._kept[name]
        return kept

    def _sandbox_at(self, now: datetime) -> None:
        if self._sandbox is None:
            from orchestration.sandbox.faults import FaultPlan
            from orchestration.sandbox.market import simulate_market
            from orchestration.sandbox.runner import running_sandbox
            from orchestration.sandbox.settings import SimulationSettings

            chosen = self.settings.simulation
            market = simulate_market(
                SimulationSettings(
                    seed=chosen.seed,
                    tokens=chosen.tokens,
                    is_null=chosen.is_null,
                    identity_events=chosen.identity_events,
                    start=chosen.start,
                    end=SIMULATED_END,
                )
            )
            self._sandbox = self._closing.enter_context(
                running_sandbox(
                    market,
                    now,
                    full_history=chosen.full_history,
                    faults=FaultPlan.from_text(chosen.faults),
                    enforce_limits=chosen.enforce_limits,
                    latency_seconds=chosen.latency_seconds,
                )
            )
            self.report(
                f"sandbox: simulated market, seed {chosen.seed}, {chosen.tokens} tokens, "
                f"full_history={'on' if chosen.full_history else 'off'} at {self._sandbox.base_url}"
            )
        self._sandbox.clock.now = now


@contextmanager
def open_connections(
    settings: Settings,
    report: Callable[[str], None],
    *,
    sandbox: RunningSandbox | None = None,
    limits: HttpLimits | None = None,
) -> Iterator[Connections]:
    """Connections that are closed at the end of the block; nothing they opened outlives it, a sandbox of theirs included."""
    with ExitStack() as closing:
        yield Connections(settings, closing, report, sandbox=sandbox, limits=limits)
