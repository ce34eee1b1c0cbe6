"""Learning: labels, walk-forward training, grades, signals, and their evaluation out of sample.

Belongs here: everything from the weekly feature frame to scores and metrics, as pure functions.
Does not: features of one token (`models_ml.features`), the registry's files and the versioned tables (`orchestration/lib`).
"""
