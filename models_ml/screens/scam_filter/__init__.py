"""The scam and pump filter: warnings of token-weeks, each with its value, its threshold and a reason in words.

Belongs here: one module a subject, pure expressions over the input frame (`inputs.py`), and what gathers them (`token_warnings.py`).
Does not: reading the warehouse (`orchestration/lib/filter_inputs.py`), who is picked in the end (`models_ml/screens/moonshots.py`).
"""
