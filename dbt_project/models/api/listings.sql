-- The first candle says since when; the newest reading of each market says what trading there costs.
with newest as (
    select
        token_id,
        exchange,
        market_id,
        quote,
        market_date,
        volume_24h_usd,
        coalesce(book_spread, ticker_spread) as bid_ask_spread,
        depth_2pct_usd,
        is_depth_complete
    from {{ ref('fct_exchange_markets_daily') }}
    qualify row_number() over (partition by token_id, exchange, market_id order by market_date desc) = 1
),

markets as (
    select
        coalesce(newest.token_id, listings.token_id) as token_id,
        coalesce(newest.exchange, listings.exchange) as exchange,
        coalesce(newest.market_id, listings.market_id) as market_id,
        newest.quote,
        newest.market_date,
        newest.volume_24h_usd,
        newest.bid_ask_spread,
        newest.depth_2pct_usd,
        newest.is_depth_complete
    from newest
    full outer join {{ ref('fct_listings') }} as listings
        on
            newest.token_id = listings.token_id
            and newest.exchange = listings.exchange
            and newest.market_id = listings.market_id
)

select
    markets.token_id,
    tokens.symbol,
    markets.exchange,
    markets.market_id,
    coalesce(markets.quote, split_part(markets.market_id, '/', 2)) as quote,
    listings.listed_date,
    markets.market_date as quoted_date,
    markets.volume_24h_usd,
    markets.bid_ask_spread,
    markets.depth_2pct_usd,
    markets.is_depth_complete,
    fees.maker_fee,
    fees.taker_fee
from markets
left join {{ ref('fct_listings') }} as listings
    on markets.token_id = listings.token_id and markets.exchange = listings.exchange
left join {{ ref('dim_exchanges') }} as fees on markets.exchange = fees.exchange
left join {{ ref('tokens') }} as tokens on markets.token_id = tokens.token_id
