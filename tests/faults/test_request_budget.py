"""A first run and the next day's stay within the requests that were set; counted at the sandbox."""

import pytest

from orchestration.request_budget import MOST_DAILY, MOST_FIRST, measure


@pytest.mark.slow
def test_a_first_run_and_a_day_stay_within_their_requests():
    """A drill: it loads the default market whole; the tests of each load count its requests."""
    budget = measure()

    assert budget.down == ()
    assert budget.first.total() < MOST_FIRST
    assert budget.daily.total() < MOST_DAILY
