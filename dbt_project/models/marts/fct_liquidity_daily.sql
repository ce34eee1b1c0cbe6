-- What trading costs and how much the books bear, over the dollar markets of all exchanges that were read on the day.
with tickers as (
    select
        links.token_id,
        tickers.market_date,
        tickers.source,
        tickers.market_id,
        tickers.volume_quote as volume_usd,
        case
            when tickers.bid_quote > 0 and tickers.ask_quote >= tickers.bid_quote
                then 2 * (tickers.ask_quote - tickers.bid_quote) / (tickers.ask_quote + tickers.bid_quote)
        end as spread,
        tickers.available_at
    from {{ ref('stg_exchanges__tickers') }} as tickers
    inner join {{ ref('int_exchange_quotes_linked') }} as links
        on
            tickers.source = links.source
            and tickers.market_id = links.market_id
            and tickers.market_date = links.market_date
),

books as (
    select
        links.token_id,
        books.market_date,
        books.source,
        books.market_id,
        books.spread,
        books.bid_depth_2pct_quote + books.ask_depth_2pct_quote as depth_usd,
        books.is_depth_complete,
        books.available_at
    from {{ ref('stg_exchanges__order_books') }} as books
    inner join {{ ref('int_exchange_quotes_linked') }} as links
        on
            books.source = links.source
            and books.market_id = links.market_id
            and books.market_date = links.market_date
),

markets as (
    select
        token_id,
        market_date,
        source,
        market_id,
        volume_usd,
        spread as ticker_spread,
        null::double as book_spread,
        null::double as depth_usd,
        null::boolean as is_depth_complete,
        available_at
    from tickers
    union all
    select
        token_id,
        market_date,
        source,
        market_id,
        null::double as volume_usd,
        null::double as ticker_spread,
        spread as book_spread,
        depth_usd,
        is_depth_complete,
        available_at
    from books
)

select
    token_id,
    market_date,
    count(distinct source)::integer as venues_listing,
    sum(volume_usd) as exchange_volume_24h_usd,
    coalesce(
        arg_max(book_spread, row(depth_usd, source, market_id)) filter (where book_spread is not null and depth_usd is not null),
        arg_max(ticker_spread, row(volume_usd, source, market_id)) filter (where ticker_spread is not null and volume_usd is not null)
    ) as bid_ask_spread,
    sum(depth_usd) as depth_2pct_usd,
    bool_and(is_depth_complete) as is_depth_complete,
    max(available_at) as available_at
from markets
group by token_id, market_date
order by token_id, market_date
