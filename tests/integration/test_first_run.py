"""The first run of the default market, as the person who called it and the reader of its tables see it."""

import json
import re
import shutil
from datetime import date

import duckdb
import polars as pl
import pytest

WEEK = "2025-01-06"

TEXT, DAY, NUMBER, FLAG, INSTANT = {"VARCHAR"}, {"DATE"}, {"DOUBLE"}, {"BOOLEAN"}, {"TIMESTAMP WITH TIME ZONE"}
COUNT = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"}
VERSION = {"version": COUNT}
WEEK_AND_TOKEN = {"as_of_week": DAY, "token_id": TEXT, "symbol": TEXT}
CHECKLIST = (
    *("is_grade_high", "is_momentum_surging", "is_narrative_early", "is_community_growing"),
    *("is_developer_activity_rising", "is_large_holder_inflow", "is_volume_surging_with_price"),
    *("is_bullish_repeated", "is_newly_listed", "is_free_of_major_unlock"),
)
CONFIRMATIONS = (
    *("is_volume_confirming", "is_sector_aligned", "is_peer_confirmed", "is_market_aligned"),
    "is_repeated",
)
QUANTITIES = (
    *("volatility", "sharpe", "sortino", "max_drawdown", "value_at_risk", "expected_shortfall"),
    *("skewness", "kurtosis", "tail_ratio", "beta_btc"),
)

