"""Time-series features of tokens as polars expressions, each beside its catalogue entry.

Belongs here: one module a family, the catalogue that lists them, the function that computes them.
Does not: cross-sectional ranks and labels (`models_ml.learning`), cleaning and joins (dbt), reading or writing tables.
"""
