"""Every feature of the catalogue equals a slow and obvious calculation, day by day, on a market with holes."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest

from models_ml.features.catalogue import FEATURE_NAMES, MODEL_INPUT_NAMES
from models_ml.features.compute import token_features

NAN = float("nan")
HALF = {7: 5, 14: 7, 20: 10, 30: 15, 50: 25, 90: 45, 200: 100, 365: 182}
"""Observations a window needs, by its days."""

DOUBLE = 1e-8
"""Relative error allowed, in double precision: differences of windows lose some of its 1e-16."""


@dataclass(frozen=True)
class History:
    """One token's calendar days as plain arrays, NaN where nothing is known."""

    price: np.ndarray
    cap: np.ndarray
    volume: np.ndarray
    own: np.ndarray
    btc: np.ndarray
    eth: np.ndarray
    market: np.ndarray
    age: np.ndarray
    onchain: dict[str, np.ndarray]
    facts: dict[str, np.ndarray]
    headlines: np.ndarray

    @property
    def log_volume(self):
        return np.log(self.volume)


def over(values, day, days, statistic, *, least=None):
    """A statistic of the known values of a window that ends on a day; NaN where there are too few."""
    window = values[max(0, day - days + 1) : day + 1]
    known = window[~np.isnan(window)]
    return statistic(known) if len(known) >= (HALF[days] if least is None else least) else NAN


def ago(values, day, days):
    return values[day - days] if day >= days else NAN


def ratio(above, below):
    return above / below if below != 0 else NAN


def sample_deviation(values):
    return values.std(ddof=1)


def trailing_return(days):
    return lambda token, day: token.price[day] / ago(token.price, day, days) - 1


def price_to_average(days):
    return lambda token, day: token.price[day] / over(token.price, day, days, np.mean) - 1


def average_cross(token, day):
    return over(token.price, day, 20, np.mean) / over(token.price, day, 50, np.mean) - 1


def strength_index(token, day):
    def share_of_gains(returns):
        gains, losses = returns[returns > 0].sum(), -returns[returns < 0].sum()
        return 100 * ratio(gains, gains + losses)

    return over(token.own, day, 14, share_of_gains, least=14)


def stochastic(token, day):
    low, high = over(token.price, day, 14, np.min), over(token.price, day, 14, np.max)
    return 100 * ratio(token.price[day] - low, high - low)


def efficiency(token, day):
    distance = abs(math.log(token.price[day] / ago(token.price, day, 30)))
    return ratio(distance, over(np.abs(token.own), day, 30, np.sum))


def up_days(token, day):
    return over(token.own, day, 30, lambda returns: np.mean(returns > 0))


def volatility(days):
    return lambda token, day: over(token.own, day, days, sample_deviation) * math.sqrt(365)


def downside(token, day):
    return over(token.own, day, 30, lambda returns: math.sqrt(np.mean(np.minimum(returns, 0) ** 2) * 365))


def volatility_ratio(token, day):
    return ratio(over(token.own, day, 7, sample_deviation), over(token.own, day, 30, sample_deviation))


def drawdown(days):
    return lambda token, day: token.price[day] / over(token.price, day, days, np.max) - 1


def rebound(token, day):
    return token.price[day] / over(token.price, day, 30, np.min) - 1


def skewness(days):
    def moment(returns):
        centred = returns - returns.mean()
        return np.mean(centred**3) / np.mean(centred**2) ** 1.5 if returns.var() > 1e-10 else NAN

    return lambda token, day: over(token.own, day, days, moment)


def with_bitcoin(days, statistic):
    """A statistic of the pairs of own and bitcoin's returns of a window."""

    def value(token, day):
        window = slice(max(0, day - days + 1), day + 1)
        own, btc = token.own[window], token.btc[window]
        both = ~np.isnan(own) & ~np.isnan(btc)
        return statistic(own[both], btc[both]) if both.sum() >= HALF[days] else NAN

    return value


def slope(own, btc):
    return np.polyfit(btc, own, 1)[0]


def correlation(own, btc):
    return np.corrcoef(own, btc)[0, 1] if own.var() > 1e-10 else NAN


def residual_volatility(own, btc):
    fitted = np.polyval(np.polyfit(btc, own, 1), btc)
    return (own - fitted).std() * math.sqrt(365)


