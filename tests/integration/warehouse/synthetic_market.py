"""A small market as landed frames: the simulated one as its providers give it, and cases placed around one Monday.

The cases are what tempts a query to look ahead: series that are recognised, listed, named, pegged or doubled only after
the cut, bad ticks and gaps across it, a rival that takes a ticker later.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import DefectRates, SimulationSettings
from orchestration.sources.datasets import DATASETS, Dataset

START = date(2023, 1, 2)
CUT = date(2024, 5, 27)
"""A Monday with more days before it than the longest look-back, and the first rows of several cases just before it."""
END = date(2024, 6, 24)
CHARTS = DATASETS["coingecko", "market_daily"]
ASSETS = DATASETS["coingecko", "assets"]
CATEGORIES = DATASETS["coingecko", "asset_categories"]
BINANCE = DATASETS["binance", "candles_daily"]
COINBASE = DATASETS["coinbase", "candles_daily"]
COINMARKETCAP = DATASETS["coinmarketcap", "candles_daily"]
METRICS = DATASETS["coinmetrics", "asset_metrics"]
MOOD = DATASETS["alternative_me", "fear_greed"]

Frames = Mapping[str, tuple[Dataset, pl.DataFrame]]


def market_frames(tokens: int = 36) -> dict[str, tuple[Dataset, pl.DataFrame]]:
    """Rows of every dataset from `START` to the day before `END`, by the dataset's label."""
    defects = DefectRates(gaps=150, bad_ticks=150, zero_caps=60, candle_gaps=100, candle_bad_ticks=100)
    market = simulate_market(SimulationSettings(tokens=tokens, start=START, end=END, birth_share=0.4, defects=defects))
    served = ServedMarket(market, SandboxClock(datetime(END.year, END.month, END.day, 1, tzinfo=UTC)))
    charts = pl.concat([served_chart(served, index) for index in range(len(market.members))] + _placed_charts())
    frames = [
        (CHARTS, charts.filter(~((pl.col("coin_id") == "ethereum") & pl.col("market_date").is_in(around(-1, 1))))),
        (ASSETS, pl.concat([market.tokens.select("coin_id", "symbol", "name"), _placed_coins()])),
        (CATEGORIES, _categories(market)),
        (BINANCE, pl.concat([_candles(served, index) for index in range(len(market.members))] + _placed_candles())),
        (COINBASE, _other_names(market, COINBASE, days=around(-5, 28), tokens=slice(3, 9))),
        (COINMARKETCAP, _other_names(market, COINMARKETCAP, days=around(-60, 28), tokens=slice(0, 4))),
        (COINMARKETCAP, _other_names(market, COINMARKETCAP, days=around(-5, 28), tokens=slice(9, 13))),
        *((COINMARKETCAP, frame) for frame in _placed_slugs()),
        (METRICS, pl.concat([_metrics(market), _placed_metrics()])),
        (MOOD, market.fear_greed.filter(pl.col("is_served")).select("market_date", "value", "classification")),
    ]
    joined: dict[str, tuple[Dataset, pl.DataFrame]] = {}
    for dataset, frame in frames:
        rows = frame if dataset.label not in joined else pl.concat([joined[dataset.label][1], frame])
        joined[dataset.label] = (
            dataset,
            _before_end(dataset, rows).unique(dataset.key, keep="first", maintain_order=True),
        )
    return joined


def around(first: int, last: int) -> list[date]:
    """Days counted from the cut, both ends included."""
    return [CUT + timedelta(days=offset) for offset in range(first, last + 1)]


FREE_DAYS = around(-100, 28)
FREE_PRICES = np.linspace(1, 3, len(FREE_DAYS))
"""Of a coin that an exchange alone has, until somebody lands a chart of it."""


