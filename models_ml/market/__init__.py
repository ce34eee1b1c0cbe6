"""The state of the whole market: its regime, its call, and how far back one must go for a value like today's.

Belongs here: pure computations over daily series. Does not: reading or writing tables (`orchestration/lib/market_tables.py`).
"""
