"""Goals and profiles: how they are read, and the order of variants they imply."""

import numpy as np
import pytest

from models_ml.optimiser.errors import SearchError
from models_ml.optimiser.figures import Figures
from models_ml.optimiser.goals import PROFILES, Goal, parse_goal

FIGURES = Figures(
    annual_return=np.array([0.20, 0.16, 0.14, 0.60]),
    volatility=np.array([0.30, 0.20, 0.20, 0.90]),
    sharpe=np.array([0.7, 0.9, 0.8, 1.5]),
    max_drawdown=np.array([0.10, 0.09, 0.05, 0.80]),
)


@pytest.mark.parametrize(
    "text",
    [
        "annual_return=0.15,max_drawdown=0.10",
        "{annual_return: 0.15, max_drawdown: 0.10}",
        " annual_return=0.15, max_drawdown=0.1 ",
    ],
)
def test_a_goal_is_read_from_either_form(text):
    assert parse_goal(text) == Goal(annual_return=0.15, max_drawdown=0.10)


def test_a_profile_is_a_goal_by_name_and_nothing_asks_for_the_best_sharpe_ratio():
    assert parse_goal("cautious") == PROFILES["cautious"]
    assert parse_goal("") == Goal()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("timid", "is no goal; write annual_return=0.15"),
        ("max_drawdown=10", "max_drawdown: Input should be less than or equal to 1"),
        ("return=0.1", "return: Extra inputs are not permitted"),
        ("annual_return=0", "write 0.01"),
        ("{annual_return: [}", "not valid YAML"),
    ],
)
def test_a_goal_that_cannot_be_meant_is_refused_with_what_to_write(text, told):
    with pytest.raises(SearchError, match=told):
        parse_goal(text)


def test_variants_that_meet_the_goal_come_first_by_their_sharpe_ratio_then_the_nearest():
    goal = Goal(annual_return=0.15, max_drawdown=0.10)

    order = np.argsort(-goal.score(FIGURES)).tolist()

    assert goal.is_met(FIGURES).tolist() == [True, True, False, False]
    assert order == [1, 0, 2, 3]


def test_what_is_missing_counts_as_a_share_of_the_limit():
    goal = Goal(annual_return=0.15, max_drawdown=0.10)

    assert goal.shortfall(FIGURES) == pytest.approx([0, 0, 0.01 / 0.15, 0.70 / 0.10])


def test_a_profile_takes_the_highest_return_below_its_loss():
    order = np.argsort(-PROFILES["cautious"].score(FIGURES)).tolist()

    assert order[:3] == [0, 1, 2]


def test_without_limits_all_meet_and_the_sharpe_ratio_decides():
    assert Goal().is_met(FIGURES).all()
    assert int(Goal().score(FIGURES).argmax()) == 3
