"""The command of the alerts, and what the command line does with them around a run.

Belongs here: `make alerts`, the check before a run, telling that a run failed. Does not: the work (`orchestration/alerts`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

from orchestration.alerts.delivery import Told, as_lines, tell
from orchestration.alerts.errors import AlertsError
from orchestration.alerts.messages import Templates
from orchestration.alerts.rules import load_setup
from orchestration.alerts.sending import AppriseSender
from orchestration.commands import prepare_environment
from orchestration.lib.data_folder import DataFolder
from orchestration.settings import Settings, load_settings


def alerts(*, is_dry: bool) -> int:
    """Tell what is due, or print it. Returns 1 where a message could not be sent.

    Raises:
        AlertsError: There is no address, the setup cannot work, or the folder was never used.
    """
    settings = load_settings()
    folder = DataFolder(settings.folder)
    if not folder.marker.exists():
        raise AlertsError(f"{folder.root} holds no data yet, so there is nothing to tell; run make run first")
    if not settings.has_alerts and not is_dry:
        raise AlertsError(
            "alerts are off, since TIDEMARK_ALERTS_URLS is not set; make alerts DRY_RUN=1 prints what there is to tell"
        )
    told = _tell(settings, folder, is_dry=is_dry)
    if is_dry:
        _print_messages(told)
        return 0
    print("\n".join(f"tidemark: {line}" for line in as_lines(told)))
    return 1 if told.failed else 0


def check_setup(settings: Settings) -> None:
    """Refuse addresses, rules and templates that cannot work, before a run begins.

    Raises:
        AlertsError: With every problem.
    """
    setup = load_setup(settings)
    Templates(setup.rules, setup.templates)
    AppriseSender(setup.addresses)


def tell_of_failure(settings: Settings, folder: DataFolder) -> None:
    """After a run that failed: tell it, and say if that failed too. It does not change how the run ended."""
    try:
        for line in as_lines(_tell(settings, folder, is_dry=False)):
            print(f"tidemark: alerts: {line}")
    except AlertsError as error:
        print(f"tidemark: alerts were not sent: {error}")


def _tell(settings: Settings, folder: DataFolder, *, is_dry: bool) -> Told:
    """Tell with Dagster's records, where there are some."""
    import dagster as dg

    prepare_environment(folder)
    with dg.DagsterInstance.get() if folder.dagster.is_dir() else nullcontext() as instance:
        return tell(settings, instance=instance, now=datetime.now(UTC), is_dry=is_dry)


def _print_messages(told: Told) -> None:
    for each in told.messages:
        print(f"to {each.address}, {each.events} events:")
        print("\n".join(f"  | {line}".rstrip() for line in [each.message.title, "", *each.message.body.splitlines()]))
    for problem in told.problems:
        print(f"tidemark: {problem}")
    print(
        f"tidemark: dry run, nothing was sent: {len(told.messages)} messages, {told.events_sent} events; "
        f"{told.known} events were told before"
    )
