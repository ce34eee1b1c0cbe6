"""docs/results/case-studies.md: four stories from real history, each chosen by a rule and told with the product's own tables.

Belongs here: the rules of choice, what came after, the page.
Does not: the pictures (`case_pictures.py`), whether what a story suggests is true in general (`claims.py`).

A story proves nothing, so each stands beside what became of all cases of its kind. The rules take the largest, the best and the worst;
nothing is chosen by how it looks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl

from models_ml.learning.evaluation.claims import Effect, within_periods
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.screens.moonshots import MoonshotSettings
from orchestration.evaluation.history import FIRST_WEEK
from orchestration.lib.metadata import markdown_table
from orchestration.lib.weekly_inputs import daily_closes, token_of_day

FOLLOWED_DAYS = 90
HELD_CLOSES = 3
"""Closes in a row at or above twice the entry that make a doubling: one close alone nobody can sell at."""
LOSS = -0.5
ALMOST_ALL = -0.95
"""Loss from which a decimal is shown: -100 % would say that nothing was left."""
FLIP_DAYS = 7
FLIPS = 5
FLIPS_APART_DAYS = 30
"""Flips nearer to each other are one."""
HIGH_DAYS = 14
MOVED = 0.05
"""Market return from which something is said to have followed, and fall from the recent high from which a warning is called late."""


@dataclass(frozen=True)
class Cases:
    """The chosen stories and all they were chosen from.

    Attributes:
        market: One row a day: market_date, market_index_level, bearish_share, bullish_share, tokens, bearish_share_change_7d.
        flips: The broadest bearish flips, largest first (`broad_flips`).
        screened: Every low-cap token-week whose 90 days have ended (`followed`), with picks and warnings of pumps.
        winner: The pick with the highest return of 90 days.
        failure: The pick with the lowest.
        pump: The token that the filter kept out for its pump, in the week the warning began, that had the lowest return of 30 days.
        closes: token_id, market_date, price_usd, volume_24h_usd of the three tokens.
    """

    market: pl.DataFrame
    flips: pl.DataFrame
    screened: pl.DataFrame
    winner: dict[str, Any]
    failure: dict[str, Any]
    pump: dict[str, Any]
    closes: pl.DataFrame


def read_cases(connection: duckdb.DuckDBPyConnection) -> Cases:
    """Choose the stories of a warehouse with real history."""
    market = _market(connection)
    candidates = _screened(connection)
    newest = connection.execute("select max(market_date) from marts.fct_daily").fetchone()
    until = newest[0] if newest and newest[0] else FIRST_WEEK
    closes = daily_closes(
        connection, until=until + timedelta(days=1), tokens=candidates["token_id"].unique().sort().to_list()
    )
    screened = followed(candidates, closes)
    picks, pumps = screened.filter("is_pick"), newly_warned(screened)
    winner, failure, pump = (
        _first(picks.sort("return_90d", "as_of_week", descending=[True, False])),
        _first(picks.sort("return_90d", "as_of_week")),
        _first(pumps.sort("return_30d", "as_of_week")),
    )
    chosen = [case["token_id"] for case in (winner, failure, pump)]
    return Cases(
        market,
        broad_flips(market),
        screened,
        winner,
        failure,
        pump,
        closes.filter(pl.col("token_id").is_in(chosen)),
    )


def broad_flips(market: pl.DataFrame, *, count: int = FLIPS) -> pl.DataFrame:
    """The days on which the share of bearish calls had risen most within 7 days, and what the market did before and after.

    Args:
        market: One row a day without gaps: market_date, market_index_level, bearish_share, bearish_share_change_7d (nullable).
        count: How many; of days within 30 days of a larger one none is taken.

    Returns:
        market_date, bearish_share, bearish_share_change_7d, below_high_14d (the day's level over the highest of it and the 14 days
        before, less 1), return_14d, return_30d, return_90d (from the next day's close; null where it has not ended), largest rise first.
    """
    level = pl.col("market_index_level")
    rows = market.sort("market_date").select(
        "market_date",
        "bearish_share",
        "bearish_share_change_7d",
        (level / level.rolling_max(HIGH_DAYS + 1) - 1).alias("below_high_14d"),
        *((level.shift(-days - 1) / level.shift(-1) - 1).alias(f"return_{days}d") for days in (14, 30, 90)),
    )
    chosen: list[date] = []
    ranked = rows.drop_nulls("bearish_share_change_7d").sort("bearish_share_change_7d", descending=True)
    for day in ranked["market_date"]:
        if len(chosen) < count and all(abs((day - other).days) > FLIPS_APART_DAYS for other in chosen):
            chosen.append(day)
    order = pl.DataFrame(
        {"market_date": chosen, "place": range(len(chosen))}, schema={"market_date": pl.Date, "place": pl.Int64}
    )
    return order.join(rows, on="market_date", how="left").sort("place").drop("place")


def followed(screened: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Add what became of each token-week, entered at Monday's close; those whose 90 days have not ended are left out.

    Args:
        screened: One row a week and token: as_of_week, token_id; further columns are kept.
        closes: token_id, market_date, price_usd up to the newest day, by token and day.

    Returns:
        The rows that have an entry, with entry_usd, return_30d, return_90d (to the last price up to that day: of a token whose price
        stops, to its last one), best and worst (highest and lowest close of the 90 days over the entry), has_doubled (three closes in a
        row at or above twice the entry) and last_date (the day of the last price).
    """
    newest = closes["market_date"].max()
    price = closes.select("token_id", "market_date", "price_usd").sort("token_id", "market_date")
    held = price.with_columns(
        held=pl.col("price_usd").rolling_min(HELD_CLOSES).over("token_id"),
        held_days=(pl.col("market_date") - pl.col("market_date").shift(HELD_CLOSES - 1))
        .dt.total_days()
        .over("token_id"),
    )
    entries = screened.join(
        price.select("token_id", as_of_week="market_date", entry_usd="price_usd"), on=["as_of_week", "token_id"]
    ).filter(pl.col("as_of_week") + timedelta(days=FOLLOWED_DAYS) <= newest)
    keys = ["as_of_week", "token_id"]
    days_in = (pl.col("market_date") - pl.col("as_of_week")).dt.total_days()
    after = (
        entries.select(*keys, "entry_usd")
        .join(held, on="token_id")
        .with_columns(days_in=days_in)
        .filter(pl.col("days_in").is_between(1, FOLLOWED_DAYS))
    )
    gain = pl.col("price_usd") / pl.col("entry_usd")
    is_held = (pl.col("days_in") >= HELD_CLOSES) & (pl.col("held_days") == HELD_CLOSES - 1)
    outcomes = (
        after.sort("market_date")
        .group_by(keys)
        .agg(
            return_30d=gain.filter(pl.col("days_in") <= 30).last() - 1,
            return_90d=gain.last() - 1,
            best=gain.max(),
            worst=gain.min(),
            has_doubled=(is_held & (pl.col("held") >= 2 * pl.col("entry_usd"))).any(),
            last_date=pl.col("market_date").last(),
        )
    )
    return entries.join(outcomes, on=keys).sort(keys)


def newly_warned(screened: pl.DataFrame) -> pl.DataFrame:
    """Token-weeks with an excluding warning of a pump that the token did not have the week before, picks left out.

    Args:
        screened: as_of_week, token_id, is_pick, pump_reason (null where there is no such warning).
    """
    warned = screened.filter(pl.col("pump_reason").is_not_null())
    before = warned.select("token_id", pl.col("as_of_week") + timedelta(days=7))
    return warned.filter(~pl.col("is_pick")).join(before, on=["as_of_week", "token_id"], how="anti")


def page(cases: Cases, code: str, *, pictures: str) -> str:
    """The page as Markdown.

    Args:
        cases: The stories.
        code: Version of the code.
        pictures: Folder of the pictures, relative to the page, with its closing slash.
    """
    return "\n\n".join(
        [
            f"# Case studies\n\nReal history from {FIRST_WEEK} on, told with the product's own tables; entry is Monday's close, a "
            "day after the close that the screen saw. Each case is the largest, the best or the worst by a rule, whatever it says of the "
            "product, and beside it stands what became of all cases of its kind. One case proves nothing: what holds in general is in "
            f"[the audit of claims](claims.md). Code {code}.",
            _flip_section(cases, pictures),
            _winner_section(cases, pictures),
            _failure_section(cases, pictures),
            _pump_section(cases, pictures),
            _all_section(cases.screened),
        ]
    )


def what_followed(below_high: float, after: float | None) -> str:
    """A broad bearish flip in words: whether the market had fallen already, and what it did in the 14 days after.

    Args:
        below_high: The day's level over the highest of the 14 days before, less 1; at most 0.
        after: Return of the 14 days from the next close; None where they have not ended.
    """
    came = (
        f"It came late: the market had already lost {-below_high:.0%} from its highest close of the {HIGH_DAYS} days before. "
        if below_high <= -MOVED
        else ""
    )
    if after is None:
        return came + "What followed is not known yet."
    if after <= -MOVED:
        return f"{came}It was right: the market lost {'another ' if came else ''}{-after:.0%} in the 14 days from the next close."
    if after >= MOVED:
        return f"{came}It was wrong: the market gained {after:.0%} in the 14 days from the next close."
    return f"{came}Little followed: the market moved by {after:+.1%} in the 14 days from the next close."


def _flip_section(cases: Cases, pictures: str) -> str:
    largest = cases.flips.row(0, named=True)
    share, change = largest["bearish_share"], largest["bearish_share_change_7d"]
    falls = cases.flips.filter(pl.col("return_14d") <= -MOVED).height
    shown = cases.flips.with_columns(
        said=pl.struct("below_high_14d", "return_14d").map_elements(
            lambda row: _short(row["below_high_14d"], row["return_14d"]), return_dtype=pl.String
        )
    )
    return (
        "## A broad bearish flip\n\n*Rule: the day on which the share of bearish calls had risen most within 7 days.*\n\n"
        f"On **{largest['market_date']}** {share:.0%} of all calls were bearish, {change * 100:.0f} points more than a week before. "
        f"{what_followed(largest['below_high_14d'], largest['return_14d'])} Over 30 days it returned "
        f"{signed(largest['return_30d'])}, over 90 days {signed(largest['return_90d'])}.\n\n"
        f"![The largest broad bearish flip]({pictures}case-flip.png)\n\n"
        f"The {cases.flips.height} largest flips that lie more than {FLIPS_APART_DAYS} days apart; returns of the market "
        f"by cap from the next day's close. {falls} of {cases.flips.height} were followed by a fall of {MOVED:.0%} "
        "or more over 14 days:\n\n" + markdown_table(shown)
    )


def _winner_section(cases: Cases, pictures: str) -> str:
    case = cases.winner
    return (
        "## A screened winner\n\n*Rule: of all picks of the moonshot screen the one with the highest return after 90 days.*\n\n"
        + _told(case, cases.screened)
        + f"\n\n![The best pick]({pictures}case-winner.png)\n\n"
        + _company(case, cases.screened)
    )


def _failure_section(cases: Cases, pictures: str) -> str:
    case = cases.failure
    return (
        "## A screened failure\n\n*Rule: of all picks the one with the lowest return after 90 days.*\n\n"
        + _told(case, cases.screened)
        + f"\n\n![The worst pick]({pictures}case-failure.png)\n\n"
        + _company(case, cases.screened)
    )


def _pump_section(cases: Cases, pictures: str) -> str:
    case = cases.pump
    pumps = newly_warned(cases.screened)
    lost, doubled = _share(pumps["return_90d"] <= LOSS), _share(pumps["has_doubled"])
    dumped = _share(pumps["return_30d"] <= LOSS)
    rest = cases.screened.filter(pl.col("pump_reason").is_null())
    usual_dumped = _share(rest["return_30d"] <= LOSS)
    usual_lost, usual_doubled = _share(rest["return_90d"] <= LOSS), _share(rest["has_doubled"])
    return (
        "## A rejected pump\n\n*Rule: of all low-cap tokens that the filter keeps out for a pump, in the week in which the warning began, "
        "the one with the lowest return after 30 days: a dump follows its pump within weeks, and a later fall has other causes.*\n\n"
        f"On Monday **{case['as_of_week']}** the filter kept out **{case['symbol']}**, at a market cap of {_usd(case['market_cap_usd'])}, "
        f"and said why: *{case['pump_reason']}*. Who bought at Monday's close had {signed(case['return_30d'])} after 30 days and "
        f"{signed(case['return_90d'])} after 90, at best {case['best']:.2f} and at worst {case['worst']:.3f} times the entry.\n\n"
        f"![The rejected pump]({pictures}case-pump.png)\n\n"
        f"The {pumps.height} weeks in which such a warning began: {dumped:.0%} of these tokens lost half or more in 30 days and {lost:.0%} "
        f"in 90 (of low caps without the warning {usual_dumped:.0%} and {usual_lost:.0%}), and {doubled:.0%} doubled "
        f"({usual_doubled:.0%}). "
        + (
            "The warning keeps out more winners than losers: it guards against the worst, at a price."
            if doubled > lost
            else "The warning keeps out more losers than winners."
        )
    )


def _all_section(screened: pl.DataFrame) -> str:
    groups = {
        "picks": pl.col("is_pick"),
        "kept out for a pump": pl.col("pump_reason").is_not_null() & ~pl.col("is_pick"),
        "all other low caps": pl.col("pump_reason").is_null() & ~pl.col("is_pick"),
    }
    rows = []
    for name, condition in groups.items():
        group = screened.filter(condition)
        rows.append(
            {
                "low-cap tokens": name,
                "token-weeks": group.height,
                "tokens": group["token_id"].n_unique(),
                "doubled": _share(group["has_doubled"]),
                "lost half": _share(group["return_90d"] <= LOSS),
                "median_return_90d": group["return_90d"].median(),
                "mean_return_90d": group["return_90d"].mean(),
            }
        )
    counts = screened.filter("is_pick")["origin"].value_counts().sort("origin")
    origins = ", ".join(f"{count:,} {origin}" for origin, count in counts.iter_rows())
    week = pl.col("as_of_week")
    first, last = screened.select(first=week.min(), last=week.max()).row(0)
    return (
        f"## All of them\n\nEvery low-cap token-week from {first} to {last} (the screen's universe: cap, volume and age), 90 days from "
        f"Monday's close, before costs. `doubled` is {HELD_CLOSES} closes in a row at or above twice the entry, `lost half` a "
        "return of -50 % or worse; a token whose price stops keeps its last one. "
        + f"Picks by origin: {origins}; nobody could read a backfilled one in its week. "
        + _picks_said(picks_against_others(screened))
        + "\n\n"
        + markdown_table(pl.DataFrame(rows))
    )


def picks_against_others(screened: pl.DataFrame) -> Effect:
    """Share of picks that doubled less that of the other low caps of the same weeks, with its interval from blocks of 13 weeks."""
    rows = screened.with_columns(period="as_of_week", doubled=pl.col("has_doubled").cast(pl.Float64))
    return within_periods(
        rows, claimed=pl.col("is_pick"), others=~pl.col("is_pick"), value="doubled", block=block_weeks(FOLLOWED_DAYS)
    )


def _picks_said(effect: Effect) -> str:
    if effect.low is None or effect.high is None:
        return "The weeks are too few to compare picks with the others."
    bounds = f"{effect.estimate * 100:+.1f} points ({effect.low * 100:+.1f} to {effect.high * 100:+.1f})"
    skill = (
        "so picks double more often; how much of that is more than their volatility this comparison does not say"
        if effect.low > 0
        else "**so no skill in choosing them is shown**"
    )
    return f"Within the same weeks the share of picks that doubled differs from that of the other low caps by {bounds}, {skill}."


def _told(case: dict[str, Any], screened: pl.DataFrame) -> str:
    week = screened.filter((pl.col("as_of_week") == case["as_of_week"]) & pl.col("is_pick"))
    items = ", ".join(f"`{name}`" for name in true_items(str(case["evidence"])))
    flags = f"; flagged {case['risk_flags']}" if case["risk_flags"] else ""
    stopped = (
        f" Its price stops on {case['last_date']}."
        if (case["last_date"] - case["as_of_week"]).days < FOLLOWED_DAYS
        else ""
    )
    checked = f"{case['checks_true']} of {case['checks_known']} known items true" + (f" ({items})" if items else "")
    return (
        f"On Monday **{case['as_of_week']}** the screen picked **{case['symbol']}**, number {case['rank']} of {week.height}, at a market "
        f"cap of {_usd(case['market_cap_usd'])}: {checked}{flags}. From Monday's close it returned {signed(case['return_30d'])} in 30 "
        f"days and {signed(case['return_90d'])} in 90, at best {case['best']:.2f} and at worst "
        f"{case['worst']:.3f} times the entry.{stopped}"
    )


def _company(case: dict[str, Any], screened: pl.DataFrame) -> str:
    week = screened.filter(pl.col("as_of_week") == case["as_of_week"])
    others = week.filter(pl.col("is_pick") & (pl.col("token_id") != case["token_id"]))
    rest = week.filter(~pl.col("is_pick"))
    of_picks = (
        f"The median of the {others.height} other picks of the week returned {signed(others['return_90d'].median())} in 90 days, "
        if others.height
        else "It was the only pick of the week; "
    )
    return (
        f"{of_picks}that of the {rest.height} low caps that were not picked {signed(rest['return_90d'].median())}; "
        f"{_share(rest['has_doubled']):.0%} of these doubled as well."
    )


def true_items(evidence: str) -> Sequence[str]:
    """Names of the checklist's items that were true, from the evidence stored with a pick."""
    return [name for name, entry in json.loads(evidence).items() if entry["answer"] is True]


def _short(before: float, after: float | None) -> str:
    came = "late, " if before <= -MOVED else ""
    if after is None:
        return came + "not known yet"
    return came + ("right" if after <= -MOVED else "wrong" if after >= MOVED else "little followed")


def signed(value: object) -> str:
    """A return as text: whole percent, with a decimal where almost all was lost."""
    if not isinstance(value, float):
        return "an unknown return"
    return f"{value:+.1%}" if value <= ALMOST_ALL else f"{value:+,.0%}"


def _share(answers: pl.Series) -> float:
    """Share of rows that are true; NaN where there are none."""
    return int(answers.sum()) / answers.len() if answers.len() else math.nan


def _usd(value: object) -> str:
    return f"{value / 1e6:.1f} M USD" if isinstance(value, float) else "unknown size"


def _first(rows: pl.DataFrame) -> dict[str, Any]:
    if rows.is_empty():
        raise ValueError("no case of the kind has ended in this history; case studies need real history of some years")
    return rows.row(0, named=True)


def _market(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row a day with calls."""
    return connection.execute(
        """
        with shares as (
            select market_date, avg((signal = -1)::int) as bearish_share, avg((signal = 1)::int) as bullish_share, count(*) as tokens
            from learning.daily_signals_current group by market_date
        )
        select market.market_date, market.market_index_level, shares.bearish_share, shares.bullish_share, shares.tokens,
            shares.bearish_share - before.bearish_share as bearish_share_change_7d
        from marts.fct_market_daily as market
        inner join shares using (market_date)
        left join shares as before on market.market_date - $days = before.market_date
        where market.market_date >= $first
        order by market.market_date
        """,
        {"days": FLIP_DAYS, "first": FIRST_WEEK},
    ).pl()


def _screened(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every token-week of the screen's universe with its pick, and the reason for which the filter keeps it out for a pump."""
    settings = MoonshotSettings()
    return connection.execute(
        f"""
        select
            universe.market_date + 1 as as_of_week, universe.token_id, tokens.symbol, universe.market_cap_usd, picks.rank,
            picks.rank is not null as is_pick, picks.checks_true, picks.checks_known, picks.evidence, picks.risk_flags,
            picks.origin, warnings.reason as pump_reason
        from marts.fct_universe_daily as universe
        inner join {token_of_day("universe")}
        left join screens.token_warnings_current as warnings
            on universe.token_id = warnings.token_id and universe.market_date + 1 = warnings.as_of_week
            and warnings.warning = 'pump' and warnings.is_excluding
        left join screens.moonshots_current as picks
            on universe.token_id = picks.token_id and universe.market_date + 1 = picks.as_of_week
        where isodow(universe.market_date) = 7 and universe.market_date + 1 >= $first
            and universe.market_date < (select max(as_of_week) from screens.moonshots_current)
            and (picks.rank is not null or (
                not universe.is_stable and not universe.is_wrapped
                and universe.market_cap_usd between $low and $high
                and universe.volume_30d_median_usd >= greatest($volume, $turnover * universe.market_cap_usd)
                and universe.age_days >= $age
            ))
        order by 1, 2
        """,
        {
            "first": FIRST_WEEK,
            "low": settings.min_market_cap_usd,
            "high": settings.max_market_cap_usd,
            "volume": settings.min_volume_30d_usd,
            "turnover": settings.min_volume_to_cap,
            "age": settings.min_age_days,
        },
    ).pl()
