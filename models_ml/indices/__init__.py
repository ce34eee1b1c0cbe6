"""Index engine: definitions, weighting, selection, rotation and the weekly fold that yields levels and compositions.

Belongs here: pure domain code, frames in and frames out; the one exception reads YAML definitions (`definition.py`).
Does not: reading or writing tables (`orchestration/lib`), assets (`orchestration/defs/indices`), backtests.
"""
