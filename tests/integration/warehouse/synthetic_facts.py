"""Facts of the further sources as landed frames, on the synthetic market: what feeds the facts, the features and the market's columns.

The cases are what tempts a query to look ahead or to mix things up: a ticker that two coins share, lots of a thousand, a market whose
price fits nobody, schedules that change and releases that are withdrawn, feeds that count weeks differently, readings weeks apart.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from orchestration.sources.datasets import DATASETS, Dataset
from tests.integration.warehouse.synthetic_market import ASSETS, CATEGORIES, CHARTS, CUT, END, START, Frames, around

DAILY = [START + timedelta(days=day) for day in range((END - START).days)]
RECENT = around(-120, 27)
SCHEDULE = "a-schedule"
READ_ON = {"early": CUT - timedelta(days=50), "changed": CUT - timedelta(days=9), "late": CUT + timedelta(days=6)}


def fact_frames(market: Frames) -> dict[str, tuple[Dataset, pl.DataFrame]]:
    """Rows by the dataset's label; of undated datasets by label and the day they were read on, `label@day`."""
    charts = market[CHARTS.label][1]
    coins = _coins(market)
    random = np.random.default_rng(5)
    prices = charts.filter(pl.col("price_usd") > 0).select("coin_id", "market_date", "price_usd")
    frames = {
        **_spot(coins, prices, random),
        **_perpetuals(coins, random),
        **_coingecko(coins, random),
        **_defillama(coins, random),
        **_unlocks(coins),
        **_developers(coins, random),
        **_holders(coins, random),
        **_macro(random),
        **_news(coins, random),
        **_identity(market, coins),
    }
    return {label: (DATASETS[tuple(label.split("@")[0].split("/"))], frame) for label, frame in frames.items()}


def _identity(market, coins):
    """A rename and a change of sector before the cut, another of each after it; addresses; what gold costs in London."""
    renamed = {"coin_id": [coins[7][0]], "symbol": [coins[7][1]], "name": ["Renamed"]}
    renamed_later = {"coin_id": ["late-crash"], "symbol": ["CRX"], "name": ["Crash Again"]}
    categories = market[CATEGORIES.label][1].select("coin_id", "category_name")
    others = categories.filter(pl.col("coin_id") != coins[4][0])
    moved = pl.DataFrame({"coin_id": [coins[4][0], "late-crash"], "category_name": ["Meme", "Meme"]})
    changed = pl.concat([others, moved])
    to_ai = pl.DataFrame({"coin_id": ["late-peg"], "category_name": ["Artificial Intelligence (AI)"]})
    changed_again = pl.concat([changed.filter(pl.col("coin_id") != "late-peg"), to_ai])
    return {
        f"coingecko/assets@{READ_ON['early']}": pl.DataFrame(renamed),
        f"coingecko/assets@{READ_ON['late']}": pl.DataFrame(renamed_later),
        f"coingecko/asset_categories@{READ_ON['early']}": changed,
        f"coingecko/asset_categories@{READ_ON['late']}": changed_again,
        "coingecko/contracts": pl.DataFrame(
            {"coin_id": [coins[2][0], "rival-new"], "platform": "ethereum", "contract_address": ["0x1", "0x2"]}
        ),
        "lbma/prices_daily": pl.DataFrame(
            {
                "metal": "gold",
                "market_date": [day for day in around(-45, 27) if day.weekday() < 5],
                "price_usd": 2350.0,
                "feed": "auction",
            }
        ),
    }


def _coins(market: Frames) -> list[tuple[str, str, str]]:
    """Id, ticker and name of some coins: bitcoin and ether, then others of the market."""
    rows = market[ASSETS.label][1].select("coin_id", "symbol", "name").rows()
    first = [row for row in rows if row[0] in ("bitcoin", "ethereum")]
    return first + [row for row in rows if row[0] not in ("bitcoin", "ethereum")][:6]


