-- What each dollar market of a token showed on the exchanges that were read on the day.
with links as (
    select
        token_id,
        source,
        market_id,
        market_date
    from {{ ref('int_exchange_quotes_linked') }}
),

tickers as (
    select
        source,
        market_id,
        market_date,
        quote,
        volume_quote as volume_24h_usd,
        case
            when bid_quote > 0 and ask_quote >= bid_quote then 2 * (ask_quote - bid_quote) / (ask_quote + bid_quote)
        end as ticker_spread,
        available_at
    from {{ ref('stg_exchanges__tickers') }}
),

books as (
    select
        source,
        market_id,
        market_date,
        quote,
        spread as book_spread,
        bid_depth_2pct_quote + ask_depth_2pct_quote as depth_2pct_usd,
        is_depth_complete,
        available_at
    from {{ ref('stg_exchanges__order_books') }}
)

select
    links.token_id,
    links.market_date,
    links.source as exchange,
    links.market_id,
    coalesce(books.quote, tickers.quote) as quote,
    tickers.volume_24h_usd,
    tickers.ticker_spread,
    books.book_spread,
    books.depth_2pct_usd,
    books.is_depth_complete,
    greatest(books.available_at, tickers.available_at) as available_at
from links
left join tickers
    on
        links.source = tickers.source
        and links.market_id = tickers.market_id
        and links.market_date = tickers.market_date
left join books
    on
        links.source = books.source
        and links.market_id = books.market_id
        and links.market_date = books.market_date
where tickers.market_id is not null or books.market_id is not null
order by links.token_id, links.market_date, exchange, links.market_id
