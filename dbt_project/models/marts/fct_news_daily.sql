-- The news of a day: how much there was, about what, how much of it by its words good or bad, and the tone GDELT had measured by then.
with polled as (
    select
        market_date,
        count(*) as headlines,
        count(*) filter (where polarity < 0) as negative_headlines,
        count(*) filter (where polarity > 0) as positive_headlines,
        count(*) filter (where is_etf) as etf_headlines,
        count(*) filter (where is_regulation) as regulation_headlines,
        count(*) filter (where is_hack) as hack_headlines,
        count(*) filter (where is_listing) as listing_headlines,
        count(*) filter (where is_unlock) as unlock_headlines,
        count(*) filter (where is_partnership) as partnership_headlines
    from {{ ref('int_headlines_tagged') }}
    group by market_date
),

tones as (
    select
        market_date,
        value as tone
    from {{ ref('int_market_series_carried') }}
    where series = 'news_tone'
)

select
    coalesce(polled.market_date, tones.market_date) as market_date,
    polled.headlines::integer as headlines,
    polled.negative_headlines::integer as negative_headlines,
    polled.positive_headlines::integer as positive_headlines,
    polled.etf_headlines::integer as etf_headlines,
    polled.regulation_headlines::integer as regulation_headlines,
    polled.hack_headlines::integer as hack_headlines,
    polled.listing_headlines::integer as listing_headlines,
    polled.unlock_headlines::integer as unlock_headlines,
    polled.partnership_headlines::integer as partnership_headlines,
    tones.tone,
    (coalesce(polled.market_date, tones.market_date) + 1)::timestamp at time zone 'UTC' as available_at
from polled
full outer join tones on polled.market_date = tones.market_date
order by market_date
