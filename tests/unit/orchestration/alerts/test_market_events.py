from datetime import date

import duckdb
import pytest

from orchestration.alerts.market_events import chosen, market_events
from orchestration.alerts.rules import EVERYTHING, AlertRules

WEEK, BEFORE = date(2025, 1, 6), date(2024, 12, 30)


@pytest.fixture
def found(published):
    """The events of the week after some statements, by kind, as the given facts."""

    def find(kind, *facts, statements, first=WEEK):
        published.run(*statements)
        with duckdb.connect(str(published.warehouse), read_only=True) as connection:
            result = market_events(connection, first=first, last=WEEK)
        assert result.problems == []
        return [tuple(each.facts[name] for name in facts) for each in result.events if each.kind == kind]

    return find


def test_flips_of_monday_to_sunday_are_the_news_of_the_monday_after(found):
    days = ("2024-12-29", "2024-12-30", "2025-01-05", "2025-01-06")
    flips = [f"insert into api.signal_flips values ('bitcoin', '{day}', 0, 1, 2.5)" for day in days]

    assert found("signal_flips", "flip_date", "week", statements=flips) == [
        ("2025-01-05", "2025-01-06"),
        ("2024-12-30", "2025-01-06"),
    ]


def test_who_enters_and_who_leaves_is_found_by_targets_whatever_the_reason_says(found, rebalance):
    before = rebalance(
        "hodl10",
        "2024-12-01 00:00:00+00",
        date(2024, 12, 2),
        {"aaa": (0.6, "x"), "bbb": (0.4, "x"), "ccc": (0, "left out")},
    )
    after = rebalance(
        "hodl10", "2025-01-01 00:00:00+00", WEEK, {"aaa": (0.5, "x"), "ddd": (0.5, "entered"), "ccc": (0, "left out")}
    )

    changes = found(
        "index_changes", "token_id", "has_entered", "weight", "previous_weight", "reason", statements=[before, after]
    )

    assert changes == [("ddd", True, 0.5, 0.0, "entered"), ("bbb", False, 0.0, 0.4, None)]


def test_the_first_targets_of_an_index_are_no_change(found, rebalance):
    first = rebalance("hodl10", "2025-01-01 00:00:00+00", WEEK, {"aaa": (1, "entered at the base")})

    assert found("index_changes", "token_id", statements=[first]) == []


def test_only_picks_that_were_not_on_the_list_the_week_before_are_entries(found):
    picks = [(BEFORE, 1, "old"), (WEEK, 1, "new"), (WEEK, 2, "old")]
    rows = [
        f"insert into api.moonshots (as_of_week, rank, token_id) values ('{week}', {rank}, '{token}')"
        for week, rank, token in picks
    ]

    assert found("moonshot_entries", "token_id", statements=rows) == [("new",)]


def test_a_turn_is_told_with_the_week_it_became_known_in_and_once(found):
    rows = [
        f"insert into api.sector_rotation values ('{day}', '{sector}', 'up', '2024-12-10', '{known}', true)"
        for sector, known in (("Meme", "2025-01-03"), ("DeFi", "2024-12-26"))
        for day in ("2025-01-03", "2025-01-04", "2025-01-05")
    ]

    assert found("sector_turns", "sector", "turn_known_date", statements=rows) == [("Meme", "2025-01-03")]


def test_a_view_that_an_older_copy_lacks_is_a_problem_and_the_rest_is_found(published):
    published.run("drop table api.moonshots")
    published.flip("bitcoin", date(2025, 1, 5), 1)

    with duckdb.connect(str(published.warehouse), read_only=True) as connection:
        result = market_events(connection, first=WEEK, last=WEEK)

    assert [each.kind for each in result.events] == ["signal_flips"]
    assert "moonshot_entries" not in result.read
    assert "moonshot_entries cannot be read" in result.problems[0]


@pytest.mark.parametrize(
    ("watch", "tokens", "problem"),
    [
        (("btc",), ["bitcoin"], None),
        (("SOL",), ["solana"], None),
        (EVERYTHING, ["bitcoin", "solana"], None),
        (("nothing",), [], "'nothing' is neither a token_id nor a symbol"),
    ],
)
def test_the_watch_list_takes_ids_and_symbols(published, watch, tokens, problem):
    for token in ("bitcoin", "solana"):
        published.flip(token, date(2025, 1, 5), 1)

    with duckdb.connect(str(published.warehouse), read_only=True) as connection:
        events = market_events(connection, first=WEEK, last=WEEK).events
        kept, problems = chosen(connection, events, AlertRules(watch=watch, indices=("hodl10",)))

    assert [each.facts["token_id"] for each in kept] == tokens
    assert [problem in each for each in problems] == ([True] if problem else [])


def test_a_symbol_of_two_tokens_with_calls_follows_neither_and_names_both(published):
    published.run("insert into api.daily_signals values ('wrapped-solana', '2025-01-05')")
    published.flip("solana", date(2025, 1, 5), 1)

    with duckdb.connect(str(published.warehouse), read_only=True) as connection:
        events = market_events(connection, first=WEEK, last=WEEK).events
        kept, problems = chosen(connection, events, AlertRules(watch=("sol",), indices=("hodl10",)))

    assert kept == []
    assert "symbol of 2 tokens (solana, wrapped-solana)" in problems[0]
