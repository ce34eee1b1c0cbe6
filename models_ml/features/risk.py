"""Risk features: falls from the high, extreme days, and how a token moves with bitcoin.

Belongs here: drawdown, tails, beta, what is left after bitcoin is taken out.
Does not: plain dispersion (`volatility.py`), returns against others (`relative_strength.py`).
"""

from __future__ import annotations

import math

import polars as pl

from models_ml.features.feature import DAYS_A_YEAR, Feature, enough

PRICE = pl.col("price_usd")
LOG_RETURN = pl.col("log_return")
BTC_RETURN = pl.col("btc_log_return")
ETH_RETURN = pl.col("eth_log_return")


def drawdown(window_days: int) -> Feature:
    """Distance below the highest close of a window; 0 at the high."""
    high = PRICE.rolling_max(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"drawdown_{window_days}d",
        family="risk",
        unit="fraction, at most 0",
        formula=f"price[t] / max(price, {window_days} days) - 1",
        look_back_days=window_days,
        expr=PRICE / high - 1,
    )


def rebound(window_days: int) -> Feature:
    """Distance above the lowest close of a window; 0 at the low."""
    low = PRICE.rolling_min(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"rebound_{window_days}d",
        family="risk",
        unit="fraction, at least 0",
        formula=f"price[t] / min(price, {window_days} days) - 1",
        look_back_days=window_days,
        expr=PRICE / low - 1,
    )


def extreme_day(window_days: int, *, is_best: bool) -> Feature:
    """Best or worst daily log return of a window: tokens bought as lottery tickets fall behind afterwards."""
    rolling = LOG_RETURN.rolling_max if is_best else LOG_RETURN.rolling_min
    name = "best_day" if is_best else "worst_day"
    return Feature(
        name=f"{name}_{window_days}d",
        family="risk",
        unit="log return",
        formula=f"{'max' if is_best else 'min'}(daily log return, {window_days} days)",
        look_back_days=window_days + 1,
        expr=rolling(window_days, min_samples=enough(window_days)),
        source="Bali, Cakici, Whitelaw (2011), Maxing Out, J. Financial Economics 99(2)",
    )


def skewness(window_days: int) -> Feature:
    """Skewness of daily log returns from the moments about the mean of the window."""
    samples = enough(window_days)
    first = LOG_RETURN.rolling_mean(window_days, min_samples=samples)
    second = (LOG_RETURN**2).rolling_mean(window_days, min_samples=samples)
    third = (LOG_RETURN**3).rolling_mean(window_days, min_samples=samples)
    variance = second - first**2
    return Feature(
        name=f"skewness_{window_days}d",
        family="risk",
        unit="dimensionless",
        formula=f"E[(r - mean)^3] / E[(r - mean)^2]^1.5 over {window_days} daily log returns",
        look_back_days=window_days + 1,
        # Below a variance of 1e-10 (a price that stands still) the ratio is rounding error.
        expr=pl.when(variance > 1e-10).then((third - 3 * first * second + 2 * first**3) / variance**1.5),
    )


