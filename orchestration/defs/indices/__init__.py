"""Index compositions, rebalances and levels as assets."""
