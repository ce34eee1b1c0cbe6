{{ config(materialized="incremental") }}
-- Days on which a series and a candidate (int_series_candidates) both have a price. Grain: series, candidate, day.
-- In this order: joined by day first, all series meet all others.
with candidate_days as materialized (
    select
        candidates.series_id,
        candidates.candidate_id,
        candidates.candidate_rank,
        closes.market_date,
        closes.close_usd
    from {{ ref('int_series_candidates') }} as candidates
    inner join {{ ref('int_price_series') }} as closes
        on candidates.series_id = closes.series_id and candidates.named_date <= closes.market_date
    where {{ in_rebuilt_days(column='closes.market_date') }}
)

select
    candidate_days.series_id,
    candidate_days.candidate_id,
    candidate_days.candidate_rank,
    candidate_days.market_date,
    others.close_usd,
    others.market_cap_usd,
    abs(ln(candidate_days.close_usd / others.close_usd)) < ln(1.05) as is_agreeing
from candidate_days
inner join {{ ref('int_price_series') }} as others
    on candidate_days.candidate_id = others.series_id and candidate_days.market_date = others.market_date
where {{ in_rebuilt_days(column='others.market_date') }}
