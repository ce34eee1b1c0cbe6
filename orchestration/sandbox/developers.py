"""Developer activity of the simulated tokens: commits by day in one repository for each token that has one.

A repository's weekly level goes by the token's size, wanders slowly, and follows the token's last three months mildly: money
that came in pays developers. It leads nothing (strength 0, in the null market as elsewhere), and it ends with the token.

Belongs here: who has a repository, in which state it is, true commits. Does not: GitHub's wire format (`routes_github.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.settings import Stream

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

URL_START: Final = "https://github.com/"
WEEKDAY_SHARES: Final = np.array([0.06, 0.19, 0.19, 0.19, 0.17, 0.14, 0.06])
"""Of a week's commits, Sunday to Saturday."""

_WEEKS_BEFORE_START = 54
_FOLLOWED_DAYS, _FOLLOW_STRENGTH = 90, 0.35
_PERSISTENCE, _WANDER = 0.92, 0.35
_BUSIEST = 130.0
_ARCHIVED_AFTER_DAYS = 30
_WELL, _STATES_REPEAT = 12, 40
_STATES = {4: "gone", 9: "moved", 15: "slow", 22: "gone", 28: "moved", 33: "empty", 38: "slow"}
"""State of some repositories by their place among forty, the first twelve left out."""


@dataclass(frozen=True)
class Repository:
    """A repository and the state it is in.

    Attributes:
        number: GitHub's id of it.
        name: owner/name as CoinGecko links it.
        index: Number of the token.
        is_gone: It was deleted.
        moved_to: owner/name it goes by now; None where it stayed.
        is_empty: It never had a commit.
        is_slow: Its statistics are never ready.
    """

    number: int
    name: str
    index: int
    is_gone: bool = False
    moved_to: str | None = None
    is_empty: bool = False
    is_slow: bool = False

    @property
    def full_name(self) -> str:
        """owner/name it goes by now."""
        return self.moved_to or self.name


class DeveloperActivity:
    """Repositories and commits of one market; a token's history is drawn when it is first asked for."""

    def __init__(self, market: SimulatedMarket) -> None:
        """List the repositories."""
        self._market = market
        linked = [(index, token.github_repo) for index, token in enumerate(market.members) if token.github_repo]
        self.repositories = [
            _repository(position, index, url.removeprefix(URL_START)) for position, (index, url) in enumerate(linked)
        ]
        start = market.settings.start
        to_sunday = (start.weekday() + 1) % 7
        self.first_day = -to_sunday - 7 * _WEEKS_BEFORE_START
        """Number of the first day with commits, a Sunday; day 0 is the market's first."""
        self._weeks = (market.settings.day_count - self.first_day) // 7 + 1
        self._drawn = lru_cache(maxsize=1024)(self._draw)

    def commits(self, index: int) -> Counts:
        """Commits of a token's repository by day, from `first_day` on, merges not counted."""
        return self._drawn(index)

    def team(self, index: int) -> int:
        """How many people take turns in committing."""
        return max(1, round(1.5 * self._level(index) ** 0.6))

    def stars(self, index: int, day: int) -> int:
        """Stargazers at the end of a day: they come with the work done."""
        done = int(self.commits(index)[: max(day - self.first_day + 1, 0)].sum())
        return round(60.0 * self._level(index) + 0.4 * done)

    def is_archived(self, index: int, day: int) -> bool:
        """Whether the repository is read-only: some time after its token died."""
        lifetimes = self._market.lifetimes
        return bool(lifetimes.is_dead[index] and day > lifetimes.last[index] + _ARCHIVED_AFTER_DAYS)

    def _level(self, index: int) -> float:
        """Typical commits a week: under 1 for a token of 1.5 million USD, 30 for one of 60 billion."""
        cap = self._market.members[index].opening_cap_usd
        return float(min(0.6 * (cap / 1.5e6) ** 0.37, _BUSIEST))

    def _draw(self, index: int) -> Counts:
        settings = self._market.settings
        wander_random, count_random, day_random = (
            np.random.default_rng([settings.seed, int(Stream.DEVELOPERS), index, part]) for part in range(3)
        )
        wander = wander_random.normal(0.0, 1.0, self._weeks)
        for week in range(1, self._weeks):
            wander[week] = _PERSISTENCE * wander[week - 1] + np.sqrt(1.0 - _PERSISTENCE**2) * wander[week]
        level = self._level(index) * np.exp(_WANDER * wander + _FOLLOW_STRENGTH * np.tanh(self._past_returns(index)))
        # Two generators, because how many draws a Poisson number takes depends on its level, hence on prices.
        by_week = count_random.poisson(level)
        by_day = day_random.multinomial(by_week, WEEKDAY_SHARES).ravel()
        lifetimes = self._market.lifetimes
        if lifetimes.is_dead[index]:
            by_day[int(lifetimes.last[index]) + 1 - self.first_day :] = 0
        return np.asarray(by_day, dtype=np.int64)

    def _past_returns(self, index: int) -> Floats:
        """Log return of the 90 days before each week, as far as the token lived; 0 before its birth."""
        birth = int(self._market.lifetimes.birth[index])
        last = int(self._market.lifetimes.last[index])
        close = self._market.panel.token(index).close
        weeks_from = self.first_day + 7 * np.arange(self._weeks)
        ends = np.clip(weeks_from - 1, birth, last)
        starts = np.clip(weeks_from - 1 - _FOLLOWED_DAYS, birth, last)
        return np.asarray(np.log(close[ends] / close[starts]))


def _repository(position: int, index: int, name: str) -> Repository:
    """A small token's repository may be deleted, moved, empty, or too slow to count; the largest are well."""
    owner, _, plain = name.partition("/")
    state = None if position < _WELL else _STATES.get((position - _WELL) % _STATES_REPEAT)
    return Repository(
        number=10_000 + index,
        name=name,
        index=index,
        is_gone=state == "gone",
        moved_to=f"{owner}-labs/{plain}" if state == "moved" else None,
        is_empty=state == "empty",
        is_slow=state == "slow",
    )
