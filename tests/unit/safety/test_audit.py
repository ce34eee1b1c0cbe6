"""The audit of requirements fails on a vulnerability, and says so where it could not look."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(*packages):
    return json.dumps({"dependencies": list(packages), "fixes": []})


def clean(name):
    return {"name": name, "version": "1.0", "vulns": []}


LEFT_OUT = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (1.0)"}
VULNERABLE = {"name": "a", "version": "1.0", "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["1.1"], "aliases": []}]}


def test_a_known_vulnerability_fails_even_beside_packages_that_were_left_out(audit):
    code, lines = audit.verdict(1, answer(VULNERABLE, LEFT_OUT, LEFT_OUT), "")

    assert code == 1
    assert lines[0] == "a 1.0: PYSEC-2024-1, fixed in 1.1"


def test_no_vulnerability_among_all_is_said_with_their_number(audit):
    assert audit.verdict(0, answer(*map(clean, "abc")), "") == (
        0,
        ["3 of 3 requirements audited, no known vulnerability"],
    )


@pytest.mark.parametrize(
    ("code", "out", "err"),
    [
        (0, answer(LEFT_OUT, LEFT_OUT), "No known vulnerabilities found"),
        (0, answer(clean("a"), LEFT_OUT), ""),
        (1, "", "Traceback\nConnectionError: no route"),
        (0, answer(), ""),
    ],
)
def test_what_could_not_be_looked_up_is_no_pass_in_silence(audit, code, out, err):
    exit_code, lines = audit.verdict(code, out, err)

    assert exit_code == 0
    assert lines[0].startswith("SKIPPED: ")


def test_the_program_is_asked_about_the_lock_and_its_answer_decides(tmp_path):
    program = tmp_path / "pip-audit"
    lines = ["import sys", "assert 'requirements.lock' in sys.argv[2]", f"print({answer(VULNERABLE)!r})", "sys.exit(1)"]
    program.write_text("\n".join([f"#!{sys.executable}", *lines, ""]))
    program.chmod(0o755)

    done = subprocess.run([sys.executable, str(SCRIPT), str(program)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "a 1.0: PYSEC-2024-1, fixed in 1.1")
