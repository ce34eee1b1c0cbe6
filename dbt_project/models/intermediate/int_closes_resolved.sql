{{ config(materialized="incremental") }}
-- Which token a close of CoinMarketCap, an exchange or Yahoo belongs to, using only what was known on its day. A series that is linked to
-- another (int_series_linked) has its token from that day on; until then it is a token of its own, and days on which the other has
-- nearly the same price are left out as the same coin twice. Yahoo confirms what others say and makes no token of its own: its tickers
-- collide and its prices jump.
-- A curated override (seed identity_overrides, kinds `coinmarketcap` and `<source> market`) goes before all of it.
-- One exception, in hindsight: days before the coin's first one (int_series_backdated). They have no market cap of their own, so fct_daily
-- flags them is_supply_carried.
{%- set first_wrong %}
    select min(closes.market_date)
    from {{ this }} as closes
    left join {{ ref('int_series_backdated') }} as backdated
        on
            closes.series_id = backdated.series_id
            and closes.market_date >= backdated.run_date
            and closes.market_date < backdated.begun_date
            and closes.data_source != 'archive'
    where closes.is_backdated != (backdated.series_id is not null)
{%- endset %}
{%- if is_incremental() %}{% do rebuilt_from(first_wrong) %}{% endif %}
with closes as (
    select
        series_id,
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
    from {{ ref('int_price_series') }}
    where series_rank > 0 and {{ in_rebuilt_days() }}
),

links as (
    -- A series linked to one that is linked itself: CoinGecko's coin names them all, from the day the last link was known.
    select
        first.series_id,
        first.linked_date,
        first.candidate_id as first_id,
        second.linked_date as second_date,
        second.candidate_id as second_id,
        third.linked_date as third_date,
        third.candidate_id as third_id
    from {{ ref('int_series_linked') }} as first
    left join {{ ref('int_series_linked') }} as second on first.candidate_id = second.series_id
    left join {{ ref('int_series_linked') }} as third on second.candidate_id = third.series_id
),

overrides as (
    select
        kind,
        value,
        token_id,
        coalesce(valid_from, date '0001-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('identity_overrides') }}
),

same_price as (
    select distinct
        series_id,
        market_date
    from {{ ref('int_series_compared') }}
    where is_agreeing and {{ in_rebuilt_days() }}
)

select
    closes.source,
    closes.market_id,
    closes.series_id,
    case
        when overrides.token_id is not null then overrides.token_id
        when closes.market_date >= greatest(links.linked_date, links.second_date, links.third_date)
            then coalesce(links.third_id, links.second_id, links.first_id)
        when closes.market_date >= greatest(links.linked_date, links.second_date) then coalesce(links.second_id, links.first_id)
        when closes.market_date >= links.linked_date then links.first_id
        when backdated.series_id is not null then backdated.coin_id
        else closes.series_id
    end as token_id,
    backdated.series_id is not null as is_backdated,
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
left join links on closes.series_id = links.series_id
left join {{ ref('int_series_backdated') }} as backdated
    on
        closes.series_id = backdated.series_id
        and closes.market_date >= backdated.run_date
        and closes.market_date < backdated.begun_date
        and closes.data_source != 'archive'
left join overrides
    on
        overrides.kind = case closes.source when 'coinmarketcap' then closes.source else closes.source || ' market' end
        and closes.market_id = overrides.value
        and closes.market_date >= overrides.valid_from
        and closes.market_date < overrides.valid_to
left join same_price
    on
        closes.series_id = same_price.series_id
        and closes.market_date = same_price.market_date
where
    overrides.token_id is not null
    or closes.market_date >= links.linked_date
    or (same_price.market_date is null and closes.source != 'yahoo')
