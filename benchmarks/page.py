"""docs/benchmarks.md: a part for each benchmark, which can be measured alone.

Belongs here: the parts of the page and taking new ones up in it. Does not: measuring (`candles.py`, `features.py`, `optimiser.py`).
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version

TITLE = "# Benchmarks"
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def with_parts(page: str, measured: Mapping[str, Sequence[str]], *, order: Sequence[str]) -> str:
    """The page with some parts measured anew; all others stay word for word as they were written.

    Args:
        page: The page as it is; empty where there is none.
        measured: Lines of each new part by its heading.
        order: Headings of all parts as the page has them; text under another heading, or under none, is dropped.
    """
    pieces = HEADING.split(page)
    parts = {heading: text.strip("\n") for heading, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    parts |= {heading: "\n".join([_machine(), "", *lines]).strip("\n") for heading, lines in measured.items()}
    shown = [f"## {heading}\n\n{parts[heading]}" for heading in order if heading in parts]
    return "\n\n".join([TITLE, *shown]) + "\n"


VERSIONS = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "polars", "pyarrow", "lightgbm")


def _machine() -> str:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} processors, {gib:.0f} GiB; "
        f"Python {platform.python_version()}, {versions}."
    )
