{{ config(materialized="incremental") }}
-- The sectors of the broad universe as chained indices: what a holder of a whole sector by market cap would have earned. A return
-- belongs to the members and caps of the day before, so a token that crashes out of the universe takes its crash along.
{%- set fewest_tokens = 5 %}
with members as (
    select
        token_id,
        market_date,
        sector,
        market_cap_usd,
        market_cap_1d_before_usd,
        volume_24h_usd,
        return_1d,
        is_broad,
        was_broad,
        available_at
    from {{ ref('int_market_members') }}
    where (is_broad or was_broad) and {{ in_rebuilt_days() }}
),

market as (
    select
        market_date,
        sum(market_cap_usd) filter (where is_broad) as market_cap_usd,
        sum(volume_24h_usd) filter (where is_broad) as volume_24h_usd,
        max(available_at) as available_at
    from members
    group by market_date
),

published as (
    -- CoinGecko's categories overlap, so their caps do not add up; the largest of a sector is what it should about reach.
    select
        seeds.sector,
        categories.market_date,
        max(categories.market_cap_usd) as market_cap_usd,
        max(categories.available_at) as available_at
    from {{ ref('stg_coingecko__category_daily') }} as categories
    inner join {{ ref('sector_categories') }} as seeds
        on categories.category_name = seeds.category_name
    group by seeds.sector, categories.market_date
),

sums as (
    select
        members.sector,
        members.market_date,
        count(*) filter (where members.is_broad) as tokens,
        sum(members.market_cap_usd) filter (where members.is_broad) as market_cap_usd,
        sum(members.volume_24h_usd) filter (where members.is_broad) as volume_24h_usd,
        count(*) filter (where members.was_broad and members.return_1d is not null) as tokens_held,
        sum(members.return_1d * members.market_cap_1d_before_usd) filter (where members.was_broad)
        / sum(members.market_cap_1d_before_usd) filter (where members.was_broad and members.return_1d is not null) as weighted_return_1d,
        median(members.return_1d) filter (where members.was_broad) as median_return_1d,
        avg((features.price_to_sma_50d > 0)::int) filter (where members.is_broad) as share_above_average_50d
    from members
    left join {{ ref('int_price_features') }} as features
        on
            members.token_id = features.token_id
            and members.market_date = features.market_date
            and {{ in_rebuilt_days(column='features.market_date') }}
    where members.sector is not null
    group by members.sector, members.market_date
),

judged as (
    select
        sums.sector,
        sums.market_date,
        sums.tokens,
        sums.market_cap_usd,
        sums.volume_24h_usd,
        sums.market_cap_usd / market.market_cap_usd as market_cap_share,
        sums.volume_24h_usd / market.volume_24h_usd as volume_share,
        case when sums.tokens_held >= {{ fewest_tokens }} then sums.weighted_return_1d end as return_1d,
        case when sums.tokens_held >= {{ fewest_tokens }} then sums.median_return_1d end as median_return_1d,
        case when sums.tokens >= {{ fewest_tokens }} then sums.share_above_average_50d end as breadth_50d,
        published.market_cap_usd as coingecko_market_cap_usd,
        greatest(market.available_at, published.available_at) as available_at
    from sums
    inner join market on sums.market_date = market.market_date
    left join published on sums.sector = published.sector and sums.market_date = published.market_date
),

-- What the windows look at: a few thousand sector days, so they are followed from the first one on.
history as (
    select
        sector,
        market_date,
        return_1d,
        volume_share
    from judged
    {%- if is_incremental() %}
        union all
        select
            sector,
            market_date,
            return_1d,
            volume_share
        from {{ this }}
        where market_date < {{ rebuilt_from() }}
    {%- endif %}
),

bitcoin as (
    select
        market_date,
        return_1d
    from {{ ref('int_market_members') }}
    where token_id = 'bitcoin' and (is_broad or was_broad)
),

