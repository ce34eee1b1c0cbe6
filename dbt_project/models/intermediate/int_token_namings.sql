-- Tickers and names a token bore, each from the day it was first seen. The first one of a token has no date and counts from ever:
-- the list of coins is undated, and so is what an archive brings. A coin without a place on the list goes by its chart, a series that
-- is a token of its own by what its provider calls it.
with loads as (
    select
        coin_id as token_id,
        upper(symbol) as symbol,
        name,
        available_at,
        {{ known_date() }} as seen_date,
        row_number() over coin_loads as load_number,
        lag(upper(symbol)) over coin_loads as symbol_before,
        lag(name) over coin_loads as name_before
    from {{ source('raw', 'coingecko__assets') }}
    window coin_loads as (partition by coin_id order by loaded_at, load_id)
),

listed as (
    select
        token_id,
        symbol,
        name,
        case when load_number > 1 then seen_date end as valid_from,
        load_number > 1 as is_rename
    from loads
    where
        (load_number = 1 or {{ known_at_as_of() }})
        and (load_number = 1 or symbol is distinct from symbol_before or name is distinct from name_before)
    -- Several loads of one day or without a date: the last one counts.
    qualify row_number() over (partition by token_id, valid_from order by load_number desc) = 1
),

charted as (
    select
        charts.series_id as token_id,
        arg_min(charts.symbol, charts.named_date) as symbol
    from {{ ref('int_series_names') }} as charts
    left join listed on charts.series_id = listed.token_id
    where charts.series_rank = 0 and listed.token_id is null
    group by charts.series_id
),

own_series as (
    select
        token_id,
        symbol,
        name,
        min(market_date) as seen_date
    from {{ ref('int_closes_resolved') }}
    where token_id = series_id
    group by token_id, symbol, name
),

filled as (
    -- A provider that leaves a name out has not renamed the token.
    select
        token_id,
        seen_date,
        last_value(symbol ignore nulls) over so_far as symbol,
        last_value(name ignore nulls) over so_far as name
    from own_series
    window so_far as (partition by token_id order by seen_date, symbol, name rows between unbounded preceding and current row)
),

compared as (
    select
        token_id,
        symbol,
        name,
        seen_date,
        lag(seen_date) over namings as date_before,
        lag(symbol) over namings as symbol_before,
        lag(name) over namings as name_before
    from filled
    window namings as (partition by token_id order by seen_date, symbol, name)
),

own_named as (
    select
        token_id,
        symbol,
        name,
        case when date_before is not null then seen_date end as valid_from,
        coalesce(symbol_before != symbol or name_before != name, false) as is_rename
    from compared
    where date_before is null or symbol is distinct from symbol_before or name is distinct from name_before
    qualify row_number() over (partition by token_id, valid_from order by symbol desc nulls last, name desc nulls last) = 1
)

select
    token_id,
    coalesce(symbol, upper(token_id)) as symbol,
    coalesce(name, token_id) as name,
    valid_from,
    is_rename
from listed
union all
select
    token_id,
    coalesce(symbol, upper(token_id)) as symbol,
    token_id as name,
    null as valid_from,
    false as is_rename
from charted
union all
select
    token_id,
    coalesce(symbol, upper(split_part(token_id, ':', 2))) as symbol,
    coalesce(name, token_id) as name,
    valid_from,
    is_rename
from own_named