def tracking(reference):
    return lambda token, day: over(token.own - getattr(token, reference), day, 90, sample_deviation)


def turnover(days, least):
    return lambda token, day: over(token.volume / token.cap, day, days, np.mean, least=least)


def surge(days, least):
    return lambda token, day: math.exp(
        over(token.log_volume, day, days, np.mean, least=least) - over(token.log_volume, day, 30, np.mean, least=10)
    )


def volume_trend(token, day):
    before = over(token.log_volume, day - 30, 60, np.mean, least=20) if day >= 30 else NAN
    return over(token.log_volume, day, 30, np.mean, least=10) - before


def volume_changes(token, day):
    changes = np.diff(token.log_volume, prepend=NAN)
    return over(changes, day, 30, sample_deviation, least=10)


def price_impact(token, day):
    mean = over(np.abs(token.own) / token.volume, day, 30, np.mean, least=10)
    return math.log(mean) if mean > 0 else NAN


def against(reference, days):
    return lambda token, day: over(token.own - getattr(token, reference), day, days, np.sum)


def autocorrelation(token, day):
    yesterday = np.concatenate([[NAN], token.own[:-1]])
    square = over(token.own**2, day, 30, np.mean)
    return over(token.own * yesterday, day, 30, np.mean) / square if square > 1e-10 else NAN


def standardised_move(token, day):
    return ratio(token.own[day], over(token.own, day, 30, sample_deviation))


def supply_growth(days):
    def value(token, day):
        supply = token.cap / token.price
        return math.log(supply[day] / ago(supply, day, days))

    return value


def network_growth(metric):
    def value(token, day):
        known = token.onchain[metric]
        recent = over(known, day, 7, np.mean, least=4)
        before = over(known, day - 7, 30, np.mean, least=15) if day >= 7 else NAN
        return math.log(recent / before)

    return value


def net_inflow(token, day):
    net = token.onchain["exchange_inflow_tokens"] - token.onchain["exchange_outflow_tokens"]
    return over(net, day, 7, np.sum, least=4) / token.onchain["supply_tokens"][day]


def fact(column):
    return lambda token, day: token.facts[column][day]


def mean_fact(column, days, *, least):
    return lambda token, day: over(token.facts[column], day, days, np.mean, least=least)


def to_cap(value, *, times=1.0):
    return lambda token, day: times * value(token, day) / token.cap[day]


def most_venues(token, day):
    return over(token.facts["venues_listing"], day, 7, np.max, least=1)


def funding_zscore(token, day):
    rates = token.facts["funding_rate_8h"]
    usual, deviation = over(rates, day, 90, np.mean), over(rates, day, 90, sample_deviation)
    return (over(rates, day, 7, np.mean, least=4) - usual) / deviation


def interest_growth(days):
    def value(token, day):
        interest, venues = token.facts["open_interest_usd"], token.facts["open_interest_venues"]
        is_same = venues[day] == ago(venues, day, days)
        return math.log(interest[day] / ago(interest, day, days)) if is_same else NAN

    return value


def locked(token, day):
    chain, protocols = token.facts["chain_tvl_usd"][day], token.facts["protocol_tvl_usd"][day]
    return protocols if np.isnan(chain) else chain


def locked_growth(days):
    def value(token, day):
        for column in ("chain_tvl_usd", "protocol_tvl_usd"):
            growth = math.log(token.facts[column][day] / ago(token.facts[column], day, days))
            if not np.isnan(growth):
                return growth
        return NAN

    return value


def work_growth(column):
    def value(token, day):
        work = token.facts[column] / token.facts["commits_repositories"]
        recent = over(work, day, 84, np.mean, least=6)
        before = over(work, day - 84, 84, np.mean, least=6) if day >= 84 else NAN
        return math.log((1 + recent) / (1 + before))

    return value


def reading(values, day, carry):
    """Day of the newest reading that is at most `carry` days old; None where there is none."""
    read = [then for then in range(max(0, day - carry), day + 1) if not np.isnan(values[then])]
    return read[-1] if read else None


def newest(column):
    def value(token, day):
        read = reading(token.facts[column], day, 35)
        return NAN if read is None else token.facts[column][read]

    return value


