"""Which failures are about one thing and which about the host."""

import pytest

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.one_by_one import OTHERS, OneByOne

DOWN = SourceUnavailableError("down")
REJECTED = RequestRejectedError("no such thing", status=404)


def ask_all(*answers: object) -> tuple[OneByOne, list[object]]:
    """Ask for `0`, `1`, ...; an answer that is an error is raised."""
    asking = OneByOne()

    def give(answer: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asking, [
        asking.ask(str(number), lambda answer=answer: give(answer)) for number, answer in enumerate(answers)
    ]


@pytest.mark.parametrize("error", [REJECTED, DOWN, UnexpectedBodyError("nonsense")])
def test_one_thing_that_fails_leaves_the_others(error):
    asking, results = ask_all("a", error, "c")

    assert results == ["a", None, "c"]
    assert asking.report() == {"1": str(error)}


@pytest.mark.parametrize(
    "error",
    [RateLimitedError("used up"), AccessRestrictedError("refused"), RequestRejectedError("bad token", status=401)],
)
def test_limits_and_refusals_stop_at_once(error):
    asking, results = ask_all("a", error, "c")

    assert results == ["a", None, None]
    assert asking.report() == {"1": str(error), OTHERS: f"not asked: {error}"}


def test_a_host_that_is_down_is_left_after_three_in_a_row():
    asking, results = ask_all(DOWN, DOWN, "c", DOWN, DOWN, DOWN, "g")

    assert results == [None, None, "c", None, None, None, None]
    assert "6" not in asking.failures
    assert asking.stopped_by is DOWN


def test_rejected_requests_never_stop():
    asking, results = ask_all(*[REJECTED] * 5, "f")

    assert results[-1] == "f"
    assert asking.stopped_by is None


def test_it_raises_only_where_nothing_came():
    with pytest.raises(SourceError, match="no such thing"):
        ask_all(REJECTED)[0].raise_if_nothing_came()

    ask_all(REJECTED, "b")[0].raise_if_nothing_came()
    ask_all()[0].raise_if_nothing_came()
