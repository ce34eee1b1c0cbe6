{{ config(materialized="incremental") }}
-- The whole market on a day, from what was known at its close. Totals count every token with a known cap but claims on another one
-- (wrapped, bridged, staked, funds, commodities); breadth and returns are those of the broad universe. Providers of the past cover a
-- changing part of the market, so `tokens` says how many stand behind a day, and changes are measured on tokens with both caps.
with totals as (
    select
        market_date,
        count(market_cap_usd) as tokens,
        sum(market_cap_usd) as market_cap_usd,
        coalesce(sum(market_cap_usd) filter (where is_stable), 0) as stablecoin_market_cap_usd,
        sum(market_cap_usd) filter (where not is_stable) as market_cap_without_stable_usd,
        sum(market_cap_usd) filter (where is_broad) as broad_market_cap_usd,
        max(market_cap_usd) filter (where token_id = 'bitcoin') as btc_market_cap_usd,
        max(market_cap_usd) filter (where token_id = 'ethereum') as eth_market_cap_usd,
        sum(market_cap_usd * market_cap_usd) filter (where not is_stable) as squared_cap,
        coalesce(sum(market_cap_usd) filter (where is_supply_carried), 0) as carried_cap_usd,
        sum(volume_24h_usd) filter (where not is_stable) as volume_24h_usd,
        sum(volume_24h_usd) filter (where is_stable) as stablecoin_volume_24h_usd,
        {% for days in [1, 7, 30] %}
            sum(market_cap_usd) filter (where market_cap_{{ days }}d_before_usd is not null)
            / sum(market_cap_{{ days }}d_before_usd) filter (where market_cap_usd is not null) - 1 as market_cap_change_{{ days }}d,
        {% endfor %}
        count(*) filter (where was_broad and return_1d is not null) as tokens_held,
        sum(return_1d * market_cap_1d_before_usd) filter (where was_broad)
        / sum(market_cap_1d_before_usd) filter (where was_broad and return_1d is not null) as market_return_1d,
        median(return_1d) filter (where was_broad) as median_return_1d,
        -- Half the distance between the 16th and the 84th percentile: one standard deviation of a normal, and deaf to a single coin.
        (
            quantile_cont(return_1d, 0.84) filter (where was_broad) - quantile_cont(return_1d, 0.16) filter (where was_broad)
        ) / 2 as return_dispersion_1d,
        count(*) filter (where was_broad and return_1d > 0) as advancing_tokens,
        count(*) filter (where was_broad and return_1d < 0) as declining_tokens,
        max(available_at) as available_at
    from {{ ref('int_market_members') }}
    where {{ in_rebuilt_days() }}
    group by market_date
),

bitcoin as (
    select
        features.market_date,
        features.return_7d,
        features.return_30d,
        features.return_90d,
        highs.drawdown_from_high
    from {{ ref('int_price_features') }} as features
    inner join {{ ref('fct_token_market_daily') }} as highs
        on features.token_id = highs.token_id and features.market_date = highs.market_date
    where features.token_id = 'bitcoin' and {{ in_rebuilt_days(column='features.market_date') }}
),

breadth as (
    select
        members.market_date,
        count(*) as broad_tokens,
        avg((features.price_to_sma_50d > 0)::int) as breadth_50d,
        avg((features.price_to_sma_200d > 0)::int) as breadth_200d,
        avg((features.return_7d > 0)::int) as positive_share_7d,
        avg((features.return_30d > 0)::int) as positive_share_30d,
        {% for days in [7, 30, 90] %}
            avg((features.return_{{ days }}d > bitcoin.return_{{ days }}d)::int) filter (where members.token_id != 'bitcoin')
                as beats_btc_share_{{ days }}d,
        {% endfor %}
        {% for days in [30, 365] %}
            count(*) filter (where highs.is_new_high_{{ days }}d) as new_highs_{{ days }}d,
            count(*) filter (where highs.is_new_low_{{ days }}d) as new_lows_{{ days }}d,
        {% endfor %}
        median(features.drawdown_365d::double) as median_drawdown_365d,
        median(highs.drawdown_from_high) as median_drawdown_from_high
    from {{ ref('int_market_members') }} as members
    inner join {{ ref('int_price_features') }} as features
        on members.token_id = features.token_id and members.market_date = features.market_date
    inner join {{ ref('fct_token_market_daily') }} as highs
        on members.token_id = highs.token_id and members.market_date = highs.market_date
    left join bitcoin on members.market_date = bitcoin.market_date
    where
        members.is_broad
        and {{ in_rebuilt_days(column='members.market_date') }}
        and {{ in_rebuilt_days(column='features.market_date') }}
        and {{ in_rebuilt_days(column='highs.market_date') }}
    group by members.market_date
),

