"""Which week is due, and whether its run is started (again)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.lib.due_weeks import FIRST_WAIT, LONGEST_WAIT, Attempt, decide, due_week, is_turn_of_schedule
from orchestration.settings import Settings

MONDAY = date(2025, 3, 3)
NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
LIVE = Settings(source="live")


def failed(hours_ago, **more):
    return Attempt("FAILURE", NOW - timedelta(hours=hours_ago), **more)


def decided(*attempts, published=date(2025, 2, 24), is_busy=False, now=NOW):
    return decide(MONDAY, published=published, attempts=attempts, is_busy=is_busy, now=now)


@pytest.mark.parametrize(
    ("instant", "week"),
    [
        ("2025-03-03T01:14:59+00:00", date(2025, 2, 24)),
        ("2025-03-03T01:15:00+00:00", MONDAY),
        ("2025-03-09T23:59:59+00:00", MONDAY),
    ],
)
def test_a_week_is_due_from_the_time_of_its_run_on(instant, week):
    assert due_week(LIVE, now=datetime.fromisoformat(instant)) == week


def test_simulated_data_move_with_a_clock_within_the_market_and_stay_with_any_other():
    simulated = Settings(source="simulated")

    assert due_week(simulated, now=NOW) == MONDAY
    assert due_week(simulated, now=datetime(2031, 5, 5, tzinfo=UTC)) == date(2025, 1, 6)
    assert due_week(Settings(source="simulated", as_of=date(2024, 6, 5)), now=datetime(2031, 5, 5, tzinfo=UTC)) == date(
        2024, 6, 3
    )


def test_the_schedule_and_the_catch_up_never_start_the_same_week():
    due_at = datetime(2025, 3, 3, 1, 15, tzinfo=UTC)

    assert is_turn_of_schedule(LIVE, MONDAY, now=due_at + timedelta(minutes=5))
    assert not is_turn_of_schedule(LIVE, MONDAY, now=due_at + timedelta(minutes=5, seconds=1))


def test_a_missed_week_is_started_at_once_however_many_were_missed():
    assert decided(published=date(2024, 12, 30)).is_start
    assert decided(published=None).is_start


def test_a_published_week_is_left_alone():
    assert not decided(published=MONDAY).is_start


def test_nothing_is_started_beside_a_run():
    assert not decided(is_busy=True).is_start


@pytest.mark.parametrize("tries", range(1, 8))
def test_failed_runs_are_repeated_after_waits_that_double_up_to_six_hours(tries):
    wait = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT)
    ended = NOW - wait
    attempts = [Attempt("FAILURE", ended)] * tries

    assert decided(*attempts).is_start
    assert not decided(*attempts, now=NOW - timedelta(seconds=1)).is_start


def test_a_run_that_ended_because_the_service_stopped_is_repeated_at_once_and_counts_as_no_try():
    stopped = failed(0.01, is_stopped=True)

    assert decided(stopped).is_start
    assert decided(stopped, failed(0.3)).is_start
    assert not decided(stopped, failed(0.1)).is_start


def test_a_run_that_somebody_cancelled_is_left_to_them():
    decision = decided(Attempt("CANCELED", NOW - timedelta(hours=5)))

    assert not decision.is_start
    assert "by hand" in decision.reason


def test_a_run_that_succeeded_without_publishing_its_week_is_repeated_like_a_failed_one():
    assert not decided(Attempt("SUCCESS", NOW - timedelta(minutes=10))).is_start
    assert decided(Attempt("SUCCESS", NOW - timedelta(minutes=16))).is_start
