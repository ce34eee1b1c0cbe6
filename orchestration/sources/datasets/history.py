"""History that only a bulk import brings: files of providers that are not asked live.

Belongs here: datasets without an adapter. Does not: datasets that an import and an adapter share (their own module).

Some of them are *hindsight*: what they say of a day was not known in that form when the day ended, whatever
`available_at` says. Their description begins with the word, and no feature of a backtested model may rest on them.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    MARKET_DATE,
    Column,
    Dataset,
    Rule,
    below_zero,
    count,
    flag,
    not_above_zero,
    number,
    outside,
    text,
)
from orchestration.sources.datasets.coingecko import VOLUME_24H
from orchestration.sources.datasets.exchanges import candles

IRREGULAR_DAYS = 90
"""Cadence of what happens when it happens: listings, events, changes of a taxonomy. A source silent for so long has ended."""

_MARKET_CAP_SNAPSHOTS = Dataset(
    source="coinmarketcap",
    name="market_cap_snapshots",
    fields={
        "rank": Column(pl.Int64, "position", "1 = largest market cap"),
        "name": Column(pl.String, "", "full name"),
        "symbol": Column(pl.String, "", "ticker as delivered"),
        "market_date": MARKET_DATE,
        "price_usd": Column(
            pl.Float64, "USD per token", "close; null where rounding to 8 decimals left 0", nullable=True
        ),
        "market_cap_usd": Column(pl.Float64, "USD", "market capitalisation at the close"),
        "volume_24h_usd": VOLUME_24H,
        "circulating_supply_tokens": Column(pl.Float64, "tokens", "in circulation", nullable=True),
    },
    key=("name", "symbol", "market_date"),
    description="One row per token and snapshot day: the top 200 as they stood, dead ones included.",
    cadence_days=31,
    rules=(
        not_above_zero(("market_cap_usd",)),
        below_zero(("price_usd", "volume_24h_usd", "circulating_supply_tokens")),
        Rule("rank is below 1", "rank < 1"),
    ),
)

FEED = text("which collection of files; never add up or average over feeds")
COIN_ID = text("CoinGecko id of the token, where known", nullable=True)
SERIES_VALUE = number("unit of the series", "as published last; a holiday has no row", nullable=False)

_SUPPLY_MONTHLY = Dataset(
    source="coinmarketcap",
    name="supply_monthly",
    fields={
        "name": text("full name"),
        "symbol": text("ticker as delivered"),
        "market_date": MARKET_DATE,
        "circulating_supply_tokens": number("tokens", "in circulation at the close", nullable=False),
    },
    key=("name", "symbol", "market_date"),
    description=(
        "One row per token and first of a month, the top 200 as they stood. The same supplies as in market_cap_snapshots, "
        "never to be added to them."
    ),
    rules=(not_above_zero(("circulating_supply_tokens",)),),
    cadence_days=31,
)

_PRICES_HOURLY = Dataset(
    source="binance",
    name="prices_hourly",
    fields={
        "market_id": text("spot market as ccxt names it, BTC/USDT"),
        "symbol": text("ticker of the token, upper case, without its multiplier"),
        "market_date": Column(pl.Date, "UTC day", "day in which the hour lies"),
        "hour": count(
            "hour of the day, 0-23", "the hour that begins then; the close of hour 23 is the day's", nullable=False
        ),
        "close_quote": number("quote per unit traded", "last price of the hour", nullable=False),
        "multiplier": number(
            "tokens per unit traded", "1000 for 1000SATS, and before a market was redenominated", nullable=False
        ),
    },
    key=("market_id", "market_date", "hour"),
    description=(
        "One row per market and hour with a trade. A token's price is close_quote / multiplier. A row counts as known when its "
        "day has ended. Only markets that were still listed when the file was made, so survivors."
    ),
    rules=(
        not_above_zero(("close_quote", "multiplier")),
        Rule("hour is outside 0-23", "hour < 0 OR hour > 23"),
    ),
)

_PERPETUALS = Dataset(
    source="binance",
    name="perpetuals",
    fields={
        "market_id": text("perpetual as ccxt names it, BTC/USDT:USDT"),
        "symbol": text("ticker of the token, upper case, without its multiplier"),
        "market_date": Column(pl.Date, "UTC day", "day on which the perpetual was listed"),
        "multiplier": number("tokens per unit traded", "1000 for 1000SHIB", nullable=False),
    },
    key=("market_id",),
    description="One row per perpetual, dated by its listing. Only those that were still listed in 2026, so survivors.",
    rules=(not_above_zero(("multiplier",)),),
    cadence_days=IRREGULAR_DAYS,
)

_CATEGORIES = Dataset(
    source="coingecko",
    name="categories",
    fields={
        "category_id": text("id in addresses"),
        "category_name": text("display name"),
    },
    key=("category_id",),
    description="One row per category, of no date: the names that asset_categories uses, and their ids.",
)

_STABLECOINS = Dataset(
    source="defillama",
    name="stablecoins",
    fields={
        "stablecoin_id": text("DefiLlama's id"),
        "name": text("full name"),
        "symbol": text("ticker; never a join key"),
        "coin_id": COIN_ID,
        "peg": text("what it is pegged to, e.g. peggedUSD"),
        "mechanism": text("fiat-backed, crypto-backed or algorithmic"),
        "is_delisted": flag("no longer followed"),
    },
    key=("stablecoin_id",),
    description="Hindsight. One row per stablecoin that DefiLlama follows, of no date.",
)

_DEFI_PULSE = Dataset(
    source="defipulse",
    name="tvl_daily",
    fields={
        "metric": text("total_defi_tvl_usd, category_tvl_usd or protocol_tvl_usd"),
        "entity": text("ALL, a category or a protocol"),
        "market_date": MARKET_DATE,
        "tvl_usd": number("USD", "locked, as DeFi Pulse counted it", nullable=False),
        "feed": FEED,
    },
    key=("feed", "metric", "entity", "market_date"),
    description="One row per feed, entity and day, until DeFi Pulse ended in 2021. Its counts differ from DefiLlama's.",
    rules=(not_above_zero(("tvl_usd",)),),
)

_REVISED_SERIES = Dataset(
    source="fred",
    name="series_revised",
    fields={
        "series_id": text("FRED id, e.g. M2SL"),
        "market_date": Column(pl.Date, "UTC day", "last day of the period the value describes"),
        "value": SERIES_VALUE,
        "feed": FEED,
    },
    key=("feed", "series_id", "market_date"),
    description=(
        "Hindsight. One row per feed, series and period of the series that are revised after their release: prices, money, "
        "labour, stress. The values are of the latest vintage, not those that were published then."
    ),
    cadence_days=31,
)

_LBMA_PRICES = Dataset(
    source="lbma",
    name="prices_daily",
    fields={
        "metal": text("gold (afternoon auction) or silver (noon auction)"),
        "market_date": Column(pl.Date, "UTC day", "day of the auction"),
        "price_usd": number("USD per troy ounce", "benchmark price of the auction", nullable=False),
        "feed": FEED,
    },
    key=("feed", "metal", "market_date"),
    description="One row per feed, metal and London business day.",
    rules=(not_above_zero(("price_usd",)),),
    cadence_days=3,
)

_TONE_WEEKLY = Dataset(
    source="gdelt",
    name="tone_weekly",
    fields={
        "market_date": Column(pl.Date, "UTC day", "last day of the week, a Sunday"),
        "tone": number("points, about -10 to 10", "mean tone of the week's articles", nullable=False),
        "articles": count("articles", "in the sample of the week", nullable=False),
        "mentions": count("mentions", "of the subject in those articles"),
        "regulatory_articles": count("articles", "about regulation"),
        "infrastructure_articles": count("articles", "about networks, exchanges and hacks"),
    },
    key=("market_date",),
    description="One row per week, for the whole market: tone of news about crypto, of a sample of 2 to 173 articles.",
    rules=(outside("tone", -100, 100), below_zero(("articles", "mentions"))),
    cadence_days=7,
)

_MARKET_EVENTS = Dataset(
    source="reference",
    name="market_events",
    fields={
        "event_id": count("number", "of the event in its list", nullable=False),
        "market_date": Column(pl.Date, "UTC day", "day of the event, as the list says"),
        "label": text("short name"),
        "title": text("what happened"),
        "event_type": text("infrastructure or regulatory"),
    },
    key=("event_id",),
    description="Hindsight. One row per event that somebody later found important: for charts and event studies.",
    cadence_days=IRREGULAR_DAYS,
)

_TWITTER = Dataset(
    source="twitter",
    name="activity_daily",
    fields={
        "coin_id": text("CoinGecko id of the token"),
        "symbol": text("ticker, upper case"),
        "market_date": Column(
            pl.Date, "day", "day in India (UTC+5:30), over at 18:30 UTC of the UTC day of the same date"
        ),
        "tweets": count("tweets", "about the token in the sample", nullable=False),
        "authors": count("users", "distinct, who wrote them", nullable=False),
    },
    key=("coin_id", "market_date"),
    description=(
        "One row per token and day of twelve tokens, 2017 to 2021: a sample of tweets, not all. A day without a row was not "
        "collected."
    ),
    rules=(
        not_above_zero(("tweets", "authors")),
        Rule("authors are more than tweets", "authors > tweets"),
    ),
)

_SOCIAL_DAILY = Dataset(
    source="aspie",
    name="social_daily",
    fields={
        "protocol": text("name of the project"),
        "coin_id": COIN_ID,
        "metric": text(
            "github_commits_week, github_stars_new, reddit_posts_day, reddit_subscribers, twitter_followers, "
            "stackoverflow_questions_day"
        ),
        "market_date": Column(pl.Date, "UTC day", "day of the count; of weeks the last one, a Saturday"),
        "value": number("number", "count of the metric", nullable=False),
    },
    key=("protocol", "metric", "market_date"),
    description="One row per project, metric and day, 2010 to 2018, of 18 projects.",
    rules=(below_zero(("value",)),),
)

_EC_NOTE = (
    "Dates are those of the collection's migrations, mostly month ends, given in retrospect for the years before the "
    "collection existed."
)
_ACTION = text("add or remove")
_EC_DATE = Column(pl.Date, "UTC day", "day of the migration that says so")

_ECOSYSTEMS = Dataset(
    source="electric_capital",
    name="ecosystems",
    fields={"ecosystem": text("name"), "market_date": _EC_DATE, "action": _ACTION},
    key=("ecosystem", "market_date"),
    description=f"Hindsight. One row per ecosystem and day on which it entered or left the taxonomy. {_EC_NOTE}",
    rules=(Rule("action is neither add nor remove", "action NOT IN ('add', 'remove')"),),
    cadence_days=IRREGULAR_DAYS,
)

_ECOSYSTEM_LINKS = Dataset(
    source="electric_capital",
    name="ecosystem_links",
    fields={
        "parent": text("ecosystem"),
        "child": text("ecosystem within it"),
        "market_date": _EC_DATE,
        "action": _ACTION,
    },
    key=("parent", "child", "market_date"),
    description=f"Hindsight. One row per pair of ecosystems and day on which the link was made or cut. {_EC_NOTE}",
    rules=(Rule("action is neither add nor remove", "action NOT IN ('add', 'remove')"),),
    cadence_days=IRREGULAR_DAYS,
)

_ECOSYSTEM_REPOSITORIES = Dataset(
    source="electric_capital",
    name="repositories",
    fields={
        "coin_id": text("CoinGecko id of the token whose name the ecosystem bears"),
        "ecosystem": text("name"),
        "repository_url": text("address of the repository"),
        "market_date": _EC_DATE,
        "tag": text("what it is, e.g. #sdk; mostly not said", nullable=True),
    },
    key=("coin_id", "repository_url", "market_date"),
    description=(
        "Hindsight. One row per token, repository and day on which it entered the ecosystem: at most 300 repositories a token, and "
        f"matched by name. {_EC_NOTE}"
    ),
    cadence_days=IRREGULAR_DAYS,
)

_ECOSYSTEM_REPOSITORY_COUNTS = Dataset(
    source="electric_capital",
    name="repository_counts_monthly",
    fields={
        "ecosystem": text("name"),
        "market_date": Column(pl.Date, "UTC day", "last day of the month"),
        "repositories_added": count(
            "repositories", "that entered in the month; no measure of activity", nullable=False
        ),
    },
    key=("ecosystem", "market_date"),
    description=f"Hindsight. One row per ecosystem and month in which repositories entered it. {_EC_NOTE}",
    rules=(below_zero(("repositories_added",)),),
    cadence_days=31,
)

_INDEX_LEVELS = Dataset(
    source="published_indices",
    name="levels",
    fields={
        "index_id": text("CCI30, CRIX, BGCI, BITWISE10, HODL5, F5 or NCI"),
        "market_date": Column(pl.Date, "day", "day of the level; when it was taken differs between indices"),
        "level": number("points", "of the index, its close", nullable=False),
        "open": number("points", "first level of the day"),
        "high": number("points", "highest level of the day"),
        "low": number("points", "lowest level of the day"),
        "volume_usd": number("USD per day", "traded in the constituents; unknown is null, never 0"),
        "feed": FEED,
    },
    key=("index_id", "market_date"),
    description="One row per index and day: what others published, to hold our index engine against.",
    rules=(
        not_above_zero(("level", "open", "high", "low")),
        Rule("level is outside [low, high]", "level > high * 1.000000001 OR level < low * 0.999999999"),
        below_zero(("volume_usd",)),
    ),
)

_INDEX_CONSTITUENTS = Dataset(
    source="published_indices",
    name="constituents",
    fields={
        "index_id": text("CCI30, DPI or MVI"),
        "market_date": Column(
            pl.Date, "UTC day", "day of the list; where only its month is known, that month's last day"
        ),
        "symbol": text("ticker as delivered"),
        "name": text("name as delivered", nullable=True),
        "as_of_label": text("how the file names the rebalance"),
        "weight": number("fraction of the index", "rounded to 1 %"),
        "units_before": number("tokens per index token", "before the rebalance"),
        "units_after": number("tokens per index token", "after the rebalance"),
        "trade_tokens": number("tokens", "bought by the rebalance; sold is negative"),
        "trade_usd": number("USD", "value of that trade"),
        "feed": FEED,
    },
    key=("index_id", "market_date", "symbol"),
    description="One row per index, rebalance and constituent: what others published, to hold our index engine against.",
    rules=(
        Rule("weight is outside 0-1", "weight < 0 OR weight > 1"),
        below_zero(("units_before", "units_after")),
    ),
)

DATASETS: Final = (
    candles("coinmarketcap", "Averages over exchanges in USD; volume_quote is the rolling 24 h volume in USD."),
    candles(
        "yahoo",
        "Averages over exchanges in USD, in single precision; a ticker may be several coins, one after the other or at once.",
    ),
    _MARKET_CAP_SNAPSHOTS,
    _SUPPLY_MONTHLY,
    _PRICES_HOURLY,
    _PERPETUALS,
    _CATEGORIES,
    _STABLECOINS,
    _DEFI_PULSE,
    _REVISED_SERIES,
    _LBMA_PRICES,
    _TONE_WEEKLY,
    _MARKET_EVENTS,
    _TWITTER,
    _SOCIAL_DAILY,
    _ECOSYSTEMS,
    _ECOSYSTEM_LINKS,
    _ECOSYSTEM_REPOSITORIES,
    _ECOSYSTEM_REPOSITORY_COUNTS,
    _INDEX_LEVELS,
    _INDEX_CONSTITUENTS,
)