# What users were promised never to lose: at least these columns, of these types.
API = {
    "tokens": {
        **dict.fromkeys(("token_id", "symbol", "name", "sector", "token_class"), TEXT),
        **{"is_stable": FLAG, "is_wrapped": FLAG, "first_date": DAY, "last_date": DAY},
    },
    "daily": {
        **{"date": DAY, "token_id": TEXT, "data_source": TEXT},
        **dict.fromkeys(("price_usd", "market_cap_usd", "volume_24h_usd"), NUMBER),
    },
    "trader_grades": {
        **WEEK_AND_TOKEN,
        **dict.fromkeys(("trader_grade", "trader_rank", "score"), NUMBER),
        **{"model_version": TEXT, "origin": TEXT, **VERSION},
    },
    "trading_signals": {
        **WEEK_AND_TOKEN,
        **{"signal": COUNT, "p_bullish": NUMBER, "p_neutral": NUMBER, "p_bearish": NUMBER, "origin": TEXT, **VERSION},
    },
    "investor_grades": {
        **WEEK_AND_TOKEN,
        **dict.fromkeys(("investor_grade", "investor_rank", "score"), NUMBER),
        **{"model_version": TEXT, "origin": TEXT, **VERSION},
    },
    "daily_grades": {
        **{"market_date": DAY, "token_id": TEXT, "as_of_week": DAY, "origin": TEXT, **VERSION},
        **dict.fromkeys(("trader_grade", "trader_rank", "trader_grade_change_1d", "trader_grade_change_7d"), NUMBER),
        **dict.fromkeys(("investor_grade", "investor_rank", "momentum_score", "momentum_score_change_7d"), NUMBER),
    },
    "daily_signals": {
        **{
            "market_date": DAY,
            "token_id": TEXT,
            "signal": COUNT,
            "signal_since_date": DAY,
            "as_of_week": DAY,
            **VERSION,
        },
        **dict.fromkeys(("p_bullish", "p_neutral", "p_bearish"), NUMBER),
    },
    "signal_flips": {
        **{"token_id": TEXT, "flip_date": DAY, "previous_signal": COUNT, "signal": COUNT, "ended_date": DAY},
        **dict.fromkeys(("flip_price_usd", "return_of_run"), NUMBER),
    },
    "price_ranges": {
        **WEEK_AND_TOKEN,
        **{"horizon_days": COUNT, "origin": TEXT, **VERSION},
        **dict.fromkeys(("price_usd", "price_low_usd", "price_median_usd", "price_high_usd"), NUMBER),
    },
    "grade_explanations": {
        **WEEK_AND_TOKEN,
        **{"model": TEXT, "place": COUNT, "feature": TEXT, "sentence": TEXT, **VERSION},
        **dict.fromkeys(("value", "contribution"), NUMBER),
    },
    "sub_grades": {
        **WEEK_AND_TOKEN,
        **{"sub_grade": TEXT, "basis": TEXT, "grade": NUMBER, "coverage": NUMBER, **VERSION},
    },
    "trade_actions": {
        **WEEK_AND_TOKEN,
        **{"signal": COUNT, "action": TEXT, "action_reason": TEXT, "position_limit": TEXT, "what_changed": TEXT},
        **dict.fromkeys(("trader_grade", "position_weight", "peer_share"), NUMBER),
        **dict.fromkeys(("closes_on_side", "confirmations_true", "confirmations_known"), COUNT),
        **dict.fromkeys(CONFIRMATIONS, FLAG),
        **{"is_hindsight": FLAG, "model_version": TEXT, "origin": TEXT, **VERSION},
    },
    "call_outcomes": {
        **WEEK_AND_TOKEN,
        **{"signal": COUNT, "call_origin": TEXT, "outcome": COUNT, "is_right": FLAG, "has_ended": FLAG, **VERSION},
        "grade_band": TEXT,
        **dict.fromkeys(("trader_grade", "return_14d", "excess_over_market", "excess_over_bitcoin"), NUMBER),
    },
    "report_card": {
        **{
            "month": DAY,
            "call_origin": TEXT,
            "grouping": TEXT,
            "group_name": TEXT,
            "calls": COUNT,
            "calls_known": COUNT,
        },
        **dict.fromkeys(("precision", "base_rate", "mean_excess_over_market", "hit_rate_over_bitcoin"), NUMBER),
    },
    "indices": dict.fromkeys(("index_id", "name", "kind", "methodology"), TEXT),
    "index_compositions": {
        **WEEK_AND_TOKEN,
        **{"index_id": TEXT, "weight": NUMBER, "weight_change": NUMBER, "reason": TEXT, **VERSION},
    },
    "index_rebalances": {
        **{"index_id": TEXT, "effective_at": INSTANT, "token_id": TEXT, "symbol": TEXT},
        **{"target_weight": NUMBER, "reason": TEXT, **VERSION},
    },
    "index_levels": {"date": DAY, "index_id": TEXT, "level": NUMBER},
    "index_statistics": {
        **dict.fromkeys(("index_id", "basis", "benchmark", "metric"), TEXT),
        **dict.fromkeys(("value", "low", "high"), NUMBER),
        **{"first_date": DAY, "last_date": DAY},
    },
    "index_net_levels": {
        **{"date": DAY, "index_id": TEXT},
        **dict.fromkeys(("capital_usd", "level_net", "cost_paid", "turnover", "carried_weight", "cash_weight"), NUMBER),
    },
    "paper_portfolios": {
        **{"as_of_week": DAY, "index_id": TEXT, "token_id": TEXT},
        **dict.fromkeys(("units", "price_usd", "value_usd", "weight", "cost_basis_usd", "unrealised_return"), NUMBER),
    },
    "index_methodology": {
        **dict.fromkeys(("index_id", "version", "content_hash", "changes", "definition_yaml", "document"), TEXT),
        **{"is_in_force": FLAG, "first_week": DAY, "recorded_at": INSTANT},
    },
    "index_pro_forma": {
        **dict.fromkeys(("index_id", "status", "token_id", "symbol", "reason"), TEXT),
        **dict.fromkeys(("determined_at", "announced_from", "effective_at"), INSTANT),
        **{"target_weight": NUMBER, "weight_change": NUMBER},
    },
    "index_coverage": {
        **{"index_id": TEXT, "first_level_date": DAY, "last_level_date": DAY, "unavailable_reason": TEXT},
        **dict.fromkeys(("weeks_available", "weeks_unavailable", "unavailable_reason_weeks"), COUNT),
        **dict.fromkeys(("median_members", "mean_priced_weight", "least_priced_weight"), NUMBER),
        "undated_inputs": TEXT,
    },
    "index_fact_sheet": {
        **dict.fromkeys(("index_id", "name", "kind", "methodology_version", "twin", "largest"), TEXT),
        **{"base_date": DAY, "composition_week": DAY, "last_date": DAY, "members": COUNT},
        **dict.fromkeys(("base_level", "stables_weight", "last_level", "volatility", "max_drawdown"), NUMBER),
        **dict.fromkeys((f"return_{period}" for period in ("1w", "1m", "3m", "ytd", "1y", "since_base")), NUMBER),
        **dict.fromkeys(("annual_return", "annual_return_net", "sharpe", "sharpe_low", "sharpe_high"), NUMBER),
        **dict.fromkeys(("turnover_per_year", "annual_return_over_twin", "annual_return_over_bitcoin"), NUMBER),
        "insurance_price": NUMBER,
    },
    "index_insurance": {
        **{"index_id": TEXT, "year": COUNT, "is_bull_year": FLAG, "first_date": DAY, "last_date": DAY},
        **dict.fromkeys(("return_with", "return_without", "given_up"), NUMBER),
        **dict.fromkeys(("max_drawdown_with", "max_drawdown_without"), NUMBER),
    },
    "index_capacity": {
        **{"index_id": TEXT, "twin_id": TEXT, "reason": TEXT, "first_date": DAY, "last_date": DAY},
        **dict.fromkeys(("capacity_usd", "twin_annual_return", "smallest_annual_return"), NUMBER),
    },
    "index_start_dates": {
        **dict.fromkeys(("index_id", "benchmark", "metric"), TEXT),
        **{
            "median": NUMBER,
            "percentile_10": NUMBER,
            "percentile_90": NUMBER,
            "share_above_0": NUMBER,
            "starts": COUNT,
        },
    },
    "index_plans": {
        **{"index_id": TEXT, "plan": TEXT, "contributions": COUNT, "first_date": DAY, "last_date": DAY},
        **dict.fromkeys(("paid_in_usd", "final_value_usd", "money_weighted_return"), NUMBER),
    },
    "index_level_check": {
        **{"date": DAY, "index_id": TEXT},
        **dict.fromkeys(("level", "level_recalculated", "relative_difference"), NUMBER),
    },
    "moonshots": {
        **WEEK_AND_TOKEN,
        **{"rank": COUNT, "score": NUMBER, **VERSION},
        **dict.fromkeys(CHECKLIST, FLAG),
        **dict.fromkeys(("ranked_by", "risk_class", "stop_basis", "rationale", "research_card", "verdict"), TEXT),
        **dict.fromkeys(("p_2x_90d", "position_weight", "entry_high_usd", "stop_usd", "target_3_usd"), NUMBER),
        "expiry_date": DAY,
    },
    "moonshot_candidates": {
        **WEEK_AND_TOKEN,
        **{"place": COUNT, "is_pick": FLAG, "exclusion_reasons": TEXT, "score": NUMBER, **VERSION},
    },
    "base_rates": {
        **{"as_of_week": DAY, "cap_bucket": TEXT, "volatility_bucket": TEXT, "outcome": TEXT, "horizon_days": COUNT},
        **dict.fromkeys(("observations", "hits", "tokens", "blocks"), COUNT),
        **dict.fromkeys(("share", "share_low", "share_high", "touched_share", "stopped_share"), NUMBER),
        **VERSION,
    },
    "unlocks": {
        **dict.fromkeys(("as_of_date", "first_date", "last_date"), DAY),
        **dict.fromkeys(("token_id", "symbol", "protocol", "section", "category", "unlock_type"), TEXT),
        **dict.fromkeys(("unlock_tokens", "supply_share", "unlock_usd"), NUMBER),
        **dict.fromkeys(("is_forecast", "is_hindsight", "has_unknown_parts"), FLAG),
    },
    "unlock_months": {
        **{"as_of_date": DAY, "month_date": DAY, "token_id": TEXT, "symbol": TEXT, "is_hindsight": FLAG},
        **dict.fromkeys(("cliff_unlock_tokens", "step_unlock_tokens", "linear_unlock_tokens", "unlock_tokens"), NUMBER),
        **dict.fromkeys(("supply_share", "unlock_usd"), NUMBER),
    },
    "moonshot_chances": {
        **WEEK_AND_TOKEN,
        **dict.fromkeys(("p_2x_90d", "p_3x_90d", "market_cap_usd", "volatility_30d"), NUMBER),
        **{"volatility_quintile": COUNT, "cap_tercile": COUNT, **VERSION},
    },
    "moonshot_outcomes": {
        **WEEK_AND_TOKEN,
        **dict.fromkeys(("pick_token_id", "role", "status", "ended_how", "origin"), TEXT),
        **dict.fromkeys(("control_number", "rank", "controls_found", "days_followed"), COUNT),
        **dict.fromkeys(("is_success", "is_success_3x", "has_halved"), FLAG),
        **dict.fromkeys(("return_7d", "return_30d", "return_90d", "best_excursion", "worst_excursion"), NUMBER),
    },
    "moonshot_record": {
        **{"origin": TEXT, "weeks": COUNT, "picks_known": COUNT, "verdict": TEXT},
        **dict.fromkeys(("hit_rate", "controls_hit_rate", "hits_over_controls", "random_percentile"), NUMBER),
    },
    "bull_bear_daily": {
        **{"date": DAY, "tokens": COUNT},
        **dict.fromkeys(("bullish_share", "bearish_share", "bullish_cap_share", "bearish_cap_share"), NUMBER),
        **dict.fromkeys(("bullish_share_highest_since_date", "bullish_share_lowest_since_date"), DAY),
    },
    "market_signal": {
        **{"date": DAY, "signal": COUNT, "flipped_date": DAY, "past_calls": COUNT, "past_hits": COUNT},
        **dict.fromkeys(("market_cap_at_flip_usd", "return_since_flip", "past_hit_rate"), NUMBER),
    },
    "market_calls": {
        **{"flipped_date": DAY, "signal": COUNT, "ended_date": DAY, "is_hit": FLAG},
        **dict.fromkeys(("return_after_entry", "worst_excursion", "base_hit_rate"), NUMBER),
    },
    "market_regime": {
        **{"date": DAY, "regime": TEXT, "trend": TEXT, "volatility": TEXT, "refit_date": DAY},
        **dict.fromkeys(("regime_probability", "p_bull", "p_turbulent"), NUMBER),
    },
    "market_regime_models": {"refit_date": DAY, "chain": TEXT, "low_parameter": NUMBER, "high_parameter": NUMBER},
    "market_metrics": {
        **{"date": DAY, "regime": TEXT, "market_signal": COUNT, "tradable_tokens": COUNT, "is_coverage_break": FLAG},
        **dict.fromkeys(("bullish_share", "btc_dominance", "stablecoin_share", "altcoin_season_index"), NUMBER),
        **dict.fromkeys(("down_90_share", "return_dispersion_30d", "new_high_grade_share", "vix"), NUMBER),
        **{"new_listings": COUNT, "deaths": COUNT},
    },
    "sector_rotation": {
        **{"date": DAY, "sector": TEXT, "phase": TEXT, "turn": TEXT, "turn_extreme_date": DAY, "turn_known_date": DAY},
        **{"relative_strength": NUMBER, "leaders": TEXT, "is_hindsight": FLAG},
    },
    "top_market_cap": {"rank": COUNT, "token_id": TEXT, "market_cap_usd": NUMBER, "trader_grade": NUMBER},
    "grade_above_80": {"token_id": TEXT, "trader_grade": NUMBER, "trader_grade_change_7d": NUMBER, "signal": COUNT},
    "grade_movers": {"direction": TEXT, "rank": COUNT, "token_id": TEXT, "trader_grade_change_7d": NUMBER},
    "turned_bullish": {"token_id": TEXT, "turned_date": DAY, "return_since_turn": NUMBER},
    "second_bearish_call": {"token_id": TEXT, "first_call_date": DAY, "second_call_date": DAY, "is_recent": FLAG},
    "low_cap_in_use": {"token_id": TEXT, "use_score": NUMBER, "measures_known": COUNT},
    "token_warnings": {
        **WEEK_AND_TOKEN,
        **{"warning": TEXT, "is_excluding": FLAG, "value": NUMBER, "threshold": NUMBER, "reason": TEXT, **VERSION},
    },
    "warning_coverage": {
        **{"as_of_week": DAY, "token_id": TEXT, "is_low_cap": FLAG, "is_graded": FLAG},
        **{
            "warnings_checked": COUNT,
            "warnings_total": COUNT,
            "warnings_raised": COUNT,
            "is_excluded": FLAG,
            **VERSION,
        },
    },
    "bull_bear": {"as_of_week": DAY, "bullish_share": NUMBER, "bearish_share": NUMBER, "tokens": COUNT},
    "market": {
        **{"date": DAY, "tokens": COUNT, "broad_tokens": COUNT},
        **dict.fromkeys(("market_cap_usd", "volume_24h_usd", "btc_dominance", "eth_dominance", "breadth_50d"), NUMBER),
        **dict.fromkeys(("market_return_1d", "market_cap_drawdown_from_high", "market_index_level"), NUMBER),
    },
    "sectors": {
        **{"date": DAY, "sector": TEXT, "tokens": COUNT, "rank_30d": COUNT, "is_hindsight": FLAG},
        **dict.fromkeys(("market_cap_usd", "market_cap_share", "return_1d", "return_30d", "index_level"), NUMBER),
    },
    "sentiment": {
        **{"date": DAY, "token_id": TEXT, "news_texts": COUNT, "social_texts": COUNT},
        **dict.fromkeys(("news_sentiment", "news_dispersion", "news_zscore_90d", "social_sentiment"), NUMBER),
    },
    "sentiments": {
        **{"date": DAY, "token_id": TEXT, "medium": TEXT, "texts": COUNT},
        **dict.fromkeys(("sentiment", "dispersion", "zscore_90d"), NUMBER),
    },
    "daily_ohlcv": {
        **{"token_id": TEXT, "date": DAY, "range_sources": COUNT, "is_carried": FLAG, "data_source": TEXT},
        **dict.fromkeys(("open_usd", "high_usd", "low_usd", "close_usd", "volume_24h_usd"), NUMBER),
    },
    "listings": {
        **{"token_id": TEXT, "symbol": TEXT, "exchange": TEXT, "market_id": TEXT, "quote": TEXT},
        **{"listed_date": DAY, "quoted_date": DAY, "is_depth_complete": FLAG},
        **dict.fromkeys(("volume_24h_usd", "bid_ask_spread", "depth_2pct_usd", "maker_fee", "taker_fee"), NUMBER),
    },
    "technology_grade": {**WEEK_AND_TOKEN, "technology_grade": NUMBER, "technology_grade_change_7d": NUMBER, **VERSION},
    "fundamental_grade": {
        **WEEK_AND_TOKEN,
        "fundamental_grade": NUMBER,
        "fundamental_grade_change_7d": NUMBER,
        **VERSION,
    },
    "weekly_report": {
        **{"as_of_week": DAY, "origin": TEXT, "top_symbols": {"VARCHAR[]"}},
        **dict.fromkeys(("graded_tokens", "tokens_grade_80", "turned_bullish_tokens", "moonshot_picks"), COUNT),
        **dict.fromkeys(("median_trader_grade", "bullish_share", "market_return_7d", "rank_ic_lag1"), NUMBER),
    },
    "market_sentiment": {
        **{"date": DAY, "news_texts": COUNT, "social_texts": COUNT},
        **dict.fromkeys(("news_sentiment", "news_dispersion", "news_zscore_90d", "news_positive_share"), NUMBER),
    },
    "quant_metrics": {
        **{
            "date": DAY,
            "token_id": TEXT,
            "risk_score": NUMBER,
            "risk_class": TEXT,
            "cagr_90d": NUMBER,
            "cagr_365d": NUMBER,
        },
        **{f"{name}_{days}d": {"FLOAT"} for name in QUANTITIES for days in (90, 365)},
    },
    "correlations": {
        **dict.fromkeys(("token_id", "against_kind", "against"), TEXT),
        **{"date": DAY, "correlation": NUMBER, "days": COUNT},
    },
    "support_resistance": {
        **{"as_of_week": DAY, "token_id": TEXT, "support_date": DAY, "resistance_date": DAY},
        **dict.fromkeys(("price_usd", "support_usd", "resistance_usd"), NUMBER),
        **dict.fromkeys(("support_distance_atr", "resistance_distance_atr"), NUMBER),
    },
    "scenario_analysis": {
        **{"date": DAY, "token_id": TEXT},
        **dict.fromkeys(
            ("scenario_total_market_cap_usd", "share_change", "scenario_price_usd", "scenario_return"), NUMBER
        ),
    },
    "model_evaluation": {
        **{"as_of_week": DAY, "model": TEXT, "universe": TEXT, "metric": TEXT, "value": NUMBER},
        **{"is_hindsight": FLAG},
    },
    "model_evaluation_cumulative": {
        **{"as_of_week": DAY, "model": TEXT, "universe": TEXT, "metric": TEXT, "mean_value": NUMBER, "weeks": COUNT},
    },
    "models": {
        **dict.fromkeys(("model", "model_version", "column_names", "data_hash", "parameters", "constants"), TEXT),
        **dict.fromkeys(("refit_date", "training_first_week", "training_last_week", "expires_date"), DAY),
        **{"training_rows": COUNT, "is_in_force": FLAG, "mean_rank_ic": NUMBER},
    },
    "model_monitor": {"as_of_week": DAY, "model": TEXT, "metric": TEXT, "value": NUMBER, **VERSION},
    "confidence": {
        **WEEK_AND_TOKEN,
        **{f"{head}_{name}": NUMBER for head in ("trader", "investor", "calls") for name in ("novelty", "confidence")},
        **VERSION,
    },
    "source_health": {
        "as_of_week": DAY,
        **dict.fromkeys(("source", "dataset", "status", "last_status", "reason"), TEXT),
        **{"newest_date": DAY, "last_attempt_at": INSTANT},
        **dict.fromkeys(("days_behind", "received", "quarantined", "failed"), COUNT),
    },
    "check_results": {
        **dict.fromkeys(("tier", "table_name", "check_name", "column_name", "severity"), TEXT),
        **{"is_passed": FLAG, "rows_checked": COUNT, "rows_failed": COUNT, "detail": TEXT, "offending_rows": TEXT},
        **{"checked_at": INSTANT, "as_of_week": DAY, "run_id": TEXT},
    },
    "source_coverage": {
        **{"source": TEXT, "dataset": TEXT, "date": DAY},
        **dict.fromkeys(("expected", "received", "quarantined"), COUNT),
    },
    "errata": {
        **{"table_name": TEXT, "as_of_week": DAY, "unit": TEXT, "index_id": TEXT, "version": COUNT, "origin": TEXT},
        **{"replaced_by_version": COUNT, "reason": TEXT, "row_count": COUNT, "replaced_by_rows": COUNT},
    },
}
EMPTY_AT_FIRST = ("errata",)
"""What only a later run can fill: a first run replaces nothing."""


