-- Who holds a token, on the days on which somebody looked: of its contracts the one that most addresses hold.
with readings as (
    select
        coin_id as token_id,
        market_date,
        holders,
        top_10_share,
        network || ':' || token_address as contract,
        available_at,
        -- Contracts of one coin may be read on different days: the largest of those read in five weeks speaks for the coin.
        arg_max(network || ':' || token_address, row(coalesce(holders, 0), network, token_address)) over (
            partition by coin_id
            order by market_date
            range between interval 35 days preceding and current row
        ) as largest_contract
    from {{ ref('stg_geckoterminal__token_holders') }}
    where coin_id is not null and (holders is not null or top_10_share is not null)
)

select
    token_id,
    market_date,
    contract,
    holders,
    top_10_share as top_10_holder_share,
    available_at
from readings
where contract = largest_contract
order by token_id, market_date
