from datetime import date, timedelta

from orchestration.lib.loads.rotation import choose_due

TODAY = date(2025, 1, 6)
NAMES = [f"name{number}" for number in range(14)]


def read(days_ago: dict[str, int]) -> dict[str, date]:
    return {name: TODAY - timedelta(days=ago) for name, ago in days_ago.items()}


def test_what_was_never_read_comes_first_and_whole():
    assert choose_due(NAMES, {}, wanted=TODAY, last=TODAY, every_days=7) == NAMES


def test_a_day_after_the_last_run_a_seventh_is_due_longest_waiting_first():
    newest = read({name: 1 + number % 7 for number, name in enumerate(NAMES)})

    due = choose_due(NAMES, newest, wanted=TODAY, last=TODAY, every_days=7)

    assert due == ["name6", "name13"]


def test_a_week_after_the_last_run_all_are_due():
    assert choose_due(NAMES, read(dict.fromkeys(NAMES, 7)), wanted=TODAY, last=TODAY, every_days=7) == NAMES


def test_what_is_up_to_date_is_not_asked():
    newest = read(dict.fromkeys(NAMES, 0))

    assert choose_due(NAMES, newest, wanted=TODAY, last=TODAY, every_days=7) == []


def test_a_first_load_that_was_killed_goes_on_with_all_the_others():
    newest = read({"name0": 0, "name3": 0})

    due = choose_due(NAMES, newest, wanted=TODAY, last=TODAY, every_days=7)

    assert due == [name for name in NAMES if name not in newest]


def test_newcomers_come_first_within_the_days_share():
    newest = read({name: 7 if number < 7 else 1 for number, name in enumerate(NAMES)})

    due = choose_due(["new", *NAMES], newest, wanted=TODAY, last=TODAY, every_days=7)

    assert due[0] == "new"
    assert len(due) == 3


def test_a_second_load_of_the_day_adds_nothing_and_one_after_a_kill_the_rest():
    newest = read({name: 1 + number % 7 for number, name in enumerate(NAMES)})
    first, second = choose_due(NAMES, newest, wanted=TODAY, last=TODAY, every_days=7)

    after_a_kill = newest | {first: TODAY}
    after_the_load = newest | {first: TODAY, second: TODAY}

    assert choose_due(NAMES, after_a_kill, wanted=TODAY, last=TODAY, every_days=7) == [second]
    assert choose_due(NAMES, after_the_load, wanted=TODAY, last=TODAY, every_days=7) == []
