select
    index_id,
    plan,
    contributions,
    paid_in_usd,
    final_value_usd,
    money_weighted_return,
    first_date,
    last_date
from {{ source('indices', 'plans') }}
