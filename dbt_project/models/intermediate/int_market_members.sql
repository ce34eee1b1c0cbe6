{{ config(materialized="incremental") }}
-- What the market's totals count: every token and day but claims on another token (wrapped, bridged, staked, funds, commodities), so
-- that no value counts twice; beside it what the same token was worth 1, 7 and 30 days before, so that a change of the market can be
-- measured on the same tokens and a listing does not look like a return; and the sector it was in. Most lists of sectors are undated, hence
-- is_sector_hindsight.
{%- set first_wrong %}
    select min(members.market_date)
    from {{ this }} as members
    inner join {{ ref('dim_tokens') }} as tokens
        on
            members.token_id = tokens.token_id
            and members.market_date >= tokens.valid_from
            and members.market_date < coalesce(tokens.valid_to, date '9999-12-31')
    where
        members.sector is distinct from tokens.sector
        or members.is_sector_hindsight != (tokens.sector is not null and tokens.is_hindsight)
{%- endset %}
{%- if is_incremental() %}{% do rebuilt_from(first_wrong) %}{% endif %}
with days as (
    select
        universe.token_id,
        universe.market_date,
        universe.price_usd,
        universe.market_cap_usd,
        daily.volume_24h_usd,
        universe.is_supply_carried,
        universe.is_stable,
        universe.is_wrapped,
        universe.is_broad,
        tokens.sector,
        tokens.sector is not null and tokens.is_hindsight as is_sector_hindsight,
        daily.available_at
    from {{ ref('fct_universe_daily') }} as universe
    inner join {{ ref('fct_daily') }} as daily
        on universe.token_id = daily.token_id and universe.market_date = daily.market_date
    inner join {{ ref('dim_tokens') }} as tokens
        on
            universe.token_id = tokens.token_id
            and universe.market_date >= tokens.valid_from
            and universe.market_date < coalesce(tokens.valid_to, date '9999-12-31')
    where
        {{ in_rebuilt_days(days_before=30, column='universe.market_date') }}
        and {{ in_rebuilt_days(days_before=30, column='daily.market_date') }}
),

followed as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        is_supply_carried,
        is_stable,
        is_wrapped,
        is_broad,
        sector,
        is_sector_hindsight,
        available_at,
        market_date - lag(market_date) over so_far as days_since_1,
        market_date - lag(market_date, 7) over so_far as days_since_7,
        market_date - lag(market_date, 30) over so_far as days_since_30,
        lag(price_usd) over so_far as price_before_usd,
        lag(market_cap_usd) over so_far as market_cap_1_before_usd,
        lag(market_cap_usd, 7) over so_far as market_cap_7_before_usd,
        lag(market_cap_usd, 30) over so_far as market_cap_30_before_usd,
        lag(is_broad) over so_far as was_broad
    from days
    window so_far as (
        partition by token_id
        order by market_date
    )
)

select
    token_id,
    market_date,
    market_cap_usd,
    volume_24h_usd,
    is_supply_carried,
    is_stable,
    is_broad,
    sector,
    is_sector_hindsight,
    -- A token with a gap between the two days is not compared: rows are no longer days.
    case when days_since_1 = 1 then price_usd / price_before_usd - 1 end as return_1d,
    case when days_since_1 = 1 then market_cap_1_before_usd end as market_cap_1d_before_usd,
    case when days_since_7 = 7 then market_cap_7_before_usd end as market_cap_7d_before_usd,
    case when days_since_30 = 30 then market_cap_30_before_usd end as market_cap_30d_before_usd,
    coalesce(days_since_1 = 1 and was_broad, false) as was_broad,
    available_at
from followed
where not is_wrapped and {{ in_rebuilt_days() }}
