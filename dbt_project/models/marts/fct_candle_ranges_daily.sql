{{ config(materialized="incremental") }}
-- How far a token's price reached within the day, as multiples of the close of the same candle: a market that quotes another dollar, or a
-- lot of tokens, has the same multiples. The median of the sources speaks, so that one bad tick of one of them does not.
with candles as (
    select
        source,
        market_id,
        market_date,
        high_quote,
        low_quote,
        close_quote,
        available_at
    from {{ ref('stg_exchanges__candles_daily') }}
    union all
    select
        source,
        market_id,
        market_date,
        high_usd as high_quote,
        low_usd as low_quote,
        close_usd as close_quote,
        available_at
    from {{ ref('stg_coinmarketcap__candles_daily') }}
)

select
    closes.token_id,
    closes.market_date,
    median(candles.high_quote / candles.close_quote) as high_to_close,
    median(candles.low_quote / candles.close_quote) as low_to_close,
    count(*)::integer as sources,
    max(candles.available_at) as available_at
from candles
inner join {{ ref('int_closes_resolved') }} as closes
    on
        candles.source = closes.source
        and candles.market_id = closes.market_id
        and candles.market_date = closes.market_date
-- A candle whose close lies outside of its extremes tells nothing about them.
where
    candles.low_quote > 0
    and candles.low_quote <= candles.close_quote
    and candles.high_quote >= candles.close_quote
    and {{ in_rebuilt_days(column='candles.market_date') }}
    and {{ in_rebuilt_days(column='closes.market_date') }}
group by closes.token_id, closes.market_date
order by closes.market_date, closes.token_id
