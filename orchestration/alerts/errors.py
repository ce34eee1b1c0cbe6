"""Errors of the alerts.

Belongs here: the error. Does not: what a failed message means (`delivery.py`: it is recorded and tried again, never raised).
"""

from __future__ import annotations

from orchestration.lib.errors import TidemarkError


class AlertsError(TidemarkError):
    """Alerts cannot be told as they are set up: an address, the rules, a template or the journal."""
