"""Alerts: told at the end of a weekly run, when a run fails, and by a heartbeat that notices what no run can tell.

Belongs here: the asset and the two sensors. Does not: what is told and to whom (`orchestration/alerts`), which is loaded only where
`TIDEMARK_ALERTS_URLS` is set.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.lib.errors import TidemarkError
from orchestration.settings import load_settings

OFF = "off: TIDEMARK_ALERTS_URLS is not set"
HEARTBEAT_SECONDS = 900


@dg.asset(
    key=["published", "alerts"],
    deps=[dg.AssetKey(["published", "warehouse"])],
    group_name="publishing",
    owners=["team:operations"],
    kinds={"python"},
)
def published_alerts(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """What this week changed, told to the addresses in TIDEMARK_ALERTS_URLS, each event once; nothing where none is set."""
    return dg.MaterializeResult(metadata=told_as_metadata(context.instance, context.log))


def told_as_metadata(instance: dg.DagsterInstance, log: logging.Logger | dg.DagsterLogManager) -> dict[str, Any]:
    """Tell what is due, and say in numbers what came of it. Whatever is wrong is a warning: alerts never fail a run."""
    settings = load_settings()
    if not settings.has_alerts:
        return {"state": OFF}
    try:
        from orchestration.alerts.delivery import as_lines, tell

        told = tell(settings, instance=instance, now=datetime.now(UTC))
    except TidemarkError as error:
        log.warning("alerts were not sent: %s", error)
        return {"state": "not sent: see the log"}
    except Exception:  # the week is published, and whatever an alert stumbles over must not show it as failed
        log.exception("alerts were not sent; what is due stays due")
        return {"state": "not sent: see the log"}
    first, *rest = as_lines(told)
    log.info("alerts: %s", first)
    for line in rest:
        log.warning("alerts: %s", line)
    return {
        "state": "some are due" if told.failed else "told",
        "events_sent": told.events_sent,
        "messages_failed": len(told.failed),
        "events_withdrawn": told.withdrawn,
        "problems": len(told.problems),
    }


@dg.definitions
def defs() -> dg.Definitions:
    """The asset, and sensors that run by themselves where somebody is to be told."""
    status = dg.DefaultSensorStatus.RUNNING if load_settings().has_alerts else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="alert_of_failed_run",
        default_status=status,
        description="Tells that a run failed, and which checks stopped it.",
    )
    def alert_of_failed_run(context: dg.RunFailureSensorContext) -> None:
        """The checks of the run are told with it."""
        told_as_metadata(context.instance, context.log)

    @dg.sensor(
        name="alert_heartbeat",
        minimum_interval_seconds=HEARTBEAT_SECONDS,
        default_status=status,
        description=(
            "Tells that a week is late, 6 hours after the time of the weekly run, that a run was killed, and what could not be "
            "sent before."
        ),
    )
    def alert_heartbeat(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """It starts no run; what it did is the reason it gives."""
        told = told_as_metadata(context.instance, context.log)
        return dg.SkipReason("; ".join(f"{name}: {value}" for name, value in told.items()))

    return dg.Definitions(assets=[published_alerts], sensors=[alert_of_failed_run, alert_heartbeat])
