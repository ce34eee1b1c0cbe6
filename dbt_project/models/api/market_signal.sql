-- The call of each day with what became of the market since its flip. The record counts calls of the same kind that had ended by the flip.
with calls as (
    select
        market_date,
        net_share_7d,
        net_share_place,
        signal,
        flipped_date
    from {{ source('market', 'signal') }}
    where signal is not null
)

select
    calls.market_date as date,
    calls.signal,
    calls.flipped_date,
    calls.net_share_7d,
    calls.net_share_place,
    record.market_cap_at_flip_usd,
    today.market_cap_usd,
    today.market_index_level / at_flip.market_index_level - 1 as return_since_flip,
    (calls.market_date - calls.flipped_date)::integer as days_since_flip,
    record.past_calls,
    record.past_hits,
    record.past_hits / nullif(record.past_calls, 0) as past_hit_rate
from calls
left join {{ source('market', 'calls') }} as record on calls.flipped_date = record.flipped_date
left join {{ ref('fct_market_daily') }} as today on calls.market_date = today.market_date
left join {{ ref('fct_market_daily') }} as at_flip on calls.flipped_date = at_flip.market_date
