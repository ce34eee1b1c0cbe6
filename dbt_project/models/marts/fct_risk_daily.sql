{{ config(materialized="incremental") }}
-- Risk and return over 90 and 365 days of every token and day on which half of 90 returns are known, and the risk score of the broad
-- universe. Quantities that are features are those of int_price_features.
--
-- Risk score: places of the token, 0-1, among the scored tokens of the day (equal values share the mean of their places) in volatility,
-- drawdown and expected shortfall of 90 days, in illiquidity of 30 days and in youth, mixed by the weights below; the score is 100 times
-- the place of that mix. Fixed before any outcome was looked at and never fitted. Scored are tokens of the broad universe that are at least
-- 90 days old and have all five quantities; days with fewer than 20 of them have no score.
{%- set weights = {
    'volatility_90d': 0.30,
    '-max_drawdown_90d': 0.20,
    '-expected_shortfall_90d': 0.20,
    'amihud_illiquidity_30d': 0.20,
    '-age_days': 0.10,
} %}
{%- set least_tokens = 20 %}
with profiles as (
    select
        features.token_id,
        features.market_date,
        universe.is_broad,
        features.age_days::integer as age_days,
        profiles.average_move_14d,
        features.volatility_90d,
        profiles.volatility_365d,
        features.sharpe_90d,
        profiles.sharpe_365d,
        features.sortino_90d,
        profiles.sortino_365d,
        -- In double precision, because a quarter's gain to the fourth power leaves single precision now and then.
        pow(1 + features.return_90d::double, 365.0 / 90) - 1 as cagr_90d,
        features.return_365d::double as cagr_365d,
        features.max_drawdown_90d,
        profiles.max_drawdown_365d,
        features.value_at_risk_90d,
        profiles.value_at_risk_365d,
        profiles.expected_shortfall_90d,
        profiles.expected_shortfall_365d,
        features.skewness_90d,
        profiles.skewness_365d,
        features.kurtosis_90d,
        profiles.kurtosis_365d,
        features.tail_ratio_90d,
        profiles.tail_ratio_365d,
        features.beta_btc_90d,
        profiles.beta_btc_365d,
        features.amihud_illiquidity_30d,
        -- A row compares with bitcoin and with the other tokens of the day: it is known when the last of them is.
        max(daily.available_at) over (partition by features.market_date) as available_at
    from {{ ref('int_price_features') }} as features
    inner join {{ ref('int_risk_profile') }} as profiles
        on features.token_id = profiles.token_id and features.market_date = profiles.market_date
    inner join {{ ref('fct_universe_daily') }} as universe
        on features.token_id = universe.token_id and features.market_date = universe.market_date
    inner join {{ ref('fct_daily') }} as daily
        on features.token_id = daily.token_id and features.market_date = daily.market_date
    where
        {{ in_rebuilt_days(column='features.market_date') }}
        and {{ in_rebuilt_days(column='profiles.market_date') }}
        and {{ in_rebuilt_days(column='universe.market_date') }}
        and {{ in_rebuilt_days(column='daily.market_date') }}
),

scored as (
    select
        token_id,
        market_date,
        count(*) over (partition by market_date) as scored_tokens,
        {% for quantity, weight in weights.items() -%}
            {{ '+ ' if not loop.first }}{{ weight }} * {{ place_of_day(quantity) }}
        {% endfor %} as mix
    from profiles
    where
        is_broad and age_days >= 90
        {%- for quantity in weights %}
            and {{ quantity | replace('-', '') }} is not null
        {%- endfor %}
),

placed as (
    select
        token_id,
        market_date,
        -- Rounded, so that no class hangs on the last digit of a sum.
        round(100 * {{ place_of_day('mix') }}, 4) as risk_score
    from scored
    where scored_tokens >= {{ least_tokens }}
)

select
    profiles.token_id,
    profiles.market_date,
    placed.risk_score,
    case
        when placed.risk_score < 25 then 'low'
        when placed.risk_score < 60 then 'medium'
        when placed.risk_score < 90 then 'high'
        when placed.risk_score is not null then 'extreme'
    end as risk_class,
    profiles.age_days,
    profiles.average_move_14d,
    profiles.volatility_90d,
    profiles.volatility_365d,
    profiles.sharpe_90d,
    profiles.sharpe_365d,
    profiles.sortino_90d,
    profiles.sortino_365d,
    profiles.cagr_90d,
    profiles.cagr_365d,
    profiles.max_drawdown_90d,
    profiles.max_drawdown_365d,
    profiles.value_at_risk_90d,
    profiles.value_at_risk_365d,
    profiles.expected_shortfall_90d,
    profiles.expected_shortfall_365d,
    profiles.skewness_90d,
    profiles.skewness_365d,
    profiles.kurtosis_90d,
    profiles.kurtosis_365d,
    profiles.tail_ratio_90d,
    profiles.tail_ratio_365d,
    profiles.beta_btc_90d,
    profiles.beta_btc_365d,
    profiles.available_at
from profiles
left join placed on profiles.token_id = placed.token_id and profiles.market_date = placed.market_date
where profiles.volatility_90d is not null
order by profiles.market_date, profiles.token_id
