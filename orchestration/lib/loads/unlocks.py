"""Loads of unlock schedules: the index of all, files of what it lacks, and releases that a schedule no longer has.

Belongs here: which files are read when, withdrawals. Does not: wire formats (`sources/defillama/unlocks.py`).

One request, the index, has nearly all schedules and serves a daily run. A file is read, once a week, of a schedule that is on
the list of files but not in the index, and in the first run also of protocols of followed tokens that neither has. Where a coin
is in the index, its file lands no releases.

The newest load of a release counts, so a release that vanished from its schedule would stay for ever. It lands once more as
withdrawn where the schedule was read whole (nothing of it refused, at least one release in it), has the release no longer, and
still speaks of its time: what began before the first release it lists may have fallen out of a window and stays. A schedule that
vanishes as a whole stays too, since the sources are known to be incomplete.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Final

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.defillama import host_of
from orchestration.lib.loads.followed import followed_coins
from orchestration.lib.loads.step import Step
from orchestration.lib.progress import sentence
from orchestration.sources.defillama.families import holders_of_coins
from orchestration.sources.defillama.protocols import PROTOCOLS
from orchestration.sources.defillama.unlocks import (
    UNLOCK_EVENTS,
    UNLOCK_SCHEDULES,
    Schedules,
    fetch_index,
    fetch_schedule,
    fetch_slugs,
)
from orchestration.sources.defillama.wire import Host
from orchestration.sources.errors import RequestRejectedError
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched

DAYS_FOR_ALL_FILES: Final = 12
"""A daily run reads this part of the files; the first run reads as many as the setting allows."""

FILE_DAYS: Final = 7
"""Days after which a file is read again."""
NOT_FOUND: Final = 404


def load_unlocks(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Releases and schedules as published now."""
    host, store = host_of(connections, "unlocks"), ingestion.store
    is_first = not store.files(UNLOCK_SCHEDULES)
    index = fetch_index(host, now=reach.now)
    covered = set(index.schedules.frame["coin_id"].drop_nulls().to_list())
    most = connections.settings.unlock_files
    slugs = _due_slugs(host, store, index, covered, reach)[: most if is_first else most // DAYS_FOR_ALL_FILES]
    asking = OneByOne()
    parts = [index]
    for number, slug in enumerate(slugs, start=1):
        found = asking.ask(slug, partial(_fetch_file, host, slug, reach))
        parts += [] if found is None else [each.without_coins(covered) for each in found]
        if number == len(slugs):
            ingestion.report(sentence("defillama/unlock_files", number, len(slugs), "files"))
    read = Schedules.join(parts)
    events = with_withdrawals(read, store.newest(UNLOCK_EVENTS))
    landed = ingestion.land(events, reach).with_failures(asking.report())
    return [landed, ingestion.land(read.schedules, reach)]


def _fetch_file(host: Host, slug: str, reach: Reach) -> list[Schedules]:
    """The file of a schedule; nothing where there is none, which is no failure of a name that was a guess."""
    try:
        return [fetch_schedule(host, slug, now=reach.now)]
    except RequestRejectedError as error:
        if error.status == NOT_FOUND:
            return []
        raise


def with_withdrawals(read: Schedules, landed: pl.DataFrame) -> Fetched:
    """The releases read, and as withdrawn those that stand in landing but no longer in a schedule that was read whole.

    Args:
        read: Schedules as they are now.
        landed: Of every release the newest load.
    """
    fresh = read.events.frame
    whole = fresh.filter(pl.col("protocol").is_in(sorted(read.complete)))
    standing = landed.filter(~pl.col("is_withdrawn").fill_null(value=False)).select(list(UNLOCK_EVENTS.columns))
    # A schedule may come under another name than before, for instance from the index instead of its file, so the coin counts too.
    first = pl.min_horizontal(_first_start(whole, name) for name in ("protocol", "coin_id"))
    vanished = standing.filter(pl.col("starts_at") >= first).join(
        fresh, on=list(UNLOCK_EVENTS.key), how="anti", maintain_order="left"
    )
    withdrawn = vanished.with_columns(is_withdrawn=pl.lit(value=True))
    return Fetched(UNLOCK_EVENTS, pl.concat([fresh, withdrawn]), read.events.rejected)


def _first_start(events: pl.DataFrame, name: str) -> pl.Expr:
    """Start of the first release that the schedule of a row's protocol or coin lists; null where none was read."""
    starts = events.filter(pl.col(name).is_not_null()).group_by(name).agg(pl.col("starts_at").min())
    return pl.col(name).replace_strict(
        dict(starts.iter_rows()), default=None, return_dtype=UNLOCK_EVENTS.columns["starts_at"]
    )


def _due_slugs(host: Host, store: LandingStore, index: Schedules, covered: set[str], reach: Reach) -> list[str]:
    """Names of files to read now: those never read before the others, of these the longest unread first.

    None where a part of the index was refused: what seems to be missing there may be in it.
    """
    if index.schedules.rejected:
        return []
    schedules = store.newest(UNLOCK_SCHEDULES)
    read_on: dict[str, date] = dict(
        schedules.filter(pl.col("file_read_date").is_not_null()).select("protocol", "file_read_date").iter_rows()
    )
    known = set(index.schedules.frame["protocol"].to_list())
    listed = [slug for slug in fetch_slugs(host) if slug not in known]
    guessed = [] if schedules.height else _guessed_slugs(store, covered)
    wanted = list(dict.fromkeys([*guessed, *listed, *sorted(read_on)]))
    again = reach.last - timedelta(days=FILE_DAYS)
    due = [slug for slug in wanted if slug not in known and read_on.get(slug, date.min) <= again]
    return sorted(due, key=lambda slug: read_on.get(slug, date.min))


def _guessed_slugs(store: LandingStore, covered: set[str]) -> list[str]:
    """Names of protocols of followed coins that the index lacks, the largest first: some have a file that is not listed."""
    protocols = store.newest(PROTOCOLS).select(list(PROTOCOLS.columns))
    holders = holders_of_coins(protocols.unique("protocol_id", keep="last", maintain_order=True))
    is_lacking = pl.col("coin_id").is_in(sorted(followed_coins(store) - covered))
    return holders.filter(is_lacking).sort("tvl_usd", descending=True, nulls_last=True)["slug"].to_list()


STEPS = (
    Step(
        name="unlock_schedules",
        provider="unlocks",
        load=load_unlocks,
        datasets=(UNLOCK_EVENTS, UNLOCK_SCHEDULES),
        needs=(PROTOCOLS,),
        has_history=False,
    ),
)
