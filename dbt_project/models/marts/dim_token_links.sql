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
        null::date as valid_from
    from assets
    union all
    select
        token_id,
        'repository' as kind,
        null::varchar as platform,
        value,
        null::date as valid_from
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
        valid_from
    from {{ ref('dim_token_ids') }}
    where (kind in ('github repository', 'subreddit') or starts_with(kind, 'contract on ')) and valid_to is null
)

select
    links.token_id,
    links.kind,
    links.platform,
    links.value,
    -- A link that both sources name is known since the dated one found it, or since ever where one has no date.
    case when count(*) = count(links.valid_from) then min(links.valid_from) end as valid_from,
    count(*) > count(links.valid_from) as is_hindsight
from links
inner join (select distinct token_id from {{ ref('fct_daily') }}) as tokens
    on links.token_id = tokens.token_id
where links.value is not null and trim(links.value) != ''
group by links.token_id, links.kind, links.platform, links.value
order by links.token_id, links.kind, links.platform, links.value