def test_a_run_says_what_it_made_and_where(first, first_output):
    graded = first.query("select count(*) from api.trader_grades where as_of_week = ?", WEEK).item()
    best = first.query(
        "select symbol from api.trader_grades where as_of_week = ? order by trader_grade desc, token_id limit 5", WEEK
    )["symbol"].to_list()

    said = first_output

    assert f"Week {WEEK} (simulated data)" in said
    assert f"Tokens graded: {graded}" in said
    top = re.search(r"^Top 5 by Trader Grade: (.*)$", said, re.MULTILINE)
    assert top is not None
    assert [part.split()[0] for part in top[1].split(", ")] == best
    assert "Top 5 by Investor Grade (90 days, a long-horizon price grade): " in said
    assert re.search(r"^In 14 days with a chance of four in five: BTC [\d,]+ to [\d,]+ USD, ETH", said, re.MULTILINE)
    assert f"Published warehouse: {first.published}" in said


def test_a_run_says_what_each_index_holds(first, first_output):
    indices = first.query("select index_id from api.indices order by 1")["index_id"].to_list()
    held = {
        index_id: first.query(
            "select symbol from api.index_compositions where as_of_week = ? and index_id = ? order by weight desc, token_id",
            *(WEEK, index_id),
        )["symbol"].to_list()
        for index_id in indices
    }

    lines = {match[1]: match[2] for match in re.finditer(r"^Index (\w+) \(.*?\).*?: (.*)$", first_output, re.MULTILINE)}

    assert lines.keys() == {"ai_top100", "balanced_mix", "hodl10"}  # the user's own would be told of, too
    assert f"and {len(indices) - len(lines)} more indices: " in first_output
    for index_id, text in lines.items():
        named, _, others = text.partition(" and ")
        symbols = held[index_id]
        assert [part.split()[0] for part in named.split(", ")] == symbols[:5]
        assert others == (f"{len(symbols) - 5} more" if len(symbols) > 5 else "")


