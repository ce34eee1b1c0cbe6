"""Orders: from what is held to what an index holds, in the amounts that a venue takes.

Belongs here: pure functions from weights, holdings, quotes and a venue's rules to a list of orders (`docs/how-to/trade-an-index.md`).
Does not: sending an order anywhere, which nothing in this project does; asking a venue (`orchestration/sources/exchanges`);
costs of a backtest (`models_ml/backtest/costs.py`).
"""
