"""Backtests of indices: what trading them would have cost, how much money they bear, and what their levels were worth.

Belongs here: pure functions from published rebalances, levels and daily rows to frames (`docs/explanation/backtest.md`).
Does not: composing an index (`models_ml/indices`), scores and calls (`models_ml/learning/evaluation`), tables and plots.
"""
