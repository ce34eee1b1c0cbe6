"""Developer features: how much is written on a token's code, and whether that grows.

Belongs here: commits and stars of the token's repositories.
Does not: users of the token (`community.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import growth_between_readings, newest_reading
from models_ml.features.feature import Feature

DEVELOPERS = ("fct_developers_daily",)
COMMITS_LAG_DAYS = 1
"""A week of commits counts as known a day after its end."""

ACTIVITY_CARRY_DAYS = 35
"""CoinGecko's page of a coin is read every four weeks; a week more allows for a run that was late."""

STARS_CARRY_DAYS = 42
"""Repositories are read every five weeks; a week more allows for a run that was late. `fct_developers_daily` carries as long."""


def work_growth(what: str, weeks: int) -> Feature:
    """Work of the last weeks against that of as many before; one added, so that a pause is a number and not a gap."""
    days = 7 * weeks
    mean = (pl.col(f"{what}_week") / pl.col("commits_repositories")).rolling_mean(days, min_samples=weeks // 2)
    return Feature(
        name=f"{what}_growth_{weeks}w",
        family="developers",
        unit="log ratio",
        formula=(
            f"ln((1 + mean({what} a repository and week, {weeks} weeks)) / (1 + the same of the {weeks} weeks before)); an import "
            "without rows for idle weeks counts working weeks only"
        ),
        look_back_days=2 * days - 1,
        lag_days=COMMITS_LAG_DAYS,
        sources=DEVELOPERS,
        expr=((1 + mean) / (1 + mean.shift(days))).log(),
        is_model_input=False,
    )


def stars_growth(days: int) -> Feature:
    """Growth of the stars of the same number of repositories; a repository more or less is no growth."""
    repositories = newest_reading("stars_repositories", carry_days=STARS_CARRY_DAYS)
    growth = growth_between_readings("stars", days=days, carry_days=STARS_CARRY_DAYS)
    return Feature(
        name=f"stars_growth_{days}d",
        family="developers",
        unit=f"log ratio per {days} days",
        formula=f"growth of ln(stars) between the newest reading and the one {days} days before, per {days} days",
        look_back_days=days + STARS_CARRY_DAYS,
        sources=DEVELOPERS,
        expr=pl.when(repositories == repositories.shift(days)).then(growth),
        is_model_input=False,
    )


FEATURES = [
    work_growth("commits", 12),
    work_growth("authors", 12),
    Feature(
        name="commits_4w",
        family="developers",
        unit="commits in 4 weeks",
        formula=f"commits of the last four weeks as CoinGecko counts them, the newest reading of {ACTIVITY_CARRY_DAYS} days",
        look_back_days=ACTIVITY_CARRY_DAYS,
        sources=DEVELOPERS,
        expr=newest_reading("commits_4w", carry_days=ACTIVITY_CARRY_DAYS),
        is_model_input=False,
    ),
    stars_growth(28),
]
