with tokens as (
    select
        token_id,
        symbol
    from {{ ref('dim_tokens') }}
    where is_current
),

pools as (
    select
        token_id,
        arg_max(symbol, market_date) as symbol
    from {{ ref('fct_pools_daily') }}
    where not is_known_token
    group by token_id
)

select
    warnings.as_of_week,
    warnings.token_id,
    coalesce(tokens.symbol, pools.symbol) as symbol,
    warnings.warning,
    warnings.is_excluding,
    warnings.value,
    warnings.threshold,
    warnings.reason,
    warnings.version,
    warnings.origin
from {{ source('screens', 'token_warnings_current') }} as warnings
left join tokens on warnings.token_id = tokens.token_id
left join pools on warnings.token_id = pools.token_id
