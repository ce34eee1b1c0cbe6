-- Which token a close of CoinMarketCap or an exchange belongs to, using only what was known on its day.
-- A candidate comes from the reference list: same id, same name, or same symbol. It counts once at least ten common days have come and of
-- the last thirty at least 80 % agree within 5 %; never by symbol or name alone. Until then the series is a token of its own (`source:id`),
-- and days on which the candidate has nearly the same price are left out as the same coin twice.
-- One exception, in hindsight: a free plan gives CoinGecko's prices of one year, exchanges give many. What a linked exchange's series
-- has before the coin's first day is the coin's, back to a gap or a jump behind which it may have been another coin (LUNA); not in
-- archives. Such days have no market cap of their own, so fct_daily flags them is_supply_carried.
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
    from {{ ref('int_coinmarketcap_closes') }}
    union all
    select
        source,
        market_id,
        symbol,
        null as name,
        market_date,
        close_usd,
        null as market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at
    from {{ ref('int_exchange_closes') }}
),

series as (
    -- A name counts from the first day the series bears it: an id may be given to another coin, and a name comes late.
    select
        source,
        market_id,
        symbol,
        name,
        min(market_date) as named_date
    from closes
    group by source, market_id, symbol, name
),

candidates as (
    select
        series.source,
        series.market_id,
        assets.coin_id,
        (series.market_id = assets.coin_id)::int as is_same_id,
        min(series.named_date) as named_date
    from series
    inner join {{ ref('stg_coingecko__assets') }} as assets
        on
            series.market_id = assets.coin_id
            or lower(series.name) = lower(assets.name)
            or series.symbol = assets.symbol
    group by series.source, series.market_id, assets.coin_id
),

compared as (
    select
        closes.source,
        closes.market_id,
        closes.market_date,
        candidates.coin_id,
        candidates.is_same_id,
        coingecko.market_cap_usd,
        abs(ln(closes.close_usd / coingecko.price_usd)) < ln(1.05) as is_agreeing
    from closes
    inner join candidates
        on
            closes.source = candidates.source
            and closes.market_id = candidates.market_id
            and closes.market_date >= candidates.named_date
    inner join {{ ref('stg_coingecko__market_daily') }} as coingecko
        on candidates.coin_id = coingecko.coin_id and closes.market_date = coingecko.market_date
    where closes.close_usd > 0 and coingecko.price_usd > 0
),

agreement as (
    select
        source,
        market_id,
        market_date,
        coin_id,
        is_same_id,
        market_cap_usd,
        is_agreeing,
        count(*) over last_days as days_compared,
        avg(is_agreeing::int) over last_days as share_agreeing
    from compared
    window last_days as (
        partition by source, market_id, coin_id
        order by market_date
        rows between 29 preceding and current row
    )
),

links as (
    -- The first candidate to be confirmed keeps the link: a token_id is assigned once.
    select
        source,
        market_id,
        coin_id,
        market_date as linked_date
    from agreement
    where days_compared >= 10 and share_agreeing >= 0.8
    qualify row_number() over (
        partition by source, market_id
        order by market_date asc, is_same_id desc, market_cap_usd desc nulls last, coin_id asc
    ) = 1
),

begun as (
    select
        coin_id,
        min(market_date) as begun_date
    from {{ ref('stg_coingecko__market_daily') }}
    group by coin_id
    having max(market_cap_usd) > 0
),

breaks as (
    -- Days on which a series begins, or goes on after more than three days, or for good at five times the price or a fifth of it.
    select
        source,
        market_id,
        market_date as run_date
    from (
        select
            source,
            market_id,
            market_date,
            lag(market_date) over (partition by source, market_id order by market_date) as date_before,
            median(close_usd) over (
                partition by source, market_id
                order by market_date
                rows between 5 preceding and 1 preceding
            ) as median_before_usd,
            median(close_usd) over (
                partition by source, market_id
                order by market_date
                rows between current row and 4 following
            ) as median_after_usd
        from closes
        where source != 'coinmarketcap' and data_source != 'archive' and close_usd > 0
    ) as followed
    where date_before is null or market_date - date_before > 4 or abs(ln(median_after_usd / median_before_usd)) > ln(5)
),

backdated as (
    -- The unbroken run of days that leads to the coin's first day.
    select
        links.source,
        links.market_id,
        max(breaks.run_date) as run_date,
        any_value(begun.begun_date) as begun_date
    from links
    inner join begun on links.coin_id = begun.coin_id
    inner join breaks
        on
            links.source = breaks.source
            and links.market_id = breaks.market_id
            and links.linked_date >= breaks.run_date
    group by links.source, links.market_id
),

same_price as (
    select distinct
        source,
        market_id,
        market_date
    from agreement
    where is_agreeing
)

select
    closes.source,
    closes.market_id,
    case
        when
            closes.market_date >= links.linked_date
            or (closes.market_date >= backdated.run_date and closes.market_date < backdated.begun_date and closes.data_source != 'archive')
            then links.coin_id
        else closes.source || ':' || closes.market_id
    end as token_id,
    case when closes.market_date >= links.linked_date then links.linked_date end as linked_date,
    closes.symbol,
    closes.name,
    closes.market_date,
    closes.close_usd,
    closes.market_cap_usd,
    closes.volume_24h_usd,
    closes.data_source,
    closes.available_at
from closes
left join links
    on closes.source = links.source and closes.market_id = links.market_id
left join backdated
    on closes.source = backdated.source and closes.market_id = backdated.market_id
left join same_price
    on
        closes.source = same_price.source
        and closes.market_id = same_price.market_id
        and closes.market_date = same_price.market_date
where
    closes.close_usd > 0
    and (closes.market_date >= links.linked_date or same_price.market_date is null)
