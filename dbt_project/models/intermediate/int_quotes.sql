{{ config(materialized="incremental") }}
-- What each source says of a token on a day: price, cap, volume. Two markets of one source may be the same token (an old and a new
-- ticker): the first by name, so that a rebuild agrees. Yahoo passes on CoinMarketCap's prices (they agree within 0.013 %), so where
-- both speak it is no second voice. A price of 0 is none; a cap or volume of 0 stands here as delivered. Grain: token, day, source.
with quotes as (
    select
        coin_id as token_id,
        market_date,
        source,
        coin_id as market_id,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at
    from {{ ref('stg_coingecko__market_daily') }}
    where price_usd > 0 and {{ in_rebuilt_days() }}
    union all
    select
        token_id,
        market_date,
        source,
        market_id,
        close_usd as price_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at
    from {{ ref('int_closes_resolved') }}
    where {{ in_rebuilt_days() }}
)

select
    token_id,
    market_date,
    source,
    market_id,
    1 + {{ source_rank('source') }} as source_order,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    data_source,
    available_at
from quotes
qualify
    row_number() over (partition by token_id, market_date, source order by market_id) = 1
    and not (source = 'yahoo' and bool_or(source = 'coinmarketcap') over (partition by token_id, market_date))
