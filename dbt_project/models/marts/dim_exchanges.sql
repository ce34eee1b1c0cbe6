-- The exchanges that are followed, with what an order costs a new customer.
select
    exchange,
    maker_fee,
    taker_fee
from {{ ref('exchange_fees') }}
