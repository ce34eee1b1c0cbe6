"""Dagster definitions by domain. A definition is thin: its body calls `sources`, `lib` or `models_ml`.

Resources, partitions and machinery live in `orchestration/lib`.
"""