def growth_between(column, carry, *, same=None):
    def value(token, day):
        values = token.facts[column]
        after, before = reading(values, day, carry), reading(values, day - 28, carry) if day >= 28 else None
        if after is None or before is None or after == before:
            return NAN
        if same is not None and token.facts[same][after] != token.facts[same][before]:
            return NAN
        return math.log(values[after] / values[before]) * 28 / (after - before)

    return value


def mentioned(token, day):
    window, followed = slice(max(0, day - 6), day + 1), slice(max(0, day - 89), day + 1)
    counted = np.where(token.headlines > 0, np.nan_to_num(token.facts["mentions"]), 0)
    if np.nansum(token.facts["mentions"][followed]) == 0 or np.nansum(token.headlines[window]) == 0:
        return NAN
    return counted[window].sum() / np.nansum(token.headlines[window])


def told(kind, days):
    """Mean of the scores of all texts of the window, one by one."""

    def mean(token, day):
        window = slice(max(0, day - days + 1), day + 1)
        counts, scores = token.facts[f"{kind}_texts"][window], token.facts[f"{kind}_sentiment"][window]
        known = ~np.isnan(counts)
        return np.mean(np.repeat(scores[known], counts[known].astype(int))) if known.any() else np.nan

    return mean


def mention_surge(token, day):
    def share(days):
        window = slice(max(0, day - days + 1), day + 1)
        counted = np.where(token.headlines > 0, np.nan_to_num(token.facts["mentions"]), 0)
        return ratio(counted[window].sum(), np.nansum(token.headlines[window]))

    usual = share(90)
    return share(7) / usual if usual > 0 else NAN


def exponential(values, decay):
    """Mean of the known values, day by day, weighted by their age, until the weight of all older ones is 1e-9."""
    memory = math.ceil(math.log(1e-9) / math.log(decay))
    means = np.full(len(values), NAN)
    for day in range(len(values)):
        window = values[max(0, day - memory + 1) : day + 1][::-1]
        weights = (1 - decay) * decay ** np.arange(len(window))
        # The recursion has no seed, so a token's first day does not count.
        known = ~np.isnan(window) & (np.arange(len(window)) < day)
        if weights[known].sum() > 0.5:
            means[day] = (weights[known] * window[known]).sum() / weights[known].sum()
    return means


def by_token(series):
    """A reference from a function that gives a token's whole series; computed once a token."""
    made = {}

    def value(token, day):
        if id(token) not in made:
            made[id(token)] = (token, series(token))
        return made[id(token)][1][day]

    return value


def average(token, days):
    return exponential(token.price, (days - 1) / (days + 1))


def macd_line(token):
    return average(token, 12) - average(token, 26)


def histogram(token):
    return (macd_line(token) - exponential(macd_line(token), 8 / 10)) / token.price


def trix(token):
    smooth = exponential(exponential(average(token, 9), 0.8), 0.8)
    return smooth / np.concatenate([[NAN], smooth[:-1]]) - 1


def wilder(token):
    change = np.diff(token.price, prepend=NAN)
    gains, path = exponential(np.maximum(change, 0), 13 / 14), exponential(np.abs(change), 13 / 14)
    return np.where(path > 1e-10 * token.price, 100 * gains / path, NAN)


def weighted_average(token, day):
    first = max(0, day - 19)
    window, weights = token.price[first : day + 1], np.arange(20.0 - (day - first), 21.0)
    known = ~np.isnan(window)
    if known.sum() < 10:
        return NAN
    return token.price[day] / np.average(window[known], weights=weights[known]) - 1


def bollinger(token, day):
    levels = np.log(token.price)
    mean, spread = over(levels, day, 20, np.mean), over(levels, day, 20, np.std)
    return (levels[day] - mean + 2 * spread) / (4 * spread) if spread > 1e-6 else NAN


def line_through(statistic):
    """A statistic of the known days and log prices of 30 days."""

    def value(token, day):
        days = np.arange(max(0, day - 29), day + 1)
        levels = np.log(token.price[days])
        known = ~np.isnan(levels)
        return statistic(days[known], levels[known]) if known.sum() >= 15 else NAN

    return value


def fit(days, levels):
    return np.corrcoef(days, levels)[0, 1] ** 2 if levels.var() > 1e-8 else NAN


