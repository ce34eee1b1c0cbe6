"""What a published copy leaves out where the terms of a source forbid to pass its raw values on.

The rule, by what a table shows:

    series    rows of a source, cleaned or averaged or not, day by day, or figures that give them back one for one
              -> left out: the table keeps its columns and has no rows
    columns   the same in single columns of a table of our own figures -> the columns are null
    calls     the price or market cap at which a call, a pick or a paper holding of ours stands: one a token and week, or at a flip
              -> stays; versioned tables are signed row by row, so nothing can be taken from them
    derived   grades, calls, indices, ranks, counts, returns of ours, sums over tokens, names and identifiers -> stays

A table falls under the terms of every source that landed and may stand in it. `own_use` leaves nothing out.

Belongs here: which table shows what of whom, and what follows for a copy. Does not: the terms (`attribution.py`), writing the copy
(`published_copy.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestration.lib.attribution import TERMS
from orchestration.lib.manifest import PublishFor, Redistribution
from orchestration.sources.datasets.exchanges import EXCHANGES

PERMITTED: Mapping[PublishFor, frozenset[Redistribution]] = {
    "own_use": frozenset({"with_attribution", "non_commercial", "not_stated", "restricted"}),
    "non_commercial": frozenset({"with_attribution", "non_commercial"}),
    "commercial": frozenset({"with_attribution"}),
}
"""What the terms of a source must allow for its raw values to stand in a copy."""

VENUES = frozenset(EXCHANGES)
PRICES = frozenset({"coingecko", "coinmarketcap", "yahoo"}) | VENUES
"""Sources of closes, market caps and volumes."""
COINGECKO = frozenset({"coingecko"})
COINMETRICS = frozenset({"coinmetrics"})
DEFILLAMA = frozenset({"defillama"})
FRED = frozenset({"fred"})
GECKOTERMINAL = frozenset({"geckoterminal"})
EVERY_SOURCE = frozenset(TERMS)

SERIES: Mapping[str, frozenset[str]] = {
    "api.daily": PRICES,
    "api.daily_ohlcv": PRICES,
    "api.unlocks": DEFILLAMA,
    "marts.dim_token_ids": COINGECKO,
    "marts.dim_token_links": COINGECKO,
    "marts.fct_candle_ranges_daily": PRICES,
    "marts.fct_community_daily": frozenset({"coingecko", "reddit"}),
    "marts.fct_daily": PRICES,
    "marts.fct_defi_daily": DEFILLAMA,
    "marts.fct_derivatives_daily": VENUES,
    "marts.fct_dex_tokens_daily": GECKOTERMINAL,
    "marts.fct_developers_daily": frozenset({"coingecko", "github"}),
    "marts.fct_exchange_markets_daily": VENUES,
    "marts.fct_holders_daily": GECKOTERMINAL,
    "marts.fct_liquidity_daily": VENUES,
    "marts.fct_macro_daily": FRED,
    "marts.fct_onchain_daily": COINMETRICS,
    "marts.fct_pools_daily": GECKOTERMINAL,
    "marts.fct_price_swings": PRICES,
    "marts.fct_ranges_daily": PRICES,
    "marts.fct_unlock_calendar": DEFILLAMA,
    "marts.fct_unlocks_daily": DEFILLAMA,
    # Returns of one day and the logarithm of the market cap give closes and market caps back, and `mvrv_ratio` is as it came.
    "marts.feat_token_daily": PRICES | COINMETRICS,
    "quality.corrections": PRICES,
}
"""Tables and views whose rows are a source's, and the sources they may be of."""

