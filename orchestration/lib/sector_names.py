"""Names of the categories that the project's sectors and pegged classes are made of, from the seeds of the dbt project."""

from __future__ import annotations

from orchestration.settings import REPOSITORY_ROOT

SEEDS = ("sector_categories.csv", "pegged_categories.csv")


def seed_category_names() -> list[str]:
    """Display names of the categories that sectors and pegged classes rest on."""
    names: list[str] = []
    for seed in SEEDS:
        lines = (REPOSITORY_ROOT / "dbt_project" / "seeds" / seed).read_text(encoding="utf-8").splitlines()[1:]
        names += [line.split(",")[0] for line in lines if line]
    return list(dict.fromkeys(names))
