"""What happened in the market, read from the published copy: flips, index changes, moonshot entries, sector turns.

Every event of the weeks asked for is found, whoever wants to hear it: an event that is no longer among them was withdrawn by a
correction, and one that a shorter watch list leaves out was not.

Belongs here: a query a kind. Does not: choosing among events (`chosen`), what was told already (`journal.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.alerts.events import Event, event
from orchestration.alerts.rules import EVERYTHING, AlertRules

# A call of a close is known after it: those of Monday to Sunday are the news of the Monday that follows.
FLIPS = """
    select
        date_trunc('week', flips.flip_date)::date + 7 as week,
        flips.token_id,
        tokens.symbol,
        tokens.name,
        flips.flip_date,
        flips.previous_signal,
        flips.signal,
        flips.flip_price_usd
    from api.signal_flips as flips
    left join api.tokens as tokens using (token_id)
    where flips.flip_date >= $first::date - 7 and flips.flip_date < $last::date
    order by flips.flip_date desc, flips.token_id
"""

# Entering and leaving is found by comparing targets, since a reason is worded for people and a composite's names several indices.
# The first targets of an index are no change.
INDEX_CHANGES = """
    with dated as (
        select
            index_id,
            effective_at,
            any_value(as_of_week) as as_of_week,
            lag(effective_at) over (partition by index_id order by effective_at) as previous_at
        from indices.rebalances_current
        group by index_id, effective_at
    ),

    asked as (
        select *
        from dated
        where as_of_week between $first::date and $last::date and previous_at is not null
    ),

    targets as (
        select
            asked.index_id,
            asked.effective_at,
            asked.as_of_week,
            rows.token_id,
            any_value(rows.symbol) as symbol,
            coalesce(max(rows.target_weight) filter (where rows.effective_at = asked.effective_at), 0) as weight,
            coalesce(max(rows.target_weight) filter (where rows.effective_at = asked.previous_at), 0) as previous_weight,
            max(rows.reason) filter (where rows.effective_at = asked.effective_at) as reason
        from asked
        inner join indices.rebalances_current as rows
            on asked.index_id = rows.index_id and rows.effective_at in (asked.effective_at, asked.previous_at)
        group by all
    )

    select
        as_of_week as week,
        index_id,
        token_id,
        symbol,
        effective_at,
        weight,
        previous_weight,
        weight > 0 as has_entered,
        reason
    from targets
    where (weight > 0) != (previous_weight > 0)
    order by as_of_week, index_id, has_entered desc, greatest(weight, previous_weight) desc, token_id
"""

MOONSHOTS = """
    with picks as (
        select
            as_of_week as week,
            rank,
            token_id,
            symbol,
            candidates,
            p_2x_90d,
            p_3x_90d,
            risk_class,
            checks_true,
            checks_known,
            price_usd,
            stop_usd,
            rationale,
            verdict
        from api.moonshots
        where as_of_week between $first::date - 7 and $last::date
    )

    select *
    from picks
    where week >= $first::date
        and not exists (
            select 1 from picks as before where before.token_id = picks.token_id and before.week = picks.week - 7
        )
    order by week, rank
"""

# A turn stands in the rows of every day until the next one; it is news of the Monday after the close it became known at.
SECTOR_TURNS = """
    select
        date_trunc('week', turn_known_date)::date + 7 as week,
        sector,
        turn,
        turn_extreme_date,
        turn_known_date,
        bool_or(is_hindsight) as is_hindsight
    from api.sector_rotation
    where turn_known_date >= $first::date - 7 and turn_known_date < $last::date
        and date >= $first::date - 7 and date < $last::date
        and turn is not null
    group by all
    order by turn_known_date desc, sector
"""


# A token_id before symbols: one token's id may be another's symbol.
NAMED = """
    select token_id from api.tokens
    where lower(token_id) = lower($name) or lower(symbol) = lower($name)
    order by lower(token_id) = lower($name) desc, token_id
"""

# Bridged and dead namesakes have no calls, so a symbol mostly names the one token that has.
CALLED = """
    select distinct token_id from api.daily_signals
    where market_date > (select max(market_date) - 7 from api.daily_signals) and token_id in (select unnest($token_ids))
