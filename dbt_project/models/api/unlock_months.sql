select
    months.as_of_date,
    months.token_id,
    tokens.symbol,
    months.month_date,
    months.cliff_unlock_tokens,
    months.step_unlock_tokens,
    months.linear_unlock_tokens,
    months.unlock_tokens,
    months.supply_share,
    months.unlock_usd,
    months.is_hindsight
from {{ ref('fct_unlock_months') }} as months
left join {{ ref('dim_tokens') }} as tokens on months.token_id = tokens.token_id and tokens.is_current
