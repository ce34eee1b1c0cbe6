"""Providers: one module each that requests, parses and validates, and the registry of what they land (`datasets.py`).

Belongs here: wire formats, limits and traps of a provider, the shared HTTP client, the row rules of every dataset.
Does not: Dagster, files and databases (`orchestration/lib`), reading settings or the environment.
"""
