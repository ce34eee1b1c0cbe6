"""Lie drills: a provider that answers in good form what was never so, for the week that is asked for.

Belongs here: what readers are told while a provider lies, and what an honest week makes of it afterwards.
Does not: the lies (`orchestration/sandbox/lies.py`), what is seen of them at landing (`orchestration/lib/contradictions.py`).
"""

from __future__ import annotations

import duckdb

from orchestration.lib.landing import LandingStore
from orchestration.lib.quarantine import summarise
from orchestration.sandbox.faults import FaultKind
from orchestration.sandbox.lies import LIES
from tests.conftest import Tidemark
from tests.faults.drills.ground import DrillError, Ground, Result, timed
from tests.faults.drills.state import chain_problems, published_file

LIARS = ("coingecko", "binance")
"""The source of most tokens and all market caps, and the exchange with most candles; one of them lies at a time."""

TOLERANCE = 1.1
"""A published price or cap further from the undisturbed one than by this factor is wrong; sources themselves differ by less."""


def lies(ground: Ground, *, liars: tuple[str, ...] = LIARS, kinds: tuple[FaultKind, ...] = LIES) -> list[Result]:
    """Each lie of each liar over a whole week, then an honest run of the same week."""
    return [_lie(ground, liar, kind) for kind in kinds for liar in liars]


def _lie(ground: Ground, liar: str, kind: FaultKind) -> Result:
    with timed() as seconds, ground.copy("lies") as tidemark:
        lied = ground.call(tidemark, TIDEMARK_SIMULATION__FAULTS=f"{liar}:{kind}")
        wrong = _wrong_numbers(ground, tidemark)
        refused, carried = _refused(tidemark), _carried_prices(ground, tidemark)
        if problems := chain_problems(tidemark.folder):
            raise DrillError(f"make verify: {'; '.join(problems)}")
        published = "published, without the liar's week" if lied.code == 0 else f"nothing published (exit {lied.code})"
        ground.say(f"{liar} {kind}: {published}, {wrong} wrong, refused {refused}")
        ground.complete(tidemark)
        left = _wrong_numbers(ground, tidemark)
        lost = _missing_prices(ground, tidemark)
        return Result(
            f"{liar} lies: {kind.value.replace('_', ' ')}",
            "No wrong price or cap is published; the next honest run fills what was refused",
            f"{published}; {refused} rows in quarantine, {carried} prices carried and marked so; "
            f"after the honest run {left} wrong and {lost} prices missing",
            seconds(),
            lost=lost,
            wrong=wrong + left,
            is_held=wrong + left == 0 and lost == 0,
        )


def _wrong_numbers(ground: Ground, tidemark: Tidemark) -> int:
    """Published prices, caps and totals of the market that are further than `TOLERANCE` from the undisturbed ones.

    A price is held against that of the day which it says it is of (`priced_date`): one that is carried over a refused day, and says so,
    must be that earlier day's.
    """
    return _count(
        ground,
        tidemark,
        """
        select
            count(*) filter (where abs(ln(told.price_usd / truth.price_usd)) > ln($tolerance))
            + count(*) filter (where abs(ln(told.market_cap_usd / truth.market_cap_usd)) > ln($tolerance))
        from found.marts.fct_daily as told inner join expected.marts.fct_daily as truth
            on told.token_id = truth.token_id and told.priced_date = truth.market_date
        where told.price_usd > 0 and truth.price_usd > 0
        """,
        tolerance=TOLERANCE,
    ) + _count(
        ground,
        tidemark,
        """
        select count(*) from found.marts.fct_market_daily as told inner join expected.marts.fct_market_daily as truth using (market_date)
        where abs(ln(told.coingecko_market_cap_usd / truth.coingecko_market_cap_usd)) > ln($tolerance)
        """,
        tolerance=TOLERANCE,
    )


def _carried_prices(ground: Ground, tidemark: Tidemark) -> int:
    """Token-days that say they carry an earlier day's price and do not in the undisturbed copy."""
    return _count(
        ground,
        tidemark,
        """
        select count(*) from found.marts.fct_daily as told inner join expected.marts.fct_daily as truth using (token_id, market_date)
        where told.is_carried and not truth.is_carried
        """,
    )


def _missing_prices(ground: Ground, tidemark: Tidemark) -> int:
    """Token-days that the undisturbed copy has a price of and this one has not."""
    return _count(
        ground,
        tidemark,
        """
        select count(*) from expected.marts.fct_daily as truth anti join
        (select token_id, market_date from found.marts.fct_daily where price_usd > 0) as told using (token_id, market_date)
        where truth.price_usd > 0
        """,
    )


def _count(ground: Ground, tidemark: Tidemark, sql: str, **parameters: object) -> int:
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        for alias, folder in (("expected", ground.undisturbed.folder), ("found", tidemark.folder)):
            connection.execute(f"attach '{published_file(folder)}' as {alias} (read_only)")
        row = connection.execute(sql, parameters or None).fetchone()
    if row is None:
        raise AssertionError("an aggregate without a row")
    return int(row[0])


def _refused(tidemark: Tidemark) -> int:
    """Records in quarantine."""
    return int(summarise(LandingStore(tidemark.folder))["open_records"].sum())
