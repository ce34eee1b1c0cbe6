"""The root of the project's errors.

TidemarkError                what a user sees as one line: what happened, with which value, what to do
  SettingsError              orchestration.settings
  DataFolderError            orchestration.lib.data_folder
  WeekError                  orchestration.lib.weeks
  WarehouseError             orchestration.lib.warehouse
  AlertsError                orchestration.alerts.errors
  SourceError                orchestration.sources.errors, and all that a source can raise
"""

from __future__ import annotations


class TidemarkError(Exception):
    """Something a user can act on; its message is one line and needs no traceback."""


def printable(text: str) -> str:
    """A text for a terminal: what a provider or a file said in it can move no cursor and hide nothing."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
