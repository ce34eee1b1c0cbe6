{{ config(materialized="incremental", meta={"day_column": "linked_date"}) }}
-- Which series of a lower rank a series is the same coin as, and since when that is known: at least ten common days have come, and of
-- the last thirty at least 80 % agree within 5 %; never by ticker or name alone. A price that stood still in those days agrees with any
-- other that does, so there the name must be the same too, or nobody else bear the ticker, or, of nameless markets, the candidate be the
-- largest of those with the ticker for thirty days. The first candidate to be confirmed keeps the link: a token_id is assigned once.
-- Grain: series.
with compared as (
    select
        series_id,
        candidate_id,
        candidate_rank,
        market_date,
        close_usd,
        market_cap_usd,
        is_agreeing
    from {{ with_rows_before(ref('int_series_compared'), 29, key=['series_id', 'candidate_id']) }}
    {%- if is_incremental() %}
        where series_id not in (
            select known.series_id from {{ this }} as known
            where known.linked_date < {{ rebuilt_from() }}
        )
    {%- endif %}
),

agreement as (
    select
        series_id,
        candidate_id,
        candidate_rank,
        market_date,
        market_cap_usd,
        count(*) over last_days as days_compared,
        avg(is_agreeing::int) over last_days as share_agreeing,
        max(close_usd) over last_days / min(close_usd) over last_days > 1.05 as has_moved,
        market_cap_usd = max(market_cap_usd) over (partition by series_id, candidate_rank, market_date) as is_largest
    from compared
    window last_days as (
        partition by series_id, candidate_id
        order by market_date
        rows between 29 preceding and current row
    )
)

select
    agreement.series_id,
    agreement.candidate_id,
    agreement.candidate_rank,
    agreement.market_date as linked_date,
    agreement.days_compared::integer as days_compared,
    agreement.share_agreeing
from agreement
inner join {{ ref('int_series_candidates') }} as candidates
    on agreement.series_id = candidates.series_id and agreement.candidate_id = candidates.candidate_id
where
    {{ in_rebuilt_days(column='agreement.market_date') }}
    and agreement.days_compared >= 10
    and agreement.share_agreeing >= 0.8
    and (
        agreement.has_moved
        or candidates.same_name_date <= agreement.market_date
        or len(list_filter(candidates.rival_dates, lambda named: named <= agreement.market_date)) = 1 -- noqa: RF02
        or (
            not coalesce(candidates.has_name_date <= agreement.market_date, false)
            and agreement.is_largest
            and agreement.days_compared = 30
        )
    )
qualify row_number() over (
    partition by agreement.series_id
    order by
        agreement.market_date asc,
        agreement.candidate_rank asc,
        coalesce(candidates.same_name_date <= agreement.market_date, false) desc,
        agreement.market_cap_usd desc nulls last,
        agreement.candidate_id asc
) = 1
