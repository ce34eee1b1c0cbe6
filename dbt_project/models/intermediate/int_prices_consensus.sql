{{ config(materialized="incremental") }}
-- One row a token and day: what all sources that have the day agree on. Of three and more, those over 10 % away from their median are
-- left out; of two that differ by more, the one farther from the median of what both said in the five days before. The price is that of the
-- first source, in the order of int_quotes, within 2 % of the volume-weighted median of the rest: so it does not alternate between
-- equally good sources from day to day, which would read as volatility. Cap and volume are those of the first source that has them; the
-- cap is its supply (cap by its own price) at the price agreed on.
with quotes as (
    select
        token_id,
        market_date,
        source,
        source_order,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at
    from {{ ref('int_quotes') }}
    where {{ in_rebuilt_days(days_before=5) }}
),

days as (
    -- A group and a join: windows over the two or three quotes of a day cost five times as much.
    select
        token_id,
        market_date,
        count(*) as sources,
        median(price_usd) as median_usd,
        max(price_usd) / min(price_usd) as spread
    from quotes
    where {{ in_rebuilt_days() }}
    group by token_id, market_date
),

disputed as (
    -- Days on which two differ, with what all said in the five days before.
    select
        days.token_id,
        days.market_date,
        median(earlier.price_usd) as median_before_usd
    from days
    left join quotes as earlier
        on
            days.token_id = earlier.token_id
            and earlier.market_date between days.market_date - 5 and days.market_date - 1
    where days.sources = 2 and days.spread > 1.1
    group by days.token_id, days.market_date
),

given_way as (
    -- Without days before, the later source gives way.
    select
        quotes.token_id,
        quotes.market_date,
        quotes.source
    from quotes
    inner join disputed
        on quotes.token_id = disputed.token_id and quotes.market_date = disputed.market_date
    qualify
        row_number() over (
            partition by quotes.token_id, quotes.market_date
            order by abs(ln(quotes.price_usd / disputed.median_before_usd)) desc nulls last, quotes.source_order desc
        ) = 1
),

judged as (
    select
        quotes.token_id,
        quotes.market_date,
        quotes.source,
        quotes.source_order,
        quotes.price_usd,
        quotes.market_cap_usd,
        quotes.volume_24h_usd,
        quotes.data_source,
        quotes.available_at,
        greatest(coalesce(quotes.volume_24h_usd, 0), 1) as weight,
        case
            when days.sources > 2 then abs(ln(quotes.price_usd / days.median_usd)) > ln(1.1)
            else given_way.source is not null
        end as is_outlier
    from quotes
    inner join days on quotes.token_id = days.token_id and quotes.market_date = days.market_date
    left join given_way
        on
            quotes.token_id = given_way.token_id
            and quotes.market_date = given_way.market_date
            and quotes.source = given_way.source
    where days.sources > 1
),

weighted as (
    select
        token_id,
        market_date,
        price_usd,
        sum(weight) over (partition by token_id, market_date order by price_usd, source_order) as weight_so_far,
        sum(weight) over (partition by token_id, market_date) as weight_of_all
    from judged
    where not is_outlier
),

medians as (
    select
        token_id,
        market_date,
        min(price_usd) as median_usd
    from weighted
    where 2 * weight_so_far >= weight_of_all
    group by token_id, market_date
),

agreed as (
    select
        judged.token_id,
        judged.market_date,
        arg_min(judged.source, judged.source_order) filter (where is_near) as price_source,
        arg_min(judged.price_usd, judged.source_order) filter (where is_near) as price_usd,
        (count(*) filter (where not judged.is_outlier))::integer as sources_agreeing,
        arg_min(judged.source, judged.source_order) as first_source,
        arg_min(judged.price_usd, judged.source_order) as first_price_usd,
        arg_min(judged.market_cap_usd, judged.source_order) as delivered_cap_usd,
        -- A source whose price is wrong may have computed its cap from it, so its supply counts last.
        arg_min(
            case when judged.market_cap_usd > 0 then judged.market_cap_usd / judged.price_usd end,
            row(judged.is_outlier, judged.source_order)
        ) as supply_tokens,
        arg_min(judged.volume_24h_usd, judged.source_order) as volume_24h_usd,
        arg_min(judged.data_source, judged.source_order) as data_source,
        max(judged.available_at) as available_at
    from (
        select
            judged.*,
            not judged.is_outlier and abs(ln(judged.price_usd / medians.median_usd)) <= ln(1.02) as is_near
        from judged
        left join medians on judged.token_id = medians.token_id and judged.market_date = medians.market_date
    ) as judged
    group by judged.token_id, judged.market_date
)

select
    token_id,
    market_date,
    price_usd,
    price_source,
    sources_agreeing,
    first_source,
    first_price_usd,
    delivered_cap_usd,
    supply_tokens * price_usd as market_cap_usd,
    volume_24h_usd,
    data_source,
    available_at
from agreed
union all
select
    quotes.token_id,
    quotes.market_date,
    quotes.price_usd,
    quotes.source as price_source,
    1 as sources_agreeing,
    quotes.source as first_source,
    quotes.price_usd as first_price_usd,
    quotes.market_cap_usd as delivered_cap_usd,
    nullif(quotes.market_cap_usd, 0) as market_cap_usd,
    quotes.volume_24h_usd,
    quotes.data_source,
    quotes.available_at
from quotes
inner join days on quotes.token_id = days.token_id and quotes.market_date = days.market_date
where days.sources = 1
