"""dbt in a process that has imported it and parsed the project once: `python -m tests.integration.warehouse.dbt_server`.

Starting dbt and reading the project costs as much as building the synthetic market. So one process does both, and every command
runs in a fork of it: as fresh as a process of its own, since nothing a fork does reaches the next one. The project is the one
that `make setup` parsed, as in a run, without the comments on columns, which cost a tenth of a build and are no test's here.

A line of its input is a command as JSON: `arguments`, `environment`, and `output`, a file for what dbt prints. The line of its
output that answers is the exit code.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from orchestration.lib.dbt_prepared import prepared_manifest
from orchestration.settings import REPOSITORY_ROOT

DBT_PROJECT = REPOSITORY_ROOT / "dbt_project"
LEFT_OVER = "ignore:resource_tracker:UserWarning"
"""A fork ends without giving back its lock, which Python then does and says."""


@dataclass(frozen=True)
class DbtDone:
    """How a dbt command ended."""

    code: int
    printed: str


@dataclass
class DbtServer:
    """The process, started by its first command.

    Attributes:
        target: Where dbt writes what it parsed, ran and logged.
    """

    target: Path
    _process: Popen[str] | None = field(default=None, init=False)

    def call(self, *arguments: str) -> DbtDone:
        """Run a dbt command in the environment of the caller to its end."""
        environment = {
            **os.environ,
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target),
            "DBT_PROFILES_DIR": str(DBT_PROJECT),
        }
        if self._process is None:
            # It is parsed for the warehouse of the first command; others differ in the folder and not in the name of the file.
            self._process = Popen(
                [sys.executable, "-W", LEFT_OVER, "-m", "tests.integration.warehouse.dbt_server"],
                cwd=DBT_PROJECT,
                env=environment,
                stdin=PIPE,
                stdout=PIPE,
                text=True,
            )
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        output = self.target / "printed.txt"
        asked.write(json.dumps({"arguments": arguments, "environment": environment, "output": str(output)}) + "\n")
        asked.flush()
        answer = answered.readline()
        assert answer, "the dbt server has ended; its errors are above"
        return DbtDone(int(answer), output.read_text())

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate(timeout=30)


def serve() -> None:
    """Read the project, then run commands until the input ends."""
    from dbt.cli.main import dbtRunner

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what dbt prints here is no answer
    manifest = prepared_manifest(DBT_PROJECT, warehouse=Path(os.environ["TIDEMARK_WAREHOUSE"]))
    if manifest is None:
        parsed = dbtRunner().invoke(["--quiet", "parse", "--no-version-check"])
        if not parsed.success:
            raise RuntimeError(f"dbt could not parse the project: {parsed.exception or parsed.result}")
        manifest = parsed.result
    for node in manifest.nodes.values():
        node.config.persist_docs = {}
    manifest.build_flat_graph()
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(command["environment"])
            # No clean-up of this process, which is its parent's to do: threads that a fork does not have would be waited for.
            os._exit(_run(dbtRunner(manifest=manifest), command["arguments"], Path(command["output"])))
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")


def _run(dbt: Any, arguments: list[str], output: Path) -> int:
    """Run one command in this fork; returns dbt's exit code: 0 done, 1 something failed, 2 dbt itself did."""
    with output.open("w") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    done = dbt.invoke(arguments)
    if done.exception is not None:
        print(repr(done.exception))
    sys.stdout.flush()
    return 2 if done.exception is not None else 0 if done.success else 1


if __name__ == "__main__":
    serve()
