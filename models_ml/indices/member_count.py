"""How many members an index needs: the rule of the CRIX.

Belongs here: Akaike's criterion over numbers of members.
Does not: which tokens are eligible and in which order (`selection.py`).
"""

import datetime as dt

import numpy as np
import polars as pl

from models_ml.indices.market import PriceLookup

STEP = 5
WINDOW_DAYS = 90
LEAST_RETURNS = 30
"""With fewer returns the criterion has too little to tell by, and the smallest number is taken."""


def aic_count(eligible: pl.DataFrame, *, day: dt.date, prices: PriceLookup, most: int) -> int:
    """Number of the largest tokens that stand for all eligible ones.

    An index of the k largest, k in steps of 5, is compared with the total market over the past 90 days, both weighted by the market cap
    of `day` at the prices of then (units as of now). With e the difference of their daily log returns, n of them,
    AIC(k) = n ln(mean(e^2)) + 2 k; the first k whose successor does not lower it is taken.

    Args:
        eligible: Rows by rank with token_id and market_cap_usd.
        day: The close the decision rests on; nothing after it is asked for.
        prices: Closes.
        most: Largest number.

    Returns:
        From 5 to `most`, or fewer where fewer are eligible.

    Source: Trimborn & Haerdle (2018), CRIX an index for cryptocurrencies, Journal of Empirical Finance 49, 107-122. They estimate the
    likelihood by a kernel; the normal one here needs no bandwidth.
    """
    ordered = eligible.sort("market_cap_usd", "token_id", descending=[True, False])
    largest = min(most, ordered.height)
    counts: list[int] = [*range(STEP, largest, STEP), largest]
    block = prices.block(ordered["token_id"].to_list(), day - dt.timedelta(days=WINDOW_DAYS), day)
    units = ordered["market_cap_usd"].to_numpy() / block.prices_usd[-1]
    # A token without a price that far back joins both sides when its prices begin.
    values = np.nan_to_num(block.prices_usd * units)
    before, after = values[:-1], np.where(values[:-1] > 0, values[1:], 0.0)
    known = before[:, : counts[0]].any(axis=1)  # a day before the largest few had prices compares nothing
    if known.sum() < LEAST_RETURNS:
        return counts[0]
    last = [*(count - 1 for count in counts), -1]
    returns = np.log(np.cumsum(after[known], axis=1)[:, last] / np.cumsum(before[known], axis=1)[:, last])
    errors = returns[:, :-1] - returns[:, -1:]
    criteria = len(errors) * np.log((errors**2).mean(axis=0) + np.finfo(float).tiny) + 2 * np.array(counts)
    for position, count in enumerate(counts[:-1]):
        if criteria[position + 1] >= criteria[position]:
            return count
    return counts[-1]
