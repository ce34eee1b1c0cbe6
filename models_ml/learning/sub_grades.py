"""Sub-grades: how a token stands by family of features, from the model's contributions where the model sees the family.

Belongs here: the definition file `sub_grades.yaml`, and both ways to a sub-grade.
Does not: contributions (`explanations.py`), the feature catalogue (`models_ml.features`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from models_ml.features.catalogue import CATALOGUE
from models_ml.learning.dataset import keys_of
from models_ml.learning.places import place_among

LEAST_COVERAGE = 0.5
"""Below this share of known features a sub-grade is null."""

MODEL, DESCRIPTIVE = "model", "descriptive"
"""Basis of a sub-grade: contributions to the score, or a mean rank with fixed signs that no outcome has confirmed."""


class SubGrade(BaseModel):
    """One sub-grade as the file defines it.

    Attributes:
        families: Families of the catalogue it is made of.
        signs: 1 or -1 by feature, where no model sees the families.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: tuple[str, ...]
    signs: Mapping[str, int] = {}

    @model_validator(mode="after")
    def names_are_known(self) -> SubGrade:
        """Refuse families and features that the catalogue does not have, and signs other than 1 and -1."""
        families = {feature.family for feature in CATALOGUE}
        names = {feature.name for feature in CATALOGUE if feature.family in self.families}
        problems = [f"family {family!r} is not in the catalogue" for family in self.families if family not in families]
        problems += [f"feature {name!r} is not in {self.families}" for name in self.signs if name not in names]
        problems += [
            f"sign {sign} of {name!r} must be 1 or -1" for name, sign in self.signs.items() if sign not in (1, -1)
        ]
        if problems:
            raise ValueError(f"sub_grades.yaml: {'; '.join(problems)}")
        return self

    @property
    def model_inputs(self) -> tuple[str, ...]:
        """Features of its families that the models see."""
        return tuple(
            feature.name for feature in CATALOGUE if feature.family in self.families and feature.is_model_input
        )

    @property
    def basis(self) -> str:
        """`model` where the models see a feature of its families, else `descriptive`."""
        return MODEL if self.model_inputs else DESCRIPTIVE


@cache
def sub_grades() -> dict[str, SubGrade]:
    """The definitions by name, in the order of the file."""
    content = yaml.safe_load((Path(__file__).parent / "sub_grades.yaml").read_text())
    return {name: SubGrade.model_validate(entry) for name, entry in content.items()}


def grade_families(added: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Sub-grades of every row.

    Args:
        added: `explanations.score_contributions` of the rows.
        features: The same rows with the features of the catalogue (nullable).

    Returns:
        The keys, sub_grade (its name), grade (percentile 0-100 among the rows of the day that have one, null below half of the features
        known), basis, coverage (share of its features known, 0-1); one row a row and sub-grade.
    """
    keys = keys_of(added)
    day = "market_date" if "market_date" in keys else "as_of_week"
    names = {name for definition in sub_grades().values() for name in (*definition.model_inputs, *definition.signs)}
    joined = added.join(
        features.select(day, "token_id", *sorted(names)), on=[day, "token_id"], how="left", maintain_order="left"
    )
    parts = []
    for name, definition in sub_grades().items():
        if definition.basis == MODEL:
            used = definition.model_inputs
            value = pl.sum_horizontal(f"rank_{feature}" for feature in used)
        else:
            used = tuple(definition.signs)
            ranks = [place_among(pl.col(feature) * sign, day) for feature, sign in definition.signs.items()]
            value = pl.mean_horizontal(ranks)
        coverage = pl.mean_horizontal(pl.col(feature).is_not_null().cast(pl.Float64) for feature in used)
        parts.append(
            joined.with_columns(coverage=coverage, value=value)
            .with_columns(value=pl.when(pl.col("coverage") >= LEAST_COVERAGE).then("value"))
            .select(
                *keys,
                sub_grade=pl.lit(name),
                grade=100 * place_among(pl.col("value"), day),
                basis=pl.lit(definition.basis),
                coverage=pl.col("coverage"),
            )
        )
    return pl.concat(parts).sort(*keys, "sub_grade")
