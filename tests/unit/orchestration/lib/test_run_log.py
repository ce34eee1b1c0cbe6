"""What the terminal says of a run: steps, warnings, failures, and how far it is."""

import errno
import io
import logging
from types import SimpleNamespace

import pytest

from orchestration.lib.failures import WHY
from orchestration.lib.run_log import RunLogFile, TerminalHandler

ERROR = SimpleNamespace(
    message="dagster.Error: the step failed",
    cause=SimpleNamespace(message="orchestration.sources.errors.SourceError: binance: no answer\nfor 30 s", cause=None),
)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def record(message="", step=None, event=None, level=logging.INFO):
    made = logging.LogRecord("tidemark", level, "", 0, message, None, None)
    made.dagster_meta = {"orig_message": message, "step_key": step, "dagster_event": event}
    return made


def started(step):
    return record(event=SimpleNamespace(event_type_value="STEP_START", step_key=step))


def succeeded(step, seconds):
    data = SimpleNamespace(duration_ms=1000 * seconds)
    return record(
        event=SimpleNamespace(event_type_value="STEP_SUCCESS", step_key=step, step_success_data=data),
        level=logging.DEBUG,
    )


def failed(step):
    data = SimpleNamespace(error=ERROR)
    return record(
        event=SimpleNamespace(event_type_value="STEP_FAILURE", step_key=step, step_failure_data=data),
        level=logging.ERROR,
    )


def said(capsys, message, step=None):
    TerminalHandler().emit(record(message, step, level=logging.ERROR))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "message",
    [
        "Dependencies for step dbt_api failed: ['calls', 'calls', 'monitor']. Not executing.",
        "Dependencies for step dbt_api were not executed: ['calls', 'monitor', 'calls']. Not executing.",
        "Dependencies for step dbt_api failed: ['calls'] were not executed: ['monitor', 'calls']. Not executing.",
    ],
)
def test_a_step_that_waited_in_vain_names_each_step_it_needed_once(capsys, message):
    assert said(capsys, message) == "  dbt_api                      not run, for it needs calls, monitor\n"


def test_another_warning_is_said_as_it_is_with_its_step(capsys):
    assert said(capsys, "github: 3 of 8 repositories failed", "github_repositories") == (
        "  github_repositories: github: 3 of 8 repositories failed\n"
    )


def test_in_a_log_a_step_that_is_done_says_how_many_of_how_many_are_and_nothing_is_drawn(capsys):
    handler = TerminalHandler(steps=52)

    for each in (started("dbt_marts"), record("okx/candles_daily: 15 of 30 markets"), succeeded("dbt_marts", 61.2)):
        handler.emit(each)

    assert capsys.readouterr().out == "  dbt_marts                      61.2 s     1 of 52\n"


def test_on_a_terminal_the_last_line_shows_steps_the_running_step_its_progress_and_the_time():
    screen, now = Screen(), [0.0]
    handler = TerminalHandler(steps=4, stream=screen, clock=lambda: now[0])

    handler.emit(started("history"))
    now[0] = 65.0
    handler.emit(record("okx/candles_daily: 15 of 30 markets"))
    drawn = screen.getvalue().split("\r")[-1]
    handler.emit(succeeded("history", 65.0))

    assert drawn.rstrip() == "  [....................] 0/4  1:05  okx/candles_daily 15/30 markets"
    lines = screen.getvalue().split("\n")
    assert lines[0].split("\r")[-1] == "  history                        65.0 s"
    handler.emit(started("dbt_marts"))
    assert screen.getvalue().split("\r")[-1].rstrip() == "  [#####...............] 1/4  1:05  dbt_marts"


def test_the_line_is_drawn_over_whole_so_that_nothing_of_a_longer_one_stays():
    screen = Screen()
    handler = TerminalHandler(steps=2, stream=screen, clock=lambda: 0.0)
    handler.emit(started("a_step_with_a_long_name"))
    long = len(screen.getvalue().split("\r")[-1])

    handler.emit(started("short"))

    assert len(screen.getvalue().split("\r")[-1]) == long


def test_a_failed_step_says_the_innermost_cause_in_one_line(capsys):
    TerminalHandler(steps=3).emit(failed("binance_candles_daily"))

    assert (
        capsys.readouterr().out == "  binance_candles_daily        FAILED: SourceError: binance: no answer for 30 s\n"
    )


def test_why_a_run_failed_is_for_the_ui_since_the_terminal_has_said_it(capsys):
    TerminalHandler(steps=3).emit(record(f"{WHY}dbt_marts: no prices", level=logging.ERROR))

    assert capsys.readouterr().out == ""


def test_a_quiet_run_says_only_warnings_and_failures_and_on_stderr(capsys):
    handler = TerminalHandler(steps=3, is_quiet=True)

    for each in (
        started("calls"),
        succeeded("calls", 2.0),
        failed("dbt_api"),
        record("slow", "x", level=logging.WARNING),
    ):
        handler.emit(each)

    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.splitlines() == [
        "  dbt_api                      FAILED: SourceError: binance: no answer for 30 s",
        "  x: slow",
    ]


def test_a_log_that_cannot_be_written_says_so_once(tmp_path, capsys):
    handler = RunLogFile(tmp_path / "run.log", delay=True)

    class Full:
        def write(self, _text):
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self):
            """Nothing is buffered."""

    handler.setStream(Full())
    for number in range(3):
        handler.handle(logging.LogRecord("run", logging.INFO, "", 0, f"event {number}", None, None))

    assert capsys.readouterr().err.splitlines() == [
        f"  {tmp_path / 'run.log'} cannot be written: No space left on device"
    ]