def volume_shares(days, weigh, *, least, times=1, of=None):
    """Volume weighed by the sign of the day's return over that of the days `of` counts."""

    def value(token, day):
        volume = np.where(np.isnan(token.own), NAN, token.volume)
        above = over(weigh(np.sign(token.own)) * volume, day, days, np.sum, least=least)
        total = over(volume if of is None else of(np.sign(token.own)) * volume, day, days, np.sum, least=least)
        return times * above / total if total > 0 else NAN

    return value


def skipping(token, day):
    return ago(token.price, day, 7) / ago(token.price, day, 30) - 1


def variance_ratio(token, day):
    five = np.array([over(token.own, then, 5, np.sum, least=5) for then in range(day - 89 if day > 89 else 0, day + 1)])
    daily = over(token.own, day, 90, sample_deviation)
    return over(five, len(five) - 1, 90, sample_deviation) ** 2 / (5 * daily**2) if daily > 1e-6 else NAN


def jumps(token, day):
    yesterday = np.concatenate([[NAN], token.own[:-1]])
    square = over(token.own**2, day, 30, np.mean)
    steady = over(np.abs(token.own * yesterday), day, 30, np.mean)
    return np.clip(1 - math.pi / 2 * steady / square, 0, 1) if square > 1e-10 else NAN


def falling_days(own, btc):
    return slope(own[btc < 0], btc[btc < 0]) if (btc < 0).sum() >= 22 else NAN


def downside_beta(token, day):
    window = slice(max(0, day - 89), day + 1)
    own, btc = token.own[window], token.btc[window]
    both = ~np.isnan(own) & ~np.isnan(btc)
    return falling_days(own[both], btc[both])


def alpha(own, btc):
    return (own.mean() - slope(own, btc) * btc.mean()) * 365


def sharpe(token, day):
    spread = over(token.own, day, 90, sample_deviation)
    return over(token.own, day, 90, np.mean) / spread * math.sqrt(365) if spread > 1e-6 else NAN


def sortino(token, day):
    square = over(np.minimum(token.own, 0) ** 2, day, 90, np.mean)
    return over(token.own, day, 90, np.mean) / math.sqrt(square) * math.sqrt(365) if square > 1e-10 else NAN


def deepest(token):
    days = range(len(token.price))
    falls = np.array([token.price[day] / over(token.price, day, 90, np.max) - 1 for day in days])
    return np.array([over(falls, day, 90, np.min) for day in days])


def tails(token, day):
    worst, best = (over(token.own, day, 90, lambda returns, q=q: np.quantile(returns, q)) for q in (0.05, 0.95))
    return -best / worst if worst < -1e-6 else NAN


def excess_kurtosis(returns):
    centred = returns - returns.mean()
    return np.mean(centred**4) / np.mean(centred**2) ** 2 - 3 if returns.var() > 1e-5 else NAN


def volume_correlation(token, day):
    change = np.diff(token.log_volume, prepend=NAN)
    window = slice(max(0, day - 29), day + 1)
    own, volume = token.own[window], change[window]
    both = ~np.isnan(own) & ~np.isnan(volume)
    is_moving = both.sum() >= 15 and own[both].var() > 1e-10
    return np.corrcoef(own[both], volume[both])[0, 1] if is_moving else NAN


def volume_weighted(token, day):
    bought, paid = over(token.volume / token.price, day, 30, np.sum), over(token.volume, day, 30, np.sum)
    return token.price[day] * bought / paid - 1


def mean_metric(metric, days, least):
    return lambda token, day: over(token.onchain[metric], day, days, np.mean, least=least)


def flow_growth(column):
    def value(token, day):
        recent = over(token.facts[column], day, 30, np.mean)
        before = over(token.facts[column], day - 30, 30, np.mean) if day >= 30 else NAN
        return math.log(recent / before)

    return value


def paid_on(token, day):
    rates = token.facts["funding_rate_8h"]
    return over(rates, day, 30, lambda known: np.mean(known > 0))


def interest_to_volume(token, day):
    return token.facts["open_interest_usd"][day] / over(token.volume, day, 7, np.mean, least=4)


