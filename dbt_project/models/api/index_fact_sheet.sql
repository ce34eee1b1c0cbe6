-- One row an index: what it is, what it holds, what it has returned, and how it stands against its twin and bitcoin.
with levels as (
    select
        index_id,
        date,
        level
    from {{ source('indices', 'levels_current') }}
    where level is not null
),

newest as (
    select
        index_id,
        min(date) as first_date,
        max(date) as last_date,
        min_by(level, date) as first_level,
        max_by(level, date) as last_level
    from levels
    group by index_id
),

horizons as (
    select
        index_id,
        last_level,
        unnest(['1w', '1m', '3m', '1y', 'ytd']) as period,
        unnest(
            [
                last_date - 7,
                (last_date - interval 1 month)::date,
                (last_date - interval 3 month)::date,
                (last_date - interval 1 year)::date,
                date_trunc('year', last_date)::date - 1
            ]
        ) as since_date
    from newest
),

-- The level of a day without one, in a week in which the index was unavailable, is the last one of the seven days before.
returns as (
    select
        horizons.index_id,
        max(horizons.last_level / levels.level - 1) filter (where horizons.period = '1w') as return_1w,
        max(horizons.last_level / levels.level - 1) filter (where horizons.period = '1m') as return_1m,
        max(horizons.last_level / levels.level - 1) filter (where horizons.period = '3m') as return_3m,
        max(horizons.last_level / levels.level - 1) filter (where horizons.period = '1y') as return_1y,
        max(horizons.last_level / levels.level - 1) filter (where horizons.period = 'ytd') as return_ytd
    from horizons
    asof inner join levels
        on horizons.index_id = levels.index_id and horizons.since_date >= levels.date
    where levels.date > horizons.since_date - 7
    group by horizons.index_id
),

latest_weeks as (
    select
        index_id,
        max(as_of_week) as as_of_week
    from {{ source('indices', 'compositions_current') }}
    group by index_id
),

holdings as (
    select
        compositions.index_id,
        compositions.as_of_week,
        compositions.symbol,
        compositions.token_id,
        compositions.weight,
        coalesce(tokens.is_stable, false) as is_stable,
        row_number() over (partition by compositions.index_id order by compositions.weight desc, compositions.token_id asc) as place
    from {{ source('indices', 'compositions_current') }} as compositions
    inner join latest_weeks
        on compositions.index_id = latest_weeks.index_id and compositions.as_of_week = latest_weeks.as_of_week
    left join {{ ref('dim_tokens') }} as tokens
        on compositions.token_id = tokens.token_id and tokens.is_current
),

held as (
    select
        index_id,
        any_value(as_of_week) as composition_week,
        count(*) as members,
        string_agg(format('{} {:.1f} %', symbol, 100 * weight), ', ' order by place) filter (where place <= 5) as largest,
        coalesce(sum(weight) filter (where is_stable), 0) as stables_weight
    from holdings
    group by index_id
),

named as (
    select
        statistics.index_id,
        concat_ws(
            ' ',
            statistics.basis,
            case
                when statistics.benchmark is null then 'alone'
                when statistics.benchmark = methodologies.twin then 'twin'
                else statistics.benchmark
            end,
            statistics.metric
        ) as figure,
        statistics.value,
        statistics.low,
        statistics.high
    from {{ source('indices', 'statistics') }} as statistics
    left join {{ source('indices', 'methodologies') }} as methodologies on statistics.index_id = methodologies.index_id
),

figures as (
    select
        index_id,
        max(value) filter (where figure = 'gross alone annual_return') as annual_return,
        max(value) filter (where figure = 'net_10k alone annual_return') as annual_return_net,
        max(value) filter (where figure = 'gross alone volatility') as volatility,
        max(value) filter (where figure = 'gross alone sharpe') as sharpe,
        max(low) filter (where figure = 'gross alone sharpe') as sharpe_low,
        max(high) filter (where figure = 'gross alone sharpe') as sharpe_high,
        max(value) filter (where figure = 'gross alone max_drawdown') as max_drawdown,
        max(value) filter (where figure = 'gross alone turnover_per_year') as turnover_per_year,
        max(value) filter (where figure = 'net_10k twin annual_return_difference') as annual_return_over_twin,
        max(low) filter (where figure = 'net_10k twin annual_return_difference') as annual_return_over_twin_low,
        max(high) filter (where figure = 'net_10k twin annual_return_difference') as annual_return_over_twin_high,
        max(value) filter (where figure = 'net_10k twin probability_of_higher_return') as probability_over_twin,
        max(value) filter (where figure = 'net_10k bitcoin annual_return_difference') as annual_return_over_bitcoin,
        max(low) filter (where figure = 'net_10k bitcoin annual_return_difference') as annual_return_over_bitcoin_low,
        max(high) filter (where figure = 'net_10k bitcoin annual_return_difference') as annual_return_over_bitcoin_high
    from named
    group by index_id
),

insured as (
    select
        index_id,
        avg(given_up) filter (where is_bull_year) as insurance_price
    from {{ source('indices', 'insurance') }}
    group by index_id
)

select
    definitions.index_id,
    definitions.name,
    definitions.kind,
    methodologies.version as methodology_version,
    methodologies.twin,
    methodologies.base_level,
    newest.first_date as base_date,
    held.composition_week,
    held.members,
    held.largest,
    held.stables_weight,
    newest.last_date,
    newest.last_level,
    returns.return_1w,
    returns.return_1m,
    returns.return_3m,
    returns.return_ytd,
    returns.return_1y,
    newest.last_level / newest.first_level - 1 as return_since_base,
    figures.annual_return,
    figures.annual_return_net,
    figures.volatility,
    figures.sharpe,
    figures.sharpe_low,
    figures.sharpe_high,
    figures.max_drawdown,
    figures.turnover_per_year,
    figures.annual_return_over_twin,
    figures.annual_return_over_twin_low,
    figures.annual_return_over_twin_high,
    figures.probability_over_twin,
    figures.annual_return_over_bitcoin,
    figures.annual_return_over_bitcoin_low,
    figures.annual_return_over_bitcoin_high,
    insured.insurance_price
from {{ source('indices', 'definitions') }} as definitions
left join {{ source('indices', 'methodologies') }} as methodologies on definitions.index_id = methodologies.index_id
left join newest on definitions.index_id = newest.index_id
left join returns on definitions.index_id = returns.index_id
left join held on definitions.index_id = held.index_id
left join figures on definitions.index_id = figures.index_id
left join insured on definitions.index_id = insured.index_id
