"""GitHub through its load: what lands is the simulated truth; rotation, budgets, and what fails."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.loads import github
from orchestration.sandbox.developers import DeveloperActivity
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sources.errors import SourceError
from orchestration.sources.github import COMMITS_WEEKLY, REPOSITORIES
from orchestration.sources.one_by_one import OTHERS

FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)
SATURDAY = date(2025, 1, 4)


def true_commits(activity: DeveloperActivity, index: int, last_day: date) -> int:
    """Commits of the seven days up to a day."""
    stop = (last_day - FIRST_DAY).days - activity.first_day + 1
    return int(activity.commits(index)[stop - 7 : stop].sum())


def test_every_finished_week_of_a_year_lands_as_it_was(opened, ingestion, market, reach):
    github.load_repositories(ingestion, opened, reach(partition="year"))

    landed = ingestion.store.newest(COMMITS_WEEKLY)
    activity = DeveloperActivity(market)
    repositories = {each.name: each for each in activity.repositories}
    counted = landed.filter(pl.col("authors").is_not_null())["repository"].unique()
    statistics = landed.filter(~pl.col("repository").is_in(counted.to_list()))
    wrong = [
        row["repository"]
        for row in landed.iter_rows(named=True)
        if row["commits"] != true_commits(activity, repositories[row["repository"]].index, row["market_date"])
    ]
    assert wrong == []
    assert statistics.group_by("repository").len()["len"].unique().to_list() == [51]  # the 52nd week runs
    assert {repositories[name].is_slow for name in counted} == {True}
    assert landed["market_date"].max() == SATURDAY
    assert set(landed["market_date"].dt.weekday()) == {6}


def test_repositories_land_with_the_state_they_are_in(opened, ingestion, market, reach):
    github.load_repositories(ingestion, opened, reach(partition="year"))

    landed = {row["repository"]: row for row in ingestion.store.newest(REPOSITORIES).iter_rows(named=True)}
    activity = DeveloperActivity(market)
    yesterday = (SUNDAY - market.settings.start).days
    expected = {
        each.name: (each.is_gone, None if each.is_gone else activity.stars(each.index, yesterday))
        for each in activity.repositories
        if market.lifetimes.birth[each.index] <= yesterday - 14  # the store knows these
    }
    assert {name: (row["is_gone"], row["stars"]) for name, row in landed.items()} == expected
    assert any(each.moved_to for each in activity.repositories if each.name in landed)
    assert {row["market_date"] for row in landed.values()} == {SUNDAY}


def test_a_second_run_of_the_day_asks_and_lands_nothing(opened, ingestion, sandbox, reach):
    github.load_repositories(ingestion, opened, reach(partition="year"))
    sandbox.requests.clear()

    results = github.load_repositories(ingestion, opened, reach())

    assert sandbox.requests == []
    assert [result.landed for result in results] == [0, 0]


def test_a_load_killed_between_commits_and_repositories_is_made_up_for(opened, ingestion, monkeypatch, reach):
    land, landed = ingestion.land, []

    def land_or_die(fetched, at, **options):
        if landed:
            raise KeyboardInterrupt
        landed.append(fetched.dataset)
        return land(fetched, at, **options)

    with monkeypatch.context() as killed:
        killed.setattr(ingestion, "land", land_or_die)
        with pytest.raises(KeyboardInterrupt):
            github.load_repositories(ingestion, opened, reach(partition="year"))
    in_part = set(ingestion.store.newest(COMMITS_WEEKLY)["repository"])

    github.load_repositories(ingestion, opened, reach(partition="year"))

    assert in_part
    assert in_part <= set(ingestion.store.newest(REPOSITORIES)["repository"])
    assert in_part < set(ingestion.store.newest(COMMITS_WEEKLY)["repository"])


def test_a_run_asks_the_share_that_the_days_since_make_due(opened, ingestion, sandbox, reach):
    repositories, _ = github.load_repositories(ingestion, opened, reach(SUNDAY - timedelta(days=36), partition="year"))

    daily, _ = github.load_repositories(ingestion, opened, reach(SUNDAY - timedelta(days=35)))
    five_weeks, commits = github.load_repositories(ingestion, opened, reach())

    assert daily.received == github.REPOSITORIES_WITHOUT_TOKEN
    assert five_weeks.received == repositories.received
    assert commits.landed > 0


def test_a_live_run_without_a_token_asks_for_few_repositories(opened, ingestion, sandbox, reach, monkeypatch):
    monkeypatch.setattr(github, "SIMULATED_TOKEN", None)

    first, _ = github.load_repositories(ingestion, opened, reach(partition="year"))
    second, _ = github.load_repositories(ingestion, opened, reach(SUNDAY + timedelta(days=1), partition="year"))

    assert (first.received, second.received) == (8, 8)
    assert ingestion.store.newest(REPOSITORIES)["repository"].n_unique() == 16


def test_a_killed_first_load_goes_on_where_it_stopped(opened, ingestion, sandbox, reach, monkeypatch, new_process):
    monkeypatch.setattr(github, "BATCH_REPOSITORIES", 10)
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, skip_first=45))
    results = github.load_repositories(ingestion, opened, reach(partition="year"))
    kept = set(ingestion.store.newest(REPOSITORIES)["repository"])
    sandbox.faults.clear()
    sandbox.requests.clear()
    new_process()

    github.load_repositories(ingestion, opened, reach(partition="year"))

    asked = {"/".join(request.path.split("/")[2:4]) for request in sandbox.requests}
    assert 0 < len(kept) < 30
    assert all(OTHERS in result.failures for result in results)
    assert asked.isdisjoint(kept)
    assert ingestion.store.newest(COMMITS_WEEKLY)["repository"].n_unique() > 40


def test_a_repository_that_was_cut_off_between_its_two_requests_is_asked_again(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, path_contains="/stats/", skip_first=20))

    github.load_repositories(ingestion, opened, reach(partition="year"))

    read = ingestion.store.newest(REPOSITORIES).filter(~pl.col("is_gone"))["repository"].to_list()
    repositories = {each.name: each for each in DeveloperActivity(sandbox.app.market).repositories}
    with_weeks = (
        set(ingestion.store.newest(COMMITS_WEEKLY)["repository"]) if ingestion.store.files(COMMITS_WEEKLY) else set()
    )
    assert {name for name in read if not repositories[name].is_empty} <= with_weeks


def test_a_source_that_is_down_raises(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED))

    with pytest.raises(SourceError, match="refused"):
        github.load_repositories(ingestion, opened, reach())


def test_curated_repositories_are_distinct_and_well_formed():
    curated = github.read_curated()

    names = [name for listed in curated.values() for name in listed]
    assert len(curated) > 80
    assert all(github.repository_of(f"https://github.com/{name}") == name for name in names)
    assert curated["bitcoin"] == ["bitcoin/bitcoin"]
