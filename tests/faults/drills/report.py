"""The table of drills, docs/results/drills.md.

Belongs here: its text. Does not: the results (`ground.Result`), performing anything (`__main__.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPORT = Path(__file__).parents[3] / "docs" / "results" / "drills.md"

HEAD = """# Fault drills

Written by `make drills`. A folder of the simulated market ({tokens} tokens) after its first run is copied, its next week is disturbed, and
what readers get is compared with the same week undisturbed: every row of every published table (but for who recorded it and when), every
landed row, and the chain of manifests (`make verify`).

- **rows lost**: rows of the undisturbed week that are missing in the end.
- **wrong**: published numbers that the undisturbed week does not have, at any moment a reader could look. Of lies it counts prices and caps
  more than 10 % off, since with one source refused others speak.
- **seconds**: the drill on a machine of two cores that did other work as well; preparations are left out.
- A drill that does not hold says *NOT HELD* and why, and "?" for what it could not count; one that was not performed says so. Nothing is
  filled in.

{done} of {expected} drills performed, {held} of {rows} rows held; rows lost {lost}, wrong numbers published {wrong}{unknown}.

| drill | what must happen | what happened | rows lost | wrong | seconds | code |
| --- | --- | --- | --- | --- | --- | --- |
"""


def write_report(
    done: Mapping[str, Mapping[str, Any]], *, expected: Sequence[str], tokens: int, path: Path = REPORT
) -> None:
    """Write the table.

    Args:
        done: By drill, when and with which code it was performed, and its results.
        expected: All drills, in the order of the table.
        tokens: Tokens of the market.
        path: Where to.
    """
    path.write_text(table(done, expected=expected, tokens=tokens), encoding="utf-8")


def table(done: Mapping[str, Mapping[str, Any]], *, expected: Sequence[str], tokens: int) -> str:
    """The page as Markdown."""
    results = [result for name in expected if name in done for result in done[name]["results"]]
    unknown = sum(None in (each["lost"], each["wrong"]) for each in results)
    lines = []
    for name in expected:
        if name not in done:
            lines.append(f"| {name} | | not performed | | | | |")
            continue
        code = f"{done[name]['commit']}, {done[name]['at'][:10]}"
        lines += [
            f"| {each['name']} | {each['must']} | {'' if each['is_held'] else '**not held**: '}{_cell(each['happened'])} | "
            f"{_number(each['lost'])} | {_number(each['wrong'])} | {each['seconds']:.0f} | {code} |"
            for each in done[name]["results"]
        ]
    head = HEAD.format(
        tokens=tokens,
        done=len(done),
        expected=len(expected),
        held=sum(each["is_held"] for each in results),
        rows=len(results),
        lost=sum(each["lost"] or 0 for each in results),
        wrong=sum(each["wrong"] or 0 for each in results),
        unknown=f", both unknown in {unknown} of them" if unknown else "",
    )
    return head + "\n".join(lines) + "\n"


def _number(count: int | None) -> str:
    return "?" if count is None else str(count)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("NOT HELD: ", "")
