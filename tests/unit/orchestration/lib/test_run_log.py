"""What the terminal says of a step that could not run."""

import logging

import pytest

from orchestration.lib.run_log import TerminalHandler


def said(capsys, message, step=None):
    record = logging.LogRecord("tidemark", logging.ERROR, "", 0, message, None, None)
    record.dagster_meta = {"orig_message": message, "step_key": step}
    TerminalHandler().emit(record)
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
