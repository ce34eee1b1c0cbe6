"""make bench: run every benchmark and print one table of ratios; also written to docs/results/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from benchmarks import candles, features, optimiser

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "benchmarks.md"


def main() -> int:
    """Measure and write; returns the exit code."""
    rows = [*features.measure(), *candles.measure()]
    lines = [
        "# Benchmarks",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} processors, medians of three runs, both sides in the same process one after",
        "the other. The ratio is what counts: seconds differ between machines and with their load.",
        "",
        "| what | ours, s | plain, s | plain / ours | note |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.what} | {row.ours:.3f} | {row.plain:.3f} | {row.plain / row.ours:.1f} | {row.note} |"
            for row in rows
        ),
    ]
    text = "\n".join([*lines, "", *features.scale(), *optimiser.scale(), *candles.limits()]) + "\n"
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
