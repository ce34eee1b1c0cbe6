"""What a check says, and what all of them look at.

Belongs here: the two values, running all checks. Does not: any check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from orchestration.lib.data_folder import DataFolder
from orchestration.settings import Settings

Level = Literal["ok", "warning", "problem"]
OPERATE = "docs/how-to/operate.md"
FAILS = "docs/how-to/when-it-fails.md"


@dataclass(frozen=True)
class Finding:
    """The answer of a check.

    Attributes:
        level: ok; warning: works, look at it; problem: the next run will fail, or its result is in doubt.
        value: What was found, in words, with the value.
        remedy: What to do, empty where all is well.
        page: Page of the documentation, with the anchor where it has one.
        check: Name of the check; `examine` fills it in.
    """

    level: Level
    value: str
    remedy: str = ""
    page: str = OPERATE
    check: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Patient:
    """What is examined.

    Attributes:
        settings: Settings, None where they cannot be read.
        settings_error: Why not.
        folder: The data folder.
        environment: Variables of the environment.
        repository: The project's folder.
        now: The instant, with a time zone.
        is_online: Whether providers may be asked.
    """

    settings: Settings | None
    settings_error: str
    folder: DataFolder
    environment: Mapping[str, str]
    repository: Path
    now: datetime
    is_online: bool


Check = Callable[[Patient], Finding]


def examine(patient: Patient, checks: Iterable[Check]) -> list[Finding]:
    """Ask every check; one that stumbles over what it looks at is a problem itself, and the others go on."""
    findings = []
    for check in checks:
        try:
            found = check(patient)
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            found = Finding(
                "problem", f"could not be examined ({said})", "see what it names; make run will meet it too", FAILS
            )
        findings.append(Finding(found.level, found.value, found.remedy, found.page, check.__name__))
    return findings
