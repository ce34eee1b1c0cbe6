"""Unlock schedules through their load: the simulated schedules land, revisions withdraw, and incompleteness does not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.loads import defillama, unlocks
from orchestration.lib.loads.unlocks import with_withdrawals
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.unlocks import UnlockSchedules
from orchestration.settings import Settings
from orchestration.sources.datasets import COMMON_COLUMNS
from orchestration.sources.defillama.unlocks import UNLOCK_EVENTS, UNLOCK_SCHEDULES, Schedules
from orchestration.sources.errors import SourceError
from orchestration.sources.validation import Fetched
from tests.limits import QUICK

FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)
HOST = "defillama-datasets.llama.fi"


@pytest.fixture(scope="module")
def opened() -> Iterator[Connections]:
    """Connections of a simulated run that wait for nothing."""
    with open_connections(Settings(simulation={"tokens": 250}), lambda text: None, limits=QUICK) as connections:
        connections.reach(last=SUNDAY, first=FIRST_DAY, partition="year")
        yield connections


@pytest.fixture
def schedules(sandbox) -> UnlockSchedules:
    return UnlockSchedules(ServedMarket(sandbox.app.market, SandboxClock(sandbox.clock.now)))


def standing(ingestion) -> pl.DataFrame:
    """The schedules as a reader must read them."""
    return ingestion.store.newest(UNLOCK_EVENTS).filter(~pl.col("is_withdrawn").fill_null(value=False))


def releases_of(rows: pl.DataFrame) -> list[tuple]:
    return sorted(rows.select("section", "unlock_type", pl.col("starts_at").dt.epoch("s"), "amount_tokens").rows())


def truth_of(schedule, at: datetime) -> list[tuple]:
    return sorted((each.section, each.kind, each.start, each.amount) for each in schedule.releases(at.timestamp()))


def same(found: list[tuple], expected: list[tuple], *, rel: float) -> bool:
    return [row[:3] for row in found] == [row[:3] for row in expected] and [row[3] for row in found] == pytest.approx(
        [row[3] for row in expected], rel=rel
    )


def test_every_schedule_of_the_index_lands_as_it_is(opened, ingestion, sandbox, reach, schedules):
    now = reach()
    unlocks.load_unlocks(ingestion, opened, now)

    landed = standing(ingestion)
    indexed = [each for each in schedules.known() if each.is_in_index]
    assert len(indexed) > 30
    for schedule in indexed:
        rows = landed.filter(pl.col("protocol") == schedule.slug)
        assert rows["coin_id"].unique().to_list() == [schedule.coin_id]
        # Rates of linear releases come with four digits.
        assert same(releases_of(rows), truth_of(schedule, now.now), rel=5e-4), schedule.slug
        cliffs = rows.filter(pl.col("unlock_type") == "cliff")["amount_tokens"].sum()
        true_cliffs = sum(each.amount for each in schedule.releases(now.now.timestamp()) if each.end is None)
        assert cliffs == pytest.approx(true_cliffs, rel=1e-12)
    assert landed["starts_at"].max() > datetime(2026, 1, 1, tzinfo=UTC)


def test_files_fill_what_the_index_lacks(opened, ingestion, sandbox, reach, schedules):
    defillama.load_protocols(ingestion, opened, reach())
    now = reach()

    unlocks.load_unlocks(ingestion, opened, now)

    landed = standing(ingestion)
    outside = [each for each in schedules.known() if not each.is_in_index]
    by_series = [each for each in outside if not each.lists_releases]
    unlisted = [each for each in outside if not each.is_listed]
    assert by_series
    assert unlisted
    for schedule in outside:
        rows = landed.filter(pl.col("protocol") == schedule.slug)
        total = sum(each.amount for each in schedule.releases(now.now.timestamp()))
        assert rows["amount_tokens"].sum() == pytest.approx(total, rel=1e-3), schedule.slug
        assert rows["coin_id"].unique().to_list() == [schedule.coin_id]
    read_on = dict(ingestion.store.newest(UNLOCK_SCHEDULES).select("protocol", "file_read_date").iter_rows())
    assert {slug for slug, day in read_on.items() if day == SUNDAY} == {each.slug for each in outside}


def test_a_daily_run_is_two_requests_and_a_file_is_read_once_a_week(opened, ingestion, sandbox, reach, schedules):
    unlocks.load_unlocks(ingestion, opened, reach(SUNDAY - timedelta(days=7)))
    sandbox.requests.clear()

    asked = []
    for back in (6, 1, 0):
        unlocks.load_unlocks(ingestion, opened, reach(SUNDAY - timedelta(days=back)))
        asked.append([request.path for request in sandbox.requests])
        sandbox.requests.clear()

    listed = [f"/emissions/{each.slug}" for each in schedules.known() if not each.is_in_index and each.is_listed]
    assert asked[0] == asked[1] == ["/emissionsIndex", "/emissionsProtocolsList"]
    files = asked[2][2:]
    assert asked[2][:2] == asked[0]
    assert set(files) < set(listed), "a share of the files a day"
    assert len(files) == opened.settings.unlock_files // unlocks.DAYS_FOR_ALL_FILES


def test_nothing_new_lands_nothing(opened, ingestion, reach):
    unlocks.load_unlocks(ingestion, opened, reach())

    events, read = unlocks.load_unlocks(ingestion, opened, reach())

    assert (events.landed, read.landed) == (0, 0)


def test_a_revised_schedule_withdraws_what_it_moved(opened, ingestion, sandbox, reach, schedules):
    revised = next(
        each
        for each in schedules.known()
        if each.revised_at
        and each.is_in_index
        and datetime(2022, 9, 1, tzinfo=UTC).timestamp()
        < each.revised_at
        < datetime(2024, 9, 1, tzinfo=UTC).timestamp()
        and each.releases(each.revised_at - 1) != each.releases(each.revised_at)
    )
    day = datetime.fromtimestamp(revised.revised_at, UTC).date()
    before, after = reach(day - timedelta(days=2)), None
    unlocks.load_unlocks(ingestion, opened, before)
    known_before = releases_of(standing(ingestion).filter(pl.col("protocol") == revised.slug))
    after = reach(day + timedelta(days=1))

    unlocks.load_unlocks(ingestion, opened, after)

    rows = standing(ingestion).filter(pl.col("protocol") == revised.slug)
    assert same(known_before, truth_of(revised, before.now), rel=5e-4)
    assert same(releases_of(rows), truth_of(revised, after.now), rel=5e-4)
    assert releases_of(rows) != known_before
    withdrawn = ingestion.store.newest(UNLOCK_EVENTS).filter(pl.col("is_withdrawn"))
    assert set(withdrawn.filter(pl.col("protocol") == revised.slug)["section"]) == {"Investors"}
    # What was known before the revision can still be read.
    loads = pl.concat([pl.read_parquet(path) for path in ingestion.store.files(UNLOCK_EVENTS)])
    then = loads.filter((pl.col("available_at") < after.now - timedelta(days=1)) & (pl.col("protocol") == revised.slug))
    assert releases_of(then) == known_before


def test_a_damaged_index_withdraws_nothing_and_reads_no_file(opened, ingestion, sandbox, reach):
    unlocks.load_unlocks(ingestion, opened, reach(SUNDAY - timedelta(days=30)))
    before = standing(ingestion)
    sandbox.requests.clear()
    sandbox.faults.add(FaultRule(kind=FaultKind.WRONG_TYPES, path_contains="/emissionsIndex"))

    _, schedules = unlocks.load_unlocks(ingestion, opened, reach())

    assert schedules.quarantined > 0
    assert [request.path for request in sandbox.requests] == ["/emissionsIndex"]
    assert ingestion.store.newest(UNLOCK_EVENTS).filter(pl.col("is_withdrawn")).is_empty()
    assert before.join(standing(ingestion), on=list(UNLOCK_EVENTS.key), how="anti").is_empty()


def test_a_file_that_fails_leaves_the_index(opened, ingestion, sandbox, reach, schedules):
    struck = next(each for each in schedules.known() if not each.is_in_index and each.is_listed)
    sandbox.faults.add(FaultRule(kind=FaultKind.HTML_PAGE, path_contains=f"/emissions/{struck.slug}"))

    events, _ = unlocks.load_unlocks(ingestion, opened, reach())

    assert list(events.failures) == [struck.slug]
    assert events.landed > 500


@pytest.mark.parametrize(
    "kind", [FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.TRUNCATED, FaultKind.ERROR_UNDER_200]
)
def test_a_host_that_is_down_ends_the_load(opened, ingestion, sandbox, reach, kind):
    sandbox.faults.add(FaultRule(kind=kind, host=HOST))

    with pytest.raises(SourceError):
        unlocks.load_unlocks(ingestion, opened, reach())

    assert ingestion.store.files(UNLOCK_EVENTS) == []


# -- what is withdrawn ------------------------------------------------------------------------------------------------------


def release(
    day: int, *, protocol: str = "sei", coin_id: str | None = "sei-network", amount: float = 1.0, **more
) -> dict:
    row = {"protocol": protocol, "section": "Team", "unlock_type": "cliff", "position": 0, "coin_id": coin_id}
    return (
        row | {"starts_at": datetime(2025, 1, day, tzinfo=UTC), "amount_tokens": amount, "is_withdrawn": False} | more
    )


def frame_of(*rows: dict) -> pl.DataFrame:
    columns = UNLOCK_EVENTS.columns
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, schema=columns)


def read_of(*rows: dict, complete: set[str]) -> Schedules:
    schedules = Fetched(UNLOCK_SCHEDULES, UNLOCK_SCHEDULES.empty())
    return Schedules(Fetched(UNLOCK_EVENTS, frame_of(*rows)), schedules, frozenset(complete))


def landed_of(*rows: dict) -> pl.DataFrame:
    return frame_of(*rows).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in COMMON_COLUMNS.items())


def withdrawn(read: Schedules, landed: pl.DataFrame) -> list[tuple]:
    found = with_withdrawals(read, landed).frame.filter(pl.col("is_withdrawn"))
    return [(row["protocol"], row["starts_at"].day) for row in found.iter_rows(named=True)]


def test_only_a_schedule_read_whole_may_withdraw():
    landed = landed_of(release(5), release(9))

    assert withdrawn(read_of(release(5), complete={"sei"}), landed) == [("sei", 9)]
    assert withdrawn(read_of(release(5), complete=set()), landed) == []


def test_what_began_before_the_first_release_listed_may_have_left_a_window():
    landed = landed_of(release(1), release(5), release(9))

    assert withdrawn(read_of(release(5), complete={"sei"}), landed) == [("sei", 9)]


def test_a_schedule_that_is_not_there_at_all_stays():
    landed = landed_of(release(5, protocol="aave", coin_id="aave"))

    assert withdrawn(read_of(release(5), complete={"sei"}), landed) == []


def test_a_coin_that_comes_under_another_name_leaves_no_copy():
    landed = landed_of(release(5, protocol="sei-foundation"), release(5, protocol="other", coin_id=None))

    assert withdrawn(read_of(release(5), complete={"sei"}), landed) == [("sei-foundation", 5)]


def test_a_name_of_one_token_is_not_the_coin_of_another():
    landed = landed_of(release(9, protocol="third", coin_id="sei"))

    assert withdrawn(read_of(release(5), complete={"sei"}), landed) == []


def test_what_is_withdrawn_stays_so_and_may_come_back():
    gone = landed_of(release(5), release(9, is_withdrawn=True), release(8, is_withdrawn=None))

    again = with_withdrawals(read_of(release(5), release(9), complete={"sei"}), gone).frame

    assert sorted((row["starts_at"].day, row["is_withdrawn"]) for row in again.iter_rows(named=True)) == [
        (5, False),
        (8, True),
        (9, False),
    ]
    assert withdrawn(read_of(release(5), complete={"sei"}), gone) == [("sei", 8)]
