-- What trading costs and how much the books bear, over the dollar markets of all exchanges that were read on the day.
select
    token_id,
    market_date,
    count(distinct exchange)::integer as venues_listing,
    sum(volume_24h_usd) as exchange_volume_24h_usd,
    coalesce(
        arg_max(book_spread, row(depth_2pct_usd, exchange, market_id))
        filter (where book_spread is not null and depth_2pct_usd is not null),
        arg_max(ticker_spread, row(volume_24h_usd, exchange, market_id))
        filter (where ticker_spread is not null and volume_24h_usd is not null)
    ) as bid_ask_spread,
    sum(depth_2pct_usd) as depth_2pct_usd,
    bool_and(is_depth_complete) as is_depth_complete,
    max(available_at) as available_at
from {{ ref('fct_exchange_markets_daily') }}
group by token_id, market_date
order by token_id, market_date
