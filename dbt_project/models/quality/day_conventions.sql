{{ config(materialized="incremental", meta={"day_column": "month_date", "reach_days": 31}) }}
-- Does each provider call a day by the same date as the others? A feed that stamps a close with the day after it, or changes its
-- custom some day, leaks or lags a day in every join. Daily returns give it away: those of the same day agree within a fraction of a
-- per cent, those of neighbouring days do not agree at all. Levels would not do, because a price a day old is nearly the same.
-- Grain: source and month. Only whole months, since a row must not change once it is known.
with closes as (
    select
        source,
        coin_id as market_id,
        symbol,
        market_date,
        price_usd as close_usd,
        volume_24h_usd
    from {{ ref('stg_coingecko__market_daily') }}
    where {{ in_rebuilt_days(days_before=62) }}
    union all
    select
        source,
        market_id,
        symbol,
        market_date,
        close_usd,
        volume_24h_usd
    from {{ ref('int_coinmarketcap_closes') }}
    where {{ in_rebuilt_days(days_before=62) }}
    union all
    select
        source,
        market_id,
        symbol,
        market_date,
        close_usd,
        volume_24h_usd
    from {{ ref('int_exchange_closes') }}
    where {{ in_rebuilt_days(days_before=62) }}
),

most_traded as (
    -- The most traded hundred of a month say enough and are priced best.
    select
        source,
        market_id,
        date_trunc('month', market_date)::date as month_date
    from closes
    where close_usd > 0 and symbol is not null and market_date < date_trunc('month', {{ last_close() }} + 1)
    group by source, market_id, date_trunc('month', market_date)
    qualify row_number() over (
        partition by source, date_trunc('month', market_date)
        order by median(volume_24h_usd) desc nulls last, market_id asc
    ) <= 100
),

returns as (
    select
        closes.source,
        closes.market_id,
        closes.symbol,
        closes.market_date,
        most_traded.month_date,
        case
            when closes.market_date - lag(closes.market_date) over so_far = 1 then ln(closes.close_usd / lag(closes.close_usd) over so_far)
        end as log_return
    from closes
    inner join most_traded
        on
            closes.source = most_traded.source
            and closes.market_id = most_traded.market_id
            and date_trunc('month', closes.market_date) = most_traded.month_date
    where closes.close_usd > 0 and closes.symbol is not null
    window so_far as (
        partition by closes.source, closes.market_id
        order by closes.market_date
    )
),

neighbours as (
    -- The days before and after within the month, so that all three shifts are compared on the same days.
    select
        source,
        market_id,
        symbol,
        month_date,
        market_date,
        log_return,
        case
            when lag(market_date) over in_month = market_date - 1 then lag(log_return) over in_month
        end as return_day_before,
        case
            when lead(market_date) over in_month = market_date + 1 then lead(log_return) over in_month
        end as return_day_after
    from returns
    window in_month as (
        partition by source, market_id, month_date
        order by market_date
    )
),

differences as (
    select
        own.source,
        other.source as other_source,
        own.market_id,
        other.market_id as other_market_id,
        own.month_date,
        own.market_date,
        abs(own.log_return) as movement,
        abs(own.log_return - other.return_day_before) as difference_minus_1,
        abs(own.log_return - other.log_return) as difference_0,
        abs(own.log_return - other.return_day_after) as difference_plus_1
    from neighbours as own
    inner join neighbours as other
        on own.symbol = other.symbol and own.market_date = other.market_date and own.source != other.source
    where
        own.log_return is not null
        and other.log_return is not null
        and other.return_day_before is not null
        and other.return_day_after is not null
),

same_coins as (
    -- A ticker may be several coins: two series are one where their returns agree at some shift on most days. A price that hardly
    -- moves, as a stablecoin's, agrees at any shift and says nothing.
    select
        source,
        other_source,
        market_id,
        other_market_id,
        month_date
    from differences
    group by source, other_source, market_id, other_market_id, month_date
    having
        count(*) >= 10
        and median(movement) >= 0.005
        and median(least(difference_minus_1, difference_0, difference_plus_1)) < 0.01
),

compared as (
    select
        differences.source,
        differences.other_source,
        differences.market_id,
        differences.month_date,
        differences.market_date,
        differences.difference_minus_1,
        differences.difference_0,
        differences.difference_plus_1
    from differences
    inner join same_coins
        on
            differences.source = same_coins.source
            and differences.other_source = same_coins.other_source
            and differences.market_id = same_coins.market_id
            and differences.other_market_id = same_coins.other_market_id
            and differences.month_date = same_coins.month_date
),

