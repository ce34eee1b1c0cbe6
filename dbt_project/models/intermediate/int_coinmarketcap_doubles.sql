{{ config(materialized="incremental", meta={"day_column": "doubled_date"}) }}
-- Ids of CoinMarketCap that are a coin twice. Its dumps name some coins twice (omisego and omg, gnt and golem): the same provider repeats
-- close and volume to the cent, so ten days equal in both make two ids one coin, and from that day on only one is kept. Grain: id.
with closes as (
    select
        market_id,
        symbol,
        market_date,
        close_usd,
        volume_24h_usd
    from {{ ref('stg_coinmarketcap__candles_daily') }}
    where close_usd > 0 and volume_24h_usd >= 1000
),

pairs as (
    select distinct
        closes.market_id,
        twins.market_id as kept_id
    from closes
    inner join closes as twins
        on
            closes.market_date = twins.market_date
            and closes.close_usd = twins.close_usd
            and closes.volume_24h_usd = twins.volume_24h_usd
            and closes.market_id != twins.market_id
    where {{ in_rebuilt_days(column='closes.market_date') }} and {{ in_rebuilt_days(column='twins.market_date') }}
),

equal_days as (
    select
        closes.market_id,
        closes.market_date,
        count(*) over (
            partition by closes.market_id, twins.market_id
            order by closes.market_date
            rows between unbounded preceding and current row
        ) as days_equal
    from pairs
    inner join closes on pairs.market_id = closes.market_id
    inner join closes as twins
        on
            pairs.kept_id = twins.market_id
            and closes.market_date = twins.market_date
            and closes.close_usd = twins.close_usd
            and closes.volume_24h_usd = twins.volume_24h_usd
            -- The id without a symbol gives way to the one with it; of two alike the later name does.
            and case
                when (closes.symbol is null) = (twins.symbol is null) then closes.market_id > twins.market_id
                else closes.symbol is null
            end
)

select
    market_id,
    min(market_date) as doubled_date
from equal_days
where
    days_equal >= 10
    {%- if is_incremental() %}
        and market_id not in (
            select known.market_id from {{ this }} as known
            where known.doubled_date < {{ rebuilt_from() }}
        )
    {%- endif %}
group by market_id
