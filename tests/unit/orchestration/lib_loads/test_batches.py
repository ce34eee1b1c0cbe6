"""Things are asked one after the other, and what came is handed over in time."""

import pytest

from orchestration.lib.loads import batches
from orchestration.lib.loads.batches import BATCH_SECONDS, ask_in_batches
from orchestration.sources.errors import SourceUnavailableError
from orchestration.sources.one_by_one import MOST_FAILURES_IN_A_ROW, OneByOne


class Clock:
    """A clock that each request moves on."""

    def __init__(self, seconds_a_request):
        self.now, self.seconds_a_request = 0.0, seconds_a_request

    def __call__(self):
        return self.now

    def request(self, thing):
        self.now += self.seconds_a_request
        return thing


def handed_over(things, *, seconds_a_request):
    clock, asking = Clock(seconds_a_request), OneByOne()
    return list(ask_in_batches(things, clock.request, asking, clock=clock))


def test_a_slow_provider_has_every_answer_handed_over_at_once():
    assert handed_over("abc", seconds_a_request=12.0) == [(1, ["a"]), (2, ["b"]), (3, ["c"])]


def test_answers_wait_no_longer_than_the_limit():
    assert handed_over("abcd", seconds_a_request=BATCH_SECONDS / 3) == [(3, ["a", "b", "c"]), (4, ["d"])]


def test_a_fast_provider_fills_batches(monkeypatch):
    monkeypatch.setattr(batches, "MOST_A_BATCH", 2)

    assert handed_over("abc", seconds_a_request=0.0) == [(2, ["a", "b"]), (3, ["c"])]


def test_nothing_to_ask_hands_over_nothing():
    assert handed_over("", seconds_a_request=1.0) == []


@pytest.mark.parametrize("good", [0, 2])
def test_a_host_that_failed_is_asked_no_more_and_what_came_is_handed_over(good):
    asking = OneByOne()

    def request(number):
        if number >= good:
            raise SourceUnavailableError("HTTP 503")
        return number

    given = list(ask_in_batches(range(100), lambda number: asking.ask(str(number), lambda: request(number)), asking))

    assert given == [(good + MOST_FAILURES_IN_A_ROW, list(range(good)))]
