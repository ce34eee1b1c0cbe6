-- Where to read on about a token: what providers and curated lists link to it. Texts from outside, kept as they came: whoever shows them
-- as links checks them first (models_ml/screens/research_card.py does).
with assets as (
    select
        coin_id as token_id,
        homepage,
        github_repos
    from {{ ref('stg_coingecko__assets') }}
),

repositories as (
    select
        token_id,
        unnest(json_extract_string(case when json_valid(github_repos) then github_repos end, '$[*]')) as value
    from assets
),

links as (
    select
        token_id,
        'homepage' as kind,
        null::varchar as platform,
        homepage as value,
        null::date as valid_from,
        null::date as valid_to
    from assets
    union all
    select
        token_id,
        'repository' as kind,
        null::varchar as platform,
        value,
        null::date as valid_from,
        null::date as valid_to
    from repositories
    union all
    select
        token_id,
        case
            when kind = 'github repository' then 'repository'
            when kind = 'subreddit' then 'subreddit'
            else 'contract'
        end as kind,
        case when starts_with(kind, 'contract on ') then replace(kind, 'contract on ', '') end as platform,
        case when kind = 'github repository' then 'https://github.com/' || value else value end as value,
        valid_from,
        valid_to
    from {{ ref('dim_token_ids') }}
    where kind in ('github repository', 'subreddit') or starts_with(kind, 'contract on ')
)

select distinct
    links.token_id,
    links.kind,
    links.platform,
    links.value,
    links.valid_from,
    links.valid_to,
    links.valid_from is null as is_hindsight
from links
inner join (select distinct token_id from {{ ref('fct_daily') }}) as tokens
    on links.token_id = tokens.token_id
where links.value is not null and trim(links.value) != ''
order by links.token_id, links.kind, links.platform, links.value, links.valid_from
