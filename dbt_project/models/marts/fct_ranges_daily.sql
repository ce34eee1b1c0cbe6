{{ config(materialized="incremental") }}
-- Highest and lowest price of a token's day, as feeds that average over venues tell them: CoinMarketCap's, else Yahoo's.
-- Candles of one venue stay out: what is asked of a range is the spread in it, and a venue's own wicks look like one. The estimate of
-- Corwin and Schultz gives bitcoin 0.5 % from them, day in day out, where its book quotes a few thousandths.
-- A day that left its own close and the close before it by more than a factor of two has a bad tick in it and is left out.
with candles as (
    select
        source,
        market_id,
        market_date,
        open_usd,
        high_usd,
        low_usd,
        close_usd,
        available_at
    from {{ ref('stg_coinmarketcap__candles_daily') }}
    where {{ in_rebuilt_days() }}
    union all
    select
        source,
        market_id,
        market_date,
        open_quote as open_usd,
        high_quote as high_usd,
        low_quote as low_usd,
        close_quote as close_usd,
        available_at
    from {{ ref('stg_yahoo__candles_daily') }}
    where quote = 'USD' and {{ in_rebuilt_days() }}
)

select
    closes.token_id,
    candles.market_date,
    candles.high_usd,
    candles.low_usd,
    candles.close_usd,
    candles.source as range_source,
    candles.available_at
from candles
inner join {{ ref('int_closes_resolved') }} as closes
    on
        candles.source = closes.source
        and candles.market_id = closes.market_id
        and candles.market_date = closes.market_date
where
    {{ in_rebuilt_days(column='closes.market_date') }}
    and candles.low_usd > 0
    and candles.high_usd >= candles.low_usd
    -- A day opens where the one before it closed.
    and candles.high_usd <= 2 * greatest(candles.open_usd, candles.close_usd)
    and candles.low_usd >= least(candles.open_usd, candles.close_usd) / 2
qualify row_number() over (
    partition by closes.token_id, candles.market_date
    order by {{ source_rank('candles.source') }}, candles.market_id
) = 1
