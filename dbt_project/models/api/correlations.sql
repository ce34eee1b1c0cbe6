-- Correlation of daily log returns over the 90 days to the newest close: every token of the broad universe with its 20 largest by market
-- cap, and with the median return of the others in its sector. A day counts where both have a return, cut at a factor of e^2 as the
-- features are; fewer than 45 such days give no correlation, a median of fewer than 5 tokens is none.
{%- set window_days = 90 %}
{%- set largest_tokens = 20 %}
with newest_day as (
    select max(market_date) as newest_date from {{ ref('fct_universe_daily') }}
),

newest as (
    select
        universe.token_id,
        universe.market_date,
        universe.market_cap_usd
    from {{ ref('fct_universe_daily') }} as universe
    inner join newest_day on universe.market_date = newest_day.newest_date
    where universe.is_broad
),

members as (
    select
        newest.token_id,
        newest.market_date,
        row_number() over (order by newest.market_cap_usd desc, newest.token_id asc) as cap_rank,
        sectors.sector
    from newest
    left join {{ ref('feat_token_relative_daily') }} as sectors
        on newest.token_id = sectors.token_id and newest.market_date = sectors.market_date
),

returns as (
    select
        features.token_id,
        features.market_date,
        members.sector,
        members.cap_rank,
        greatest(-2, least(2, ln(1 + features.return_1d::double))) as log_return
    from {{ ref('feat_token_daily') }} as features
    inner join members on features.token_id = members.token_id
    cross join newest_day
    where
        features.market_date > newest_day.newest_date - {{ window_days }}
        and features.return_1d > -1
),

with_tokens as (
    select
        own.token_id,
        'token' as against_kind,
        other.token_id as against,
        other.cap_rank as against_rank,
        -- Below a variance of 1e-10 a price stands still.
        case when least(var_pop(own.log_return), var_pop(other.log_return)) > 1e-10 then corr(own.log_return, other.log_return) end
            as correlation,
        count(*) as days
    from returns as own
    inner join returns as other on own.market_date = other.market_date and own.token_id != other.token_id
    where other.cap_rank <= {{ largest_tokens }}
    group by own.token_id, other.token_id, other.cap_rank
),

in_sectors as (
    select
        *,
        row_number() over (partition by sector, market_date order by log_return, token_id) as place,
        count(*) over (partition by sector, market_date) as tokens
    from returns
    where sector is not null
),

-- The median of the others is the middle of the sector's returns in order once the own one is taken out: those after it move up by one.
sector_days as (
    select
        own.token_id,
        own.sector,
        own.market_date,
        own.log_return,
        (lower_middle.log_return + upper_middle.log_return) / 2 as sector_log_return
    from in_sectors as own
    inner join in_sectors as lower_middle
        on
            own.sector = lower_middle.sector
            and own.market_date = lower_middle.market_date
            and own.tokens // 2 + (own.tokens // 2 >= own.place)::integer = lower_middle.place
    inner join in_sectors as upper_middle
        on
            own.sector = upper_middle.sector
            and own.market_date = upper_middle.market_date
            and (own.tokens + 1) // 2 + ((own.tokens + 1) // 2 >= own.place)::integer = upper_middle.place
    where own.tokens > 5
),

with_sectors as (
    select
        token_id,
        'sector' as against_kind,
        sector as against,
        null::bigint as against_rank,
        case when least(var_pop(log_return), var_pop(sector_log_return)) > 1e-10 then corr(log_return, sector_log_return) end
            as correlation,
        count(*) as days
    from sector_days
    group by token_id, sector
),

both_kinds as (
    select * from with_tokens
    union all
    select * from with_sectors
)

select
    members.market_date as date,
    both_kinds.token_id,
    both_kinds.against_kind,
    both_kinds.against,
    both_kinds.against_rank::integer as against_rank,
    -- Rounded, because a sum taken in another order ends in other digits.
    round(both_kinds.correlation, 6) as correlation,
    both_kinds.days::integer as days
from both_kinds
inner join members on both_kinds.token_id = members.token_id
where both_kinds.days >= {{ window_days // 2 }}
