-- Pools of decentralised exchanges by token, on the days on which somebody looked, with what is said of the contract. A token that only
-- its pools are known of is called `geckoterminal:network_address`; it is not in dim_tokens.
with pools as (
    select
        coalesce(coin_id, 'geckoterminal:' || network || '_' || base_token_address) as token_id,
        coin_id is not null as is_known_token,
        network,
        base_token_address,
        base_token_symbol,
        market_date,
        created_at,
        fdv_usd,
        liquidity_usd,
        volume_24h_usd,
        buys_24h,
        sells_24h,
        available_at
    from {{ ref('stg_geckoterminal__pools') }}
    where base_token_address is not null
),

verdicts as (
    select
        network,
        token_address,
        market_date,
        case is_honeypot when 'yes' then true when 'no' then false end as is_honeypot,
        available_at
    from {{ ref('stg_geckoterminal__token_holders') }}
),

judged as (
    -- Contracts are read every four weeks: the newest verdict of five weeks speaks.
    select
        pools.token_id,
        pools.is_known_token,
        pools.network,
        pools.base_token_address,
        pools.base_token_symbol,
        pools.market_date,
        pools.created_at,
        pools.fdv_usd,
        pools.liquidity_usd,
        pools.volume_24h_usd,
        pools.buys_24h,
        pools.sells_24h,
        greatest(
            pools.available_at,
            case when verdicts.market_date + 35 > pools.market_date then verdicts.available_at end
        ) as available_at,
        case when verdicts.market_date + 35 > pools.market_date then verdicts.is_honeypot end as is_honeypot
    from pools
    asof left join verdicts
        on
            pools.network = verdicts.network
            and pools.base_token_address = verdicts.token_address
            and pools.market_date >= verdicts.market_date
)

select
    token_id,
    market_date,
    arg_max(base_token_symbol, row(coalesce(liquidity_usd, 0), network, base_token_address)) as symbol,
    bool_and(is_known_token) as is_known_token,
    count(*)::integer as pools,
    min(created_at) as first_created_at,
    max(fdv_usd) as fdv_usd,
    sum(liquidity_usd) as liquidity_usd,
    sum(volume_24h_usd) as volume_24h_usd,
    sum(buys_24h)::bigint as buys_24h,
    sum(sells_24h)::bigint as sells_24h,
    bool_or(is_honeypot) as is_honeypot,
    max(available_at) as available_at
from judged
group by token_id, market_date
order by token_id, market_date
