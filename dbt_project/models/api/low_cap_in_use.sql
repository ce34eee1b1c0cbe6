-- Tokens of 1 to 50 M USD whose chain or protocols are used more than those of most tokens: the mean place (0-1) of what is known of
-- their use among all tokens of the newest day is at least 0.5, from at least two of eight measures.
{%- set measures = [
    ('active_addresses_growth_30d', ''), ('transactions_growth_30d', ''), ('tvl_growth_30d', ''), ('fees_growth_30d', ''),
    ('dex_volume_growth_30d', ''), ('fees_30d_to_market_cap', ''), ('revenue_30d_to_market_cap', ''), ('market_cap_to_tvl', '-')
] %}
with tokens_of_day as (
    select
        universe.token_id,
        universe.market_date,
        universe.price_usd,
        universe.market_cap_usd,
        {% for name, _ in measures %}
            features.{{ name }}::double as {{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref('fct_universe_daily') }} as universe
    inner join {{ ref('feat_token_daily') }} as features
        on universe.token_id = features.token_id and universe.market_date = features.market_date
    where
        universe.market_date = (select max(newest.market_date) from {{ ref('fct_universe_daily') }} as newest)
        and not universe.is_stable
        and not universe.is_wrapped
        and universe.market_cap_usd is not null
),

measured as (
    {% for name, sign in measures %}
        select
            token_id,
            '{{ name }}' as measure,
            {{ sign }}{{ name }} as value
        from tokens_of_day
        where {{ name }} is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

placed as (
    select
        token_id,
        measure,
        percent_rank() over (
            partition by measure
            order by value
        ) as place,
        count(*) over (partition by measure) as tokens
    from measured
),

scored as (
    select
        token_id,
        avg(place) as use_score,
        count(*) as measures_known,
        arg_max(measure, place) as strongest_measure,
        max(place) as strongest_place
    from placed
    -- A place among a handful says nothing.
    where tokens >= 10
    group by token_id
)

select
    tokens_of_day.market_date as date,
    tokens_of_day.token_id,
    tokens.symbol,
    tokens.sector,
    tokens_of_day.market_cap_usd,
    tokens_of_day.price_usd,
    scored.use_score,
    scored.measures_known::integer as measures_known,
    scored.strongest_measure,
    scored.strongest_place,
    tokens_of_day.active_addresses_growth_30d,
    tokens_of_day.tvl_growth_30d,
    tokens_of_day.fees_30d_to_market_cap,
    tokens_of_day.market_cap_to_tvl
from tokens_of_day
inner join scored on tokens_of_day.token_id = scored.token_id
inner join {{ ref('dim_tokens') }} as tokens on tokens_of_day.token_id = tokens.token_id and tokens.is_current
where
    tokens_of_day.market_cap_usd between 1e6 and 5e7
    and scored.measures_known >= 2
    and scored.use_score >= 0.5