def _pairs(other: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Own and other returns of the days on which both are known."""
    return pl.when(other.is_not_null()).then(LOG_RETURN), pl.when(LOG_RETURN.is_not_null()).then(other)


def _moments(window_days: int, reference: pl.Expr = BTC_RETURN) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Covariance with bitcoin, variance of bitcoin, own variance; a day counts where both have a return."""
    samples = enough(window_days)
    own, other = _pairs(reference)
    own_mean = own.rolling_mean(window_days, min_samples=samples)
    btc_mean = other.rolling_mean(window_days, min_samples=samples)
    covariance = (own * other).rolling_mean(window_days, min_samples=samples) - own_mean * btc_mean
    btc_variance = (other**2).rolling_mean(window_days, min_samples=samples) - btc_mean**2
    own_variance = (own**2).rolling_mean(window_days, min_samples=samples) - own_mean**2
    return covariance, btc_variance, own_variance


def beta_to_bitcoin(window_days: int) -> Feature:
    """Slope of the token's daily log returns on bitcoin's."""
    covariance, btc_variance, _ = _moments(window_days)
    return Feature(
        name=f"beta_btc_{window_days}d",
        family="risk",
        unit="ratio",
        formula=f"cov(log return, bitcoin's) / var(bitcoin's), {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when(btc_variance > 1e-10).then(covariance / btc_variance),
    )


def correlation_with_bitcoin(window_days: int) -> Feature:
    """Correlation of the token's daily log returns with bitcoin's."""
    covariance, btc_variance, own_variance = _moments(window_days)
    scale = btc_variance * own_variance
    return Feature(
        name=f"correlation_btc_{window_days}d",
        family="risk",
        unit="-1 to 1",
        formula=f"corr(log return, bitcoin's), {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when((btc_variance > 1e-10) & (own_variance > 1e-10)).then((covariance / scale.sqrt()).clip(-1, 1)),
    )


def idiosyncratic_volatility(window_days: int) -> Feature:
    """Annualised volatility that bitcoin does not explain."""
    covariance, btc_variance, own_variance = _moments(window_days)
    residual = own_variance - covariance**2 / btc_variance
    # Of bitcoin itself, of a claim on it and of a price that stands still nothing is left but rounding error, whose size depends
    # on days before the window.
    is_real = (residual > 1e-12 * own_variance) & (own_variance > 1e-10)
    residual = pl.when(is_real).then(residual).when(residual.is_not_null()).then(0.0)
    return Feature(
        name=f"idiosyncratic_volatility_{window_days}d",
        family="risk",
        unit="fraction per year",
        formula=f"std of the residual of log return on bitcoin's, {window_days} days, * sqrt({DAYS_A_YEAR})",
        look_back_days=window_days + 1,
        expr=pl.when(btc_variance > 1e-10).then(residual.sqrt() * math.sqrt(DAYS_A_YEAR)),
        source="Ang, Hodrick, Xing, Zhang (2006), The Cross-Section of Volatility, J. Finance 61(1)",
    )


def tracking_error(other: str, window_days: int) -> Feature:
    """Daily standard deviation of the difference to a major coin: near zero the token is a claim on it."""
    reference = BTC_RETURN if other == "btc" else ETH_RETURN
    return Feature(
        name=f"tracking_error_{other}_{window_days}d",
        family="risk",
        unit="fraction per day",
        formula=f"std(log return - {other}'s log return, {window_days} days)",
        look_back_days=window_days + 1,
        expr=(LOG_RETURN - reference).rolling_std(window_days, min_samples=enough(window_days)),
    )


def downside_beta(window_days: int) -> Feature:
    """Slope on bitcoin's log returns over the days on which bitcoin falls."""
    falling = pl.when(BTC_RETURN < 0).then(BTC_RETURN)
    own, other = _pairs(falling)
    samples = window_days // 4
    own_mean = own.rolling_mean(window_days, min_samples=samples)
    other_mean = other.rolling_mean(window_days, min_samples=samples)
    covariance = (own * other).rolling_mean(window_days, min_samples=samples) - own_mean * other_mean
    variance = (other**2).rolling_mean(window_days, min_samples=samples) - other_mean**2
    return Feature(
        name=f"downside_beta_btc_{window_days}d",
        family="risk",
        unit="ratio",
        formula=f"cov(log return, bitcoin's) / var(bitcoin's) over the days of {window_days} on which bitcoin falls",
        look_back_days=window_days + 1,
        expr=pl.when(variance > 1e-10).then(covariance / variance),
        source="Ang, Chen, Xing (2006), Downside Risk, Review of Financial Studies 19(4)",
        null_policy=f"null below {samples} falling days of bitcoin with a return",
        is_model_input=False,
    )


def alpha_to_bitcoin(window_days: int) -> Feature:
    """Annualised mean log return that bitcoin does not explain."""
    covariance, btc_variance, _ = _moments(window_days)
    own, other = _pairs(BTC_RETURN)
    samples = enough(window_days)
    own_mean = own.rolling_mean(window_days, min_samples=samples)
    btc_mean = other.rolling_mean(window_days, min_samples=samples)
    return Feature(
        name=f"alpha_btc_{window_days}d",
        family="risk",
        unit="log return per year",
        formula=f"(mean(log return) - beta * mean(bitcoin's)) * {DAYS_A_YEAR}, {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when(btc_variance > 1e-10).then((own_mean - covariance / btc_variance * btc_mean) * DAYS_A_YEAR),
        source="Jensen (1968), The Performance of Mutual Funds, J. Finance 23(2)",
        is_model_input=False,
    )


def sharpe_ratio(window_days: int) -> Feature:
    """Annualised mean of daily log returns over their standard deviation."""
    samples = enough(window_days)
    spread = LOG_RETURN.rolling_std(window_days, min_samples=samples)
    return Feature(
        name=f"sharpe_{window_days}d",
        family="risk",
        unit="ratio per square root of a year",
        formula=f"mean(log return) / std(log return) * sqrt({DAYS_A_YEAR}), {window_days} days, without a riskless rate",
        look_back_days=window_days + 1,
        expr=pl.when(spread > 1e-6).then(
            LOG_RETURN.rolling_mean(window_days, min_samples=samples) / spread * math.sqrt(DAYS_A_YEAR)
        ),
        source="Sharpe (1994), The Sharpe Ratio, J. Portfolio Management 21(1)",
        is_model_input=False,
    )


def sortino_ratio(window_days: int) -> Feature:
    """Annualised mean of daily log returns over the root mean square of the falling ones."""
    samples = enough(window_days)
    fall = pl.when(LOG_RETURN.is_not_null()).then(LOG_RETURN.clip(upper_bound=0))
    mean_square = (fall**2).rolling_mean(window_days, min_samples=samples)
    return Feature(
        name=f"sortino_{window_days}d",
        family="risk",
        unit="ratio per square root of a year",
        formula=f"mean(log return) / sqrt(mean(min(log return, 0)^2)) * sqrt({DAYS_A_YEAR}), {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when(mean_square > 1e-10).then(
            LOG_RETURN.rolling_mean(window_days, min_samples=samples) / mean_square.sqrt() * math.sqrt(DAYS_A_YEAR)
        ),
        source="Sortino, van der Meer (1991), Downside Risk, J. Portfolio Management 17(4)",
        null_policy=f"null below {samples} known returns, and where next to nothing fell",
        is_model_input=False,
    )


