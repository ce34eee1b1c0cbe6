-- Which series of a lower rank a series is the same coin as, and since when that is known: at least ten common days have come, and of
-- the last thirty at least 80 % agree within 5 %; never by ticker or name alone. A price that stood still in those days agrees with any
-- other that does, so there the name must be the same too, or nobody else bear the ticker, or, of nameless markets, the candidate be the
-- largest of those with the ticker for thirty days. The first candidate to be confirmed keeps the link: a token_id is assigned once.
-- Grain: series.
with agreement as (
    select
        series_id,
        candidate_id,
        candidate_rank,
        is_same_name,
        has_name,
        rivals,
        market_date,
        market_cap_usd,
        count(*) over last_days as days_compared,
        avg(is_agreeing::int) over last_days as share_agreeing,
        max(close_usd) over last_days / min(close_usd) over last_days > 1.05 as has_moved,
        market_cap_usd = max(market_cap_usd) over (partition by series_id, candidate_rank, market_date) as is_largest
    from {{ ref('int_series_compared') }}
    window last_days as (
        partition by series_id, candidate_id
        order by market_date
        rows between 29 preceding and current row
    )
)

select
    series_id,
    candidate_id,
    candidate_rank,
    market_date as linked_date,
    days_compared::integer as days_compared,
    share_agreeing
from agreement
where
    days_compared >= 10
    and share_agreeing >= 0.8
    and (
        has_moved
        or is_same_name
        or rivals = 1
        or (not has_name and is_largest and days_compared = 30)
    )
qualify row_number() over (
    partition by series_id
    order by
        market_date asc,
        candidate_rank asc,
        is_same_name desc,
        market_cap_usd desc nulls last,
        candidate_id asc
) = 1
