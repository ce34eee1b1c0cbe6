-- Days on which a series and one of a lower rank that may be the same coin both have a price. A candidate has the same id, name or ticker.
-- Grain: series, candidate, day.
with series as (
    -- A name counts from the first day the series bears it: an id may be given to another coin, and a name comes late.
    select
        series_id,
        series_rank,
        market_id,
        symbol,
        name,
        min(market_date) as named_date
    from {{ ref('int_price_series') }}
    group by series_id, series_rank, market_id, symbol, name
),

listed as (
    -- CoinGecko's names are in its list of coins, which has no dates; the tickers there are the newest.
    select
        coin_id as series_id,
        0 as series_rank,
        coin_id as market_id,
        symbol,
        name,
        null as named_date
    from {{ ref('stg_coingecko__assets') }}
    union all
    select
        series_id,
        series_rank,
        market_id,
        symbol,
        name,
        named_date
    from series
    where series_rank > 0
),

candidates as (
    select
        series.series_id,
        listed.series_id as candidate_id,
        listed.series_rank as candidate_rank,
        bool_or(series.market_id = listed.market_id or lower(series.name) = lower(listed.name)) as is_same_name,
        bool_or(series.name is not null) as has_name,
        min(greatest(series.named_date, listed.named_date)) as named_date
    from series
    inner join listed
        on
            series.series_rank > listed.series_rank
            and (
                series.market_id = listed.market_id
                or lower(series.name) = lower(listed.name)
                or series.symbol = listed.symbol
            )
    group by series.series_id, listed.series_id, listed.series_rank
),

rivals as (
    select
        series_id,
        candidate_rank,
        list(named_date) as named_dates
    from candidates
    group by series_id, candidate_rank
),

-- In this order: joined by day first, all series meet all others.
candidate_days as materialized (
    select
        candidates.series_id,
        candidates.candidate_id,
        candidates.candidate_rank,
        candidates.is_same_name,
        candidates.has_name,
        -- Candidates of the same rank by that day: who takes the ticker later does not count.
        len(list_filter(rivals.named_dates, lambda named: named <= closes.market_date)) as rivals, -- noqa: RF02
        closes.market_date,
        closes.close_usd
    from candidates
    inner join rivals
        on candidates.series_id = rivals.series_id and candidates.candidate_rank = rivals.candidate_rank
    inner join {{ ref('int_price_series') }} as closes
        on candidates.series_id = closes.series_id and candidates.named_date <= closes.market_date
)

select
    candidate_days.series_id,
    candidate_days.candidate_id,
    candidate_days.candidate_rank,
    candidate_days.is_same_name,
    candidate_days.has_name,
    candidate_days.rivals,
    candidate_days.market_date,
    others.close_usd,
    others.market_cap_usd,
    abs(ln(candidate_days.close_usd / others.close_usd)) < ln(1.05) as is_agreeing
from candidate_days
inner join {{ ref('int_price_series') }} as others
    on candidate_days.candidate_id = others.series_id and candidate_days.market_date = others.market_date
