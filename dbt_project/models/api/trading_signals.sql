with signals as (
    select
        as_of_week,
        as_of_week - 1 as market_date,
        token_id,
        symbol,
        signal,
        p_bullish,
        p_neutral,
        p_bearish,
        version,
        origin,
        signal_since_date
    from {{ source('versioned', 'trading_signals_current') }}
),

closes as (
    select
        token_id,
        market_date,
        price_usd
    from {{ ref('fct_daily') }}
)

select
    signals.as_of_week,
    signals.token_id,
    signals.symbol,
    signals.signal,
    signals.p_bullish,
    signals.p_neutral,
    signals.p_bearish,
    signals.version,
    signals.origin,
    signals.signal_since_date,
    flips.price_usd as flip_price_usd,
    today.price_usd / flips.price_usd - 1 as return_since_flip
from signals
left join closes as flips on signals.token_id = flips.token_id and signals.signal_since_date = flips.market_date
left join closes as today on signals.token_id = today.token_id and signals.market_date = today.market_date
