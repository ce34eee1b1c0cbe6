"""Champion and challengers: the rule, and that every challenger differs from the champion."""

import pytest

from models_ml.learning.challengers import CHALLENGERS, CHAMPION, Gain, judge_challenger
from models_ml.learning.ranking import TRADER


@pytest.mark.parametrize(
    ("broad", "liquid", "is_promoted", "said"),
    [
        ((0.001, 0.0), (0.002, 0.001), True, ()),
        ((0.0, 0.01), (0.002, 0.01), False, ("broad gain in partial",)),
        ((0.001, 0.01), (-0.002, 0.01), False, ("liquid gain in partial",)),
        ((0.001, -0.0001), (0.002, 0.01), False, ("broad rank IC is lower",)),
        ((-0.1, -0.1), (-0.1, -0.1), False, ("broad gain", "broad rank", "liquid gain", "liquid rank")),
        ((None, 0.01), (0.002, 0.01), False, ("too few broad weeks",)),
    ],
)
def test_the_rule_asks_for_a_sure_gain_in_both_universes_and_no_loss_of_rank_ic(broad, liquid, is_promoted, said):
    verdict = judge_challenger([Gain("broad", *broad), Gain("liquid", *liquid)])

    assert verdict.is_promoted == is_promoted
    assert [reason.startswith(start) for reason, start in zip(verdict.reasons, said, strict=True)] == [True] * len(said)


def test_a_verdict_needs_both_universes():
    with pytest.raises(ValueError, match="one gain for each of broad, liquid"):
        judge_challenger([Gain("broad", 0.1, 0.1)])


def test_the_champion_is_the_published_head_and_every_challenger_another():
    assert CHAMPION is TRADER
    assert all(head != CHAMPION and head.name == CHAMPION.name for head in CHALLENGERS.values())
    assert all(head.main_label == CHAMPION.main_label for head in CHALLENGERS.values())
