-- CoinMarketCap's closes, each coin once. Its dumps name some coins twice (omisego and omg, gnt and golem): the same provider
-- repeats close and volume to the cent, so ten days equal in both make two ids one coin, and from that day on only one is kept.
with closes as (
    select
        source,
        market_id,
        symbol,
        name,
        market_date,
        close_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at
    from {{ ref('stg_coinmarketcap__candles_daily') }}
    where close_usd > 0
),

equal_days as (
    select
        closes.market_id,
        twins.market_id as kept_id,
        closes.market_date,
        count(*) over (
            partition by closes.market_id, twins.market_id
            order by closes.market_date
            rows between unbounded preceding and current row
        ) as days_equal
    from closes
    inner join closes as twins
        on
            closes.market_date = twins.market_date
            and closes.close_usd = twins.close_usd
            and closes.volume_24h_usd = twins.volume_24h_usd
            -- The id without a symbol gives way to the one with it; of two alike the later name does.
            and case
                when (closes.symbol is null) = (twins.symbol is null) then closes.market_id > twins.market_id
                else closes.symbol is null
            end
    where closes.volume_24h_usd >= 1000
),

doubles as (
    select
        market_id,
        min(market_date) as doubled_date
    from equal_days
    where days_equal >= 10
    group by market_id
)

select
    closes.source,
    closes.market_id,
    closes.symbol,
    closes.name,
    closes.market_date,
    closes.close_usd,
    closes.market_cap_usd,
    closes.volume_24h_usd,
    closes.data_source,
    closes.available_at
from closes
left join doubles on closes.market_id = doubles.market_id
where doubles.doubled_date is null or closes.market_date < doubles.doubled_date