COLUMNS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "api.check_results": {"offending_rows": EVERY_SOURCE},
    "api.grade_above_80": {"price_usd": PRICES, "market_cap_usd": PRICES},
    "api.grade_movers": {"price_usd": PRICES, "market_cap_usd": PRICES},
    "api.listings": {"volume_24h_usd": VENUES, "bid_ask_spread": VENUES, "depth_2pct_usd": VENUES},
    "api.low_cap_in_use": {"price_usd": PRICES, "market_cap_usd": PRICES},
    "api.market": {"coingecko_market_cap_ratio": COINGECKO},
    "api.market_metrics": {
        "stablecoin_supply_usd": DEFILLAMA,
        "fear_greed": frozenset({"alternative_me"}),
        "policy_rate": FRED,
        "yield_10y": FRED,
        "yield_curve": FRED,
        "dollar_index": FRED,
        "m2_usd": FRED,
        "vix": FRED,
    },
    # The price under a scenario over its return is the price, the share of the market times the market the market cap.
    "api.scenario_analysis": dict.fromkeys(
        ("price_usd", "market_cap_usd", "market_cap_share", "scenario_price_usd", "scenario_market_cap_share"), PRICES
    ),
    "api.top_market_cap": {"price_usd": PRICES, "market_cap_usd": PRICES, "market_cap_share": PRICES},
    "api.turned_bullish": {"price_usd": PRICES, "market_cap_usd": PRICES},
    "marts.feat_market_daily": {
        "btc_price_usd": PRICES,
        "fear_greed": frozenset({"alternative_me"}),
        "policy_rate": FRED,
        "yield_10y": FRED,
        "yield_curve": FRED,
        "vix": FRED,
        "stablecoin_yield": DEFILLAMA,
        "btc_dominance": COINGECKO,
    },
    "marts.fct_market_daily": {
        "btc_market_cap_usd": PRICES,
        "eth_market_cap_usd": PRICES,
        "stablecoin_supply_usd": DEFILLAMA,
        "coingecko_market_cap_usd": COINGECKO,
        "coingecko_market_cap_ratio": COINGECKO,
        "coingecko_btc_dominance": COINGECKO,
    },
    "marts.fct_news_daily": {"tone": frozenset({"gdelt"})},
    "marts.fct_sectors_daily": {"coingecko_market_cap_usd": COINGECKO, "coingecko_market_cap_ratio": COINGECKO},
    "marts.fct_security_tracking_daily": {"price_usd": PRICES, "underlying_usd": frozenset({"lbma"})},
    "marts.fct_token_market_daily": {
        "price_usd": PRICES,
        "all_time_high_usd": PRICES,
        "drawdown_from_high": PRICES,
    },
    "marts.fct_universe_daily": {"price_usd": PRICES, "market_cap_usd": PRICES},
    "quality.check_results": {"offending_rows": EVERY_SOURCE},
}
"""Columns of a source's values in tables of our own figures."""

CALLS: Mapping[str, tuple[str, ...]] = {
    "api.moonshot_candidates": ("price_usd", "market_cap_usd"),
    "api.moonshot_chances": ("price_usd", "market_cap_usd"),
    "api.moonshot_outcomes": ("entry_price_usd",),
    "api.moonshots": ("price_usd", "market_cap_usd"),
    "api.paper_portfolios": ("price_usd",),
    "api.price_ranges": ("price_usd", "price_median_usd"),  # the median of a range is mostly the close itself
    "api.second_bearish_call": ("price_at_call_usd",),
    "api.signal_flips": ("flip_price_usd",),
    "api.support_resistance": ("price_usd", "support_usd", "resistance_usd"),
    "api.trading_signals": ("flip_price_usd",),
    "api.turned_bullish": ("price_at_turn_usd",),
    "learning.price_ranges": ("price_usd",),
    "screens.moonshot_candidates": ("price_usd", "market_cap_usd"),
    "screens.moonshot_chances": ("price_usd", "market_cap_usd"),
    "screens.moonshots": ("price_usd", "market_cap_usd"),
}
"""Columns of the price or market cap at which something of ours stands; they stay."""

