{{ config(materialized="incremental") }}
-- Calendar days between a token's first and last price, cleaned (int_daily_cleaned); a missing or held-back price is carried at most three
-- days, flagged. After them a token that has no price has no row: it may be dead, and nobody could have sold it.
-- A free plan gives market caps of one year. Before its first one, an exchange's price times the supply of that day stands in:
-- hindsight, flagged is_supply_carried, and never done for archive rows.
{%- set first_caps %}
    select
        token_id,
        min(market_date) as capped_date,
        arg_min(market_cap_usd / price_usd, market_date) as supply_tokens
    from {{ ref('int_daily_cleaned') }}
    where market_cap_usd is not null
    group by token_id
{%- endset %}
{%- set first_wrong %}
    select min(daily.market_date)
    from {{ this }} as daily
    left join ({{ first_caps }}) as first_caps
        on daily.token_id = first_caps.token_id and daily.market_date < first_caps.capped_date
    where
        daily.data_source != 'archive'
        and daily.price_source not in ('coingecko', 'coinmarketcap')
        and (daily.is_supply_carried or first_caps.token_id is not null)
        and daily.market_cap_usd is distinct from first_caps.supply_tokens * daily.price_usd
{%- endset %}
{%- if is_incremental() %}{% do rebuilt_from(first_wrong) %}{% endif %}
with kept as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        trusted_volume_24h_usd,
        wash_mark,
        price_source,
        sources_agreeing,
        data_source,
        available_at
    from {{ ref('int_daily_cleaned') }}
    where {{ in_rebuilt_days(days_before=3) }}
),

followed as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        trusted_volume_24h_usd,
        wash_mark,
        price_source,
        sources_agreeing,
        data_source,
        available_at,
        coalesce(
            lead(market_date) over (partition by token_id order by market_date),
            -- after the last price, as far as the day before as_of
            timezone('UTC', {{ as_of() }})::date
        ) as next_date
    from kept
),

carried as (
    select
        token_id,
        price_usd,
        market_cap_usd,
        price_source,
        data_source,
        available_at,
        volume_24h_usd,
        trusted_volume_24h_usd,
        wash_mark,
        sources_agreeing,
        market_date as priced_date,
        unnest(range(market_date, least(next_date, market_date + 4), interval 1 day))::date as market_date
    from followed
),

first_caps as (
    {{- first_caps }}
),

first_days as (
    select
        token_id,
        min(market_date) as first_date
    from {{ ref('int_daily_cleaned') }}
    group by token_id
),

judged as (
    select
        carried.token_id,
        carried.price_usd,
        carried.market_cap_usd,
        first_caps.supply_tokens,
        carried.price_source,
        carried.data_source,
        carried.available_at,
        carried.volume_24h_usd,
        carried.trusted_volume_24h_usd,
        carried.wash_mark,
        carried.sources_agreeing,
        carried.priced_date,
        carried.market_date,
        first_days.first_date,
        coalesce(
            carried.market_cap_usd is null
            and carried.market_date < first_caps.capped_date
            and carried.data_source != 'archive'
            and carried.price_source not in ('coingecko', 'coinmarketcap'),
            false
        ) as is_supply_carried
    from carried
    inner join first_days on carried.token_id = first_days.token_id
    left join first_caps on carried.token_id = first_caps.token_id
)

select
    token_id,
    market_date,
    price_usd,
    case when is_supply_carried then supply_tokens * price_usd else market_cap_usd end as market_cap_usd,
    case when market_date = priced_date then volume_24h_usd end as volume_24h_usd,
    case when market_date = priced_date then trusted_volume_24h_usd end as trusted_volume_24h_usd,
    case when market_date = priced_date then wash_mark end as wash_mark,
    price_source,
    sources_agreeing,
    data_source,
    market_date > priced_date as is_carried,
    is_supply_carried,
    priced_date,
    first_date,
    greatest(available_at, market_date::timestamp at time zone 'UTC' + interval 1 day) as available_at
from judged
where {{ in_rebuilt_days() }}
order by token_id, market_date
