"""What `make doctor` does: examine, say, exit code.

Belongs here: the command. Does not: the checks (`doctor/`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from orchestration.doctor.checks import CHECKS
from orchestration.doctor.finding import Finding, Patient, examine
from orchestration.lib.data_folder import DataFolder
from orchestration.settings import REPOSITORY_ROOT, Settings, SettingsError, load_settings

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(*, is_json: bool, is_online: bool) -> int:
    """Say what every check found; 1 where one found a problem. Nothing is written."""
    findings = examine(_patient(is_online=is_online), CHECKS)
    problems = sum(each.level == "problem" for each in findings)
    if is_json:
        print(json.dumps({"problems": problems, "findings": [each.as_dict() for each in findings]}, indent=2))
    else:
        for each in findings:
            print(_line(each))
        warnings = sum(each.level == "warning" for each in findings)
        print(f"{len(findings)} checks: {problems} problems, {warnings} warnings")
    return 1 if problems else 0


def _line(finding: Finding) -> str:
    what = f"{MARKS[finding.level]}  {finding.check:<17} {finding.value}"
    return what if finding.level == "ok" else f"{what}\n{' ' * 27}-> {finding.remedy} ({finding.page})"


def _patient(*, is_online: bool) -> Patient:
    settings, problem = None, ""
    try:
        settings = load_settings()
    except SettingsError as error:
        problem = str(error)
    # With settings that cannot be read, the folder that they name, or the one of a default run.
    given = os.environ.get("TIDEMARK_DATA_DIR")
    folder = settings.folder if settings else Settings.model_construct(data_dir=None, source="simulated").folder
    if settings is None and given:
        folder = type(folder)(given).expanduser().resolve()
    return Patient(
        settings=settings,
        settings_error=problem,
        folder=DataFolder(folder),
        environment=dict(os.environ),
        repository=REPOSITORY_ROOT,
        now=datetime.now(UTC),
        is_online=is_online,
    )
