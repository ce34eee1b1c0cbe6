"""`learning.models`: the registry as a table, rebuilt by every run.

Belongs here: its layout, what is written into it, and which models have expired.
Does not: the files of the models (`registry.py`), how the present differs from their training (`monitored_weeks.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.calendar import expires_date
from orchestration.lib.lake import without_keys
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.training import HEADS

TABLE = "learning.models"

COLUMNS: Mapping[str, tuple[str, str]] = {
    "model": ("varchar", "Head: trader, investor, calls, ranges or chances."),
    "refit_date": ("date", "Monday it was trained on; it is in force until the next refit."),
    "model_version": ("varchar", "Version, as in the rows it produced."),
    "column_count": ("integer", "Columns it reads, a count."),
    "column_names": ("varchar", "The columns (JSON list)."),
    "training_first_week": ("date", "First week trained on."),
    "training_last_week": ("date", "Last week trained on: its label had ended before the refit."),
    "training_rows": (
        "bigint",
        "Rows the refit may train on, a count; of more than 300,000 each booster learns from a seeded sample of so many.",
    ),
    "data_hash": ("varchar", "sha256 over those rows, labels included; null in a model that an earlier release froze."),
    "parameters": ("varchar", "What was tuned (JSON object)."),
    "constants": ("varchar", "Numbers learnt beside the trees (JSON object)."),
    "expires_date": ("date", "Last day it is trusted in full."),
    "is_in_force": ("boolean", "Whether it scores the newest week."),
}
"""Type and meaning of each column."""

NULLABLE = ("data_hash",)


@dataclass(frozen=True)
class Expired:
    """A model that scores on after its time.

    Attributes:
        model: Its head.
        refit: Its refit date.
        expired_on: The last day it was trusted in full.
    """

    model: str
    refit: date
    expired_on: date

    def remedy(self, week: date) -> str:
        """What happened and what to do, in a line."""
        return (
            f"{self.model}: the model of {self.refit} expired on {self.expired_on}, {(week - self.expired_on).days} days before "
            f"{week}, and no later one is frozen; its confidence is capped. Run the whole job (make run), whose step learning/models "
            "trains every refit that is due, and see its log where it does not."
        )


def create_model_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table with its comments where it is missing: the api view needs it before the first model is trained."""
    layout = [f"{name} {kind}{'' if name in NULLABLE else ' not null'}" for name, (kind, _) in COLUMNS.items()]
    create = f"create table if not exists {TABLE} ({', '.join(layout)}, primary key (model, refit_date))"
    connection.execute(without_keys(connection, create))
    connection.execute(
        f"comment on table {TABLE} is 'Frozen models, one row a head and refit; rebuilt from the registry.'"
    )
    for name, (_, text) in COLUMNS.items():
        connection.execute(f"comment on column {TABLE}.{name} is {sql_text(text)}")


def record_models(connection: duckdb.DuckDBPyConnection, registry: ModelRegistry, *, week: date) -> pl.DataFrame:
    """Replace the rows of the table by what the registry holds.

    Args:
        connection: The warehouse.
        registry: Frozen models.
        week: The newest week: which models are in force in it.

    Returns:
        The rows, by model and refit date.
    """
    create_model_table(connection)
    rows, cards = [], registry.cards()
    in_force = {head: registry.refit_in_force(head, week) for head in {card["head"] for card in cards}}
    for card in cards:
        refit = date.fromisoformat(card["refit"])
        rows.append(
            (
                card["head"],
                refit,
                card["version"],
                len(card["columns"]),
                json.dumps(card["columns"]),
                *(date.fromisoformat(day) for day in card["training_weeks"]),
                card["training_rows"],
                card.get("data_hash") or None,
                json.dumps(card["parameters"], sort_keys=True),
                json.dumps(card["constants"], sort_keys=True),
                expires_date(refit),
                refit == in_force.get(card["head"]),
            )
        )
    connection.execute(f"delete from {TABLE}")
    if rows:
        connection.executemany(f"insert into {TABLE} values ({', '.join('?' * len(COLUMNS))})", rows)
    return connection.execute(f"select * from {TABLE} order by model, refit_date").pl()


def expired_models(registry: ModelRegistry, *, week: date) -> list[Expired]:
    """The models in force in a week that have expired by it."""
    found = []
    for head in HEADS:
        refit = registry.refit_in_force(head.name, week)
        if refit is not None and week > expires_date(refit):
            found.append(Expired(head.name, refit, expires_date(refit)))
    return found
