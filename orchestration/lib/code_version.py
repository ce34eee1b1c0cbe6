"""Which code computed a number: the package's version and a hash of the sources that can change a result.

Belongs here: the list of what counts as code. Does not: provenance of inputs (`run_context.py`).
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "pyproject.toml"
PARTS = (
    "models_ml",
    "orchestration",
    "dbt_project/models",
    "dbt_project/macros",
    "dbt_project/seeds",
    "dbt_project/dbt_project.yml",
)
UNIT_TESTS = "_unit_tests"
SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".csv"}


@cache
def code_version() -> str:
    """`<version>+<hash>`: equal code has an equal version, in a clone, a wheel or an archive of the sources alike.

    dbt's unit tests lie among the models and change no result, so they do not count.
    """
    digest = hashlib.sha256()
    for part in PARTS:
        root = ROOT / part
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
        for path in files:
            if path.name.startswith(UNIT_TESTS):
                continue
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    release = tomllib.loads(PROJECT.read_text())["project"]["version"]
    return f"{release}+{digest.hexdigest()[:12]}"
