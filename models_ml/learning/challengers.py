"""Challengers: other ways to build the trader head, and the rule by which one takes the champion's place.

Belongs here: every challenger, registered once, and the promotion rule.
Does not: training and scoring them in shadow (`orchestration/evaluation/challengers.py`), the champion (`ranking.py`).

The champion is `ranking.TRADER`. A promotion is a change of the code: the winner's definition takes its place there and acts from the next
refit on; frozen models and published weeks stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models_ml.learning.boosters import CAREFUL_PARAMETERS
from models_ml.learning.dataset import MODEL_COLUMNS, RANK_COLUMNS, RATIO_COLUMNS
from models_ml.learning.ranking import TRADER, RankingHead

CHAMPION = TRADER

LONGER_HORIZON_DAYS = 30
"""The purge of a challenger that learns the 30-day return too."""

CHALLENGERS: Mapping[str, RankingHead] = {
    "without market": replace(CHAMPION, columns=RANK_COLUMNS),
    "with 30-day label": replace(
        CHAMPION,
        horizon_days=LONGER_HORIZON_DAYS,
        labels={**CHAMPION.labels, "return_30d": ("forward_return_30d",)},
    ),
    "with volatility ratios": replace(CHAMPION, columns=(*MODEL_COLUMNS, *RATIO_COLUMNS)),
    "smaller trees": replace(CHAMPION, rounds=300, parameters=CAREFUL_PARAMETERS),
}
"""What each changes: it sees ranks alone and not the state of the market; it learns the 30-day return beside the other three labels; it
also sees how volatility stands to its own past (what the calls see); it has smaller trees and more of them."""

UNIVERSES = ("broad", "liquid")

RULE = (
    "A challenger is promoted where, over the same weeks, its gain in partial rank IC over the champion has a 95 % block interval above "
    "0 in both universes, and its mean rank IC is not lower in either."
)
"""The promotion rule in words."""


@dataclass(frozen=True)
class Gain:
    """How a challenger compares with the champion in a universe, by paired weeks.

    Attributes:
        universe: broad or liquid.
        partial_gain_low: Lower bound of the 95 % block interval of the gain in partial rank IC; None with too few weeks for one.
        rank_gain: Mean gain in rank IC.
    """

    universe: str
    partial_gain_low: float | None
    rank_gain: float


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger is promoted.

    Attributes:
        is_promoted: Whether the rule holds.
        reasons: What it fails, in words; none where it is promoted.
    """

    is_promoted: bool
    reasons: tuple[str, ...]


def judge_challenger(gains: Sequence[Gain]) -> Verdict:
    """Apply the promotion rule.

    Args:
        gains: One for each of `UNIVERSES`.

    Raises:
        ValueError: A universe is missing or stands there twice.
    """
    if sorted(gain.universe for gain in gains) != sorted(UNIVERSES):
        raise ValueError(
            f"the rule needs one gain for each of {', '.join(UNIVERSES)}, and got {[gain.universe for gain in gains]}; "
            "measure the challenger in both"
        )
    reasons = []
    for gain in gains:
        if gain.partial_gain_low is None:
            reasons.append(f"too few {gain.universe} weeks for an interval")
        elif gain.partial_gain_low <= 0:
            reasons.append(f"{gain.universe} gain in partial rank IC may be none (from {gain.partial_gain_low:+.4f})")
        if gain.rank_gain < 0:
            reasons.append(f"{gain.universe} rank IC is lower ({gain.rank_gain:+.4f})")
    return Verdict(not reasons, tuple(reasons))
