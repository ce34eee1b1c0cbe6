select
    source,
    dataset,
    market_date as date,
    expected,
    received,
    quarantined
from {{ source('quality', 'source_coverage') }}
