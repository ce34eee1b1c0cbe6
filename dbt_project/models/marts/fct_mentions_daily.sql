-- Headlines of a day that name a token which had a price on that day.
select
    mentions.token_id,
    mentions.market_date,
    count(*)::integer as mentions,
    max(mentions.available_at) as available_at
from {{ ref('int_text_mentions') }} as mentions
inner join {{ ref('fct_daily') }} as daily
    on mentions.token_id = daily.token_id and mentions.market_date = daily.market_date
where mentions.kind = 'news'
group by mentions.token_id, mentions.market_date
order by mentions.token_id, mentions.market_date
