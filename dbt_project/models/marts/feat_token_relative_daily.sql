{{ config(materialized="view") }}
-- The contract over the places and distances: what is ranked and what is compared is chosen in models_ml/features/relative.py.
with features as (
    select
        prices.*,
        facts.* exclude (facts.token_id, facts.market_date)
    from {{ ref('int_price_features_relative') }} as prices
    left join {{ ref('int_fact_features_relative') }} as facts
        on prices.token_id = facts.token_id and prices.market_date = facts.market_date
)

select
    token_id,
    market_date,
    sector,
    rank_return_7d,
    rank_return_30d,
    rank_return_90d,
    rank_return_vs_btc_30d,
    rank_price_to_sma_50d,
    rank_rsi_14d,
    rank_regression_slope_30d,
    rank_volatility_30d,
    rank_drawdown_90d,
    rank_beta_btc_90d,
    rank_sharpe_90d,
    rank_volume_30d_median_usd,
    rank_turnover_30d,
    rank_volume_surge_7d_30d,
    rank_amihud_illiquidity_30d,
    rank_log_market_cap,
    rank_supply_growth_90d,
    rank_fees_30d_to_market_cap,
    rank_market_cap_to_tvl,
    rank_funding_rate_7d,
    rank_commits_growth_12w,
    rank_news_mention_share_7d,
    sector_relative_return_7d,
    sector_relative_return_30d,
    sector_relative_return_90d,
    sector_relative_volatility_30d,
    sector_relative_turnover_30d,
    sector_relative_volume_surge_7d_30d,
    sector_relative_market_cap_to_tvl,
    is_hindsight
from features
