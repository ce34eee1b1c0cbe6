-- What a token would cost if the whole market were worth so much: it keeps its share of the market cap, or has half as much or half as
-- much again, at the supply it has now. Arithmetic on the newest close, no forecast: supplies grow, and shares of single tokens move
-- by more than half within a year.
{%- set trillions = [1, 2, 3, 5, 10] %}
with newest as (
    select
        market_date,
        market_cap_usd as total_market_cap_usd
    from {{ ref('fct_market_daily') }}
    qualify market_date = max(market_date) over ()
),

tokens as (
    select
        universe.token_id,
        universe.market_date,
        universe.price_usd,
        universe.market_cap_usd,
        newest.total_market_cap_usd,
        universe.market_cap_usd / newest.total_market_cap_usd as market_cap_share
    from {{ ref('fct_universe_daily') }} as universe
    inner join newest on universe.market_date = newest.market_date
    where universe.is_broad
),

scenarios as (
    select
        unnest([{{ trillions | join(', ') }}]) * 1e12::double as scenario_total_market_cap_usd,
        shares.share_change
    from (select unnest([-0.5, 0.0, 0.5])::double as share_change) as shares
)

select
    tokens.market_date as date,
    tokens.token_id,
    tokens.price_usd,
    tokens.market_cap_usd,
    tokens.total_market_cap_usd,
    tokens.market_cap_share,
    scenarios.scenario_total_market_cap_usd,
    scenarios.share_change,
    tokens.market_cap_share * (1 + scenarios.share_change) as scenario_market_cap_share,
    tokens.price_usd * scenarios.scenario_total_market_cap_usd / tokens.total_market_cap_usd
    * (1 + scenarios.share_change) as scenario_price_usd,
    scenarios.scenario_total_market_cap_usd / tokens.total_market_cap_usd * (1 + scenarios.share_change) - 1 as scenario_return
from tokens
cross join scenarios
