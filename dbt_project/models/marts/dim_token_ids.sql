-- Ids of a token elsewhere: where it is known by what, since when that was known to us, and how it was found out.
{%- set own_link = "link of the provider" %}
{%- set linked = [
    ('defillama protocol', 'stg_defillama__protocols', 'protocol_id', own_link, 'its field gecko_id, or that of its family'),
    ('defillama protocol', 'stg_defillama__protocol_metrics', 'protocol_id', own_link, 'its field gecko_id, or that of its family'),
    ('defillama chain', 'stg_defillama__chain_tvl', 'chain', own_link, 'its field gecko_id'),
    ('github repository', 'stg_github__repositories', 'repository', 'curated', 'list of repositories, and links of CoinGecko'),
    ('github repository', 'stg_github__commits_weekly', 'repository', 'curated', 'list of repositories, and links of CoinGecko'),
    ('subreddit', 'stg_reddit__subreddits', 'subreddit', 'curated', 'list of communities'),
] %}
with tokens as (
    select distinct token_id
    from {{ ref('fct_daily') }}
),

series as (
    -- A series is a token of its own until a price agreement gives it to a coin.
    select
        case when source = 'coinmarketcap' then source else source || ' market' end as kind,
        market_id as value,
        token_id,
        coalesce(min(linked_date), min(market_date)) as valid_from,
        case when min(linked_date) is not null then 'price agreement' else 'own series' end as method,
        case
            when min(linked_date) is not null
                then 'within 5 % on 80 % of the last 30 common days, at least ten of them; symbol, name or id in common'
        end as evidence
    from {{ ref('int_closes_resolved') }}
    -- Days before the link that were given to the coin in hindsight are no identity anybody knew.
    where linked_date is not null or token_id = series_id
    group by source, market_id, token_id
),

quotes as (
    select
        source || ' market' as kind,
        market_id as value,
        token_id,
        market_date as valid_from,
        'price agreement' as method,
        'within 10 % on most of the last 30 days compared; one of ' || multiple || ' tokens a lot' as evidence
    from {{ ref('int_exchange_quotes_linked') }}
    qualify token_id is distinct from lag(token_id) over (partition by source, market_id order by market_date)
),

perpetuals as (
    select
        source || ' perpetual' as kind,
        symbol as value,
        token_id,
        linked_date as valid_from,
        case when is_by_price then 'price agreement' else 'largest cap of the ticker' end as method,
        case
            when is_by_price then 'the spot market of the exchange with that ticker'
            else 'largest median market cap of 30 days'
        end as evidence
    from {{ ref('int_perpetuals_linked') }}
),

coinmetrics as (
    select
        'coinmetrics' as kind,
        asset as value,
        token_id,
        linked_date as valid_from,
        method,
        evidence
    from {{ ref('int_coinmetrics_linked') }}
),

linked as (
    {% for kind, model, column, method, evidence in linked %}
        select
            '{{ kind }}' as kind,
            {{ column }} as value,
            coin_id as token_id,
            min({{ known_date() }}) as valid_from,
            '{{ method }}' as method,
            '{{ evidence }}' as evidence
        from {{ ref(model) }}
        where coin_id is not null
        group by {{ column }}, coin_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

found as (
    {% for part in ['series', 'quotes', 'perpetuals', 'coinmetrics', 'linked'] %}
        select
            kind,
            value,
            token_id,
            valid_from,
            method,
            evidence
        from {{ part }}
        union all
    {% endfor %}
    select
        'coingecko' as kind,
        coin_id as value,
        coin_id as token_id,
        null as valid_from,
        'link of the provider' as method,
        'token ids are those of CoinGecko where it had one' as evidence
    from {{ ref('stg_coingecko__assets') }}
    union all
    select
        'contract on ' || platform as kind,
        contract_address as value,
        coin_id as token_id,
        null as valid_from,
        'link of the provider' as method,
        null as evidence
    from {{ ref('stg_coingecko__contracts') }}
),

overridden as (
    -- int_coinmetrics_linked and int_closes_resolved heed their overrides themselves.
    select
        overrides.kind,
        overrides.value,
        overrides.token_id,
        overrides.valid_from,
        overrides.valid_to,
        overrides.reason
    from {{ ref('identity_overrides') }} as overrides
    inner join tokens on overrides.token_id = tokens.token_id
    where
        overrides.kind != 'coinmetrics'
        and (overrides.valid_from is null or overrides.valid_from < timezone('UTC', {{ as_of() }})::date)
),

spoken as (
    select
        found.kind,
        found.value,
        found.token_id,
        found.valid_from,
        null::date as valid_to,
        found.method,
        found.evidence
    from found
    inner join tokens on found.token_id = tokens.token_id
    -- What a rule found while an override was in force is silent.
    left join overridden
        on
            found.kind = overridden.kind
            and found.value = overridden.value
            and coalesce(found.valid_from, date '0001-01-01') >= coalesce(overridden.valid_from, date '0001-01-01')
            and coalesce(found.valid_from, date '0001-01-01') < coalesce(overridden.valid_to, date '9999-12-31')
    where overridden.token_id is null and found.value is not null
    union all
    select
        kind,
        value,
        token_id,
        valid_from,
        valid_to,
        'override' as method,
        reason as evidence
    from overridden
),

one_a_day as (
    select
        kind,
        value,
        token_id,
        valid_from,
        valid_to,
        method,
        evidence
    from spoken
    qualify row_number() over (
        partition by kind, value, valid_from
        order by (method = 'override') desc, (method = 'own series') asc, token_id asc, method asc
    ) = 1
),

turns as (
    select
        kind,
        value,
        token_id,
        valid_from,
        valid_to,
        method,
        evidence
    from one_a_day
    qualify
        token_id is distinct from lag(token_id) over (partition by kind, value order by valid_from nulls first)
        or method = 'override'
)

select
    token_id,
    kind,
    value,
    valid_from,
    -- The end of an override that is to come is not known yet.
    least(
        lead(valid_from) over (partition by kind, value order by valid_from nulls first),
        case when valid_to < timezone('UTC', {{ as_of() }})::date then valid_to end
    ) as valid_to,
    method,
    evidence,
    valid_from is null as is_hindsight
from turns
order by token_id, kind, value, valid_from nulls first
