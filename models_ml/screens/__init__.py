"""Screens: weekly short lists of tokens, each line with the evidence it rests on.

Belongs here: pure domain code, a snapshot frame in and a screened frame out.
Does not: reading snapshots or writing picks (`orchestration/defs/screens`), outcomes of picks (`models_ml/backtest`).
"""
