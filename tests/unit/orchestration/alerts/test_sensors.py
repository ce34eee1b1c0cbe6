"""The sensors, evaluated as the daemon does; what they send goes to an address that nobody listens at."""

import dagster as dg
import pytest

from orchestration.alerts import delivery
from orchestration.defs.automation.alerts import OFF, defs
from tests.unit.orchestration.alerts.conftest import Remembering


@dg.op
def fails():
    raise RuntimeError("no room on the disk")


@dg.job
def weekly():
    fails()


@pytest.fixture
def told(published, monkeypatch):
    """What is sent where the settings come from the environment."""
    remembering = Remembering()
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(published.root))
    monkeypatch.setenv("TIDEMARK_ALERTS_URLS", "phone=json://localhost/x")
    monkeypatch.setattr(delivery, "AppriseSender", lambda _addresses: remembering)
    return remembering


def sensor(name):
    return next(each for each in defs().sensors if each.name == name)


def test_sensors_run_by_themselves_only_where_somebody_is_to_be_told(monkeypatch):
    monkeypatch.setenv("TIDEMARK_ALERTS_URLS", "")
    off = {each.default_status for each in defs().sensors}
    monkeypatch.setenv("TIDEMARK_ALERTS_URLS", "phone=json://localhost/x")
    on = {each.default_status for each in defs().sensors}

    assert off == {dg.DefaultSensorStatus.STOPPED}
    assert on == {dg.DefaultSensorStatus.RUNNING}


def test_the_heartbeat_tells_of_a_failed_run_and_the_sensor_of_failures_does_not_tell_it_again(told):
    with dg.DagsterInstance.ephemeral() as instance:
        result = weekly.execute_in_process(instance=instance, raise_on_error=False)
        said = sensor("alert_heartbeat").evaluate_tick(dg.build_sensor_context(instance)).skip_message
        failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context("alert_of_failed_run", failure, instance, result.dagster_run)
        sensor("alert_of_failed_run")(context.for_run_failure())

    assert "events_sent: 1" in said
    ((_, title, body),) = told.sent
    assert title == "A run failed (simulated data)"
    assert "no room on the disk" in body


def test_the_sensor_of_failures_tells_of_the_run_that_failed(told):
    with dg.DagsterInstance.ephemeral() as instance:
        result = weekly.execute_in_process(instance=instance, raise_on_error=False)
        failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context("alert_of_failed_run", failure, instance, result.dagster_run)

        sensor("alert_of_failed_run")(context.for_run_failure())

    assert result.run_id[:8] in told.text


def test_the_heartbeat_of_a_live_folder_tells_that_a_week_is_late_once(told, monkeypatch):
    monkeypatch.setenv("TIDEMARK_SOURCE", "live")
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            sensor("alert_heartbeat").evaluate_tick(dg.build_sensor_context(instance))

    # The small publication is of January 2025, long before the clock of any machine this runs on.
    ((_, title, body),) = told.sent
    assert title.startswith("A week is late: week of 20")
    assert "the newest published week is 2025-01-06" in body


def test_without_an_address_the_heartbeat_says_that_it_is_off(told, monkeypatch):
    monkeypatch.setenv("TIDEMARK_ALERTS_URLS", "")
    with dg.DagsterInstance.ephemeral() as instance:
        said = sensor("alert_heartbeat").evaluate_tick(dg.build_sensor_context(instance)).skip_message

    assert OFF in said
    assert told.sent == []
