"""News and talk about the simulated market: headlines after what happened, tone that follows returns, communities.

Headlines report pumps, jumps, deaths and listings on the day after, never before; the others are noise about any token alive,
with the six topics. Tone follows the week's returns with noise, the number of articles follows their size. None of it leads:
whoever knows the prices learns nothing more from it, in the null market as elsewhere.

Belongs here: what is published and when. Does not: wire formats (`routes_rss.py`, `routes_gdelt.py`, `routes_reddit.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.lifetimes import NEVER
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.settings import Stream

Floats = NDArray[np.float64]

FEEDS: Final = ("coindesk", "cointelegraph", "decrypt")

_SECONDS_A_DAY = 86_400
_REPORTED_BY_SHARE = 0.7
_NOISE_A_DAY = 9
_CORRECTED_EVERY, _CORRECTED_AFTER = 15, timedelta(hours=6)

_EVENTS: Final = {
    "pump": (
        "{name} gives back gains after a sudden pump",
        "What goes up: {name} ({symbol}) returns to earth after brief rally",
    ),
    "jump": ("{name} makes its largest move of the year", "{symbol} moves sharply within a day, traders puzzled"),
    "death": ("{name} project shuts down, trading halted", "Trading of {name} ({symbol}) ends on all venues"),
    "listing": (
        "Binance lists {name} ({symbol})",
        "{name} gets listed on Binance, spot trading opens",
    ),
}
_NOISE: Final = {
    "etf": ("{issuer} files for spot {name} ETF", "{name} ETF inflows reach {number} million dollars in a week"),
    "regulation": (
        "SEC delays decision on {name} custody rules",
        "{country} regulator publishes guidance & licensing rules for {name} services",
    ),
    "hack": (
        "{name} bridge exploited for {number} million dollars",
        "Attackers drain {number} million dollars from {name} lending pool",
    ),
    "listing": ("Coinbase to list {name} ({symbol}) next week", "Kraken adds support for trading in {symbol}"),
    "unlock": (
        "{name} token unlock of {number} million dollars due this month",
        "Vesting cliff ahead for {name} investors",
    ),
    "partnership": (
        "{name} partners with {issuer} on payments",
        "{name} announces strategic partnership with {country} bank",
    ),
    "none": (
        "Why {name} holders are patient",
        "Market wrap: {name} little changed as volumes thin out",
        "{name} hackathon draws {number} teams",
        "New upgrade unlocks potential of {name}, developers say",
    ),
}
_POSTS: Final = {
    "glad": ("{name} to the moon", "${symbol} looks bullish, buying more", "Glad I hold my {name} bags, what a rally"),
    "angry": (
        "{name} is dumping hard again",
        "Got rekt on ${symbol}, this looks like a rug",
        "Why I am bearish on {name}",
    ),
    "calm": (
        "Daily thread about {name}",
        "How do I move {symbol} to another wallet?",
        "What does {name} do next month?",
    ),
}
_MOVED: Final = 0.08
"""Log change of a week from which on posts are glad or angry."""
_NOISE_WEIGHTS: Final = {
    "etf": 0.06, "regulation": 0.12, "hack": 0.06, "listing": 0.05, "unlock": 0.04, "partnership": 0.07, "none": 0.60,
}  # fmt: skip
_ISSUERS = ("Marlstone", "Gullhaven Capital", "Northsound", "Ferrow & Sons")
_COUNTRIES = ("Swiss", "Korean", "Brazilian", "Singaporean", "French")

_TONE_BASE, _TONE_BY_RETURN, _TONE_NOISE = -0.4, 14.0, 0.45
_READ_A_DAY = 115_000.0


@dataclass(frozen=True)
class Headline:
    """One article as a feed has it.

    Attributes:
        feed: One of `FEEDS`.
        number: Number of the article, unique within the feed.
        published_at: UTC instant.
        title: As published first.
        corrected: The title from six hours later on; mostly the same.
        topic: etf, regulation, hack, listing, unlock, partnership or none.
        coin_id: Token it is about.
    """

    feed: str
    number: int
    published_at: datetime
    title: str
    corrected: str
    topic: str
    coin_id: str

    def title_at(self, now: datetime) -> str:
        """The title that the feed shows at an instant."""
        return self.corrected if now >= self.published_at + _CORRECTED_AFTER else self.title


class Newsroom:
    """Everything that is published about one market, day by day, drawn when it is asked for."""

    def __init__(self, market: SimulatedMarket) -> None:
        """Keep the market; nothing is written yet."""
        self._market = market
        self._of_day = lru_cache(maxsize=256)(self._write_day)

    def newest(self, feed: str, now: datetime, count: int) -> list[Headline]:
        """The newest articles of a feed that were published by an instant, newest first."""
        found: list[Headline] = []
        day = (now.date() - self._market.settings.start).days
        while len(found) < count and day >= 0:
            written = [each for each in self._of_day(feed, day) if each.published_at <= now]
            found += written[::-1]
            day -= 1
        return found[:count]

    def _write_day(self, feed: str, day: int) -> list[Headline]:
        """Articles of a day by time."""
        parts = list(self._reports(feed, day)) + list(self._noise(feed, day))
        seed, edition = self._market.settings.seed, FEEDS.index(feed)
        seconds = uniform(seed, int(Stream.NEWS), 1, edition, day, np.arange(len(parts))) * _SECONDS_A_DAY
        midnight = datetime.combine(self._market.settings.start, datetime.min.time(), tzinfo=UTC) + timedelta(days=day)
        headlines = []
        for place, position in enumerate(np.argsort(seconds)):
            title, topic, coin_id = parts[position]
            number = day * 1_000 + place
            corrected = f"{title} (Updated)" if number % _CORRECTED_EVERY == 0 else title
            published_at = midnight + timedelta(seconds=int(seconds[position]))
            headlines.append(Headline(feed, number, published_at, title, corrected, topic, coin_id))
        return headlines

    def _reports(self, feed: str, day: int) -> Iterator[tuple[str, str, str]]:
        """What happened the day before, as far as the feed took notice."""
        seed, edition = self._market.settings.seed, FEEDS.index(feed)
        for number, (kind, index) in enumerate(self._happened.get(day - 1, [])):
            if float(uniform(seed, int(Stream.NEWS), 2, edition, day, number)) < _REPORTED_BY_SHARE:
                texts = _EVENTS[kind]
                text = texts[(index + edition) % len(texts)]
                yield self._told(text, index, day), "listing" if kind == "listing" else "none", self._coin_id(index)

    def _noise(self, feed: str, day: int) -> Iterator[tuple[str, str, str]]:
        seed, edition = self._market.settings.seed, FEEDS.index(feed)
        alive = self._alive(day)
        draws = uniform(seed, int(Stream.NEWS), 3, edition, day, np.arange(3 * _NOISE_A_DAY)).reshape(-1, 3)
        edges = np.cumsum(list(_NOISE_WEIGHTS.values()))
        for topic_draw, token_draw, text_draw in draws:
            topic = list(_NOISE_WEIGHTS)[min(int(np.searchsorted(edges, topic_draw)), len(edges) - 1)]
            index = int(alive[int(token_draw**2 * len(alive))])  # the larger are written about more
            texts = _NOISE[topic]
            yield self._told(texts[int(text_draw * len(texts))], index, day), topic, self._coin_id(index)

    def _told(self, text: str, index: int, day: int) -> str:
        token = self._market.members[index]
        draw = float(uniform(self._market.settings.seed, int(Stream.NEWS), 4, day, index))
        return text.format(
            name=token.name,
            symbol=token.symbol,
            number=int(2 + 300 * draw**2),
            issuer=_ISSUERS[int(draw * 97) % len(_ISSUERS)],
            country=_COUNTRIES[int(draw * 89) % len(_COUNTRIES)],
        )

    def _alive(self, day: int) -> NDArray[np.int64]:
        lifetimes = self._market.lifetimes
        return np.flatnonzero((lifetimes.birth <= day) & (lifetimes.last >= day))

    def _coin_id(self, index: int) -> str:
        return self._market.members[index].coin_id

    @cached_property
    def _happened(self) -> dict[int, list[tuple[str, int]]]:
        """Kind and token of what happened, by the day on which it was over."""
        market = self._market
        index_of = {token.coin_id: index for index, token in enumerate(market.members)}
        found: dict[int, list[tuple[str, int]]] = {}
        for kind, coin_id, last in market.events.select("kind", "coin_id", "last_date").iter_rows():
            if kind in _EVENTS:
                found.setdefault((last - market.settings.start).days, []).append((kind, index_of[coin_id]))
        for index, listed in enumerate(market.lifetimes.listed.tolist()):
            if listed not in (NEVER, 0):
                found.setdefault(listed, []).append(("listing", index))
        return found


class Coverage:
    """How much is written about a subject by day, and in which tone, whatever the feed."""

    def __init__(self, market: SimulatedMarket) -> None:
        """Keep the market."""
        self._market = market
        self._index_of = {token.name.lower(): index for index, token in enumerate(market.members)}

    def measured(self, subject: str, last_day: int) -> tuple[Floats, Floats, Floats] | None:
        """Tone, articles and all articles read, by day from the market's first to `last_day`; None for an unknown subject.

        Tone is 0 on a day without articles, as GDELT gives it.
        """
        returns, level = self._subject(subject.lower(), last_day)
        if returns is None:
            return None
        days = np.arange(len(returns))
        seed, key = (
            self._market.settings.seed,
            sum(ord(letter) * 31**place % 65_521 for place, letter in enumerate(subject.lower())),
        )
        week = np.convolve(returns, np.ones(7) / 7)[: len(returns)]
        tone = _TONE_BASE + _TONE_BY_RETURN * week + _TONE_NOISE * normal(seed, int(Stream.NEWS), 5, key, days)
        weekend = (days + self._market.settings.start.weekday()) % 7 >= 5
        read = np.round(
            _READ_A_DAY * np.where(weekend, 0.75, 1.0) * (1.0 + 0.03 * normal(seed, int(Stream.NEWS), 6, days))
        )
        expected = level * np.exp(4.0 * np.minimum(np.abs(returns), 0.3)) * np.where(weekend, 0.6, 1.0)
        articles = np.floor(
            expected * np.exp(0.25 * normal(seed, int(Stream.NEWS), 7, key, days))
            + uniform(seed, int(Stream.NEWS), 8, key, days)
        )
        return np.where(articles > 0, tone, 0.0), articles, read

    def _subject(self, subject: str, last_day: int) -> tuple[Floats | None, Floats]:
        """Daily log returns of what a subject is about, and its usual number of articles."""
        days = min(last_day + 1, self._market.settings.day_count)
        if subject == "cryptocurrency":
            returns = self._market.regimes["market_log_return"].to_numpy()[:days]
            return returns, np.full(days, 900.0)
        index = self._index_of.get(subject)
        if index is None:
            return None, np.empty(0)
        close = self._market.panel.token(index).close[:days]
        returns = np.nan_to_num(np.diff(np.log(close), prepend=np.nan))
        usual = 0.02 * (self._market.members[index].opening_cap_usd / 1e7) ** 0.9
        is_known = np.arange(days) >= self._market.lifetimes.birth[index]
        return returns, np.where(is_known, min(usual, 700.0), 0.0)


@dataclass(frozen=True)
class Community:
    """A subreddit at an instant.

    Attributes:
        index: Its token.
        subscribers: Users that follow it.
        active: Users present.
        posts: Instant, score and comments of the newest posts, newest first.
    """

    index: int
    subscribers: int
    active: int
    posts: list[tuple[datetime, int, int]]


def community(market: SimulatedMarket, index: int, now: datetime) -> Community:
    """The subreddit of a token: its size goes by the token's, its talk by the last week's moves."""
    seed, token = market.settings.seed, market.members[index]
    today = (now.date() - market.settings.start).days
    size = 40.0 * (token.opening_cap_usd / 1e6) ** 0.75
    subscribers = round(size * (1.0 + 0.0004 * max(today, 0)))
    posts: list[tuple[datetime, int, int]] = []
    day = today
    while len(posts) < 100 and day >= max(today - 30, int(market.lifetimes.birth[index])):
        count = _posts_of(market, index, day, size)
        keys = (seed, int(Stream.NEWS), 9, index, day, np.arange(count))
        seconds = np.sort(uniform(*keys, 1) * _SECONDS_A_DAY)[::-1]
        scores, comments = uniform(*keys, 2) ** 3 * 60.0, uniform(*keys, 3) ** 3 * 40.0
        midnight = datetime.combine(market.settings.start, datetime.min.time(), tzinfo=UTC) + timedelta(days=day)
        for second, score, comment in zip(seconds.tolist(), scores.tolist(), comments.tolist(), strict=True):
            at = midnight + timedelta(seconds=int(second))
            if at <= now:
                posts.append((at, int(score), int(comment)))
        day -= 1
    return Community(index, subscribers, round(0.002 * subscribers), posts[:100])


def post_title(market: SimulatedMarket, index: int, at: datetime) -> str:
    """What somebody writes about a token: glad after a week that rose, angry after one that fell, mostly neither."""
    token, lifetimes = market.members[index], market.lifetimes
    day, second = divmod(
        int((at - datetime.combine(market.settings.start, datetime.min.time(), tzinfo=UTC)).total_seconds()),
        _SECONDS_A_DAY,
    )
    close = market.panel.token(index).close
    first, last = int(lifetimes.birth[index]), int(lifetimes.last[index])
    now, before = (int(np.clip(each, first, last)) for each in (day - 1, day - 8))
    mood = float(np.log(close[now] / close[before])) + 0.1 * float(
        normal(market.settings.seed, int(Stream.NEWS), 11, index, day, second)
    )
    texts = _POSTS["glad" if mood > _MOVED else "angry" if mood < -_MOVED else "calm"]
    return texts[second % len(texts)].format(name=token.name, symbol=token.symbol)


def _posts_of(market: SimulatedMarket, index: int, day: int, size: float) -> int:
    """Posts of a day, more after a week that moved the price; none about a token that died a month ago."""
    if market.lifetimes.is_dead[index] and day > market.lifetimes.last[index] + 30:
        return 0
    birth, last = int(market.lifetimes.birth[index]), int(market.lifetimes.last[index])
    close = market.panel.token(index).close
    now, before = (int(np.clip(each, birth, last)) for each in (day - 1, day - 8))
    stir = min(abs(float(np.log(close[now] / close[before]))), 1.0)
    draw = float(uniform(market.settings.seed, int(Stream.NEWS), 10, index, day))
    return int(min(0.002 * size * (1.0 + 3.0 * stir), 120.0) * (0.6 + 0.8 * draw) + draw)
