-- A market that never closes opens a day where the day before closed. Highs and lows are multiples of the close over the venues that tell
-- them, so they fit the cleaned close; where they would leave the open outside, the open bounds them.
with closes as (
    select
        token_id,
        market_date,
        price_usd as close_usd,
        max(price_usd) over (
            partition by token_id
            order by market_date
            range between interval 1 day preceding and interval 1 day preceding
        ) as open_usd,
        volume_24h_usd,
        is_carried,
        data_source
    from {{ ref('fct_daily') }}
)

select
    closes.token_id,
    closes.market_date as date,
    closes.open_usd,
    -- greatest and least pass over nulls: without a range the open alone would speak.
    case
        when ranges.high_to_close is not null then greatest(closes.close_usd * ranges.high_to_close, closes.open_usd)
    end as high_usd,
    case
        when ranges.low_to_close is not null then least(closes.close_usd * ranges.low_to_close, closes.open_usd)
    end as low_usd,
    closes.close_usd,
    closes.volume_24h_usd,
    ranges.sources as range_sources,
    closes.is_carried,
    closes.data_source
from closes
left join {{ ref('fct_candle_ranges_daily') }} as ranges
    on closes.token_id = ranges.token_id and closes.market_date = ranges.market_date