def test_every_index_has_figures_before_and_after_costs_against_its_benchmarks(first):
    figures = first.query("select * from api.index_statistics")
    indices = set(first.query("select index_id from api.indices")["index_id"])
    alone = figures.filter(pl.col("benchmark").is_null() & (pl.col("metric") == "annual_return"))
    after, before = (
        dict(alone.filter(pl.col("basis") == basis).select("index_id", "value").iter_rows())
        for basis in ("net_10k", "gross")
    )

    # An index that has not started says why in its pro-forma instead.
    unstarted = set(first.query("select index_id from api.index_pro_forma where status = 'none'")["index_id"])
    assert set(before) == set(after)
    assert set(before) | unstarted == indices
    assert all(after[index_id] < before[index_id] for index_id in before)
    assert set(figures.filter(pl.col("index_id") == "ai_top100")["benchmark"]) == {
        None,
        "bitcoin",
        "ethereum",
        "total_market",
        "hodl100_capped",
    }


def test_every_index_has_a_methodology_beside_the_copy_and_a_pro_forma_that_sums_to_one(first):
    indices = set(first.query("select index_id from api.indices")["index_id"])
    documents = dict(first.query("select index_id, document from api.index_methodology where is_in_force").rows())
    pro_forma = first.query(
        """select index_id, any_value(status) as status, count(token_id) as tokens, sum(target_weight) as weight,
        min(effective_at)::date as effective from api.index_pro_forma group by index_id"""
    )

    files = {path.stem: path.read_text() for path in (first.folder / "published" / "methodology").iterdir()}

    assert set(documents) == indices == set(pro_forma["index_id"])
    assert files == documents
    composed = pro_forma.filter(pl.col("tokens") > 0)
    assert composed.height > len(indices) / 2
    assert set(composed["index_id"]) | set(pro_forma.filter(pl.col("status") == "none")["index_id"]) == indices
    assert composed["weight"].to_list() == pytest.approx([1.0] * composed.height)
    assert (pro_forma["effective"] > date.fromisoformat(WEEK)).all()
    assert set(pro_forma["status"]) <= {"decided", "unchanged", "indicative", "follows", "none"}


