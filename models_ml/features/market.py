"""Features of the whole market and of the economy, one value a day for all tokens, as catalogue entries.

Belongs here: what `marts.feat_market_daily` holds and where it comes from. Does not: the formulas, which are SQL (dbt: feat_market_daily,
int_market_facts).
"""

from __future__ import annotations

from dataclasses import dataclass

REGIME = "market regime"
MACRO = "macro"


@dataclass(frozen=True, kw_only=True)
class MarketFeature:
    """A column of `marts.feat_market_daily` and what its users need to know; attributes as those of `Feature`."""

    name: str
    unit: str
    formula: str
    look_back_days: int = 0
    lag_days: int = 0
    sources: tuple[str, ...]
    family: str = REGIME
    source: str = ""
    nulls: str = "null where the source has nothing in reach"
    is_model_input: bool = False


def _of_bitcoin(name: str, unit: str, formula: str, days: int) -> MarketFeature:
    return MarketFeature(
        name=f"btc_{name}",
        unit=unit,
        formula=f"bitcoin's {formula}",
        look_back_days=days,
        sources=("feat_token_daily",),
        nulls="null where the same feature of bitcoin is",
        is_model_input=True,
    )


def _of_universe(name: str, unit: str, formula: str, days: int, *, is_model_input: bool = True) -> MarketFeature:
    return MarketFeature(
        name=name,
        unit=unit,
        formula=f"{formula}, over the broad universe of the day",
        look_back_days=days,
        sources=("feat_token_daily", "fct_universe_daily"),
        nulls="null on days without a broad universe",
        is_model_input=is_model_input,
    )


def _of_economy(name: str, unit: str, formula: str, days: int = 0) -> MarketFeature:
    # The lag differs by series and day: a release stands on the day at whose close it was published.
    return MarketFeature(
        name=name,
        unit=unit,
        formula=f"{formula}, as released by the day",
        look_back_days=days,
        sources=("fct_macro_daily",),
        family=MACRO,
    )


MARKET_FEATURES = (
    *(
        MarketFeature(
            name=f"btc_sma_{days}d_usd",
            unit="USD",
            formula=f"mean(bitcoin's close, {days} days); the models read bitcoin's distance from it",
            look_back_days=days - 1,
            sources=("fct_daily",),
            nulls=f"null before bitcoin has {days} days",
            source="Faber (2007), A Quantitative Approach to Tactical Asset Allocation, J. Wealth Management 9(4)",
            is_model_input=True,
        )
        for days in (100, 200)
    ),
    *(_of_bitcoin(f"return_{days}d", "fraction", f"return over {days} days", days) for days in (7, 30, 90)),
    _of_bitcoin("volatility_30d", "fraction per year", "volatility_30d", 31),
    _of_bitcoin("drawdown_365d", "fraction, at most 0", "drawdown_365d", 365),
    _of_universe("broad_tokens", "tokens", "count of tokens", 0, is_model_input=False),
    _of_universe("breadth_50d", "0-1", "share of tokens above their 50-day mean", 50),
    _of_universe("median_return_7d", "fraction", "median return of 7 days", 7),
    _of_universe("median_return_30d", "fraction", "median return of 30 days", 30),
    _of_universe("dispersion_7d", "fraction", "standard deviation of 7-day returns, each cut at 300 %", 7),
    _of_universe("median_volatility_30d", "fraction per year", "median volatility_30d", 31),
    _of_universe("median_volume_surge", "ratio", "median volume_surge_7d_30d", 30),
    MarketFeature(
        name="fear_greed",
        unit="0-100",
        formula="fear and greed index",
        sources=("stg_alternative_me__fear_greed",),
        nulls="null where not published",
        is_model_input=True,
    ),
    MarketFeature(
        name="btc_dominance",
        unit="0-1",
        formula="bitcoin's share of the market cap of all coins, as CoinGecko counts",
        sources=("stg_coingecko__global_daily",),
    ),
    MarketFeature(
        name="category_dispersion_7d",
        unit="log ratio",
        formula="standard deviation over CoinGecko's categories above 10 M USD of the 7-day log change of their market cap",
        look_back_days=7,
        sources=("stg_coingecko__category_daily",),
    ),
    MarketFeature(
        name="stablecoin_supply_growth_30d",
        unit="log ratio",
        formula="ln(stablecoins in circulation / those known 30 days before)",
        look_back_days=30,
        sources=("stg_defillama__stablecoin_supply",),
    ),
    MarketFeature(
        name="stablecoin_yield",
        unit="fraction per year",
        formula="mean base yield of stablecoin pools above a million USD, by size",
        sources=("stg_defillama__yields",),
    ),
    MarketFeature(
        name="defi_tvl_growth_30d",
        unit="log ratio",
        formula="ln(value locked in DeFi / that known 30 days before)",
        look_back_days=30,
        sources=("stg_defillama__chain_tvl",),
    ),
    MarketFeature(
        name="news_tone_7d",
        unit="points of about -10 to 10",
        formula="mean tone of articles, 7 days",
        look_back_days=6,
        sources=("fct_news_daily",),
    ),
    *(
        MarketFeature(
            name=f"{topic}_headline_share_7d",
            unit="0-1",
            formula=f"share of the headlines of 7 days {what}",
            look_back_days=6,
            sources=("fct_news_daily",),
        )
        for topic, what in (
            ("negative", "with more bad than good words (seed headline_words)"),
            ("regulation", "about regulation"),
            ("hack", "about hacks and thefts"),
        )
    ),
    MarketFeature(
        name="market_news_sentiment_7d",
        unit="-1 to 1",
        formula="mean compound score of the headlines of 7 days, each counted once",
        look_back_days=6,
        sources=("fct_sentiment_market_daily",),
        family="sentiment",
        nulls="null without a headline in 7 days",
    ),
    MarketFeature(
        name="market_news_sentiment_zscore_90d",
        unit="standard deviations",
        formula="(mean compound score of the day's headlines - mean of that, 90 days before) / standard deviation of that, 90 days before",
        look_back_days=90,
        sources=("fct_sentiment_market_daily",),
        family="sentiment",
        nulls="null without a headline on the day or with fewer than ten days with one before",
    ),
    _of_economy("policy_rate", "fraction per year", "effective federal funds rate (FRED DFF)"),
    _of_economy("yield_10y", "fraction per year", "ten-year US government yield (FRED DGS10)"),
    _of_economy("yield_curve", "fraction per year", "ten-year less two-year US yield (FRED T10Y2Y)"),
    _of_economy(
        "dollar_change_90d", "fraction", "broad dollar index against that known 90 days before (FRED DTWEXBGS)", 90
    ),
    _of_economy(
        "m2_growth_1y", "log ratio", "ln(M2 / M2 of a year before) (FRED M2SL; revised values are hindsight)", 365
    ),
    _of_economy("vix", "points", "implied volatility of US shares (FRED VIXCLS)"),
)
