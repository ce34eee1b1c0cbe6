"""Optimiser: thousands of variants of an index definition on one history, and how much of the best of them is luck.

Belongs here: pure domain code from a market in arrays to an answer in words.
Does not: the index engine that the fast walk is held to (`models_ml/indices`), reading or writing tables (`orchestration/lib`).
"""