daily as (
    select
        source,
        other_source,
        month_date,
        market_date,
        count(distinct market_id) as tokens,
        median(difference_minus_1) as difference_minus_1,
        median(difference_0) as difference_0,
        median(difference_plus_1) as difference_plus_1
    from compared
    group by source, other_source, month_date, market_date
),

monthly as (
    select
        source,
        other_source,
        month_date,
        count(distinct market_id) as tokens,
        count(distinct market_date) as days,
        median(difference_minus_1) as difference_minus_1,
        median(difference_0) as difference_0,
        median(difference_plus_1) as difference_plus_1
    from compared
    group by source, other_source, month_date
),

judged as (
    select
        source,
        other_source,
        month_date,
        tokens,
        days,
        difference_minus_1,
        difference_0,
        difference_plus_1,
        case
            when difference_0 <= least(difference_minus_1, difference_plus_1) then 0
            when difference_minus_1 < difference_plus_1 then -1
            else 1
        end as best_shift_days,
        least(difference_minus_1, difference_0, difference_plus_1) as best_difference
    from monthly
),

chosen as (
    -- Where one of two feeds is shifted, each differs from the other. One that agrees with any third is right, so the other
    -- source that counts is one with the same day if there is one with enough tokens, then the one that agrees best.
    select
        source,
        other_source,
        month_date,
        tokens,
        days,
        difference_minus_1,
        difference_0,
        difference_plus_1,
        best_shift_days,
        count(*) over (partition by source, month_date) as sources_compared
    from judged
    qualify row_number() over (
        partition by source, month_date
        order by tokens >= 5 desc, best_shift_days = 0 desc, best_difference asc, other_source asc
    ) = 1
),

gains as (
    -- By how much each shift fits a day better than none, summed up so that every run of days is a difference of two sums.
    select
        chosen.source,
        chosen.month_date,
        daily.market_date,
        shifts.shift_days,
        sum(
            daily.difference_0 - case shifts.shift_days when -1 then daily.difference_minus_1 else daily.difference_plus_1 end
        ) over (
            partition by chosen.source, chosen.month_date, shifts.shift_days
            order by daily.market_date
            rows between unbounded preceding and current row
        ) as gain_so_far,
        daily.difference_0 - case shifts.shift_days when -1 then daily.difference_minus_1 else daily.difference_plus_1 end as gain
    from chosen
    inner join daily
        on
            chosen.source = daily.source
            and chosen.other_source = daily.other_source
            and chosen.month_date = daily.month_date
    cross join (values (-1), (1)) as shifts (shift_days)
),

runs as (
    -- The run of days that fits a shift better than none by most in sum: one noisy day is a short run, a changed custom a long one.
    select
        first_days.source,
        first_days.month_date,
        first_days.shift_days,
        first_days.market_date as run_from_date,
        last_days.market_date as run_to_date,
        (last_days.market_date - first_days.market_date + 1)::integer as run_days
    from gains as first_days
    inner join gains as last_days
        on
            first_days.source = last_days.source
            and first_days.month_date = last_days.month_date
            and first_days.shift_days = last_days.shift_days
            and first_days.market_date <= last_days.market_date
    where last_days.gain_so_far - first_days.gain_so_far + first_days.gain > 0
    qualify row_number() over (
        partition by first_days.source, first_days.month_date
        order by last_days.gain_so_far - first_days.gain_so_far + first_days.gain desc, first_days.market_date asc
    ) = 1
)

select
    chosen.source,
    chosen.month_date,
    chosen.best_shift_days::integer as best_shift_days,
    chosen.other_source as compared_with,
    chosen.sources_compared::integer as sources_compared,
    chosen.tokens::integer as tokens,
    chosen.days::integer as days,
    chosen.difference_minus_1,
    chosen.difference_0,
    chosen.difference_plus_1,
    runs.shift_days::integer as run_shift_days,
    runs.run_from_date,
    runs.run_to_date,
    coalesce(runs.run_days, 0)::integer as run_days,
    (chosen.month_date + interval 1 month)::timestamp at time zone 'UTC' as available_at
from chosen
left join runs on chosen.source = runs.source and chosen.month_date = runs.month_date
where {{ in_rebuilt_days(days_before=31, column='chosen.month_date') }}
order by chosen.source, chosen.month_date
