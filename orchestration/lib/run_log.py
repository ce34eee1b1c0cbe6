"""The log of a run started from the terminal: every event in a file, one line a step on the terminal.

Belongs here: Dagster's logger for it. Does not: what is logged.
"""

import logging
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import dagster as dg

from orchestration.lib.failures import WHY, cause_of
from orchestration.lib.progress import progress_of, run_bar

LOGGER_NAME = "terminal"
NOT_RUN = re.compile(r"Dependencies for step (\S+) (?:failed|were not executed)")


class TerminalHandler(logging.Handler):
    """Says how long each step took, warnings, and why a step failed; on a terminal a last line shows how far the run is.

    In a file or a pipe there is no such line: a step that is done says how many of how many are.
    """

    def __init__(
        self,
        *,
        steps: int = 0,
        is_quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing done.

        Args:
            steps: Steps of the run; 0 where nobody counted them, then nothing is said of how many are done.
            is_quiet: Whether only warnings and failures are said, and on stderr.
            stream: Where it speaks; by default stdout as it is now, since a step may send its own elsewhere.
            clock: Seconds, for the time a run has taken.
        """
        super().__init__()
        self._stream = stream or (sys.stderr if is_quiet else sys.stdout)
        self._is_quiet = is_quiet
        self._is_drawing = self._stream.isatty() and not is_quiet
        self._steps = steps
        self._done = 0
        self._running = ""
        self._clock = clock
        self._began = clock()
        self._drawn = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line for what a person at the terminal wants to know."""
        meta = getattr(record, "dagster_meta", None) or {}
        event = meta.get("dagster_event")
        message = str(meta.get("orig_message") or "")
        if event is not None:
            self._hear(event)
        elif message.startswith(WHY):
            return  # said when the step failed
        elif record.levelno >= logging.WARNING:
            self._say(_warning(str(meta.get("step_key") or ""), message or record.getMessage()))
        else:
            self._running = progress_of(message, is_bar=not self._steps) or self._running
        self.redraw()

    def redraw(self) -> None:
        """Draw the last line anew, with the time that has passed."""
        if not self._is_drawing or not self._running:
            return
        seconds = int(self._clock() - self._began)
        parts = [run_bar(self._done, self._steps), f"{seconds // 60}:{seconds % 60:02d}", self._running]
        text = "  " + "  ".join(filter(None, parts))
        line = text[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + line.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(line)

    @property
    def is_drawing(self) -> bool:
        """Whether it speaks to a terminal, on which a line can be drawn anew."""
        return self._is_drawing

    def _hear(self, event: dg.DagsterEvent) -> None:
        kind = event.event_type_value
        if kind == "STEP_START":
            self._running = str(event.step_key)
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"):
            self._done += 1
            self._running = ""
            counted = f"{self._done:>6} of {self._steps}" if self._steps and not self._is_drawing else ""
            if kind == "STEP_SUCCESS" and not self._is_quiet:
                self._say(f"  {event.step_key:<28} {event.step_success_data.duration_ms / 1000:6.1f} s{counted}")
            elif kind == "STEP_FAILURE":
                self._say(f"  {event.step_key:<28} FAILED: {cause_of(event.step_failure_data.error)}")

    def _say(self, line: str) -> None:
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0
        self._stream.write(line[:600] + "\n")
        self._stream.flush()


class RunLogFile(logging.FileHandler):
    """The log of a run; where it cannot be written it says so once, and not with a stack trace at every event."""

    _has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a method of logging
        """Say that the file cannot be written."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._has_failed:
            self._has_failed = True
            sys.stderr.write(f"  {self.baseFilename} cannot be written: {error.strerror}\n")


def start_ticking(handler: TerminalHandler) -> None:
    """Redraw the last line every second from now on, until the process ends.

    A step of minutes says nothing, and a line that stands still looks like a run that hangs.
    """

    def tick() -> None:
        while True:
            time.sleep(1.0)
            handler.acquire()
            try:
                handler.redraw()
            finally:
                handler.release()

    threading.Thread(target=tick, name="progress", daemon=True).start()


def _warning(step: str, message: str) -> str:
    """One line of a warning; a step that waited in vain names each step it needed once."""
    skipped = NOT_RUN.match(message)
    if skipped is None:
        return f"  {step}: {message}"
    needed = ", ".join(dict.fromkeys(re.findall(r"'([^']+)'", message)))
    return f"  {skipped[1]:<28} not run, for it needs {needed}"


@dg.logger(
    {
        "path": dg.Field(str, description="File that gets every event."),
        "steps": dg.Field(int, default_value=0, is_required=False, description="Steps of the run, for how far it is."),
        "is_quiet": dg.Field(
            bool, default_value=False, is_required=False, description="Say only warnings and failures, on stderr."
        ),
    },
    description="A file and the terminal: for runs that the command line executes; the UI has its own log.",
)
def terminal_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Every event into a file, the outline onto the terminal."""
    logger = logging.Logger("tidemark.run", level=logging.INFO)
    path = Path(context.logger_config["path"])
    # Dagster configures logging after this, which closes every handler; one in mode "w" would not open its file again.
    written = RunLogFile(path, mode="a", encoding="utf-8")
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # Steps report their end at debug level; the terminal picks what it shows.
    logger.setLevel(logging.DEBUG)
    logger.addHandler(written)
    terminal = TerminalHandler(steps=context.logger_config["steps"], is_quiet=context.logger_config["is_quiet"])
    logger.addHandler(terminal)
    if terminal.is_drawing:
        start_ticking(terminal)
    return logger