def _spot(coins, prices, random):
    tickers, books = {"binance": [], "okx": []}, []
    for coin_id, symbol, _ in coins:
        chart = prices.filter((pl.col("coin_id") == coin_id) & pl.col("market_date").is_in(around(-40, 27)))
        noise = 1 + random.normal(0, 0.01, chart.height)
        for venue, lot in (("binance", 1), ("okx", 1000 if coin_id == coins[3][0] else 1)):
            name = symbol if lot == 1 else f"{lot}{symbol}"
            last = chart["price_usd"] * noise * lot
            tickers[venue].append(_quotes(name, chart["market_date"], last, random))
        books.append(_books(symbol, chart["market_date"], chart["price_usd"] * noise, random))
    # A market of ether's ticker at a price that is nobody's.
    days = pl.Series(around(-40, 27))
    tickers["okx"].append(_quotes("ETH", days, pl.Series([0.003] * len(days)), random, quote="USDC"))
    tickers["binance"].append(_quotes("RIV", days, pl.Series([2.01] * len(days)), random))
    return {
        **{f"{venue}/tickers": pl.concat(parts) for venue, parts in tickers.items()},
        "binance/order_books": pl.concat(books),
    }


def _quotes(symbol, days, last, random, *, quote="USDT"):
    half = random.uniform(1e-4, 2e-3, len(days))
    return pl.DataFrame(
        {
            "market_id": [f"{symbol}/{quote}"] * len(days),
            "symbol": [symbol] * len(days),
            "quote": [quote] * len(days),
            "market_date": days,
            "observed_at": [datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=25) for day in days],
            "last_quote": last,
            "bid_quote": last * (1 - half),
            "ask_quote": last * (1 + half),
            "volume_quote": random.lognormal(14, 1, len(days)),
        }
    )


def _books(symbol, days, mid, random):
    return pl.DataFrame(
        {
            "market_id": [f"{symbol}/USDT"] * len(days),
            "symbol": [symbol] * len(days),
            "quote": ["USDT"] * len(days),
            "market_date": days,
            "observed_at": [datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=25) for day in days],
            "mid_quote": mid,
            "spread": random.uniform(1e-4, 1e-3, len(days)),
            "bid_depth_2pct_quote": random.lognormal(12, 1, len(days)),
            "ask_depth_2pct_quote": random.lognormal(12, 1, len(days)),
            "is_depth_complete": [True] * len(days),
        }
    )


def _perpetuals(coins, random):
    funding, interest = {"binance": [], "gate": []}, {"binance": [], "gate": []}
    for coin_id, symbol, _ in [*coins[:5], ("rival-old", "RIV", "")]:
        for venue in funding:
            name = f"1000{symbol}" if coin_id == coins[3][0] else symbol
            days = [day for day in RECENT if venue == "binance" or day.weekday() != 2]
            key = {"market_id": f"{name}/USDT:USDT", "symbol": name, "market_date": days}
            rates = {"funding_rate": random.normal(1e-4, 1e-4, len(days)), "interval_hours": [8.0] * len(days)}
            funding[venue].append(pl.DataFrame({**key, **rates}))
            interest[venue].append(pl.DataFrame({**key, "open_interest_usd": random.lognormal(16, 0.2, len(days))}))
    return {
        **{f"{venue}/funding_rates": pl.concat(parts) for venue, parts in funding.items()},
        **{f"{venue}/open_interest": pl.concat(parts) for venue, parts in interest.items()},
    }


def _coingecko(coins, random):
    activity = [
        {
            "coin_id": coin_id,
            "market_date": day,
            "watchlist_users": int(1000 * (number + 1) * random.lognormal(0, 0.1)),
            "sentiment_up_share": float(random.uniform(0.4, 0.9)),
            "reddit_subscribers": int(500 * random.lognormal(0, 0.1)) if number == 1 else None,
            "commits_4w": int(random.integers(0, 90)),
        }
        for number, (coin_id, _, _) in enumerate(coins)
        for day in RECENT[number::28]
    ]
    categories = [
        {
            "category_id": f"c{n}",
            "category_name": f"C{n}",
            "market_date": day,
            "market_cap_usd": 1e9 * random.lognormal(),
        }
        for day in RECENT
        for n in range(6)
    ]
    glob = {"market_cap_usd": 2e12, "volume_24h_usd": 9e10}
    market = [{"market_date": day, **glob, "btc_dominance": float(random.uniform(0.4, 0.6))} for day in RECENT]
    return {
        "coingecko/coin_activity": pl.DataFrame(activity, infer_schema_length=None),
        "coingecko/category_daily": pl.DataFrame(categories, infer_schema_length=None),
        "coingecko/global_daily": pl.DataFrame(market, infer_schema_length=None),
    }


