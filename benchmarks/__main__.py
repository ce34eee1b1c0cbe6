"""make bench: run the benchmarks, all or those of PART, print them, and write them to docs/benchmarks.md.

Belongs here: which parts there are. Does not: how the page is put together (`page.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import candles, features, optimiser, weekly
from benchmarks.page import with_parts

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def compared() -> list[str]:
    """Lines of what another way does as well, both in turn."""
    return [
        "Medians of three runs, both sides in the same process one after the other. The ratio is what counts: seconds differ between",
        "machines and with their load.",
        "",
        "| what | ours, s | plain, s | plain / ours | note |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.what} | {row.ours:.3f} | {row.plain:.3f} | {row.plain / row.ours:.1f} | {row.note} |"
            for row in [*features.measure(), *candles.measure()]
        ),
    ]


PARTS: Mapping[str, tuple[str, Callable[[], Sequence[str]]]] = {
    "compared": ("Beside other ways", compared),
    "features": ("All features", features.scale),
    "optimiser": ("Optimiser", optimiser.scale),
    "weekly": ("The weekly run", weekly.scale),
    "limits": ("Limits of venues", candles.limits),
}
"""Name, heading and measurement of each part, in the order of the page."""


def main(names: Sequence[str]) -> int:
    """Measure and write the parts of some names, all where there is none; returns the exit code."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"make: PART {', '.join(unknown)} is unknown; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    measured = {PARTS[name][0]: PARTS[name][1]() for name in names or PARTS}
    page = RESULTS.read_text() if RESULTS.exists() else ""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(with_parts(page, measured, order=[heading for heading, _ in PARTS.values()]))
    print("\n\n".join("\n".join(lines) for lines in measured.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
