"""A first run whose facts were corrected, the run that saw to it killed once on the way: what tests of corrections and of kills look at."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from orchestration.lib.connections import LAGS
from orchestration.lib.landing import LandingStore, find_lag, read_lags
from orchestration.sources.datasets import find_dataset
from tests.kills import go_on, is_alive, kill_without_dbt
from tests.watching import tree_of, wait_until

RECENT_DAY, OLD_DAY = date(2024, 12, 18), date(2024, 6, 12)
VERSION_KEY = ["table_name", "unit", "version"]


def graded_throughout(tidemark, number):
    """A token that was in the broad universe on every Sunday of the last year and is no large part of any index."""
    return tidemark.query(
        """
        select token_id from marts.fct_universe_daily
        where is_broad and isodow(market_date) = 7 and market_date >= date '2024-01-07'
        group by token_id having count(*) = (
            select count(distinct market_date) from marts.fct_universe_daily
            where isodow(market_date) = 7 and market_date >= date '2024-01-07'
        )
        order by max(market_cap_usd) limit 1 offset ?
        """,
        number,
    ).item()


def land_corrected(tidemark, token_id, day, *, factor=20):
    """Land a second load of one day of a token, with another volume: another price would be outvoted by the exchange's."""
    store, dataset = LandingStore(tidemark.folder), find_dataset("coingecko", "market_daily")
    said = store.newest(dataset).filter((pl.col("coin_id") == token_id) & (pl.col("market_date") == day))
    assert said.height == 1
    store.write(
        dataset,
        said.with_columns(pl.col("volume_24h_usd") * factor),
        data_source="simulated",
        partition=day.isoformat(),
        loaded_at=datetime.now(UTC),
        lag_hours=find_lag(read_lags(LAGS), dataset),
    )


@dataclass(frozen=True)
class Corrected:
    """A folder in which a recent candle and one older than eight weeks were corrected, with its ledger before and after.

    The run that had to see to them was killed while dbt wrote, and run again, so what is held of corrections is held of a killed run.

    Attributes:
        landed_before: Files of landing before the runs; `landed_after` those after them.
        writers_at_the_kill: Processes of dbt when the run was killed; `writers_soon_after` those of them that lived five seconds later.
    """

    tidemark: object
    token_id: str
    before: pl.DataFrame
    after: pl.DataFrame
    landed_before: dict
    landed_after: dict
    writers_at_the_kill: list[str]
    writers_soon_after: list[str]

    def added(self, table):
        new = self.after.join(self.before, on=VERSION_KEY, how="anti")
        return new.filter(pl.col("table_name") == table).sort("as_of_week")


def correct_and_kill(first, folder):
    """Correct two days in a copy of the first run, kill the run of the same week inside dbt, and run it again."""
    tidemark = first.copy(folder)
    token_id = graded_throughout(tidemark, 0)
    land_corrected(tidemark, token_id, RECENT_DAY)
    land_corrected(tidemark, graded_throughout(tidemark, 1), OLD_DAY)
    landed_before = tree_of(tidemark.folder / "landing")
    run_id, writers = kill_without_dbt(tidemark)
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not any(map(is_alive, writers)), seconds=5, what="dbt to end with its run")
    soon_after = [writer for writer in writers if is_alive(writer)]
    go_on(tidemark, run_id)
    landed_after = tree_of(tidemark.folder / "landing")
    return Corrected(
        tidemark, token_id, first.ledger(), tidemark.ledger(), landed_before, landed_after, writers, soon_after
    )
