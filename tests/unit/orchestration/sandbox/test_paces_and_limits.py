"""The pace of a live run stays below what each provider allows, by arithmetic: nobody waits."""

import pytest

from orchestration.sandbox.limits import as_limits
from orchestration.sandbox.providers import HOSTS_BY_NAME, PROVIDERS
from orchestration.settings import Settings
from orchestration.sources.pace import Pace

SOURCES = {
    "geckoterminal",
    "coingecko",
    "gdelt",
    "github",
    "reddit",
    "defillama",
    "unlocks",
    "coinmetrics",
    "fred",
    "alternative_me",
}
"""Providers that the shared client asks, each at one pace; exchanges pace themselves by weight (`benchmarks/candles.py`)."""


class Clock:
    """Seconds that pass only when somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_provider_that_is_asked_without_a_pause_is_never_asked_too_often(name):
    interval = getattr(Settings(), name).min_interval_seconds
    clock = Clock()
    pace = Pace(interval, {}, clock=clock, sleep=clock.sleep)

    for limit in as_limits(PROVIDERS[HOSTS_BY_NAME[name][0]].LIMITS):
        moments = []
        for _ in range(min(3 * limit.requests, 20_000)):
            pace.wait(name)
            moments.append(clock.now)

        busiest = max(
            sum(1 for later in moments[number:] if later < moment + limit.seconds - 1e-9)
            for number, moment in enumerate(moments[:50])
        )
        assert busiest <= limit.requests, f"{busiest} requests in {limit.seconds:g} s, {limit.requests} are allowed"
