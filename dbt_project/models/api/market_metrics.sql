-- One line a day of all there is to say of the market as a whole; what has more columns has a view of its own (api.market,
-- api.bull_bear_daily, api.market_signal, api.market_regime).
with flows as (
    select
        market_date,
        stablecoin_supply_usd,
        stablecoin_supply_usd - lag(stablecoin_supply_usd) over (order by market_date) as stablecoin_supply_change_1d_usd,
        case
            when count(btc_exchange_net_inflow_usd) over week = 7 then sum(btc_exchange_net_inflow_usd) over week
        end as btc_exchange_net_inflow_7d_usd,
        case
            when count(eth_exchange_net_inflow_usd) over week = 7 then sum(eth_exchange_net_inflow_usd) over week
        end as eth_exchange_net_inflow_7d_usd
    from {{ ref('fct_market_daily') }}
    window week as (
        order by market_date
        rows between 6 preceding and current row
    )
),

events as (
    select
        market_date,
        sum(new_listings) over month as new_listings_30d,
        sum(deaths) over month as deaths_30d
    from {{ ref('fct_market_breadth_daily') }}
    window month as (
        order by market_date
        range between interval 29 days preceding and current row
    )
)

select
    market.market_date as date,
    market.market_cap_usd,
    market.market_return_1d,
    market.market_index_level,
    market.market_index_drawdown_from_high,
    regime.regime,
    regime.regime_probability,
    signal.signal as market_signal,
    signal.flipped_date as market_signal_flipped_date,
    bull_bear.bullish_share,
    bull_bear.bearish_share,
    bull_bear.bullish_cap_share,
    bull_bear.bearish_cap_share,
    grades.median_trader_grade,
    grades.high_grade_share,
    market.btc_dominance,
    market.eth_dominance,
    market.stablecoin_share,
    breadth.altcoin_season_index,
    market.beats_btc_share_7d,
    market.beats_btc_share_30d,
    market.beats_btc_share_90d,
    market.breadth_50d,
    market.breadth_200d,
    breadth.down_90_share,
    breadth.broad_tokens as tradable_tokens,
    breadth.liquid_tokens,
    market.return_dispersion_1d,
    breadth.return_dispersion_7d,
    breadth.return_dispersion_30d,
    breadth.return_dispersion_90d,
    breadth.median_correlation_btc_90d,
    flows.stablecoin_supply_usd,
    flows.stablecoin_supply_change_1d_usd,
    market.stablecoin_supply_change_7d_usd,
    market.stablecoin_supply_change_30d_usd,
    flows.btc_exchange_net_inflow_7d_usd,
    flows.eth_exchange_net_inflow_7d_usd,
    breadth.new_listings,
    events.new_listings_30d::bigint as new_listings_30d,
    grades.new_graded_tokens,
    grades.new_high_grade_share,
    breadth.deaths,
    events.deaths_30d::bigint as deaths_30d,
    breadth.is_coverage_break,
    features.fear_greed,
    macro.policy_rate,
    macro.yield_10y,
    macro.yield_curve,
    macro.dollar_index,
    macro.m2_usd,
    features.m2_growth_1y,
    macro.vix
from {{ ref('fct_market_daily') }} as market
left join {{ ref('fct_market_breadth_daily') }} as breadth on market.market_date = breadth.market_date
left join flows on market.market_date = flows.market_date
left join events on market.market_date = events.market_date
left join {{ ref('feat_market_daily') }} as features on market.market_date = features.market_date
left join {{ ref('fct_macro_daily') }} as macro on market.market_date = macro.market_date
left join {{ source('market', 'bull_bear') }} as bull_bear on market.market_date = bull_bear.market_date
left join {{ source('market', 'signal') }} as signal on market.market_date = signal.market_date
left join {{ source('market', 'regime') }} as regime on market.market_date = regime.market_date
left join {{ source('market', 'grades') }} as grades on market.market_date = grades.market_date
