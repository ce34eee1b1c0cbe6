-- Work on a token's code. A week of commits stands on the day it became known, a day after its end; counts of repositories and of
-- CoinGecko on the day they were read.
with weeks as (
    select
        coin_id as token_id,
        repository,
        feed,
        date_trunc('week', market_date) as week,
        market_date,
        {{ known_date() }} as known_date,
        commits,
        authors
    from {{ ref('stg_github__commits_weekly') }}
    -- Repositories that carry the commits of the project they were forked from would count its work as theirs.
    where coin_id is not null and feed != 'git_history_with_upstream'
),

chosen as (
    -- Feeds count weeks from different days on and are never added up: the live one first, else the newest import.
    select
        token_id,
        known_date as market_date,
        repository,
        commits,
        authors
    from weeks
    qualify dense_rank() over (partition by token_id, week order by (feed = 'github') desc, feed desc) = 1
),

readings as (
    select
        coin_id as token_id,
        repository,
        market_date,
        stars,
        is_gone
    from {{ ref('stg_github__repositories') }}
    where coin_id is not null
),

days as (
    select distinct
        token_id,
        market_date
    from readings
),

known as (
    select distinct
        token_id,
        repository
    from readings
),

reading_days as (
    -- Repositories of one token are read on different days: on each of them all of them count, as last read.
    select
        days.token_id,
        days.market_date,
        known.repository
    from days
    inner join known on days.token_id = known.token_id
),

repositories as (
    select
        reading_days.token_id,
        reading_days.market_date,
        sum(readings.stars) as stars,
        count(readings.stars) as repositories
    from reading_days
    asof inner join
        readings
        on
            reading_days.token_id = readings.token_id
            and reading_days.repository = readings.repository
            and reading_days.market_date >= readings.market_date
    -- As long as STARS_CARRY_DAYS of models_ml/features/developers.py.
    where not readings.is_gone and readings.market_date > reading_days.market_date - 42
    group by reading_days.token_id, reading_days.market_date
),

facts as (
    select
        token_id,
        market_date,
        sum(commits) as commits_week,
        sum(authors) as authors_week,
        count(*) as commits_repositories,
        null::bigint as commits_4w,
        null::bigint as stars,
        null::bigint as stars_repositories
    from chosen
    group by token_id, market_date
    union all
    select
        token_id,
        market_date,
        null::bigint as commits_week,
        null::bigint as authors_week,
        null::bigint as commits_repositories,
        null::bigint as commits_4w,
        stars,
        repositories as stars_repositories
    from repositories
    union all
    select
        coin_id as token_id,
        market_date,
        null::bigint as commits_week,
        null::bigint as authors_week,
        null::bigint as commits_repositories,
        commits_4w,
        null::bigint as stars,
        null::bigint as stars_repositories
    from {{ ref('stg_coingecko__coin_activity') }}
    where commits_4w is not null
)

select
    token_id,
    market_date,
    max(commits_week)::bigint as commits_week,
    max(authors_week)::bigint as authors_week,
    max(commits_repositories)::integer as commits_repositories,
    max(commits_4w) as commits_4w,
    max(stars)::bigint as stars,
    max(stars_repositories)::integer as stars_repositories,
    (market_date + 1)::timestamp at time zone 'UTC' as available_at
from facts
group by token_id, market_date
order by token_id, market_date
