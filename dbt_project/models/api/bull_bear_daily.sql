select
    market_date as date,
    tokens,
    bullish_share,
    bearish_share,
    bullish_cap_share,
    bearish_cap_share,
    bullish_share - bearish_share as net_share,
    bullish_share_highest_since_date,
    bullish_share_lowest_since_date,
    bullish_cap_share_highest_since_date,
    bullish_cap_share_lowest_since_date,
    bearish_share_highest_since_date,
    bearish_share_lowest_since_date
from {{ source('market', 'bull_bear') }}
