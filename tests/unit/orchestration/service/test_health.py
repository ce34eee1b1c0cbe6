"""What the service says of itself, from what its UI answers."""

from datetime import UTC, datetime

from orchestration.service.health import Health, ask_health, health_line, judge
from orchestration.settings import Settings

NOW = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)


def answer(*, is_loaded=True, beats=True, schedule="RUNNING", runs=()):
    repository = {
        "schedules": [{"name": "weekly_schedule", "scheduleState": {"status": schedule}}],
        "sensors": [{"name": "alert_heartbeat", "sensorState": {"status": "STOPPED"}}],
    }
    location = {"__typename": "RepositoryLocation", "repositories": [repository]}
    failed = {"__typename": "PythonError", "message": "ImportError: no module\nat line 1"}
    return {
        "workspaceOrError": {"locationEntries": [{"locationOrLoadError": location if is_loaded else failed}]},
        "instance": {
            "daemonHealth": {
                "allDaemonStatuses": [
                    {"daemonType": "SCHEDULER", "required": True, "healthy": beats},
                    {"daemonType": "BACKFILL", "required": False, "healthy": False},
                ]
            }
        },
        "runsOrError": {"results": list(runs)},
    }


def test_all_is_well_where_definitions_are_loaded_and_daemons_beat():
    assert judge(answer()) == Health()


def test_definitions_that_do_not_load_and_daemons_that_do_not_beat_are_named():
    judged = judge(answer(is_loaded=False, beats=False))

    assert judged.problems == (
        "the definitions cannot be used: ImportError: no module",
        "the daemon scheduler does not beat",
    )


def test_a_schedule_that_was_switched_off_is_named_but_no_problem():
    judged = judge(answer(schedule="STOPPED"))

    assert judged.is_well
    assert judged.off == ("weekly_schedule",)


def test_a_ui_that_is_not_there_is_a_problem_and_no_error():
    assert "does not answer" in ask_health(1, seconds=1).problems[0]


def test_the_line_says_what_is_due_what_runs_and_what_comes_next(tmp_path):
    run = {"jobName": "weekly", "startTime": datetime(2025, 3, 4, 8, 30, tzinfo=UTC).timestamp()}

    line = health_line(judge(answer(runs=[run])), Settings(source="live", data_dir=tmp_path), now=NOW)

    assert line == (
        "well; nothing is published yet; week 2025-03-03 is due; weekly since Tue 08:30 UTC is running; next week Mon 2025-03-10 01:15 UTC"
    )
