"""From a failed run to its cause: one sentence instead of a stack trace."""

import dagster as dg
import pytest

from orchestration.lib.failures import WHY, why_failed
from orchestration.lib.weeks import WeekError


@dg.asset
def prices(week: dg.ResourceParam[str]) -> None:
    """An asset that fails unless it is told a day."""
    if week == "next week":
        try:
            raise ValueError("no isoformat")
        except ValueError:
            raise WeekError("week.as_of 'next week' is no day;\nwrite it as YYYY-MM-DD") from None


@dg.asset(deps=[prices])
def grades() -> None:
    """What follows from it."""


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ("2025-01-06", None),
        (
            "next week",
            f"{WHY}prices: WeekError: week.as_of 'next week' is no day; write it as YYYY-MM-DD. "
            "Nothing that follows from it ran, and what was published before stays. "
            "What to do: docs/how-to/when-it-fails.md#the-week-cannot-be-built",
        ),
    ],
)
def test_a_run_says_which_step_failed_with_which_value_and_what_to_do(week, said):
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([prices, grades], instance=instance, resources={"week": week}, raise_on_error=False)

        assert why_failed(instance, result.run_id) == said