def unlock_to_volume(token, day):
    tokens = token.facts["cliff_unlock_30d_tokens"][day] + token.facts["linear_unlock_30d_tokens"][day]
    return tokens * token.price[day] / over(token.volume, day, 30, np.mean, least=10)


def unlocked(*columns):
    return lambda token, day: sum(token.facts[column][day] for column in columns) / (token.cap[day] / token.price[day])


REFERENCES = {
    **{f"return_{days}d": trailing_return(days) for days in (1, 3, 7, 14, 30, 60, 90, 180, 365)},
    **{f"price_to_sma_{days}d": price_to_average(days) for days in (20, 50, 200)},
    "sma_cross_20d_50d": average_cross,
    "rsi_14d": strength_index,
    "stochastic_14d": stochastic,
    "trend_efficiency_30d": efficiency,
    "up_day_share_30d": up_days,
    **{f"volatility_{days}d": volatility(days) for days in (7, 14, 30, 90)},
    "downside_volatility_30d": downside,
    "volatility_ratio_7d_30d": volatility_ratio,
    **{f"drawdown_{days}d": drawdown(days) for days in (30, 90, 365)},
    "rebound_30d": rebound,
    "best_day_30d": lambda token, day: over(token.own, day, 30, np.max),
    "worst_day_30d": lambda token, day: over(token.own, day, 30, np.min),
    **{f"skewness_{days}d": skewness(days) for days in (30, 90)},
    **{f"beta_btc_{days}d": with_bitcoin(days, slope) for days in (30, 90)},
    **{f"correlation_btc_{days}d": with_bitcoin(days, correlation) for days in (30, 90)},
    **{f"idiosyncratic_volatility_{days}d": with_bitcoin(days, residual_volatility) for days in (30, 90)},
    **{f"tracking_error_{coin}_90d": tracking(coin) for coin in ("btc", "eth")},
    "volume_30d_median_usd": lambda token, day: over(token.volume, day, 30, np.median, least=10),
    "turnover_7d": turnover(7, least=3),
    "turnover_30d": turnover(30, least=10),
    "volume_surge_1d_30d": surge(1, least=1),
    "volume_surge_7d_30d": surge(7, least=3),
    "volume_trend_30d_90d": volume_trend,
    "volume_volatility_30d": volume_changes,
    "amihud_illiquidity_30d": price_impact,
    **{f"return_vs_market_{days}d": against("market", days) for days in (7, 30, 90)},
    **{f"return_vs_btc_{days}d": against("btc", days) for days in (30, 90)},
    "return_vs_eth_30d": against("eth", 30),
    "autocorrelation_30d": autocorrelation,
    "move_zscore_30d": standardised_move,
    "log_market_cap": lambda token, day: math.log(token.cap[day]),
    **{f"supply_growth_{days}d": supply_growth(days) for days in (30, 90, 365)},
    "age_days": lambda token, day: token.age[day],
    **{f"{metric}_growth_30d": network_growth(metric) for metric in ("active_addresses", "transactions")},
    "mvrv_ratio": lambda token, day: token.onchain["mvrv_ratio"][day],
    "exchange_net_inflow_7d": net_inflow,
    "bid_ask_spread_7d": mean_fact("bid_ask_spread", 7, least=1),
    "depth_2pct_to_market_cap": to_cap(mean_fact("depth_2pct_usd", 7, least=1)),
    "venues_listing": most_venues,
    "funding_rate_7d": mean_fact("funding_rate_8h", 7, least=4),
    "funding_rate_zscore_90d": funding_zscore,
    "open_interest_to_market_cap": to_cap(fact("open_interest_usd")),
    **{f"open_interest_growth_{days}d": interest_growth(days) for days in (7, 30)},
    **{f"tvl_growth_{days}d": locked_growth(days) for days in (7, 30)},
    "market_cap_to_tvl": lambda token, day: token.cap[day] / locked(token, day),
    "fees_30d_to_market_cap": to_cap(mean_fact("fees_usd", 30, least=15), times=30),
    "commits_growth_12w": work_growth("commits_week"),
    "authors_growth_12w": work_growth("authors_week"),
    "commits_4w": newest("commits_4w"),
    "stars_growth_28d": growth_between("stars", 42, same="stars_repositories"),
    "watchlist_growth_28d": growth_between("watchlist_users", 35),
    "sentiment_up_share": newest("sentiment_up_share"),
    "reddit_subscribers_growth_28d": growth_between("reddit_subscribers", 35),
    "news_mention_share_7d": mentioned,
    "top_10_holder_share": newest("top_10_holder_share"),
    "holders_growth_28d": growth_between("holders", 35),
    "unlock_30d_share": unlocked("cliff_unlock_30d_tokens", "linear_unlock_30d_tokens"),
    "cliff_unlock_30d_share": unlocked("cliff_unlock_30d_tokens"),
    **{
        f"price_to_ema_{days}d": by_token(lambda token, days=days: token.price / average(token, days) - 1)
        for days in (12, 26)
    },
    "macd_12d_26d": by_token(lambda token: macd_line(token) / token.price),
    "macd_histogram_12d_26d_9d": by_token(histogram),
    "trix_9d": by_token(trix),
    "price_to_wma_20d": weighted_average,
    "rsi_wilder_14d": by_token(wilder),
    "bollinger_position_20d": bollinger,
    "bollinger_bandwidth_20d": lambda token, day: 4 * over(np.log(token.price), day, 20, np.std),
    "regression_slope_30d": line_through(lambda days, levels: np.polyfit(days, levels, 1)[0]),
    "regression_r_squared_30d": line_through(fit),
    "on_balance_volume_change_30d": volume_shares(30, lambda sign: sign, least=15),
    "money_flow_index_14d": volume_shares(14, lambda sign: sign > 0, least=7, times=100, of=np.abs),
    "return_30d_skip_7d": skipping,
    "variance_ratio_5d_90d": variance_ratio,
    "ewma_volatility": by_token(lambda token: np.sqrt(exponential(token.own**2, 0.94) * 365)),
    "jump_share_30d": jumps,
    "downside_beta_btc_90d": downside_beta,
    "alpha_btc_90d": with_bitcoin(90, alpha),
    "sharpe_90d": sharpe,
    "sortino_90d": sortino,
    "max_drawdown_90d": by_token(deepest),
    "value_at_risk_90d": lambda token, day: over(token.own, day, 90, lambda returns: np.quantile(returns, 0.05)),
    "tail_ratio_90d": tails,
    "kurtosis_90d": lambda token, day: over(token.own, day, 90, excess_kurtosis),
    "volume_return_correlation_30d": volume_correlation,
    "price_to_vwap_30d": volume_weighted,
    "log_market_cap_per_active_address": lambda token, day: math.log(
        token.cap[day] / mean_metric("active_addresses", 7, 4)(token, day)
    ),
    "nvt_ratio_30d": lambda token, day: token.cap[day] / mean_metric("transfer_value_usd", 30, 15)(token, day),
    "network_fees_30d_to_market_cap": lambda token, day: (
        30 * mean_metric("fees_tokens", 30, 15)(token, day) * token.price[day] / token.cap[day]
    ),
    "revenue_30d_to_market_cap": to_cap(mean_fact("revenue_usd", 30, least=15), times=30),
    "fees_growth_30d": flow_growth("fees_usd"),
    "dex_volume_growth_30d": flow_growth("dex_volume_usd"),
    "funding_positive_share_30d": paid_on,
    "open_interest_to_volume_7d": interest_to_volume,
    "news_mention_surge_7d_90d": mention_surge,
    **{f"{kind}_sentiment_7d": told(kind, 7) for kind in ("news", "social")},
    "news_sentiment_change_7d_90d": lambda token, day: told("news", 7)(token, day) - told("news", 90)(token, day),
    "log_watchlist_to_market_cap": lambda token, day: math.log(newest("watchlist_users")(token, day) / token.cap[day]),
    "unlock_30d_to_volume": unlock_to_volume,
}


