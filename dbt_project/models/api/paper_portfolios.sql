select
    as_of_week,
    index_id,
    token_id,
    units,
    price_usd,
    value_usd,
    weight,
    cost_basis_usd,
    unrealised_return
from {{ source('indices', 'paper_portfolios') }}
