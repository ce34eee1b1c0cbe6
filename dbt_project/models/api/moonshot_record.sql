select
    origin,
    weeks,
    picks_known,
    picks_open,
    hit_rate,
    controls_hit_rate,
    universe_hit_rate,
    lift,
    hits_over_controls,
    hits_over_controls_low,
    hits_over_controls_high,
    random_percentile,
    halved_rate,
    median_return_90d,
    verdict
from {{ source('screens', 'moonshot_record') }}
