"""The optimiser: 5,000 variants through 300 weeks of 500 tokens, and some of them through bt and skfolio.

Belongs here: the market, what is compared, and a plain strategy in bt that reads the same definition.
Does not: whether the levels are right close by close (tests/unit/models_ml/optimiser, which hold them to the index engine).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from models_ml.indices.definition import DEFINITIONS_FOLDER, FLAGSHIP, IndexDefinition, load_definitions
from models_ml.indices.market import CANDIDATE_SCHEMA, OPTIONAL_CANDIDATE_SCHEMA, MarketData, MarketState
from models_ml.optimiser.answer import Counts, judge
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.search import default_search, expand
from models_ml.optimiser.simulate import simulate

VARIANTS, WEEKS, TOKENS = 5000, 300, 500
COMPARED = 20
PROCESSES = 2
LEAD_DAYS = 100
START = dt.date(2019, 1, 6)  # a Sunday
LEVELS_APART, WEIGHTS_APART = 1e-9, 1e-6
AIM_SECONDS = 60
BEYOND_BT = {
    "eligibility": ("leave_out_calls",),
    "weighting": ("volatility_cap", "liquidity"),
    "rotation": ("trigger",),
}
STABLES = ("usd0", "usd1")
BEARISH_SHARE = 0.2


class Market:
    """A random market in which every token trades every day and stablecoins keep their peg: what both sides read."""

    def __init__(self) -> None:
        """Draw it; equal on every machine."""
        generator = np.random.default_rng(1)
        self.days = [START + dt.timedelta(days=offset) for offset in range(-LEAD_DAYS, 7 * WEEKS)]
        self.names = [*(f"t{number:04d}" for number in range(TOKENS - len(STABLES))), *STABLES]
        shape = (len(self.days), TOKENS)
        returns = generator.standard_t(4, shape) * 0.03 + generator.normal(0.0005, 0.02, (shape[0], 1))
        self.prices = np.exp(np.cumsum(returns, axis=0))
        self.prices[:, -2:] = 1 + generator.normal(0, 0.0005, (shape[0], 2))
        self.supply = generator.lognormal(17, 1.8, TOKENS)
        self.supply[-2:] = (1e10, 5e9)
        self.volume = generator.lognormal(15, 1, shape)
        self.volume[:, -2:] = 1e9
        self.score = generator.normal(size=shape)
        self.grade = generator.uniform(0, 100, shape)
        self.bitcoin = np.exp(np.cumsum(generator.normal(0, 0.03, shape[0])))
        self.signal = np.where(generator.random(shape) < BEARISH_SHARE, -1, 1)

    @property
    def mondays(self) -> list[dt.date]:
        """as_of of each decision."""
        return [START + dt.timedelta(days=1 + 7 * week) for week in range(WEEKS)]

    def row(self, day: dt.date) -> int:
        """Row of a day in every array."""
        return (day - self.days[0]).days

    def candidates(self, day: dt.date) -> pl.DataFrame:
        """Tokens at a close, as the engine asks for them."""
        row = self.row(day)
        is_stable = np.isin(self.names, STABLES)
        return pl.DataFrame(
            {
                "token_id": self.names,
                "symbol": self.names,
                "sector": ["L1"] * TOKENS,
                "is_stable": is_stable,
                "is_wrapped": np.zeros(TOKENS, dtype=bool),
                "is_fiat_backed": is_stable,
                "price_usd": self.prices[row],
                "market_cap_usd": self.prices[row] * self.supply,
                "volume_30d_median_usd": self.volume[row],
                "age_days": np.full(TOKENS, row),
                "trader_grade": self.grade[row],
                "score": self.score[row],
                "signal": self.signal[row],
            },
            schema=CANDIDATE_SCHEMA | {"signal": OPTIONAL_CANDIDATE_SCHEMA["signal"]},
        )

    def state(self, day: dt.date) -> MarketState:
        """Bitcoin at a close; the averages are shorter than their names where history is."""
        row = self.row(day)
        means = [float(self.bitcoin[max(0, row + 1 - days) : row + 1].mean()) for days in (100, 200)]
        return MarketState(float(self.bitcoin[row]), *means)

    def data(self) -> MarketData:
        """As the engine and the optimiser read it."""
        key = pl.DataFrame({"market_date": self.days}).join(pl.DataFrame({"token_id": self.names}), how="cross")
        prices = key.with_columns(price_usd=pl.Series(self.prices.ravel()))
        return MarketData(prices=prices, candidates=self.candidates, market_state=self.state)


def definitions(number: int) -> tuple[IndexDefinition, ...]:
    """Variants of the shipped model-driven index by the search that the command makes for it, none weighted by an optimiser."""
    return expand(_flagship(), default_search(_flagship(), variants=number)).definitions


def plain_definitions(number: int) -> tuple[IndexDefinition, ...]:
    """The same without the rules that the strategy in bt does not have: calls, ceilings by volatility and liquidity, daily turns."""
    content = _flagship().model_dump(exclude_unset=True)
    for section, names in BEYOND_BT.items():
        for name in names:
            content[section].pop(name)
    base = IndexDefinition.model_validate(content)
    return expand(base, default_search(base, variants=number)).definitions


def _flagship() -> IndexDefinition:
    return next(each for each in load_definitions(DEFINITIONS_FOLDER) if each.index_id == FLAGSHIP)


def scale() -> list[str]:
    """Lines about all variants, about bt on some and about skfolio on some, the first in a process of its own."""
    before = os.getloadavg()[0]
    done = subprocess.run([sys.executable, "-m", "benchmarks.optimiser"], stdout=subprocess.PIPE, text=True, check=True)
    all_variants = json.loads(done.stdout)
    market, chosen = Market(), plain_definitions(VARIANTS)[:: VARIANTS // COMPARED][:COMPARED]
    started = time.process_time()
    ours = simulate(chosen, market.data(), market.mondays)
    ours_seconds = time.process_time() - started
    bt_seconds, apart = _through_bt(chosen, market, ours.levels)
    weighted, fits, fit_seconds, weights_apart = _through_skfolio(market)
    if apart > LEVELS_APART or weights_apart > WEIGHTS_APART:
        raise AssertionError(f"levels differ from bt's by {apart:g}, weights from skfolio's by {weights_apart:g}")
    each, plain = all_variants["processor"] / VARIANTS, bt_seconds / COMPARED
    return [
        f"{VARIANTS:,} variants of `{FLAGSHIP}` without optimiser weights, {WEEKS} weeks, {TOKENS} tokens, {PROCESSES} processes "
        f"(aim: {AIM_SECONDS} s by the clock on two free processors). Load of the machine {before:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end, on {os.cpu_count()} processors: above {PROCESSES} the clock counts what others took, "
        "processor seconds do not.",
        "",
        "| what | clock, s | processor, s | peak GiB | note |",
        "| --- | --- | --- | --- | --- |",
        f"| levels of {VARIANTS:,} variants | {all_variants['walk']:.1f} | {all_variants['processor']:.1f} | {all_variants['gib']:.1f} "
        f"| from the market as frames; {each * 1000:.1f} ms a variant; the largest process, the workers up to "
        f"{all_variants['worker_gib']:.1f} |",
        f"| and the answer | {all_variants['judge']:.1f} | {all_variants['judge_processor']:.1f} | {all_variants['judge_gib']:.1f} "
        f"| {all_variants['splits']} splits, frontier, deflated Sharpe ratios |",
        f"| {COMPARED} without calls, daily turns and ceilings by volatility and liquidity, one process | | {ours_seconds:.1f} | "
        "| reading the market is most of it |",
        f"| the same {COMPARED} in bt | | {bt_seconds:.1f} | | a plain strategy in pandas; {plain:.1f} s a variant, extrapolated (not run) "
        f"{plain * VARIANTS / 3600:.1f} hours for {VARIANTS:,}, {plain / each:,.0f} times ours; largest "
        f"relative difference of any level {apart:.0e} |",
        f"| weights of {weighted} variants in skfolio | | {fit_seconds:.1f} | | {fits:,} rebalances by InverseVolatility and "
        f"EqualWeighted; largest difference of any weight {weights_apart:.0e} |",
        "",
    ]


def _through_bt(chosen: tuple[IndexDefinition, ...], market: Market, levels: Any) -> tuple[float, float]:
    """Processor seconds of bt for some variants, and the largest relative difference to our levels."""
    import bt

    frame = pd.DataFrame(market.prices, index=pd.DatetimeIndex(market.days), columns=market.names)
    traded = frame.iloc[LEAD_DAYS : LEAD_DAYS + levels.shape[1]]
    seconds, apart = 0.0, 0.0
    for definition, ours in zip(chosen, levels, strict=True):
        started = time.process_time()
        strategy = bt.Strategy(definition.index_id, [_strategy(definition, market, frame), bt.algos.Rebalance()])
        test = bt.Backtest(strategy, traded, initial_capital=1e6, integer_positions=False, progress_bar=False)
        test.run()
        seconds += time.process_time() - started
        theirs = test.strategy.prices.loc[traded.index].to_numpy()
        start = int(np.flatnonzero(np.isfinite(ours))[0])
        ratio = (theirs[start:] / theirs[start]) / (ours[start:] / ours[start])
        apart = max(apart, float(np.abs(ratio - 1).max()))
    return seconds, apart


def _strategy(definition: IndexDefinition, market: Market, frame: pd.DataFrame) -> Any:
    """The rules of a definition as one algorithm of bt: decides on Sundays, hands weights on on Mondays."""
    import bt

    returns = frame.pct_change()

    class Decide(bt.Algo):
        def __init__(self) -> None:
            super().__init__()
            self.pending: dict[str, float] | None = None
            self.share, self.since = 0.0, dt.date(1900, 1, 1)

        def __call__(self, target: Any) -> bool:
            day = target.now.date()
            if day.weekday() == 0 and self.pending is not None:
                target.temp["weights"], self.pending = self.pending, None
                return True
            if day.weekday() == 6:
                held = {name: child.weight for name, child in target.children.items() if child.weight > 0}
                self.pending = self.decide(day, held)
            return False

        def decide(self, day: dt.date, held: dict[str, float]) -> dict[str, float] | None:
            snapshot = market.candidates(day).to_pandas().set_index("token_id")
            members = _members(definition, snapshot, held)
            if len(members) < definition.minimum_constituents:
                return None
            weights = _weights(definition, members, returns.loc[: pd.Timestamp(day)])
            share = self.wanted(day)
            targets = (weights * (1 - share)).to_dict() if share < 1 else {}
            stables = (
                snapshot.loc[list(STABLES)].nlargest(definition.rotation.stables, "market_cap_usd")
                if share
                else snapshot.iloc[:0]
            )
            targets |= (share * stables["market_cap_usd"] / stables["market_cap_usd"].sum()).to_dict()
            is_same = targets.keys() == held.keys() and share == self.share
            band = definition.calendar.retrade_band
            if is_same and all(abs(targets[name] - held[name]) <= band for name in targets):
                return None
            if share != self.share:
                self.share, self.since = share, day + dt.timedelta(days=2)
            return targets

        def wanted(self, day: dt.date) -> float:
            if definition.rotation is None:
                return 0.0
            state = market.state(day)
            averages = {100: state.btc_sma_100_usd, 200: state.btc_sma_200_usd}
            share = sum(
                step.share
                for step in definition.rotation.steps
                if state.btc_price_usd < averages[step.below_btc_average_days]
            )
            held_until = self.since + dt.timedelta(days=definition.rotation.min_hold_days)
            return self.share if share != self.share and day + dt.timedelta(days=2) < held_until else share

    return Decide()


def _members(definition: IndexDefinition, snapshot: pd.DataFrame, held: dict[str, float]) -> pd.DataFrame:
    limits, selection = definition.eligibility, definition.selection
    cap, volume = snapshot["market_cap_usd"], snapshot["volume_30d_median_usd"]
    is_eligible = ~snapshot["is_stable"] & (cap >= limits.min_market_cap_usd) & (volume >= limits.min_volume_30d_usd)
    is_eligible &= (volume >= limits.min_volume_to_cap * cap) & (snapshot["age_days"] >= limits.min_price_age_days)
    pool = snapshot[is_eligible].nlargest(definition.ranking.among_largest or TOKENS, "market_cap_usd")
    ranked = pool.sort_values(definition.ranking.by, ascending=False)
    ranked["rank"] = np.arange(1, len(ranked) + 1)
    stays = ranked.index.isin(list(held)) & (ranked["rank"] <= (selection.exit_rank or selection.count))
    return pd.concat([ranked[stays], ranked[~stays]]).head(selection.count).sort_values("rank")


def _weights(definition: IndexDefinition, members: pd.DataFrame, returns: pd.DataFrame) -> pd.Series:
    import bt

    weighting = definition.weighting
    if weighting.method == "inverse_volatility":
        values = 1 / returns[members.index].tail(weighting.volatility_days).std()
    else:
        values = {
            "market_cap": members["market_cap_usd"],
            "sqrt_market_cap": np.sqrt(members["market_cap_usd"]),
            "equal": members["rank"] * 0 + 1.0,
            "rank": pd.Series(np.arange(len(members), 0, -1.0), index=members.index),
            "volume": members["volume_30d_median_usd"],
        }[weighting.method]
    shares = values / values.sum()
    if weighting.cap * len(shares) <= 1 + 1e-9:
        return shares * 0 + 1 / len(shares)
    return bt.ffn.limit_weights(shares, weighting.cap)


def _through_skfolio(market: Market) -> tuple[int, int, float, float]:
    """Variants, rebalances, processor seconds, largest difference of weights: of what both can compute, no ceiling, no stablecoins."""
    from skfolio.optimization import EqualWeighted, InverseVolatility

    base = plain_definitions(2)[0]
    chosen = []
    for method, days in (("inverse_volatility", 30), ("inverse_volatility", 90), ("equal", 90)):
        for count, exit_rank in ((10, 10), (15, 30), (20, 40), (25, 25), (30, 60), (40, 80), (50, 100))[
            : 6 if days == 30 else 7
        ]:
            content = base.model_dump(exclude={"rotation", "twin"}, exclude_unset=True)
            content |= {
                "index_id": f"{method}_{days}_{count}",
                "selection": {"count": count, "exit_rank": exit_rank},
                "weighting": {"method": method, "volatility_days": days},
                "minimum_constituents": 10,
            }
            chosen.append(IndexDefinition.model_validate(content))
    found = simulate(chosen, market.data(), market.mondays, keeps_trades=True)
    returns = market.prices[1:] / market.prices[:-1] - 1
    column = {name: position for position, name in enumerate(market.names)}
    seconds, fits, apart = 0.0, 0, 0.0
    for traded in found.traded:
        sunday = LEAD_DAYS + traded.day - 1
        for row, tokens, weights in zip(traded.rows, traded.tokens, traded.weights, strict=True):
            weighting = chosen[row].weighting
            held = weights > 0
            columns = [column[found.token_ids[token]] for token in tokens[held]]
            window = returns[sunday - weighting.volatility_days : sunday, columns]
            model = InverseVolatility() if weighting.method == "inverse_volatility" else EqualWeighted()
            started = time.process_time()
            with warnings.catch_warnings():
                # Fewer days than tokens give a covariance without an inverse; only its diagonal is used.
                warnings.simplefilter("ignore")
                theirs = model.fit(window).weights_
            seconds += time.process_time() - started
            fits += 1
            apart = max(apart, float(np.abs(theirs - weights[held]).max()))
    return len(chosen), fits, seconds, apart


def _used() -> float:
    return sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _gib(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 2**20


def _all_variants() -> dict[str, float]:
    market, variants = Market(), definitions(VARIANTS)
    data = market.data()
    started, used = time.perf_counter(), _used()
    found = simulate(variants, data, market.mondays, cost_bps=30, processes=PROCESSES)
    walk, processor = time.perf_counter() - started, _used() - used
    gib, worker_gib = _gib(resource.RUSAGE_SELF), _gib(resource.RUSAGE_CHILDREN)
    is_priced = np.isfinite(found.levels)
    starts = is_priced.any(axis=1)  # a few never find enough constituents; the command leaves them out, too
    start = int(is_priced.argmax(axis=1).max())
    number = int(starts.sum())
    started, used = time.perf_counter(), _used()
    answer = judge(
        tuple(variant for variant, is_there in zip(variants, starts, strict=True) if is_there),
        tuple({} for _ in range(number)),
        Counts(number, 0, 0, 0, 0, number, None),
        found.levels[starts][:, start:],
        found.days[start:],
        turnover=found.turnover[starts],
        goal=Goal(annual_return=0.15, max_drawdown=0.10),
        cost_bps=30,
    )
    return {
        "walk": walk,
        "processor": processor,
        "gib": gib,
        "worker_gib": worker_gib,
        "judge": time.perf_counter() - started,
        "judge_processor": _used() - used,
        "judge_gib": _gib(resource.RUSAGE_SELF),
        "splits": len(answer.splits.halves),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_all_variants()))
