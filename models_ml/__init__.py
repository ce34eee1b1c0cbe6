"""Pure domain code: features, learning, indices, screens and sentiment as functions from frames to frames.

Nothing here reads a file, a database, the clock or the network, and nothing imports `orchestration` or Dagster.
"""
