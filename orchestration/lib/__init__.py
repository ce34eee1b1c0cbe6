"""Machinery under the definitions: landing store, warehouse, versions, publishing, expectations, locks, provenance.

Belongs here: code that touches disk or the database and is testable without Dagster (`dagster_*.py` and `resources.py` excepted).
Does not: providers (`orchestration/sources`), Dagster definitions (`orchestration/defs`), formulas (`models_ml`).
"""
