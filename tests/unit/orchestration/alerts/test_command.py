from orchestration.commands_alerts import tell_of_failure
from orchestration.lib.data_folder import DataFolder


def test_a_failed_run_stays_a_failed_run_when_its_alert_fails_too(published, monkeypatch, capsys):
    for name in ("DAGSTER_HOME", "TIDEMARK_DAGSTER_DIR", "DBT_PROFILES_DIR", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # what the command sets ends with the test
    published.rules("lines: many\n")

    tell_of_failure(published.settings(), DataFolder(published.root))

    said = capsys.readouterr().out
    assert said.startswith("tidemark: alerts were not sent: ")
    assert "alerts.yaml:1: lines" in said