def scrambled_from(frames: Frames, instant: datetime, lags: Mapping[tuple[str, str], float]) -> Frames:
    """The frames with all that was not known at an instant permuted over its keys, and every number changed."""
    random = np.random.default_rng(11)
    scrambled = {}
    for label, (dataset, frame) in frames.items():
        if not dataset.is_dated:
            scrambled[label] = (dataset, frame)
            continue
        lag = timedelta(days=1, hours=lags[dataset.source, dataset.name])
        known = pl.col("market_date").cast(pl.Datetime("us", "UTC")) + lag <= instant
        later = frame.filter(~known)
        values = later.drop(dataset.key)[random.permutation(later.height)].with_columns(
            pl.col(pl.Float64) * pl.Series(np.exp(random.normal(0.0, 1.0, later.height)))
        )
        scrambled[label] = (
            dataset,
            pl.concat(
                [
                    frame.filter(known),
                    pl.concat([later.select(dataset.key), values], how="horizontal").select(frame.columns),
                ]
            ),
        )
    return scrambled


def _before_end(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("market_date") < END) if dataset.is_dated else frame


def served_chart(served: ServedMarket, index: int) -> pl.DataFrame:
    """Closed days of a token as CoinGecko's charts have them."""
    days, values = served.chart(index)
    token = served.market.members[index]
    return chart_frame(
        token.coin_id,
        token.symbol,
        [served.market.settings.start + timedelta(days=int(day)) for day in days],
        *(values[:, n] for n in range(3)),
    )


def chart_frame(
    coin_id: str, symbol: str, days: list[date], price: object, cap: object, volume: object
) -> pl.DataFrame:
    """Rows of a coin's chart."""
    return pl.DataFrame(
        {"market_date": days, "price_usd": price, "market_cap_usd": cap, "volume_24h_usd": volume},
        schema={
            "market_date": pl.Date,
            "price_usd": pl.Float64,
            "market_cap_usd": pl.Float64,
            "volume_24h_usd": pl.Float64,
        },
    ).select(pl.lit(coin_id).alias("coin_id"), pl.lit(symbol).alias("symbol"), pl.all())


def _placed_charts() -> list[pl.DataFrame]:
    """Two rivals for a ticker, the larger born after the cut; a token that becomes pegged, and one that crashes, after it; gold."""
    peg, late, crash = around(-30, 28), around(3, 28), around(-40, 28)
    return [
        chart_frame("rival-old", "RIV", around(-90, 28), [2.0] * 119, [3e7] * 119, [1e6] * 119),
        chart_frame("rival-new", "RIV", late, [9.0] * 26, [9e9] * 26, [1e8] * 26),
        chart_frame("late-peg", "LPG", peg, [1.2] * 6 + [1.0] * 53, [4e7] * 59, [1e6] * 59),
        chart_frame("pax-gold", "PAXG", crash, np.linspace(2300, 2400, 69), [4e8] * 69, [1e7] * 69),
        chart_frame("late-crash", "CRA", crash, [5.0] * 39 + [0.2] * 30, [4e7] * 69, [1e6] * 69),
    ]


def _placed_coins() -> pl.DataFrame:
    ids = {"rival-old": "RIV", "rival-new": "RIV", "late-peg": "LPG", "late-crash": "CRA", "pax-gold": "PAXG"}
    return pl.DataFrame({"coin_id": list(ids), "symbol": list(ids.values()), "name": list(ids)})


def _categories(market: SimulatedMarket) -> pl.DataFrame:
    placed = pl.DataFrame({"coin_id": ["late-peg"], "category_name": ["Decentralized Finance (DeFi)"]})
    simulated = market.tokens.select("coin_id", pl.col("categories").alias("category_name")).explode("category_name")
    return pl.concat([simulated.drop_nulls(), placed])


def _candles(served: ServedMarket, index: int) -> pl.DataFrame:
    token, listed = served.market.members[index], served.market.lifetimes.listed[index]
    if listed < 0:
        return candle_frame(f"{token.symbol}/USDT", token.symbol, "USDT", None, [], [], [])
    days, rows = served.candles(index)
    dates = [START + timedelta(days=int(day)) for day in days]
    return candle_frame(f"{token.symbol}/USDT", token.symbol, "USDT", None, dates, rows[:, 3], rows[:, 3] * rows[:, 4])


