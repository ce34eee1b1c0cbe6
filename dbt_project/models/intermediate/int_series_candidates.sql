-- Pairs of series that may be the same coin: the candidate has a lower rank and the same id, name or ticker. When they came to have it is
-- dated, so that who takes a ticker or a name later does not count. Grain: series, candidate.
with listed as (
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
    from {{ ref('int_series_names') }}
    where series_rank > 0
),

paired as (
    select
        series.series_id,
        listed.series_id as candidate_id,
        listed.series_rank as candidate_rank,
        series.market_id = listed.market_id or lower(series.name) = lower(listed.name) as is_same_name,
        series.name is not null as has_name,
        greatest(series.named_date, listed.named_date) as named_date
    from {{ ref('int_series_names') }} as series
    inner join listed
        on
            series.series_rank > listed.series_rank
            and (
                series.market_id = listed.market_id
                or lower(series.name) = lower(listed.name)
                or series.symbol = listed.symbol
            )
),

candidates as (
    select
        series_id,
        candidate_id,
        candidate_rank,
        min(named_date) as named_date,
        min(named_date) filter (where is_same_name) as same_name_date,
        min(named_date) filter (where has_name) as has_name_date
    from paired
    group by series_id, candidate_id, candidate_rank
)

select
    series_id,
    candidate_id,
    candidate_rank,
    named_date,
    same_name_date,
    has_name_date,
    list_sort(list(named_date) over (partition by series_id, candidate_rank)) as rival_dates
from candidates