def test_a_fact_sheet_says_what_the_published_tables_do(first):
    sheet = first.query("select * from api.index_fact_sheet where index_id = 'ai_top100'").row(0, named=True)
    level = first.query(
        "select max_by(level, date) / min_by(level, date) - 1 from api.index_levels where index_id = 'ai_top100' and level is not null"
    ).item()
    holdings = first.query(
        "select symbol, weight from api.index_compositions where index_id = 'ai_top100' and as_of_week = ? order by weight desc, token_id",
        WEEK,
    )

    assert sheet["return_since_base"] == pytest.approx(level)
    assert sheet["members"] == holdings.height
    assert [part.split()[0] for part in sheet["largest"].split(", ")] == holdings["symbol"].to_list()[:5]
    assert sheet["twin"] == "hodl100_capped"
    assert sheet["annual_return_net"] < sheet["annual_return"]


def test_every_level_follows_from_published_rebalances_and_closes_in_plain_sql(first):
    checked = first.query(
        """select index_id, count(*) as days, max(abs(relative_difference)) as difference from api.index_level_check group by index_id"""
    )
    levels = first.query("select index_id, count(level) as levels from api.index_levels group by index_id")

    joined = levels.join(checked, on="index_id", how="left")

    assert joined["difference"].max() < 1e-9
    # All but the level an index starts from, and in weeks without a valid basket.
    assert (joined["days"] >= 0.95 * joined["levels"] - 1).all()


