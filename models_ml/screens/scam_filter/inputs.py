"""The input frame of the filter: one row a token and week, null where the source is absent.

Belongs here: names, types and meanings of its columns. Does not: where they come from (`orchestration/lib/filter_inputs.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

INPUT_SCHEMA: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "as_of_week": pl.Date(),
        "token_id": pl.String(),
        "is_low_cap": pl.Boolean(),
        "is_graded": pl.Boolean(),
        # the week's close
        "price_usd": pl.Float64(),
        "claimed_cap_usd": pl.Float64(),
        "cap_held_back_days": pl.Int64(),
        # volume
        "volume_30d_usd": pl.Float64(),
        "turnover_week": pl.Float64(),
        "turnover_to_peers": pl.Float64(),
        "volume_deviation_7d": pl.Float64(),
        "round_days_14d": pl.Int64(),
        "unmoved_days_14d": pl.Int64(),
        "venue_excess_14d": pl.Float64(),
        # pumps and collapses
        "days_since_pump": pl.Int64(),
        "pump_rise": pl.Float64(),
        "pump_volume_surge": pl.Float64(),
        "pump_given_back": pl.Float64(),
        "days_since_collapse": pl.Int64(),
        "collapse_return": pl.Float64(),
        # identity and supply
        "is_migrated": pl.Boolean(),
        "successor_token_id": pl.String(),
        "prices_held_back_30d": pl.Int64(),
        "supply_ratio_30d": pl.Float64(),
        "split_ratio_30d": pl.Float64(),
        # where it trades
        "exchanges_followed": pl.Int64(),
        "venues": pl.Int64(),
        "depth_2pct_usd": pl.Float64(),
        "pool_liquidity_usd": pl.Float64(),
        "pool_age_days": pl.Float64(),
        "pool_buys_24h": pl.Int64(),
        "pool_sells_24h": pl.Int64(),
        "is_honeypot_reported": pl.Boolean(),
        # who holds it
        "top_10_holder_share": pl.Float64(),
    }
)

INPUT_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "as_of_week": "Monday (UTC); closes up to the Sunday before, facts available by its 00:00.",
        "token_id": "Token; `geckoterminal:network_address` for one that only a pool is known of.",
        "is_low_cap": "Cap of 1 to 50 M USD at the close.",
        "is_graded": "In the broad universe at the close.",
        "price_usd": "Close of the Sunday before, USD.",
        "claimed_cap_usd": "Market cap as claimed at that close, before cleaning judged it, USD.",
        "cap_held_back_days": "Days of the last 30 on which cleaning believed no cap that was claimed; null where none was claimed.",
        "volume_30d_usd": "Median daily volume as claimed, 30 days, USD; null under 10 volumes.",
        "turnover_week": "Sum of the volumes claimed in 7 days over the claimed cap; null under 5 volumes.",
        "turnover_to_peers": "turnover_week over the median of tokens of the same power of ten of cap in the week; null under 5 of them.",
        "volume_deviation_7d": "Standard deviation of the logarithm of the daily volume, 7 days; null under 7 volumes.",
        "round_days_14d": "Days of 14 whose volume, of 1,000 USD or more, has at most three digits or is that of the day before.",
        "unmoved_days_14d": "Days of 14 on which eight times the usual volume moved the price by less than a usual day does (cleaning's mark).",
        "venue_excess_14d": (
            "Median over 14 days of the claimed volume over that on an exchange read directly, against the median token; "
            "null where no exchange that trades it is read."
        ),
        "days_since_pump": "Days from the last day of the newest pump-like rise to the close; null without one in reach of the window.",
        "pump_rise": "Rise from the close before it to the highest close since, fraction.",
        "pump_volume_surge": "Largest daily volume of the rise over the median of the 30 days before.",
        "pump_given_back": "Part of the rise lost again at the close, at most 30 days after it: 0 at the top, 1 back where it began.",
        "days_since_collapse": "Days from the newest collapse to the close; null without one in reach.",
        "collapse_return": "Three-day return of that collapse beyond the median token's, fraction.",
        "is_migrated": "A swap of the token into another one had opened by the close.",
        "successor_token_id": "The token it is swapped into; null where there is none.",
        "prices_held_back_30d": "Prices that cleaning did not believe, 30 days.",
        "supply_ratio_30d": "Circulating supply implied by the claimed cap, over that 30 days before; null without both.",
        "split_ratio_30d": (
            "Largest daily step of the implied supply of 30 days (tokens after over tokens before) against which the price moved by the "
            "inverse; 1 without any."
        ),
        "exchanges_followed": "Most exchanges that any token was quoted on in 7 days: those that are read directly.",
        "venues": "Of these, those that quote the token against dollars; null where fewer than three are followed.",
        "depth_2pct_usd": "Bids and asks within 2 % of the mid over all order books read, newest reading of 7 days, USD.",
        "pool_liquidity_usd": "Money in all its pools that were read, newest reading of 7 days, USD.",
        "pool_age_days": "Age of the oldest of these pools, days.",
        "pool_buys_24h": "Trades of a day that bought from these pools.",
        "pool_sells_24h": "Trades of a day that sold to them.",
        "is_honeypot_reported": "The provider says it can be bought and not sold; null where it does not say.",
        "top_10_holder_share": "Part of the supply of the ten largest addresses (0-1), newest reading of 35 days.",
    }
)
