"""The simulated market beside the real one, in one table and one picture: `python -m orchestration.market_comparison`.

What the figures mean for a user stands in docs/explanation/simulated-market.md, the simulation in `orchestration/sandbox`.
"""
