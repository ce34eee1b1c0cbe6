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
    -- Coin Metrics names assets by ticker. Rivals for it are the coins with that ticker and a price, from the metric's first day on.
    select
        assets.asset,
        daily.token_id,
        daily.market_date,
        daily.market_cap_usd,
        min(daily.market_date) over (partition by assets.asset) as met_date
    from (
        select
            asset,
            min(market_date) as first_date
        from metrics
        group by asset
    ) as assets
    inner join {{ ref('stg_coingecko__assets') }} as coins on upper(assets.asset) = coins.symbol
    inner join {{ ref('fct_daily') }} as daily
        on coins.coin_id = daily.token_id and assets.first_date <= daily.market_date
),

links as (
    -- The one with the largest median market cap of the first thirty days is meant, and keeps the ticker whoever takes it later.
    -- Its metrics count from the last of those days on: before it, the choice was not known.
    select
        asset,
        token_id,
        min(met_date) + 29 as linked_date
    from candidates
    where market_date < met_date + 30
    group by asset, token_id
    qualify row_number() over (partition by asset order by median(market_cap_usd) desc nulls last, token_id asc) = 1
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
    max(metrics.value) filter (where metrics.metric = 'FeeTotNtv') as fees_tokens,
    max(metrics.value) filter (where metrics.metric = 'TxTfrValAdjUSD') as transfer_value_usd,
    max(metrics.available_at) as available_at
from metrics
inner join links on metrics.asset = links.asset and metrics.market_date >= links.linked_date
group by links.token_id, metrics.market_date
order by links.token_id, metrics.market_date
