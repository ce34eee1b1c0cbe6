select
    index_id,
    name,
    kind,
    methodology,
    first_date,
    last_date
from {{ source('indices', 'definitions') }}
