"""`python -m tests.fuzz [SECONDS]`: both engines on every group of parsers, and the page of results.

Belongs here: starting the campaigns, adding up, the table. Does not: one campaign (`campaign.py`).

Inputs of earlier campaigns stay counted: they are added to `tally.json`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.fuzz.targets import GROUPS

ROOT = Path(__file__).resolve().parents[2]
TALLY = Path(__file__).with_name("tally.json")
PAGE = ROOT / "docs" / "results" / "fuzzing.md"
ENGINES = ("hypothesis", "atheris")
DEFAULT_SECONDS = 60.0

Counts = dict[str, dict[str, Any]]


def campaign(engine: str, targets: Sequence[str], seconds: float) -> Counts:
    """Run one campaign in a process of its own; gives the counts by target.

    Raises:
        RuntimeError: The process died, which is a finding of its own: see what it said.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "counts.json"
        command = [sys.executable, "-m", "tests.fuzz.campaign", engine, str(seconds), str(path), *targets]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            raise RuntimeError(f"{engine} on {', '.join(targets)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        found: Counts = json.loads(path.read_text())
        return found


def campaigns(engine: str, group: str, seconds: float) -> Iterator[Counts]:
    """Campaigns on all targets of a group that take some processor time together.

    hypothesis draws targets evenly. atheris would stay with those in which it reaches new lines and give others nothing, so each gets
    a process of its own.
    """
    targets = GROUPS[group]
    for some in [(target,) for target in targets] if engine == "atheris" else [targets]:
        yield campaign(engine, some, seconds * len(some) / len(targets))


def added(tally: dict[str, Any], engine: str, counts: Counts) -> dict[str, Any]:
    """A tally with the inputs of a campaign counted in."""
    for target, count in counts.items():
        known = tally.setdefault(target, {"found": 0})
        for what in ("tried", "read"):
            known.setdefault(engine, {}).setdefault(what, 0)
            known[engine][what] += count[what]
    return tally


def page(tally: dict[str, Any]) -> str:
    """The page of results."""
    rows = []
    totals = dict.fromkeys(ENGINES, 0)
    found = 0
    for group, targets in GROUPS.items():
        for target in targets:
            known = tally.get(target, {})
            tried = [known.get(engine, {}).get("tried", 0) for engine in ENGINES]
            read = sum(known.get(engine, {}).get("read", 0) for engine in ENGINES)
            share = f"{read / sum(tried):.0%}" if sum(tried) else "-"
            for engine, count in zip(ENGINES, tried, strict=True):
                totals[engine] += count
            found += known.get("found", 0)
            cells = [f"`{target}`", group, *(f"{count:,}" for count in tried), share, str(known.get("found", 0))]
            rows.append(f"| {' | '.join(cells)} |")
    head = "| Parser | Group | Inputs, hypothesis | Inputs, atheris | Read | Defects found, all mended |\n|---|---|--:|--:|--:|--:|"
    total = f"| **all** | | **{totals['hypothesis']:,}** | **{totals['atheris']:,}** | | **{found}** |"
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "<!-- table -->\n<!-- end of table -->\n"
    before, _, rest = text.partition("<!-- table -->")
    _, _, after = rest.partition("<!-- end of table -->")
    return f"{before}<!-- table -->\n\n{head}\n" + "\n".join([*rows, total]) + f"\n\n<!-- end of table -->{after}"


def main() -> int:
    """Run all campaigns; 1 where one found a defect."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else DEFAULT_SECONDS
    engines = [engine for engine in ENGINES if importlib.util.find_spec(engine)]
    if "atheris" not in engines:
        print("atheris is not installed (pip install --group fuzz), so hypothesis alone looks for defects")
    tally = json.loads(TALLY.read_text()) if TALLY.exists() else {}
    defects = 0
    for engine, group in product(engines, GROUPS):
        tried = 0
        for counts in campaigns(engine, group, seconds):
            tried += sum(count["tried"] for count in counts.values())
            tally = added(tally, engine, counts)
            TALLY.write_text(json.dumps(tally, indent=1, sort_keys=True) + "\n")
            for target, count in counts.items():
                for what, program in count["defects"].items():
                    defects += 1
                    print(f"  {target}: {what}\n    again: try_target({target!r}, bytes.fromhex({program!r}))")
        print(f"{engine}, {group}: {tried:,} inputs")
    PAGE.write_text(page(tally), encoding="utf-8")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