def test_a_run_says_the_picks_of_the_screen(first, first_output):
    picks = first.query("select rank, symbol from api.moonshots where as_of_week = ? order by rank", WEEK).rows()

    line = re.search(r"^Moonshot screen: (.*)$", first_output, re.MULTILINE)

    assert picks
    assert line is not None
    assert [(int(rank), symbol) for rank, symbol in re.findall(r"(\d+)\. (\S+) ", line[1])] == picks


@pytest.mark.parametrize("view", sorted(API))
def test_the_sql_interface_has_the_promised_columns(first, view):
    described = first.query(f"describe api.{view}")

    found = dict(zip(described["column_name"], described["column_type"], strict=True))

    wrong = {name: found.get(name) for name, kinds in API[view].items() if found.get(name) not in kinds}
    assert wrong == {}
    assert (first.query(f"select count(*) from api.{view}").item() > 0) == (view not in EMPTY_AT_FIRST)


def test_nothing_else_is_in_the_sql_interface_without_columns_promised_for_it(first):
    found = first.query("select table_name from information_schema.tables where table_schema = 'api'")

    assert set(found["table_name"]) == set(API)


def test_both_ranking_heads_are_evaluated_by_size_and_sector_once_their_labels_have_ended(first):
    newest = dict(
        first.query(
            "select model, max(as_of_week) from api.model_evaluation where universe = 'broad' group by model"
        ).rows()
    )
    groups = first.query(
        """select model, bool_or(starts_with(universe, 'size_')), bool_or(starts_with(universe, 'sector_'))
        from api.model_evaluation where metric = 'partial_rank_ic' group by model order by model"""
    )
    twice = first.query(
        "select 1 from api.model_evaluation group by as_of_week, model, universe, metric having count(*) > 1"
    )

    assert {model: newest[model] for model in ("trader", "investor")} == {
        "trader": date(2024, 12, 16),
        "investor": date(2024, 10, 7),
    }
    assert groups.rows() == [("investor", True, True), ("trader", True, True)]
    assert twice.is_empty()


