"""tidemark compact and tidemark replay, as an operator calls them."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from orchestration.cli import main
from orchestration.lib.landing import LandingStore
from orchestration.lib.run_lock import RunLock
from orchestration.lib.warehouse import connect, create_raw_views, create_schemas
from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import Rejected

REPOSITORY = Path(__file__).resolve().parents[3]
FEAR_GREED = find_dataset("alternative_me", "fear_greed")
LOADED_AT = datetime(2025, 1, 6, 1, tzinfo=UTC)

HOLDER = """
import sys, time
from pathlib import Path
from orchestration.lib.run_lock import RunLock
with RunLock(Path(sys.argv[1]), command="another run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A data folder with three daily loads, two quarantined records and a warehouse over them."""
    root = tmp_path / "data"
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(root))
    monkeypatch.delenv("TIDEMARK_SOURCE", raising=False)
    store = LandingStore(root)
    for number in range(3):
        day = date(2025, 1, 1 + number)
        store.write(
            FEAR_GREED,
            pl.DataFrame({"market_date": [day], "value": [50 + number], "classification": ["x"]}),
            data_source="simulated",
            partition=day.isoformat(),
            loaded_at=LOADED_AT + timedelta(hours=number),
            lag_hours=0.0,
        )
    rows = [{"market_date": "2025-01-04", "value": value, "classification": None} for value in (54, 101)]
    store.write_quarantine(
        FEAR_GREED,
        [Rejected.of("refused once", row) for row in rows],
        data_source="simulated",
        partition="2025-01-04",
        loaded_at=LOADED_AT,
    )
    with connect(root / "warehouse.duckdb") as connection:
        create_schemas(connection)
        create_raw_views(connection, root, input_cutoff=datetime(2100, 1, 1, tzinfo=UTC))
    return root


def values_in_warehouse(folder):
    with connect(folder / "warehouse.duckdb", read_only=True) as connection:
        return connection.sql("select value from raw.alternative_me__fear_greed order by market_date").fetchall()


def test_compact_says_what_became_of_each_dataset_and_the_warehouse_reads_on(folder, capsys):
    before = values_in_warehouse(folder)

    code = main(["compact"])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert lines[2][:3] == ["landing/alternative_me/fear_greed", "3", "1"]
    assert lines[-1][:3] == ["all", "4", "2"]
    assert values_in_warehouse(folder) == before == [(50,), (51,), (52,)]


def test_compact_drops_only_what_settings_let_go(folder, capsys, monkeypatch):
    monkeypatch.setenv("TIDEMARK_RETENTION__QUARANTINE_DAYS", "1")

    main(["compact"])

    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "2"
    assert len(LandingStore(folder).loads()) == 3


def test_compact_keeps_what_the_newest_build_shows_however_old_it_is(folder, monkeypatch):
    built_at = LOADED_AT + timedelta(hours=4)
    with connect(folder / "warehouse.duckdb") as connection:
        connection.execute("create table quality.builds (input_cutoff timestamptz, started_at timestamptz)")
        connection.execute("insert into quality.builds values ($at, $at)", {"at": built_at})
        create_raw_views(connection, folder, input_cutoff=built_at)
    LandingStore(folder).write(
        FEAR_GREED,
        pl.DataFrame({"market_date": [date(2025, 1, 1)], "value": [99], "classification": ["x"]}),
        data_source="simulated",
        partition="2025-01-01",
        loaded_at=built_at + timedelta(days=1),  # a correction that no build has seen
        lag_hours=0.0,
    )
    monkeypatch.setenv("TIDEMARK_RETENTION__SUPERSEDED_DAYS", "1")

    code = main(["compact"])

    assert code == 0
    assert values_in_warehouse(folder) == [(50,), (51,), (52,)]


def test_a_retention_of_no_days_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setenv("TIDEMARK_RETENTION__SUPERSEDED_DAYS", "0")

    assert main(["compact"]) == 2
    assert "TIDEMARK_RETENTION__SUPERSEDED_DAYS" in capsys.readouterr().err


def test_replay_says_what_landed_and_what_is_still_refused(folder, capsys):
    code = main(["replay", "--dataset", "alternative_me/fear_greed"])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert lines[2] == ["alternative_me/fear_greed", "2", "1", "1", "1"]
    assert lines[3] == ["1", "value", "is", "outside", "0-100"]
    assert LandingStore(folder).newest(FEAR_GREED)["value"].to_list() == [50, 51, 52, 54]


def test_replay_of_an_empty_quarantine_says_so(folder, capsys):
    assert main(["replay", "--dataset", "coingecko/markets"]) == 0
    assert capsys.readouterr().out == "no record is in quarantine for coingecko/markets\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "--dataset", "nobody/nothing"], "no dataset nobody/nothing; registered are"),
        (["compact"], "make run"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_and_nothing_is_written(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path / "nothing"))

    assert main(arguments) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("command", ["compact", "replay"])
def test_beside_a_run_the_command_ends_with_the_name_of_the_holder(folder, capsys, command):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    arguments = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"

        assert main([command]) == 2

        holder.kill()
    assert "another run" in capsys.readouterr().err
    assert len(LandingStore(folder).files(FEAR_GREED)) == 3


def test_a_lost_file_stops_compaction_until_its_loss_is_accepted(folder, capsys):
    LandingStore(folder).files(FEAR_GREED)[1].unlink()

    assert main(["compact"]) == 2
    assert "2025-01-02" in capsys.readouterr().err
    assert main(["compact", "--forget-lost"]) == 0

    assert "accepted as lost: landing/alternative_me/fear_greed/2025-01-02" in capsys.readouterr().out
    assert values_in_warehouse(folder) == [(50,), (52,)]
    with RunLock(folder):
        pass
