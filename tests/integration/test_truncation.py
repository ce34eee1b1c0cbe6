"""No look-ahead, for the whole chain: a run that knows less says the same about every week it knows."""

from datetime import date

import pytest

EARLIER = date(2024, 4, 1)


@pytest.fixture(scope="module")
def earlier(new_folder):
    """A first run forty weeks before the default week, in a folder of its own."""
    tidemark = new_folder()
    finished = tidemark.run(TIDEMARK_AS_OF=EARLIER.isoformat())
    assert f"Week {EARLIER}" in finished.out
    return tidemark


def test_an_earlier_run_says_the_same_of_every_week_it_knows(first, earlier, hold_equal, compared_view):
    hold_equal(first, earlier, view=compared_view, week=EARLIER)


def test_an_earlier_run_freezes_the_same_models(first, earlier):
    sql = "select distinct as_of_week, model_version from api.trader_grades where as_of_week <= ? order by all"

    assert earlier.query(sql, EARLIER).equals(first.query(sql, EARLIER))