chained as (
    -- A day without a return leaves the level where it is; a return over days is unknown if one of them is.
    select
        history.sector,
        history.market_date,
        bitcoin.return_1d as btc_return_1d,
        (history.market_date - date '2000-01-01')::integer as day_number,
        100 * exp(sum(ln(1 + coalesce(history.return_1d, 0))) over so_far) as index_level,
        {% for days in [7, 30, 90] %}
            case
                when count(history.return_1d) over last_{{ days }} = {{ days }} then sum(ln(1 + history.return_1d)) over last_{{ days }}
            end as log_return_{{ days }}d,
            case
                when count(bitcoin.return_1d) over last_{{ days }} = {{ days }} then sum(ln(1 + bitcoin.return_1d)) over last_{{ days }}
            end as btc_log_return_{{ days }}d,
        {% endfor %}
        avg(history.volume_share) over last_7 as volume_share_7d,
        avg(history.volume_share) over week_before_last as volume_share_7d_before
    from history
    left join bitcoin on history.market_date = bitcoin.market_date
    window
        so_far as (
            partition by history.sector
            order by history.market_date
            rows between unbounded preceding and current row
        ),
        {% for name, first, last in [
            ('week_before_last', '13 preceding', '7 preceding'), ('last_7', '6 preceding', 'current row'),
            ('last_30', '29 preceding', 'current row'), ('last_90', '89 preceding', 'current row')
        ] %}
            {{ name }} as (
                partition by history.sector
                order by (history.market_date - date '2000-01-01')::integer
                range between {{ first }} and {{ last }}
            ){% if not loop.last %},{% endif %}
        {% endfor %}
),

ranked as (
    select
        sector,
        market_date,
        volume_share_7d - volume_share_7d_before as volume_share_change_7d,
        exp(log_return_7d) - 1 as return_7d,
        exp(log_return_30d) - 1 as return_30d,
        exp(log_return_90d) - 1 as return_90d,
        btc_return_1d,
        exp(log_return_7d) - exp(btc_log_return_7d) as return_less_btc_7d,
        exp(log_return_30d) - exp(btc_log_return_30d) as return_less_btc_30d,
        exp(log_return_90d) - exp(btc_log_return_90d) as return_less_btc_90d,
        case
            when log_return_30d is not null then rank() over (partition by market_date order by log_return_30d desc nulls last)
        end as rank_30d,
        index_level,
        max(index_level) over (
            partition by sector
            order by day_number
            rows between unbounded preceding and current row
        ) as index_high,
        day_number
    from chained
),

compared as (
    select
        *,
        any_value(rank_30d) over (
            partition by sector
            order by day_number
            range between 7 preceding and 7 preceding
        ) as rank_30d_week_before
    from ranked
)

select
    judged.sector,
    judged.market_date,
    judged.tokens::integer as tokens,
    judged.market_cap_usd,
    judged.volume_24h_usd,
    judged.market_cap_share,
    judged.volume_share,
    compared.volume_share_change_7d,
    judged.return_1d,
    judged.median_return_1d,
    compared.return_7d,
    compared.return_30d,
    compared.return_90d,
    judged.return_1d - compared.btc_return_1d as return_less_btc_1d,
    compared.return_less_btc_7d,
    compared.return_less_btc_30d,
    compared.return_less_btc_90d,
    judged.breadth_50d,
    compared.rank_30d::integer as rank_30d,
    (compared.rank_30d_week_before - compared.rank_30d)::integer as rank_gain_7d,
    compared.index_level,
    compared.index_high,
    compared.index_level / compared.index_high - 1 as drawdown_from_high,
    judged.coingecko_market_cap_usd,
    judged.market_cap_usd / judged.coingecko_market_cap_usd as coingecko_market_cap_ratio,
    true as is_hindsight,
    judged.available_at
from judged
inner join compared on judged.sector = compared.sector and judged.market_date = compared.market_date
order by judged.market_date, judged.sector
