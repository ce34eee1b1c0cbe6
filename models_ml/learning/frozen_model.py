"""A frozen model: the boosters of one head, trained on the past of one refit date and never changed.

Belongs here: what a model is and what identifies it.
Does not: training (`ranking.py`, `moves.py`, `price_ranges.py`), its files (`orchestration/lib/registry.py`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl


@dataclass(frozen=True)
class FrozenModel:
    """The model of one head and refit.

    Attributes:
        head: trader, investor, calls, ranges or chances.
        refit: Refit date, a Monday.
        boosters: LightGBM model text by name.
        columns: Columns the boosters read.
        training_weeks: First and last week trained on.
        training_rows: Rows the refit may train on; its boosters learn from at most `boosters.MOST_TRAINING_ROWS` of them.
        constants: Numbers learnt beside the trees: base rates, conformal multipliers.
        parameters: What was tuned, and how many trials it took (`trials`, 0 where nothing was).
        data_hash: sha256 over the rows trained on, labels included (`training_profile.data_hash`); empty in a model that an earlier
            release froze. No part of the version: what a model predicts follows from its trees.
    """

    head: str
    refit: date
    boosters: dict[str, str]
    columns: tuple[str, ...]
    training_weeks: tuple[date, date]
    training_rows: int
    constants: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    data_hash: str = ""

    @property
    def version(self) -> str:
        """`<head>-<refit>-<hash>`: the hash covers trees, columns and constants, so equal versions predict equally."""
        content = json.dumps([sorted(self.boosters.items()), self.columns, sorted(self.constants.items())])
        return f"{self.head}-{self.refit.isoformat()}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def card(self) -> dict[str, Any]:
        """Everything but the trees, for the registry and the UI."""
        return {
            "version": self.version,
            "head": self.head,
            "refit": self.refit.isoformat(),
            "columns": list(self.columns),
            "training_weeks": [week.isoformat() for week in self.training_weeks],
            "training_rows": self.training_rows,
            "data_hash": self.data_hash,
            "constants": self.constants,
            "parameters": self.parameters,
            "boosters": sorted(self.boosters),
        }

    def refuse_missing_columns(self, frame: pl.DataFrame) -> None:
        """Refuse a frame that lacks columns of the model.

        Raises:
            ValueError: It does, because the feature catalogue changed after the refit.
        """
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            raise ValueError(
                f"model {self.version} needs the columns {missing}, which the feature catalogue no longer has; keep them until "
                "the next refit, or run make rebuild for the weeks it scores"
            )