stablecoins as (
    select
        market_date,
        value as supply_usd
    from {{ ref('int_market_series_carried') }}
    where series = 'stablecoin_supply_usd'
),

exchange_flows as (
    -- On-chain days are published a day late: a close knows the flows of the day before it, at that day's price.
    select
        flows.token_id,
        {{ known_date('flows.available_at') }} as market_date,
        (flows.exchange_inflow_tokens - flows.exchange_outflow_tokens) * daily.price_usd as net_inflow_usd
    from {{ ref('fct_onchain_daily') }} as flows
    inner join {{ ref('fct_daily') }} as daily
        on flows.token_id = daily.token_id and flows.market_date = daily.market_date
    where
        flows.token_id in ('bitcoin', 'ethereum')
        and flows.exchange_inflow_tokens is not null
        and flows.exchange_outflow_tokens is not null
    -- Of several days that became known at once the newest counts.
    qualify row_number() over (
        partition by flows.token_id, {{ known_date('flows.available_at') }}
        order by flows.market_date desc
    ) = 1
),

flows as (
    select
        market_date,
        max(net_inflow_usd) filter (where token_id = 'bitcoin') as btc_exchange_net_inflow_usd,
        max(net_inflow_usd) filter (where token_id = 'ethereum') as eth_exchange_net_inflow_usd
    from exchange_flows
    group by market_date
),

history as (
    select
        market_date,
        market_cap_usd,
        volume_24h_usd,
        case when tokens_held >= 5 then market_return_1d end as market_return_1d
    from totals
    {%- if is_incremental() %}
        union all
        select
            market_date,
            market_cap_usd,
            volume_24h_usd,
            market_return_1d
        from {{ this }}
        where market_date < {{ rebuilt_from() }}
    {%- endif %}
),

chained as (
    -- A day without a return leaves the level where it is.
    select
        market_date,
        100 * exp(sum(coalesce(ln(1 + market_return_1d), 0)) over so_far) as market_index_level,
        max(market_cap_usd) over so_far as market_cap_high_usd,
        case when count(volume_24h_usd) over month_before >= 20 then avg(volume_24h_usd) over month_before end as volume_mean_30d_usd
    from history
    window
        so_far as (
            order by market_date
            rows between unbounded preceding and current row
        ),
        month_before as (
            order by (market_date - date '2000-01-01')::integer
            range between 30 preceding and 1 preceding
        )
),

leveled as (
    select
        market_date,
        market_index_level,
        market_cap_high_usd,
        volume_mean_30d_usd,
        max(market_index_level) over (
            order by market_date
            rows between unbounded preceding and current row
        ) as market_index_high
    from chained
),

