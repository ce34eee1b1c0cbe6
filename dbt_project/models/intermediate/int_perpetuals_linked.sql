-- Which token the perpetuals of an exchange with a ticker are about, from a day on. The spot market of the same exchange with that ticker
-- says so, because that one is known by its price; without one the coin with the ticker and the largest market cap, as fct_onchain_daily
-- has it. Lots count as their token: 1000SATS is SATS.
with perpetuals as (
    select
        source,
        symbol,
        min(market_date) as first_date
    from (
        select
            source,
            symbol,
            market_date
        from {{ ref('stg_exchanges__funding_rates') }}
        union all
        select
            source,
            symbol,
            market_date
        from {{ ref('stg_exchanges__open_interest') }}
    ) as landed
    where symbol is not null
    group by source, symbol
),

names as (
    select
        source,
        symbol,
        symbol as name,
        first_date
    from perpetuals
    union
    select
        source,
        symbol,
        {{ without_multiple('symbol') }} as name,
        first_date
    from perpetuals
),

spot as (
    select
        source,
        {{ without_multiple('symbol') }} as name,
        market_date,
        token_id,
        0 as spot_order
    from {{ ref('int_exchange_quotes_linked') }}
    union all
    select
        source,
        symbol as name,
        market_date,
        token_id,
        1 as spot_order
    from {{ ref('int_closes_resolved') }}
    where linked_date is not null and source != 'coinmarketcap'
),

spot_days as (
    select
        names.source,
        names.symbol,
        spot.market_date,
        spot.token_id
    from names
    inner join spot on names.source = spot.source and names.name = spot.name
    qualify row_number() over (
        partition by names.source, names.symbol, spot.market_date
        order by spot.spot_order asc, spot.token_id asc
    ) = 1
),

candidates as (
    select
        names.source,
        names.symbol,
        daily.token_id,
        daily.market_date,
        daily.market_cap_usd,
        min(daily.market_date) over (partition by names.source, names.symbol) as met_date
    from names
    inner join {{ ref('stg_coingecko__assets') }} as coins on names.name = coins.symbol
    inner join {{ ref('fct_daily') }} as daily
        on coins.coin_id = daily.token_id and names.first_date <= daily.market_date
),

by_size as (
    -- The choice is known when thirty days have shown it, and stays whoever takes the ticker later.
    select
        source,
        symbol,
        token_id,
        min(met_date) + 29 as linked_date
    from candidates
    where market_date < met_date + 30
    group by source, symbol, token_id
    qualify row_number() over (
        partition by source, symbol
        order by median(market_cap_usd) desc nulls last, token_id asc
    ) = 1
),

links as (
    select
        source,
        symbol,
        token_id,
        market_date as linked_date,
        true as is_by_price
    from spot_days
    qualify token_id is distinct from lag(token_id) over (partition by source, symbol order by market_date)
    union all
    select
        by_size.source,
        by_size.symbol,
        by_size.token_id,
        by_size.linked_date,
        false as is_by_price
    from by_size
    -- Once a price has spoken, size does not.
    left join (
        select
            source,
            symbol,
            min(market_date) as spoken_date
        from spot_days
        group by source, symbol
    ) as spoken on by_size.source = spoken.source and by_size.symbol = spoken.symbol
    where spoken.spoken_date is null or by_size.linked_date < spoken.spoken_date
)

select
    source,
    symbol,
    linked_date,
    token_id,
    is_by_price
from links
