-- A week in a line: what the report opens with, for every week there is.
with grades as (
    select
        as_of_week,
        any_value(origin) as origin,
        count(*) as graded_tokens,
        median(trader_grade) as median_trader_grade,
        count(*) filter (where trader_grade >= 80) as tokens_grade_80,
        list(symbol order by trader_grade desc, token_id asc)[1:5] as top_symbols
    from {{ ref('trader_grades') }}
    group by as_of_week
),

-- A call of a close is known after it: those of Monday to Sunday are the news of the Monday that follows.
flips as (
    select
        date_trunc('week', flip_date)::date + 7 as as_of_week,
        count(*) filter (where signal = 1) as turned_bullish_tokens,
        count(*) filter (where signal = -1) as turned_bearish_tokens
    from {{ ref('signal_flips') }}
    group by all
),

market as (
    select
        date + 1 as as_of_week,
        market_cap_usd,
        btc_dominance,
        market_index_level / lag(market_index_level, 7) over (order by date) - 1 as market_return_7d
    from {{ ref('market') }}
),

bitcoin as (
    select
        date + 1 as as_of_week,
        price_usd / lag(price_usd, 7) over (order by date) - 1 as btc_return_7d
    from {{ ref('daily') }}
    where token_id = 'bitcoin'
),

holdings as (
    select
        as_of_week,
        count(distinct index_id) as available_indices
    from {{ ref('index_compositions') }}
    group by as_of_week
),

trades as (
    select
        date_trunc('week', effective_at - interval 1 microsecond)::date + 7 as as_of_week,
        count(distinct index_id) as rebalanced_indices
    from {{ ref('index_rebalances') }}
    group by all
),

picks as (
    select
        as_of_week,
        count(*) as moonshot_picks
    from {{ ref('moonshots') }}
    group by as_of_week
),

skill as (
    select
        as_of_week,
        max(value) filter (where metric = 'rank_ic_lag1') as rank_ic_lag1
    from {{ ref('model_evaluation') }}
    where model = 'trader' and universe = 'broad'
    group by as_of_week
)

select
    grades.as_of_week,
    grades.origin,
    grades.graded_tokens::integer as graded_tokens,
    grades.median_trader_grade,
    grades.tokens_grade_80::integer as tokens_grade_80,
    grades.top_symbols,
    moods.bullish_share,
    moods.bearish_share,
    moods.bullish_share - lag(moods.bullish_share) over (order by grades.as_of_week) as bullish_share_change_7d,
    coalesce(flips.turned_bullish_tokens, 0)::integer as turned_bullish_tokens,
    coalesce(flips.turned_bearish_tokens, 0)::integer as turned_bearish_tokens,
    market.market_cap_usd,
    market.btc_dominance,
    market.market_return_7d,
    bitcoin.btc_return_7d,
    coalesce(holdings.available_indices, 0)::integer as available_indices,
    coalesce(trades.rebalanced_indices, 0)::integer as rebalanced_indices,
    coalesce(picks.moonshot_picks, 0)::integer as moonshot_picks,
    skill.rank_ic_lag1
from grades
left join {{ ref('bull_bear') }} as moods on grades.as_of_week = moods.as_of_week
left join flips on grades.as_of_week = flips.as_of_week
left join market on grades.as_of_week = market.as_of_week
left join bitcoin on grades.as_of_week = bitcoin.as_of_week
left join holdings on grades.as_of_week = holdings.as_of_week
left join trades on grades.as_of_week = trades.as_of_week
left join picks on grades.as_of_week = picks.as_of_week
left join skill on grades.as_of_week = skill.as_of_week
