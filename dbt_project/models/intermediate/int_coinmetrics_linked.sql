-- Which token an asset of Coin Metrics is, from a day on. Coin Metrics names assets by ticker; rivals for it are the coins with that
-- ticker and a price, from the metric's first day on. A curated override with a priced token wins from its day on.
with assets as (
    select
        asset,
        min(market_date) as first_date
    from {{ ref('stg_coinmetrics__asset_metrics') }}
    where
        value is not null
        -- A provisional value is replaced within days; it is not a fact yet.
        and coalesce(status, '') != 'flash'
    group by asset
),

candidates as (
    select
        assets.asset,
        daily.token_id,
        daily.market_date,
        daily.market_cap_usd,
        min(daily.market_date) over (partition by assets.asset) as met_date
    from assets
    inner join {{ ref('stg_coingecko__assets') }} as coins on upper(assets.asset) = coins.symbol
    inner join {{ ref('fct_daily') }} as daily
        on coins.coin_id = daily.token_id and assets.first_date <= daily.market_date
),

by_size as (
    -- The one with the largest median market cap of the first thirty days is meant, and keeps the ticker whoever takes it later.
    -- Its metrics count from the last of those days on: before it, the choice was not known.
    select
        asset,
        token_id,
        min(met_date) + 29 as linked_date,
        median(market_cap_usd) as market_cap_usd,
        count(*) over (partition by asset) as rivals
    from candidates
    where market_date < met_date + 30
    group by asset, token_id
    qualify row_number() over (partition by asset order by median(market_cap_usd) desc nulls last, token_id asc) = 1
),

overridden as (
    select
        overrides.value as asset,
        overrides.token_id,
        greatest(coalesce(overrides.valid_from, min(daily.market_date)), min(daily.market_date)) as linked_date,
        overrides.valid_to,
        overrides.reason
    from {{ ref('identity_overrides') }} as overrides
    inner join {{ ref('fct_daily') }} as daily on overrides.token_id = daily.token_id
    where
        overrides.kind = 'coinmetrics'
        and (overrides.valid_from is null or overrides.valid_from < timezone('UTC', {{ as_of() }})::date)
    group by overrides.value, overrides.token_id, overrides.valid_from, overrides.valid_to, overrides.reason
)

select
    by_size.asset,
    by_size.token_id,
    by_size.linked_date,
    firsts.linked_date as valid_to,
    'largest cap of the ticker' as method,
    'median market cap ' || coalesce(round(by_size.market_cap_usd)::bigint::varchar, 'unknown') || ' USD in 30 days, the largest of '
    || by_size.rivals || ' with the ticker' as evidence
from by_size
left join (
    select
        asset,
        min(linked_date) as linked_date
    from overridden
    group by asset
) as firsts on by_size.asset = firsts.asset
where firsts.linked_date is null or by_size.linked_date < firsts.linked_date
union all
select
    asset,
    token_id,
    linked_date,
    valid_to,
    'override' as method,
    reason as evidence
from overridden
