"""The local stand-in for every provider: a simulated market and a server that speaks the providers' wire formats.

Belongs here: the market's simulation, its defects, the provider routes, faults on demand, the runner.
Does not: clients of these routes (`orchestration/sources`), anything that knows Dagster or the data folder.
"""
