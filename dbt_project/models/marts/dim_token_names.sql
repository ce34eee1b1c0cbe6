-- The names a token bore, as each load of the list of coins had them: a rename is a second row. The list itself has no dates, so the
-- first name of a token counts from the day it was first seen, or from ever where an archive brought it.
with seen as (
    select
        coin_id as token_id,
        upper(symbol) as symbol,
        name,
        available_at,
        loaded_at,
        load_id
    from {{ source('raw', 'coingecko__assets') }}
    where {{ known_at_as_of() }}
),

compared as (
    select
        token_id,
        symbol,
        name,
        timezone('UTC', available_at)::date as seen_date,
        loaded_at,
        load_id,
        lag(symbol) over loads as symbol_before,
        lag(name) over loads as name_before,
        row_number() over loads as load_number
    from seen
    window loads as (partition by token_id order by loaded_at, load_id)
),

renamed as (
    select
        token_id,
        symbol,
        name,
        seen_date,
        loaded_at,
        load_id
    from compared
    where load_number = 1 or symbol is distinct from symbol_before or name is distinct from name_before
)

select
    token_id,
    symbol,
    name,
    seen_date as valid_from,
    lead(seen_date) over (partition by token_id order by loaded_at, load_id) as valid_to
from renamed
order by token_id, valid_from nulls first
