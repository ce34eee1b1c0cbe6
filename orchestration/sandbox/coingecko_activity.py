"""What CoinGecko counts of a coin's community and developers: watch lists, votes, channels, repositories.

All of it follows the market or goes its own way, and none leads it: watch lists grow with the volume so far, votes follow
the last week's return, repositories know nothing of prices.

Belongs here: the true numbers and the vendor's quirks about them. Does not: the document they stand in
(`coingecko_coins.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.served import ServedMarket

_WATCHERS, _VOTES, _TELEGRAM, _REDDIT = 7_101, 7_102, 7_103, 7_104
_FEWEST_VOTERS: Final = 400
_VOLUME_DAYS: Final = 30
_RETURN_DAYS: Final = 7


@dataclass(frozen=True)
class Community:
    """The community of a coin.

    Attributes:
        watchlist_users: Who keep it on a watch list; None before its first day has ended.
        up_percent: Of the votes, two decimals; None where too few vote.
        reddit_subscribers: None, or for some coins the 0 that stands for no longer counted.
        telegram_users: None for most.
    """

    watchlist_users: int | None
    up_percent: float | None
    reddit_subscribers: int | None
    telegram_users: int | None


def community_of(served: ServedMarket, index: int) -> Community:
    """The community of a coin as of now."""
    seed = served.market.settings.seed
    _, volumes = served.volumes(index)
    if not len(volumes):
        return Community(None, None, None, None)
    sums = np.cumsum(np.insert(volumes, 0, 0.0))
    width = min(_VOLUME_DAYS, len(volumes))
    busiest = float(np.max(sums[width:] - sums[:-width])) / width
    watchers = int(3.0 * math.sqrt(busiest) * math.exp(0.4 * float(normal(seed, _WATCHERS, index))))
    has_channel = float(uniform(seed, _TELEGRAM, index)) < 0.25
    is_zero = float(uniform(seed, _REDDIT, index)) < 0.3
    return Community(
        watchlist_users=watchers,
        up_percent=_up_percent(served, index) if watchers >= _FEWEST_VOTERS else None,
        reddit_subscribers=0 if is_zero else None,
        telegram_users=max(1, watchers // 9) if has_channel else None,
    )


def _up_percent(served: ServedMarket, index: int) -> float:
    _, closes = served.closes(index)
    gain = math.log(closes[-1] / closes[max(0, len(closes) - 1 - _RETURN_DAYS)])
    noise = float(normal(served.market.settings.seed, _VOTES, index, served.today() // _RETURN_DAYS))
    return round(float(np.clip(68.0 + 15.0 * math.tanh(gain / 0.15) + 8.0 * noise, 0.0, 100.0)), 2)


def community_data(community: Community) -> dict[str, Any]:
    """The part `community_data` of a document, mostly null as it is since May 2025."""
    return {
        "facebook_likes": None,
        "reddit_average_posts_48h": 0.0,
        "reddit_average_comments_48h": 0.0,
        "reddit_subscribers": community.reddit_subscribers,
        "reddit_accounts_active_48h": None,
        "telegram_channel_user_count": community.telegram_users,
    }