def _defillama(coins, random):
    metrics = [
        {"protocol_id": f"p{n}", "coin_id": coins[n % 4][0], "metric": metric, "market_date": day, "value": value}
        for n in range(5)
        for metric, level in (("tvl_usd", 1e8), ("fees_usd", 1e5), ("revenue_usd", 4e4), ("dex_volume_usd", 1e6))
        for day in RECENT
        if (day.toordinal() + n) % 9
        for value in [level * random.lognormal(0, 0.05)]
    ]
    chains = [
        {"chain": chain, "coin_id": coin, "market_date": day, "tvl_usd": 1e10 * random.lognormal(0, 0.05)}
        for chain, coin in (("ALL", None), ("Ethereum", "ethereum"))
        for day in RECENT
    ]
    stable = [
        {"stablecoin_id": "ALL", "market_date": day, "circulating_usd": 1e11 * random.lognormal(0, 0.01)}
        for day in RECENT
    ]
    pools = [
        {
            "pool_id": f"y{n}",
            "project": "p",
            "chain": "Ethereum",
            "symbol": "USDC",
            "market_date": day,
            "tvl_usd": 2e6 * (n + 1),
            "apy_base": float(random.uniform(0.01, 0.08)),
            "is_stablecoin": n < 3,
        }
        for n in range(4)
        for day in RECENT
    ]
    return {
        "defillama/protocol_metrics": pl.DataFrame(metrics, infer_schema_length=None),
        "defillama/chain_tvl": pl.DataFrame(chains, infer_schema_length=None),
        "defillama/stablecoin_supply": pl.DataFrame(stable, infer_schema_length=None),
        "defillama/yields": pl.DataFrame(pools, infer_schema_length=None),
    }


def release(
    coin_id: str, section: str, starts: date, amount: float, *, ends: date | None = None, is_withdrawn: bool = False
):
    """One release of a schedule, a cliff unless it ends."""
    at = [datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None for day in (starts, ends)]
    return {
        "protocol": SCHEDULE,
        "section": section,
        "starts_at": at[0],
        "unlock_type": "linear" if ends else "cliff",
        "position": 1,
        "coin_id": coin_id,
        "ends_at": at[1],
        "amount_tokens": amount,
        "is_withdrawn": is_withdrawn,
    }


def _unlocks(coins):
    coin = coins[2][0]
    cliff, start, end = CUT + timedelta(days=3), CUT - timedelta(days=300), CUT + timedelta(days=300)
    readings = {
        "early": [release(coin, "team", cliff, 1e6), release(coin, "farm", start, 6e7, ends=end)],
        # The cliff doubles, a new one appears; both before the cut.
        "changed": [release(coin, "team", cliff, 2e6), release(coin, "fund", CUT + timedelta(days=12), 5e5)],
        # After it the new one is withdrawn, and one is told that lies before.
        "late": [
            release(coin, "fund", CUT + timedelta(days=12), 5e5, is_withdrawn=True),
            release(coin, "old", CUT - timedelta(days=20), 9e9),
        ],
    }
    schema = {"starts_at": pl.Datetime("us", "UTC"), "ends_at": pl.Datetime("us", "UTC"), "amount_tokens": pl.Float64}
    undated = [release(coins[3][0], "hindsight", cliff, 7e7)]
    return {
        **{
            f"defillama/unlock_events@{READ_ON[name]}": pl.DataFrame(
                rows, schema_overrides=schema, infer_schema_length=None
            )
            for name, rows in readings.items()
        },
        "defillama/unlock_events": pl.DataFrame(undated, schema_overrides=schema),
    }


def _developers(coins, random):
    commits = [
        {
            "repository": f"{coin_id}/{name}",
            "coin_id": coin_id,
            "market_date": day,
            "commits": int(random.integers(0, 60)),
            "authors": int(random.integers(0, 9)),
            "feed": feed,
        }
        for coin_id, _, _ in coins[:4]
        for name, feed, weekday in (
            ("core", "git_history", 6),
            ("core", "github", 5),
            ("fork", "git_history_with_upstream", 6),
        )
        for day in DAILY
        if day.weekday() == weekday and (feed != "github" or day > CUT - timedelta(days=30))
    ]
    stars = [
        {
            "repository": f"{coin_id}/core",
            "coin_id": coin_id,
            "market_date": day,
            "stars": int(5000 * random.lognormal(0, 0.02)),
            "is_gone": False,
        }
        for coin_id, _, _ in coins[:4]
        for day in RECENT[::7]
    ]
    return {
        "github/commits_weekly": pl.DataFrame(commits, infer_schema_length=None),
        "github/repositories": pl.DataFrame(stars),
    }