DERIVED = frozenset(
    {
        *(f"api.{name}" for name in ("base_rates", "bull_bear", "bull_bear_daily", "call_outcomes", "confidence")),
        *(f"api.{name}" for name in ("run_history", "run_rows")),
        *(f"api.{name}" for name in ("correlations", "daily_grades", "daily_signals", "errata", "fundamental_grade")),
        *(f"api.{name}" for name in ("grade_explanations", "index_capacity", "index_compositions", "index_coverage")),
        *(f"api.{name}" for name in ("index_fact_sheet", "index_insurance", "index_level_check", "index_levels")),
        *(f"api.{name}" for name in ("index_methodology", "index_net_levels", "index_plans", "index_pro_forma")),
        *(f"api.{name}" for name in ("index_rebalances", "index_start_dates", "index_statistics", "indices")),
        *(f"api.{name}" for name in ("investor_grades", "market_calls", "market_regime", "market_regime_models")),
        *(f"api.{name}" for name in ("market_sentiment", "market_signal", "model_evaluation", "model_monitor")),
        *(f"api.{name}" for name in ("model_evaluation_cumulative", "models", "moonshot_record", "quant_metrics")),
        *(f"api.{name}" for name in ("report_card", "sector_rotation", "sectors", "sentiment", "sentiments")),
        *(f"api.{name}" for name in ("source_coverage", "source_health", "sub_grades", "technology_grade")),
        *(f"api.{name}" for name in ("token_warnings", "tokens", "trade_actions", "trader_grades", "unlock_months")),
        *(f"api.{name}" for name in ("warning_coverage", "weekly_report")),
        *(
            f"marts.{name}"
            for name in ("dim_exchanges", "dim_token_sectors", "dim_tokens", "feat_token_relative_daily")
        ),
        *(f"marts.{name}" for name in ("feature_catalogue", "fct_listings", "fct_market_breadth_daily")),
        *(f"marts.{name}" for name in ("fct_mentions_daily", "fct_risk_daily", "fct_sector_breadth_daily")),
        *(f"marts.{name}" for name in ("fct_sector_rotation_daily", "fct_sentiment_daily", "fct_token_events_daily")),
        *(f"marts.{name}" for name in ("fct_sentiment_market_daily", "fct_unlock_months")),
        *(f"quality.{name}" for name in ("builds", "day_conventions", "source_coverage", "source_health")),
        *(f"quality.{name}" for name in ("run_rows", "run_steps", "schema_versions")),
        *(f"api.{name}" for name in ("run_history", "run_rows")),
    }
)
"""Tables and views of our own figures alone. Versioned tables are so by their nature, but for the columns in `CALLS`."""

CLASSIFIED = frozenset(SERIES) | frozenset(COLUMNS) | frozenset(CALLS) | DERIVED


@dataclass(frozen=True)
class LeftOut:
    """What a copy leaves out, with the reasons.

    Attributes:
        tables: Reasons by `schema.name` of tables and views that have no rows in the copy.
        columns: Reasons by column, by `schema.name`, of columns that are null in the copy.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def as_manifest(self) -> dict[str, str]:
        """Reasons by `schema.name` or `schema.name.column`, sorted."""
        columns = {f"{name}.{column}": why for name, of in self.columns.items() for column, why in of.items()}
        return dict(sorted({**self.tables, **columns}.items()))


NOTHING_LEFT_OUT = LeftOut()


def left_out(publish_for: PublishFor, landed: Collection[str]) -> LeftOut:
    """What a copy for somebody leaves out.

    Args:
        publish_for: Whom the copy is for.
        landed: Sources of which something has landed; the terms of others bind nobody.

    Returns:
        Tables and columns in which a source that landed may stand whose terms do not allow it.
    """
    forbidden = {source for source in landed if source in TERMS} - {
        source for source, terms in TERMS.items() if terms.redistribution in PERMITTED[publish_for]
    }

    def why(sources: Collection[str]) -> str:
        named = ", ".join(sorted(forbidden & set(sources)))
        return f"raw values of {named}, whose terms do not allow {publish_for} redistribution" if named else ""

    tables = {name: reason for name, sources in SERIES.items() if (reason := why(sources))}
    columns = {
        name: {column: reason for column, sources in of.items() if (reason := why(sources))}
        for name, of in COLUMNS.items()
    }
    return LeftOut(tables=tables, columns={name: of for name, of in columns.items() if of})
