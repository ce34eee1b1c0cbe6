"""Whose turn it is to be asked about."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import integers

from orchestration.lib.loads.turns import TURN_DAYS, whose_turn

TODAY = date(2025, 1, 5)
COINS = [f"coin-{number}" for number in range(100)]


def turn(read, *, universe=100, candidates=COINS, today=TODAY):
    return whose_turn(candidates, read=read, today=today, universe=universe)


def test_the_first_run_asks_about_a_fourth_the_most_important_first():
    assert turn({}) == COINS[:25]


def test_a_first_run_that_was_killed_goes_on_with_the_rest_of_its_share():
    assert turn(dict.fromkeys(COINS[:10], TODAY)) == COINS[10:25]
    assert turn(dict.fromkeys(COINS[:25], TODAY)) == []


def test_later_runs_ask_about_a_28th_and_those_never_read_come_first():
    yesterday = dict.fromkeys(COINS[:25], TODAY - timedelta(days=1))

    assert turn(yesterday, universe=56) == COINS[25:27]


def test_nobody_is_asked_about_again_within_28_days():
    read = dict.fromkeys(COINS, TODAY - timedelta(days=TURN_DAYS - 1)) | {"coin-7": TODAY - timedelta(days=TURN_DAYS)}

    assert turn(read) == ["coin-7"]


def test_somebody_new_comes_before_those_that_are_due():
    read = dict.fromkeys(COINS[1:], TODAY - timedelta(days=40))

    assert turn(read, universe=56) == ["coin-0", "coin-1"]


def test_a_universe_of_one_is_asked_about():
    assert turn({}, universe=1, candidates=["bitcoin"]) == ["bitcoin"]
    assert turn({"bitcoin": TODAY - timedelta(days=28)}, universe=1, candidates=["bitcoin"]) == ["bitcoin"]


@given(universe=integers(28, 600), days=integers(60, 80))
def test_daily_runs_stay_within_their_share_and_read_everybody_at_most_every_28_days(universe, days):
    coins = [f"coin-{number}" for number in range(universe)]
    read: dict[str, date] = {}
    asked: dict[str, list[date]] = {}
    for step in range(days):
        today = TODAY + timedelta(days=step)
        chosen = whose_turn(coins, read=read, today=today, universe=universe)
        assert len(chosen) <= (universe // 4 if step == 0 else max(1, universe // 28))
        read |= dict.fromkeys(chosen, today)
        for coin in chosen:
            asked.setdefault(coin, []).append(today)

    assert all((later - earlier).days >= TURN_DAYS for dates in asked.values() for earlier, later in pairwise(dates))
    assert len(asked) == universe
