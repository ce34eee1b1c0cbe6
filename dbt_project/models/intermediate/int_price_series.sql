-- Every series of closes that may be a token's, with its rank: of two series of one coin the one with the lower rank names the token.
-- A ticker that an exchange gives to another coin begins a new series (`market_id#2`): there the price goes on after more than three days
-- at over five times or under a fifth of what it was, as LUNA did in May 2022.
with closes as (
    select
        'coingecko' as source,
        coin_id as market_id,
        market_date,
        price_usd as close_usd,
        nullif(market_cap_usd, 0) as market_cap_usd,
        volume_24h_usd,
        symbol,
        null as name,
        data_source,
        available_at
    from {{ ref('stg_coingecko__market_daily') }}
    union all
    select
        source,
        market_id,
        market_date,
        close_usd,
        market_cap_usd,
        volume_24h_usd,
        symbol,
        name,
        data_source,
        available_at
    from {{ ref('int_coinmarketcap_closes') }}
    union all
    select
        source,
        market_id,
        market_date,
        close_usd,
        null as market_cap_usd,
        volume_24h_usd,
        symbol,
        null as name,
        data_source,
        available_at
    from {{ ref('int_exchange_closes') }}
),

followed as (
    select
        source,
        market_id,
        market_date,
        close_usd,
        market_cap_usd,
        volume_24h_usd,
        symbol,
        name,
        data_source,
        available_at,
        coalesce(
            source not in ('coingecko', 'coinmarketcap')
            and market_date - lag(market_date) over days > 4
            and abs(ln(close_usd / lag(close_usd) over days)) > ln(5),
            false
        ) as is_another_coin
    from closes
    where close_usd > 0
    window days as (partition by source, market_id order by market_date)
),

counted as (
    select
        source,
        market_id,
        market_date,
        close_usd,
        market_cap_usd,
        volume_24h_usd,
        symbol,
        name,
        data_source,
        available_at,
        1 + sum(is_another_coin::int) over (partition by source, market_id order by market_date) as coin_number
    from followed
)

select
    case source
        when 'coingecko' then market_id
        when 'coinmarketcap' then source || ':' || market_id
        else source || ':' || market_id || case when coin_number > 1 then '#' || coin_number else '' end
    end as series_id,
    {{ source_rank('source') }} as series_rank,
    source,
    market_id,
    market_date,
    close_usd,
    market_cap_usd,
    volume_24h_usd,
    symbol,
    name,
    data_source,
    available_at
from counted
