"""What every section of an index definition is built from: the strict base class and the common kinds of values.

Belongs here: types shared by `definition.py` and `weighting_rules.py`.
Does not: any field of a definition.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

TOLERANCE = 1e-9

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Amount = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """Unknown keys are refused, values never change, infinities and NaN are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
