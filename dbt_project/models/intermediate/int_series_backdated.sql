{{ config(materialized="incremental", meta={"day_column": "known_date"}) }}
-- Days of a linked series that are the coin's in hindsight: a free plan gives CoinGecko's prices of one year, exchanges give many. What a
-- linked exchange's series has before the coin's first day is the coin's, back to a gap or a jump behind which it may have been another
-- coin (LUNA); not in archives. Known once the series is linked and the coin has a market cap. Grain: series.
with begun as (
    select
        series_id as coin_id,
        min(market_date) as begun_date,
        min(market_date) filter (where market_cap_usd > 0) as capped_date
    from {{ ref('int_price_series') }}
    where series_rank = 0
    group by series_id
),

linked as (
    select
        links.series_id,
        links.candidate_id as coin_id,
        links.linked_date,
        begun.begun_date,
        greatest(links.linked_date, begun.capped_date) as known_date
    from {{ ref('int_series_linked') }} as links
    inner join begun on links.candidate_id = begun.coin_id and begun.capped_date is not null
    {%- if is_incremental() %}
        where links.series_id not in (
            select known.series_id from {{ this }} as known
            where known.known_date < {{ rebuilt_from() }}
        )
    {%- endif %}
),

followed as (
    -- Up to the day of the link, so that what is known then is not known otherwise later.
    select
        closes.series_id,
        closes.market_date,
        lag(closes.market_date) over (partition by closes.series_id order by closes.market_date) as date_before,
        median(closes.close_usd) over (
            partition by closes.series_id
            order by closes.market_date
            rows between 5 preceding and 1 preceding
        ) as median_before_usd,
        median(closes.close_usd) over (
            partition by closes.series_id
            order by closes.market_date
            rows between current row and 4 following
        ) as median_after_usd
    from {{ ref('int_price_series') }} as closes
    inner join linked on closes.series_id = linked.series_id and closes.market_date <= linked.linked_date
    where closes.source not in ('coinmarketcap', 'yahoo') and closes.data_source != 'archive'
),

breaks as (
    -- The last day on which a series begins, or goes on after more than three days, or for good at five times the price or a fifth of it.
    select
        series_id,
        max(market_date) as run_date
    from followed
    where date_before is null or market_date - date_before > 4 or abs(ln(median_after_usd / median_before_usd)) > ln(5)
    group by series_id
)

select
    linked.series_id,
    linked.coin_id,
    breaks.run_date,
    linked.begun_date,
    linked.known_date
from linked
inner join breaks on linked.series_id = breaks.series_id
where breaks.run_date < linked.begun_date
