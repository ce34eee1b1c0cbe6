"""Pure domain code: features, learning, indices and screens as functions from frames to frames.

Nothing here reads a file, a database, the clock or the network, and nothing imports `orchestration` or Dagster.
"""
