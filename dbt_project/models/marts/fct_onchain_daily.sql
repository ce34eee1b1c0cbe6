-- One row a token and day, metrics as columns. Several feeds may give one metric: the live one first, then the newest import.
with metrics as (
    select
        asset,
        market_date,
        metric,
        value,
        available_at
    from {{ ref('stg_coinmetrics__asset_metrics') }}
    where
        value is not null
        -- A provisional value is replaced within days; it is not a fact yet.
        and coalesce(status, '') != 'flash'
    qualify row_number() over (
        partition by asset, market_date, metric
        order by (feed = 'community') desc, feed desc
    ) = 1
),

candidates as (
    -- Coin Metrics names assets by ticker. Of the coins with that ticker the one with the largest median market cap in the ninety
    -- days before the metric's first day (or its own first days, where it started later) is meant.
    select
        assets.asset,
        daily.token_id,
        median(daily.market_cap_usd) as median_cap_usd
    from (
        select
            asset,
            min(market_date) as first_date
        from metrics
        group by asset
    ) as assets
    inner join {{ ref('stg_coingecko__assets') }} as coins on upper(assets.asset) = coins.symbol
    inner join {{ ref('fct_daily') }} as daily on coins.coin_id = daily.token_id
    inner join (
        select
            token_id,
            min(market_date) as first_date
        from {{ ref('fct_daily') }}
        group by token_id
    ) as starts on daily.token_id = starts.token_id
    where daily.market_date between starts.first_date and greatest(starts.first_date, assets.first_date) + 30
    group by assets.asset, daily.token_id
),

links as (
    select
        asset,
        token_id
    from candidates
    qualify row_number() over (partition by asset order by median_cap_usd desc nulls last, token_id asc) = 1
)

select
    links.token_id,
    metrics.market_date,
    max(metrics.value) filter (where metrics.metric = 'AdrActCnt') as active_addresses,
    max(metrics.value) filter (where metrics.metric = 'TxCnt') as transactions,
    max(metrics.value) filter (where metrics.metric = 'CapMVRVCur') as mvrv_ratio,
    max(metrics.value) filter (where metrics.metric = 'FlowInExNtv') as exchange_inflow_tokens,
    max(metrics.value) filter (where metrics.metric = 'FlowOutExNtv') as exchange_outflow_tokens,
    max(metrics.value) filter (where metrics.metric = 'SplyCur') as supply_tokens,
    max(metrics.available_at) as available_at
from metrics
inner join links on metrics.asset = links.asset
group by links.token_id, metrics.market_date
order by links.token_id, metrics.market_date
