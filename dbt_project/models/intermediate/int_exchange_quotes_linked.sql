-- Which token a spot market of an exchange trades, day by day: the coin or series with its ticker (less a multiple: 1000SATS is SATS)
-- whose close was within 10 % of the market's price on most of the last thirty days compared; of several such the largest.
with quotes as (
    select
        source,
        market_id,
        symbol,
        market_date,
        last_quote as price_usd
    from {{ ref('stg_exchanges__tickers') }}
    -- Tether and USD Coin count as dollars here, as in int_exchange_closes.
    where quote in ('USD', 'USDT', 'USDC')
    union all
    select
        source,
        market_id,
        symbol,
        market_date,
        mid_quote as price_usd
    from {{ ref('stg_exchanges__order_books') }}
    where quote in ('USD', 'USDT', 'USDC')
),

markets as (
    select
        source,
        market_id,
        symbol,
        {{ without_multiple('symbol') }} as bare_symbol,
        {{ multiple_of('symbol') }} as multiple,
        market_date,
        max(price_usd) as price_usd
    from quotes
    where price_usd > 0
    group by source, market_id, symbol, market_date
),

named as (
    select distinct
        source,
        market_id,
        symbol,
        bare_symbol,
        multiple
    from markets
),

candidates as (
    select
        named.source,
        named.market_id,
        named.symbol,
        coins.coin_id as token_id,
        1 as multiple
    from named
    inner join {{ ref('stg_coingecko__assets') }} as coins on named.symbol = coins.symbol
    union
    select
        named.source,
        named.market_id,
        named.symbol,
        coins.coin_id as token_id,
        named.multiple
    from named
    inner join {{ ref('stg_coingecko__assets') }} as coins on named.bare_symbol = coins.symbol
    where named.multiple > 1
    union
    -- Tokens that only exchanges have, and what candles of the market were found to be.
    select distinct
        named.source,
        named.market_id,
        named.symbol,
        closes.token_id,
        1 as multiple
    from named
    inner join {{ ref('int_closes_resolved') }} as closes
        on named.source = closes.source and named.market_id = closes.market_id
),

compared as (
    select
        markets.source,
        markets.market_id,
        markets.symbol,
        markets.market_date,
        candidates.token_id,
        candidates.multiple,
        daily.market_cap_usd,
        avg((abs(ln(markets.price_usd / candidates.multiple / daily.price_usd)) < ln(1.1))::int) over last_days as share_agreeing
    from markets
    inner join candidates
        on
            markets.source = candidates.source
            and markets.market_id = candidates.market_id
            and markets.symbol = candidates.symbol
    inner join {{ ref('fct_daily') }} as daily
        on candidates.token_id = daily.token_id and markets.market_date = daily.market_date
    window last_days as (
        partition by markets.source, markets.market_id, markets.symbol, candidates.token_id, candidates.multiple
        order by markets.market_date
        rows between 29 preceding and current row
    )
)

select
    source,
    market_id,
    symbol,
    market_date,
    token_id,
    multiple
from compared
where share_agreeing > 0.5
qualify row_number() over (
    partition by source, market_id, market_date
    order by market_cap_usd desc nulls last, token_id asc, multiple asc
) = 1
