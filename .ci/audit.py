"""Looks up the pinned requirements among known vulnerabilities: `make audit`, and CI.

1 where one of them has any. 0 where none has, and where the database cannot be asked, which is said in a line that begins with
SKIPPED: pip-audit itself calls it "no known vulnerabilities" when a mirror knows no package, so what it left out is counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LEAST_SHARE = 0.9
"""Of the packages that must have been looked up for the answer to count."""


def command(program: str) -> list[str]:
    """How the lock is audited: as it is pinned, without resolving or installing anything."""
    lock = str(ROOT / "requirements.lock")
    return [program, "-r", lock, "--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json"]


def verdict(code: int, out: str, err: str) -> tuple[int, list[str]]:
    """What the answer of pip-audit comes to: the exit code, and the lines to print."""
    try:
        packages: list[dict[str, Any]] = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = err.strip().splitlines()[-1:] or ["it said nothing"]
        return 0, [f"SKIPPED: requirements were not audited; pip-audit ended with {code}: {last[0][:300]}"]
    found = [
        f"{each['name']} {each['version']}: {hit['id']}, fixed in {', '.join(hit['fix_versions']) or 'no version yet'}"
        for each in packages
        for hit in each.get("vulns", [])
    ]
    audited = [each for each in packages if "skip_reason" not in each]
    if found:
        return 1, [
            *found,
            f"{len(found)} known vulnerabilities; raise the versions in pyproject.toml and run make lock",
        ]
    if len(audited) < LEAST_SHARE * len(packages) or not packages:
        reason = next((each["skip_reason"] for each in packages if "skip_reason" in each), "it lists no package")
        return 0, [
            f"SKIPPED: {len(audited)} of {len(packages)} requirements could be audited; the first left out: {reason}"
        ]
    return 0, [f"{len(audited)} of {len(packages)} requirements audited, no known vulnerability"]


def main() -> int:
    """Run the program that is given and print what it comes to."""
    done = subprocess.run(command(sys.argv[1]), capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    code, lines = verdict(done.returncode, done.stdout, done.stderr)
    print("\n".join(lines))  # noqa: T201 - the answer
    return code


if __name__ == "__main__":
    sys.exit(main())