"""


@dataclass(frozen=True)
class Found:
    """What was looked for, and what could not be.

    Attributes:
        events: All events of the weeks, whoever wants to hear of them.
        read: Kinds that could be read.
        problems: What is amiss, a sentence each.
    """

    events: list[Event]
    read: frozenset[str]
    problems: list[str]


def market_events(connection: duckdb.DuckDBPyConnection, *, first: date, last: date) -> Found:
    """Every event of the weeks from `first` to `last`, both Mondays.

    A kind whose view the copy does not have, since an older version published it, is a problem and not an error.
    """
    events: list[Event] = []
    read: set[str] = set()
    problems: list[str] = []
    for kind, (sql, made) in QUERIES.items():
        try:
            rows = connection.execute(sql, {"first": first, "last": last}).pl().to_dicts()
        except duckdb.Error as error:
            problems.append(
                f"{kind} cannot be read from the published copy ({_first_line(error)}); run make run to publish anew"
            )
            continue
        events += [made(row) for row in rows]
        read.add(kind)
    return Found(events, frozenset(read), problems)


def chosen(
    connection: duckdb.DuckDBPyConnection, events: Iterable[Event], rules: AlertRules
) -> tuple[list[Event], list[str]]:
    """The events that the rules want told, and what of the rules fits nothing in the copy."""
    tokens, of_tokens = _watched(connection, rules)
    indices, of_indices = _indices(connection, rules)
    kept = []
    for each in events:
        if each.kind == "signal_flips" and tokens is not None and each.facts["token_id"] not in tokens:
            continue
        if each.kind == "index_changes" and indices is not None and each.facts["index_id"] not in indices:
            continue
        kept.append(each)
    return kept, [*of_tokens, *of_indices]


def _watched(connection: duckdb.DuckDBPyConnection, rules: AlertRules) -> tuple[set[object] | None, list[str]]:
    """token_ids of the watch list as facts have them, None for all; a symbol of several tokens with calls follows none of them."""
    if rules.watch == EVERYTHING:
        return None, []
    found: set[object] = set()
    problems = []
    for name in rules.watch:
        ids = [token_id for (token_id,) in connection.execute(NAMED, {"name": name}).fetchall()]
        if len(ids) > 1 and ids[0].lower() != name.lower():
            called = [token_id for (token_id,) in connection.execute(CALLED, {"token_ids": ids}).fetchall()]
            ids = called if len(called) == 1 else ids
        if ids and (len(ids) == 1 or ids[0].lower() == name.lower()):
            found.add(event("signal_flips", week=None, facts={"token_id": ids[0]}).facts["token_id"])
        elif ids:
            shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            problems.append(f"watch: {name!r} is the symbol of {len(ids)} tokens ({shown}); write the token_id")
        else:
            problems.append(f"watch: {name!r} is neither a token_id nor a symbol of api.tokens; correct or remove it")
    return found, problems


def _indices(connection: duckdb.DuckDBPyConnection, rules: AlertRules) -> tuple[set[str] | None, list[str]]:
    if rules.indices == EVERYTHING:
        return None, []
    known = {index_id for (index_id,) in connection.execute("select index_id from api.indices").fetchall()}
    unknown = [name for name in rules.indices if name not in known]
    return set(rules.indices), [
        f"indices: {name!r} is no index_id of api.indices; correct or remove it" for name in unknown
    ]


def _flip(row: dict[str, Any]) -> Event:
    return event(
        "signal_flips",
        row["token_id"],
        row["flip_date"],
        f"{row['previous_signal']} to {row['signal']}",
        week=row["week"],
        facts=row,
    )


def _index_change(row: dict[str, Any]) -> Event:
    what = "entered" if row["has_entered"] else "left"
    return event(
        "index_changes", row["index_id"], row["effective_at"], row["token_id"], what, week=row["week"], facts=row
    )


def _moonshot(row: dict[str, Any]) -> Event:
    return event("moonshot_entries", row["week"], row["token_id"], week=row["week"], facts=row)


def _sector_turn(row: dict[str, Any]) -> Event:
    # Not the day it became known: revised prices move it by a day or two, and that is no news.
    return event("sector_turns", row["sector"], row["turn"], row["turn_extreme_date"], week=row["week"], facts=row)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


QUERIES: dict[str, tuple[str, Callable[[dict[str, Any]], Event]]] = {
    "signal_flips": (FLIPS, _flip),
    "index_changes": (INDEX_CHANGES, _index_change),
    "moonshot_entries": (MOONSHOTS, _moonshot),
    "sector_turns": (SECTOR_TURNS, _sector_turn),
}