def test_a_mean_so_far_is_that_of_all_weeks_up_to_its_own(first):
    series = "model = 'trader' and universe = 'broad' and metric = 'rank_ic_lag1' order by as_of_week"
    values = first.query(f"select value from api.model_evaluation where {series}")["value"].to_list()

    so_far = first.query(f"select mean_value, weeks from api.model_evaluation_cumulative where {series}")

    assert len(values) > 1
    assert so_far["weeks"].to_list() == list(range(1, len(values) + 1))
    assert so_far["mean_value"].to_list() == pytest.approx(
        [sum(values[:weeks]) / weeks for weeks in range(1, len(values) + 1)]
    )


def test_models_of_both_ranking_heads_say_how_they_ranked_since(first):
    ranked = first.query(
        "select distinct model from api.models where mean_rank_ic is not null and evaluated_weeks > 0 order by model"
    )

    assert ranked["model"].to_list() == ["investor", "trader"]


def test_every_check_of_the_run_is_in_the_published_history_with_its_tier(first):
    tiers = dict(first.query("select tier, count(*) from quality.check_results group by tier").rows())
    twice = first.query(
        "select 1 from quality.check_results group by run_id, table_name, check_name, column_name having count(*) > 1"
    )
    weeks = first.query("select distinct as_of_week::varchar as week from quality.check_results")["week"].to_list()

    assert min(tiers[tier] for tier in ("great_expectations", "dbt", "python")) > 40
    assert twice.is_empty()
    assert weeks == [WEEK]


def test_a_run_says_how_its_checks_turned_out_and_where_their_pages_are(first, first_output):
    held, all_of_them = first.query("select count(*) filter (is_passed), count(*) from api.check_results").row(0)
    index = first.published.parent / "data_docs" / "index.html"

    assert f"Checks: {held} of {all_of_them} held" in first_output
    assert str(index) in first_output
    assert "learning.trader_grades" in index.read_text()
    assert "marts.fct_daily" in index.read_text()


def test_every_file_that_the_manifest_names_is_there(first):
    folder = first.published.parent
    (manifest,) = first.manifests()

    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")} | {first.published.name}

    assert files == set(manifest["files"])
    assert {f"parquet/{name}.parquet" for name in manifest["versioned_tables"]} < files
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert (manifest["data_source"], manifest["as_of_week"]) == ("simulated", WEEK)
    assert manifest["previous_manifest_sha256"] is None
    landed = {path.name for path in (first.folder / "landing").iterdir()}
    assert {"coingecko", "coinmetrics", "binance", "defillama"} < landed == set(manifest["attribution"])


def test_parquet_beside_the_warehouse_holds_every_row_of_its_table(first):
    (manifest,) = first.manifests()

    counts = {
        name: duckdb.sql(f"select count(*) from '{first.published.parent}/parquet/{name}.parquet'").fetchall()[0][0]
        for name in manifest["versioned_tables"]
    }

    assert counts == {name: first.query(f"select count(*) from {name}").item() for name in counts}


