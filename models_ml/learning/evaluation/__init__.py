"""Evaluation: what scores, probabilities and ranges were worth once their outcomes are known.

Belongs here: statistics as pure functions from frames to frames, one module a question (`docs/explanation/evaluation.md`).
Does not: models, labels, the choice of weeks, tables and plots (`orchestration`).
"""

from models_ml.learning.evaluation.rank_skill import SMALLEST_CROSS_SECTION
from models_ml.learning.evaluation.weekly import BASELINES, ICIR_WEEKS, evaluate_groups, evaluate_week, trailing_icir

__all__ = ["BASELINES", "ICIR_WEEKS", "SMALLEST_CROSS_SECTION", "evaluate_groups", "evaluate_week", "trailing_icir"]
