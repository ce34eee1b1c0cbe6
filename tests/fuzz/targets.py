"""Every parser that reads what others wrote, and one input of each from bytes that decide on its damage.

Belongs here: the list, and the step from bytes to a verdict. Does not: how each is called (`wire.py`, `files.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.files import FILES, seeds_of
from tests.fuzz.judgement import Verdict, judge
from tests.fuzz.mutation import Decisions, damaged, damaged_bytes
from tests.fuzz.wire import NOW, VENUE_WIRE, WIRE, converse, recorded

GROUPS: Mapping[str, tuple[str, ...]] = {"http": tuple(WIRE), "ccxt": tuple(VENUE_WIRE), "files": tuple(FILES)}
"""Targets by what is between them and us: our own client, ccxt, or a disk."""

TARGETS: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)


def try_target(target: str, program: bytes) -> Verdict:
    """Give a target a damaged input.

    Args:
        target: One of `TARGETS`.
        program: Decides which of the recorded inputs is damaged, and how; no bytes leave them sound.

    Raises:
        DefectError: The parser broke the property.
    """
    decisions = Decisions(program)
    if target in FILES:
        seed = decisions.pick(seeds_of(target))
        if program:
            seed = damaged(seed, decisions) if isinstance(seed, str) else damaged_bytes(seed, decisions)
        body = seed.encode() if isinstance(seed, str) else seed
        return judge(lambda: FILES[target](body), now=NOW)
    exchanges = [(each.path, each.body.encode()) for each in recorded(target)]
    if program:
        struck = decisions.below(len(exchanges))
        exchanges[struck] = (exchanges[struck][0], damaged(recorded(target)[struck].body, decisions))
    return judge(lambda: converse(target, exchanges), now=NOW)
