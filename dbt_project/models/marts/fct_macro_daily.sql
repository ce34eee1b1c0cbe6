-- The economy as it was known at each close: the newest released value of each series, carried a few days beyond its cadence.
select
    market_date,
    max(value) filter (where series = 'DFF') / 100 as policy_rate,
    max(value) filter (where series = 'DGS10') / 100 as yield_10y,
    max(value) filter (where series = 'T10Y2Y') / 100 as yield_curve,
    max(value) filter (where series = 'DTWEXBGS') as dollar_index,
    -- FRED gives M2 in billions.
    max(value) filter (where series = 'M2SL') * 1e9 as m2_usd,
    max(period_date) filter (where series = 'M2SL') as m2_month_date,
    max(value) filter (where series = 'VIXCLS') as vix,
    (market_date + 1)::timestamp at time zone 'UTC' as available_at
from {{ ref('int_market_series_carried') }}
where series in ('DFF', 'DGS10', 'T10Y2Y', 'DTWEXBGS', 'M2SL', 'VIXCLS')
group by market_date
order by market_date
