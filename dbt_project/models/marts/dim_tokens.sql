with seen as (
    select
        token_id,
        min(market_date) as first_date,
        max(priced_date) as last_date
    from {{ ref('fct_daily') }}
    group by token_id
),

coingecko as (
    select
        coin_id as token_id,
        symbol,
        name,
        is_stablecoin,
        is_wrapped
    from {{ ref('stg_coingecko__assets') }}
),

charted as (
    -- Coins with prices that the list of coins does not name.
    select
        coin_id as token_id,
        max(symbol) as symbol
    from {{ ref('stg_coingecko__market_daily') }}
    group by coin_id
),

others as (
    select
        token_id,
        max(symbol) as symbol,
        max(name) as name
    from {{ ref('int_closes_resolved') }}
    where token_id = source || ':' || market_id
    group by token_id
),

named as (
    select
        seen.token_id,
        coalesce(coingecko.symbol, charted.symbol, others.symbol, upper(split_part(seen.token_id, ':', 2))) as symbol,
        coalesce(coingecko.name, others.name, seen.token_id) as name,
        classes.sector,
        case
            when classes.pegged_class is not null then classes.pegged_class
            when coalesce(coingecko.is_stablecoin, false) then 'stable'
            when coalesce(coingecko.is_wrapped, false) then 'wrapped'
            when regexp_matches(seen.token_id, '(^|[-:_ ])(wrapped|bridged|staked|restaked|pegged)([-_ ]|$)') then 'wrapped'
        end as listed_class,
        pegged.is_dollar_pegged,
        seen.first_date,
        seen.last_date
    from seen
    left join coingecko on seen.token_id = coingecko.token_id
    left join charted on seen.token_id = charted.token_id
    left join others on seen.token_id = others.token_id
    left join {{ ref('int_token_classes') }} as classes on seen.token_id = classes.token_id
    left join (
        select
            token_id,
            arg_max(is_dollar_pegged, market_date) as is_dollar_pegged
        from {{ ref('int_pegged_so_far') }}
        group by token_id
    ) as pegged on seen.token_id = pegged.token_id
)

select
    named.token_id,
    named.symbol,
    named.name,
    -- Not by the price: whether it is pegged today must not take the sector from the weeks before it was.
    case when coalesce(named.listed_class = 'stable', false) then null else named.sector end as sector,
    named.listed_class as pegged_class,
    coalesce(named.listed_class = 'stable', false) or coalesce(named.is_dollar_pegged, false) as is_stable,
    coalesce(named.listed_class in ('wrapped', 'staked', 'commodity', 'fund'), false) as is_wrapped,
    named.first_date,
    named.last_date,
    moved.successor_token_id,
    moved.migrated_date,
    true as is_hindsight
from named
left join {{ ref('token_migrations') }} as moved
    -- A migration is known from its day on; holders of the old token could act on it no earlier than they can here.
    on named.token_id = moved.token_id and moved.migrated_date < timezone('UTC', {{ as_of() }})::date
order by named.token_id
