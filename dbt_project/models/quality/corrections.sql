{{ config(materialized="incremental", meta={"reach_days": 31}) }}
-- Every value that cleaning changed, held back or filled, with the rule and the reason. The table is `quality.corrections`.
-- A price that is held back has a row `held_back` on its day, and once the next price has shown what it was a second one: `bad_tick` where
-- the next price is nearer to the level before, `late_jump` where it is nearer to the price held back, which then came a day late.
with held_back as (
    select
        token_id,
        market_date,
        price_source,
        price_usd,
        median_before_usd,
        available_at
    from {{ ref('int_daily_screened') }}
    where is_bad_tick and {{ in_rebuilt_days(days_before=31) }}
),

shown as (
    select
        held_back.token_id,
        held_back.market_date,
        held_back.price_source,
        held_back.price_usd,
        held_back.median_before_usd,
        arg_min(later.price_usd, later.market_date) as next_price_usd,
        arg_min(later.available_at, later.market_date) as next_available_at
    from held_back
    inner join {{ ref('int_daily_screened') }} as later
        on
            held_back.token_id = later.token_id
            and held_back.market_date < later.market_date
            and held_back.market_date + 30 >= later.market_date
            and {{ in_rebuilt_days(days_before=31, column='later.market_date') }}
    group by
        held_back.token_id, held_back.market_date, held_back.price_source, held_back.price_usd, held_back.median_before_usd
),

-- Cleaned rows carry numbers of which most rows need none, so only those of a rule are read.
cleaned as (
    select
        token_id,
        market_date,
        first_source as price_source,
        delivered_cap_usd,
        market_cap_usd,
        claimed_cap_usd,
        cap_rule,
        delivered_volume_usd,
        volume_24h_usd,
        trusted_volume_24h_usd,
        wash_mark,
        usual_volume_usd,
        turnover_5d,
        volume_deviation_10d,
        round_10d,
        volume_surge_30d,
        excess_over_exchanges,
        available_at
    from {{ ref('int_daily_cleaned') }}
    where
        (cap_rule is not null or wash_mark is not null or delivered_volume_usd = 0 or delivered_cap_usd = 0)
        and {{ in_rebuilt_days(days_before=31) }}
)

select
    token_id,
    market_date,
    'price_usd' as column_name,
    price_source,
    price_usd as value_before,
    null::double as value_after,
    'held_back' as rule,
    'price ' || printf('%.6g', price_usd) || ' is over 5 times away from the median ' || printf('%.6g', median_before_usd)
    || ' of the five prices before it, and no second source, volume or earlier move speaks for it' as reason,
    available_at
from held_back
union all
select
    token_id,
    market_date,
    'price_usd' as column_name,
    price_source,
    price_usd as value_before,
    null::double as value_after,
    case when has_returned then 'bad_tick' else 'late_jump' end as rule,
    'the next price ' || printf('%.6g', next_price_usd) || ' is nearer to '
    || case when has_returned then 'the median before, ' else 'the price held back, ' end
    || printf('%.6g', case when has_returned then median_before_usd else price_usd end) as reason,
    next_available_at as available_at
from (
    select
        token_id,
        market_date,
        price_source,
        price_usd,
        median_before_usd,
        next_price_usd,
        next_available_at,
        abs(ln(next_price_usd / median_before_usd)) < abs(ln(next_price_usd / price_usd)) as has_returned
    from shown
) as judged
union all
select
    token_id,
    market_date,
    'price_usd' as column_name,
    first_source as price_source,
    first_price_usd as value_before,
    price_usd as value_after,
    'source_outlier' as rule,
    first_source || ' says ' || printf('%.6g', first_price_usd) || ', over 10 % away from the other sources: ' || price_source
    || ' stands for them' as reason,
    available_at
from {{ ref('int_daily_screened') }}
where first_price_usd != price_usd and abs(ln(first_price_usd / price_usd)) > ln(1.1) and {{ in_rebuilt_days(days_before=31) }}
union all
select
    token_id,
    market_date,
    'price_usd' as column_name,
    price_source,
    null::double as value_before,
    price_usd as value_after,
    'gap_carried' as rule,
    'no price that was believed; that of ' || priced_date || ' is carried' as reason,
    available_at
from {{ ref('fct_daily') }}
where is_carried and {{ in_rebuilt_days(days_before=31) }}
union all
select
    token_id,
    market_date,
    'market_cap_usd' as column_name,
    price_source,
    case when delivered_cap_usd = 0 then 0 else claimed_cap_usd end as value_before,
    market_cap_usd as value_after,
    case when delivered_cap_usd = 0 then 'zero_cap' else cap_rule end as rule,
    case
        when delivered_cap_usd = 0
            then 'a market cap of 0 means unknown' || case when market_cap_usd is not null then '; another source has one' else '' end
        when usual_volume_usd is null then 'no volume in thirty days'
        else 'the usual volume of ' || printf('%.6g', usual_volume_usd) || ' USD a day is below a millionth of the cap'
    end as reason,
    available_at
from cleaned
where cap_rule is not null or delivered_cap_usd = 0
union all
select
    token_id,
    market_date,
    'volume_24h_usd' as column_name,
    price_source,
    0 as value_before,
    null::double as value_after,
    'zero_volume' as rule,
    'a volume of 0 means unknown' as reason,
    available_at
from cleaned
where delivered_volume_usd = 0
union all
select
    token_id,
    market_date,
    'trusted_volume_24h_usd' as column_name,
    price_source,
    volume_24h_usd as value_before,
    trusted_volume_24h_usd as value_after,
    'wash_volume' as rule,
    case wash_mark
        when 'turnover' then 'the median of five days trades ' || printf('%.3g', turnover_5d) || ' times the market cap'
        when 'round' then round_10d || ' of ten days have a volume of three digits or that of the day before'
        when 'steady' then 'the logarithm of the volume deviates by only ' || printf('%.2g', volume_deviation_10d) || ' over ten days'
        when 'unmoved' then printf('%.3g', volume_surge_30d) || ' times the usual volume moved the price by less than a usual day does'
        else printf('%.3g', excess_over_exchanges) || ' times as far above the volume on exchanges as the median token'
    end as reason,
    available_at
from cleaned
where wash_mark is not null and volume_24h_usd is not null
