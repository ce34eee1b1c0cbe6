{{ config(materialized="incremental") }}
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
    where {{ in_rebuilt_days() }}
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
    where {{ in_rebuilt_days() }}
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
    where {{ in_rebuilt_days() }}
),

-- The last row of every market before the days that are computed.
last_known as (
    {{ before_rebuilt_days(['source', 'market_id'], [
        ('max(market_date)', 'market_date', 'date'),
        ('arg_max(close_usd, market_date)', 'close_usd', 'double'),
        ('arg_max(coin_number, market_date)', 'coin_number', 'integer'),
    ]) }}
),

followed as (
    select
        closes.source,
        closes.market_id,
        closes.market_date,
        closes.close_usd,
        closes.market_cap_usd,
        closes.volume_24h_usd,
        closes.symbol,
        closes.name,
        closes.data_source,
        closes.available_at,
        coalesce(last_known.coin_number, 1) as coin_number_before,
        coalesce(
            closes.source not in ('coingecko', 'coinmarketcap')
            and closes.market_date - coalesce(lag(closes.market_date) over days, last_known.market_date) > 4
            and abs(ln(closes.close_usd / coalesce(lag(closes.close_usd) over days, last_known.close_usd))) > ln(5),
            false
        ) as is_another_coin
    from closes
    left join last_known on closes.source = last_known.source and closes.market_id = last_known.market_id
    where closes.close_usd > 0
    window days as (partition by closes.source, closes.market_id order by closes.market_date)
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
        (
            coin_number_before + sum(is_another_coin::int) over (partition by source, market_id order by market_date)
        )::integer as coin_number
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
    coin_number,
    market_date,
    close_usd,
    market_cap_usd,
    volume_24h_usd,
    symbol,
    name,
    data_source,
    available_at
from counted
