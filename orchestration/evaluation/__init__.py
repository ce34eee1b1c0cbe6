"""What `make evaluate` measures, one module a page of docs/results/.

Belongs here: which figures of `models_ml.learning.evaluation` are shown, in which words, and the experiments that need models trained
on purpose (permuted labels, other labels, other features).
Does not: the order of the pages and the runs they rest on (`orchestration/evaluate.py`), the figures themselves (`models_ml`).
"""
