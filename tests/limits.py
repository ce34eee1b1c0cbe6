"""How patient the clients of tests are that talk to the sandbox."""

from orchestration.sources.http import HttpLimits

QUICK = HttpLimits(attempts=2, first_pause_seconds=0.01, rate_limited_pause_seconds=0.01)
"""Short pauses between attempts, and all the time an answer may need: a busy machine is no slow provider."""