joined as (
    select
        totals.market_date,
        totals.tokens,
        totals.market_cap_usd,
        totals.stablecoin_market_cap_usd,
        totals.market_cap_without_stable_usd,
        totals.broad_market_cap_usd,
        totals.btc_market_cap_usd,
        totals.eth_market_cap_usd,
        totals.squared_cap,
        totals.carried_cap_usd,
        totals.volume_24h_usd,
        totals.stablecoin_volume_24h_usd,
        totals.market_cap_change_1d,
        totals.market_cap_change_7d,
        totals.market_cap_change_30d,
        case when totals.tokens_held >= 5 then totals.market_return_1d end as market_return_1d,
        case when totals.tokens_held >= 5 then totals.median_return_1d end as median_return_1d,
        case when totals.tokens_held >= 5 then totals.return_dispersion_1d end as return_dispersion_1d,
        leveled.market_index_level,
        leveled.market_index_high,
        leveled.market_cap_high_usd,
        leveled.volume_mean_30d_usd,
        totals.advancing_tokens,
        totals.declining_tokens,
        bitcoin.drawdown_from_high as btc_drawdown_from_high,
        coalesce(breadth.broad_tokens, 0) as broad_tokens,
        breadth.breadth_50d,
        breadth.breadth_200d,
        breadth.positive_share_7d,
        breadth.positive_share_30d,
        breadth.beats_btc_share_7d,
        breadth.beats_btc_share_30d,
        breadth.beats_btc_share_90d,
        breadth.new_highs_30d,
        breadth.new_lows_30d,
        breadth.new_highs_365d,
        breadth.new_lows_365d,
        breadth.median_drawdown_365d,
        breadth.median_drawdown_from_high,
        stablecoins.supply_usd as stablecoin_supply_usd,
        stablecoins.supply_usd - week_ago.supply_usd as stablecoin_supply_change_7d_usd,
        stablecoins.supply_usd - month_ago.supply_usd as stablecoin_supply_change_30d_usd,
        flows.btc_exchange_net_inflow_usd,
        flows.eth_exchange_net_inflow_usd,
        published.market_cap_usd as coingecko_market_cap_usd,
        published.btc_dominance as coingecko_btc_dominance,
        greatest(totals.available_at, published.available_at) as available_at
    from totals
    inner join leveled on totals.market_date = leveled.market_date
    left join bitcoin on totals.market_date = bitcoin.market_date
    left join breadth on totals.market_date = breadth.market_date
    left join stablecoins on totals.market_date = stablecoins.market_date
    left join stablecoins as week_ago on totals.market_date = week_ago.market_date + 7
    left join stablecoins as month_ago on totals.market_date = month_ago.market_date + 30
    left join flows on totals.market_date = flows.market_date
    left join {{ ref('stg_coingecko__global_daily') }} as published on totals.market_date = published.market_date
)

select
    market_date,
    tokens::integer as tokens,
    broad_tokens::integer as broad_tokens,
    market_cap_usd,
    market_cap_without_stable_usd,
    stablecoin_market_cap_usd,
    broad_market_cap_usd,
    btc_market_cap_usd,
    eth_market_cap_usd,
    market_cap_without_stable_usd - btc_market_cap_usd as altcoin_market_cap_usd,
    btc_market_cap_usd / market_cap_usd as btc_dominance,
    eth_market_cap_usd / market_cap_usd as eth_dominance,
    stablecoin_market_cap_usd / market_cap_usd as stablecoin_share,
    squared_cap / (market_cap_without_stable_usd * market_cap_without_stable_usd) as concentration,
    carried_cap_usd / market_cap_usd as hindsight_cap_share,
    market_cap_change_1d,
    market_cap_change_7d,
    market_cap_change_30d,
    market_cap_usd / market_cap_high_usd - 1 as market_cap_drawdown_from_high,
    volume_24h_usd,
    stablecoin_volume_24h_usd,
    volume_24h_usd / volume_mean_30d_usd as volume_to_mean_30d,
    market_return_1d,
    median_return_1d,
    return_dispersion_1d,
    market_index_level,
    market_index_level / market_index_high - 1 as market_index_drawdown_from_high,
    advancing_tokens::integer as advancing_tokens,
    declining_tokens::integer as declining_tokens,
    breadth_50d,
    breadth_200d,
    positive_share_7d,
    positive_share_30d,
    beats_btc_share_7d,
    beats_btc_share_30d,
    beats_btc_share_90d,
    new_highs_30d::integer as new_highs_30d,
    new_lows_30d::integer as new_lows_30d,
    new_highs_365d::integer as new_highs_365d,
    new_lows_365d::integer as new_lows_365d,
    btc_drawdown_from_high,
    median_drawdown_365d,
    median_drawdown_from_high,
    stablecoin_supply_usd,
    stablecoin_supply_change_7d_usd,
    stablecoin_supply_change_30d_usd,
    btc_exchange_net_inflow_usd,
    eth_exchange_net_inflow_usd,
    coingecko_market_cap_usd,
    market_cap_usd / coingecko_market_cap_usd as coingecko_market_cap_ratio,
    coingecko_btc_dominance,
    available_at
from joined
order by market_date
