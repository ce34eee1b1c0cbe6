"""Damage drills: landed files, the warehouse and a model that are not what was written.

Belongs here: damage to files between two runs. Does not: damage to answers of providers (`tests/faults/fault_matrix.py`).
"""

from __future__ import annotations

import random
from pathlib import Path

from orchestration.lib.ledger import LEDGER_COLUMNS
from orchestration.lib.published_copy import attached
from tests.conftest import Tidemark
from tests.faults.drills.ground import DrillError, Ground, Result, refusal, timed

SEED = 11


def _flip(path: Path, chance: random.Random) -> None:
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content) // 4, 3 * len(content) // 4)] ^= 0xFF
    path.write_bytes(content)


def landing_files(ground: Ground) -> Result:
    """Change, cut off and remove a landed file of prices, one after the other, and run the week each time."""
    chance = random.Random(SEED)
    with timed() as seconds, ground.copy("landing") as tidemark:
        files = sorted((tidemark.folder / "landing" / "coingecko" / "market_daily").glob("*/*.parquet"))
        said = []
        for what in ("changed", "cut off", "missing"):
            path = chance.choice(files)
            content = path.read_bytes()
            if what == "changed":
                _flip(path, chance)
            elif what == "cut off":
                path.write_bytes(content[: len(content) // 2])
            else:
                path.unlink()
            refusal(ground.call(tidemark), names=path.name)
            ground.hold_untouched(tidemark)
            path.write_bytes(content)
            said.append(what)
            ground.say(f"{what}: named, nothing published")
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "landing files corrupt, truncated, missing",
            "The run fails and names the file; nothing is published; with the file restored it completes as an undisturbed one",
            f"{', '.join(said)}: each file named, the week before whole for readers and verified; restored, complete and equal",
            seconds(),
        )


def corrupt_warehouse(ground: Ground) -> Result:
    """Overwrite the head and parts of the warehouse; make it again from landing and the published versions; go on a week."""
    chance = random.Random(SEED)
    with timed() as seconds, ground.copy("warehouse") as tidemark:
        path = tidemark.folder / "warehouse.duckdb"
        with path.open("r+b") as file:
            for place in (0, *(chance.randrange(path.stat().st_size) for _ in range(20))):
                file.seek(place)
                file.write(chance.randbytes(8192))
        refusal(ground.call(tidemark), names="make rebuild-warehouse")
        ground.hold_untouched(tidemark)
        before = _ledger(tidemark)
        rebuilt = ground.call(tidemark, command="rebuild-warehouse")
        if rebuilt.code != 0:
            raise DrillError(f"rebuild-warehouse failed: {rebuilt.said[-1500:]}")
        after = _ledger(tidemark)
        if before != after:
            raise DrillError(
                f"{len(before)} versions before, {len(after)} after, {len(set(after) - set(before))} of them others"
            )
        ground.hold_readable(tidemark)
        ground.say(f"rebuilt in {rebuilt.seconds:.0f} s, {len(after)} versions as they were recorded")
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "corrupt warehouse",
            "The run says so in one line; `make rebuild-warehouse` makes it again from landing, every recorded "
            "version as it was, none anew",
            f"head and 20 blocks overwritten: named; rebuilt in {rebuilt.seconds:.0f} s with all {len(after)} "
            "versions, instants of recording "
            "included; the next week complete, equal and verified",
            seconds(),
        )


def _ledger(tidemark: Tidemark) -> list[tuple[object, ...]]:
    """Every version as it was recorded, by the published ledger."""
    with attached(tidemark.published, alias="published") as connection:
        return connection.execute(
            f"select {', '.join(LEDGER_COLUMNS)} from quality.unit_versions order by table_name, unit, version"
        ).fetchall()


def corrupt_model(ground: Ground) -> Result:
    """Change a byte of the newest trader model, then do what the message says."""
    chance = random.Random(SEED)
    with timed() as seconds, ground.copy("model") as tidemark:
        folder = max((tidemark.folder / "models" / "trader").iterdir())
        path = max(folder.glob("*.txt"), key=lambda each: each.stat().st_size)
        _flip(path, chance)
        refusal(ground.call(tidemark), names=str(folder))
        ground.hold_untouched(tidemark)
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "corrupt model file",
            "The run fails and names the folder; with the folder restored or deleted (the refit is trained again) it completes",
            "one byte of the newest trader model changed: named, the week before whole and verified; folder deleted, "
            "trained again to the same "
            "version, complete and equal",
            seconds(),
        )
