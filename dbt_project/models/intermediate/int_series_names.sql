{{ config(materialized="incremental", meta={"day_column": "named_date"}) }}
-- Names and tickers of the series of int_price_series, each from the first day the series bears it: an id may be given to another coin, and
-- a name comes late. Grain: series, ticker, name.
select
    series_id,
    series_rank,
    market_id,
    symbol,
    name,
    min(market_date) as named_date
from {{ ref('int_price_series') }} as series
where
    {{ in_rebuilt_days() }}
    {%- if is_incremental() %}
        and not exists (
            select 1
            from {{ this }} as known
            where
                known.named_date < {{ rebuilt_from() }}
                and known.series_id = series.series_id
                and known.symbol is not distinct from series.symbol
                and known.name is not distinct from series.name
        )
    {%- endif %}
group by series_id, series_rank, market_id, symbol, name