@pytest.fixture(scope="module")
def histories(market):
    """The market as plain arrays, made with pandas and without the code under test."""
    daily = market.daily.to_pandas().assign(market_date=lambda rows: pd.to_datetime(rows["market_date"]))
    onchain = market.onchain.to_pandas()
    onchain["known_date"] = pd.to_datetime(onchain.pop("market_date")) + pd.Timedelta(days=1)
    onchain = onchain.set_index(["token_id", "known_date"])
    facts = market.facts.to_pandas().assign(market_date=lambda rows: pd.to_datetime(rows["market_date"]))
    facts = facts.set_index(["token_id", "market_date"])
    news = market.news.to_pandas().assign(market_date=lambda rows: pd.to_datetime(rows["market_date"]))
    headlines = news.set_index("market_date")["headlines"].astype(float)
    calendars = {}
    for token_id, rows in daily.groupby("token_id"):
        days = pd.date_range(rows["market_date"].min(), rows["market_date"].max())
        calendars[token_id] = rows.set_index("market_date").reindex(days)
    closes = pd.DataFrame({token_id: rows["price_usd"] for token_id, rows in calendars.items()})
    returns = np.log(closes).diff().clip(-2, 2)
    counted = pd.DataFrame(
        {t: (rows["market_cap_usd"] > 2e7) & (rows["volume_24h_usd"] > 1e5) for t, rows in calendars.items()}
    )
    median = returns.where(counted.reindex_like(returns).fillna(value=False).astype(bool)).median(axis=1)
    made = {}
    for token_id, rows in calendars.items():
        known, facts_known = (
            table.loc[token_id].reindex(rows.index)
            if token_id in table.index.get_level_values(0)
            else pd.DataFrame(NAN, index=rows.index, columns=table.columns)
            for table in (onchain, facts)
        )
        made[token_id] = History(
            price=rows["price_usd"].to_numpy(),
            cap=rows["market_cap_usd"].to_numpy(),
            volume=rows["volume_24h_usd"].to_numpy(),
            own=returns.loc[rows.index, token_id].to_numpy(),
            btc=returns.loc[rows.index, "bitcoin"].to_numpy(),
            eth=returns.loc[rows.index, "ethereum"].to_numpy(),
            market=median.loc[rows.index].to_numpy(),
            age=np.arange(len(rows), dtype=float),
            onchain={metric: known[metric].to_numpy() for metric in known.columns},
            facts={column: facts_known[column].to_numpy() for column in facts_known.columns},
            headlines=headlines.reindex(rows.index).to_numpy(),
        )
    return made