def _holders(coins, random):
    rows = [
        {
            "network": network,
            "token_address": f"0x{number}",
            "market_date": day,
            "coin_id": coin_id,
            "holders": int(scale * random.lognormal(0, 0.1)),
            "top_10_share": float(random.uniform(0.2, 0.8)),
        }
        for number, (coin_id, _, _) in enumerate(coins[2:6])
        for network, scale, first in (("eth", 1e5, number), ("bsc", 1e3, number + 9))
        for day in RECENT[first::28]
    ]
    return {"geckoterminal/token_holders": pl.DataFrame(rows, infer_schema_length=None)}


def _macro(random):
    working = [day for day in DAILY if day.weekday() < 5]
    levels = {"DFF": 5.0, "DGS10": 4.2, "T10Y2Y": -0.4, "VIXCLS": 15.0, "DTWEXBGS": 120.0}

    def series(name, days):
        return [
            {"series_id": name, "market_date": day, "value": levels[name] * random.lognormal(0, 0.01), "feed": "fred"}
            for day in days
        ]

    months = [
        date(year, month, 1) + timedelta(days=-1)
        for year in (2022, 2023, 2024)
        for month in range(1, 13)
        if year > 2022 or month > 1
    ]
    money = [
        {"series_id": "M2SL", "market_date": day, "value": 21000 * random.lognormal(0, 0.01), "feed": "fred"}
        for day in months
        if day < END
    ]
    return {
        "fred/series_daily": pl.DataFrame(
            [row for name in ("DFF", "DGS10", "T10Y2Y", "VIXCLS") for row in series(name, working)]
        ),
        "fred/series_weekly": pl.DataFrame(series("DTWEXBGS", working)),
        "fred/series_monthly": pl.DataFrame(money, infer_schema_length=None),
    }


def _news(coins, random):
    said = (
        "{name} price surges after ETF approval",
        "Hackers drain $80M from lending pool as {name} falls",
        "SEC sues exchange, regulation looms for {name}",
        "Nothing happened today at all",
    )
    headlines = []
    for day in RECENT:
        for feed in ("coindesk", "decrypt"):
            for number, text in enumerate(said):
                name = coins[int(random.integers(0, len(coins)))][2]
                at = datetime(day.year, day.month, day.day, 6 + number, tzinfo=UTC)
                one = {"feed": feed, "article_id": f"{day}-{number}", "market_date": day, "published_at": at}
                headlines.append({**one, "title": text.format(name=name), "url": None})
    tones = [
        {"query": "bitcoin", "market_date": day, "tone": float(random.normal(0, 1)), "articles": 100}
        for day in RECENT[::2]
    ]
    reddit = [
        {
            "subreddit": coin_id,
            "coin_id": coin_id,
            "market_date": day,
            "subscribers": int(9000 * random.lognormal(0, 0.1)),
        }
        for coin_id, _, _ in coins[:2]
        for day in RECENT
    ]
    posts = [
        {
            "subreddit": coin_id,
            "coin_id": coin_id,
            "post_id": f"{day}-{number}",
            "market_date": day,
            "posted_at": datetime(day.year, day.month, day.day, 7 + number, tzinfo=UTC),
            "title": text,
        }
        for coin_id, _, _ in coins[:2]
        for day in RECENT
        for number, text in enumerate((f"Bullish about {coin_id} on {day}", f"{coin_id} dumps on {day} and I got rekt"))
    ]
    return {
        "reddit/posts": pl.DataFrame(posts),
        "rss/headlines": pl.DataFrame(headlines, schema_overrides={"url": pl.String}),
        "gdelt/tone_daily": pl.DataFrame(tones, infer_schema_length=None),
        "reddit/subreddits": pl.DataFrame(reddit, infer_schema_length=None),
    }
