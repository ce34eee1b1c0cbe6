"""Features: all of the catalogue at the size of a large warehouse, and the same indicators through other libraries.

Belongs here: the panel, the sides that are compared, the table of costs by the number of tokens.
Does not: whether the values are right (tests/unit/models_ml/features).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.timing import RUNS, Row
from models_ml.features.catalogue import CATALOGUE, LONGEST_LOOK_BACK_DAYS
from models_ml.features.compute import feature_batches, token_features
from models_ml.features.feature import FACT_COLUMNS, ONCHAIN_COLUMNS

DAYS = 1460
FIRST = date(2021, 1, 1)
LAST = FIRST + timedelta(days=DAYS - 1)
COMPARED_TOKENS = 50
SIZES = (1000, 3000, 6000)
SHARE_WITH_FACTS, SHARE_WITH_ONCHAIN = 5, 20
"""One token in so many has facts of further sources, or on-chain metrics: more than in the real history."""

INDICATORS = (
    *("price_to_sma_20d", "price_to_sma_50d", "price_to_ema_12d", "price_to_ema_26d", "macd_12d_26d"),
    *("macd_histogram_12d_26d_9d", "price_to_wma_20d", "rsi_wilder_14d", "bollinger_position_20d"),
    *("bollinger_bandwidth_20d", "return_30d", "on_balance_volume_change_30d", "money_flow_index_14d"),
)
"""What all four libraries have."""


def panel(tokens: int) -> dict[str, Any]:
    """A random panel of token days: what `token_features` reads, by the names of its arguments."""
    generator = np.random.default_rng(1)
    days = pl.date_range(FIRST, LAST, eager=True)
    names = ["bitcoin", "ethereum", *(f"token-{number:04d}" for number in range(tokens - 2))]
    key = pl.DataFrame({"token_id": names}).join(pl.DataFrame({"market_date": days}), how="cross")
    prices = np.exp(np.cumsum(generator.standard_t(4, size=(tokens, DAYS)) * 0.03, axis=1)).ravel()
    daily = key.with_columns(
        price_usd=pl.Series(prices),
        market_cap_usd=pl.Series(prices * 1e8),
        is_supply_carried=pl.lit(value=False),
        volume_24h_usd=pl.Series(generator.lognormal(14, 1, len(prices))),
        first_date=pl.lit(FIRST),
    )

    def sparse(columns: tuple[str, ...], one_in: int) -> pl.DataFrame:
        rows = key.join(pl.DataFrame({"token_id": names[::one_in]}), on="token_id", how="semi")
        return rows.with_columns(pl.Series(name, generator.lognormal(3, 0.3, rows.height)) for name in columns)

    return {
        "daily": daily,
        "onchain": sparse(ONCHAIN_COLUMNS, SHARE_WITH_ONCHAIN),
        "facts": sparse(FACT_COLUMNS, SHARE_WITH_FACTS),
        "news": pl.DataFrame({"market_date": days, "headlines": [50] * DAYS}),
    }


def measure() -> list[Row]:
    """Ratios for the same indicators on the same panel: ours at once, the fastest of three runs; a loop over tokens for each library."""
    daily = panel(COMPARED_TOKENS)["daily"]
    onchain = pl.DataFrame(
        schema={"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
    )
    chosen = [feature for feature in CATALOGUE if feature.name in INDICATORS]
    tokens = [token for _, token in daily.to_pandas().groupby("token_id", sort=False)]
    feature_rows = daily.height * len(chosen)
    ours = min(_seconds(lambda: token_features(daily, onchain, chosen)) for _ in range(RUNS))
    what = f"{len(chosen)} indicators of {COMPARED_TOKENS} tokens x {DAYS} days"
    rows = []
    for name, indicators in (("TA-Lib", _talib), ("pandas-ta-classic", _pandas_ta), ("ta", _ta)):
        indicators(tokens[0])  # imports and compiles
        started = time.perf_counter()
        for token in tokens:
            indicators(token)
        plain = time.perf_counter() - started
        note = (
            f"plain: {name}, a loop over tokens; {ours / feature_rows * 1e6:.3f} against "
            f"{plain / feature_rows * 1e6:.3f} microseconds a feature and row"
        )
        rows.append(Row(what, ours, plain, note))
    return rows


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def scale() -> list[str]:
    """Lines of a table: all features by the number of tokens, each size in a process of its own."""
    lines = [
        f"All {len(CATALOGUE)} features of {DAYS} days, computed and written as Float32; a new day is read with its look-back, computed "
        "and written. Each line in a process of its own, panel in memory before.",
        "",
        "| tokens | written to | seconds | of it computing | processor seconds | us a feature and row | peak GiB | a new day, s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    seconds = {}
    for tokens, target in (*((size, "parquet") for size in SIZES), (SIZES[0], "duckdb")):
        done = subprocess.run(  # noqa: S603 - this module in a process of its own
            [sys.executable, "-m", "benchmarks.features", str(tokens), target],
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(done.stdout)
        if target == "parquet":
            # Time on the processor: what other programs take of the machine must not show in the exponent.
            seconds[tokens] = result["processor"]
        each = result["seconds"] / (tokens * DAYS * len(CATALOGUE)) * 1e6
        cells = [f"{tokens:,}", target, *(f"{result[name]:.1f}" for name in ("seconds", "computing", "processor"))]
        cells += [f"{each:.3f}", f"{result['memory_gib']:.1f}", f"{result['new_day']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    exponent = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0]
    return [*lines, "", f"Cost grows with the number of tokens to the power of {exponent:.2f}.", ""]


def _one_size(tokens: int, target: str) -> dict[str, float]:
    frames = panel(tokens)
    recent = {
        name: frame.filter(pl.col("market_date") >= LAST - timedelta(days=LONGEST_LOOK_BACK_DAYS + 1))
        for name, frame in frames.items()
    }
    write = {"parquet": _to_parquet, "duckdb": _to_duckdb}[target]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write(Path(folder), feature_batches(**recent, since=LAST))
        new_day = time.perf_counter() - started
    computing = 0.0

    def timed(batches: Any) -> Any:
        nonlocal computing
        while True:
            begun = time.perf_counter()
            batch = next(batches, None)
            computing += time.perf_counter() - begun
            if batch is None:
                return
            yield batch

    used = resource.getrusage(resource.RUSAGE_SELF)
    before = used.ru_utime + used.ru_stime
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write(Path(folder), timed(feature_batches(**frames)))
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "computing": computing,
        "processor": used.ru_utime + used.ru_stime - before,
        "new_day": new_day,
        "memory_gib": used.ru_maxrss / 2**20,
    }


def _to_parquet(folder: Path, batches: Any) -> None:
    for number, batch in enumerate(batches):
        batch.write_parquet(folder / f"{number:05d}.parquet", compression="lz4")


def _to_duckdb(folder: Path, batches: Any) -> None:
    """As the dbt model does: DuckDB draws the batches."""
    import duckdb
    import pyarrow

    first = next(batches).to_arrow()
    parts = (part for table in _after(first, batches) for part in table.to_batches())
    reader = pyarrow.RecordBatchReader.from_batches(first.schema, parts)
    with duckdb.connect(str(folder / "features.duckdb")) as connection:
        connection.register("reader", reader)
        connection.execute("create table features as select * from reader")


def _after(first: Any, batches: Any) -> Any:
    yield first
    for batch in batches:
        yield batch.to_arrow()


def _talib(token: pd.DataFrame) -> list[Any]:
    import talib

    close, volume = token["price_usd"].to_numpy(), token["volume_24h_usd"].to_numpy()
    levels = np.log(close)
    upper, _, lower = talib.BBANDS(levels, 20, 2, 2)
    line, _, histogram = talib.MACD(close, 12, 26, 9)
    balance = talib.OBV(close, volume)
    return [
        *(close / talib.SMA(close, days) - 1 for days in (20, 50)),
        *(close / talib.EMA(close, days) - 1 for days in (12, 26)),
        *(line / close, histogram / close, close / talib.WMA(close, 20) - 1, talib.RSI(close, 14)),
        *((levels - lower) / (upper - lower), upper - lower, talib.ROCP(close, 30)),
        *((balance[30:] - balance[:-30]) / talib.SUM(volume, 30)[30:], talib.MFI(close, close, close, volume, 14)),
    ]


def _pandas_ta(token: pd.DataFrame) -> list[Any]:
    import pandas_ta_classic as pta

    close, volume = token["price_usd"], token["volume_24h_usd"]
    balance = pta.obv(close, volume, talib=False)
    return [
        *(close / pta.sma(close, days, talib=False) - 1 for days in (20, 50)),
        *(close / pta.ema(close, days, talib=False) - 1 for days in (12, 26)),
        *(pta.macd(close, talib=False), close / pta.wma(close, 20, talib=False) - 1, pta.rsi(close, 14, talib=False)),
        *(pta.bbands(np.log(close), 20, talib=False), pta.roc(close, 30, talib=False)),
        *((balance - balance.shift(30)) / volume.rolling(30).sum(), pta.mfi(close, close, close, volume, talib=False)),
    ]


def _ta(token: pd.DataFrame) -> list[Any]:
    import ta

    close, volume = token["price_usd"], token["volume_24h_usd"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macd = ta.trend.MACD(close)
        bands = ta.volatility.BollingerBands(np.log(close))
        balance = ta.volume.on_balance_volume(close, volume)
        return [
            *(close / ta.trend.sma_indicator(close, days) - 1 for days in (20, 50)),
            *(close / ta.trend.ema_indicator(close, days) - 1 for days in (12, 26)),
            *(macd.macd() / close, macd.macd_diff() / close, close / ta.trend.wma_indicator(close, 20) - 1),
            *(ta.momentum.rsi(close), bands.bollinger_pband(), bands.bollinger_wband(), ta.momentum.roc(close, 30)),
            *(
                (balance - balance.shift(30)) / volume.rolling(30).sum(),
                ta.volume.money_flow_index(close, close, close, volume),
            ),
        ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_one_size(int(sys.argv[1]), sys.argv[2])))