@pytest.fixture(scope="module")
def computed(market):
    return market.features(dtype=pl.Float64)


def test_every_feature_of_the_catalogue_has_a_reference_here():
    assert set(REFERENCES) == set(FEATURE_NAMES)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_feature_equals_its_slow_reference(name, histories, computed):
    reference = REFERENCES[name]

    expected = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for token_id in sorted(histories):
            token = histories[token_id]
            expected += [reference(token, day) for day in range(len(token.price)) if not np.isnan(token.price[day])]

    assert np.isfinite(expected).sum() > 100
    found = computed[name].to_numpy().astype(float)
    np.testing.assert_allclose(found, np.array(expected), rtol=DOUBLE, atol=1e-10, equal_nan=True)


def test_coverage_is_the_share_of_model_inputs_that_have_a_value_and_coverage_all_that_of_all_features(computed):
    inputs = np.isfinite(computed.select(MODEL_INPUT_NAMES).to_numpy().astype(float)).mean(axis=1)
    every = np.isfinite(computed.select(FEATURE_NAMES).to_numpy().astype(float)).mean(axis=1)

    assert computed["coverage"].to_numpy() == pytest.approx(inputs, abs=1e-7)
    assert computed["coverage_all"].to_numpy() == pytest.approx(every, abs=1e-7)
    assert 0 < computed["coverage"].min() < computed["coverage"].max() <= 1


def test_rows_are_the_days_with_a_price_by_token_and_day(market, computed):
    expected = market.daily.select("token_id", "market_date").sort("token_id", "market_date")

    assert computed.select("token_id", "market_date").equals(expected)


def test_a_day_without_a_price_is_a_hole_in_the_window_and_not_a_shorter_window(candles_of, no_onchain):
    prices = [1.0, 2.0, 4.0, None, 16.0, 32.0, 64.0, 128.0, 256.0]

    result = token_features(candles_of(prices), no_onchain)

    assert result["return_1d"].to_list() == [None, 1.0, 1.0, None, 1.0, 1.0, 1.0, 1.0]
    assert result["return_3d"].to_list() == [None, None, None, 7.0, 7.0, None, 7.0, 7.0]
