{{ config(materialized="incremental") }}
-- Prices that were believed, with caps and volumes judged by what was known on their day.
--   cap: 0 is unknown. A cap is implausible where the median volume of ten days (of thirty, where ten have none) is below a millionth of
--   it (a coin with 378 USD of daily volume claimed a cap of 2e16 USD), or where a cap above 100 M USD had no volume at all in thirty
--   days; before sources gave volumes (bitcoin has none that day) nothing is judged.
--   volume: 0 is unknown. trusted_volume_24h_usd is what is left of a volume that looks made up (Cong, Li, Tang, Yang 2023, Crypto Wash
--   Trading, Management Science 69(11), find the same marks in exchanges' trades):
--     turnover   the day and the median of five days trade more than the whole cap: cut to one cap a day; not at a price near a dollar,
--                because dollars do turn over like that
--     round      on four of the last ten days the volume has at most three digits, or is that of the day before
--     steady     the volume hardly moves (standard deviation of its logarithm below 0.08 over ten days)
--     unmoved    eight times the usual volume of thirty days, 10,000 USD at least, moved the price by less than it usually moves in a day
--     exchanges  it is over ten times as far above the volume on an exchange that we read ourselves as the median token's is; only of an
--                exchange that has a tenth of the median token's volume
--   The last four only where it is also over three times the turnover of tokens of its size (of all, where there are fewer than five of
--   them), to which it is then cut; they come first where turnover says so too.
with believed as (
    select
        token_id,
        market_date,
        price_usd,
        price_source,
        sources_agreeing,
        first_source,
        delivered_cap_usd,
        market_cap_usd,
        volume_24h_usd as delivered_volume_usd,
        nullif(volume_24h_usd, 0) as volume_24h_usd,
        data_source,
        available_at,
        volume_24h_usd / nullif(market_cap_usd, 0) as turnover,
        ln(price_usd / lag(price_usd) over (partition by token_id order by market_date)) as log_return,
        case
            when volume_24h_usd >= 1000
                then
                    volume_24h_usd = round(volume_24h_usd, 2 - floor(log10(volume_24h_usd))::int)
                    or volume_24h_usd = lag(volume_24h_usd) over (partition by token_id order by market_date)
        end as is_round
    from {{ with_rows_before(ref('int_daily_screened'), 31, condition='not is_bad_tick') }}
),

followed as (
    select
        token_id,
        market_date,
        price_usd,
        price_source,
        sources_agreeing,
        first_source,
        delivered_cap_usd,
        market_cap_usd,
        delivered_volume_usd,
        volume_24h_usd,
        data_source,
        available_at,
        turnover,
        coalesce(median(volume_24h_usd) over ten_days, median(volume_24h_usd) over thirty_days) as usual_volume_usd,
        median(turnover) over five_days as turnover_5d,
        count(turnover) over five_days as turnovers_5d,
        count(volume_24h_usd) over ten_days as volumes_10d,
        stddev_samp(ln(volume_24h_usd)) over ten_days as volume_deviation_10d,
        count(*) filter (where is_round) over ten_days as round_10d,
        case
            when count(volume_24h_usd) over thirty_before >= 10 then volume_24h_usd / median(volume_24h_usd) over thirty_before
        end as volume_surge_30d,
        abs(log_return) / nullif(stddev_samp(log_return) over thirty_before, 0) as deviations_moved,
        count(volume_24h_usd) over thirty_days as volumes_30d,
        count(*) over thirty_days as days_30d
    from believed
    window
        five_days as (partition by token_id order by market_date rows between 4 preceding and current row),
        ten_days as (partition by token_id order by market_date rows between 9 preceding and current row),
        thirty_days as (partition by token_id order by market_date rows between 29 preceding and current row),
        thirty_before as (partition by token_id order by market_date rows between 30 preceding and 1 preceding)
),

bitcoin as (
    select market_date
    from believed
    where token_id = 'bitcoin' and volume_24h_usd is not null
),

peers as (
    -- Turnover of tokens of a size, in powers of ten of the cap.
    select
        market_date,
        floor(log10(market_cap_usd)) as size_class,
        median(turnover) as turnover
    from believed
    where market_cap_usd > 0 and volume_24h_usd > 0 and {{ in_rebuilt_days() }}
    group by market_date, floor(log10(market_cap_usd))
    having count(*) >= 5
),

markets as (
    select
        market_date,
        median(turnover) as turnover
    from believed
    where market_cap_usd > 0 and volume_24h_usd > 0 and {{ in_rebuilt_days() }}
    group by market_date
),

exchanges as (
    select
        quotes.source,
        quotes.token_id,
        quotes.market_date,
        believed.volume_24h_usd / quotes.volume_24h_usd as ratio,
        median(believed.volume_24h_usd / quotes.volume_24h_usd) over (
            partition by quotes.source, quotes.market_date
        ) as median_ratio
    from {{ ref('int_quotes') }} as quotes
    inner join believed
        on quotes.token_id = believed.token_id and quotes.market_date = believed.market_date
    where
        quotes.source not in ('coingecko', 'coinmarketcap', 'yahoo')
        and believed.first_source in ('coingecko', 'coinmarketcap')
        and quotes.volume_24h_usd > 0
        and believed.volume_24h_usd > 0
        and {{ in_rebuilt_days(column='quotes.market_date') }}
),

against_exchanges as (
    select
        token_id,
        market_date,
        min(ratio / median_ratio) as excess
    from exchanges
    where median_ratio <= 10
    group by token_id, market_date
),

judged as (
    select
        followed.token_id,
        followed.market_date,
        followed.price_usd,
        followed.price_source,
        followed.sources_agreeing,
        followed.first_source,
        followed.delivered_cap_usd,
        followed.market_cap_usd,
        followed.delivered_volume_usd,
        followed.volume_24h_usd,
        followed.data_source,
        followed.available_at,
        followed.turnover,
        followed.turnover_5d,
        followed.usual_volume_usd,
        followed.volume_deviation_10d,
        followed.round_10d,
        followed.volume_surge_30d,
        coalesce(peers.turnover, markets.turnover) as peer_turnover,
        against_exchanges.excess as excess_over_exchanges,
        case
            when followed.market_cap_usd is null and followed.delivered_cap_usd = 0 then 'zero_cap'
            when bitcoin.market_date is null then null
            when followed.market_cap_usd > 1e7 and followed.usual_volume_usd < 1e-6 * followed.market_cap_usd then 'implausible_cap'
            when followed.market_cap_usd > 1e8 and followed.volumes_30d = 0 and followed.days_30d = 30 then 'implausible_cap'
        end as cap_rule,
        case
            when not coalesce(followed.turnover > 3 * coalesce(peers.turnover, markets.turnover), false) then null
            when followed.round_10d >= 4 then 'round'
            when followed.volumes_10d = 10 and followed.volume_deviation_10d < 0.08 then 'steady'
            when against_exchanges.excess > 10 then 'exchanges'
            when followed.volume_surge_30d > 8 and followed.deviations_moved < 1 and followed.volume_24h_usd >= 10000 then 'unmoved'
        end as peer_mark,
        followed.turnovers_5d >= 3 and followed.turnover_5d > 1 and followed.turnover > 1 and abs(followed.price_usd - 1) >= 0.03
            as is_turned_over
    from followed
    left join bitcoin on followed.market_date = bitcoin.market_date
    left join peers
        on
            followed.market_date = peers.market_date
            and floor(log10(followed.market_cap_usd)) = peers.size_class
    left join markets on followed.market_date = markets.market_date
    left join against_exchanges
        on followed.token_id = against_exchanges.token_id and followed.market_date = against_exchanges.market_date
)

select
    token_id,
    market_date,
    price_usd,
    price_source,
    sources_agreeing,
    first_source,
    delivered_cap_usd,
    case when cap_rule is null then market_cap_usd end as market_cap_usd,
    market_cap_usd as claimed_cap_usd,
    cap_rule,
    delivered_volume_usd,
    volume_24h_usd,
    case
        when peer_mark is not null then peer_turnover * market_cap_usd
        when is_turned_over then market_cap_usd
        else volume_24h_usd
    end as trusted_volume_24h_usd,
    case when peer_mark is not null then peer_mark when is_turned_over then 'turnover' end as wash_mark,
    usual_volume_usd,
    turnover_5d,
    volume_deviation_10d,
    round_10d,
    volume_surge_30d,
    excess_over_exchanges,
    data_source,
    available_at
from judged
where {{ in_rebuilt_days() }}
