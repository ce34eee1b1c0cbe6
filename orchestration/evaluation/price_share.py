"""How much of the Investor Grade is price: its likeness to the Trader Grade, and what its models' gain comes from.

Belongs here: the section of docs/results/investor.md that says whether it is a long-horizon price grade.
Does not: skill (`ranking.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.boosters import gain_shares
from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.explanations import gain_by_family
from models_ml.learning.ranking import INVESTOR
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.evaluation.ranking import INVESTOR as SHOWN
from orchestration.lib.metadata import markdown_table
from orchestration.lib.registry import ModelRegistry

PRICE_FAMILIES = ("momentum", "trend", "volatility", "risk", "relative strength")
MOSTLY = 0.5


def section(history: History, registry: ModelRegistry) -> str:
    """Rank correlation with the Trader Grade by week, and the mean share of gain by family over the refits shown."""
    grades = {
        name: history.query(f"select as_of_week, token_id, score as {name} from api.{name}_grades")
        for name in ("trader", "investor")
    }
    both = grades["trader"].join(grades["investor"], on=KEYS).filter(pl.col("as_of_week") >= FIRST_WEEK)
    weekly = both.group_by("as_of_week").agg(value=pl.corr("trader", "investor", method="spearman")).sort("as_of_week")
    likeness = summarise_weekly(weekly, block=SHOWN.block).row(0, named=True)
    refits = [refit for refit in registry.refits(INVESTOR.name) if refit >= FIRST_WEEK]
    models = [model for refit in refits if (model := registry.load(INVESTOR.name, refit)) is not None]
    families = (
        pl.concat(gain_by_family(gain_shares(list(model.boosters.values()))) for model in models)
        .group_by("family")
        .agg(gain_share=pl.col("gain_share").sum() / len(models))
        .sort("gain_share", descending=True)
    )
    price = families.filter(pl.col("family").is_in(PRICE_FAMILIES))["gain_share"].sum()
    verdict = "it is a **long-horizon price grade**" if price > MOSTLY else "it is more than a price grade"
    return (
        "## How much of it is price\n\nMean weekly rank correlation with the Trader Grade's score: "
        f"{likeness['mean']:.2f} ({likeness['low']:.2f} to {likeness['high']:.2f}). Share of the models' gain from "
        f"{', '.join(PRICE_FAMILIES)}: "
        f"{price:.0%}, so {verdict}. Mean over {len(models)} refits:\n\n" + markdown_table(families)
    )
