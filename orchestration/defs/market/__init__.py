"""The state of the market after the calls of the day."""