def deepest_drawdown(window_days: int) -> Feature:
    """Worst of a window's distances below the high of as many days."""
    samples = enough(window_days)
    distance = PRICE / PRICE.rolling_max(window_days, min_samples=samples) - 1
    return Feature(
        name=f"max_drawdown_{window_days}d",
        family="risk",
        unit="fraction, at most 0",
        formula=f"min(price / max(price, {window_days} days) - 1, {window_days} days)",
        look_back_days=2 * window_days,
        expr=distance.rolling_min(window_days, min_samples=samples),
        is_model_input=False,
    )


def _quantile(share: float, window_days: int) -> pl.Expr:
    return LOG_RETURN.rolling_quantile(share, "linear", window_size=window_days, min_samples=enough(window_days))


def value_at_risk(window_days: int) -> Feature:
    """Daily log return that a twentieth of the days fell below."""
    return Feature(
        name=f"value_at_risk_{window_days}d",
        family="risk",
        unit="log return",
        formula=f"5 % quantile(daily log return, {window_days} days), interpolated",
        look_back_days=window_days + 1,
        expr=_quantile(0.05, window_days),
        source="Jorion (2006), Value at Risk, 3rd ed., ch. 10: historical simulation",
        is_model_input=False,
    )


def tail_ratio(window_days: int) -> Feature:
    """How far the good days reach against the bad ones."""
    worst, best = _quantile(0.05, window_days), _quantile(0.95, window_days)
    return Feature(
        name=f"tail_ratio_{window_days}d",
        family="risk",
        unit="ratio",
        formula=f"95 % quantile / -(5 % quantile) of daily log returns, {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when(worst < -1e-6).then(-best / worst),
        null_policy=f"null below {enough(window_days)} known returns, and where the 5 % quantile is no loss",
        is_model_input=False,
    )


def kurtosis(window_days: int) -> Feature:
    """Excess kurtosis of daily log returns from the moments about the mean of the window."""
    samples = enough(window_days)
    first, second, third, fourth = (
        (LOG_RETURN**power if power > 1 else LOG_RETURN).rolling_mean(window_days, min_samples=samples)
        for power in (1, 2, 3, 4)
    )
    variance = second - first**2
    moment = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    return Feature(
        name=f"kurtosis_{window_days}d",
        family="risk",
        unit="dimensionless, 0 for a normal distribution",
        formula=f"E[(r - mean)^4] / E[(r - mean)^2]^2 - 3 over {window_days} daily log returns",
        look_back_days=window_days + 1,
        # Below a deviation of 0.3 % a day the ratio would show rounding errors of earlier, wilder days.
        expr=pl.when(variance > 1e-5).then(moment / variance**2 - 3),
        null_policy=f"null below {samples} known returns, and below a standard deviation of 0.3 % a day",
        is_model_input=False,
    )


FEATURES = [
    *(drawdown(days) for days in (30, 90, 365)),
    rebound(30),
    extreme_day(30, is_best=True),
    extreme_day(30, is_best=False),
    *(skewness(days) for days in (30, 90)),
    *(beta_to_bitcoin(days) for days in (30, 90)),
    *(correlation_with_bitcoin(days) for days in (30, 90)),
    *(idiosyncratic_volatility(days) for days in (30, 90)),
    tracking_error("btc", 90),
    tracking_error("eth", 90),
    downside_beta(90),
    alpha_to_bitcoin(90),
    sharpe_ratio(90),
    sortino_ratio(90),
    deepest_drawdown(90),
    value_at_risk(90),
    tail_ratio(90),
    kurtosis(90),
]