def candle_frame(
    market_id: str, symbol: str | None, quote: str, name: str | None, days: list[date], close: object, volume: object
) -> pl.DataFrame:
    """Daily candles of one market that closed where they opened."""
    prices = {"market_date": days, "close_quote": close, "volume_quote": volume}
    frame = pl.DataFrame(prices, schema={"market_date": pl.Date, "close_quote": pl.Float64, "volume_quote": pl.Float64})
    return frame.select(
        pl.lit(market_id).alias("market_id"),
        pl.lit(symbol, pl.String).alias("symbol"),
        pl.lit(quote).alias("quote"),
        pl.lit(name, pl.String).alias("name"),
        "market_date",
        *(pl.col("close_quote").alias(f"{name}_quote") for name in ("open", "high", "low", "close")),
        "volume_quote",
        (pl.col("close_quote") * 1e7).alias("market_cap_usd"),
    )


def _placed_candles() -> list[pl.DataFrame]:
    """A market of another quote that opens after the cut, earlier in the alphabet; two coins nobody else has."""
    return [
        candle_frame("RIV/USDT", "RIV", "USDT", None, around(-20, 28), [2.01] * 49, [1e6] * 49),
        candle_frame("RIV/USD", "RIV", "USD", None, around(2, 28), [2.01] * 27, [1e6] * 27),
        candle_frame("FREE/USDT", "FREE", "USDT", None, FREE_DAYS, FREE_PRICES, [1e6] * len(FREE_DAYS)),
        candle_frame("LONE/USDT", "LONE", "USDT", None, around(-8, 28), np.linspace(1, 2, 37), [1e6] * 37),
    ]


def _other_names(market: SimulatedMarket, dataset: Dataset, *, days: list[date], tokens: slice) -> pl.DataFrame:
    """Some tokens under the ids of another provider, half a percent off."""
    chosen = market.tokens[tokens].select("coin_id", "symbol", "name")
    rows = market.daily.join(chosen, on="coin_id").filter(pl.col("market_date").is_in(days))
    return pl.concat(
        [
            candle_frame(
                f"slug-{coin_id}" if dataset is COINMARKETCAP else f"{part['symbol'][0]}/USD",
                part["symbol"][0],
                "USD",
                part["name"][0] if dataset is COINMARKETCAP else None,
                part["market_date"].to_list(),
                part["price_usd"] * 1.005,
                part["volume_usd"],
            )
            for (coin_id,), part in rows.partition_by("coin_id", as_dict=True, maintain_order=True).items()
        ]
    )


def _placed_slugs() -> list[pl.DataFrame]:
    """Twins known after ten days, of which five before the cut; a namesake; a slug named after the cut; one with gaps."""
    twins, prices, volume = around(-5, 28), np.linspace(3, 5, 34), np.linspace(2e6, 3e6, 34)
    late = around(-15, 28)
    return [
        candle_frame("twin-old", None, "USD", None, twins, prices, volume),
        candle_frame("twin-new", "TWN", "USD", "Twin", twins, prices, volume),
        candle_frame("namesake", "BTC", "USD", "Bitcoin", around(-40, 28), [0.07] * 69, [1e6] * 69),
        candle_frame("unnamed", None, "USD", None, around(-40, 0), [2.0] * 41, [1e6] * 41),
        candle_frame("unnamed", "RIV", "USD", "rival-old", around(1, 28), [2.0] * 28, [1e6] * 28),
        candle_frame("gaps", "GAP", "USD", "Gap", late[::5], [1.0] * len(late[::5]), [1e6] * len(late[::5])),
    ]


def _metrics(market: SimulatedMarket) -> pl.DataFrame:
    names = [name for name in market.on_chain.columns if name not in ("coin_id", "asset", "market_date")]
    long = market.on_chain.unpivot(names, index=["asset", "market_date"], variable_name="metric").drop_nulls("value")
    return long.with_columns(feed=pl.lit("community"), status=pl.lit(None, pl.String))


def _placed_metrics() -> pl.DataFrame:
    days = around(-35, 28)
    return pl.DataFrame(
        {
            "asset": ["riv"] * len(days),
            "market_date": days,
            "metric": ["TxCnt"] * len(days),
            "value": np.linspace(100, 200, len(days)),
            "feed": ["community"] * len(days),
            "status": pl.Series([None] * len(days), dtype=pl.String),
        }
    )
