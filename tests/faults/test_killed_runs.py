"""SIGKILL inside steps that hold the pool: the next run starts at once, completes, and ends where an undisturbed one does."""

import os

import pytest

from tests.kills import go_on, kill_in

CONTENT = ["table_name", "unit", "version", "content_hash", "row_count", "as_of_week"]


def test_a_run_killed_inside_dbt_takes_dbt_along_and_is_taken_up_by_the_next(corrected):
    """The next run has begun at once and completed (`go_on`); what it recorded is held in the tests of corrections, bit for bit."""
    assert corrected.writers_at_the_kill
    assert corrected.writers_soon_after == []
    assert corrected.tidemark.call("verify").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["dbt_marts", "learning__models", "calls", "index_weeks"])
def test_a_first_run_killed_in_a_step_that_holds_the_pool_ends_like_an_undisturbed_one(fresh, first, step):
    """A drill: two first runs for each step. The tests kill a run of corrections inside dbt, in the same pool."""
    run_id = kill_in(fresh, step, delay=1.0)

    go_on(fresh, run_id)

    assert fresh.ledger().select(CONTENT).equals(first.ledger().select(CONTENT))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["landing__history", "coingecko_market_daily", "published__warehouse"])
def test_a_first_run_killed_while_it_lands_or_publishes_ends_like_an_undisturbed_one(fresh, first, step):
    """A drill: two first runs for each step. The tests kill a backfill and every step of publishing by themselves."""
    run_id = kill_in(fresh, step, delay=0.3)

    go_on(fresh, run_id)

    assert fresh.ledger().select(CONTENT).equals(first.ledger().select(CONTENT))
    assert fresh.call("verify").code == 0


@pytest.mark.slow
def test_what_was_published_survives_a_kill_of_the_next_week(own, first, tree):
    """A drill: most of a run. That nothing is published before its step is held by the run that fails without prices."""
    published = tree(own.folder / "published")

    kill_in(own, "index_weeks", TIDEMARK_AS_OF="2025-01-13")

    assert tree(own.folder / "published") == published
    assert own.ledger().equals(first.ledger())
    assert own.call("verify").code == 0


@pytest.mark.slow
def test_no_process_outlives_a_run_that_ended(own):
    """A drill: a whole run. The tests hold it of a run that is killed and of the UI, which leave more behind."""
    with own.started("run") as running:
        finished = running.wait()
        group = running.process.pid

    assert finished.code == 0, finished.said
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
