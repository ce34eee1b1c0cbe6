"""What cannot work is refused: one clear line, an exit code that is not 0, and nothing written anywhere."""

import os
import socket
from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.cli import main
from orchestration.lib.data_folder import DataFolder

# dagster_dbt imports it; nothing of ours can choose another.
pytestmark = pytest.mark.filterwarnings("ignore:sqlglotrs is deprecated:DeprecationWarning")

MAPPING = """
version: 1
files:
  - path: prices.parquet
    dataset: coingecko/market_daily
    required: true
    columns:
      coin_id: {column: coin}
      symbol: {column: symbol}
      market_date: {column: day}
      price_usd: {column: PRICE}
      market_cap_usd: {column: cap}
      volume_24h_usd: {column: volume}
"""

INDEX = """
index_id: broken
name: Broken
kind: passive
methodology: The ten largest, with a key nobody knows.
selection: {count: 10}
minimum_constituents: 5
weighting: {method: market_cap}
calendar: {rule: monthly}
colour: blue
"""


def archive(folder):
    """A small archive with its mapping: prices of one coin."""
    folder.mkdir()
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(30)]
    prices = {"coin": ["bitcoin"] * 30, "symbol": ["BTC"] * 30, "day": days, "price": [1e4] * 30}
    pl.DataFrame({**prices, "cap": [1e11] * 30, "volume": [1e9] * 30}).write_parquet(folder / "prices.parquet")
    (folder / "mapping.yaml").write_text(MAPPING.replace("PRICE", "price"))
    return {
        "TIDEMARK_SOURCE": "archive",
        "TIDEMARK_ARCHIVE": str(folder),
        "TIDEMARK_MAPPING": str(folder / "mapping.yaml"),
    }


@pytest.fixture
def call_here(monkeypatch, capsys):
    """Calls a command in this process, since starting one costs a second or more; returns exit code, output, errors."""

    def call(tidemark, *arguments, **settings):
        for name in [name for name in os.environ if name.startswith(("TIDEMARK_", "DAGSTER_", "DBT_", "OMP_"))]:
            monkeypatch.delenv(name)
        for name in ("DAGSTER_HOME", "DBT_PROFILES_DIR", "OMP_WAIT_POLICY", "TIDEMARK_DAGSTER_DIR"):
            monkeypatch.setenv(name, "")  # commands set them: noted here, they are put back
            monkeypatch.delenv(name)
        for name, text in tidemark.environment(**settings).items():
            monkeypatch.setenv(name, text)
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def refused(tmp_path, tree, call_here):
    """Holds that a command is refused in one line and leaves every file as it was; returns the line."""

    def refuse(tidemark, *arguments, **settings):
        folders = sorted({tmp_path, tidemark.folder})
        before = [tree(folder) for folder in folders]

        code, out, err = call_here(tidemark, *arguments, **settings)

        assert code not in (0, None), out
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert [tree(folder) for folder in folders] == before
        return err

    return refuse


@pytest.mark.parametrize(
    ("arguments", "settings", "expected"),
    [
        (("run",), {"TIDEMARK_AS_OF": "2019-06-03"}, "AS_OF=2019-06-03 lies before the data"),
        (("dev",), {"TIDEMARK_UI_PORT": "http"}, "PORT=http is no port"),
        (("run",), {"TIDEMARK_DATA_DIR": "/proc/tidemark"}, "/proc cannot be written"),
        (("reproduce", "--table", "learning.trader_grades"), {}, "the following arguments are required: --week"),
    ],
)
def test_a_refusal_as_the_terminal_shows_it(fresh, tree, tmp_path, arguments, settings, expected):
    before = tree(tmp_path)

    finished = fresh.call(*arguments, **settings)

    assert finished.code == 2, finished.said
    assert finished.out == ""
    (line,) = finished.err.splitlines()
    assert line.startswith("tidemark: ")
    assert expected in line
    assert tree(tmp_path) == before


def test_an_archive_folder_that_does_not_exist(fresh, refused, tmp_path):
    missing = tmp_path / "no such folder"

    line = refused(fresh, "run", TIDEMARK_SOURCE="archive", TIDEMARK_ARCHIVE=str(missing))

    assert f"ARCHIVE={missing} is not a folder" in line


def test_an_archive_run_without_an_archive(fresh, refused):
    line = refused(fresh, "run", TIDEMARK_SOURCE="archive")

    assert "needs ARCHIVE=" in line


def test_an_archive_without_the_prices_every_run_needs(fresh, refused, tmp_path):
    settings = archive(tmp_path / "archive")
    (tmp_path / "archive" / "prices.parquet").unlink()

    line = refused(fresh, "run", **settings)

    assert "prices.parquet: is required" in line


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2019-06-03", "lies before the data, which start on 2022-01-03"),
        ("2099-01-05", "lies in the future"),
        ("2025-07-14", "lies after the data; the simulated market ends 2025-07-07"),
        ("next monday", "TIDEMARK_AS_OF"),
        ("2025-02-30", "TIDEMARK_AS_OF"),
    ],
)
def test_a_week_that_cannot_be_built(fresh, refused, as_of, expected):
    line = refused(fresh, "run", TIDEMARK_AS_OF=as_of)

    assert expected in line
    assert as_of in line


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2019-06-03", "before the data"), ("2021-01-04", "after the data"), ("2099-01-05", "future")],
)
def test_a_week_outside_the_archive(fresh, refused, tmp_path, as_of, expected):
    line = refused(fresh, "run", **archive(tmp_path / "archive"), TIDEMARK_AS_OF=as_of)

    assert expected in line