def test_the_published_file_answers_anywhere_under_any_name(first, tmp_path):
    elsewhere = tmp_path / "renamed copy.db"
    shutil.copyfile(first.published, elsewhere)

    with duckdb.connect() as connection:
        connection.execute(f"attach '{elsewhere}' as x (read_only)")
        objects = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'x' union all "
            "select schema_name || '.' || view_name from duckdb_views() where database_name = 'x' and not internal"
        ).fetchall()
        answers = {name: connection.execute(f"select * from x.{name} limit 1").fetchall() for (name,) in objects}

    assert {f"api.{view}" for view in API} <= set(answers)
    assert [view for view in API if not answers[f"api.{view}"]] == list(EMPTY_AT_FIRST)
    assert not [name for name in answers if name.startswith(("raw.", "staging.", "intermediate."))]


def test_weights_of_every_composition_and_rebalance_sum_to_one(first):
    compositions = first.query("select sum(weight) as total from api.index_compositions group by as_of_week, index_id")
    rebalances = first.query(
        "select sum(target_weight) as total from api.index_rebalances group by index_id, effective_at"
    )
    least = first.query("select min(weight) from api.index_compositions").item()

    assert compositions["total"].to_list() == pytest.approx([1.0] * compositions.height, abs=1e-9)
    assert rebalances["total"].to_list() == pytest.approx([1.0] * rebalances.height, abs=1e-9)
    assert least >= 0


def test_grades_and_ranks_lie_between_0_and_100(first):
    extremes = first.query(
        "select min(trader_grade), max(trader_grade), min(trader_rank), max(trader_rank), "
        "count(*) filter (trader_grade is null or trader_rank is null) from api.trader_grades"
    ).row(0)

    assert min(extremes[0], extremes[2]) >= 0
    assert max(extremes[1], extremes[3]) <= 100
    assert extremes[4] == 0


def test_probabilities_of_every_call_sum_to_one(first):
    wrong = first.query(
        "select * from api.trading_signals where abs(p_bullish + p_neutral + p_bearish - 1) > 1e-9 "
        "or least(p_bullish, p_neutral, p_bearish) < 0 or signal not in (-1, 0, 1) or signal is null"
    )

    assert wrong.is_empty()


def test_every_eligible_token_of_every_week_is_graded_and_called(first):
    coverage = first.query(
        """
        with eligible as (
            select market_date + 1 as as_of_week, token_id from marts.fct_universe_daily
            where is_broad and isodow(market_date) = 7
                and market_date + 1 >= (select min(as_of_week) from api.trader_grades)
        )
        select
            count(*) as eligible, count(grades.token_id) as graded, count(calls.token_id) as called,
            (select count(*) from api.trader_grades) as grades, count(distinct eligible.as_of_week) as weeks
        from eligible
        left join api.trader_grades as grades using (as_of_week, token_id)
        left join api.trading_signals as calls using (as_of_week, token_id)
        """
    ).row(0, named=True)

    assert coverage["weeks"] > 52
    assert coverage["eligible"] == coverage["graded"] == coverage["called"] == coverage["grades"]


def test_every_monday_since_the_first_grade_has_grades(first):
    weeks = first.query("select distinct as_of_week from api.trader_grades order by 1")["as_of_week"]

    gaps = set(weeks.diff().drop_nulls().dt.total_days().to_list())

    assert gaps == {7}
    assert str(weeks.max()) == WEEK
    assert set(weeks.dt.weekday().to_list()) == {1}


def test_rows_say_that_they_are_simulated_and_made_afterwards(first):
    sources = first.query("select distinct data_source from api.daily")["data_source"].to_list()
    origins = first.query("select distinct origin from quality.unit_versions")["origin"].to_list()

    assert sources == ["simulated"]
    assert origins == ["backfilled"]
    assert {row["data_source"] for row in first.manifests()} == {"simulated"}


def test_no_price_is_younger_than_the_sunday_before_the_week(first):
    newest = first.query("select max(date) from api.daily").item()

    assert str(newest) == "2025-01-05"


def test_landed_rows_all_say_simulated_and_when_they_were_known(first):
    landed = first.folder / "landing"

    wrong = duckdb.sql(
        f"select filename from read_parquet('{landed}/*/*/*/*.parquet', union_by_name = true, filename = true) "
        "where data_source <> 'simulated' or available_at is null or loaded_at is null or load_id is null"
    ).fetchall()

    assert wrong == []
    assert not list(first.folder.rglob("*.tmp"))


def test_the_log_of_a_run_has_every_step(first):
    log = (first.folder / "run.log").read_text()

    for step in ("dbt_marts", "calls", "published__warehouse"):
        assert f"{step} - STEP_START" in log
        assert f"{step} - STEP_SUCCESS" in log
