"""Fault drills on real runs: what is done to a weekly run, what must come of it, what came of it.

`make drills` (or `python -m tests.faults.drills [NAME ...]`) performs them and writes docs/results/drills.md.

Belongs here: one module a kind of fault; what they share is in `ground.py` (folders and runs) and `state.py` (what is compared).
Does not: tests that run with `make test` (`tests/faults/test_*.py`), providers that fail politely (`tests/faults/fault_matrix.py`).
"""