def test_a_mapping_that_names_a_missing_column(fresh, refused, tmp_path):
    settings = archive(tmp_path / "archive")
    (tmp_path / "archive" / "mapping.yaml").write_text(MAPPING.replace("PRICE", "price_in_usd"))

    line = refused(fresh, "run", **settings)

    assert "has no column price_in_usd" in line
    assert "the file has coin, symbol, day, price, cap, volume" in line


def test_a_mapping_file_that_does_not_exist(fresh, refused, tmp_path):
    settings = archive(tmp_path / "archive") | {"TIDEMARK_MAPPING": str(tmp_path / "none.yaml")}

    line = refused(fresh, "run", **settings)

    assert "none.yaml: cannot be read" in line


def test_a_port_in_use(fresh, refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        line = refused(fresh, "dev", TIDEMARK_UI_PORT=str(port))

    assert f"port {port} of 127.0.0.1 is in use" in line


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none(fresh, refused, port):
    line = refused(fresh, "dev", TIDEMARK_UI_PORT=port)

    assert f"PORT={port} is no port" in line


def test_a_file_in_the_place_of_the_data_folder(fresh, refused):
    fresh.folder.write_text("mine")

    line = refused(fresh, "run")

    assert "is a file" in line
    fresh.folder.unlink()


def test_a_data_folder_below_a_file(fresh, refused, tmp_path):
    (tmp_path / "file").write_text("mine")

    line = refused(fresh, "run", TIDEMARK_DATA_DIR=str(tmp_path / "file" / "data"))

    assert f"{tmp_path / 'file'} is a file" in line


@pytest.mark.parametrize("command", ["run", "dev"])
def test_a_data_folder_where_nobody_can_write(fresh, refused, command):
    # Permissions stop no root, /proc does.
    line = refused(fresh, command, TIDEMARK_DATA_DIR="/proc/tidemark")

    assert "/proc cannot be written" in line


def test_real_data_into_a_simulated_folder(first, refused, tmp_path):
    line = refused(first, "run", **archive(tmp_path / "archive"))

    assert "holds simulated data and this run is real" in line


def test_simulated_data_into_a_real_folder(fresh, refused):
    DataFolder(fresh.folder).claim("real", start_date=date(2024, 1, 1))

    line = refused(fresh, "run")

    assert "holds real data and this run is simulated" in line


def test_an_index_definition_with_an_unknown_key(fresh, refused, tmp_path):
    definitions = tmp_path / "indices"
    definitions.mkdir()
    (definitions / "broken.yaml").write_text(INDEX)

    line = refused(fresh, "run", TIDEMARK_INDICES_DIR=str(definitions))

    assert "broken.yaml:10: colour: unknown key" in line


def test_an_index_definition_that_is_no_yaml(fresh, refused, tmp_path):
    definitions = tmp_path / "indices"
    definitions.mkdir()
    (definitions / "torn.yaml").write_text("index_id: [top\n")

    line = refused(fresh, "run", TIDEMARK_INDICES_DIR=str(definitions))

    assert "torn.yaml" in line


def test_a_folder_of_index_definitions_that_does_not_exist(fresh, refused, tmp_path):
    line = refused(fresh, "run", TIDEMARK_INDICES_DIR=str(tmp_path / "none"))

    assert "no such folder of index definitions" in line


def test_a_market_too_small_to_be_simulated(fresh, refused):
    line = refused(fresh, "run", TIDEMARK_SIMULATION__TOKENS="5")

    assert "TIDEMARK_SIMULATION__TOKENS" in line


@pytest.mark.parametrize(
    ("table", "week", "expected"),
    [
        ("learning.no_such_table", "2025-01-06", "TABLE=learning.no_such_table is no versioned table; there are"),
        ("learning.trader_grades", "2019-06-03", "of week 2019-06-03 is not recorded; its weeks run from"),
        ("learning.trader_grades", "last week", "'last week' is no day"),
    ],
)
def test_reproducing_what_is_not_recorded(first, refused, table, week, expected):
    line = refused(first, "reproduce", "--table", table, "--week", week)

    assert expected in line


def test_reproducing_a_version_that_does_not_exist(first, refused):
    unit = ("--table", "learning.trader_grades", "--week", "2025-01-06")

    line = refused(first, "reproduce", *unit, "--version", "9")

    assert "version 9 of learning.trader_grades of week 2025-01-06 is not recorded" in line


@pytest.mark.parametrize(
    ("first_week", "last_week", "expected"),
    [
        ("2024-06-24", "2024-06-03", "FROM=2024-06-24 lies after TO=2024-06-03"),
        ("2019-06-03", "2024-06-03", "FROM=2019-06-03 lies before the first recorded week"),
        ("2024-06-03", "2025-06-02", "TO=2025-06-02 lies after the newest recorded week 2025-01-06"),
        ("2024-6-3", "2024-06-03", "'2024-6-3' is no day"),
    ],
)
def test_rebuilding_weeks_that_cannot_be(first, refused, first_week, last_week, expected):
    line = refused(first, "rebuild", "--from", first_week, "--to", last_week)

    assert expected in line


@pytest.mark.parametrize(
    "command",
    [
        ("rebuild", "--from", "2024-06-03"),
        ("reproduce", "--table", "learning.trader_grades", "--week", "2024-06-03"),
        ("verify",),
    ],
)
def test_commands_that_need_a_run_before_them(fresh, refused, command):
    line = refused(fresh, *command)

    assert "run make run first" in line


@pytest.mark.parametrize("arguments", [("reproduce",), ("no-such-command",), ("run", "--loudly")])
def test_arguments_that_are_missing_or_unknown(fresh, refused, arguments):
    line = refused(fresh, *arguments)

    assert line.startswith("tidemark: ")
    assert "--help" in line
