"""dbt with the project as `make setup` parsed it: `python -m orchestration.lib.dbt_prepared build ...`.

dbt parses the whole project again where the profile is another one than before, as it is for every new data folder: nine seconds
of processor time. Only the path of the warehouse differs, which no node knows, so the parsed project is handed to dbt as it is
(dbt, *Programmatic invocations*, "Reusing objects"). Where it does not fit, dbt parses as ever: a file of the project is newer,
dbt is another version, or the warehouse has another name, which nodes do know.

Belongs here: whether the parsed project fits, and dbt's exit codes. Does not: with which arguments and environment dbt runs
(`dbt_resource.py`). dbt is imported here and only here, so that whoever asks for the rules does not pay for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PARSED = "partial_parse.msgpack"
SUCCESS, FAILURE, ERROR = 0, 1, 2
"""Exit codes of dbt: all well; a model or test failed; dbt itself did (dbt, *Exit codes*)."""


def prepared_manifest(project: Path, *, warehouse: Path) -> Manifest | None:
    """The parsed project, None where it does not fit and dbt has to parse.

    Args:
        project: The dbt project; `target/` below it is what `dbt parse` wrote.
        warehouse: The DuckDB file that dbt is to build.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.version import __version__

    parsed = project / "target" / PARSED
    if not parsed.exists() or newest_change(project) > _parsed_at(project):
        return None
    manifest = Manifest.from_msgpack(parsed.read_bytes())
    databases = {node.database for node in manifest.nodes.values()}
    if manifest.metadata.dbt_version != __version__ or databases != {warehouse.stem}:
        return None
    manifest.build_flat_graph()
    return manifest


def newest_change(project: Path) -> float:
    """When a file of the project was changed last, or added to or taken from a folder of it, in seconds since the epoch."""
    kept_apart = {project / "target", project / "logs"}
    found = [path for top in project.iterdir() if top not in kept_apart for path in (top, *top.rglob("*"))]
    return max(path.stat().st_mtime for path in found)


def _parsed_at(project: Path) -> float:
    """When the project was parsed last; make touches the manifest where dbt found nothing to write."""
    written = [project / "target" / name for name in (PARSED, "manifest.json")]
    return max(path.stat().st_mtime for path in written if path.exists())


def main(arguments: Sequence[str]) -> int:
    """Run one dbt command in the project of the working directory; returns dbt's exit code."""
    from dbt.cli.exceptions import DbtUsageException
    from dbt.cli.main import dbtRunner

    manifest = prepared_manifest(Path.cwd(), warehouse=Path(os.environ["TIDEMARK_WAREHOUSE"]))
    done = dbtRunner(manifest=manifest).invoke(list(arguments))
    if isinstance(done.exception, DbtUsageException):
        print(done.exception)  # noqa: T201 - dbt itself says all other errors
    if done.exception is not None:
        return ERROR
    return SUCCESS if done.success else FAILURE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
