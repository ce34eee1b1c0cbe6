-- What a token is: a token of its own (independent), or a claim on something else. A curated verdict goes first, then categories,
-- flags of the list of coins, and patterns in ids, names and tickers. All of them are undated, so whatever rests on them is hindsight
-- and says so. Pegs that only prices show are dated and in int_pegged_so_far.
with categorised as (
    select
        categories.coin_id as token_id,
        arg_min(seeds.token_class, row(seeds.priority, seeds.token_class)) as token_class,
        arg_min(seeds.underlying_class, row(seeds.priority, seeds.token_class, seeds.underlying_class)) as underlying_class
    from {{ ref('stg_coingecko__asset_categories') }} as categories
    inner join {{ ref('pegged_categories') }} as seeds on categories.category_name = seeds.category_name
    group by categories.coin_id
),

named as (
    -- The first name: a later one would change the class of days before it.
    select
        token_id,
        arg_min(symbol, coalesce(valid_from, date '1900-01-01')) as symbol,
        lower(arg_min(name, coalesce(valid_from, date '1900-01-01'))) as name
    from {{ ref('int_token_namings') }}
    group by token_id
),

patterned as (
    select
        token_id,
        case
            when regexp_matches(token_id || ' ' || name, '(^|[^0-9a-z])[1-5](\.[0-9])?x[- ](long|short)[- ]') then 'leveraged'
            -- Tickers mislead (JUP, SYRUP), so only those of an exchange's own series, and only after the coins such tokens were made of.
            when
                contains(token_id, ':') and not contains(token_id, ':symbol:')
                and regexp_matches(symbol, '^[A-Z0-9]{2,10}[2-5][LS]$') then 'leveraged'
            when
                contains(token_id, ':')
                and regexp_matches(
                    symbol,
                    '^(BTC|ETH|BNB|XRP|ADA|DOT|LTC|BCH|BSV|EOS|ETC|TRX|LINK|UNI|SUSHI|SXP|YFI|XTZ|FIL|AAVE|XLM|1INCH'
                    || '|MATIC|OKB|HT|LEO|ALGO|ATOM|DOGE|COMP|KNC|THETA|VET|TOMO|XAUT|PRIV|MID|ALT|EXCH|DRGN|DEFI|GRT'
                    || '|BALANCER)(UP|DOWN|BULL|BEAR|HEDGE|HALF)$'
                ) then 'leveraged'
            when regexp_matches(token_id || ' ' || name, '(^|[-:_ ])(bridged|pegged|binance[- ]peg)([-_ ]|$)') then 'bridged'
            when regexp_matches(token_id, '(^|[-:_ ])(staked|restaked)([-_ ]|$)') then 'staked'
            when regexp_matches(token_id, '(^|[-:_ ])wrapped([-_ ]|$)') then 'wrapped'
        end as token_class
    from named
)

select
    named.token_id,
    coalesce(
        overrides.token_class,
        categorised.token_class,
        case
            when flags.is_stablecoin then 'stable'
            when flags.is_wrapped then coalesce(patterned.token_class, 'wrapped')
        end,
        patterned.token_class,
        'independent'
    ) as token_class,
    case when overrides.token_id is not null then overrides.underlying_class else categorised.underlying_class end as underlying_class,
    overrides.is_access_restricted,
    case
        when overrides.token_id is not null then 'curated'
        when categorised.token_class is not null then 'category'
        when flags.is_stablecoin or flags.is_wrapped then 'flag'
        when patterned.token_class is not null then 'name'
    end as class_basis
from named
left join categorised on named.token_id = categorised.token_id
left join {{ ref('token_class_overrides') }} as overrides on named.token_id = overrides.token_id
left join {{ ref('stg_coingecko__assets') }} as flags on named.token_id = flags.coin_id
left join patterned on named.token_id = patterned.token_id
