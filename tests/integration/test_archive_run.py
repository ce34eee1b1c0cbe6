"""Real history from the development archive, where it is at hand: end to end, and cut off.

Drills, since each is a whole run or two of real size: the tests build the warehouse of a part of the archive
(`warehouse/test_warehouse_real_history.py`).
"""

import os
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.lib.bulk_import import load_mapping

REPOSITORY = Path(__file__).resolve().parents[2]
ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
MAPPING = REPOSITORY / "orchestration" / "mappings" / "shared_data.yaml"

SHORT, CUT, FULL = date(2018, 7, 9), date(2022, 6, 27), date(2024, 6, 24)

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        not ARCHIVE.is_dir(), reason=f"no development archive in {ARCHIVE}; TIDEMARK_SHARED_DATA names another folder"
    ),
]


@pytest.fixture(scope="module")
def run_archive(new_folder):
    """Runs an archive up to a week, or to its end, in a folder of its own."""

    def run(archive, *, as_of=None):
        settings = {"TIDEMARK_SOURCE": "archive", "TIDEMARK_ARCHIVE": str(archive)}
        tidemark = new_folder().with_settings(**settings, **({"TIDEMARK_AS_OF": str(as_of)} if as_of else {}))
        tidemark.run()
        return tidemark

    return run


@pytest.fixture(scope="module")
def short(run_archive):
    return run_archive(ARCHIVE, as_of=SHORT)


def test_real_history_runs_end_to_end(short):
    week = short.query("select max(as_of_week) from api.trader_grades").item()
    sources = short.query("select distinct data_source from api.daily")["data_source"].to_list()
    held = short.query(
        "select index_id, sum(weight) as w from api.index_compositions where as_of_week = ? group by 1", week
    )

    assert week == SHORT
    assert sources == ["archive"]
    assert short.query("select max(date) from api.daily").item() == date(2018, 7, 8)
    assert short.query("select count(*) from api.trader_grades where as_of_week = ?", week).item() > 100
    assert {"hodl10", "ai_top100"} <= set(held["index_id"])
    assert held["w"].to_list() == pytest.approx([1.0] * held.height, abs=1e-9)
    assert short.manifests()[-1]["data_source"] == "archive"


def test_every_eligible_token_of_real_history_is_graded(short):
    missing = short.query(
        """
        select universe.token_id from marts.fct_universe_daily as universe
        left join api.trader_grades as grades
            on universe.token_id = grades.token_id and universe.market_date + 1 = grades.as_of_week
        where is_broad and isodow(market_date) = 7 and grades.token_id is null
            and market_date + 1 >= (select min(as_of_week) from api.trader_grades)
        """
    )

    assert missing.is_empty()


def test_the_same_archive_lands_and_records_nothing_twice(short):
    ledger, manifests = short.ledger(), short.manifests()
    files = set(short.folder.rglob("landing/**/*.parquet"))

    short.run()

    assert short.ledger().equals(ledger)
    assert short.manifests() == manifests
    assert set(short.folder.rglob("landing/**/*.parquet")) == files


def cut_archive(folder, *, before):
    """A copy of the archive whose files end before a day; reference tables stay whole."""
    folder.mkdir()
    kept: dict[str, list[str]] = {}
    for entry in load_mapping(MAPPING).files:  # several of them may read one file
        day = entry.transforms().get("market_date")
        known = f"{entry.condition()} and try_cast({day.to_sql()} as date) < date '{before}'" if day else "true"
        kept.setdefault(entry.path, []).append(f"({known})")
    for path, conditions in kept.items():
        rows = f"select * from '{ARCHIVE / path}' where {' or '.join(conditions)}"
        duckdb.sql(f"copy ({rows}) to '{folder / path}' (format parquet)")
    return folder


@pytest.fixture(scope="module")
def full_and_cut(run_archive, tmp_path_factory):
    """The whole archive, and one that ends with the Sunday before the cut."""
    cut = cut_archive(tmp_path_factory.mktemp("cut") / "archive", before=CUT)
    return run_archive(ARCHIVE, as_of=FULL), run_archive(cut)


def test_an_archive_cut_off_says_the_same_of_every_week_up_to_the_cut(full_and_cut, hold_equal, compared_view):
    full, cut = full_and_cut

    hold_equal(full, cut, view=compared_view, week=CUT)


def test_an_archive_cut_off_ends_with_the_week_of_the_cut(full_and_cut):
    _, cut = full_and_cut

    assert cut.query("select max(as_of_week) from api.trader_grades").item() == CUT


def test_the_copy_of_the_whole_archive_keeps_all_that_its_views_promise(full_and_cut):
    full, _ = full_and_cut

    finished = full.call("check-api")

    assert finished.code == 0, finished.said
    assert f"keep what they promise in the week of {FULL}" in finished.out


def test_out_of_sample_skill_on_real_history_is_what_a_plain_reference_reaches(full_and_cut):
    full, _ = full_and_cut

    skill = dict(
        full.query(
            "select metric, avg(value) as value from api.model_evaluation "
            "where model = 'trader' and universe = 'broad' group by metric"
        ).rows()
    )

    assert skill["rank_ic"] >= 0.12
    assert 0 < skill["rank_ic_lag1"] < skill["rank_ic"]
    assert skill["coverage"] >= 0.98
