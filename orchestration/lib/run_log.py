"""The log of a run started from the terminal: every event in a file, one line a step on the terminal.

Belongs here: Dagster's logger for it. Does not: what is logged.
"""

import logging
import re
import sys
from pathlib import Path

import dagster as dg

from orchestration.lib.progress import bar_of

LOGGER_NAME = "terminal"
NOT_RUN = re.compile(r"Dependencies for step (\S+) (?:failed|were not executed)")


class TerminalHandler(logging.Handler):
    """Says how long each step took, warnings, and why a step failed; on a terminal it draws the progress of long loads."""

    def __init__(self) -> None:
        """Begin with an empty line."""
        super().__init__()
        self._drawn = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line for what a person at the terminal wants to know."""
        meta = getattr(record, "dagster_meta", None) or {}
        event = meta.get("dagster_event")
        if event is not None:
            if event.event_type_value == "STEP_SUCCESS":
                self._say(f"  {event.step_key:<28} {event.step_success_data.duration_ms / 1000:6.1f} s")
            elif event.event_type_value == "STEP_FAILURE":
                error = event.step_failure_data.error
                while error is not None and error.cause is not None:
                    error = error.cause
                text = " ".join(error.message.split()) if error is not None else "failed"
                self._say(f"  {event.step_key:<28} FAILED: {text}")
        elif record.levelno >= logging.WARNING:
            self._say(_warning(str(meta.get("step_key") or ""), str(meta.get("orig_message") or record.getMessage())))
        elif sys.stdout.isatty() and (bar := bar_of(str(meta.get("orig_message") or ""))):
            self._draw(f"  {bar}")

    def _draw(self, line: str) -> None:
        """Write over the bar before."""
        sys.stdout.write("\r" + line.ljust(self._drawn))
        sys.stdout.flush()
        self._drawn = len(line)

    def _say(self, line: str) -> None:
        if self._drawn:
            sys.stdout.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0
        sys.stdout.write(line[:600] + "\n")
        sys.stdout.flush()


def _warning(step: str, message: str) -> str:
    """One line of a warning; a step that waited in vain names each step it needed once."""
    skipped = NOT_RUN.match(message)
    if skipped is None:
        return f"  {step}: {message}"
    needed = ", ".join(dict.fromkeys(re.findall(r"'([^']+)'", message)))
    return f"  {skipped[1]:<28} not run, for it needs {needed}"


@dg.logger({"path": dg.Field(str, description="File that gets every event.")}, description="A file and the terminal.")
def terminal_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Every event into a file, the outline onto the terminal."""
    logger = logging.Logger("tidemark.run", level=logging.INFO)
    path = Path(context.logger_config["path"])
    path.write_text("")
    # Dagster configures logging after this, which closes every handler; one in mode "w" would not open its file again.
    written = logging.FileHandler(path, mode="a", encoding="utf-8")
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # Steps report their end at debug level; the terminal picks what it shows.
    logger.setLevel(logging.DEBUG)
    logger.addHandler(written)
    logger.addHandler(TerminalHandler())
    return logger
