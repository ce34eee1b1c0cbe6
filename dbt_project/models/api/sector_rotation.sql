select
    sectors.market_date as date,
    sectors.sector,
    sectors.tokens,
    rotation.phase,
    rotation.relative_strength,
    rotation.relative_momentum_7d,
    rotation.turn,
    rotation.turn_extreme_date,
    rotation.turn_known_date,
    sectors.return_7d,
    sectors.return_30d,
    sectors.return_90d,
    sectors.return_less_btc_7d,
    sectors.return_less_btc_30d,
    sectors.return_less_btc_90d,
    sectors.rank_30d,
    sectors.rank_gain_7d,
    sectors.market_cap_usd,
    sectors.market_cap_share,
    breadth.market_cap_flow_30d_usd,
    sectors.volume_24h_usd,
    sectors.volume_share,
    sectors.volume_share_change_7d,
    breadth.median_volume_surge_7d_30d,
    sectors.breadth_50d,
    breadth.positive_share_30d,
    breadth.beats_btc_share_30d,
    breadth.leader_token_id,
    breadth.leader_return_30d,
    breadth.leaders,
    sectors.is_hindsight
from {{ ref('fct_sectors_daily') }} as sectors
left join {{ ref('fct_sector_rotation_daily') }} as rotation
    on sectors.sector = rotation.sector and sectors.market_date = rotation.market_date
left join {{ ref('fct_sector_breadth_daily') }} as breadth
    on sectors.sector = breadth.sector and sectors.market_date = breadth.market_date
