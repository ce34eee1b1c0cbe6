"""What is asked of an index: goals and risk profiles, and a score by which variants compare.

Belongs here: the goal as a user writes it, how far figures are from it, the order of variants it implies.
Does not: the figures (`figures.py`), the choice among variants (`splits.py`).
"""

from __future__ import annotations

import re
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from models_ml.indices.strict import Share, Strict
from models_ml.optimiser.errors import SearchError
from models_ml.optimiser.figures import Figures
from models_ml.yaml_text import YamlTextError, load_yaml

Floats = npt.NDArray[np.float64]

MET = 1e6
"""Added to the score of a variant that meets its goal: any such one comes before all that do not."""


class Goal(Strict):
    """Limits that a variant should keep, and the figure that decides among those that do."""

    annual_return: float | None = Field(default=None, gt=-1)
    """Least return a year, a fraction."""
    max_drawdown: Share | None = None
    """Largest loss from a high, a fraction."""
    volatility: float | None = Field(default=None, gt=0)
    """Largest standard deviation a year, a fraction."""
    rank_by: Literal["sharpe", "annual_return"] = "sharpe"

    @model_validator(mode="after")
    def return_is_no_zero(self) -> Self:
        """Refuse a return of 0, from which no distance can be a share."""
        if self.annual_return == 0:
            raise ValueError("annual_return 0 asks for nothing but not to lose; write 0.01, or leave it out")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of their figure."""
        named = {name: getattr(self, name) for name in ("annual_return", "max_drawdown", "volatility")}
        return {name: limit for name, limit in named.items() if limit is not None}

    def is_met(self, figures: Figures) -> npt.NDArray[np.bool_]:
        """Whether every limit is kept, in the shape of the figures; true everywhere without limits."""
        return np.asarray(self.shortfall(figures) == 0)

    def shortfall(self, figures: Figures) -> Floats:
        """Sum of what is missing to each limit, as a share of the limit; 0 where all are kept."""
        missing = np.zeros(figures.sharpe.shape)
        for name, limit in self.limits.items():
            value = getattr(figures, name)
            missing += np.maximum(limit - value if name == "annual_return" else value - limit, 0.0) / abs(limit)
        return missing

    def score(self, figures: Figures) -> Floats:
        """What variants are ordered by, higher is better: those that keep all limits by `rank_by`, then by what is missing."""
        value = np.nan_to_num(getattr(figures, self.rank_by), nan=-MET / 2)
        missing = self.shortfall(figures)
        return np.where(missing == 0, value + (MET if self.limits else 0.0), -missing)


PROFILES = {
    "cautious": Goal(max_drawdown=0.25, rank_by="annual_return"),
    "balanced": Goal(max_drawdown=0.45, rank_by="annual_return"),
    "daring": Goal(max_drawdown=0.70, rank_by="annual_return"),
}
"""The most return below a largest loss. The losses are our assumption: bitcoin lost 77 % from 2021 to 2022."""


def parse_goal(text: str) -> Goal:
    """Read a goal: a profile's name, or limits as `annual_return=0.15,max_drawdown=0.10` or as a YAML mapping.

    Raises:
        SearchError: It is neither, or a limit cannot be meant.
    """
    cleaned = text.strip()
    if not cleaned:
        return Goal()
    if cleaned in PROFILES:
        return PROFILES[cleaned]
    if re.fullmatch(r"\w+=[^,{}]+(,\s*\w+=[^,{}]+)*", cleaned):
        cleaned = "{" + cleaned.replace("=", ": ") + "}"
    try:
        content = load_yaml(cleaned)
        if not isinstance(content, dict):
            raise SearchError(
                f"GOAL={text} is no goal; write annual_return=0.15,max_drawdown=0.10 or one of {', '.join(PROFILES)}"
            )
        return Goal.model_validate(content)
    except YamlTextError as error:
        raise SearchError(f"GOAL={text:.200} is not valid YAML ({error})") from None
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'goal'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False)
        )
        raise SearchError(f"GOAL={text}: {told}; fractions, for example annual_return=0.15,max_drawdown=0.10") from None
