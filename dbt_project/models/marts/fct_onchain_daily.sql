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
inner join {{ ref('int_coinmetrics_linked') }} as links
    on
        metrics.asset = links.asset
        and metrics.market_date >= links.linked_date
        and (links.valid_to is null or metrics.market_date < links.valid_to)
group by links.token_id, metrics.market_date
order by links.token_id, metrics.market_date
