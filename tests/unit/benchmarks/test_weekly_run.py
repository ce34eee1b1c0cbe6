"""Tables of the weekly run by size: what they sum, and how growth is told."""

import pytest

from benchmarks.weekly import FIRST, HISTORY_OF_MODELS, LANDING, Cost, covered, group_of, growth, page, read, write


def cost(tokens, step, seconds, *, token_days=None, run=FIRST):
    return Cost(tokens, run, step, seconds, seconds, 1.0, token_days or tokens * 1000, "2026-01-01T00:00:00+00:00", 0.5)


def whole_run(tokens, *, landing, models, marts, site):
    steps = {"landing__history": landing, "learning__models": models, "dbt_marts": marts, "published__site": site}
    return [cost(tokens, "", sum(steps.values())), *(cost(tokens, step, seconds) for step, seconds in steps.items())]


def test_intervals_that_overlap_count_once_and_only_between_the_instants():
    assert covered([(0, 4), (3, 6), (8, 20)], 2, 10) == pytest.approx(6)
    assert covered([], 0, 10) == 0


@pytest.mark.parametrize(
    ("step", "group"),
    [
        ("landing__history", LANDING),
        ("coingecko_market_daily", LANDING),
        ("unlock_schedules", LANDING),
        ("calls", HISTORY_OF_MODELS),
        ("dbt_marts", None),
        ("published__warehouse", None),
        ("", None),
    ],
)
def test_every_step_has_its_group(step, group):
    assert group_of(step) == group


def test_growth_is_the_power_of_the_number_of_token_days():
    assert growth(cost(1, "a", 10, token_days=1000), cost(4, "a", 80, token_days=4000)) == pytest.approx(1.5)
    assert growth(cost(1, "a", 0.4, token_days=1000), cost(4, "a", 80, token_days=4000)) is None


def test_the_page_takes_landing_and_the_models_past_off_the_whole():
    costs = [
        *whole_run(250, landing=5, models=40, marts=20, site=5),
        *whole_run(1000, landing=20, models=90, marts=60, site=10),
    ]
    limits = {"1000": {"gib_landed": 1.0, "gib_written": 3.0, "disk_read": 1.0, "disk_write": 0.5, "memory": 5.0}}

    text = "\n".join(page(costs, limits))

    assert "| 250 | first run | 250,000 | 70 | 5 | 40 | 25 | 25 |" in text
    assert "| 1,000 | first run | 1,000,000 | 180 | 20 | 90 | 70 | 70 |" in text
    assert "| 7.0 | 10 |" in text, "seven seconds at the disk's speed, ten times as many in the run"


def test_rows_survive_the_file(tmp_path):
    costs = whole_run(250, landing=5, models=40, marts=20, site=5)

    write(tmp_path / "costs.csv", costs)

    assert read(tmp_path / "costs.csv") == costs
    assert read(tmp_path / "missing.csv") == []
