"""Exit codes, and what a user reads when something is wrong: one line, no stack trace, nothing written."""

import errno
import json
import sqlite3

import pytest

from orchestration import cli, commands
from orchestration.lib.data_folder import DataFolder, DataFolderError
from orchestration.lib.errors import TidemarkError
from orchestration.lib.run_lock import RunLockedError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder that was never used, as all commands see it."""
    for name in ("SOURCE", "ARCHIVE", "AS_OF", "INDICES_DIR", "QUIET"):
        monkeypatch.delenv(f"TIDEMARK_{name}", raising=False)
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def refused(capsys, *arguments):
    """The one line with which a command refuses."""
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    heard = capsys.readouterr()
    assert code == cli.REFUSED, heard
    assert heard.out == ""
    lines = heard.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("tidemark: ")
    return lines[0]


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ({"AS_OF": "06.01.2025"}, ("run",), "TIDEMARK_AS_OF: is no day; write it as YYYY-MM-DD (got '06.01.2025')"),
        ({"AS_OF": "2025-02-30"}, ("run",), "TIDEMARK_AS_OF: is no day; write it as YYYY-MM-DD (got '2025-02-30')"),
        ({"AS_OF": "2026-01-05"}, ("run",), "the simulated market ends 2025-07-07"),
        ({"SOURCE": "yahoo"}, ("run",), "'simulated', 'archive' or 'live' (got 'yahoo')"),
        ({"SOURCE": "archive"}, ("run",), "SOURCE=archive needs ARCHIVE=<folder"),
        ({"SOURCE": "archive", "ARCHIVE": "/no/such"}, ("run",), "ARCHIVE=/no/such is not a folder"),
        ({"INDICES_DIR": "/no/such"}, ("run",), "/no/such: no such folder of index definitions"),
        ({"DATA_DIR": "/proc/none"}, ("run",), "cannot be written by this user; set TIDEMARK_DATA_DIR"),
        ({"UI_PORT": "abc"}, ("dev",), "PORT=abc is no port"),
        ({"UI_PORT": "0"}, ("serve",), "PORT=0 is no port"),
        ({"SOURCE": "live", "AS_OF": "2026-01-05"}, ("serve",), "AS_OF=2026-01-05 and a service contradict each other"),
        ({}, ("backup", "--to", "/no/such"), "was never used, so there is nothing to back up"),
        ({}, ("restore", "--from", "/no/such"), "/no/such has no backup.json, so it is no backup"),
        ({}, ("verify",), "nothing has been published there yet, run make run first"),
        ({}, ("rebuild", "--from", "2025-01-06"), "has no warehouse; run make run first"),
        ({}, ("rebuild", "--from", "2025-01-06", "--to", "2024-12-30"), "give the earlier week first"),
        ({}, ("rebuild", "--from", "January"), "'January' is no day; write it as YYYY-MM-DD"),
        ({}, ("index-show", "--id", "nope"), "ID=nope is no index; there are "),
        ({}, ("index-new", "--id", "My-Ten"), "ID=My-Ten is no index_id; use lower-case letters"),
        ({}, ("replay", "--dataset", "coingecko/none"), "no dataset coingecko/none; registered are: "),
        ({}, ("weekly",), "invalid choice: 'weekly'"),
        ({}, (), "the following arguments are required: command"),
    ],
)
def test_a_mistake_is_refused_in_one_line_and_nothing_is_written(
    folder, capsys, monkeypatch, settings, arguments, says
):
    for name, value in settings.items():
        monkeypatch.setenv(f"TIDEMARK_{name}", value)

    assert says in refused(capsys, *arguments)
    assert not folder.exists()


def test_a_definition_that_is_no_yaml_is_refused_with_its_line(folder, capsys):
    (folder / "indices").mkdir(parents=True)
    (folder / "indices" / "my_ten.yaml").write_text("index_id: my_ten\nname: [broken\n")

    assert "my_ten.yaml:3: not valid YAML" in refused(capsys, "run")


def test_a_folder_that_lost_its_memory_is_refused_and_its_marker_stays(folder, capsys):
    folder.mkdir()
    (folder / "folder.json").write_text("{broken")

    assert "folder.json cannot be read; it remembers whether the folder is simulated or real" in refused(capsys, "run")
    assert (folder / "folder.json").read_text() == "{broken"
    with pytest.raises(DataFolderError, match="bring it back from a backup"):
        DataFolder(folder).has_history()


def test_a_folder_of_the_other_kind_is_refused(folder, capsys):
    folder.mkdir()
    (folder / "folder.json").write_text(json.dumps({"kind": "real"}))

    assert "holds real data and this run is simulated; the two never mix" in refused(capsys, "run")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (TidemarkError("no such week; take another"), cli.REFUSED, "no such week; take another"),
        (KeyboardInterrupt(), cli.STOPPED, "stopped; what was published before stays"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x.parquet"),
            cli.FAILED,
            "No space left on device: /data/x",
        ),
    ],
)
def test_what_a_user_can_mend_has_an_exit_code_and_one_line(capsys, error, code, says):
    def work():
        raise error

    assert cli.guarded(work) == code
    assert says in capsys.readouterr().err


def test_a_lock_that_another_run_holds_is_no_failure_of_this_one(capsys, tmp_path):
    def work():
        raise RunLockedError(tmp_path / "run.lock", None)

    assert cli.guarded(work) == cli.REFUSED
    assert "one run at a time: wait for it to end, or stop it" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.ENOENT, "No such file", "/x")])
def test_a_bug_keeps_its_stack_trace(error):
    def work():
        raise error

    with pytest.raises(type(error)):
        cli.guarded(work)


@pytest.mark.parametrize(("arguments", "quiet"), [(("--quiet",), ""), ((), "1")])
def test_a_quiet_command_says_nothing_and_its_exit_code_stays(folder, capsys, monkeypatch, arguments, quiet):
    monkeypatch.setenv("TIDEMARK_QUIET", quiet)

    assert cli.main([*arguments, "index-show", "--id", "hodl10"]) == cli.DONE

    heard = capsys.readouterr()
    assert (heard.out, heard.err) == ("", "")


def test_a_quiet_command_still_says_what_is_wrong(folder, capsys):
    assert cli.main(["--quiet", "verify"]) == cli.REFUSED
    assert "run make run first" in capsys.readouterr().err


def test_a_run_is_told_to_be_quiet(folder, monkeypatch):
    told = []
    monkeypatch.setattr(commands, "run", lambda *, is_quiet: told.append(is_quiet) or 0)

    cli.main(["run"])
    cli.main(["--quiet", "run"])

    assert told == [False, True]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("database or disk is full", "No space left on device"),
        ("disk I/O error", "No space left on device, or a disk that is damaged"),
    ],
)
def test_a_full_disk_that_sqlite_meets_is_one_line(capsys, said, why):
    """Dagster's records lie in SQLite, whose error has no errno; found by the drill of the full disk."""

    def work():
        try:
            raise sqlite3.OperationalError(said)
        except sqlite3.OperationalError as error:
            raise RuntimeError("(sqlite3.OperationalError) something") from error

    assert cli.guarded(work) == cli.FAILED
    assert capsys.readouterr().err == (
        f"tidemark: {why}: the data folder; mend that and run again, what was published before stays; "
        "more: docs/how-to/when-it-fails.md#the-disk-is-full-or-read-only\n"
    )


def test_an_error_of_our_own_keeps_its_stack_trace():
    def work():
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        cli.guarded(work)
